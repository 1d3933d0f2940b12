"""Secrets in a running host: real components, several processes, keyrings that take their time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import ring
from support.cli import Cli
from wassette.host import Host
from wassette.policy import Injection
from wassette.secrets import Place, SecretStore, reader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wassette.config import Settings

pytestmark = pytest.mark.anyio

Component = Callable[[str], Path]
TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
HANG = 60.0


@pytest.fixture
def cli(home: Path) -> Cli:
    """Another process of the same person."""
    return Cli(home, {"WASSETTE_SECRETS": "file"})


@pytest.fixture
def with_ring(home: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    variables = ring.environment(home)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


async def env(host: Host, component_id: str = "c-probe") -> dict[str, str]:
    """What the component sees."""
    async with asyncio.timeout(HANG):
        result = await host.call_tool("all-env", {})
    assert not result.is_error
    return dict(result.value)


def in_files(settings: Settings, environment: dict[str, str] | None = None) -> Settings:
    return replace(settings, secrets="file", environment=environment or {})


async def test_a_component_sees_what_its_policy_allows(
    settings: Settings, fixture_component: Component
) -> None:
    variables = {"BOTH": "environment", "ENV": "environment"}
    async with Host(in_files(settings, variables)) as host:
        await host.load(str(fixture_component("c-probe")))
        await host.set_secrets("c-probe", {"BOTH": "secret", "OTHER": "secret"})
        assert await env(host) == {}
        await host.grant_environment("c-probe", "BOTH")
        await host.grant_environment("c-probe", "ENV")
        assert await env(host) == {"BOTH": "secret", "ENV": "environment"}
        assert await host.delete_secrets("c-probe", ["BOTH"]) == ["BOTH"]
        assert await env(host) == {"BOTH": "environment", "ENV": "environment"}


async def test_a_bound_secret_is_a_placeholder_in_the_component(
    settings: Settings, fixture_component: Component
) -> None:
    async with Host(in_files(settings)) as host:
        await host.load(str(fixture_component("c-probe")))
        await host.set_secrets("c-probe", {"TOKEN": TOKEN})
        await host.bind_environment("c-probe", Injection.checked("TOKEN", ["api.github.com"]))
        (seen,) = (await env(host)).values()
        assert seen != TOKEN
        assert len(seen) == len(TOKEN)
        assert seen.startswith("ghp_")
        result = await host.call_tool("get-env", {"name": "TOKEN"})
        assert result.value == seen
        grants = await host.current_grants("c-probe")
        ((placeholder, value),) = [(one.placeholder, one.value) for one in grants.secrets]
        assert (placeholder, value) == (seen, TOKEN)
        # It is the same in the next call, so that the worker can be kept.
        assert (await env(host)) == {"TOKEN": seen}


async def test_configuration_has_the_placeholder_too(
    settings: Settings, fixture_component: Component
) -> None:
    """What is offered as wasi:config is made from the same variables."""
    async with Host(in_files(settings)) as host:
        await host.load(str(fixture_component("c-config-rc")))
        await host.set_secrets("c-config-rc", {"TOKEN": TOKEN})
        await host.bind_environment("c-config-rc", Injection.checked("TOKEN", ["api.github.com"]))
        result = await host.call_tool("all-config", {})
        assert not result.is_error
        ((key, seen),) = result.value
        assert key == "TOKEN"
        assert seen == host.grants("c-config-rc").secrets[0].placeholder != TOKEN


async def test_the_next_call_sees_what_another_process_set(
    settings: Settings, fixture_component: Component, cli: Cli
) -> None:
    async with Host(in_files(settings)) as host:
        await host.load(str(fixture_component("c-probe")))
        await host.grant_environment("c-probe", "TOKEN")
        assert await env(host) == {}
        for value in ("first", "second"):
            await asyncio.to_thread(cli.ok, "secret", "set", "c-probe", f"TOKEN={value}")
            assert await env(host) == {"TOKEN": value}
        await asyncio.to_thread(cli.ok, "secret", "delete", "c-probe", "TOKEN")
        assert await env(host) == {}
        await asyncio.to_thread(cli.ok, "secret", "set", "c-probe", f"TOKEN={TOKEN}")
        words = ("permission", "grant", "environment-variable", "c-probe", "TOKEN")
        await asyncio.to_thread(cli, *words, "--inject-host", "api.github.com")
        (one,) = (await env(host)).values()
        assert one != TOKEN
        await asyncio.to_thread(cli.ok, "secret", "set", "c-probe", f"TOKEN={TOKEN[::-1]}")
        (other,) = (await env(host)).values()
        assert other not in (one, TOKEN, TOKEN[::-1])


async def test_the_keyring_is_not_asked_at_each_call(
    settings: Settings, fixture_component: Component, home: Path, with_ring: Mapping[str, str]
) -> None:
    async with Host(settings) as host:
        await host.load(str(fixture_component("c-probe")))
        kept = await host.set_secrets("c-probe", {"TOKEN": TOKEN, "UNUSED": "x"})
        assert kept.place is Place.KEYRING
        before = ring.asked(home)
        assert await env(host) == {}
        assert ring.asked(home) == before  # nothing is allowed that is a secret
        await host.grant_environment("c-probe", "TOKEN")
        assert await env(host) == {"TOKEN": TOKEN}
        before = ring.asked(home)
        for _ in range(5):
            assert await env(host) == {"TOKEN": TOKEN}
        assert ring.asked(home) == before
        # Another process changes it in the keyring.
        cli = Cli(home, dict(with_ring))
        await asyncio.to_thread(cli.ok, "secret", "set", "c-probe", "TOKEN=changed")
        assert await env(host) == {"TOKEN": "changed"}


async def test_a_keyring_that_waits_for_a_person_holds_up_nobody(
    settings: Settings,
    fixture_component: Component,
    home: Path,
    with_ring: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reader, "PATIENCE", 2.0)
    async with Host(replace(settings, environment={"TOKEN": "of the environment"})) as host:
        await host.load(str(fixture_component("c-probe")))
        await host.load(str(fixture_component("c-config-rc")))
        await host.set_secrets("c-probe", {"TOKEN": TOKEN})
        await host.grant_environment("c-probe", "TOKEN")
        ring.fails(home, "hangs")
        before = len(ring.asked(home))
        waiting = [asyncio.create_task(env(host)) for _ in range(3)]
        while len(ring.asked(home)) == before:
            await asyncio.sleep(0.01)
        # Others go on, and what only looks does not wait either.
        assert not (await host.call_tool("all-config", {})).is_error
        assert "'TOKEN'" in host.policy("c-probe").notes[0]
        assert not any(task.done() for task in waiting)
        # Then it goes on without the secret, and not with another value in its place.
        assert await asyncio.gather(*waiting) == [{}, {}, {}]
        assert len(ring.asked(home)) == before + 1
        given_up = asyncio.create_task(env(host))
        await asyncio.sleep(0.05)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up


def test_a_keyring_that_waits_does_not_keep_the_process_from_ending(
    home: Path, with_ring: Mapping[str, str]
) -> None:
    code = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from wassette.secrets import SecretReader, SecretStore, reader\n"
        "reader.PATIENCE = 0.2\n"
        "store = SecretStore(Path(sys.argv[1]))\n"
        "print(asyncio.run(SecretReader(store).read('one')).unread)\n"
    )
    SecretStore(home / "s").set("one", {"A": TOKEN})
    ring.fails(home, "hangs")
    command = [sys.executable, "-c", code, str(home / "s")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=True)
    assert done.stdout == "{'A': 'the keyring has not given it yet'}\n"


async def test_a_locked_keyring_is_a_note(
    settings: Settings, fixture_component: Component, home: Path, with_ring: Mapping[str, str]
) -> None:
    async with Host(replace(settings, environment={"TOKEN": "of the environment"})) as host:
        await host.load(str(fixture_component("c-probe")))
        await host.set_secrets("c-probe", {"TOKEN": TOKEN})
        await host.grant_environment("c-probe", "TOKEN")
        ring.fails(home, "locked")
        assert await env(host) == {}
        (note,) = host.policy("c-probe").notes
        assert note.startswith("environment 'TOKEN' is not applied: it is in the keyring:")
        assert "it is locked; unlock it" in note


async def test_grants_are_equal_while_secrets_are_the_same(
    settings: Settings, fixture_component: Component, home: Path
) -> None:
    """So that a worker, which is for one set of grants, can be kept."""
    async with Host(in_files(settings)) as host:
        await host.load(str(fixture_component("c-probe")))
        await host.set_secrets("c-probe", {"TOKEN": TOKEN})
        await host.bind_environment("c-probe", Injection.checked("TOKEN", ["api.github.com"]))
        first = await host.current_grants("c-probe")
        (home / "config" / "wassette" / "secrets" / "c-probe.yaml").touch()
        host._parts.permissions.forget()
        again = await host.current_grants("c-probe")
        assert again is not first
        assert again == first


# ---- several writers -----------------------------------------------------------------------------

WRITERS = 5
EDITS = 8
WRITER = """
import sys
from pathlib import Path
from wassette.secrets import Place, SecretStore

