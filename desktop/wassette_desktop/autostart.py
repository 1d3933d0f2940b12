"""Starting at login, by what each system has for it. Nothing else of the system is changed."""

from __future__ import annotations

import os
import plistlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wassette.clients.launcher import find_launcher
from wassette.errors import WassetteError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wassette.window.offered import Autostart

NAME = "wassette"
LABEL = "dev.wassette.desktop"
RUN_KEY = r"Software\Microsoft\Windows\CurrentVersion\Run"
RUN_VALUE = "Wassette"


class AutostartError(WassetteError):
    """It could not be set."""


class Told:
    """Another, of whose changes somebody is told, in whatever thread they are made."""

    def __init__(self, autostart: Autostart, changed: Callable[[], None]) -> None:
        self._autostart, self._changed = autostart, changed

    def enabled(self) -> bool:
        return self._autostart.enabled()

    def set(self, enabled: bool) -> None:
        try:
            self._autostart.set(enabled)
        finally:
            self._changed()


def autostart(system: str = sys.platform) -> Autostart:
    """That of this system."""
    if system == "win32":
        return RunKey()
    if system == "darwin":
        return LaunchAgent(Path.home() / "Library" / "LaunchAgents")
    return XdgAutostart(xdg_config(os.environ))


def command(*more: str) -> tuple[str, ...]:
    """How the system starts this app: like `wassette desktop`, but on Windows without a console."""
    launcher = find_launcher()
    windowed = Path(launcher.command).with_name("wassette-desktop.exe")
    if sys.platform == "win32" and not launcher.arguments and windowed.is_file():
        return (str(windowed), *more)
    return (launcher.command, *launcher.arguments, "desktop", *more)


# ---- Linux: https://specifications.freedesktop.org/autostart-spec/latest/ ------------------------


def xdg_config(environ: Mapping[str, str]) -> Path:
    chosen = environ.get("XDG_CONFIG_HOME", "")
    return Path(chosen) if chosen.startswith("/") else Path.home() / ".config"


class XdgAutostart:
    def __init__(self, config: Path) -> None:
        self.path = config / "autostart" / f"{NAME}.desktop"

    def enabled(self) -> bool:
        try:
            text = self.path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return False
        off = {"Hidden=true", "X-GNOME-Autostart-enabled=false"}
        return off.isdisjoint(line.strip() for line in text.splitlines())

    def set(self, enabled: bool) -> None:
        _write(self.path, self._entry().encode() if enabled else None)

    def _entry(self) -> str:
        return "\n".join(
            (
                "[Desktop Entry]",
                "Type=Application",
                "Name=Wassette",
                "Comment=Runs MCP tools, which may do only what you permit",
                f"Exec={exec_line(command('--background'))}",
                f"Icon={NAME}",
                "Terminal=false",
                "",
            )
        )


def exec_line(arguments: Sequence[str]) -> str:
    """A value of Exec, by the rules of
    https://specifications.freedesktop.org/desktop-entry-spec/latest/exec-variables.html
    """
    return " ".join(map(_quoted, arguments))


def _quoted(argument: str) -> str:
    if any(ord(char) < 0x20 for char in argument):
        raise AutostartError("Wassette is installed in a path that no desktop entry can name")
    escaped = "".join(f"\\{char}" if char in '"`$\\' else char for char in argument)
    # Once more: a value is unescaped before its quotes are looked at.
    return '"' + escaped.replace("\\", "\\\\").replace("%", "%%") + '"'


# ---- macOS: launchd.plist(5) ---------------------------------------------------------------------


class LaunchAgent:
    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{LABEL}.plist"

    def enabled(self) -> bool:
        try:
            with open(self.path, "rb") as file:
                return plistlib.load(file).get("RunAtLoad") is True
        except (OSError, ValueError, plistlib.InvalidFileException):
            return False

    def set(self, enabled: bool) -> None:
        entry = {
            "Label": LABEL,
            "ProgramArguments": list(command("--background")),
            "RunAtLoad": True,
            "ProcessType": "Interactive",
        }
        _write(self.path, plistlib.dumps(entry) if enabled else None)


# ---- Windows: https://learn.microsoft.com/windows/win32/setupapi/run-and-runonce-registry-keys ---


class RunKey:
    """`registry` is `winreg`, or in tests what does the same."""

    def __init__(self, registry: Any = None) -> None:
        if registry is None:
            import winreg as registry
        self._registry = registry

    def enabled(self) -> bool:
        registry = self._registry
        try:
            with registry.OpenKey(registry.HKEY_CURRENT_USER, RUN_KEY) as key:
                registry.QueryValueEx(key, RUN_VALUE)
        except OSError:
            return False
        return True

    def set(self, enabled: bool) -> None:
        import subprocess

        registry = self._registry
        try:
            with registry.CreateKeyEx(
                registry.HKEY_CURRENT_USER, RUN_KEY, 0, registry.KEY_SET_VALUE
            ) as key:
                if enabled:
                    line = subprocess.list2cmdline(command("--background"))
                    registry.SetValueEx(key, RUN_VALUE, 0, registry.REG_SZ, line)
                else:
                    registry.DeleteValue(key, RUN_VALUE)
        except FileNotFoundError:
            return  # it was not there
        except OSError as error:
            raise AutostartError(f"the registry could not be changed: {error}") from None


def _write(path: Path, content: bytes | None) -> None:
    """Put a file in its place, or take it away."""
    try:
        if content is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_bytes(content)
        fresh.replace(path)
    except OSError as error:
        raise AutostartError(f"{path} could not be changed: {error.strerror}") from None
