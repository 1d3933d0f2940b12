"""The desktop app without a screen: a bus, a tray and a notification daemon that only remember, and
the real host, components and clients."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil
import pytest

from support.cli import Cli
from support.desktop import App, leftovers, run_app
from support.hosts import PATIENCE, Stdio, eventually, hosts, status, the_host, value
from support.session_bus import Daemon, Item, Watcher, connected, session_bus, until
from wassette_desktop.api import Api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from wassette.config import Settings
    from wassette.hosting.rendezvous import Rendezvous

LOGIN = "Start at login"
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="a Linux desktop"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with session_bus() as found:
        yield found


class Desk:
    """A desktop, as far as the app knows: a tray, and a daemon for notifications."""

    def __init__(self, address: str, bus: Any) -> None:
        self.env = {"DBUS_SESSION_BUS_ADDRESS": address}
        self.watcher, self.daemon = Watcher(), Daemon()
        self._bus = bus

    async def item(self) -> Item:
        """The app's icon, once it is connected to its host."""
        await until(lambda: self.watcher.items, "no icon")
        item = Item(self._bus, self.watcher.items[-1])
        await until_async(item, lambda summary: summary not in ("", "Starting"))
        return item

    async def notification(self) -> int:
        await until(lambda: self.daemon.shown, "no notification")
        [number] = self.daemon.shown
        return number


@pytest.fixture
async def desk(address: str) -> AsyncIterator[Desk]:
    async with connected(address) as bus:
        found = Desk(address, bus)
        await found.watcher.appear(bus)
        await found.daemon.appear(bus)
        yield found