store, name = SecretStore(Path(sys.argv[1]), Place(sys.argv[4])), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    store.set("shared", {f"{name}_{number}": f"value of {name} {number}"})
    if number % 3 == 0:
        assert store.delete("shared", [f"{name}_{number}"]) == [f"{name}_{number}"]
"""


@pytest.mark.parametrize("place", [Place.FILE, Place.KEYRING])
def test_writers_in_several_processes_lose_nothing(
    home: Path, with_ring: Mapping[str, str], place: Place
) -> None:
    store = SecretStore(home / "s", place)
    command = [sys.executable, "-c", WRITER, str(home / "s")]
    writers = [
        subprocess.Popen(
            [*command, f"w{number}", str(EDITS), place.value],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(WRITERS)
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        while any(writer.poll() is None for writer in writers):
            for key, value in store.read("shared").values.items():
                name, _, number = key.partition("_")
                assert value == f"value of {name} {number}"
            time.sleep(0.001)
        assert [writer.returncode for writer in writers] == [0] * WRITERS
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    expected = {
        f"w{writer}_{number}": f"value of w{writer} {number}"
        for writer in range(WRITERS)
        for number in range(EDITS)
        if number % 3
    }
    assert SecretStore(home / "s", place).read("shared").values == expected
    left = {path.name for path in (home / "s").iterdir()} - {".lock"}
    assert left == ({"shared.yaml"} if place is Place.FILE else {"shared.json"})
    if place is Place.KEYRING:
        assert len(ring.entries(home)) == len(expected)
