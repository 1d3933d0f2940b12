"""The manifests of package managers: what they say, against what their managers take."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from ruamel.yaml import YAML

import manifests
import packages

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
SHA = re.compile(r"[0-9A-F]{64}")
# From the schema of manifests, 1.12: what each kind has to have, and what its values are like.
REQUIRED = {
    "version": {"PackageIdentifier", "PackageVersion", "DefaultLocale"},
    "installer": {"PackageIdentifier", "PackageVersion", "Installers"},
    "defaultLocale": {
        *("PackageIdentifier", "PackageVersion", "PackageLocale", "Publisher", "PackageName"),
        *("License", "ShortDescription"),
    },
}
NAME = r"[^\.\s\\/:\*\?\"<>\|\x01-\x1f]{1,32}"
PATTERNS = {
    "PackageIdentifier": rf"{NAME}(\.{NAME}){{1,7}}",
    "PackageVersion": r"[^\\/:\*\?\"<>\|\x01-\x1f]{1,128}",
    "ManifestVersion": r"1\.12\.0",
    "Moniker": r"\S{1,40}",
}
LENGTHS = {"ShortDescription": (3, 256), "Publisher": (2, 256), "Description": (3, 10000)}
ARCHITECTURES = {"x86", "x64", "arm", "arm64", "neutral"}
TYPES = {"msix", "msi", "appx", "exe", "zip", "inno", "nullsoft", "wix", "burn", "portable"}


def winget() -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted((ROOT / "winget").glob("*.yaml")):
        one = YAML(typ="safe").load(path.read_text())
        found[one["ManifestType"]] = one
    return found


def test_nothing_disagrees() -> None:
    assert manifests.check() == []


def test_winget_has_the_three_kinds() -> None:
    found = winget()
    assert set(found) == set(REQUIRED)
    for kind, one in found.items():
        assert REQUIRED[kind] <= set(one)
        for key, pattern in PATTERNS.items():
            if key in one:
                assert isinstance(one[key], str), key
                assert re.fullmatch(pattern, one[key]), key
        for key, (least, most) in LENGTHS.items():
            if key in one:
                assert least <= len(one[key]) <= most
    assert len({one["PackageVersion"] for one in found.values()}) == 1
    assert len(found["defaultLocale"]["Tags"]) <= 16


def test_wingets_installers() -> None:
    one = winget()["installer"]
    for installer in one["Installers"]:
        assert installer["Architecture"] in ARCHITECTURES
        assert installer["InstallerType"] in TYPES
        assert SHA.fullmatch(installer["InstallerSha256"])
        assert re.fullmatch(r"https://[^\s]+", installer["InstallerUrl"])
        if installer["InstallerType"] == "zip":
            assert installer["NestedInstallerType"] in TYPES - {"zip"}
            for file in installer["NestedInstallerFiles"]:
                assert ".." not in file["RelativeFilePath"]
    wanted = one["Dependencies"]["PackageDependencies"]
    assert {"PackageIdentifier": "Microsoft.EdgeWebView2Runtime"} in wanted


def test_checksums_come_from_what_was_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifests, "DIST", tmp_path)
    name = f"wassette-{packages.version()}-macos-aarch64.tar.gz"
    (tmp_path / "SHA256SUMS").write_text(f"{'ab' * 32}  {name}\n")
    template = manifests.TEMPLATES / "Formula/wassette.rb"
    assert f'sha256 "{"ab" * 32}"' in manifests.fill(template, manifests.checksums())
    with pytest.raises(SystemExit, match="macos-x86_64"):
        manifests.fill(template, manifests.checksums(), everything=True)
    (tmp_path / "SHA256SUMS").write_text("abc  name\n")
    with pytest.raises(SystemExit, match="not a checksum"):
        manifests.checksums()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `check` looks at, to be spoiled."""
    for name in ("winget", "Formula", "Casks"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "CHANGELOG.md", tmp_path)
    monkeypatch.setattr(manifests, "ROOT", tmp_path)
    return tmp_path


def test_a_check_sees_another_version_in_a_manifest(checkout: Path) -> None:
    path = checkout / "Formula/wassette.rb"
    path.write_text(path.read_text().replace(f'version "{packages.version()}"', 'version "9.9.9"'))
    assert any("Formula/wassette.rb is not what" in line for line in manifests.check())


def test_a_check_sees_a_manifest_that_is_missing_or_too_many(checkout: Path) -> None:
    (checkout / "Casks/wassette-desktop.rb").unlink()
    (checkout / "winget/Other.yaml").write_text("")
    wrong = "\n".join(manifests.check())
    assert "Casks/wassette-desktop.rb is missing" in wrong
    assert "winget/Other.yaml has no template" in wrong


def test_a_check_sees_a_changelog_without_the_version(checkout: Path) -> None:
    (checkout / "CHANGELOG.md").write_text("# Changelog\n\n## 0.0.9\n")
    assert any("CHANGELOG.md has no" in line for line in manifests.check())


def test_a_check_sees_another_tag_and_no_checksums(checkout: Path) -> None:
    wrong = "\n".join(manifests.check("v9.9.9"))
    assert "the tag is v9.9.9" in wrong
    assert "a checksum of nothing" in wrong


