"""Opening SQLite files that several processes write."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from wassette.errors import StoreError
from wassette.sqlite import make_private, make_tables, use_journal, version_of
from wassette.usage.store import UsageStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA = """
CREATE TABLE one (a TEXT) STRICT;
CREATE TABLE two (b TEXT) STRICT;
PRAGMA user_version = 3;
"""


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        yield connection
    finally:
        connection.close()


def test_a_file_that_is_being_made_is_waited_for(tmp_path: Path) -> None:
    """SQLite does not wait by itself for who makes the same file at the same moment."""
    path = tmp_path / "usage.db"
    with opened(path) as other:
        other.execute("BEGIN IMMEDIATE")
        made = threading.Timer(0.2, lambda: other.execute("COMMIT"))
        made.start()
        store = UsageStore(path, tmp_path)
        store.began(1.0)
        store.close()
        made.join()


def test_tables_are_made_once(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with opened(path) as one, opened(path) as other:
        for connection in (one, other):
            use_journal(connection)
            assert make_tables(connection, SCHEMA) == 3
        one.execute("INSERT INTO two VALUES ('x')")
        assert version_of(other) == 3
        assert other.execute("SELECT b FROM two").fetchall() == [("x",)]


def test_what_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    with opened(tmp_path / "x.db") as connection:
        with pytest.raises(sqlite3.OperationalError):
            make_tables(connection, SCHEMA + "CREATE TABLE one (a TEXT);\n")
        assert version_of(connection) == 0
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == []


@pytest.mark.skipif(os.name != "posix", reason="modes and owners")
def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "x.db"
    make_private(path)
    with opened(path) as connection:
        use_journal(connection)
        make_tables(connection, SCHEMA)
        modes = {one.name: one.stat().st_mode & 0o777 for one in path.parent.iterdir()}
    assert modes["x.db"] == 0o600
    assert set(modes.values()) == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
def test_what_is_not_a_file_of_ours(tmp_path: Path) -> None:
    (tmp_path / "target").touch()
    (tmp_path / "link").symlink_to("target")
    with pytest.raises(OSError, match="link"):
        make_private(tmp_path / "link")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match="is not a file"):
        make_private(tmp_path / "pipe")
