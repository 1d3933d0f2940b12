"""`wassette ui`: the window of the warm host, which is started for it."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from support.cli import Cli
from support.hosts import eventually, hosts, the_host
from support.http import connection, head, read_head, request

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.config import Settings

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="unix sockets"),
]


UI = [sys.executable, "-m", "wassette", "ui"]


def ui(settings: Settings, *options: str, **env: str) -> str:
    done = subprocess.run(
        [*UI, *options, "--component-dir", str(settings.component_dir)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **env},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def cookie_of(link: str) -> tuple[int, dict[str, str | list[str]]]:
    parts = urlsplit(link)
    assert parts.port is not None
    answer = await request(parts.port, "GET", parts.path)
    assert answer.status == 200
    return parts.port, {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


async def test_a_host_is_started_and_stays_while_a_window_is_open(
    settings: Settings, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WASSETTE_IDLE_TIMEOUT", "0.1")
    # Of what waits before a host ends, nothing is to be waited for here.
    link = await asyncio.to_thread(ui, settings, "--no-browser")
    process = the_host(home)
    port, cookie = await cookie_of(link)
    session = await request(port, "GET", "/api/session", cookie)
    assert session.json["component_dir"] == str(settings.component_dir)
    own = {"Host": f"127.0.0.1:{port}", **cookie}
    async with connection(port, head("GET", "/events", own)) as (reader, _):
        assert (await read_head(reader)).status == 200
        again = await asyncio.to_thread(ui, settings, "--no-browser")
        assert urlsplit(again).port == port
        assert again != link
        await asyncio.sleep(1)  # many times the idle time
        assert [one.pid for one in hosts(home)] == [process.pid]
    Cli(home).ok("host", "stop", "-o", "json")
    await asyncio.to_thread(eventually, lambda: not hosts(home))


async def test_the_browser_is_given_a_file(settings: Settings, home: Path, tmp_path: Path) -> None:
    """Other users can see the arguments of a process: the link is in none."""
    seen = tmp_path / "seen"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$@" > {seen}\n')
    browser.chmod(0o755)
    said = await asyncio.to_thread(
        ui, settings, BROWSER=f"{browser} %s", DISPLAY=":99", XDG_SESSION_TYPE="x11"
    )
    assert "/open/" not in said
    await asyncio.to_thread(eventually, lambda: seen.exists() and seen.read_text())
    arguments = seen.read_text().strip()
    assert "/open/" not in arguments
    assert arguments.startswith("file://")
    file = home / "state" / "wassette" / "window" / "open.html"
    assert arguments == file.as_uri()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    link = file.read_text().partition("url=")[2].partition('"')[0]
    port, cookie = await cookie_of(link)
    assert (await request(port, "GET", "/api/session", cookie)).status == 200


async def test_without_a_screen_the_link_is_printed(settings: Settings, home: Path) -> None:
    env = {"DISPLAY": "", "WAYLAND_DISPLAY": ""}
    link = await asyncio.to_thread(ui, settings, **env)
    port, cookie = await cookie_of(link)
    assert (await request(port, "GET", "/api/session", cookie)).status == 200


async def test_serving_over_http_has_a_window_too(settings: Settings, home: Path) -> None:
    """And its ports are two: MCP at one, the person at the other."""
    from support.http import serve_process

    async with serve_process(settings) as server:
        link = await asyncio.to_thread(ui, settings, "--no-browser")
        assert urlsplit(link).port != urlsplit(server.url).port
        port, cookie = await cookie_of(link)
        assert (await request(port, "GET", "/api/session", cookie)).status == 200
        assert len(hosts(home)) <= 1
        assert await server.end() == 0
