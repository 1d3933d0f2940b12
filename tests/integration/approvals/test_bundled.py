"""Permissions that come with a component: asked for, decided by a person, never just there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import TYPE_CHECKING

import pytest

from support import wat
from support.cli import Cli, component
from support.terminal import Terminal
from wassette.answers import Client
from wassette.asking import Caller
from wassette.errors import NotEnforceable
from wassette.host import Host
from wassette.policy import NetworkRule
from wassette.recording import Call

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.approvals.model import ApprovalRequest
    from wassette.config import Settings

pytestmark = pytest.mark.anyio

HEAD = 'version: "1.0"\npermissions:\n'
ONE_HOST = f"{HEAD}  network:\n    allow:\n      - host: api.example.com\n"
posix = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals")


def put(folder: Path, policy: str, name: str = "policy.yaml") -> Path:
    path = wat.write(folder, "tool")
    (folder / name).write_text(policy)
    return path


def caller(record_id: str = "tool") -> Caller:
    client = Client("Editor", "1", "stdio", "session")
    return Caller(client, Call("load-component", record_id, "ab" * 32, client), {})


async def pending(host: Host) -> ApprovalRequest:
    approvals = await host.asking.approvals()
    async with asyncio.timeout(30):
        while not approvals.pending():
            await asyncio.sleep(0.02)
    [request] = approvals.pending()
    return request


async def test_it_is_a_question_that_any_process_can_answer(
    settings: Settings, home: Path, tmp_path: Path
) -> None:
    path = put(tmp_path / "theirs", ONE_HOST)
    async with Host(settings) as host:
        loaded = await host.load(str(path))
        assert loaded.wanted == ("network api.example.com",)
        assert host.policies.read("tool").policy is None
        asked = asyncio.create_task(host.ask_for_wanted("tool", caller()))
        request = await pending(host)
        lines = request.text.split("\n")
        assert lines[0] == "Give component tool the permissions that it came with?"
        assert "  Asks for: “network api.example.com”" in lines
        assert [scope.value for scope in request.scopes] == ["always"]
        assert host.policies.read("tool").policy is None
        cli = Cli(home)
        done = await asyncio.to_thread(cli, "approvals", "allow", request.id, "--yes")
        assert done.code == 0, done.err
        assert (await asked).allowed
        policy = host.policies.read("tool").policy
        assert policy is not None
        assert policy.network_allow == (NetworkRule("api.example.com"),)
        assert host.wanted("tool") is None
        assert (await host.load(str(path))).wanted == ()


async def test_a_component_that_changed_has_nothing_of_it(
    settings: Settings, home: Path, tmp_path: Path
) -> None:
    """What a person was shown was about other bytes."""
    path = put(tmp_path / "theirs", ONE_HOST)
    async with Host(settings) as host:
        await host.load(str(path))
        asked = asyncio.create_task(host.ask_for_wanted("tool", caller()))
        request = await pending(host)
        wat.write(tmp_path / "theirs", "tool", wat.one_function("other"))
        await host.load(str(path))
        assert not (await asked).allowed
        done = await asyncio.to_thread(Cli(home), "approvals", "allow", request.id, "--yes")
        assert done.code == 1
        assert host.policies.read("tool").policy is None


async def test_what_is_too_wide_is_left_out_and_said(settings: Settings, tmp_path: Path) -> None:
    wide = (
        f"{ONE_HOST}      - host: '*'\n      - host: '*.com'\n"
        "  storage:\n    allow:\n      - {uri: 'fs:///**', access: [read, write]}\n"
    )
    async with Host(settings) as host:
        await host.load(str(put(tmp_path / "theirs", wide)))
        asked = asyncio.create_task(host.ask_for_wanted("tool", caller()))
        request = await pending(host)
        assert request.text.count("Asks for: ") == 1
        for line in ("network *”", "network *.com”", "storage read,write fs:///**”"):
            assert f"it asks for more, which is too wide to be given here: {line}" in request.text
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)


@pytest.mark.parametrize(
    "policy",
    [
        f"{HEAD}  network:\n    allow:\n      - host: '*'\n",
        HEAD
        + "  environment:\n    allow:\n"
        + "".join(f"      - key: '{'K' * 1100}{number}'\n" for number in range(2)),
    ],
)
async def test_what_nobody_could_be_shown_or_should_give_is_not_asked(
    settings: Settings, tmp_path: Path, policy: str
) -> None:
    async with Host(settings) as host:
        await host.load(str(put(tmp_path / "theirs", policy)))
        answer = await host.ask_for_wanted("tool", caller())
        assert not answer.allowed
        assert "too wide" in answer.reason


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("policy.yaml", "version: '1.0'\npermissions: [\n"),
        ("policy.yaml", "x" * 2_000_000),
        ("tool.policy.yaml", f"{HEAD}  storage: {{allow: [{{uri: /etc, access: [read]}}]}}\n"),
    ],
)
async def test_a_policy_that_cannot_be_read_asks_for_nothing(
    settings: Settings, tmp_path: Path, name: str, policy: str
) -> None:
    async with Host(settings) as host:
        loaded = await host.load(str(put(tmp_path / "theirs", policy, name)))
        assert loaded.wanted == ()
        assert "what it asks for is not known" in loaded.remarks[0]


async def test_a_component_in_the_directory_has_its_policy_and_asks_for_none(
    settings: Settings,
) -> None:
    """The file beside it there is a person's own, and no wish."""
    path = put(settings.component_dir, ONE_HOST, "tool.policy.yaml")
    async with Host(settings) as host:
        loaded = await host.load(str(path))
        assert loaded.record.requested == ""