async def until_async(item: Item, condition: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition(await item.tooltip()):
            await asyncio.sleep(0.02)


async def until_label(item: Item, label: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while label not in await item.labels():
            await asyncio.sleep(0.02)


@pytest.fixture
def note(home: Path) -> Path:
    file = home / "a & b.txt"
    file.write_text("hello")
    return file


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """For clients that come when the app's host is there: otherwise they start one."""
    with ExitStack() as found:
        yield found


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as found:
        yield found


def reading(thread: ThreadPoolExecutor, client: Stdio, note: Path) -> Any:
    """A call that waits for a person."""
    return thread.submit(client.call, "read-file", path=str(note))


# ---- the menu, and who is connected --------------------------------------------------------------


async def test_menu_does_what_it_says(desk: Desk, probed: Settings, home: Path) -> None:
    cli = Cli(home)
    with App("--background", env=desk.env) as app:
        item = await desk.item()
        assert await item.tooltip() == "1 component, 0 clients"
        await item.click("c-probe")
        await until(lambda: cli.ok("component", "list")["components"][0].get("enabled") is False)
        await until_label(item, "Components (1)")
        async with asyncio.timeout(PATIENCE):
            while next(li for li in await item.menu() if li.label == "c-probe").checked:
                await asyncio.sleep(0.02)
        await item.click("c-probe")
        await item.click("Pause all")
        await until_async(item, lambda summary: summary == "Paused: no tool runs")
        await item.click("Pause all")
        await until_async(item, lambda summary: summary == "1 component, 0 clients")
        with Stdio(component_dir=probed.component_dir) as client:
            client.initialize()
            assert value(client.call("add", a=40, b=2)) == 42
            await until_label(item, "test 1")
        await until_async(item, lambda summary: summary == "1 component, 0 clients")
        await item.click("Start at login")
        entry = home / "config" / "autostart" / "wassette.desktop"
        await until(entry.is_file)
        async with asyncio.timeout(PATIENCE):
            while not next(li for li in await item.menu() if li.label == "Start at login").checked:
                await asyncio.sleep(0.02)
        app.note()
        await item.click("Quit")
        assert await asyncio.to_thread(app.ended) == 0
    assert leftovers(home) == []
    assert hosts(home) == []


async def test_start_at_login_is_set_in_the_window_too(
    desk: Desk, probed: Settings, home: Path
) -> None:
    """Of the host that is in the app; one that runs by itself knows nothing of it."""
    cli = Cli(home)

    def page() -> Api:
        return Api.open(re.findall(r"http://\S+/open/\S+", cli("ui", "--no-browser").out)[0])

    async def checked(item: Item, wanted: bool) -> None:
        async with asyncio.timeout(PATIENCE):
            while next(li for li in await item.menu() if li.label == LOGIN).checked is not wanted:
                await asyncio.sleep(0.02)

    entry = home / "config" / "autostart" / "wassette.desktop"
    with App("--background", env=desk.env):
        item = await desk.item()
        api = await asyncio.to_thread(page)
        assert api.get("/api/settings")["autostart"] is False
        path = "/api/settings/autostart"
        assert api._json("PUT", path, {"enabled": True})["autostart"] is True
        assert entry.is_file()
        await checked(item, True)
        await item.click(LOGIN)
        await until(lambda: not entry.exists())
        assert api.get("/api/settings")["autostart"] is False
    desk.watcher.items.clear()
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        with App("--background", env=desk.env):
            await desk.item()
            api = await asyncio.to_thread(page)
            assert api.get("/api/settings")["autostart"] is None


# ---- approvals -----------------------------------------------------------------------------------


async def test_allowed_once_from_the_notification(
    desk: Desk, probed: Settings, note: Path, thread: ThreadPoolExecutor, stack: ExitStack
) -> None:
    with App("--background", env=desk.env):
        item = await desk.item()
        client = stack.enter_context(Stdio(component_dir=probed.component_dir))
        hostile = {"name": "<b>Editor</b> & \u202ex", "version": "1"}
        client.request(
            "initialize",
            {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": hostile},
        )
        client.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        call = reading(thread, client, note)
        number = await desk.notification()
        assert await item.get("Status") == "NeedsAttention"
        await until_label(item, "Approvals (1 waiting)")
        body = desk.daemon.bodies[0]
        assert body.startswith(f"Allow component c-probe to read “{note}”?".replace("&", "&amp;"))
        # Neither markup, nor what changes the direction of text.
        assert "“&lt;b&gt;Editor&lt;/b&gt; &amp; \\u{202e}x”" in body
        assert desk.daemon.buttons(number) == ["allow-once", "deny", "default"]
        await asyncio.sleep(1)  # nobody reads faster; see the test below
        desk.daemon.press(number, "allow-once")
        assert value(await asyncio.wrap_future(call)) == {"ok": "hello"}
        await until_label(item, "Approvals (none waiting)")
        assert await item.get("Status") == "Active"
        # Once is once.
        call = reading(thread, client, note)
        number = await desk.notification()
        await asyncio.sleep(1)
        desk.daemon.press(number, "deny")
        assert (await asyncio.wrap_future(call))["result"]["isError"]


async def test_a_click_that_comes_too_soon_a_dismissal_and_a_daemon_that_goes_allow_nothing(
    desk: Desk,
    probed: Settings,
    home: Path,
    note: Path,
    thread: ThreadPoolExecutor,
    stack: ExitStack,
) -> None:
    with App("--background", env=desk.env):
        await desk.item()
        client = stack.enter_context(Stdio(component_dir=probed.component_dir))
        client.initialize()
        call = reading(thread, client, note)
        number = await desk.notification()
        desk.daemon.press(number, "allow-once")  # within the blink in which it appeared
        again = await desk.notification()
        assert again != number
        assert not call.done()
        desk.daemon.dismiss(again)
        cli = Cli(home)
        [waits] = cli.ok("approvals", "list")["approvals"]
        assert waits["state"] == "pending"
        assert not call.done()
        cli.ok("approvals", "deny", waits["id"])
        assert (await asyncio.wrap_future(call))["result"]["isError"]


async def test_decided_elsewhere_the_notification_goes(
    desk: Desk,
    probed: Settings,
    home: Path,
    note: Path,
    thread: ThreadPoolExecutor,
    stack: ExitStack,
) -> None:
    with App("--background", env=desk.env):
        await desk.item()
        client = stack.enter_context(Stdio(component_dir=probed.component_dir))
        client.initialize()
        call = reading(thread, client, note)
        number = await desk.notification()
        cli = Cli(home)
        [waits] = cli.ok("approvals", "list")["approvals"]
        cli.ok("approvals", "allow", waits["id"], "--yes")
        assert value(await asyncio.wrap_future(call)) == {"ok": "hello"}
        await until(lambda: number in desk.daemon.closed)


# ---- one app, one host ---------------------------------------------------------------------------


async def test_attaches_to_the_host_that_runs_and_takes_over_when_it_ends(
    desk: Desk, probed: Settings, home: Path, place: Rendezvous
) -> None:
    cli = Cli(home)
    with Stdio(component_dir=probed.component_dir) as client:
        client.initialize()
        host = the_host(home)
        with App("--background", env=desk.env) as app:
            item = await desk.item()
            await until_label(item, "test 1")
            assert value(client.call("add", a=40, b=2)) == 42
            assert the_host(home) == host
            assert await asyncio.to_thread(app.end) == 0
        desk.watcher.items.clear()
        # Its clients keep their sessions.
        assert value(client.call("add", a=1, b=2)) == 3
        with App("--background", env=desk.env) as app:
            item = await desk.item()
            assert cli("host", "stop").code == 0
            await until(lambda: place.found() is not None and not hosts(home), "nobody took over")
            await until_async(item, lambda summary: summary == "1 component, 0 clients")
            assert status(place)["pid"] == app.process.pid
            with Stdio(component_dir=probed.component_dir) as another:
                another.initialize()
                assert value(another.call("add", a=40, b=2)) == 42
            # Told to end, it ends, as the app whose host that is.
            app.note()
            assert cli("host", "stop").code == 0
            assert await asyncio.to_thread(app.ended) == 0
            assert "told to end" in app.said


async def test_quitting_lets_a_call_finish_and_tells_clients(
    desk: Desk, probed: Settings, home: Path, thread: ThreadPoolExecutor, stack: ExitStack
) -> None:
    with App("--background", env=desk.env) as app:
        item = await desk.item()
        client = stack.enter_context(Stdio(component_dir=probed.component_dir))
        client.initialize()
        call = thread.submit(client.call, "sleep", seconds=2.0)
        await until_async(item, lambda summary: summary == "1 call running")
        before = await item.get("IconPixmap")
        async with asyncio.timeout(PATIENCE):
            while await item.get("IconPixmap") == before:  # its reels turn
                await asyncio.sleep(0.02)
        app.note()
        app.process.terminate()
        assert "error" not in await asyncio.wrap_future(call)
        assert await asyncio.to_thread(app.ended) == 0
        assert await asyncio.to_thread(client.wait) == 1  # it has lost its session, and says so
    assert leftovers(home) == []


async def test_killed_and_started_again(desk: Desk, probed: Settings, home: Path) -> None:
    with App("--background", env=desk.env) as app:
        await desk.item()
        started = app.note()
        app.process.send_signal(signal.SIGKILL)
        app.process.wait()
        eventually(lambda: not any(one.is_running() for one in started), "workers are left")
        assert leftovers(home) != []
    desk.watcher.items.clear()
    with App("--background", env=desk.env) as app:
        item = await desk.item()
        assert await item.tooltip() == "1 component, 0 clients"
        with Stdio(component_dir=probed.component_dir) as client:
            client.initialize()
            assert value(client.call("add", a=40, b=2)) == 42
        assert await asyncio.to_thread(app.end) == 0
    assert leftovers(home) == []


# ---- without a desktop ---------------------------------------------------------------------------


def open_link(said: str) -> int:
    """Of the last link that was printed: the status of opening it."""
    link = urlsplit(re.findall(r"http://\S+/open/\S+", said)[-1])
    assert link.hostname is not None
    connection = http.client.HTTPConnection(link.hostname, link.port, timeout=PATIENCE)
    connection.request("GET", f"{link.path}?{link.query}")
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    if "to=" in link.query:
        assert "/load?reference=" in body
    return answer.status


async def test_without_display_bus_and_tray_it_serves_and_prints_the_link(
    probed: Settings, home: Path
) -> None:
    nothing = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"}
    with App(env=nothing) as app:
        app.says("There is no tray here")
        app.says("There is no display here")
        assert open_link(app.said) == 200
        assert open_link(app.said) == 403  # once
        with Stdio(component_dir=probed.component_dir) as client:
            client.initialize()
            assert value(client.call("add", a=40, b=2)) == 42
        assert hosts(home) == []
        # Whoever starts it again wants to see it: at the place for what they opened.
        before = app.said
        assert "is running" in run_app("./a b.wasm", env=nothing)
        eventually(lambda: app.said.count("/open/") > before.count("/open/"))
        assert open_link(app.said) == 200
        [only] = Cli(home).ok("component", "list")["components"]
        assert only["id"] == "c-probe"  # nothing was loaded
        assert await asyncio.to_thread(app.end) == 0
    assert leftovers(home) == []


async def test_nobody_who_looks_does_not_count_as_somebody_who_looks(
    probed: Settings, note: Path, place: Rendezvous
) -> None:
    """An app without icon and notifications must not have clients' dialogs step back."""
    from mcp import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client

    from support.asking import Person

    with App("--background", env={"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"}) as app:
        app.says("There is no tray here")
        await until(lambda: place.found() is not None)
        person = Person([{"scope": "once"}])
        command = StdioServerParameters(
            command=sys.executable,
            args=["-m", "wassette", "serve", "--stdio"],
            env=dict(os.environ),
        )
        async with Client(
            stdio_client(command), mode="legacy", elicitation_callback=person
        ) as client:
            await client.call_tool("read-file", {"path": str(note)})
        assert len(person.asked) >= 1


async def test_what_is_wrong_is_said(home: Path) -> None:
    done = Cli(home)("desktop", "wassette://load?reference=/etc/passwd")
    assert done.code == 1
    assert "A link can name a component in a registry" in done.err
    broken = {"XDG_RUNTIME_DIR": str(home / "runtime")}
    (home / "runtime" / "wassette").mkdir(parents=True, mode=0o755)
    os.chmod(home / "runtime" / "wassette", 0o755)
    with App(env=broken) as app:
        assert app.ended() == 1
        assert "is open to others" in app.said


async def test_no_link_in_arguments_or_variables(desk: Desk, probed: Settings) -> None:
    """What other users could see of the app's processes."""
    with App("--background", env=desk.env) as app:
        await desk.item()
        for process in [psutil.Process(app.process.pid), *app.note()]:
            assert "/open/" not in " ".join(process.cmdline())
