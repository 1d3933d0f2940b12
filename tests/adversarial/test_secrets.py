"""Attacks on secrets: by components, by agents, by other users, by looking. Each has a name."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from support import ring
from support.cli import Cli
from support.processes import descendants
from wassette.host import Host
from wassette.policy import Injection
from wassette.toolset import BUILTIN_NAMES

if TYPE_CHECKING:
    from wassette.config import Settings

pytestmark = pytest.mark.anyio

Component = Callable[[str], Path]
TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
PLAIN = "plain-value-that-was-granted"
HANG = 60.0


@pytest.fixture
def kept(home: Path) -> Path:
    return home / "config" / "wassette" / "secrets"


@pytest.fixture
async def probe(settings: Settings, fixture_component: Component) -> Any:
    """A host with `c-probe`, to which a token is bound."""
    async with Host(replace(settings, secrets="file")) as host:
        await host.load(str(fixture_component("c-probe")))
        await host.set_secrets("c-probe", {"TOKEN": TOKEN, "UNUSED": PLAIN})
        await host.bind_environment("c-probe", Injection.checked("TOKEN", ["api.github.com"]))
        yield host


async def call(host: Host, tool: str, **arguments: object) -> Any:
    async with asyncio.timeout(HANG):
        return await host.call_tool(tool, arguments)


# ---- the component -------------------------------------------------------------------------------


async def test_reading_the_files_of_secrets(probe: Host, home: Path, kept: Path) -> None:
    """Attack: have everything granted, and read the files."""
    for granted in (home, Path("/")):
        await probe.grant_storage("c-probe", f"fs://{granted}", ["read", "write"])
        for path in (kept / "c-probe.yaml", kept / ".." / "secrets" / "c-probe.yaml", kept):
            assert (await call(probe, "read-file", path=str(path))).is_error, path
            assert (await call(probe, "list-dir", path=str(path))).is_error, path
        wrote = await call(probe, "write-file", path=str(kept / "c-probe.yaml"), text="TOKEN: x")
        assert wrote.is_error
    with pytest.raises(Exception, match="Wassette's own files"):
        await probe.grant_storage("c-probe", f"fs://{kept}", ["read"])


async def test_reading_them_in_a_directory_that_was_configured(
    settings: Settings, fixture_component: Component, tmp_path: Path
) -> None:
    folder = tmp_path / "somewhere" / "else"
    async with Host(replace(settings, secrets="file", secrets_dir=folder)) as host:
        await host.load(str(fixture_component("c-probe")))
        await host.set_secrets("c-probe", {"TOKEN": TOKEN})
        await host.grant_storage("c-probe", f"fs://{tmp_path}", ["read", "write"])
        (tmp_path / "somewhere" / "fine.txt").write_text("fine")
        fine = await call(host, "read-file", path=f"{tmp_path}/somewhere/fine.txt")
        assert fine.value == {"ok": "fine"}
        assert (await call(host, "read-file", path=f"{folder}/c-probe.yaml")).is_error
        assert (await call(host, "list-dir", path=str(folder))).is_error


async def test_searching_the_memory_of_the_worker(probe: Host) -> None:
    """Attack: a hole in wasmtime, by which a component reads all of its process."""
    placeholder = (await call(probe, "get-env", name="TOKEN")).value
    found_placeholder = False
    looked = 0
    for process in descendants():
        try:
            memory = b"".join(_memory(process.pid))
        except PermissionError:
            pytest.skip("the memory of other processes cannot be read here")
        looked += len(memory)
        assert TOKEN.encode() not in memory
        assert TOKEN[4:].encode() not in memory
        assert PLAIN.encode() not in memory
        found_placeholder |= placeholder.encode() in memory
    assert looked > 1_000_000
    assert found_placeholder  # so the search finds what is there


def _memory(pid: int) -> Any:
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if match is None:
                continue
            start, end = (int(one, 16) for one in match.groups())
            if end - start > 1 << 30:
                continue  # reserved address space, which holds nothing
            try:
                memory.seek(start)
                yield memory.read(end - start)
            except OSError:
                continue


async def test_another_component_of_the_same_key(
    probe: Host, settings: Settings, fixture_component: Component, tmp_path: Path
) -> None:
    """Attack: ask for a variable of the same name, under an id that looks the same."""
    names = ["c-probe-", "c-probe.", "c_probe", "c-probe.yaml", "c-prob", "c--probe"]
    source = fixture_component("c-probe").read_bytes()
    for number, name in enumerate(names):
        (tmp_path / str(number)).mkdir()
        path = tmp_path / str(number) / f"{name}.wasm"
        path.write_bytes(source)
        loaded = await probe.load(str(path))
        component_id = loaded.record.id
        if component_id == "c-probe":  # the file's name without its last dot
            continue
        await probe.grant_environment(component_id, "TOKEN")
        await probe.grant_environment(component_id, "UNUSED")
        tool = next(one for one in loaded.tools if one.endswith("all-env"))
        assert (await call(probe, tool)).value == []


async def test_a_component_of_other_bytes_under_the_id(
    probe: Host, tmp_path: Path, fixture_component: Component
) -> None:
    """Not an attack that fails: the id is what has secrets, as docs/secrets.md says. Replacing a
    component keeps them, unloading it takes the permission, and so the secret, away."""
    path = tmp_path / "c-probe.wasm"
    path.write_bytes(fixture_component("c-probe").read_bytes() + b"\0\x05\x04note")
    loaded = await probe.load(str(path))
    assert loaded.changed_from is not None
    assert (await call(probe, "all-env")).value == []  # until a person has seen that
    await probe.mark_seen("c-probe")
    placeholder = (await call(probe, "get-env", name="TOKEN")).value
    assert len(placeholder) == len(TOKEN)
    assert placeholder != TOKEN
    await probe.unload("c-probe")
    await probe.load(str(path))
    assert (await call(probe, "all-env")).value == []
    assert (await probe.secrets("c-probe")).keys == ["TOKEN", "UNUSED"]


async def test_showing_it_by_a_second_rule(probe: Host) -> None:
    """Attack: a policy that also allows the variable without binding it."""
    path = probe.policies.path("c-probe")
    text = path.read_text()
    for added in ('      - key: "TOKEN"\n', "      - {key: TOKEN, inject: null}\n"):
        path.write_text(text + added)
        assert len(probe.grants("c-probe").secrets) == 1
        assert TOKEN not in (await call(probe, "get-env", name="TOKEN")).value


# ---- the agent -----------------------------------------------------------------------------------


def served(cli: Cli, *options: str, calls: list[tuple[str, dict[str, Any]]]) -> tuple[str, str]:
    """What a server that is asked all of this writes: (stdout, stderr)."""
    messages: list[dict[str, Any]] = [
        {
            "id": 0,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "agent", "version": "1"},
            },
        },
        {"method": "notifications/initialized"},
        {"id": 1, "method": "tools/list"},
    ]
    messages += [
        {"id": number, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
        for number, (name, arguments) in enumerate(calls, 2)
    ]
    process = subprocess.Popen(
        cli.command("serve", "--stdio", *options),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=cli.environment({"WASSETTE_LOG": "debug"}),
        text=True,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        lines = []
        for message in messages:
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            process.stdin.flush()
            while "id" in message:
                line = process.stdout.readline()
                assert line
                lines.append(line)
                if json.loads(line).get("id") == message["id"]:
                    break
        _, err = process.communicate(timeout=HANG)
        return "".join(lines), err
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("options", [[], ["--allow-agent-grants"]])
def test_asking_every_tool(home: Path, fixture_component: Component, options: list[str]) -> None:
    """Attack: an agent that calls all there is, in whatever way it is told to."""
    cli = Cli(home, {"WASSETTE_SECRETS": "file"})
    cli.ok("component", "load", fixture_component("c-probe"))
    cli.ok("secret", "set", "c-probe", f"TOKEN={TOKEN}", f"UNUSED={PLAIN}", "SHORT=sh0rt-val")
    for key in ("TOKEN", "SHORT"):
        words = ("permission", "grant", "environment-variable", "c-probe", key)
        assert cli(*words, "--inject-host", "api.github.com").code == 0
    details = {"key": "TOKEN"}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("list-components", {}),
        ("get-policy", {"component_id": "c-probe"}),
        ("get-policy", {"component_id": "../config/wassette/secrets/c-probe"}),
        ("get-env", {"name": "TOKEN"}),
        ("all-env", {}),
        ("grant-environment-variable-permission", {"component_id": "c-probe", "details": details}),
        ("get-env", {"name": "TOKEN"}),
        ("revoke-environment-variable-permission", {"component_id": "c-probe", "details": details}),
        ("grant-environment-variable-permission", {"component_id": "c-probe", "details": details}),
        ("get-env", {"name": "TOKEN"}),
        ("grant-storage-permission", {
            "component_id": "c-probe",
            "details": {"uri": f"fs://{home}/config/wassette/secrets", "access": ["read"]},
        }),
        ("read-file", {"path": f"{home}/config/wassette/secrets/c-probe.yaml"}),
        ("load-component", {"path": f"file://{home}/config/wassette/secrets/c-probe.yaml"}),
        ("secret-list", {"component_id": "c-probe"}),
        ("search-components", {"query": TOKEN[:10]}),
        ("trap", {}),
        ("get-policy", {"component_id": "c-probe"}),
    ]  # fmt: skip
    out, err = served(cli, *options, calls=calls)
    for value in (TOKEN, TOKEN[4:], PLAIN, "sh0rt-val"):
        assert value not in out
        assert value not in err
    assert "api.github.com" in out  # the rule itself is shown
    assert "its value has fewer than 12 bytes" in out
    assert not any("secret" in name for name in BUILTIN_NAMES)
    if options:
        assert "TOKEN is a secret of c-probe, which only a person can give it" in out


# ---- looking -------------------------------------------------------------------------------------


async def test_looking_at_processes(probe: Host) -> None:
    """Attack: `ps e`, while a call runs: arguments and environments of all that was started."""
    calls = asyncio.create_task(call(probe, "sleep", seconds=30.0))
    seen = 0
    try:
        async with asyncio.timeout(HANG):
            while seen < 2:
                seen = 0
                for process in descendants():
                    try:
                        shown = [*process.cmdline(), *process.environ().values()]
                    except (psutil.NoSuchProcess, psutil.AccessDenied):
                        continue
                    seen += 1
                    assert not any(TOKEN in text or PLAIN in text for text in shown)
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
    finally:
        calls.cancel()
        await asyncio.gather(calls, return_exceptions=True)


def test_looking_at_logs_and_tracebacks(home: Path, fixture_component: Component) -> None:
    """Attack: a keyring whose errors quote what it was given, with everything logged."""
    variables = {**ring.environment(home), "WASSETTE_LOG": "debug"}
    cli = Cli(home, variables)
    cli("component", "load", fixture_component("c-probe"))
    assert cli("secret", "set", "c-probe", f"TOKEN={TOKEN}").code == 0
    outputs = [
        cli("permission", "grant", "environment-variable", "c-probe", "TOKEN"),
        cli("policy", "get", "c-probe"),
        cli("policy", "explain", "c-probe", "environment", "TOKEN"),
        cli("secret", "list", "c-probe"),
    ]
    ring.fails(home, "tells")
    outputs += [
        cli("secret", "set", "c-probe", f"OTHER={PLAIN}"),
        cli("secret", "delete", "c-probe", "TOKEN"),
        cli("secret", "list", "c-probe", "--show-values", "--yes"),
        cli("policy", "get", "c-probe"),
        cli("tool", "invoke", "get-env", "--args", '{"name": "TOKEN"}'),
    ]
    for done in outputs:
        for text in (done.out, done.err):
            assert TOKEN not in text
            assert PLAIN not in text
    assert [done.code for done in outputs] == [0, 0, 0, 0, 1, 1, 0, 0, 0]


async def test_looking_at_what_the_host_holds(probe: Host) -> None:
    """Attack: something logs the host's objects."""
    await call(probe, "add", a=1, b=2)
    grants = probe.grants("c-probe")
    view = probe.policy("c-probe")
    held = [grants, view, probe.settings, await probe.secrets("c-probe"), vars(probe._parts.pool)]
    for one in held:
        assert TOKEN not in repr(one)
        assert PLAIN not in repr(one)
    assert TOKEN in {secret.value for secret in grants.secrets}


