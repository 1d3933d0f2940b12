"""Every route of the window, against a real host with real components."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from support.asking import web
from support.wat import CALC, component, one_function, write
from support.window_api import Page, Windowed, open_page, windowed
from wassette.answers import Client
from wassette.asking import Caller
from wassette.recording import Call
from wassette.web import options as web_options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from wassette.config import Settings

pytestmark = pytest.mark.anyio
CLIENT = Client("claude-code", "2.1", "stdio", "s" * 22)


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[Windowed]:
    async with windowed(settings) as one:
        yield one


@pytest.fixture
def page(world: Windowed) -> Page:
    return world.page


@pytest.fixture
async def calc(page: Page, tmp_path: Path) -> Page:
    """With the component `calc`."""
    load = await page.load(str(write(tmp_path, "calc")))
    assert load["stage"] == "done", load
    return page


async def until(page: Page, path: str, fits: Callable[[Any], Any]) -> Any:
    """What a route answers, once it fits: the record is written a moment later."""
    async with asyncio.timeout(30):
        while True:
            found = await page.ok("GET", path)
            if fits(found):
                return found
            await asyncio.sleep(0.02)


# ---- session and status --------------------------------------------------------------------------


async def test_session_and_status(calc: Page, world: Windowed, settings: Settings) -> None:
    session = await calc.ok("GET", "/api/session")
    assert session["component_dir"] == str(settings.component_dir)
    assert session["platform"] == "linux"
    assert not session["paused"]
    world.host.connect(CLIENT)
    await world.host.call_tool("add", {"a": 1, "b": 2}, CLIENT)
    status = await calc.ok("GET", "/api/status")
    assert (status["components"], status["tools"]) == (1, 3)
    [client] = status["clients"]
    assert (client["name"], client["client_id"]) == ("claude-code", "claude-code")
    assert client["since"] <= client["last_call"] <= client["since"] + 60
    assert status["running_calls"] == []
    assert status["pending"] == 0
    world.host.disconnect(CLIENT)
    assert (await calc.ok("GET", "/api/status"))["clients"] == []


async def test_what_runs_is_in_the_status(calc: Page, world: Windowed) -> None:
    spinning = asyncio.create_task(world.host.call_tool("spin", {}, CLIENT))
    status = await until(calc, "/api/status", lambda found: found["running_calls"])
    [running] = status["running_calls"]
    assert (running["tool"], running["component_id"]) == ("spin", "calc")
    assert not running["waits"]
    [listed] = (await calc.ok("GET", "/api/components"))["items"]
    assert listed["running"] == 1
    spinning.cancel()
    await asyncio.gather(spinning, return_exceptions=True)
    await until(calc, "/api/status", lambda found: not found["running_calls"])


# ---- components ----------------------------------------------------------------------------------


async def test_components(calc: Page, world: Windowed) -> None:
    [listed] = (await calc.ok("GET", "/api/components"))["items"]
    assert (listed["id"], listed["state"], listed["enabled"]) == ("calc", "ready", True)
    assert listed["size"] == len(component(CALC))
    assert [one["name"] for one in listed["tools"]] == ["add", "spin", "trap"]
    assert not any(one["possible"] for one in listed["capabilities"])
    assert listed["last_used"] is None
    detail = await calc.ok("GET", "/api/components/calc")
    assert detail["tools"][0]["input_schema"]["required"] == ["a", "b"]
    assert detail["imports"] == []
    await calc.call("calc", "add", a=1, b=2)
    await until(calc, "/api/components/calc", lambda found: found["last_used"])
    await calc.ok("DELETE", "/api/components/calc")
    assert (await calc.get("/api/components/calc")).status == 404
    assert (await calc.send("DELETE", "/api/components/calc")).status == 404
    assert world.host.store.ids() == []


async def test_lists_are_paged(page: Page, world: Windowed, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        await world.host.load(str(write(tmp_path, name, one_function(name))))
    first = await page.ok("GET", "/api/components?limit=2")
    assert [one["id"] for one in first["items"]] == ["a", "b"]
    rest = await page.ok("GET", f"/api/components?limit=2&cursor={first['next']}")
    assert ([one["id"] for one in rest["items"]], rest["next"]) == (["c"], None)


async def test_a_component_that_cannot_be_used_is_listed_with_the_reason(
    calc: Page, world: Windowed
) -> None:
    world.host.store.path("calc").write_bytes(b"other")
    [listed] = (await calc.ok("GET", "/api/components"))["items"]
    assert listed["state"] == "broken"
    assert "changed on disk" in listed["error"]
    assert (await calc.ok("GET", "/api/components/calc"))["state"] == "broken"


async def test_switching_off_and_pausing(calc: Page, world: Windowed) -> None:
    path = "/api/components/calc/tools/add/call"
    await calc.ok("POST", "/api/components/calc/enabled", {"enabled": False})
    detail = await calc.ok("GET", "/api/components/calc")
    assert (detail["state"], detail["enabled"]) == ("disabled", False)
    assert (await calc.post(path, {"arguments": {"a": 1, "b": 2}})).status >= 400
    await calc.ok("POST", "/api/components/calc/enabled", {"enabled": True})
    assert await calc.ok("POST", "/api/pause", {"paused": True}) == {"paused": True}
    assert (await calc.ok("GET", "/api/status"))["paused"]
    refused = await calc.post(path, {"arguments": {"a": 1, "b": 2}})
    assert refused.status == 409
    assert refused.json["type"].endswith(":paused")
    await calc.ok("POST", "/api/pause", {"paused": False})
    assert (await calc.call("calc", "add", a=1, b=2))["structured"] == {"result": 3}


async def test_permissions_that_nothing_uses(
    calc: Page, world: Windowed, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wassette.usage import UnusedGrant

    await world.host.grant_network("calc", "example.com")
    policy = await calc.ok("GET", "/api/components/calc/policy")
    assert [one["unused_days"] for one in policy["permissions"]] == [None]

    async def unused(_id: str) -> list[UnusedGrant]:  # how it is found out is tested with it
        return [UnusedGrant("network", "example.com", 0, 45)]

    monkeypatch.setattr(world.host, "unused_grants", unused)
    for found in ("/api/components/calc/policy", "/api/components/calc"):
        [permission] = (await calc.ok("GET", found))["permissions"]
        assert permission["unused_days"] == 45


# ---- loading -------------------------------------------------------------------------------------


async def test_a_load_waits_for_a_person(page: Page, world: Windowed, tmp_path: Path) -> None:
    load = await page.load(str(write(tmp_path, "calc")), confirm=False)
    review = load["review"]
    assert (review["id"], review["replaces"], review["asks_for"]) == ("calc", None, [])
    assert len(review["capabilities"]) == 4
    assert world.host.store.ids() == []  # nothing was taken in
    policy = await page.post(f"/api/loads/{load['id']}/confirm", {"trust_policy": True})
    assert policy.status == 422
    done = await page.finish(load["id"])
    assert (done["stage"], done["component_id"]) == ("done", "calc")
    assert (await page.post(f"/api/loads/{load['id']}/confirm", {})).status == 409
    assert [one["id"] for one in (await page.ok("GET", "/api/loads"))["items"]] == [load["id"]]
    await page.ok("DELETE", f"/api/loads/{load['id']}")
    assert (await page.ok("GET", "/api/loads"))["items"] == []


async def test_a_load_can_be_cancelled(page: Page, world: Windowed, tmp_path: Path) -> None:
    load = await page.load(str(write(tmp_path, "calc")), confirm=False)
    await page.ok("DELETE", f"/api/loads/{load['id']}")
    assert (await page.ok("GET", f"/api/loads/{load['id']}"))["stage"] == "cancelled"
    assert list(world.host.store.directory.glob("*incoming*")) == []
    assert world.host.store.ids() == []


async def test_an_upload(page: Page, world: Windowed) -> None:
    data = component(CALC)
    answer = await page.send("POST", "/api/loads/upload?name=My%20Tool.wasm", data)
    assert answer.status == 202
    load = await page.finish(answer.json["id"])
    assert (load["stage"], load["component_id"]) == ("done", "my_tool")
    detail = await page.ok("GET", "/api/components/my_tool")
    assert detail["source"] == "upload:my_tool.wasm"
    from wassette.paths import paths

    assert list((paths().cache / "uploads").iterdir()) == []
    assert (await page.call("my_tool", "add", a=2, b=3))["structured"] == {"result": 5}


async def test_loads_that_fail_say_why(page: Page, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wasm"
    broken.write_bytes(b"\0asm\x0d\0\x01\0garbage")
    load = await page.load(str(broken))
    assert load["stage"] == "failed"
    assert load["error"]["status"] == 422
    assert "broken.wasm" in load["error"]["detail"]
    missing = await page.load(str(tmp_path / "no.wasm"))
    assert "does not exist" in missing["error"]["detail"]


async def test_what_is_different_is_shown_and_then_seen(
    calc: Page, world: Windowed, tmp_path: Path
) -> None:
    await world.host.grant_network("calc", "example.com")
    other = write(tmp_path / "b", "calc", one_function("sum"))
    load = await calc.load(str(other), confirm=False)
    review = load["review"]
    assert review["keeps_permissions"]
    assert review["replaces"] != review["digest"]
    assert any("sum" in one for one in review["changes"])
    done = await calc.finish(load["id"])
    assert done["stage"] == "done"
    # The person has seen it.
    assert (await calc.ok("GET", "/api/components/calc"))["state"] == "ready"


async def test_changes_that_nobody_saw_wait(calc: Page, world: Windowed, tmp_path: Path) -> None:
    await world.host.grant_network("calc", "example.com")
    await world.host.load(str(write(tmp_path / "b", "calc", one_function("sum"))))
    detail = await calc.ok("GET", "/api/components/calc")
    assert detail["state"] == "unseen"
    assert detail["unseen"]
    await calc.ok("POST", "/api/components/calc/seen")
    assert (await calc.ok("GET", "/api/components/calc"))["state"] == "ready"


async def test_what_changed_during_the_review_is_not_taken_in(
    calc: Page, world: Windowed, tmp_path: Path
) -> None:
    load = await calc.load(str(write(tmp_path / "b", "calc", one_function("b"))), confirm=False)
    await world.host.load(str(write(tmp_path / "c", "calc", one_function("c"))))
    done = await calc.finish(load["id"])
    assert done["stage"] == "failed"
    assert done["error"]["status"] == 409
    assert [one.name for one in world.host.tools().of("calc")] == ["c"]


# ---- calling -------------------------------------------------------------------------------------


async def test_calling_a_tool(calc: Page) -> None:
    result = await calc.call("calc", "add", a=40, b=2)
    assert result["structured"] == {"result": 42}
    assert result["content"] == [{"type": "text", "text": "42"}]
    assert not result["is_error"]
    assert result["seconds"] >= 0
    entry = await until(
        calc, "/api/activity?kind=call", lambda found: found["items"] and found["items"][0]
    )
    [entry] = entry["items"]
    assert (entry["client"], entry["call"]) == ("Wassette window", result["call"])
    wrong = await calc.call("calc", "add", a="x", b=2)
    assert wrong["is_error"]
    assert "Invalid arguments" in wrong["content"][0]["text"]
    assert (await calc.call("calc", "trap"))["is_error"]


async def test_tools_are_found_by_their_component(calc: Page) -> None:
    for where in ("calc/tools/nothing", "other/tools/add"):
        answer = await calc.post(f"/api/components/{where}/call", {"arguments": {}})
        assert answer.status == 404


async def test_a_call_can_be_cancelled(calc: Page, world: Windowed) -> None:
    call_id = secrets.token_urlsafe(12)
    path = "/api/components/calc/tools/spin/call"
    running = asyncio.create_task(calc.ok("POST", path, {"call_id": call_id}))
    await until(calc, "/api/status", lambda found: found["running_calls"])
    other = await open_page(world.server)  # another browser's calls are not found
    assert (await other.send("DELETE", f"/api/calls/{call_id}")).status == 404
    await calc.ok("DELETE", f"/api/calls/{call_id}")
    result = await asyncio.wait_for(running, 30)
    assert result["is_error"]
    assert "cancelled" in result["content"][0]["text"]
    assert (await calc.send("DELETE", f"/api/calls/{call_id}")).status == 404


async def test_closing_the_page_ends_its_calls(calc: Page, world: Windowed) -> None:
    from support.http import connection, head

    body = b'{"arguments": {}}'
    asked: dict[str, str | list[str]] = {
        **calc.changing,
        "Host": f"127.0.0.1:{calc.port}",
        "Content-Type": "application/json",
    }
    path = "/api/components/calc/tools/spin/call"
    async with connection(calc.port, head("POST", path, asked, body)):
        await until(calc, "/api/status", lambda found: found["running_calls"])
    await until(calc, "/api/status", lambda found: not found["running_calls"])


# ---- policies ------------------------------------------------------------------------------------


async def test_permissions_in_plain_words_and_as_yaml(calc: Page, tmp_path: Path) -> None:
    path = "/api/components/calc/permissions"
    folder = tmp_path / "notes"
    folder.mkdir()
    grants: list[dict[str, Any]] = [
        {"kind": "storage", "uri": f"fs://{folder}", "access": ["read"]},
        {"kind": "network", "host": "api.example.com", "methods": ["get", "HEAD"]},
        {"kind": "network", "host": "10.0.0.0/8"},
        {"kind": "environment", "key": "PLAIN"},
        {"kind": "environment", "key": "TOKEN", "hosts": ["https://api.example.com"]},
        {"kind": "memory", "limit": "256Mi"},
    ]
    for grant in grants:
        policy = await calc.ok("POST", path, grant)
    words = [one["text"] for one in policy["permissions"]]
    assert words == [
        f"may read {folder} and everything below",
        "may send GET, HEAD requests to api.example.com",
        "may connect to addresses in 10.0.0.0/8",
        "may see the variable PLAIN",
        "may send the secret TOKEN to https://api.example.com, and does not see it",
        "may use up to 256Mi of memory",
    ]
    lines = policy["yaml"].splitlines()
    for one in policy["permissions"][:3]:
        assert one["rule"] in lines[one["line"] - 1]
    explained = await calc.ok(
        "POST",
        "/api/components/calc/explain",
        {"kind": "storage", "target": f"{folder}/a.txt"},
    )
    assert explained["allowed"]
    assert explained["line"] == policy["permissions"][0]["line"]
    refused = await calc.ok(
        "POST", "/api/components/calc/explain", {"kind": "network", "target": "evil.example"}
    )
    assert (refused["allowed"], refused["line"]) == (False, None)
    for kind, rule in (
        ("storage", f"fs://{folder}"),
        ("network", "api.example.com"),
        ("environment", "TOKEN"),
    ):
        await calc.ok("DELETE", path, {"kind": kind, "rule": rule})
        again = await calc.send("DELETE", path, {"kind": kind, "rule": rule})
        assert again.status == 404
    left = await calc.ok("GET", "/api/components/calc/policy")
    assert [one["kind"] for one in left["permissions"]] == ["network", "environment", "memory"]


async def test_editing_a_policy(calc: Page) -> None:
    path = "/api/components/calc/policy"
    empty = await calc.ok("GET", path)
    assert (empty["status"], empty["yaml"], empty["version"]) == ("absent", "", "")
    text = "# mine\nversion: '1.0'\npermissions:\n  network:\n    allow:\n      - host: a.com\n"
    written = await calc.ok("PUT", path, {"yaml": text, "version": ""})
    assert written["yaml"] == text
    # Somebody else was faster: nothing is lost.
    late = await calc.send(
        "PUT", path, {"yaml": "version: '1.0'\npermissions: {}\n", "version": ""}
    )
    assert late.status == 409
    assert late.headers["content-type"] == "application/problem+json"
    wrong = await calc.send(
        "PUT", path, {"yaml": text + "      - hots: b.com\n", "version": written["version"]}
    )
    assert wrong.status == 422
    assert wrong.json["where"]["line"] == 7
    assert (await calc.ok("GET", path))["yaml"] == text


async def test_a_policy_cannot_give_what_cannot_be_enforced(calc: Page, settings: Settings) -> None:
    text = (
        "version: '1.0'\npermissions:\n  storage:\n    allow:\n"
        f"      - uri: 'fs://{settings.component_dir}'\n        access: [write]\n"
    )
    answer = await calc.send("PUT", "/api/components/calc/policy", {"yaml": text, "version": ""})
    assert answer.status == 422
    assert answer.json["where"]["line"] == 5
    assert (await calc.ok("GET", "/api/components/calc/policy"))["status"] == "absent"


async def test_a_broken_policy_is_shown_with_the_place(calc: Page, settings: Settings) -> None:
    text = "version: '1.0'\npermissions:\n  network: [\n"
    (settings.component_dir / "calc.policy.yaml").write_text(text)
    policy = await calc.ok("GET", "/api/components/calc/policy")
    assert policy["status"] == "broken"
    assert policy["yaml"] == text
    assert policy["where"]["line"] in (3, 4)
    corrected = "version: '1.0'\npermissions: {}\n"
    path = "/api/components/calc/policy"
    done = await calc.ok("PUT", path, {"yaml": corrected, "version": policy["version"]})
    assert done["status"] == "loaded"


async def test_named_roots(calc: Page, tmp_path: Path) -> None:
    await calc.ok(
        "POST",
        "/api/components/calc/permissions",
        {"kind": "storage", "uri": "fs://workspace", "access": ["read", "write"]},
    )
    policy = await calc.ok("GET", "/api/components/calc/policy")
    assert policy["roots"] == [{"name": "workspace", "directory": None}]
    bound = await calc.ok(
        "PUT", "/api/components/calc/roots/workspace", {"directory": str(tmp_path)}
    )
    assert bound["roots"] == [{"name": "workspace", "directory": str(tmp_path.resolve())}]
    freed = await calc.ok("PUT", "/api/components/calc/roots/workspace", {"directory": None})
    assert freed["roots"] == [{"name": "workspace", "directory": None}]


async def test_secrets_never_come_back(calc: Page) -> None:
    path = "/api/components/calc/secrets"
    value = "s3cret-value-of-this-test"
    await calc.ok("POST", path, {"key": "API_KEY", "value": value})
    await calc.ok(
        "POST", "/api/components/calc/permissions", {"kind": "environment", "key": "API_KEY"}
    )
    listed = await calc.get(path)
    assert listed.json["items"] == [{"key": "API_KEY", "place": "file", "permitted": True}]
    assert value not in listed.text
    wrong = await calc.post(path, {"key": "", "value": value})
    assert wrong.status == 422
    assert value not in wrong.text
    await calc.ok("DELETE", f"{path}/API_KEY")
    assert (await calc.send("DELETE", f"{path}/API_KEY")).status == 404


# ---- approvals -----------------------------------------------------------------------------------


@pytest.fixture
async def fetching(page: Page, world: Windowed, fixture_component: Callable[[str], Path]) -> Page:
    await world.host.load(str(fixture_component("c-http")))
    return page


def get(url: str) -> dict[str, Any]:
    return {"method": "GET", "url": url, "headers": [], "body": ""}


async def test_a_call_waits_and_is_allowed_in_the_window(fetching: Page, world: Windowed) -> None:
    with web() as site:
        url = f"{site.url}/"
        world.host.connect(CLIENT)
        call = asyncio.create_task(world.host.call_tool("request", get(url), CLIENT))
        [asked] = await fetching.pending()
        assert asked["subject"] == "c-http"
        assert asked["target"]["target"] == f"127.0.0.1:{site.port}"
        assert asked["target"]["request"] == "GET /"
        assert asked["client"] == "claude-code"
        assert asked["scopes"][0] == "once"
        assert (await fetching.ok("GET", "/api/status"))["pending"] == 1
        assert (await fetching.ok("GET", "/api/status"))["running_calls"][0]["waits"]
        path = f"/api/approvals/{asked['id']}"
        assert (await fetching.ok("GET", path))["digest"] == asked["digest"]
        other = "0" * 64
        assert (
            await fetching.post(f"{path}/decision", {"digest": other, "allow": True})
        ).status == 422
        assert site.paths == []
        decided = await fetching.ok(
            "POST", f"{path}/decision", {"digest": asked["digest"], "allow": True}
        )
        assert decided["approval"]["decision"]["by"] == "web"
        assert decided["approval"]["state"] == "allowed"
        result = await asyncio.wait_for(call, 60)
        assert not result.is_error
        assert site.paths == ["/"]
        again = await fetching.post(f"{path}/decision", {"digest": asked["digest"], "allow": True})
        assert again.status == 409
        [ended] = (await fetching.ok("GET", "/api/approvals?state=ended"))["items"]
        assert ended["id"] == asked["id"]


async def test_a_call_from_the_window_is_asked_about_like_any_other(fetching: Page) -> None:
    with web() as site:
        call = asyncio.create_task(
            fetching.ok(
                "POST", "/api/components/c-http/tools/request/call", {"arguments": get(site.url)}
            )
        )
        [asked] = await fetching.pending()
        assert (asked["client"], asked["transport"]) == ("Wassette window", "window")
        await fetching.ok(
            "POST",
            f"/api/approvals/{asked['id']}/decision",
            {"digest": asked["digest"], "allow": False},
        )
        result = await asyncio.wait_for(call, 60)
        assert result["is_error"] or "denied" in json.dumps(result)
        assert result["refused"]
        assert site.paths == []


async def test_always_writes_the_rule_and_can_be_taken_back(
    fetching: Page, world: Windowed
) -> None:
    with web() as site:
        call = asyncio.create_task(world.host.call_tool("request", get(site.url), CLIENT))
        [asked] = await fetching.pending()
        path = f"/api/approvals/{asked['id']}"
        body = {"digest": asked["digest"], "allow": True, "scope": "always", "choice": 0}
        decided = await fetching.ok("POST", f"{path}/decision", body)
        assert decided["approval"]["can_revoke"]
        await asyncio.wait_for(call, 60)
        policy = await fetching.ok("GET", "/api/components/c-http/policy")
        assert [one["rule"] for one in policy["permissions"]] == [
            asked["choices"][0]["rule"].rpartition(" ")[2]
        ]
        gone = await fetching.ok("POST", f"{path}/revoke")
        assert gone["revoked"]
        policy = await fetching.ok("GET", "/api/components/c-http/policy")
        assert policy["permissions"] == []
        assert not (await fetching.ok("POST", f"{path}/revoke"))["revoked"]


async def test_all_that_a_component_came_with_can_be_taken_back(
    page: Page, world: Windowed, tmp_path: Path
) -> None:
    path = write(tmp_path / "theirs", "calc")
    (path.parent / "policy.yaml").write_text(
        'version: "1.0"\npermissions:\n  network:\n    allow:\n      - host: api.example.com\n'
        "  environment:\n    allow:\n      - key: TOKEN\n"
    )
    await world.host.load(str(path))
    caller = Caller(CLIENT, Call("load-component", "calc", "ab" * 32, CLIENT), {})
    asking = asyncio.create_task(world.host.ask_for_wanted("calc", caller))
    [asked] = await page.pending()
    there = f"/api/approvals/{asked['id']}"
    body = {"digest": asked["digest"], "allow": True, "scope": "always"}
    decided = await page.ok("POST", f"{there}/decision", body)
    assert (await asyncio.wait_for(asking, 60)).allowed
    assert len((await page.ok("GET", "/api/components/calc/policy"))["permissions"]) == 2
    assert decided["approval"]["can_revoke"]
    assert (await page.ok("POST", f"{there}/revoke"))["revoked"]
    assert (await page.ok("GET", "/api/components/calc/policy"))["permissions"] == []


async def test_taking_back_never_takes_what_was_changed_since(
    fetching: Page, world: Windowed
) -> None:
    with web() as site:
        call = asyncio.create_task(world.host.call_tool("request", get(site.url), CLIENT))
        [asked] = await fetching.pending()
        path = f"/api/approvals/{asked['id']}"
        body = {"digest": asked["digest"], "allow": True, "scope": "always"}
        await fetching.ok("POST", f"{path}/decision", body)
        await asyncio.wait_for(call, 60)
        await world.host.grant_network("c-http", "example.com")
        assert not (await fetching.ok("POST", f"{path}/revoke"))["revoked"]
        policy = await fetching.ok("GET", "/api/components/c-http/policy")
        assert len(policy["permissions"]) == 2


async def test_an_hour_can_be_taken_back(fetching: Page, world: Windowed) -> None:
    with web() as site:
        call = asyncio.create_task(world.host.call_tool("request", get(site.url), CLIENT))
        [asked] = await fetching.pending()
        path = f"/api/approvals/{asked['id']}"
        body = {"digest": asked["digest"], "allow": True, "scope": "hour"}
        decided = await fetching.ok("POST", f"{path}/decision", body)
        assert decided["approval"]["in_force_until"] > decided["approval"]["created"] + 3000
        await asyncio.wait_for(call, 60)
        await world.host.call_tool("request", get(site.url), CLIENT)
        assert len(site.paths) == 2
        assert (await fetching.ok("POST", f"{path}/revoke"))["revoked"]
        call = asyncio.create_task(world.host.call_tool("request", get(site.url), CLIENT))
        [again] = await fetching.pending()
        assert again["id"] != asked["id"]
        denied = await fetching.ok("POST", "/api/approvals/deny", {"component_id": "c-http"})
        assert denied == {"denied": 1}
        await asyncio.wait_for(call, 60)
        assert len(site.paths) == 2


async def test_decisions_that_do_not_fit(fetching: Page, world: Windowed) -> None:
    call = asyncio.create_task(world.host.call_tool("request", get("http://evil.example/"), CLIENT))
    [asked] = await fetching.pending()
    path = f"/api/approvals/{asked['id']}/decision"
    for more in (
        {"choice": 999},
        {"choice": 0, "rule": "evil.example"},
        {"rule": "other.example"},
        {"scope": "forever"},
        {"by": "cli"},
    ):
        body = {"digest": asked["digest"], "allow": True, **more}
        assert (await fetching.post(path, body)).status == 422, more
    assert (await fetching.pending())[0]["id"] == asked["id"]
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    for missing in ("0" * 20, "f" * 20):
        assert (await fetching.get(f"/api/approvals/{missing}")).status == 404


# ---- activity ------------------------------------------------------------------------------------


async def test_activity(calc: Page) -> None:
    for number in range(5):
        await calc.call("calc", "add", a=number, b=1)
    await until(calc, "/api/activity?kind=call", lambda found: len(found["items"]) == 5)
    first = await calc.ok("GET", "/api/activity?kind=call&limit=2")
    numbers = [one["number"] for one in first["items"]]
    assert numbers == sorted(numbers, reverse=True)
    second = await calc.ok("GET", f"/api/activity?kind=call&limit=10&before={first['next']}")
    assert len(second["items"]) == 3
    assert second["next"] is None
    newer = await calc.ok("GET", f"/api/activity?kind=call&after={second['items'][0]['number']}")
    assert [one["number"] for one in newer["items"]] == numbers[::-1]
    assert (await calc.ok("GET", "/api/activity?client=nobody"))["items"] == []
    assert (await calc.ok("GET", "/api/activity?q=ADD&component=calc"))["items"]
    one = await calc.ok("GET", f"/api/activity/{numbers[0]}")
    assert one["entry"]["detail"]["arguments"] == {"a": 4, "b": 1}
    assert (await calc.get("/api/activity/999999")).status == 404
    at = one["entry"]["at"]
    chart = await calc.ok("GET", f"/api/activity/chart?since={at - 60}&until={at + 60}&buckets=4")
    assert sum(one["calls"] for one in chart["items"]) == 5
    assert (await calc.get("/api/activity/chart", since=5, until=5)).status == 422


async def test_export(calc: Page) -> None:
    await calc.call("calc", "add", a=1, b=1)
    await until(calc, "/api/activity?kind=call", lambda found: found["items"])
    lines = (await calc.get("/api/activity/export")).text.splitlines()
    entries = [json.loads(line) for line in lines]
    assert [one["kind"] for one in entries] == ["change", "call"]
    sheet = await calc.get("/api/activity/export", format="csv", kind="call")
    rows = list(csv.DictReader(io.StringIO(sheet.text)))
    assert [row["what"] for row in rows] == ["add"]
    assert "attachment" in sheet.headers["content-disposition"]


# ---- clients -------------------------------------------------------------------------------------


async def test_clients(page: Page, world: Windowed, home: Path) -> None:
    settings = home / ".cursor" / "mcp.json"
    settings.parent.mkdir()
    settings.write_text('{\n  // mine\n  "mcpServers": {}\n}\n')
    before = settings.read_bytes()

    async def cursor() -> Any:
        listed = (await page.ok("GET", "/api/clients"))["items"]
        return next(one for one in listed if one["id"] == "cursor")

    found = await cursor()
    assert (found["installed"], found["state"], found["connected"]) == (True, "not registered", [])
    assert found["last_connection"] is None
    path = "/api/clients/cursor"
    plan = await page.ok("POST", f"{path}/plan", {"action": "add"})
    assert plan["changes"]
    assert '+    "wassette": {' in plan["diff"]
    assert settings.read_bytes() == before
    changed = await page.ok("POST", f"{path}/apply", {"action": "add", "token": plan["token"]})
    assert changed["client"]["state"] == "registered"
    # What was shown is what is made, and only once.
    again = await page.post(f"{path}/apply", {"action": "add", "token": plan["token"]})
    assert again.status == 409
    # Somebody who says that they are Cursor.
    client = Client("cursor-vscode", "1", "stdio", "c" * 22)
    world.host.connect(client)
    assert (await cursor())["connected"] == [client.session]
    world.host.disconnect(client)
    found = await cursor()
    assert found["connected"] == []
    assert found["last_connection"] is not None
    assert found["can_undo"]
    undo = await page.ok("POST", f"{path}/plan", {"action": "undo"})
    await page.ok("POST", f"{path}/apply", {"action": "undo", "token": undo["token"]})
    assert settings.read_bytes() == before
    assert not (await page.ok("POST", f"{path}/verify"))["asked"]
    assert (await page.post("/api/clients/nobody/plan", {"action": "add"})).status == 422


async def test_the_last_connection_is_known_from_the_record(calc: Page, world: Windowed) -> None:
    await world.host.call_tool("add", {"a": 1, "b": 2}, Client("Zed", "1", "stdio", "z" * 22))

    def zed(found: Any) -> Any:
        return next(one for one in found["items"] if one["id"] == "zed")["last_connection"]

    await until(calc, "/api/clients", zed)


# ---- settings, catalog, files --------------------------------------------------------------------


async def test_settings(page: Page, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await page.ok("GET", "/api/settings")
    assert found["values"]["approvals"] == "ask"
    file = home / "config" / "wassette" / "config.toml"
    assert found["file"] == str(file)
    file.parent.mkdir(parents=True)
    file.write_text("# mine\nidle_timeout = 5 # short\n[environment_vars]\nA = 'b'\n")
    changed = await page.ok("PATCH", "/api/settings", {"approvals": "deny", "approval_timeout": 60})
    assert changed["values"]["approvals"] == "deny"
    assert "approvals" in changed["later"]
    text = file.read_text()
    assert text.startswith("# mine\nidle_timeout = 5 # short\n")
    assert "approval_timeout = 60\n" in text
    assert text.index("approval_timeout") < text.index("[environment_vars]")
    wrong = await page.send("PATCH", "/api/settings", {"approvals": "always"})
    assert wrong.status == 422
    file.write_text("nonsense [")
    broken = await page.send("PATCH", "/api/settings", {"meta_tools": True})
    assert broken.status == 422
    assert file.read_text() == "nonsense ["
    file.write_text("")
    kept = await page.ok("PATCH", "/api/settings", {"activity_days": 7, "activity_megabytes": 50})
    assert (kept["values"]["activity_days"], kept["values"]["activity_megabytes"]) == (7, 50)
    assert file.read_text() == "activity_days = 7\nactivity_megabytes = 50\n"
    assert "activity_days" not in kept["later"]  # a host that runs heeds it
    for value in (0, 3651, "few"):
        refused = await page.send("PATCH", "/api/settings", {"activity_days": value})
        assert refused.status == 422
    monkeypatch.setenv("WASSETTE_ACTIVITY_DAYS", "3")
    fixed = await page.ok("GET", "/api/settings")
    assert fixed["values"]["activity_days"] == 3
    assert "activity_days" in fixed["from_environment"]
    about = await page.ok("GET", "/api/about")
    assert any(one["name"] == "wasmtime" for one in about["licences"])


async def test_start_at_login_is_the_desktop_apps(page: Page, home: Path) -> None:
    assert (await page.ok("GET", "/api/settings"))["autostart"] is None
    refused = await page.send("PUT", "/api/settings/autostart", {"enabled": True})
    assert refused.status == 409
    assert "wassette desktop" in refused.json["way_out"]
    assert not (home / "config" / "autostart").exists()


async def test_tokens(
    page: Page, world: Windowed, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = home / "config" / "wassette" / "config.toml"
    file = config.with_name("tokens")
    found = await page.ok("GET", "/api/tokens")
    assert (found["count"], found["where"], found["server"]) == (0, None, None)
    assert (found["can_make"], found["makes"]) == (True, str(file))

    made = await page.ok("POST", "/api/tokens")
    assert (made["count"], made["where"]) == (1, f"token_file in {config}")
    assert made["file"] == str(file)
    assert file.stat().st_mode & 0o777 == 0o600
    [token] = web_options.load(environ={}).tokens
    assert len(token) > 40
    assert token not in json.dumps(made)
    again = await page.ok("POST", "/api/tokens")
    [another] = web_options.load(environ={}).tokens
    assert another != token
    assert another not in json.dumps(again)

    # One that a person wrote is theirs: beside it, in a file of theirs, as a text, as a variable.
    file.write_text(file.read_text() + "mine-mine-mine-mine\n")
    kept = file.read_text()
    found = await page.ok("GET", "/api/tokens")
    assert (found["count"], found["can_make"]) == (2, False)
    refused = await page.send("POST", "/api/tokens")
    assert (refused.status, file.read_text()) == (409, kept)
    for text, environ in (
        (f"token_file = '{home / 'theirs'}'", {}),
        ("token = 'abcdefghijklmnopq'", {}),
        ("", {"WASSETTE_TOKEN": "abcdefghijklmnopqr"}),
    ):
        (home / "theirs").write_text("abcdefghijklmnopqrs\n")
        config.write_text(text)
        with monkeypatch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            answer = await page.get("/api/tokens")
            assert (answer.json["count"], answer.json["can_make"]) == (1, False)
            assert "abcdefghijklmnopq" not in answer.text
            assert (await page.send("POST", "/api/tokens")).status == 409
        assert (config.read_text(), file.read_text()) == (text, kept)

    # One that would be refused is said to be, without being said.
    config.write_text("token = 'secret!'")
    wrong = await page.get("/api/tokens")
    assert "letters, digits" in wrong.json["problem"]
    assert "secret!" not in wrong.text
    assert (await page.send("POST", "/api/tokens")).status == 422


async def test_catalog_and_files(page: Page, home: Path) -> None:
    found = await page.ok("GET", "/api/catalog?q=toolb")
    [entry] = found["items"]
    assert (entry["reference"], entry["loaded"]) == ("starter:toolbox", False)
    assert found["notes"] == []
    assert (await page.ok("GET", "/api/catalog?q=nothing"))["items"] == []
    folder = home / "Folder"
    folder.mkdir()
    (folder / "b").mkdir()
    (folder / "a.wasm").write_bytes(b"x")
    (folder / ".hidden").touch()
    found = await page.ok("GET", f"/api/files?path={folder}")
    assert [one["name"] for one in found["items"]] == ["b", ".hidden", "a.wasm"]
    assert found["parent"] == str(home)
    assert found["items"][1]["hidden"]
    names, cursor = [], ""
    while True:
        part = await page.ok("GET", f"/api/files?path={folder}&limit=1{cursor}")
        names += [one["name"] for one in part["items"]]
        if part["next"] is None:
            break
        cursor = f"&cursor={part['next']}"
    assert names == ["b", ".hidden", "a.wasm"]
    for wrong, status in (("relative", 422), ("/no/such", 404), (f"{folder}/a.wasm", 404)):
        assert (await page.get("/api/files", path=wrong)).status == status
    assert (await page.ok("GET", "/api/files"))["path"] == str(home)


async def test_pages(page: Page) -> None:
    for path in ("/", "/components/calc", "/approvals"):
        answer = await page.get(path)
        assert answer.headers["content-type"].startswith("text/html")
        assert "script-src 'self'" in answer.headers["content-security-policy"]
    for path in ("/api", "/api/nothing", "/assets/none.js", "/none.png"):
        answer = await page.get(path)
        assert answer.status == 404
        assert answer.headers["content-type"] == "application/problem+json"
