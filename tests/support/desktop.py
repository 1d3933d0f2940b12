"""The desktop app as a process, and a screen with a panel and notifications for it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psutil

from support.hosts import PATIENCE, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from PIL.Image import Image

NOTIFYD = "/usr/lib/{}/xfce4/notifyd/xfce4-notifyd"
PROGRAMS = ("Xvfb", "openbox", "xfce4-panel", "dbus-daemon", "xdotool")
_VARIABLES = (
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "DBUS_SESSION_BUS_ADDRESS",
    "BROWSER",
    "XDG_CURRENT_DESKTOP",
)
BLUE, GREY, AMBER = (0x3D, 0x63, 0xDD), (0x8A, 0x8F, 0x9C), (0xF5, 0xA6, 0x23)
"""Colours of the icon: at rest, paused, needing somebody."""


class App:
    """`wassette desktop`, in the home of the test, with no more of a desktop than `env` has."""

    def __init__(self, *options: str, env: Mapping[str, str] | None = None) -> None:
        clean = {name: value for name, value in os.environ.items() if name not in _VARIABLES}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wassette", "desktop", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**clean, **(env or {})},
        )
        self._said: list[str] = []
        self._reading = threading.Thread(target=self._read)
        self._reading.start()
        self._known: set[psutil.Process] = set()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self._said.extend(self.process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.note()
        self.process.kill()
        for process in self._known:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        self._reading.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def said(self) -> str:
        return "".join(self._said)

    def note(self) -> set[psutil.Process]:
        """Every process that it has started; remembered."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self._known |= set(psutil.Process(self.process.pid).children(recursive=True))
        return self._known

    def says(self, text: str) -> None:
        eventually(lambda: text in self.said or self.process.poll() is not None)
        assert text in self.said

    def end(self) -> int:
        """SIGTERM; the exit code, once everything that it started is gone."""
        self.note()
        self.process.terminate()
        return self.ended()

    def ended(self) -> int:
        code = self.process.wait(PATIENCE)
        eventually(lambda: not any(map(_alive, self._known)), f"left: {self._known}")
        self._reading.join()
        return code


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def run_app(*options: str, env: Mapping[str, str] | None = None) -> str:
    """What one says that ends by itself, without a fault."""
    with App(*options, env=env) as app:
        assert app.ended() == 0, app.said
        return app.said


def leftovers(home: Path) -> list[str]:
    """What is in the runtime directory that a process should have removed."""
    folder = home / "runtime" / "wassette"
    return sorted(name for name in os.listdir(folder) if not name.endswith((".lock", ".start")))


# ---- a screen ------------------------------------------------------------------------------------


def missing_programs() -> list[str]:
    found = [one for one in PROGRAMS if shutil.which(one) is None]
    return found if notifyd() is not None else [*found, "xfce4-notifyd"]


def notifyd() -> Path | None:
    import sysconfig

    places = [Path(NOTIFYD.format(sysconfig.get_config_var("MULTIARCH") or "."))]
    places.append(Path("/usr/lib/xfce4/notifyd/xfce4-notifyd"))
    return next((one for one in places if one.is_file()), None)


