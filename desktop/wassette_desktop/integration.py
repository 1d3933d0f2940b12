"""Wassette among the programs of the desktop: in the menu of applications, for files that end in
`.wasm`, and for `wassette://` links. For installations that have no package which does that.

On macOS a program has these by being an app (its Info.plist); there is nothing to be added.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from wassette.errors import WassetteError

from .autostart import NAME, _write, command, exec_line
from .icon import svg
from .wanted import SCHEME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MIME = "application/wasm"
PROG_ID = "Wassette.Component"
_CLASSES = r"Software\Classes"


class IntegrationError(WassetteError):
    """There is no such thing on this system, or it could not be changed."""


class Integration(Protocol):
    def install(self) -> tuple[str, ...]:
        """Add it; what was written."""
        ...

    def uninstall(self) -> None: ...


def integration(system: str = sys.platform) -> Integration:
    """That of this system. Raises `IntegrationError`."""
    if system == "win32":
        return RegistryClasses()
    if system == "darwin":
        raise IntegrationError(
            "On macOS the app itself opens .wasm files and wassette:// links: install Wassette.app"
        )
    return XdgIntegration(xdg_data(os.environ))


# ---- Linux ---------------------------------------------------------------------------------------


def xdg_data(environ: Mapping[str, str]) -> Path:
    chosen = environ.get("XDG_DATA_HOME", "")
    return Path(chosen) if chosen.startswith("/") else Path.home() / ".local" / "share"


class XdgIntegration:
    """https://specifications.freedesktop.org/desktop-entry-spec/latest/ and
    https://specifications.freedesktop.org/shared-mime-info-spec/latest/"""

    def __init__(self, data: Path, run: Callable[..., Any] = subprocess.run) -> None:
        self._data = data
        self._run = run
        self.entry = data / "applications" / f"{NAME}.desktop"
        self.icon = data / "icons" / "hicolor" / "scalable" / "apps" / f"{NAME}.svg"
        self.mime = data / "mime" / "packages" / f"{NAME}.xml"

    def install(self) -> tuple[str, ...]:
        _write(self.entry, desktop_entry().encode())
        _write(self.icon, svg().encode())
        _write(self.mime, MIME_INFO.encode())
        self._refresh()
        return tuple(map(str, (self.entry, self.icon, self.mime)))

    def uninstall(self) -> None:
        for path in (self.entry, self.icon, self.mime):
            _write(path, None)
        self._refresh()

    def _refresh(self) -> None:
        """Have the lists made again that desktops read; they do without where a tool is missing."""
        for tool, folder in (
            ("update-desktop-database", self.entry.parent),
            ("update-mime-database", self.mime.parents[1]),
        ):
            found = shutil.which(tool)
            if found is not None and folder.is_dir():
                with contextlib.suppress(OSError, subprocess.SubprocessError):
                    self._run([found, str(folder)], capture_output=True, timeout=30, check=False)


def desktop_entry(arguments: tuple[str, ...] | None = None) -> str:
    """The entry for the menu of applications. `arguments`: the command, if it is not ours."""
    exec_ = exec_line(command() if arguments is None else arguments)
    return "\n".join(
        (
            "[Desktop Entry]",
            "Type=Application",
            "Name=Wassette",
            "GenericName=Tools for AI agents",
            "Comment=Runs MCP tools, which may do only what you permit",
            f"Exec={exec_} %u",
            f"Icon={NAME}",
            "Terminal=false",
            "Categories=Development;Utility;",
            "Keywords=MCP;WebAssembly;agent;sandbox;",
            f"MimeType={MIME};x-scheme-handler/{SCHEME};",
            "StartupWMClass=wassette",
            "",
        )
    )


MIME_INFO = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
  <mime-type type="{MIME}">
    <comment>WebAssembly component</comment>
    <glob pattern="*.wasm"/>
  </mime-type>
</mime-info>
"""


# ---- Windows -------------------------------------------------------------------------------------


class RegistryClasses:
    """https://learn.microsoft.com/windows/win32/shell/fa-file-types and
    https://learn.microsoft.com/previous-versions/windows/internet-explorer/ie-developer/platform-apis/aa767914(v=vs.85)

    `registry` is `winreg`, or in tests what does the same.
    """

    def __init__(self, registry: Any = None) -> None:
        if registry is None:
            import winreg as registry
        self._registry = registry

    def install(self) -> tuple[str, ...]:
        # "%1" in quotes: a name with blanks is one argument.
        line = f'{subprocess.list2cmdline(command())} "%1"'
        values = (
            (PROG_ID, "", "WebAssembly component"),
            (rf"{PROG_ID}\shell\open\command", "", line),
            (r".wasm\OpenWithProgids", PROG_ID, ""),
            (SCHEME, "", "URL:Wassette"),
            (SCHEME, "URL Protocol", ""),
            (rf"{SCHEME}\shell\open\command", "", line),
        )
        registry = self._registry
        for key, name, value in values:
            try:
                with registry.CreateKeyEx(
                    registry.HKEY_CURRENT_USER, rf"{_CLASSES}\{key}", 0, registry.KEY_SET_VALUE
                ) as opened:
                    registry.SetValueEx(opened, name, 0, registry.REG_SZ, value)
            except OSError as error:
                raise IntegrationError(f"the registry could not be changed: {error}") from None
        return tuple(rf"HKEY_CURRENT_USER\{_CLASSES}\{key}" for key, _, _ in values)

    def uninstall(self) -> None:
        registry = self._registry
        with (
            contextlib.suppress(OSError),
            registry.OpenKey(
                registry.HKEY_CURRENT_USER,
                rf"{_CLASSES}\.wasm\OpenWithProgids",
                0,
                registry.KEY_SET_VALUE,
            ) as opened,
        ):
            registry.DeleteValue(opened, PROG_ID)
        for top in (PROG_ID, SCHEME):
            for key in (r"\shell\open\command", r"\shell\open", r"\shell", ""):
                with contextlib.suppress(OSError):
                    registry.DeleteKey(registry.HKEY_CURRENT_USER, rf"{_CLASSES}\{top}{key}")
