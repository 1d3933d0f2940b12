"""Start at login, and being known to the desktop: what is written, and that it can be taken back.
Windows and macOS by fakes of what they have for it."""

from __future__ import annotations

import plistlib
import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from wassette.clients.launcher import Launcher
from wassette_desktop import autostart, integration
from wassette_desktop.autostart import AutostartError, LaunchAgent, RunKey, XdgAutostart
from wassette_desktop.integration import IntegrationError, RegistryClasses, XdgIntegration

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = '/opt/my tools/$HOME `x` "q" 100%/wassette'


@pytest.fixture(autouse=True)
def _program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autostart, "find_launcher", lambda: Launcher(PROGRAM))


def exec_of(entry: str) -> list[str]:
    """The arguments that a desktop makes of an Exec line, by the rules of the specification."""
    [line] = [one for one in entry.splitlines() if one.startswith("Exec=")]
    value = line.removeprefix("Exec=").replace("\\\\", "\\")
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', value)
    return [re.sub(r"\\(.)", r"\1", quoted or bare).replace("%%", "%") for quoted, bare in found]


def test_xdg_autostart(tmp_path: Path) -> None:
    entry = XdgAutostart(tmp_path)
    assert not entry.enabled()
    entry.set(True)
    assert entry.enabled()
    assert entry.path == tmp_path / "autostart" / "wassette.desktop"
    assert exec_of(entry.path.read_text()) == [PROGRAM, "desktop", "--background"]
    entry.set(False)
    assert not entry.enabled()
    assert list(entry.path.parent.iterdir()) == []
    entry.set(False)  # once more is no failure


@pytest.mark.parametrize("line", ["Hidden=true", "X-GNOME-Autostart-enabled=false"])
def test_what_the_desktop_turned_off_is_off(tmp_path: Path, line: str) -> None:
    entry = XdgAutostart(tmp_path)
    entry.set(True)
    with open(entry.path, "a") as file:
        file.write(f"{line}\n")
    assert not entry.enabled()
    entry.set(True)
    assert entry.enabled()


def test_what_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "autostart").write_text("a file")
    with pytest.raises(AutostartError, match=r"wassette\.desktop could not be changed"):
        XdgAutostart(tmp_path).set(True)


def test_desktop_integration(tmp_path: Path) -> None:
    found = XdgIntegration(tmp_path)
    written = found.install()
    assert all(Path(one).is_file() for one in written)
    text = found.entry.read_text()
    assert exec_of(text) == [PROGRAM, "desktop", "%u"]
    assert "MimeType=application/wasm;x-scheme-handler/wassette;" in text
    assert found.icon.read_text().startswith("<svg")
    if shutil.which("desktop-file-validate"):
        subprocess.run(["desktop-file-validate", str(found.entry)], check=True)
    found.uninstall()
    assert [one for one in written if Path(one).exists()] == []


# ---- macOS ---------------------------------------------------------------------------------------


@pytest.mark.desktop
def test_launch_agent(tmp_path: Path) -> None:
    agent = LaunchAgent(tmp_path / "LaunchAgents")
    assert not agent.enabled()
    agent.set(True)
    assert agent.enabled()
    with open(agent.path, "rb") as file:
        said = plistlib.load(file)
    assert said["ProgramArguments"] == [PROGRAM, "desktop", "--background"]
    assert said["RunAtLoad"] is True
    agent.path.write_bytes(b"not a plist")
    assert not agent.enabled()
    agent.set(False)
    assert not agent.path.exists()


@pytest.mark.desktop
def test_macos_says_that_the_app_does_it() -> None:
    with pytest.raises(IntegrationError, match=r"Wassette\.app"):
        integration.integration("darwin")


# ---- Windows -------------------------------------------------------------------------------------


class Registry:
    """The functions of `winreg` that are used, over a dictionary."""

    HKEY_CURRENT_USER = "HKCU"
    KEY_SET_VALUE = 2
    REG_SZ = 1

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, str]] = {}

    @contextmanager
    def OpenKey(self, top: str, path: str, *_: Any) -> Iterator[dict[str, str]]:  # noqa: N802
        if path not in self.keys:
            raise FileNotFoundError(path)
        yield self.keys[path]

    @contextmanager
    def CreateKeyEx(self, top: str, path: str, *_: Any) -> Iterator[dict[str, str]]:  # noqa: N802
        parts = path.split("\\")
        for number in range(len(parts)):
            self.keys.setdefault("\\".join(parts[: number + 1]), {})
        yield self.keys[path]

    def QueryValueEx(self, key: dict[str, str], name: str) -> tuple[str, int]:  # noqa: N802
        if name not in key:
            raise FileNotFoundError(name)
        return key[name], self.REG_SZ

    def SetValueEx(  # noqa: N802
        self, key: dict[str, str], name: str, reserved: int, kind: int, value: str
    ) -> None:
        key[name] = value

    def DeleteValue(self, key: dict[str, str], name: str) -> None:  # noqa: N802
        if name not in key:
            raise FileNotFoundError(name)
        del key[name]

    def DeleteKey(self, top: str, path: str) -> None:  # noqa: N802
        if path not in self.keys:
            raise FileNotFoundError(path)
        if any(one.startswith(f"{path}\\") for one in self.keys):
            raise PermissionError(path)  # it has keys below it
        del self.keys[path]


@pytest.mark.desktop
def test_run_key() -> None:
    registry = Registry()
    key = RunKey(registry)
    assert not key.enabled()
    key.set(False)
    key.set(True)
    assert key.enabled()
    assert registry.keys[autostart.RUN_KEY] == {
        "Wassette": subprocess.list2cmdline([PROGRAM, "desktop", "--background"])
    }
    key.set(False)
    assert not key.enabled()


@pytest.mark.desktop
def test_registry_classes() -> None:
    registry = Registry()
    registry.keys[r"Software\Classes\.wasm"] = {"": "Other.Program"}
    classes = RegistryClasses(registry)
    classes.install()
    found = registry.keys
    assert found[r"Software\Classes\.wasm"] == {"": "Other.Program"}  # only offered, never taken
    assert found[r"Software\Classes\.wasm\OpenWithProgids"] == {"Wassette.Component": ""}
    assert found[r"Software\Classes\wassette"]["URL Protocol"] == ""
    line = found[r"Software\Classes\wassette\shell\open\command"][""]
    assert line == subprocess.list2cmdline([PROGRAM, "desktop"]) + ' "%1"'
    classes.uninstall()
    left = {path for path in registry.keys if path.startswith(r"Software\Classes" + "\\")}
    assert left == {r"Software\Classes\.wasm", r"Software\Classes\.wasm\OpenWithProgids"}
    assert registry.keys[r"Software\Classes\.wasm\OpenWithProgids"] == {}
