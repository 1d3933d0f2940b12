"""Approval requests for tests, and waiting for what approvals do in the background."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from wassette.approvals.compose import compose
from wassette.approvals.model import (
    BundledRules,
    Client,
    Component,
    EnvironmentAccess,
    LoadAsked,
    MemoryRule,
    NetworkAccess,
    PermissionAsked,
    ResetAsked,
    StorageAccess,
    UnloadAsked,
    What,
)
from wassette.policy import Access, EnvironmentRule, NetworkRule, Policy, StorageRule
from wassette.policy.network import NetworkTarget
from wassette.policy.requested import Requested

if TYPE_CHECKING:
    from collections.abc import Callable

    from wassette.approvals.broker import Approvals
    from wassette.approvals.model import ApprovalRequest, Subject

WEATHER = Component("weather", "ab" * 32)
NOTES = Component("notes", "cd" * 32)


def target(url: str = "https://api.example.com/v1", method: str = "GET") -> NetworkTarget:
    return NetworkTarget.parse(url, method)


def network(url: str = "https://api.example.com/v1", method: str = "GET") -> NetworkAccess:
    return NetworkAccess(target(url, method))


def file(path: str = "/home/me/notes/a.md", access: Access = Access.READ) -> StorageAccess:
    return StorageAccess(path, access, What.FILE)


RULES = (NetworkRule("api.example.com", methods=("GET",)), NetworkRule(cidr="10.1.0.0/24"))
EVERY_SUBJECT: list[Subject] = [
    network(),
    NetworkAccess(target("https://wiki.corp"), "10.0.0.5"),
    file(),
    EnvironmentAccess("API_KEY"),
    PermissionAsked(StorageRule("fs:///home/me/notes/**", frozenset(Access))),
    PermissionAsked(NetworkRule("api.example.com")),
    PermissionAsked(EnvironmentRule("API_KEY")),
    PermissionAsked(MemoryRule("1Gi")),
    PermissionAsked(BundledRules(Requested.of(Policy("1.0", network_allow=RULES)).text)),
    LoadAsked("file:///tmp/x.wasm", "ef" * 32),
    UnloadAsked(),
    ResetAsked(),
]


def client(session: str = "session-1", name: str = "Editor") -> Client:
    return Client(name, "2.1", "stdio", session)


def asked(
    subject: Subject | None = None,
    *,
    component: Component | None = WEATHER,
    session: str = "session-1",
    call: str = "call-1",
    tool: str = "fetch",
    arguments: Any = None,
    **options: Any,
) -> ApprovalRequest:
    subject = network() if subject is None else subject
    if isinstance(subject, LoadAsked):
        component = None
    return compose(
        subject,
        component,
        client(session),
        call=call,
        tool=tool,
        arguments={"city": "Bonn"} if arguments is None else arguments,
        **options,
    )


async def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    """Wait until it is so; fail if it takes as long as a hang would."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.005)


async def shown(approvals: Approvals, count: int = 1) -> list[ApprovalRequest]:
    """What is asked of a person, once there are that many questions."""
    await until(lambda: len(approvals.pending()) == count)
    return approvals.pending()