async def test_wassettes_own_files_are_not_to_be_had(settings: Settings, tmp_path: Path) -> None:
    """Not by a person who trusts it all, either."""
    own = f"{HEAD}  storage:\n    allow:\n      - uri: 'fs://{settings.component_dir}/**'\n"
    path = put(tmp_path / "theirs", f"{own}        access: [read, write]\n")
    async with Host(settings) as host:
        loaded = await host.load(str(path))
        with contextlib.suppress(NotEnforceable):
            await host.grant_wanted("tool", loaded.record.digest)
        assert (await host.current_grants("tool")).mounts == ()


def test_for_scripts(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    source = tmp_path / "theirs" / "tool.wasm"
    source.parent.mkdir()
    source.write_bytes(component("add"))
    (source.parent / "policy.yaml").write_text(ONE_HOST)
    done = cli("component", "load", source)
    assert done.code == 0
    assert "“network api.example.com”" in done.err
    assert "--trust-bundled-policy" in done.err
    policy = cli.components / "tool.policy.yaml"
    assert not policy.exists()
    assert cli.ok("inspect", "tool", "-o", "json")["asks_for"] == ["network api.example.com"]
    assert cli.ok("inspect", source, "-o", "json")["asks_for"] == ["network api.example.com"]
    done = cli("component", "load", source, "--trust-bundled-policy")
    assert (done.code, "has the permissions that it came with" in done.err) == (0, True)
    assert "api.example.com" in policy.read_text()


@posix
@pytest.mark.parametrize("typed", ["y\n", "n\n"])
def test_at_a_terminal(tmp_path: Path, typed: str) -> None:
    cli = Cli(tmp_path)
    source = tmp_path / "theirs" / "tool.wasm"
    source.parent.mkdir()
    source.write_bytes(component("add"))
    (source.parent / "policy.yaml").write_text(ONE_HOST)
    terminal = Terminal(cli.command("component", "load", str(source)), cli.environment())
    text = terminal.until("[n] no")
    assert "Give component tool the permissions that it came with?" in text
    assert "Asks for: “network api.example.com”" in text
    assert not (cli.components / "tool.policy.yaml").exists()
    time.sleep(0.1)
    terminal.type(typed)
    assert terminal.end() == 0
    assert (cli.components / "tool.policy.yaml").exists() == (typed == "y\n")
