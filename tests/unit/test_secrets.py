"""Secrets at rest: where they are kept, what is refused, what is noticed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
import traceback
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from support import ring
from wassette import config
from wassette.errors import ConfigError, InvalidComponentId, SecretError
from wassette.secrets import ComponentSecrets, Place, SecretStore
from wassette.secrets import store as store_module
from wassette.secrets.private import MAX_BYTES
from wassette.secrets.store import MAX_VALUE

if TYPE_CHECKING:
    from pathlib import Path

VALUE = "s3cr3t-value-of-some-length"
root_only = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)


@pytest.fixture
def folder(home: Path) -> Path:
    return home / "secrets"


@pytest.fixture
def filed(folder: Path) -> SecretStore:
    return SecretStore(folder, Place.FILE)


@pytest.fixture
def in_ring(folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> SecretStore:
    for name, value in ring.environment(home).items():
        monkeypatch.setenv(name, value)
    return SecretStore(folder)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ---- files ---------------------------------------------------------------------------------------


def test_nothing_is_made_by_looking(filed: SecretStore, folder: Path) -> None:
    assert filed.read("one") == ComponentSecrets()
    assert filed.delete("one", ["A"]) == []
    assert not folder.exists()


def test_a_file_for_each_component_that_only_its_owner_may_read(
    filed: SecretStore, folder: Path
) -> None:
    filed.set("one", {"A": VALUE, "B": ""})
    filed.set("two", {"A": "other"})
    assert filed.read("one").values == {"A": VALUE, "B": ""}
    assert filed.read("two").values == {"A": "other"}
    assert mode(folder) == 0o700
    names = sorted(path.name for path in folder.iterdir())
    assert names == [".lock", "one.yaml", "two.yaml"]
    assert {mode(path) for path in folder.iterdir()} == {0o600}


def test_set_adds_and_replaces_and_delete_takes_away(filed: SecretStore, folder: Path) -> None:
    filed.set("one", {"A": "1", "B": "2"})
    filed.set("one", {"B": "3", "C": "4"})
    assert filed.read("one").values == {"A": "1", "B": "3", "C": "4"}
    assert filed.delete("one", ["B", "NOPE", "B"]) == ["B"]
    assert filed.read("one").keys == ["A", "C"]
    assert filed.delete("one", ["C", "A"]) == ["C", "A"]
    assert filed.read("one") == ComponentSecrets()
    assert [path.name for path in folder.iterdir()] == [".lock"]


HOSTILE = [
    'quote"\nOTHER: "injected',
    "line\nbreaks\r\nof\rall\u2028kinds\u2029\x85",
    "# no comment",
    "null",
    "0x10",
    "yes",
    "- a",
    "{a: b}",
    "tab\tand\x00".rstrip("\0"),
    "\\n is not a line break",
    "\u202eright to left",
    "\U0001f600",
    "'single'",
    " spaces ",
    "!!python/object/apply:os.system [id]",
    "&a *a",
    "a: b",
    "=",
    "-----BEGIN KEY-----\nMIIB\n-----END KEY-----\n",
]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_a_value_is_text_and_nothing_else(filed: SecretStore, folder: Path, value: str) -> None:
    """Attack: a value that is YAML, and so becomes other secrets."""
    filed.set("one", {"KEY": value, "NEXT": "next"})
    assert SecretStore(folder, Place.FILE).read("one").values == {"KEY": value, "NEXT": "next"}
    # Microsoft's Wassette reads it, too.
    data = YAML(typ="safe", pure=True).load((folder / "one.yaml").read_text())
    assert data == {"KEY": value, "NEXT": "next"}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=80),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_set_is_read(folder: Path, values: dict[str, str]) -> None:
    store = SecretStore(folder, Place.FILE)
    store.set("any", values)
    assert SecretStore(folder, Place.FILE).read("any").values == values
    assert set(store.delete("any", list(values))) == set(values)


def test_files_of_wassette_are_read(filed: SecretStore, folder: Path) -> None:
    folder.mkdir(mode=0o700)
    path = folder / "one.yaml"
    path.touch(0o600)
    path.write_text("API_KEY: secret123\nQUOTED: '0123'\nBLOCK: |-\n  a\n  b\n")
    assert filed.read("one").values == {"API_KEY": "secret123", "QUOTED": "0123", "BLOCK": "a\nb"}
    filed.set("one", {"MORE": "m"})
    assert filed.read("one").keys == ["API_KEY", "BLOCK", "MORE", "QUOTED"]


def test_an_empty_file_has_none(filed: SecretStore, folder: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / "one.yaml").touch(0o600)
    (folder / "one.yaml").write_text("\n")
    assert filed.read("one") == ComponentSecrets()


BROKEN = [
    (f"A: {VALUE}\nB: [{VALUE}]\n", 2),
    (f"A: {VALUE}\nPORT: 8080\n", 2),
    (f"A: {VALUE}\nA: {VALUE}\n", 2),
    (f"A: {VALUE}\n\nB: !{VALUE} x\n", 3),
    (f"A: &{VALUE} x\n", 1),
    (f"A: '{VALUE}\n", 2),
    (f"{VALUE}\n", 1),
    (f"- {VALUE}\n", 1),
    (f'A: x\n"{VALUE} = /": x\n', 2),
    (f"A: x\n---\nB: {VALUE}\n", 2),
    (f"A: x\n\xff{VALUE}\n", 2),
    ("A: b\n" + "#" * MAX_BYTES, 0),
]


@pytest.mark.parametrize(("text", "line"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_file_is_refused_without_quoting_it(
    filed: SecretStore, folder: Path, text: str, line: int
) -> None:
    folder.mkdir(mode=0o700)
    path = folder / "one.yaml"
    path.touch(0o600)
    path.write_bytes(text.encode("latin-1"))
    for use in (
        lambda: filed.read("one"),
        lambda: filed.set("one", {"NEW": "x"}),
        lambda: filed.delete("one", ["A"]),
    ):
        with pytest.raises(SecretError) as error:
            use()
        shown = str(error.value)
        assert shown.startswith(f"{path}:{line}: not a line KEY" if line else f"{path} has more")
        assert VALUE not in "".join(traceback.format_exception(error.value))
    assert path.read_bytes() == text.encode("latin-1")


@pytest.mark.parametrize("text", ["", "[]", '{"keys": [1]}', '{"keys": ["A=B"]}', "[" * 100_000])
def test_a_broken_index_is_refused(filed: SecretStore, folder: Path, text: str) -> None:
    folder.mkdir(mode=0o700)
    path = folder / "one.json"
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(SecretError, match=r"one\.json does not list"):
        filed.read("one")


# ---- names and values ----------------------------------------------------------------------------

NOT_KEYS = [
    "", "A=B", "A\nB", "A\0B", "../../x", "A B", "1A", "-A", "*", "\u00c4", "A" * 129, "A\u202e",
    "A:",
]  # fmt: skip


@pytest.mark.parametrize("key", NOT_KEYS, ids=range(len(NOT_KEYS)))
def test_what_is_no_name(filed: SecretStore, folder: Path, key: str) -> None:
    with pytest.raises(SecretError, match="the name of a secret") as error:
        filed.set("one", {"FINE": "x", key: VALUE})
    assert VALUE not in str(error.value)
    assert not folder.exists()


NOT_IDS = ["", "../../x", "a/b", "a\\b", ".lock", "..", "A", "a\0", "a\nb", "con", "a" * 129, "a."]


@pytest.mark.parametrize("component_id", NOT_IDS, ids=range(len(NOT_IDS)))
def test_what_is_no_id(filed: SecretStore, home: Path, component_id: str) -> None:
    """Attack: leave the directory by the id."""
    for use in (
        lambda: filed.read(component_id),
        lambda: filed.set(component_id, {"A": VALUE}),
        lambda: filed.delete(component_id, ["A"]),
    ):
        with pytest.raises(InvalidComponentId):
            use()
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("x" * (MAX_VALUE + 1), "too long"),
        (f"{VALUE}\0", "NUL"),
        (f"{VALUE}\ud800", "not valid text"),
    ],
)
def test_what_is_no_value(filed: SecretStore, folder: Path, value: str, why: str) -> None:
    with pytest.raises(SecretError, match=f"the value of KEY .*{why}") as error:
        filed.set("one", {"KEY": value})
    assert VALUE not in str(error.value)
    assert not folder.exists()


def test_more_than_fits_into_a_file_is_refused(filed: SecretStore) -> None:
    filed.set("one", {f"K{number}": "x" * MAX_VALUE for number in range(3)})
    with pytest.raises(SecretError, match="256 KiB"):
        filed.set("one", {"K4": "x" * MAX_VALUE})
    assert filed.read("one").keys == ["K0", "K1", "K2"]


def test_ids_that_look_alike_are_others(filed: SecretStore, folder: Path) -> None:
    """Attack: an id that comes to the same file name. Wassette made `a__b` and `a_b` one."""
    ids = ["a", "a_b", "a__b", "a-b", "a.b", "a.yaml", "a.json", "ab", "a_", "b"]
    for component_id in ids:
        filed.set(component_id, {"ID": component_id})
    for component_id in ids:
        assert filed.read(component_id).values == {"ID": component_id}


# ---- files that others could read or write -------------------------------------------------------


@pytest.mark.parametrize("bits", [0o644, 0o640, 0o604, 0o620, 0o602, 0o611, 0o4644])
@pytest.mark.parametrize("name", ["one.yaml", "one.json"])
def test_a_file_that_others_may_use_is_refused(
    filed: SecretStore, folder: Path, bits: int, name: str
) -> None:
    filed.set("one", {"A": VALUE})
    path = folder / name
    path.touch()
    path.chmod(bits)
    for _ in range(2):
        with pytest.raises(SecretError, match=f"chmod 600 {path}") as error:
            filed.read("one")
        assert f"mode {bits:04o}" in str(error.value)
        with pytest.raises(SecretError, match="open to other users"):
            filed.set("one", {"B": VALUE})
    path.chmod(0o600)
    if name == "one.yaml":
        assert filed.read("one").values == {"A": VALUE}


def test_a_mode_that_is_widened_later_is_noticed(filed: SecretStore, folder: Path) -> None:
    filed.set("one", {"A": VALUE})
    time.sleep(0.15)  # so that its stamp counts
    assert filed.read("one").values == {"A": VALUE}
    assert filed.read("one").values == {"A": VALUE}
    (folder / "one.yaml").chmod(0o644)
    with pytest.raises(SecretError, match="open to other users"):
        filed.read("one")


@pytest.mark.parametrize("bits", [0o770, 0o777, 0o702])
def test_a_directory_that_others_may_write_to_is_refused(
    filed: SecretStore, folder: Path, bits: int
) -> None:
    """Attack: give one component the file of another, by renaming it."""
    filed.set("one", {"A": VALUE})
    folder.chmod(bits)
    for use in (
        lambda: filed.read("one"),
        lambda: filed.set("two", {"A": "x"}),
        lambda: filed.delete("one", ["A"]),
    ):
        with pytest.raises(SecretError, match=f"chmod 700 {folder}"):
            use()
    assert mode(folder) == bits  # it may be somebody's for other things, too
    folder.chmod(0o700)
    assert filed.read("one").values == {"A": VALUE}


@root_only
def test_a_file_of_somebody_else_is_refused(filed: SecretStore, folder: Path) -> None:
    filed.set("one", {"A": VALUE})
    os.chown(folder / "one.yaml", 12345, -1)
    with pytest.raises(SecretError, match="belongs to another user"):
        filed.read("one")
    os.chown(folder / "one.yaml", 0, -1)
    os.chown(folder, 12345, -1)
    with pytest.raises(SecretError, match="belongs to another user"):
        filed.read("one")
    with pytest.raises(SecretError, match="belongs to another user"):
        filed.set("one", {"A": "x"})


def test_a_link_in_place_of_the_file_is_refused(
    filed: SecretStore, folder: Path, home: Path
) -> None:
    """Attack: a link to a file that a component may write, or to one of another component."""
    filed.set("two", {"A": VALUE})
    (folder / "one.yaml").symlink_to(folder / "two.yaml")
    with pytest.raises(SecretError, match="is a link"):
        filed.read("one")
    (folder / "three.yaml").symlink_to(home / "nowhere")
    with pytest.raises(SecretError, match="is a link"):
        filed.set("three", {"A": VALUE})
    assert not (home / "nowhere").exists()


def test_a_pipe_in_place_of_the_file_blocks_nobody(filed: SecretStore, folder: Path) -> None:
    folder.mkdir(mode=0o700)
    os.mkfifo(folder / "one.yaml", 0o600)
    with pytest.raises(SecretError, match="not a regular file"):
        filed.read("one")


# ---- the keyring ---------------------------------------------------------------------------------


def test_in_the_keyring_only_names_are_in_files(
    in_ring: SecretStore, folder: Path, home: Path
) -> None:
    kept = in_ring.set("one", {"A": VALUE, "B": "x"})
    assert (kept.place, kept.note) == (Place.KEYRING, None)
    assert ring.entries(home) == {"wassette:one A": VALUE, "wassette:one B": "x"}
    assert in_ring.read("one").values == {"A": VALUE, "B": "x"}
    assert set(in_ring.read("one").places.values()) == {Place.KEYRING}
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "one.json"]
    assert mode(folder / "one.json") == 0o600
    assert VALUE not in (folder / "one.json").read_text()
    assert in_ring.delete("one", ["A", "NOPE"]) == ["A"]
    assert ring.entries(home) == {"wassette:one B": "x"}
    assert in_ring.delete("one", ["B"]) == ["B"]
    assert ring.entries(home) == {}
    assert [path.name for path in folder.iterdir()] == [".lock"]


def test_the_keyring_is_asked_once_for_each_change(
    in_ring: SecretStore, folder: Path, home: Path
) -> None:
    in_ring.set("one", {"A": VALUE})
    reader = SecretStore(folder)
    assert reader.peek("one") is None
    reader.read("one")
    before = ring.asked(home)
    for _ in range(20):
        assert reader.read("one").values == {"A": VALUE}
        assert reader.peek("one") is not None
    assert ring.asked(home) == before
    SecretStore(folder).set("one", {"A": "the same key, another value"})
    assert reader.peek("one") is None
    assert reader.read("one").values == {"A": "the same key, another value"}


def test_changes_within_a_tick_of_the_clock_are_seen(filed: SecretStore, folder: Path) -> None:
    writer = SecretStore(folder, Place.FILE)
    for number in range(50):
        writer.set("one", {"A": f"{number:02}"})
        assert filed.read("one").values == {"A": f"{number:02}"}


@pytest.mark.parametrize(
    ("how", "why"), [("locked", "it is locked; unlock it"), ("tells", "ValueError")]
)
def test_a_keyring_that_fails(
    in_ring: SecretStore, folder: Path, home: Path, how: str, why: str
) -> None:
    """Attack: have an error quote the value."""
    in_ring.set("one", {"A": VALUE, "B": VALUE})
    ring.fails(home, how)
    reader = SecretStore(folder)
    found = reader.read("one")
    assert found.values == {}
    assert set(found.unread) == {"A", "B"}
    for shown in found.unread.values():
        assert "test ring" in shown
        assert why in shown
        assert VALUE not in shown
    assert len(ring.asked(home)) == 5  # setting two (and looking), and one try for both
    for use in (
        lambda: reader.set("one", {"C": VALUE}),
        lambda: reader.delete("one", ["A"]),
    ):
        with pytest.raises(SecretError) as error:
            use()
        assert VALUE not in str(error.value)
        assert error.value.__cause__ is None
        assert error.value.__suppress_context__
    assert reader.read("one").keys == ["A", "B"]


def test_a_keyring_is_asked_again_after_a_while(
    in_ring: SecretStore, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "RETRY", 0.0)
    in_ring.set("one", {"A": VALUE})
    ring.fails(home, "locked")
    reader = SecretStore(folder)
    assert reader.read("one").values == {}
    assert reader.peek("one") is not None
    assert reader.peek("one", retry=True) is None
    ring.fails(home, "")
    assert reader.read("one").values == {"A": VALUE}


def test_a_value_that_the_keyring_does_not_take(in_ring: SecretStore, home: Path) -> None:
    value = "x" * (ring.MAX + 1)
    with pytest.raises(SecretError, match=r"does not take BIG \(1281 characters\)") as error:
        in_ring.set("one", {"A": VALUE, "BIG": value, "C": VALUE})
    assert "WASSETTE_SECRETS=file" in str(error.value)
    assert value not in str(error.value)
    # What was taken before is known, and nothing of it is lost.
    assert in_ring.read("one").values == {"A": VALUE}


def test_a_keyring_that_forgets_is_noticed(in_ring: SecretStore, home: Path) -> None:
    ring.fails(home, "forgets")
    with pytest.raises(SecretError, match="does not keep A"):
        in_ring.set("one", {"A": VALUE})
    assert in_ring.read("one") == ComponentSecrets()


def test_what_was_deleted_in_the_keyring_itself(in_ring: SecretStore, home: Path) -> None:
    in_ring.set("one", {"A": VALUE, "B": "b"})
    assert in_ring.read("one").values == {"A": VALUE, "B": "b"}
    (home / "ring.json").write_text('{"wassette:one B": "b"}')
    assert in_ring.read("one").values == {"A": VALUE, "B": "b"}  # until something changes
    in_ring.set("one", {"B": "c"})
    found = in_ring.read("one")
    assert found.values == {"B": "c"}
    assert found.unread == {"A": "the keyring no longer has it; set it again"}
    assert in_ring.delete("one", ["A"]) == ["A"]
    assert in_ring.read("one").keys == ["B"]


# ---- which of them -------------------------------------------------------------------------------

NO_RINGS = [
    "keyring.backends.fail.Keyring",
    "keyring.backends.null.Keyring",
    "support.ring.PlaintextKeyring",
    "no.such.Module",
]


@pytest.mark.parametrize("backend", NO_RINGS)
def test_without_a_keyring_files_are_used(
    in_ring: SecretStore,
    folder: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    backend: str,
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", backend)
    kept = in_ring.set("one", {"A": VALUE})
    assert kept.place is Place.FILE
    assert str(folder / "one.yaml") in (kept.note or "")
    assert "not encrypted" in (kept.note or "")
    assert ring.asked(home) == []
    assert in_ring.read("one").values == {"A": VALUE}
    with pytest.raises(SecretError, match=r"are to be kept in the keyring, but .*WASSETTE_SECRETS"):
        SecretStore(folder, Place.KEYRING).set("one", {"B": VALUE})


def test_a_keyring_that_comes_later_is_used(
    in_ring: SecretStore, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", NO_RINGS[0])
    assert in_ring.set("one", {"A": VALUE}).place is Place.FILE
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", ring.BACKEND)
    assert in_ring.set("one", {"B": "b"}).place is Place.KEYRING
    found = in_ring.read("one")
    assert found.values == {"A": VALUE, "B": "b"}
    assert found.places == {"A": Place.FILE, "B": Place.KEYRING}


def test_setting_again_moves_a_secret(in_ring: SecretStore, folder: Path, home: Path) -> None:
    in_file = SecretStore(folder, Place.FILE)
    in_file.set("one", {"A": "in the file", "B": "b"})
    in_ring.set("one", {"A": "in the keyring"})
    assert in_ring.read("one").values == {"A": "in the keyring", "B": "b"}
    assert "in the file" not in (folder / "one.yaml").read_text()
    kept = in_file.set("one", {"A": "in the file again"})
    assert kept.note == "the keyring still has the old A"
    assert in_file.read("one").values == {"A": "in the file again", "B": "b"}
    assert not (folder / "one.json").exists()


def test_the_file_setting_leaves_the_keyring_alone(
    in_ring: SecretStore, folder: Path, home: Path
) -> None:
    in_ring.set("one", {"A": VALUE})
    before = ring.asked(home)
    found = SecretStore(folder, Place.FILE).read("one")
    assert found.values == {}
    assert "secrets = file" in found.unread["A"]
    assert ring.asked(home) == before


def test_no_representation_has_a_value(filed: SecretStore) -> None:
    filed.set("one", {"A": VALUE})
    assert VALUE not in repr(filed.read("one"))


def test_the_keyring_library_is_not_loaded_without_need(home: Path) -> None:
    """It takes longer than everything else."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from wassette.host import Host\n"
        "from wassette.secrets import Place, SecretStore\n"
        "store = SecretStore(Path(sys.argv[1]), Place.FILE)\n"
        "store.set('one', {'A': 'b'})\n"
        "assert SecretStore(Path(sys.argv[1])).read('one').values == {'A': 'b'}\n"
        "assert not {'keyring', 'wasmtime'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code, str(home / "s")], check=True, timeout=60)