# ---- other users of the machine ------------------------------------------------------------------


@pytest.mark.parametrize(
    "attack", ["readable", "writable", "open directory", "link", "pipe", "folder", "not YAML"]
)
async def test_tampering_with_the_files(probe: Host, kept: Path, home: Path, attack: str) -> None:
    """Each leaves the component without the variable, the host running, and says why."""
    path = kept / "c-probe.yaml"
    match attack:
        case "readable":
            path.chmod(0o644)
        case "writable":
            path.chmod(0o620)
        case "open directory":
            kept.chmod(0o777)
        case "link":
            other = home / "planted.yaml"
            path.rename(other)
            path.symlink_to(other)
        case "pipe":
            path.unlink()
            os.mkfifo(path, 0o600)
        case "folder":
            path.unlink()
            path.mkdir(mode=0o700)
        case "not YAML":
            path.write_text(f"TOKEN: [{TOKEN}\n")
    assert (await call(probe, "all-env")).value == []
    assert probe.grants("c-probe").secrets == ()
    (note,) = probe.policy("c-probe").notes
    assert note.startswith("environment 'TOKEN' is not applied: ")
    assert str(kept) in note
    assert TOKEN not in note
    with pytest.raises(Exception, match=re.escape(str(kept))):
        await probe.secrets("c-probe")


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_a_umask_that_lets_others_read(home: Path, kept: Path) -> None:
    """Attack: files that are open until their mode is set."""
    script = "import os, sys; os.umask(0); os.execv(sys.argv[1], sys.argv[1:])"
    cli = Cli(home, {"WASSETTE_SECRETS": "file"})
    command = [sys.executable, "-c", script, *cli.command("secret", "set", "x", f"A={TOKEN}")]
    subprocess.run(command, env=cli.environment(), check=True, capture_output=True, timeout=HANG)
    assert kept.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in kept.iterdir()} == {0o600}
