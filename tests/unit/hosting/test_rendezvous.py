"""Where the host is: names, directories, settings."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from wassette import config
from wassette.errors import ConfigError
from wassette.hosting import rendezvous
from wassette.hosting.process import rotate
from wassette.hosting.rendezvous import HostUnavailable, component_dir, host_key
from wassette.runtime import runtime_directory

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX")


def test_key_is_of_directory_and_version() -> None:
    keys = [host_key("/a"), host_key("/b"), host_key("/a", "9.9"), host_key("/a")]
    assert len(set(keys)) == 3
    assert keys[0] == keys[3]


@pytest.mark.parametrize(
    ("chosen", "environ", "toml"),
    [
        (None, {}, None),
        (None, {}, "[environment_vars]\nA = '1'\n"),
        (None, {}, "component_dir = '/from/file'\n"),
        (None, {}, "plugin_dir = '~/from-file'\n"),
        (None, {"WASSETTE_COMPONENT_DIR": "/x/../y"}, "component_dir = '/from/file'\n"),
        (None, {"WASSETTE_PLUGIN_DIR": "relative"}, None),
        (None, {"WASSETTE_PLUGIN_DIR": "/a", "WASSETTE_COMPONENT_DIR": "/a"}, None),
        ("~/mine", {"WASSETTE_COMPONENT_DIR": "/x"}, None),
        ("a//b/./c/", {}, None),
    ],
)
def test_component_dir_is_that_of_the_settings(
    home: Path, chosen: str | None, environ: dict[str, str], toml: str | None
) -> None:
    if toml is not None:
        file = home / "config" / "wassette" / "config.toml"
        file.parent.mkdir(parents=True)
        file.write_text(toml)
    environment = {**os.environ, **environ}
    expected = config.load(component_dir=chosen, environ=environment).component_dir
    assert component_dir(chosen, environment) == str(expected)


def test_component_dir_without_xdg(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As MCP clients start servers, whose environment is next to empty."""
    from wassette.paths import paths

    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name)
    paths.cache_clear()
    assert component_dir(None, os.environ) == str(config.load().component_dir)
    assert component_dir(None, os.environ) == f"{home}/.local/share/wassette/components"


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"WASSETTE_PLUGIN_DIR": "/a", "WASSETTE_COMPONENT_DIR": "/b"}, "are one setting"),
        ({"WASSETTE_CONFIG_FILE": "/nowhere"}, "which is not a file"),
        ({"WASSETTE_PLUGIN_DIR": "/a\0b"}, "should be the path of a directory"),
    ],
)
def test_wrong_settings(home: Path, environ: dict[str, str], says: str) -> None:
    with pytest.raises(HostUnavailable, match=says):
        component_dir(None, {**os.environ, **environ})


def test_runtime_directory(tmp_path: Path) -> None:
    run, tmp, uid = str(tmp_path / "run"), "/tmp", os.getuid()
    assert runtime_directory({"XDG_RUNTIME_DIR": "/r"}, uid, run) == "/r/wassette"
    for unusable in ({}, {"XDG_RUNTIME_DIR": ""}, {"XDG_RUNTIME_DIR": "relative"}):
        assert runtime_directory(unusable, uid, run, tmp) == f"/tmp/wassette-{uid}"
    (tmp_path / "run" / str(uid)).mkdir(parents=True)
    assert runtime_directory({}, uid, run, tmp) == f"{run}/{uid}/wassette"


def test_log_rotation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wassette.hosting.process.MAX_LOG", 100)
    path = tmp_path / "logs" / "host.log"
    fd = rendezvous.open_log(str(path))
    assert fd is not None
    for text in (b"1" * 90, b"2" * 90, b"3" * 90, b"4" * 90):
        os.write(fd, text)
        rotate(str(path), fd)
    os.close(fd)
    assert path.read_bytes() == b""
    assert (tmp_path / "logs" / "host.log.1").read_bytes() == b"3" * 90 + b"4" * 90
    assert sorted(os.listdir(path.parent)) == ["host.log", "host.log.1"]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("value", ["-1", "soon", "nan", "inf", "1e12"])
def test_wrong_idle_timeout(home: Path, value: str) -> None:
    with pytest.raises(ConfigError, match="WASSETTE_IDLE_TIMEOUT should be a number of seconds"):
        config.load(environ={"WASSETTE_IDLE_TIMEOUT": value})


def test_idle_timeout(home: Path) -> None:
    file = home / "config" / "wassette" / "config.toml"
    file.parent.mkdir(parents=True)
    assert config.load(environ={}).idle_timeout == 600
    file.write_text("idle_timeout = 30\n")
    assert config.load(environ={}).idle_timeout == 30
    assert config.load(environ={"WASSETTE_IDLE_TIMEOUT": "2.5"}).idle_timeout == 2.5
    file.write_text("idle_timeout = true\n")
    with pytest.raises(ConfigError, match=r"idle_timeout in .*config\.toml should be"):
        config.load(environ={})
