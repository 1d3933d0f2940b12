"""`component new`, `build`, `load` and a call, by the command line, with the real tool chains.

They are installed where `component build` would install them, but once for all tests.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.examples import use_tool_chains
from support.processes import eventually
from support.toolchains import folder, has_rust

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LANGUAGES = [
    "js",
    "py",
    "c",
    pytest.param("go", marks=pytest.mark.skipif(not shutil.which("go"), reason="no Go here")),
    pytest.param(
        "rust",
        marks=pytest.mark.skipif(
            not has_rust(), reason="no Rust here, or `scripts/test` has not set it up"
        ),
    ),
]


@pytest.fixture(autouse=True)
def tool_chains(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_tool_chains(monkeypatch)
    (home / "cache" / "wassette").mkdir(parents=True)
    (home / "cache" / "wassette" / "tools").symlink_to(folder())


def wassette(*arguments: str | Path, fails: bool = False) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "wassette", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == fails, done.stderr
    return done.stderr if fails else done.stdout


@pytest.mark.parametrize("language", LANGUAGES)
def test_from_nothing_to_a_called_tool(home: Path, tmp_path: Path, language: str) -> None:
    project = tmp_path / "my-tool"
    made = json.loads(
        wassette("component", "new", "--lang", language, "my-tool", "--directory", project)
    )
    assert (made["language"], made["directory"]) == (language, str(project))
    assert made["next"] == [
        f"wassette component build {project}",
        f"wassette component load {project / 'my-tool.wasm'}",
    ]
    built = json.loads(wassette("component", "build", project))
    assert built["bytes"] == (project / "my-tool.wasm").stat().st_size
    loaded = json.loads(wassette("component", "load", project / "my-tool.wasm"))
    assert (loaded["id"], loaded["tools"]) == ("my-tool", ["greet", "count-words"])

    def invoke(tool: str, fails: bool = False, **arguments: str) -> str:
        given = ("--args", json.dumps(arguments))
        return wassette("tool", "invoke", tool, *given, fails=fails)

    assert json.loads(invoke("greet", who="Ada Łovelace")) == {"ok": "Hello, Ada Łovelace!"}
    assert json.loads(invoke("count-words", text=" one  two\nthree ")) == 3
    assert json.loads(invoke("count-words", text="word " * 20_000)) == 20_000
    described = json.loads(wassette("tool", "list"))
    [greet] = [tool for tool in described["tools"] if tool["name"] == "greet"]
    assert greet["description"].startswith("Says hello.")
    schema = greet.get("input_schema") or greet["inputSchema"]
    assert schema["properties"]["who"]["description"] == "the name of whom to greet"


def test_what_the_compiler_says_is_shown(home: Path, tmp_path: Path) -> None:
    project = tmp_path / "my-tool"
    wassette("component", "new", "--lang", "c", "my-tool", "--directory", project)
    (project / "component.c").write_text('#include "component.h"\nint x = "text";\n')
    said = wassette("component", "build", project, fails=True)
    assert "component.c:2" in said
    assert not (project / "my-tool.wasm").exists()
    assert "not empty" in wassette(
        "component", "new", "--lang", "c", "x", "--directory", project, fails=True
    )
    assert "component new" in wassette("component", "build", tmp_path, fails=True)


@pytest.fixture
def developing(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str], Path]]:
    """A project that `component dev` runs on, and what that has said so far."""
    project = tmp_path / "my-tool"
    wassette("component", "new", "--lang", "c", "my-tool", "--directory", project)
    said = tmp_path / "said"
    with said.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "wassette", "component", "dev", str(project)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
        )
        try:
            yield project, process, said
        finally:
            process.terminate()
            process.wait(60)


def test_a_change_is_built_and_loaded(
    home: Path, developing: tuple[Path, subprocess.Popen[str], Path]
) -> None:
    project, process, said = developing

    def says(text: str, times: int = 1) -> bool:
        assert process.poll() is None, said.read_text()
        return said.read_text().count(text) >= times

    assert eventually(lambda: says("tools: greet, count-words"), 300)
    source = project / "component.c"
    good = source.read_text()
    source.write_text(good.replace("Hello, ", "Howdy, "))
    assert eventually(lambda: says("tools: greet, count-words", 2), 300)
    answer = wassette("tool", "invoke", "greet", "--args", '{"who": "Ada"}')
    assert json.loads(answer) == {"ok": "Howdy, Ada!"}
    source.write_text("nonsense\n")
    assert eventually(lambda: says("Error:"), 300)
    source.write_text(good)  # it goes on after a mistake
    assert eventually(lambda: says("tools: greet, count-words", 3), 300)
    answer = wassette("tool", "invoke", "greet", "--args", '{"who": "Ada"}')
    assert json.loads(answer) == {"ok": "Hello, Ada!"}
