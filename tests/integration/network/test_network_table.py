"""The table of `support.network_cases`, through real components: what comes back, and records."""

from __future__ import annotations

import asyncio
import json
import shlex
from typing import TYPE_CHECKING

import pytest

from support.network_cases import CASES, Case

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.internet import Internet
    from wassette.answers import CallResult
    from wassette.host import Host

pytestmark = pytest.mark.anyio

HANG = 60.0


def test_the_table_is_large_and_has_no_case_twice() -> None:
    assert len(CASES) >= 100
    assert len({case.id for case in CASES}) == len(CASES)
    assert sum(case.everywhere for case in CASES) >= 50


@pytest.mark.parametrize("fixture", ["c-http", "js-fetch", "py-fetch"])
async def test_network_table(
    connected: Host, internet: Internet, fixture_component: Callable[[str], Path], fixture: str
) -> None:
    await connected.load(str(fixture_component(fixture)))
    [tool] = [
        tool.name for tool in connected.tools().of(fixture) if tool.function.base_name == "request"
    ]
    cases = CASES if fixture == "c-http" else [case for case in CASES if case.everywhere]
    wrong = []
    for case in cases:
        connected.policies.path(fixture).write_text(policy(case))
        internet.seen.clear()
        internet.dialed.clear()
        method, _, url = case.request.partition(" ")
        arguments = {"method": method, "url": url, "headers": [], "body": ""}
        async with asyncio.timeout(HANG):
            result = await connected.call_tool(tool, arguments)
        wrong += [f"{case.id}\n    {text}" for text in differences(case, result, internet, fixture)]
    assert not wrong, "\n".join(wrong)


async def test_the_command_that_is_named_helps(
    connected: Host, fixture_component: Callable[[str], Path]
) -> None:
    """What a refusal tells a person to run gives what was refused: the name first, and then, if it
    leads into a network of this machine, the address."""
    await connected.load(str(fixture_component("c-http")))
    helped = 0
    for case in CASES:
        if case.outcome not in ("HTTP-request-denied", "destination-IP-prohibited"):
            continue
        connected.policies.path("c-http").write_text(policy(case))
        method, _, url = case.request.partition(" ")
        arguments = {"method": method, "url": url, "headers": [], "body": ""}
        for _ in range(3):
            result = await connected.call_tool("request", arguments)
            if not result.refused:
                break
            [refusal] = result.refused
            if refusal.command is None:
                assert "denied by" in refusal.reason, (case.id, refusal)
                assert "Only a person" not in str(refusal)
                break
            assert refusal.command[:5] == ("wassette", "permission", "grant", "network", "c-http")
            assert shlex.join(refusal.command) in str(refusal)
            await connected.grant_network("c-http", refusal.command[5])
        else:
            pytest.fail(f"{case.id} is still refused: {result.refused}")
        helped += "ok" in result.value
    assert helped > 60


def differences(case: Case, result: CallResult, internet: Internet, fixture: str) -> list[str]:
    """What is not as the case has it."""
    found = []

    def check(true: bool, text: str) -> None:
        if not true:
            found.append(text)

    value = result.value
    check(result.error is None, f"{result.error}")
    got = str(value["ok"]["status"]) if "ok" in value else value["err"]
    if case.outcome == "200":
        check(got == "200", f"not allowed: {got}")
    elif case.outcome == "*":
        check(got != "200", "allowed")
    elif fixture == "c-http":
        check(got.partition(": ")[0] == case.outcome, f"got {got}")
    elif fixture == "py-fetch":
        check(got.lower() == case.outcome.replace("-", "").lower(), f"got {got}")
    else:
        check("error" in got.lower(), f"got {got}")  # fetch says no more
    if got != "200":
        check(not internet.seen, f"a server has seen {internet.seen}")
        check(case.outcome == "DNS-error" or not internet.dialed, f"dialed {internet.dialed}")
    if case.outcome in ("the authority is not valid", "the path is not valid", "*"):
        return found
    if len(result.exchanges) != 1:
        return [*found, f"{len(result.exchanges)} records"]
    [record] = result.exchanges
    check(case.reason in record.reason, f"the record says: {record.reason}")
    allowed = case.outcome in ("200", "DNS-error")
    check(record.allowed == allowed, f"recorded as allowed: {record.allowed}")
    check(bool(result.refusals) == (not allowed), f"said to people: {result.refusals}")
    if case.outcome == "200":
        [seen] = internet.seen
        method, _, url = case.request.partition(" ")
        path = url.partition("://")[2].partition("/")[2]
        sent = case.sent or f"{method} /{path}"
        check(f"{seen.method} {seen.path}" == sent, f"the server has seen {seen}")
        host = record.url.split("/")[2].partition("?")[0]
        check(seen.headers["host"] == host, f"the server has seen {seen}")
        check(record.status == 200, f"recorded status {record.status}")
        if method != "HEAD":
            check(record.received == len(value["ok"]["body"]), f"recorded bytes {record.received}")
            check(json.loads(value["ok"]["body"])["method"] == method, "another method")
    return found


def policy(case: Case) -> str:
    """A policy file with the case's rules."""

    def rules(written: tuple[str, ...]) -> list[dict[str, object]]:
        made: list[dict[str, object]] = []
        for one in written:
            methods, at, rule = one.rpartition("@")
            key, _, network = rule.partition("=")
            entry: dict[str, object] = {"cidr": network} if key == "cidr" else {"host": rule}
            made.append({**entry, "methods": methods.split(",")} if at else entry)
        return made

    network = {"allow": rules(case.allow), "deny": rules(case.deny)}
    network = {key: value for key, value in network.items() if value}
    return json.dumps({"version": "1.0", "permissions": {"network": network}}, ensure_ascii=False)
