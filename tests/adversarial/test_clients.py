"""Attacks by way of the settings of clients: by a project that was cloned, by another program, by
what is in the files."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.registering import clients_in, installed
from wassette.clients import Standing, check
from wassette.errors import ClientError

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 60


@pytest.mark.parametrize("link", [".mcp.json", "folder"])
def test_project_whose_settings_lead_out_of_it(link: str, tmp_path: Path) -> None:
    """A repository has a link where its settings belong, to a file of the user's."""
    project = tmp_path / "project"
    project.mkdir()
    victim = tmp_path / "victim" / "mcp.json"
    victim.parent.mkdir()
    victim.write_text("{}")
    client = "claude-code"
    if link == "folder":
        (project / ".cursor").symlink_to(victim.parent)
        client = "cursor"
    else:
        (project / link).symlink_to(victim)
    clients = clients_in(tmp_path, project=project)
    with pytest.raises(ClientError, match="leads out of the project"):
        clients.add(client)
    assert victim.read_text() == "{}"
    victim.unlink()
    with pytest.raises(ClientError, match="leads out of the project"):
        clients.add(client)
    assert not victim.exists()


def test_link_in_the_project_that_changes_after_the_preview(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "inside.json").write_text("{}")
    victim = tmp_path / "victim.json"
    victim.write_text("{}")
    (project / ".mcp.json").symlink_to("inside.json")
    clients = clients_in(tmp_path, project=project)
    plan = clients.plan_add("claude-code")
    (project / ".mcp.json").unlink()
    (project / ".mcp.json").symlink_to(victim)
    with pytest.raises(ClientError):
        clients.write(plan)
    assert victim.read_text() == "{}"


def test_package_of_our_name_in_the_project(tmp_path: Path) -> None:
    """Clients start servers in the project's directory; what is there must not be imported."""
    (tmp_path / "wassette").mkdir()
    (tmp_path / "wassette" / "__init__.py").write_text("print('attacked')")
    (tmp_path / "wassette" / "__main__.py").write_text("print('attacked')")
    from wassette.clients.launcher import Python, find_launcher

    own = find_launcher(python=Python(scripts=tmp_path / "none", prefix=tmp_path))
    assert own.arguments
    done = subprocess.run(
        [own.command, *own.arguments, "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("wassette ")


def test_entry_that_only_looks_like_ours_is_not_run(tmp_path: Path) -> None:
    """Looking at clients starts nothing that is written in their settings."""
    trap = tmp_path / "bin" / "wassette"
    trap.parent.mkdir()
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/attacked\n")
    trap.chmod(0o755)
    clients = clients_in(tmp_path)
    installed(
        clients,
        "cursor",
        f'{{"mcpServers": {{"wassette": {{"command": "{trap}", "args": ["serve"]}}}}}}'.encode(),
    )
    assert clients.state("cursor").standing is Standing.ANOTHER
    assert [one.kind for one in check(clients)] == ["another"]
    assert not (tmp_path / "attacked").exists()


def test_settings_that_are_a_pipe_do_not_hang(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor")
    os.mkfifo(file)
    with pytest.raises(ClientError, match="not a regular file"):
        clients.add("cursor")
    assert clients.state("cursor").problem is not None


@pytest.mark.parametrize("what", ["/dev/zero", "/dev/null", "/proc/self/mem"])
def test_settings_that_are_a_device(what: str, tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    installed(clients, "cursor").symlink_to(what)
    with pytest.raises(ClientError):
        clients.add("cursor")


def test_settings_that_are_a_directory(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    installed(clients, "cursor").mkdir()
    with pytest.raises(ClientError, match=r"mcp\.json cannot be read|not a regular file"):
        clients.add("cursor")


def test_links_in_a_circle(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor")
    file.symlink_to(file.with_name("b"))
    file.with_name("b").symlink_to(file)
    with pytest.raises(ClientError, match="in a circle"):
        clients.add("cursor")
    assert file.is_symlink()


def test_settings_of_many_gigabytes(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor", b"{}")
    os.truncate(file, 1 << 36)
    with pytest.raises(ClientError, match="more than 16 MiB"):
        clients.add("cursor")


def test_second_name_of_a_file_is_not_torn_off(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    file = installed(clients, "cursor", b"{}")
    os.link(file, tmp_path / "second")
    with pytest.raises(ClientError, match="hard link"):
        clients.add("cursor")
    assert file.samefile(tmp_path / "second")


BOMBS = {
    "cursor": b'{"mcpServers": ' + b'{"a":' * 5000,
    "codex": b"a = " + b"[" * 5000,
    "goose": b"a: &a [x, x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (i, i, b", ".join([b"*%c" % (i - 1)] * 9)) for i in b"bcdefghi"),
    "continue": b"mcpServers: " + b"[" * 5000,
}


@pytest.mark.parametrize("client_id", BOMBS)
def test_settings_that_blow_up(client_id: str, tmp_path: Path) -> None:
    """Nested deeper than a parser's stack, or aliases of aliases: refused, at once."""
    file = installed(clients_in(tmp_path), client_id, BOMBS[client_id])
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from support.registering import clients_in\n"
        "from wassette.errors import ClientError\n"
        "try: clients_in(Path(sys.argv[1])).add(sys.argv[3])\n"
        "except ClientError as error: print('refused:', error)"
    )
    tests = str(__file__).partition("/adversarial/")[0]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), tests, client_id],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout.startswith("refused:"), done.stderr
    assert file.read_bytes() == BOMBS[client_id]


def test_text_that_deceives_is_shown_as_what_it_is(tmp_path: Path) -> None:
    """In the difference, and in what an entry of somebody else's runs."""
    clients = clients_in(tmp_path)
    data = '{\n  "a": "\u202egnp.exe\x7f\u200b",\n  "mcpServers": {}\n}\n'.encode()
    file = installed(clients, "cursor", data)
    shown = clients.plan_add("cursor").diff
    assert "\\u{202e}gnp.exe\\u{7f}\\u{200b}" in shown
    assert not set(shown) & set("\u202e\u200b\x7f")
    file.write_text('{"mcpServers": {"wassette": {"command": "\u202ex", "args": ["\\u001b[2J"]}}}')
    with pytest.raises(ClientError) as refusal:
        clients.add("cursor")
    assert r"\u{202e}x \u{1b}[2J" in str(refusal.value)


def test_one_line_of_a_megabyte_does_not_flood_the_terminal(tmp_path: Path) -> None:
    clients = clients_in(tmp_path)
    installed(clients, "cursor", b'{"token": "' + b"x" * 1_000_000 + b'", "mcpServers": {}}')
    shown = clients.plan_add("cursor").diff
    assert len(shown) < 2000
    assert "wassette" in shown


def test_tokens_of_others_are_kept_from_other_users(tmp_path: Path) -> None:
    """Backups and the journal have what was in the files."""
    clients = clients_in(tmp_path)
    installed(clients, "cursor", b'{"mcpServers": {"x": {"env": {"TOKEN": "s3cr3t"}}}}')
    before = os.umask(0)
    try:
        clients.add("cursor")
    finally:
        os.umask(before)
    holding = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert any(b"s3cr3t" in path.read_bytes() for path in holding)
    assert all(path.stat().st_mode & 0o077 == 0 for path in holding)
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0
