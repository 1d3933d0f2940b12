"""install.sh, run against a release server on this machine."""

from __future__ import annotations

import os
import platform
import subprocess
from typing import TYPE_CHECKING

import pytest

import packages
from support.releases import VERSION, Releases, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="installs for Linux")


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[Releases]:
    with serving(tmp_path, packages.filled(packages.HERE / "install.sh")) as found:
        yield found


def test_shellcheck_has_nothing_to_say() -> None:
    done = subprocess.run(
        ["shellcheck", packages.HERE / "install.sh"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_installs_the_newest_and_removes_all_of_it(releases: Releases) -> None:
    releases.release(releases.archive())
    kept = releases.home / ".local/share/wassette/components/mine.wasm"
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")
    before = releases.left()
    done = releases.run()
    assert done.returncode == 0, done.stderr
    command = releases.home / ".local/bin/wassette"
    said = subprocess.run([command], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout == f"wassette {VERSION}\n"
    service = releases.home / ".local/share/systemd/user/wassette.service"
    assert f"ExecStart={releases.app}/wassette serve" in service.read_text()
    again = releases.run("--version", VERSION)  # over itself
    assert again.returncode == 0, again.stderr
    assert releases.run("--uninstall").returncode == 0
    assert releases.left() == before
    gone = releases.run("--uninstall")
    assert gone.returncode == 1
    assert "nothing is installed" in gone.stderr


def test_attack_other_bytes_than_were_released(releases: Releases) -> None:
    releases.release(releases.archive(), digest="ab" * 32)
    done = releases.run()
    assert done.returncode == 1
    assert "is not what was released" in done.stderr
    assert "ab" * 32 in done.stderr
    assert releases.left() == []


def test_a_bad_release_leaves_the_installed_one(releases: Releases) -> None:
    releases.release(releases.archive())
    assert releases.run().returncode == 0
    installed = releases.left()
    releases.release(releases.archive("other"), digest="cd" * 32)
    assert releases.run().returncode == 1
    broken = releases.archive()[:100]
    releases.release(broken)
    done = releases.run()
    assert done.returncode == 1
    assert "cannot be unpacked" in done.stderr
    assert [name for name in releases.left() if "wassette-app.new" not in name] == installed
    command = releases.home / ".local/bin/wassette"
    said = subprocess.run([command], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout == f"wassette {VERSION}\n"


def test_a_program_of_somebody_else_is_left_alone(releases: Releases) -> None:
    releases.release(releases.archive())
    theirs = releases.home / ".local/bin/wassette"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    done = releases.run()
    assert done.returncode == 1
    assert "is not ours" in done.stderr
    assert releases.left() == [".local/bin/wassette"]
    assert theirs.read_text() == "theirs"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--version", "9.9.9"), "there is no release 9.9.9"),
        (("--version", "../../x"), "that is not a version"),
        (("--version", "1; rm -rf /"), "that is not a version"),
        (("--version",), "--version needs"),
        (("--prefix", "relative"), "absolute"),
        (("--other",), "unknown option"),
        (("--require-signature",), "signature"),
    ],
)
def test_what_it_does_not_do(releases: Releases, arguments: tuple[str, ...], said: str) -> None:
    releases.release(releases.archive())
    done = releases.run(*arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert releases.left() == []


def test_attack_releases_over_plain_http(releases: Releases) -> None:
    done = releases.run(WASSETTE_RELEASES="http://releases.example/x")
    assert done.returncode == 1
    assert "over https" in done.stderr


def test_attack_a_host_that_begins_as_this_one(releases: Releases) -> None:
    done = releases.run(WASSETTE_RELEASES="http://127.0.0.1.evil.example/x")
    assert done.returncode == 1
    assert "over https" in done.stderr


def test_a_signature_that_is_not_ours_is_refused(releases: Releases, tmp_path: Path) -> None:
    """With the program that verifies signatures saying no, as it does for any but ours."""
    releases.release(releases.archive())
    (releases.folder / f"download/v{VERSION}/SHA256SUMS.sigstore.json").write_text("{}")
    programs = tmp_path / "programs"
    programs.mkdir()
    cosign = programs / "cosign"
    cosign.write_text("#!/bin/sh\nexit 1\n")
    cosign.chmod(0o755)
    done = releases.run(PATH=f"{programs}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert "not ours" in done.stderr
    assert releases.left() == []
