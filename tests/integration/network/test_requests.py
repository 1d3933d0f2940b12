"""Requests of real components, by the relay, to servers that behave, or not."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from support.internet import Internet
from support.network_cases import NAMES
from support.processes import descendants
from wassette import outgoing
from wassette.egress import pump
from wassette.errors import CallTimeout
from wassette.host import Host
from wassette.workers import process as worker_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from wassette.answers import CallResult
    from wassette.config import Settings

    Component = Callable[[str], Path]

pytestmark = pytest.mark.anyio

HANG = 60.0
"""Seconds that only a hang would take."""
EVERYWHERE = ("*", "*:9", "*:10", "*:444", "*:8080")


@pytest.fixture
async def guest(connected: Host, fixture_component: Component) -> Host:
    """A host with `c-http`, which may ask for everything that is public."""
    return await may_ask(connected, "c-http", fixture_component)


@pytest.fixture
async def impatient(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fixture_component: Component,
) -> AsyncIterator[Host]:
    """The same, with a relay that waits for nothing longer than a second."""
    async with Internet(dict(NAMES), untrusted=("api.x.com",)) as internet:
        limits = ("dns_timeout", "connect_timeout", "tls_timeout", "first_byte_timeout")
        waits = dict.fromkeys((*limits, "idle_timeout"), 1.0)
        internet.use(monkeypatch, tmp_path, **waits, max_response_bytes=5_000_000)
        async with Host(settings) as host:
            yield await may_ask(host, "c-http", fixture_component)


async def may_ask(host: Host, component: str, fixture_component: Component) -> Host:
    await host.load(str(fixture_component(component)))
    for rule in EVERYWHERE:
        await host.grant_network(component, rule)
    return host


async def call(host: Host, tool: str, /, **arguments: object) -> CallResult:
    async with asyncio.timeout(HANG):
        return await host.call_tool(tool, {k.replace("_", "-"): v for k, v in arguments.items()})


async def request(
    host: Host, url: str, method: str = "GET", body: str = "", /, **headers: str
) -> CallResult:
    fields = [[name.replace("_", "-"), value] for name, value in headers.items()]
    return await call(host, "request", method=method, url=url, headers=fields, body=body)


def set_timeout(host: Host, component: str, text: str) -> None:
    path = host.policies.path(component)
    path.write_text(path.read_text() + f"  resources:\n    limits:\n      timeout: {text}\n")


def workers() -> set[int]:
    return {process.pid for process in descendants()}


# ---- what is sent, and what comes back ----------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_request_arrives_as_it_was_made(guest: Host, scheme: str) -> None:
    result = await request(guest, f"{scheme}://x.com/a/b?c=d", "POST", "hello" * 3000, x_mine="1")
    assert result.error is None
    reply = result.value["ok"]
    assert reply["status"] == 200
    assert ["content-type", "application/json"] in reply["headers"]
    seen = json.loads(reply["body"])
    assert (seen["method"], seen["path"], seen["size"]) == ("POST", "/a/b?c=d", 15000)
    assert seen["headers"]["host"] == "x.com"
    assert seen["headers"]["x-mine"] == "1"
    assert "127.0.0.1" not in reply["body"]  # nothing of the way that it took
    [record] = result.exchanges
    assert (record.method, record.status, record.sent) == ("POST", 200, 15000)
    assert record.address == "93.184.216.34"
    assert record.url == f"{scheme}://x.com/a/b?c=d"
    assert (record.error, record.allowed) == (None, True)


async def test_a_length_of_the_guest_s_own(guest: Host, internet: Internet) -> None:
    good = await request(guest, "http://x.com/", "POST", "hello", content_length="5")
    seen = json.loads(good.value["ok"]["body"])
    assert (seen["size"], seen["headers"]["content-length"]) == (5, "5")
    assert "transfer-encoding" not in seen["headers"]
    internet.seen.clear()
    short = await request(guest, "http://x.com/", "POST", "hello", content_length="3")
    assert [seen.size for seen in internet.seen] == [3]  # the runtime drops the rest
    assert json.loads(short.value["ok"]["body"])["size"] == 3
    long = await request(guest, "http://x.com/", "POST", "hello", content_length="7")
    assert "err" in long.value
    assert len(internet.seen) == 1
    assert (await request(guest, "http://x.com/")).value["ok"]["status"] == 200


@pytest.mark.parametrize(
    "name", ["host", "connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"]
)
async def test_headers_that_are_not_the_guest_s(guest: Host, name: str) -> None:
    result = await request(guest, "http://x.com/", **{name.replace("-", "_"): "evil.com"})
    assert result.value == {"err": "the header is forbidden"}


async def test_a_request_without_scheme_and_path(guest: Host, internet: Internet) -> None:
    """The runtime takes https when there is none; a path is always sent."""
    assert (
        await call(guest, "odd", method="GET", scheme="", authority="x.com", path="")
    ).value == {"ok": 200}
    assert internet.dialed == [("93.184.216.34", 443)]
    assert internet.seen[-1].path == "/"


async def test_python_sends_a_body(connected: Host, fixture_component: Component) -> None:
    await may_ask(connected, "py-fetch", fixture_component)
    result = await request(connected, "https://x.com/p", "PUT", "y" * 10_000)
    seen = json.loads(result.value["ok"]["body"])
    assert (seen["method"], seen["size"]) == ("PUT", 10_000)


async def test_javascript_sends_a_body_and_follows_no_redirect_unasked(
    connected: Host, internet: Internet, fixture_component: Component
) -> None:
    await may_ask(connected, "js-fetch", fixture_component)
    result = await request(connected, "https://x.com/p", "PUT", "y" * 10_000)
    seen = json.loads(result.value["ok"]["body"])
    assert (seen["method"], seen["size"]) == ("PUT", 10_000)
    many = await call(connected, "together", url="http://x.com/do/wait/0.2", count=8)
    assert many.value == ["200"] * 8


async def test_a_redirect_is_a_new_request(
    connected: Host, internet: Internet, fixture_component: Component
) -> None:
    """Nobody follows one but the component, and then it is decided about as any other."""
    for component in ("c-http", "js-fetch"):
        await connected.load(str(fixture_component(component)))
        await connected.grant_network(component, "x.com")
    for tool in ("request", "js-fetch__request"):
        internet.seen.clear()
        url = "http://x.com/do/redirect?http://evil.com/stolen"
        arguments = {"method": "GET", "url": url, "headers": [], "body": ""}
        result = await call(connected, tool, **arguments)
        assert [seen.path.partition("?")[0] for seen in internet.seen] == ["/do/redirect"]
        assert result.exchanges[0].status == 302
        assert all(
            one.url.startswith("http://x.com") or not one.allowed for one in result.exchanges
        )


# ---- errors, and limits --------------------------------------------------------------------------

GAVE_UP = "The component closed the connection"
FAILURES = {
    "http://x.com:9/": ("connection-refused", "does not accept connections on port 9"),
    "http://x.com:10/": ("connection-timeout", "did not answer in time"),
    "http://nowhere.x.com/": ("DNS-error: nowhere.x.com cannot be resolved", "cannot be resolved"),
    "http://slow.x.com/": ("DNS-timeout", "was not resolved in time"),
    "https://api.x.com/": ("TLS-certificate-error", "certificate is not valid for"),
    "https://x.com:444/": ("connection-timeout", "did not finish TLS in time"),
    "http://x.com/do/nothing": ("HTTP-protocol-error", "closed the connection without answering"),
    "http://x.com/do/garbage": ("HTTP-protocol-error", "The response was not passed on"),
    "http://x.com/do/short": ("the stream broke", "closed in the middle of it"),
    "http://x.com/do/silence": ("connection-read-timeout", GAVE_UP),
    "http://x.com/do/half": ("the stream broke", GAVE_UP),
    "http://x.com/do/bytes/10000000": ("HTTP-protocol-error", "over its limit of 5000000 bytes"),
}


async def test_what_went_wrong_has_its_error_code(impatient: Host) -> None:
    """The code for the component, the reason in the record; none of it is a refusal."""
    for url, (code, reason) in FAILURES.items():
        result = await request(impatient, url)
        assert result.value == {"err": code}, url
        [record] = result.exchanges
        assert record.allowed, url
        assert record.error is not None, url
        # Its call may be over before that is seen.
        reasons = (reason, "the call is over") if reason is GAVE_UP else (reason,)
        assert any(one in record.error for one in reasons), (url, record.error)
        assert not result.refused, url
    assert (await request(impatient, "http://x.com/")).value["ok"]["status"] == 200


async def test_shorter_limits_of_the_guest_s_own(guest: Host) -> None:
    url = "http://x.com/do/silence"
    short = await call(guest, "limited", url=url, connect=0, first_byte=200, between_bytes=0)
    assert short.value == {"err": "connection-read-timeout"}
    short = await call(
        guest, "limited", url="http://x.com:10/", connect=200, first_byte=0, between_bytes=0
    )
    assert short.value == {"err": "connection-timeout"}
    half = "http://x.com/do/half"
    short = await call(guest, "limited", url=half, connect=0, first_byte=0, between_bytes=200)
    assert short.value == {"err": "the stream broke"}


async def test_longer_limits_of_the_guest_s_own(impatient: Host) -> None:
    """They do not make the relay's any longer."""
    hour = dict.fromkeys(("connect", "first_byte", "between_bytes"), 3_600_000)
    for slow in ("http://x.com/do/silence", "http://x.com/do/half", "http://x.com:10/"):
        assert "err" in (await call(impatient, "limited", url=slow, **hour)).value, slow


