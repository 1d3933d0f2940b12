"""Whatever is in a client's settings: adding Wassette and undoing that gives the same bytes, and
nothing else but the entry is changed in between. Or it is refused, and nothing changes at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from support.registering import clients_in, installed
from support.settings_cases import BY_CLIENT, Case
from wassette.clients import Standing
from wassette.clients.catalog import client
from wassette.clients.formats import Absent, found, reader
from wassette.clients.formats.base import changed
from wassette.errors import ClientError

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.clients import Clients

ALL = [(client_id, case) for client_id, cases in BY_CLIENT.items() for case in cases]


def parameters(cases: list[tuple[str, Case]]) -> pytest.MarkDecorator:
    names = [f"{client_id}-{case.name}" for client_id, case in cases]
    return pytest.mark.parametrize(("client_id", "case"), cases, ids=names)


EVERY = parameters(ALL)
WORKING = parameters([(client_id, case) for client_id, case in ALL if case.refused is None])


def tree(home: Path) -> dict[str, tuple[bytes | None, int]]:
    """Every file and directory of a client's, with its mode."""
    return {
        str(path.relative_to(home)): (
            path.read_bytes() if path.is_file() else None,
            path.stat().st_mode,
        )
        for path in home.rglob("*")
        if "state" not in path.relative_to(home).parts[0]
    }


def read(clients: Clients, client_id: str) -> object:
    place = client(client_id).user
    data = clients.state(client_id).file.read_bytes()
    return reader(place.format).read(data.decode("utf-8-sig"))


@EVERY
def test_add_and_undo(client_id: str, case: Case, tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(clients, client_id, case.data)
    before = tree(tmp_path)
    if case.refused is not None:
        with pytest.raises(ClientError, match=f"(?s){case.refused}") as refusal:
            clients.add(client_id)
        assert str(file) in str(refusal.value)
        assert "left as it is" in str(refusal.value)
        assert tree(tmp_path) == before
        return

    place = client(client_id).user
    text = (case.data or b"").decode("utf-8-sig")
    value = reader(place.format).read(text if text.strip() else place.new_file)

    clients.add(client_id)
    assert clients.state(client_id).standing is Standing.CURRENT
    entry = found(read(clients, client_id), place.keys)
    assert read(clients, client_id) == changed(value, place.keys, entry)
    assert file.read_bytes().startswith(b"\xef\xbb\xbf") == (case.data or b"").startswith(
        b"\xef\xbb\xbf"
    )
    if b"\r\n" in (case.data or b""):
        assert not re.search(rb"[^\r]\n", file.read_bytes())

    clients.undo(client_id)
    assert tree(tmp_path) == before


@WORKING
def test_add_and_remove(client_id: str, case: Case, tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    installed(clients, client_id, case.data)
    before = tree(tmp_path)
    clients.add(client_id)
    clients.remove(client_id)
    after = tree(tmp_path)
    assert {name: one for name, one in after.items() if one[0] is not None} == {
        name: one for name, one in before.items() if one[0] is not None
    }


@WORKING
def test_undo_after_others_wrote(client_id: str, case: Case, tmp_path: Path) -> None:
    """A comment that somebody wrote in between stays, and so does all that was there before."""
    clients = clients_in(tmp_path)
    file = installed(clients, client_id, case.data)
    mark = b"\n" if client_id == "claude-desktop" else b"\n// theirs\n"
    if client_id in ("codex", "goose", "continue"):
        mark = b"\n# theirs\n"
    clients.add(client_id)
    place = client(client_id).user
    was = changed(read(clients, client_id), place.keys, Absent)
    file.write_bytes(file.read_bytes() + mark)
    clients.undo(client_id)
    assert file.read_bytes().rstrip(b"\r\n").endswith(mark.strip(b"\n"))
    assert clients.state(client_id).standing is Standing.ABSENT
    left = read(clients, client_id)
    # Or without the object that was made for the entry.
    assert left in (was, changed(was, place.keys[:-1], Absent))
