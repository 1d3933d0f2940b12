"""The command for a client, for each way to install Wassette."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from wassette.clients import launcher as module
from wassette.clients.launcher import Launcher, Python, find_launcher, same_program
from wassette.clients.machine import Machine
from wassette.errors import ClientError


def program(path: Path, head: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(head)
    path.chmod(0o755)
    return path


def python(prefix: Path, **more: object) -> Python:
    fields: dict[str, object] = {
        "executable": str(prefix / "bin" / "python"),
        "prefix": prefix,
        "frozen": False,
        "package": prefix / "lib" / "wassette",
        "scripts": prefix / "bin",
    }
    return Python(**{**fields, **more})  # type: ignore[arg-type]


def machine(home: Path, **environment: str) -> Machine:
    return Machine("linux", home, environment)


def test_virtual_environment(tmp_path: Path) -> None:
    """Its path, not that of the Python that it links to."""
    venv = tmp_path / "venv"
    script = program(venv / "bin" / "wassette", f"#!{venv}/bin/python\n")
    link = tmp_path / "link"
    link.symlink_to(venv)
    assert find_launcher(machine(tmp_path), python(venv)) == Launcher(str(script))
    through = python(link)
    program(venv / "bin" / "wassette", f"#!{link}/bin/python\n")
    assert find_launcher(machine(tmp_path), through).command == str(link / "bin" / "wassette")


def test_script_of_another_python_is_not_taken(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "wassette", "#!/somewhere/else/python\n")
    own = find_launcher(machine(tmp_path), python(tmp_path))
    assert own == Launcher(str(tmp_path / "bin" / "python"), ("-P", "-m", "wassette"))
    assert own.serve() == ("-P", "-m", "wassette", "serve", "--stdio")


def test_uv_tool(tmp_path: Path) -> None:
    tool = tmp_path / ".local" / "share" / "uv" / "tools" / "wassette-desktop"
    command = program(tmp_path / "my-bin" / "wassette")
    program(tool / "bin" / "wassette")
    (tool / "uv-receipt.toml").write_text(
        "[tool]\nrequirements = [{ name = 'wassette-desktop' }]\nentrypoints = [\n"
        f"  {{ name = 'wassette', install-path = '{command}', from = 'wassette-desktop' }},\n]\n"
    )
    assert find_launcher(machine(tmp_path), python(tool)) == Launcher(str(command))
    command.unlink()
    assert find_launcher(machine(tmp_path), python(tool)).command == str(tool / "bin" / "wassette")


@pytest.mark.parametrize("variable", [True, False])
def test_pipx(variable: bool, tmp_path: Path) -> None:
    venv = tmp_path / ".local" / "share" / "pipx" / "venvs" / "wassette-desktop"
    venv.mkdir(parents=True)
    (venv / "pipx_metadata.json").write_text(
        json.dumps({"main_package": {"package": "wassette-desktop", "apps": ["wassette"]}})
    )
    folder = tmp_path / ("apps" if variable else ".local/bin")
    command = program(folder / "wassette")
    environment = {"PIPX_BIN_DIR": str(folder)} if variable else {}
    assert find_launcher(machine(tmp_path, **environment), python(venv)) == Launcher(str(command))


@pytest.mark.parametrize(
    "where", [".cache/uv/archive-v0/Xy", ".cache/uv/environments-v2/ab", ".local/pipx/.cache/ab"]
)
def test_what_will_be_deleted_is_refused(where: str, tmp_path: Path) -> None:
    program(tmp_path / where / "bin" / "wassette")
    with pytest.raises(ClientError, match=r"temporary.*uv tool install"):
        find_launcher(machine(tmp_path), python(tmp_path / where))


def test_packaged_app(tmp_path: Path) -> None:
    app = program(tmp_path / "Wassette" / "wassette")
    own = find_launcher(machine(tmp_path), python(tmp_path, frozen=True, executable=str(app)))
    assert own.serve("/my/components") == ("serve", "--stdio", "--component-dir", "/my/components")
    assert own.command == str(app)


def test_app_image(tmp_path: Path) -> None:
    """The image, not where it is mounted while it runs."""
    image = program(tmp_path / "Wassette.AppImage")
    mounted = python(tmp_path, frozen=True, executable="/tmp/.mount_WasABC/usr/bin/wassette")
    own = find_launcher(machine(tmp_path, APPIMAGE=str(image)), mounted)
    assert own == Launcher(str(image))


@pytest.mark.parametrize(
    "where",
    [
        "/private/var/folders/x/AppTranslocation/1/d/Wassette.app/Contents/MacOS/wassette",
        "/Volumes/Wassette/Wassette.app/Contents/MacOS/wassette",
    ],
)
def test_app_that_was_not_moved_yet(where: str, tmp_path: Path) -> None:
    mac = Machine("macos", tmp_path, {})
    with pytest.raises(ClientError, match="Applications folder"):
        find_launcher(mac, python(tmp_path, frozen=True, executable=where))


def test_homebrew(tmp_path: Path) -> None:
    brew = tmp_path / "homebrew"
    keg = brew / "Cellar" / "wassette" / "0.1.0" / "libexec"
    program(keg / "bin" / "wassette", f"#!{keg}/bin/python\n")
    link = program(brew / "bin" / "wassette")
    own = find_launcher(machine(tmp_path), python(keg, package=keg / "lib" / "wassette"))
    assert own == Launcher(str(link))


def test_nix_without_a_profile(tmp_path: Path) -> None:
    """As `nix run` has it: it works, until garbage is collected."""
    store = Path("/nix/store/0123-wassette-0.1.0")
    own = find_launcher(machine(tmp_path), python(store))
    assert own.command.startswith("/nix/store/")
    assert own.note is not None
    assert "profile" in own.note


def test_nix_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STORE", tmp_path / "store")
    package = tmp_path / "store" / "0123-wassette-0.1.0"
    program(package / "bin" / "wassette")
    profile = tmp_path / ".nix-profile"
    profile.symlink_to(package)
    own = find_launcher(machine(tmp_path), python(package))
    assert own == Launcher(str(profile / "bin" / "wassette"))


def test_this_very_installation_starts() -> None:
    own = find_launcher()
    done = subprocess.run(
        [own.command, *own.arguments, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("wassette ")


def test_path_that_is_no_text(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    with pytest.raises(ClientError, match=r"\\u\{dcff\}.*not valid UTF-8"):
        find_launcher(machine(tmp_path), python(odd))


@pytest.mark.parametrize(
    ("command", "arguments", "same"),
    [
        ("{home}/bin/wassette", ("serve",), True),
        ("{home}/link", (), True),
        ("wassette", (), True),
        ("${HOME}/bin/wassette", (), True),
        ("~/bin/wassette", (), True),
        ("{home}/other", (), False),
        ("{home}/gone", (), False),
        ("python", ("-m", "wassette"), False),
    ],
)
def test_same_program(command: str, arguments: tuple[str, ...], same: bool, tmp_path: Path) -> None:
    own = program(tmp_path / "bin" / "wassette")
    program(tmp_path / "other")
    (tmp_path / "link").symlink_to(own)
    here = machine(tmp_path, HOME=str(tmp_path), PATH=str(tmp_path / "bin"))
    found = same_program(
        command.replace("{home}", str(tmp_path)), arguments, Launcher(str(own)), here
    )
    assert found is same
