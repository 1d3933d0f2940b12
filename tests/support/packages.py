"""Packages, built and installed, each in a place of its own: `python -m support.packages`.

Building takes minutes and installing a wheel needs the network, so both are done when the tests are
set up, not while they run; what is there already for these sources is left.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "build" / "installed"
STAMP = PLACE / ".stamp"
MOMENT = PLACE / ".moment"
"""Has the `SOURCE_DATE_EPOCH` that they were built with: a later commit has another."""
VALIDATOR = PLACE / "cyclonedx/bin/python"
CYCLONEDX = "cyclonedx-python-lib[json-validation]==11.12.0"
KINDS = ("tar", "deb", "wheel", "sdist")
_SOURCES = ("backend", "desktop", "frontend/src", "packaging", "pyproject.toml", "uv.lock")


@dataclass(frozen=True)
class Installed:
    """A package as it is installed: its commands."""

    kind: str
    wassette: Path
    desktop: Path
    frozen: bool


def installed(kind: str) -> Installed:
    root = PLACE / kind
    programs = {
        "tar": root / "share/wassette-app",
        "deb": root / "usr/bin",
        "wheel": root / "bin",
        "sdist": root / "bin",
    }[kind]
    return Installed(
        kind, programs / "wassette", programs / "wassette-desktop", kind in ("tar", "deb")
    )


def digest() -> str:
    """Of everything that packages are made from."""
    total = hashlib.sha256()
    for name in _SOURCES:
        place = ROOT / name
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file() and "__pycache__" not in path.parts and "static" not in path.parts:
                total.update(f"{path.relative_to(ROOT)}\0".encode())
                total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def current() -> bool:
    return STAMP.is_file() and STAMP.read_text() == digest()


def build() -> None:
    """Build all of them, and install each from what was built."""
    if current():
        return
    shutil.rmtree(PLACE, ignore_errors=True)
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    moment = os.environ.get("SOURCE_DATE_EPOCH") or _output("git", "log", "-1", "--format=%ct")
    _run(
        sys.executable,
        "packaging/packages.py",
        "bundle",
        "tar",
        "deb",
        "wheel",
        "sbom",
        "sums",
        SOURCE_DATE_EPOCH=moment,
    )
    [archive] = ROOT.glob("dist/wassette-*-linux-*.tar.gz")
    app = PLACE / "tar/share/wassette-app"
    app.mkdir(parents=True)
    _run("tar", "-xzf", archive, "-C", app, "--strip-components", "1")
    [package] = ROOT.glob("dist/*.deb")
    _run("dpkg-deb", "-x", package, PLACE / "deb")
    uv = shutil.which("uv") or ROOT / ".tools/bin/uv"
    # Without Node: the window is in what is installed.
    programs = _without_node(os.environ["PATH"])
    for kind, pattern in {"wheel": "dist/*.whl", "sdist": "dist/wassette_desktop-*.tar.gz"}.items():
        [file] = ROOT.glob(pattern)
        # As users have it: an environment of its own, and its commands in another directory.
        _run(
            *(uv, "tool", "install", "--quiet", "--python", sys.executable, file),
            PATH=programs,
            UV_TOOL_DIR=str(PLACE / kind / "tools"),
            UV_TOOL_BIN_DIR=str(PLACE / kind / "bin"),
        )
    # In a place of its own: what it brings would be imported with jsonschema by every process of
    # ours, and take it a second.
    _run(uv, "venv", "--quiet", "--python", sys.executable, VALIDATOR.parents[1])
    _run(*(uv, "pip", "install", "--quiet", "--python", VALIDATOR), CYCLONEDX)
    MOMENT.write_text(moment)
    STAMP.write_text(digest())


def _without_node(path: str) -> str:
    kept = []
    for one in path.split(os.pathsep):
        if not any((Path(one) / name).exists() for name in ("node", "npm")):
            kept.append(one)
            continue
        # Others may lie beside them, as in /usr/bin.
        mirror = PLACE / "programs" / hashlib.sha256(one.encode()).hexdigest()[:8]
        mirror.mkdir(parents=True, exist_ok=True)
        for program in Path(one).iterdir():
            if program.name not in ("node", "npm", "npx", "nodejs"):
                (mirror / program.name).symlink_to(program)
        kept.append(str(mirror))
    return os.pathsep.join(kept)


def _output(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _run(*command: str | Path, **environment: str) -> None:
    env = {"PACKAGE_EFFORT": "1", **os.environ, **environment}
    subprocess.run([str(one) for one in command], cwd=ROOT, check=True, env=env)


if __name__ == "__main__":
    build()
