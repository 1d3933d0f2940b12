"""The protocol authors' suite against the shipped server, and against its stack with fixtures.

`EXPECTED` has what fails, each with why; it has to be exact, so that it never outlives its reason.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from support import conformance, conformance_fixtures, wat
from support.http import serve_process, served
from wassette.host import Host

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.config import Settings

pytestmark = [
    pytest.mark.anyio,
    # The fixtures exercise what the later era does without.
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]

# Scenarios that need nothing but what any server has: no tool, resource or prompt by name.
GENERIC = {
    "2025-11-25": {
        "server-initialize",
        "logging-set-level",
        "ping",
        "completion-complete",
        "tools-list",
        "resources-list",
        "resources-subscribe",
        "resources-unsubscribe",
        "prompts-list",
        "dns-rebinding-protection",
        "server-sse-multiple-streams",
    },
    "2026-07-28": {
        "completion-complete",
        "tools-list",
        "resources-list",
        "prompts-list",
        "dns-rebinding-protection",
        "server-sse-multiple-streams",
        "sep-2164-resource-not-found",
        "caching",
        "input-required-result-unsupported-methods",
        "input-required-result-ignore-extra-params",
    },
}
EXPECTED: dict[str, dict[str, str]] = {"2025-11-25": {}, "2026-07-28": {}}
# What a revision does not require: whether it passes is only noted, so that a change is seen.
TASKS = "Tasks are an extension that is not offered"
NOT_SCORED: dict[str, dict[str, str]] = {
    "2025-11-25": {},
    "2026-07-28": {
        f"tasks-{name}": TASKS
        for name in (
            "lifecycle",
            "capability-negotiation",
            "wire-fields",
            "request-state-removal",
            "mrtr-input",
            "request-headers",
            "dispatch-and-envelope",
            "required-task-error",
            "mrtr-composition",
        )
    },
}


@pytest.mark.parametrize("revision", conformance.REVISIONS)
async def test_shipped_server(settings: Settings, tmp_path: Path, revision: str) -> None:
    """`wassette serve --http` as it is: what needs no fixture passes."""
    async with Host(settings) as host:
        await host.load(str(wat.write(tmp_path, "calc")))
    async with serve_process(settings) as server:
        report = await asyncio.to_thread(
            conformance.run, f"{server.url}/mcp", revision, tmp_path / "output"
        )
    assert not GENERIC[revision] - report.passed, report.failed


@pytest.mark.parametrize("revision", conformance.REVISIONS)
async def test_same_stack_with_fixtures(settings: Settings, tmp_path: Path, revision: str) -> None:
    """Everything that the revision requires."""
    async with served(settings, prepare=conformance_fixtures.install) as server:
        report = await asyncio.to_thread(
            conformance.run, f"{server.url}/mcp", revision, tmp_path / "output"
        )
    assert report.failed.keys() == EXPECTED[revision].keys(), report.failed
    assert GENERIC[revision] <= report.passed
    failed = {name for name, passed in report.not_scored.items() if not passed}
    assert failed == NOT_SCORED[revision].keys(), failed