class Screen:
    """An X server with a window manager, a panel and a notification daemon."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env
        """Of programs that are to be on it."""

    def picture(self) -> Image:
        """All of it."""
        from PIL import Image
        from Xlib import X, display

        opened = display.Display(self.env["DISPLAY"])
        try:
            root = opened.screen().root
            size = root.get_geometry()
            raw = root.get_image(0, 0, size.width, size.height, X.ZPixmap, 0xFFFFFFFF)
            return Image.frombytes("RGB", (size.width, size.height), raw.data, "raw", "BGRX")
        finally:
            opened.close()

    def icon(self, colour: tuple[int, int, int]) -> tuple[int, int] | None:
        """Where in the panel, at the lower edge, the icon is, if it has a colour: the middle."""
        image = self.picture()
        top = image.height - 40
        panel = image.crop((0, top, image.width, image.height))
        found = [
            (x, y)
            for y in range(panel.height)
            for x in range(panel.width)
            if panel.getpixel((x, y)) == colour
        ]
        if not found:
            return None
        xs, ys = [x for x, _ in found], [y for _, y in found]
        return (min(xs) + max(xs)) // 2, top + (min(ys) + max(ys)) // 2

    def wait_for_icon(self, colour: tuple[int, int, int]) -> tuple[int, int]:
        eventually(lambda: self.icon(colour), f"no icon in {colour}")
        found = self.icon(colour)
        assert found is not None
        return found

    def do(self, *arguments: object) -> str:
        """xdotool; what it prints."""
        return subprocess.run(
            ["xdotool", *map(str, arguments)],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        ).stdout.strip()

    def window(self, *search: str) -> str:
        """The id of a window that is shown; empty if there is none."""
        return self.do("search", "--onlyvisible", *search).partition("\n")[0]

    def active(self) -> str:
        return self.do("getactivewindow", "getwindowname")

    def box(self, window: str) -> tuple[int, int, int, int]:
        """Where a window is: x, y, width, height."""
        lines = self.do("getwindowgeometry", "--shell", window).splitlines()
        found = dict(line.split("=") for line in lines)
        return int(found["X"]), int(found["Y"]), int(found["WIDTH"]), int(found["HEIGHT"])

    def colours(self, window: str) -> int:
        """How many different ones a window shows: few, if it is empty; none, if it is gone."""
        try:
            x, y, width, height = self.box(window)
        except KeyError:
            return 0
        image = self.picture().crop((x, y, x + width, y + height))
        return len(image.getcolors(width * height) or ())


@contextmanager
def screen(folder: Path, panel: bool = True) -> Iterator[Screen]:
    """`folder`: for the settings of what runs on it."""
    folder.mkdir(parents=True, exist_ok=True)
    if panel:
        settings = folder / "config" / "xfce4" / "xfconf" / "xfce-perchannel-xml"
        settings.mkdir(parents=True)
        (settings / "xfce4-panel.xml").write_text(_PANEL)
    started: list[subprocess.Popen[Any]] = []
    by_bus: list[psutil.Process] = []

    def start(*arguments: str, **options: Any) -> subprocess.Popen[Any]:
        options.setdefault("stdout", subprocess.DEVNULL)
        process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, **options)
        started.append(process)
        return process

    read, write = os.pipe()
    start(
        "Xvfb", "-displayfd", str(write), "-screen", "0", "1200x800x24", "-nolisten", "tcp",
        pass_fds=(write,),
    )  # fmt: skip
    os.close(write)
    with open(read) as number:
        env = {
            "DISPLAY": f":{number.readline().strip()}",
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "XDG_DATA_HOME": str(folder / "data"),
            "LC_ALL": "C.UTF-8",
            "NO_AT_BRIDGE": "1",
            "GTK_A11Y": "none",
        }
    try:
        bus = start(
            "dbus-daemon", "--session", "--nofork", "--print-address=1",
            stdout=subprocess.PIPE, text=True, env=env,
        )  # fmt: skip
        assert bus.stdout is not None
        env["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
        # A window that comes while it starts may be managed by nobody, and never be shown.
        managed = folder / "managed"
        start("openbox", "--startup", f"touch {managed}", env=env)
        eventually(managed.exists, "no window manager")
        if panel:
            start("xfce4-panel", "--disable-wm-check", env=env)
            start(str(notifyd()), env=env)
        yield Screen(env)
        by_bus += psutil.Process(bus.pid).children(recursive=True)
    finally:
        for process in (*by_bus, *reversed(started)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for process in started:
            process.wait()
        if "bus" in locals():
            bus.stdout.close()  # type: ignore[union-attr]


def app_env(on: Screen) -> dict[str, str]:
    """For an app on a screen: the test's home, the screen's display and bus."""
    return {name: on.env[name] for name in ("DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "LC_ALL")} | {
        # A page is painted by the processor: there is no other one here.
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "NO_AT_BRIDGE": "1",
    }


@contextmanager
def covering(on: Screen) -> Iterator[str]:
    """Another program's window, before all others; its name."""
    from Xlib import X, display

    opened = display.Display(on.env["DISPLAY"])
    root = opened.screen().root
    window = root.create_window(
        0, 0, 1100, 700, 0, X.CopyFromParent, background_pixel=opened.screen().white_pixel
    )
    window.set_wm_name("another program")
    window.map()
    opened.sync()
    eventually(lambda: on.window("--name", "another program"))
    on.do("windowactivate", "--sync", on.window("--name", "another program"))
    try:
        yield "another program"
    finally:
        opened.close()


def moment(seconds: float = 0.3) -> None:
    """Time for a toolkit to take in what was clicked before."""
    time.sleep(seconds)


_PANEL = """<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=8;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="size" type="uint" value="32"/>
      <property name="plugin-ids" type="array">
        <value type="int" value="1"/>
        <value type="int" value="2"/>
      </property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="separator">
      <property name="expand" type="bool" value="true"/>
    </property>
    <property name="plugin-2" type="string" value="systray">
      <property name="known-items" type="array">
        <value type="string" value="wassette"/>
      </property>
    </property>
  </property>
</channel>
"""
