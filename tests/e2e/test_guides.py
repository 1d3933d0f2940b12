"""The prompts that say how to build a component: following them gives a component that works.

The commands are run as they are written, with the tools that are installed here in place of those
that they install. Rust, C and Go need tool chains that the tests do not have; of these it is
checked that nothing is left to fill in, and that the WIT is right.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from build import COMPONENTIZE, NODE_MODULES, ROOT

from wassette.mcp.prompts import guide

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.host import Host

pytestmark = pytest.mark.anyio
LANGUAGES = ["javascript", "python", "c", "rust", "go"]
NAME = "my-greeter"


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def write_wit(text: str, folder: Path) -> None:
    [wit] = blocks(text, "wit")
    (folder / "wit").mkdir()
    (folder / "wit" / f"{NAME}.wit").write_text(wit)


def build_commands(text: str) -> list[str]:
    """Those of the section `Building`."""
    return blocks(text.partition("## Building")[2], "sh")[0].splitlines()


def run(command: str, folder: Path) -> None:
    path = f"{NODE_MODULES / '.bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def build_javascript(text: str, folder: Path) -> None:
    source, script = blocks(text, "js")
    (folder / f"{NAME}.js").write_text(source)
    (folder / "build.mjs").write_text(script)
    install, build = build_commands(text)
    package, version = re.fullmatch(r"npm install --save-dev (@\S+)@([0-9.]+)", install).groups()  # type: ignore[union-attr]
    assert f'"version": "{version}"' in (NODE_MODULES / package / "package.json").read_text()
    (folder / "node_modules").symlink_to(NODE_MODULES)
    run(build, folder)


def build_python(text: str, folder: Path) -> None:
    (folder / "app.py").write_text(blocks(text, "python")[0])
    venv, install, build = build_commands(text)
    assert venv == "python3 -m venv .venv"
    pyproject = (ROOT / "pyproject.toml").read_text()
    assert install.split()[-1] in pyproject
    run(build.replace(".venv/bin", os.path.dirname(sys.executable)), folder)


@pytest.mark.parametrize("language", ["javascript", "python"])
async def test_following_it_gives_a_component(host: Host, tmp_path: Path, language: str) -> None:
    text = guide(language, NAME, "Greet people")
    write_wit(text, tmp_path)
    {"javascript": build_javascript, "python": build_python}[language](text, tmp_path)
    loaded = await host.load(str(tmp_path / f"{NAME}.wasm"))
    assert (loaded.record.id, loaded.tools) == (NAME, ("greet",))
    assert (await host.call_tool("greet", {"who": "Ada"})).value == {"ok": "Hello, Ada!"}
    failed = await host.call_tool("greet", {"who": ""})
    assert (failed.is_error, failed.value) == (True, {"err": "nobody to greet"})


@pytest.mark.parametrize("language", LANGUAGES)
def test_is_complete(language: str, tmp_path: Path) -> None:
    text = guide(language, NAME, "Greet {{name}} people")
    assert "What it is to do: Greet {{name}} people" in text  # not filled in
    assert "{{" not in text.replace("Greet {{name}} people", "")
    assert f"wassette component load {NAME}.wasm" in text
    assert build_commands(text)
    [wit] = blocks(text, "wit")
    assert f"world {NAME} {{" in wit
    source, output = tmp_path / "world.wit", tmp_path / "world.wasm"
    # Its version of WASI is the one that the tool chain has; ours has another.
    source.write_text(wit.replace("wasi:cli/imports@0.2.0", "wasi:cli/imports@0.2.12"))
    command = f"node {COMPONENTIZE} --wit {source} --world {NAME} --dummy -o {output}"
    run(command, ROOT)