def _ruby(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ruby", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.mark.parametrize("file", ["Formula/wassette.rb", "Casks/wassette-desktop.rb"])
def test_ruby_has_nothing_to_say(file: str) -> None:
    done = _ruby("-wc", ROOT / file)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Syntax OK" in done.stdout


def test_rubocop_has_nothing_to_say() -> None:
    done = subprocess.run(
        [
            *("rubocop", "--cache", "false", "--only", "Layout,Lint"),
            *("--config", ROOT / "packaging/rubocop.yml", ROOT / "Formula", ROOT / "Casks"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_formula_loads_and_installs(tmp_path: Path) -> None:
    unpacked = tmp_path / "wassette"
    (unpacked / "share").mkdir(parents=True)
    for name in ("wassette", "wassette-desktop"):
        (unpacked / name).write_text("")
    for name in packages.manuals():
        (unpacked / "share" / name).write_text("")
    prefix = tmp_path / "prefix"
    done = subprocess.run(
        ["ruby", HERE / "stub.rb", ROOT / "Formula/wassette.rb", "install"],
        cwd=unpacked,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PREFIX": str(prefix)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert set(said["urls"]) == {
        f"{system}-{machine}" for system in ("macos", "linux") for machine in ("arm", "intel")
    }
    for one in said["urls"].values():
        assert SHA.fullmatch(one["sha256"].upper())
        assert f"/v{packages.version()}/" in one["url"]
    assert said["service"]["run"] == ["/opt/bin/wassette", "serve", "--http"]
    assert said["test"]
    assert (prefix / "bin/wassette").resolve() == prefix / "libexec/wassette"
    assert (prefix / "share/man/man1/wassette.1").is_file()
    assert (prefix / "share/zsh/site-functions/_wassette").is_file()


def test_the_cask_loads() -> None:
    done = _ruby(HERE / "stub.rb", ROOT / "Casks/wassette-desktop.rb")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["version"] == packages.version()
    assert said["desc"] == packages.facts().summary
    assert len(said["desc"]) <= 80
    assert not said["desc"].endswith(".")


def test_the_flake_parses_and_knows_the_version() -> None:
    parsed = subprocess.run(
        ["nix-instantiate", "--parse", ROOT / "flake.nix"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert parsed.returncode == 0, parsed.stderr
    source = (ROOT / "flake.nix").read_text()
    version = source[source.index("version = ") + len("version = ") :].partition(";")[0]
    evaluated = subprocess.run(
        ["nix-instantiate", "--eval", "--expr", version],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert evaluated.stdout.strip() == f'"{packages.version()}"', evaluated.stderr


@pytest.mark.parametrize("file", ["wassette.desktop", "wassette.metainfo.xml"])
def test_the_desktops_validators_have_nothing_to_say(tmp_path: Path, file: str) -> None:
    about = packages.facts()
    path = tmp_path / file.replace("wassette", about.id)
    path.write_text(packages.filled(ROOT / "packaging/linux" / file))
    if file.endswith(".desktop"):
        command = ["desktop-file-validate", str(path)]
    else:
        command = ["appstreamcli", "validate", "--no-net", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_manual_has_every_command_and_no_warnings(tmp_path: Path) -> None:
    from documents import manual

    page = tmp_path / "wassette.1"
    page.write_text(manual("0.1.0", "2026-01-01"))
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "MANWIDTH": "80"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("wassette serve", "wassette component load", "wassette approvals allow"):
        assert f".SS {command}" in page.read_text()


def test_completions_are_scripts(tmp_path: Path) -> None:
    from documents import completions

    made = completions()
    assert set(made) == {"wassette.bash", "wassette.zsh", "wassette.fish"}
    file = tmp_path / "wassette.bash"
    file.write_bytes(made["wassette.bash"])
    subprocess.run(["bash", "-n", file], check=True, timeout=60)
    assert b"_WASSETTE_COMPLETE" in made["wassette.zsh"]


def test_the_workflow_asks_for_what_can_be_built() -> None:
    workflow = YAML(typ="safe").load((ROOT / ".github/workflows/release.yml").read_text())
    builds = workflow["jobs"]["build"]["strategy"]["matrix"]["include"]
    wanted = {verb for one in builds for verb in one["what"].split()}
    assert wanted <= set(packages.VERBS)
    assert all("icons" in one["what"] for one in builds if one.keys() & {"image", "installer"})


def test_icons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "BUILD", tmp_path)
    made = packages.icons()
    windows = (ROOT / "packaging/windows/wassette.iss").read_text()
    assert r"build\icons\wassette.ico" in windows
    assert "build/icons/wassette.iconset" in (ROOT / "packaging/macos/dmg").read_text()
    with Image.open(made / "wassette.ico") as icon:
        assert {(16, 16), (32, 32), (48, 48), (256, 256)} <= icon.info["sizes"]
    for file in (made / "wassette.iconset").iterdir():
        side, _, twice = file.stem.removeprefix("icon_").partition("@")
        with Image.open(file) as picture:
            assert picture.width == picture.height == int(side.split("x")[0]) * (2 if twice else 1)
            opaque = picture.getchannel("A")
            assert opaque.getpixel((picture.width // 2, picture.height // 5)) == 255
            assert opaque.getpixel((0, 0)) == 0
