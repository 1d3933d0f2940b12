"""Both ways of starting workers: forked off a fork server, and as fresh interpreters."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from support import wat
from support.processes import descendants, environment_of, eventually, open_files
from wassette.errors import CallTimeout, InvalidComponent
from wassette.host import Host, parts
from wassette.workers.launcher import ForkLauncher, SpawnLauncher, child_environment, ended_how

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wassette.config import Settings
    from wassette.workers.launcher import Launcher

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("launcher", [ForkLauncher, SpawnLauncher])
async def test_loads_calls_stops_and_leaves_nothing(
    settings: Settings,
    tmp_path: Path,
    launcher: Callable[[], Launcher],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parts, "default_launcher", launcher)
    before = len(descendants())
    async with Host(settings) as host:
        await host.load(str(wat.write(tmp_path, "calc")))
        assert (await host.call_tool("add", {"a": 20, "b": 22})).value == 42
        policy = host.policies.path("calc")
        policy.write_text(
            'version: "1.0"\npermissions:\n  resources:\n    limits:\n      timeout: 300ms\n'
        )
        async with asyncio.timeout(60):
            assert isinstance((await host.call_tool("spin", {})).error, CallTimeout)
        for worker in descendants():
            assert "HOME" not in environment_of(worker)
        (tmp_path / "bad.wasm").write_bytes(b"\0asm")
        with pytest.raises(InvalidComponent):
            await host.load(str(tmp_path / "bad.wasm"))
    assert eventually(lambda: len(descendants()) <= before), descendants()


async def test_given_up_at_the_very_moment_it_started() -> None:
    """The worker is there, and whoever asked for it is told of their own end first."""

    class Launched(ForkLauncher):
        def _started(self, pid: int) -> None:
            super()._started(pid)
            task.cancel()

    launcher, before = Launched(), open_files()
    for _ in range(3):
        task = asyncio.create_task(launcher.start())
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(60):
        while launcher._running:  # until the fork server has told of their end
            await asyncio.sleep(0.01)
    assert open_files() <= before + 3  # the fork server's
    await launcher.close()


def test_the_environment_of_workers_holds_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "s3cret")
    assert "GITHUB_TOKEN" in os.environ
    assert "GITHUB_TOKEN" not in child_environment()
    assert "s3cret" not in str(child_environment())


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "ended by itself with status 0"),
        (3, "ended by itself with status 3"),
        (-9, "was ended by SIGKILL"),
        (-6, "was ended by SIGABRT"),
        (-63, "was ended by signal 63"),
    ],
)
def test_exit_codes_in_words(code: int, words: str) -> None:
    assert ended_how(code) == words