# ---- many, and much ------------------------------------------------------------------------------


async def test_requests_at_the_same_time(guest: Host, internet: Internet) -> None:
    began = time.monotonic()
    result = await call(guest, "together", url="http://x.com/do/wait/1", count=30)
    assert result.value == ["200"] * 30
    assert time.monotonic() - began < 25  # one after the other would take 30
    assert len(result.exchanges) == 30
    relay: Any = guest._parts.way_out._relay
    relay.options = replace(relay.options, max_requests_per_component=4)
    more = await call(guest, "together", url="http://x.com/do/wait/3", count=12)
    assert sorted(more.value) == ["200"] * 4 + ["connection-limit-reached"] * 8


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
async def test_a_request_says_late_that_it_has_no_body(
    guest: Host, internet: Internet, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """As Rust's wstd does. The runtime would have let go of the body by then."""
    url = "http://x.com/1"
    arguments = {"method": method, "url": url}
    assert (await call(guest, "late", **arguments, pause=20)).value == ["open", "200"]
    [seen] = internet.seen
    assert (seen.method, seen.size) == (method, 0)
    if method in ("GET", "HEAD"):
        assert not {"content-length", "transfer-encoding"} & seen.headers.keys()
    # Later than the relay waits for: it is answered before.
    monkeypatch.setattr(pump, "_BODILESS", 0.01)
    for _ in range(5):
        assert (await call(guest, "late", **arguments, pause=300)).value == ["open", "200"]


async def test_calls_at_the_same_time_have_their_own_records(guest: Host) -> None:
    async def one(number: int) -> None:
        result = await request(guest, f"http://x.com/{number}")
        assert json.loads(result.value["ok"]["body"])["path"] == f"/{number}"
        assert [exchange.url for exchange in result.exchanges] == [f"http://x.com/{number}"]

    await asyncio.gather(*(one(number) for number in range(24)))


async def test_a_download_and_an_upload_with_flat_memory(
    guest: Host, internet: Internet, record_property: Callable[..., None]
) -> None:
    """A gigabyte each way takes no more of worker and host than a megabyte."""
    size = 2**30
    set_timeout(guest, "c-http", "300s")
    small = await call(guest, "download", url=f"http://x.com/do/bytes/{2**20}")
    assert small.value == {"ok": 2**20}
    [worker] = [one for one in descendants() if one.ppid() != os.getpid()]
    before = peak(worker.pid), psutil.Process().memory_info().rss
    async with asyncio.timeout(300):
        big = await guest.call_tool("download", {"url": f"http://x.com/do/bytes/{size}"})
        assert big.value == {"ok": size}
        assert big.exchanges[0].received == size
        sent = await guest.call_tool("upload", {"url": "http://x.com/", "size": size // 4})
        assert sent.value == {"ok": 200}
        assert internet.seen[-1].size == sent.exchanges[0].sent == size // 4
    after = peak(worker.pid), psutil.Process().memory_info().rss
    grown = [(b - a) / 2**20 for a, b in zip(before, after, strict=True)]
    record_property("MiB of worker and host", [round(one, 1) for one in grown])
    assert max(grown) < 64, f"MiB of worker and host: {grown}"


def peak(pid: int) -> int:
    """The most bytes of memory that a process ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


# ---- ending --------------------------------------------------------------------------------------

BLOCKED: dict[str, tuple[str, dict[str, object]]] = {
    "no address": ("download", {"url": "http://slow.x.com/"}),
    "no connection": ("download", {"url": "http://x.com:10/"}),
    "no end of TLS": ("download", {"url": "https://x.com:444/"}),
    "no answer": ("download", {"url": "http://x.com/do/silence"}),
    "no end": ("download", {"url": "http://x.com/do/half"}),
    "a drip": ("download", {"url": "http://x.com/do/drip/0.05"}),
    "a flood": ("download", {"url": f"http://x.com/do/bytes/{2**33}"}),
    "nobody reads": ("upload", {"url": "http://x.com/do/unread", "size": 2**40}),
    "many at once": ("together", {"url": "http://x.com/do/silence", "count": 20}),
}


@pytest.mark.parametrize("what", BLOCKED)
async def test_a_guest_that_waits_for_the_network_ends_politely(
    guest: Host, monkeypatch: pytest.MonkeyPatch, what: str, record_property: Callable[..., None]
) -> None:
    """Cancelled, and out of time: at once, in the worker that it was in, which goes on."""
    monkeypatch.setattr(worker_process, "GRACE", 10 * HANG)  # whoever is killed comes too late
    tool, arguments = BLOCKED[what]
    assert (await request(guest, "http://x.com/")).value["ok"]["status"] == 200
    before = workers()
    running = asyncio.create_task(call(guest, tool, **arguments))
    await asyncio.sleep(0.3)
    assert not running.done()
    began = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    # The same worker is free again when this is answered: there is no other.
    again = await request(guest, "http://x.com/")
    record_property("seconds to cancel", round(time.monotonic() - began, 4))
    assert again.value["ok"]["status"] == 200
    assert len(again.exchanges) == 1  # none of the other call's
    policy = guest.policies.path("c-http")
    unlimited = policy.read_text()
    set_timeout(guest, "c-http", "500ms")
    late = await call(guest, tool, **arguments)
    assert isinstance(late.error, CallTimeout)
    assert all(record.error for record in late.exchanges)
    policy.write_text(unlimited)
    assert (await request(guest, "http://x.com/")).value["ok"]["status"] == 200
    assert workers() >= before


async def test_cancelling_at_any_moment(guest: Host) -> None:
    """In the middle of an ask, of a request, between two: the worker serves the next call."""
    await request(guest, "http://x.com/")
    before = workers()
    for number in range(60):
        running = asyncio.create_task(call(guest, "again", url="http://x.com/", count=1_000_000))
        await asyncio.sleep(number * 0.0007)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert (await request(guest, "http://x.com/")).value["ok"]["status"] == 200
    assert len(workers() - before) <= 4  # others are started meanwhile, none is lost
    assert guest._parts.pool.processes <= guest._parts.pool.size


# ---- permissions that change ---------------------------------------------------------------------


async def test_a_revoke_counts_within_a_call(guest: Host, internet: Internet) -> None:
    arguments = {"first": "http://x.com/1", "pause": 1500, "second": "http://x.com/2"}
    running = asyncio.create_task(call(guest, "twice", **arguments))
    while not internet.seen:
        await asyncio.sleep(0.01)
    await guest.reset_permissions("c-http")
    result = await running
    assert result.value == ["200", "HTTP-request-denied"]
    assert [record.allowed for record in result.exchanges] == [True, False]
    assert [seen.path for seen in internet.seen] == ["/1"]


async def test_a_grant_counts_within_a_call(
    connected: Host, fixture_component: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connected.load(str(fixture_component("c-http")))
    asked = asyncio.Event()
    routing = connected._parts.routing
    decide = routing.route

    async def route(*arguments: Any) -> Any:
        asked.set()
        return await decide(*arguments)

    monkeypatch.setattr(routing, "route", route)
    arguments = {"first": "http://x.com/1", "pause": 1500, "second": "http://x.com/2"}
    running = asyncio.create_task(call(connected, "twice", **arguments))
    await asked.wait()
    await connected.grant_network("c-http", "x.com")
    result = await running
    assert result.value == ["HTTP-request-denied", "200"]


async def test_a_broken_policy_lets_nothing_out(guest: Host, internet: Internet) -> None:
    guest.policies.path("c-http").write_text("version: [")
    result = await request(guest, "http://x.com/")
    assert result.value == {"err": "HTTP-request-denied"}
    assert not internet.dialed


# ---- what is kept --------------------------------------------------------------------------------


async def test_records_are_bounded(guest: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "MAX_EXCHANGES", 10)
    result = await call(guest, "again", url="http://x.com/", count=30)
    assert result.value == 30
    assert len(result.exchanges) == 10


async def test_a_component_without_requests_has_no_door(
    connected: Host, fixture_component: Component
) -> None:
    """And the relay, which is heavy, is not even started."""
    await connected.load(str(fixture_component("c-probe")))
    assert (await call(connected, "add", a=1, b=2)).value == 3
    assert connected._parts.way_out._relay is None


async def test_doors_close_with_their_workers(guest: Host) -> None:
    await request(guest, "http://x.com/")
    relay: Any = guest._parts.way_out._relay
    [port] = relay.closed_ports
    await guest.close()
    assert not relay.closed_ports
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
