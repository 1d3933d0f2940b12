"""The tool chains of all languages, there before the tests run: `python -m support.toolchains`.

`component build` installs what it needs when that is first wanted, Cargo fetches crates, and the
servers that ours are compared with come from npm and PyPI. Tests need no network, so it is all done
when the tests are set up, where the tests find it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from wassette.projects.create import create
from wassette.projects.tools import Tools

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "components"))

from build import NODE_MODULES, cache_folder  # noqa: E402

from support import peers  # noqa: E402

REAL_HOME = Path.home()  # tests have others
RUST_TARGET = "wasm32-wasip2"
_CRATES_OF = (
    ROOT / "backend/wassette/projects/templates/rust/Cargo.toml",
    ROOT / "examples/fetch-rs/Cargo.toml",
)


def folder() -> Path:
    """Where they are kept, for all tests and from one run to the next."""
    return cache_folder() / "tools"


def variables() -> dict[str, str]:
    """With which they are found there, and the tests' own Node.js."""
    kept = folder()
    return {
        "PATH": f"{NODE_MODULES / '.bin'}{os.pathsep}{os.environ['PATH']}",
        "GOCACHE": str(kept / "go"),
        "CARGO_HOME": str(kept / "cargo"),
        # Crates that one project has compiled are there for the next (Cargo 1.91 and newer).
        "CARGO_BUILD_BUILD_DIR": str(kept / "crates"),
        "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(REAL_HOME / ".rustup")),
    }


def has_rust() -> bool:
    """Whether Rust is here, and has been set up."""
    return shutil.which("cargo") is not None and _stamp().is_file()


def _stamp() -> Path:
    """Of the crates that are asked for."""
    wanted = hashlib.sha256(b"\0".join(file.read_bytes() for file in _CRATES_OF))
    return folder() / f"crates-{wanted.hexdigest()[:16]}.fetched"


def _rust_is_missing() -> str | None:
    if shutil.which("cargo") is None or shutil.which("rustc") is None:
        return "Cargo is missing"
    asked = ("rustc", "--print", "target-libdir", "--target", RUST_TARGET)
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    if answer.returncode or not Path(answer.stdout.strip()).is_dir():
        return f"Rust's target {RUST_TARGET} is missing"
    return None


def _compile_crates() -> None:
    """Fetch and compile what the template and the example depend on, once."""
    if has_rust():
        return
    with tempfile.TemporaryDirectory() as scratch:
        template = create(Path(scratch) / "my-tool", "my-tool", "rust").folder
        example = Path(scratch) / "fetch-rs"
        shutil.copytree(
            ROOT / "examples/fetch-rs", example, ignore=shutil.ignore_patterns("target")
        )
        for project in (template, example):
            subprocess.run(
                ("cargo", "build", "--quiet", "--release", "--target", RUST_TARGET),
                cwd=project,
                check=True,
            )
    _stamp().touch()


def main() -> None:
    folder().mkdir(parents=True, exist_ok=True)
    os.environ.update(variables())
    tools = Tools(folder(), lambda text: print(text, file=sys.stderr))
    for npm in ("js", "component"):
        tools.node(npm)
    for pip in ("python", "zig"):
        tools.python(pip)
    peers.install()
    if missing := _rust_is_missing():
        print(f"{missing}: tests of components in Rust are skipped", file=sys.stderr)
    else:
        _compile_crates()


if __name__ == "__main__":
    main()
