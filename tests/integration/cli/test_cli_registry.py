"""The commands about registries, as people run them."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from support import registries
from support.cli import Cli, Done, component
from support.registries import PASSWORD, USER, needs_registry, put
from support.terminal import Terminal
from wassette.registry import artifact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.registries import Registry

pytestmark = needs_registry

ONE, TWO = component("add"), component("add", "echo")


@dataclass
class Run:
    """Commands in this process, which is quicker; where they read stdin, in one of their own."""

    cli: Cli
    inside: Callable[..., Done]

    def __call__(self, *arguments: str | Path, stdin: bytes | None = None) -> Done:
        if stdin is not None:
            return self.cli(*arguments, stdin=stdin)
        return self.inside(*arguments)

    def ok(self, *arguments: str | Path) -> Any:
        done = self(*arguments)
        assert done.code == 0, done
        return done.json


@pytest.fixture
def run(cli: Cli, inside: Callable[..., Done]) -> Run:
    return Run(cli, inside)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registries.registry(tmp_path_factory.mktemp("plain")) as running:
        yield running


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registries.with_password(tmp_path_factory.mktemp("closed")) as running:
        yield running


def test_push_and_load(run: Run, plain: Registry, tmp_path: Path) -> None:
    file = tmp_path / "tool.wasm"
    file.write_bytes(ONE)
    policy = tmp_path / "policy.yaml"
    policy.write_text('version: "1.0"\npermissions: {}\n')
    said = "org.opencontainers.image.source=https://x.com"
    pushed = run.ok(
        "component", "push", file, plain.oci("cli/tool:1.0"), "--policy", policy,
        "--annotation", said,
    )  # fmt: skip
    assert pushed["status"] == "component pushed successfully"
    assert pushed["reference"] == plain.oci("cli/tool:1.0")
    loaded = run.ok("component", "load", f"{plain.oci('cli/tool')}@{pushed['manifest']}")
    assert loaded == {
        "status": "component loaded successfully",
        "id": "cli_tool",
        "tools": ["add"],
    }
    assert run.ok("inspect", "cli_tool", "-o", "json")["digest"] == pushed["digest"]
    # And on from here, under another name; what it may do here is no part of it.
    run.ok("permission", "grant", "network", "cli_tool", "secret.example.com")
    again = run.ok("component", "push", "cli_tool", plain.oci("cli/copy:1"))
    assert again["digest"] == pushed["digest"]
    assert run.ok("component", "load", plain.oci("cli/copy:1"))["id"] == "cli_copy"
    assert run.ok("policy", "get", "cli_copy")["status"] == "no policy found"


def test_what_is_not_pushed(run: Run, plain: Registry, tmp_path: Path) -> None:
    core, file = tmp_path / "core.wasm", tmp_path / "tool.wasm"
    core.write_bytes(b"\0asm\1\0\0\0")
    file.write_bytes(ONE)
    wrong = tmp_path / "policy.yaml"
    wrong.write_text("permissions: [1]\n")
    there = plain.oci("cli/none:1")
    for arguments, says in (
        ((core, there), "core.wasm"),
        ((file, f"{there}@sha256:{'0' * 64}"), "not a place to push to"),
        ((file, "https://x.com/t.wasm"), "not a place to push to"),
        ((file, there, "--policy", wrong), "policy.yaml:1"),
        ((file, there, "--annotation", "x"), "KEY=VALUE"),
        ((tmp_path / "missing.wasm", there), "does not exist"),
    ):
        done = run("component", "push", *arguments)
        assert (done.code, done.out) == (1, "")
        assert says in done.err
    assert run("component", "load", there).code == 1


def test_login(run: Run, closed: Registry, tmp_path: Path) -> None:
    file = tmp_path / "tool.wasm"
    file.write_bytes(ONE)
    push = ("component", "push", file, closed.oci("cli/tool:1"))
    refused = run(*push)
    assert refused.code == 1
    assert f"Log in: wassette registry login {closed.place}" in refused.err
    login = ("registry", "login", closed.place, "-u", USER, "--password-stdin")
    wrong = run(*login, stdin=b"wrong\n")
    assert wrong.code == 1
    assert f"{closed.place}: it refuses the credentials" in wrong.err
    assert "wrong" not in wrong.err
    done = run(*login, stdin=PASSWORD.encode() + b"\n")
    assert done.json == {"status": "login succeeded", "registry": closed.place, "username": USER}
    assert "only you can read" in done.err  # there is no keyring here
    for folder, _, names in os.walk(run.cli.home):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as opened:
                if PASSWORD.encode() in opened.read():
                    assert os.stat(path).st_mode & 0o077 == 0
    run.ok(*push)
    assert run.ok("registry", "logout", closed.place)["status"] == "logout succeeded"
    assert run(*push).code == 1
    again = run("registry", "logout", closed.place)
    assert (again.code, again.err) == (1, f"Error: There is no login for {closed.place}\n")
    nobody = run("registry", "login", closed.place, "-u", USER, stdin=b"")
    assert "There is no terminal to ask for it: use --password-stdin" in nobody.err
    assert run("registry", "login", "https://x.com", "-u", USER).code == 1


def test_login_at_a_terminal(cli: Cli, closed: Registry) -> None:
    terminal = Terminal(cli.command("registry", "login", closed.place), cli.environment())
    terminal.until("User name for")
    terminal.type(f"{USER}\n")
    terminal.until("Password for")
    terminal.type(f"{PASSWORD}\n")
    terminal.until("login succeeded")
    assert terminal.end() == 0
    assert PASSWORD not in terminal.text


def test_progress_at_a_terminal(cli: Cli, plain: Registry) -> None:
    put(plain, "cli/slow", "1", (artifact.WASM, ONE))
    with registries.front(plain.port) as front:

        def slowly(seen: registries.Seen, reply: registries.Reply, handler: object) -> object:
            if "/blobs/" in seen.path:
                time.sleep(1.2)
            return reply

        front.tamper = slowly  # type: ignore[assignment]
        terminal = Terminal(
            cli.command("component", "load", front.oci("cli/slow:1")), cli.environment()
        )
        terminal.until("\rdownloading")
        terminal.until("loaded successfully")
        assert terminal.end() == 0


def test_outdated_and_update(run: Run, plain: Registry, tmp_path: Path) -> None:
    put(plain, "cli/moves", "1.0", (artifact.WASM, ONE))
    put(plain, "cli/moves", "1.1", (artifact.WASM, TWO))
    pinned = put(plain, "cli/pinned", "1", (artifact.WASM, ONE))
    run.ok("component", "load", plain.oci("cli/moves:1.0"))
    run.ok("component", "load", plain.oci(f"cli/pinned@{pinned}"))
    file = tmp_path / "local.wasm"
    file.write_bytes(ONE)
    run.ok("component", "load", file)

    def states() -> dict[str, str]:
        return {one["id"]: one["state"] for one in run.ok("component", "outdated")["components"]}

    assert states() == {"cli_moves": "current", "cli_pinned": "pinned", "local": "local"}
    [moves, *_] = run.ok("component", "outdated", "cli_moves")["components"]
    assert moves["newer_tags"] == ["1.1"]
    assert run.ok("component", "update") == {"components": [], "updated": 0}

    put(plain, "cli/moves", "1.0", (artifact.WASM, TWO))  # somebody moves the tag
    assert states()["cli_moves"] == "outdated"
    table = run("component", "outdated", "cli_moves", "-o", "table").out
    assert "→" in table
    run.ok("permission", "grant", "network", "cli_moves", "api.example.com")
    done = run("component", "update")
    assert done.code == 0
    assert done.json["updated"] == 1
    assert "new tool “echo”" in done.err
    assert "has no permissions now" in done.err  # nobody has seen it
    assert done.json["components"][0]["state"] == "updated"
    assert states()["cli_moves"] == "current"
    assert run("tool", "invoke", "echo", "--args", '{"text": "hi"}').code == 0


def test_update_asks_at_a_terminal(cli: Cli, run: Run, plain: Registry) -> None:
    put(plain, "cli/asks", "1", (artifact.WASM, ONE))
    loaded = run.ok("component", "load", plain.oci("cli/asks:1"))
    run.ok("permission", "grant", "network", "cli_asks", "api.example.com")
    put(plain, "cli/asks", "1", (artifact.WASM, TWO))
    for answer, tools in (("n", loaded["tools"]), ("y", ["add", "echo"])):
        terminal = Terminal(cli.command("component", "update"), cli.environment())
        terminal.until("Update cli_asks?")
        assert "new tool" in terminal.text
        terminal.type(f"{answer}\n")
        assert terminal.end() == 0
        assert ("declined" in terminal.text) == (answer == "n")
        [state] = run.ok("component", "list")["components"]
        assert [one["name"] for one in state["schema"]["tools"]] == tools
    assert "not_applied" not in run.ok("policy", "get", "cli_asks")


def test_search_and_get(run: Run, plain: Registry, tmp_path: Path) -> None:
    digest = put(plain, "cli/listed", "1", (artifact.WASM, ONE))
    wrong = {"name": "Wrong", "description": "Other bytes", "digest": f"sha256:{'0' * 64}"}
    catalog = tmp_path / "catalog.json"
    catalog.write_text(
        json.dumps(
            [
                {"name": "Adder", "description": "Adds", "uri": plain.oci(f"cli/listed@{digest}")},
                {**wrong, "uri": plain.oci("cli/listed:1")},
            ]
        )
    )
    run.cli.config.parent.mkdir(parents=True)
    run.cli.config.write_text(f'catalogs = ["{catalog}", "{tmp_path / "missing.json"}"]\n')
    done = run("registry", "search", "adder")
    assert done.json["status"] == "success"
    assert done.json["count"] == 1
    assert done.json["components"][0]["name"] == "Adder"
    assert done.json["components"][0]["catalog"] == str(catalog)
    assert "missing.json cannot be read" in done.err
    everything = run("registry", "search").json["components"]
    assert {"toolbox", "Time Server", "Adder"} <= {one["name"] for one in everything}
    assert run("registry", "get", "adder").json["id"] == "cli_listed"
    refused = run("registry", "get", "Wrong")
    assert refused.code == 1
    assert "0000 was asked for. It was not loaded." in refused.err
    missing = run("registry", "get", "nothing")
    assert missing.code == 1
    assert (
        "Error: Component 'nothing' not found in registry. "
        "Use 'wassette registry search' to list available components." in missing.err
    )
