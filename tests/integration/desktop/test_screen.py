"""The desktop app on a screen: an X server with a window manager, xfce4-panel and xfce4-notifyd.
What is clicked is clicked with the mouse, and what is shown is looked for in the picture."""

from __future__ import annotations

import http.client
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
import pytest

from support.desktop import (
    AMBER,
    BLUE,
    GREY,
    App,
    Screen,
    app_env,
    covering,
    leftovers,
    missing_programs,
    moment,
    run_app,
    screen,
)
from support.hosts import PATIENCE, Stdio, eventually, value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wassette.config import Settings

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="a Linux desktop"),
    pytest.mark.skipif(missing_programs() != [], reason=f"missing: {missing_programs()}"),
]


def has_webview() -> bool:
    """Whether this Python can have a window: with the GTK of the system."""
    code = (
        "from wassette_desktop.system_gi import use_system_gi; use_system_gi(); import gi\n"
        "gi.require_version('Gtk', '3.0'); gi.require_version('WebKit2', '4.1')\n"
        "from gi.repository import WebKit2"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


needs_webview = pytest.mark.skipif(not has_webview(), reason="no WebKitGTK for this Python")


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    with screen(tmp_path_factory.mktemp("screen")) as found:
        yield found


def title(on: Screen) -> str:
    return on.window("--name", "^Wassette$")


@needs_webview
def test_icon_window_menu_and_quitting(on: Screen, probed: Settings, home: Path) -> None:
    with App(env=app_env(on)) as app:
        x, y = on.wait_for_icon(BLUE)
        eventually(lambda: title(on), "no window")
        # An empty page has the window's frame and one colour.
        eventually(lambda: on.colours(title(on)) > 200, "nothing in the window")
        # The link, which lets in, is nowhere that other users could look.
        for process in app.note():
            assert "/open/" not in " ".join(process.cmdline())
            assert "/open/" not in "".join(process.environ().values())
        with covering(on) as other:
            assert on.active() == other
            assert "comes to the front" in run_app(env=app_env(on))
            eventually(lambda: on.active() == "Wassette")
        # With an icon there, closing the window ends the window only.
        on.do("windowclose", title(on))
        eventually(lambda: not title(on))
        eventually(lambda: not [one for one in app.note() if _is_window(one)])
        assert app.process.poll() is None
        # A click on the icon opens it again; the menu's last line is to quit.
        on.do("mousemove", x, y, "click", 1)
        eventually(lambda: title(on), "no window")
        moment()
        before = on.picture()
        on.do("mousemove", x, y, "click", 3)
        eventually(lambda: on.picture() != before)
        moment()
        app.note()
        on.do("key", "Up")
        moment()
        on.do("key", "Return")
        assert app.ended() == 0
    assert leftovers(home) == []
    eventually(lambda: on.icon(BLUE) is None)


def _is_window(process: psutil.Process) -> bool:
    try:
        return process.is_running() and "wassette_desktop.webview_process" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


@needs_webview
def test_killed_the_app_takes_its_window_with_it(on: Screen, probed: Settings) -> None:
    with App(env=app_env(on)) as app:
        eventually(lambda: title(on), "no window")
        eventually(lambda: [one for one in app.note() if _is_window(one)])
        started = app.note()
        app.process.kill()
        app.process.wait()
        eventually(lambda: not any(one.is_running() for one in started), "something is left")


def test_a_call_waits_until_a_button_of_the_notification_is_clicked(
    on: Screen, probed: Settings, home: Path
) -> None:
    note = home / "note.txt"
    note.write_text("hello")
    with App("--background", env=app_env(on)) as app, ThreadPoolExecutor(1) as thread:
        on.wait_for_icon(BLUE)
        eventually(lambda: leftovers(home) != [])
        moment(2)
        with Stdio(component_dir=probed.component_dir) as client:
            client.initialize()
            call = thread.submit(client.call, "read-file", path=str(note))
            on.wait_for_icon(AMBER)
            eventually(lambda: on.window("--class", "notifyd"), "no notification")
            moment(1.5)  # it comes into view slowly, and what is clicked at once does not count
            assert not call.done()
            x, y, width, height = on.box(on.window("--class", "notifyd"))
            # The buttons are at its lower right: Allow once, Deny, Open.
            on.do("mousemove", x + width - 250, y + height - 30, "click", 1)
            assert value(call.result(PATIENCE)) == {"ok": "hello"}
            eventually(lambda: on.icon(AMBER) is None)
        assert app.end() == 0


def test_paused_the_icon_is_grey(on: Screen, probed: Settings, home: Path) -> None:
    from support.cli import Cli

    with App("--background", env=app_env(on)) as app:
        on.wait_for_icon(BLUE)
        eventually(lambda: [one for one in leftovers(home) if one.startswith("host-")])
        assert Cli(home)("host", "pause").code == 0
        on.wait_for_icon(GREY)
        assert Cli(home)("host", "resume").code == 0
        on.wait_for_icon(BLUE)
        assert app.end() == 0


def test_without_a_webview_the_browser_has_it(
    on: Screen, probed: Settings, home: Path, tmp_path: Path
) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o755)
    (tmp_path / "gi").mkdir()
    (tmp_path / "gi" / "__init__.py").write_text("raise ImportError('there is no GTK')")
    nothing = {"PYTHONPATH": str(tmp_path), "BROWSER": str(browser)}
    with App(env={**app_env(on), **nothing}) as app:
        app.says("There is no window here")
        eventually(opened.exists)
        given = opened.read_text().strip()
        assert "/open/" not in given  # which every user could see
        file = Path(urlsplit(given).path)
        assert file.stat().st_mode & 0o777 == 0o600
        [link] = set(re.findall(r"http://[^\"]+/open/[^\"]+", file.read_text()))
        parts = urlsplit(link)
        connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)
        connection.request("GET", parts.path)
        assert connection.getresponse().status == 200
        connection.close()
        assert app.end() == 0


@needs_webview
def test_without_a_tray_the_window_is_the_app(tmp_path: Path, probed: Settings, home: Path) -> None:
    with (
        screen(tmp_path / "bare", panel=False) as bare,
        App(env=app_env(bare)) as app,
    ):
        app.says("There is no tray here")
        eventually(lambda: title(bare), "no window")
        eventually(lambda: bare.colours(title(bare)) > 200, "nothing in the window")
        app.note()
        bare.do("windowclose", title(bare))
        assert app.ended() == 0
    assert leftovers(home) == []


@needs_webview
@pytest.mark.skipif(shutil.which("trayer") is None, reason="missing: trayer")
def test_a_tray_of_the_old_kind(tmp_path: Path, probed: Settings, home: Path) -> None:
    with screen(tmp_path / "old", panel=False) as old:
        tray = subprocess.Popen(
            ["trayer", "--edge", "bottom", "--width", "100", "--height", "32"],
            env=old.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            eventually(lambda: old.window("--class", "trayer"), "no tray")
            with App("--background", env=app_env(old)) as app:
                x, y = old.wait_for_icon(BLUE)
                old.do("mousemove", x, y, "click", 1)
                eventually(lambda: title(old), "no window")
                app.note()
                # Ctrl-C, which GTK would have end it at once.
                app.process.send_signal(signal.SIGINT)
                assert app.ended() == 0
            assert leftovers(home) == []
        finally:
            tray.kill()
            tray.wait()