# ---- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "text", "expected"),
    [
        ({}, "", ("auto", None)),
        ({}, "secrets = 'keyring'", ("keyring", None)),
        ({"WASSETTE_SECRETS": "file"}, "secrets = 'keyring'", ("file", None)),
        ({}, "secrets_dir = '/s/x/../dir'", ("auto", "/s/dir")),
        ({"WASSETTE_SECRETS_DIR": "/env"}, "secrets_dir = '/dir'", ("auto", "/env")),
    ],
)
def test_settings(
    home: Path, variables: dict[str, str], text: str, expected: tuple[str, str | None]
) -> None:
    file = home / "config" / "wassette" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    found = config.load(environ=variables)
    assert (found.secrets, found.secrets_dir and str(found.secrets_dir)) == expected


@pytest.mark.parametrize(
    ("variables", "text", "where"),
    [
        ({"WASSETTE_SECRETS": VALUE}, "", "WASSETTE_SECRETS should be one of auto, keyring, file"),
        ({}, f"secrets = '{VALUE}'", "secrets in "),
        ({}, f"[secrets]\nTOKEN = '{VALUE}'", "secrets in "),
        ({}, "secrets_dir = ''", "secrets_dir in "),
    ],
)
def test_wrong_settings(home: Path, variables: dict[str, str], text: str, where: str) -> None:
    file = home / "config" / "wassette" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        config.load(environ=variables)
    assert str(error.value).startswith(where)
    assert VALUE not in str(error.value)
