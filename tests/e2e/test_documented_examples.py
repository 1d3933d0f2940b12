"""The storage examples of the documents, as written, by the command and real components."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Component = Callable[[str], Path]


@pytest.fixture
def shell(
    home: Path, tmp_path: Path, fixture_component: Component
) -> Callable[[str], tuple[int, Any]]:
    """Runs a line of a document in bash, in a directory of its own; (exit code, JSON or text)."""
    work = tmp_path / "work"
    work.mkdir()
    tools = tmp_path / "bin"
    tools.mkdir()
    command = tools / "wassette"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wassette "$@"\n')
    command.chmod(0o755)
    (work / "my-tool.wasm").write_bytes(fixture_component("c-probe").read_bytes())
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}

    def run(line: str) -> tuple[int, Any]:
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            return done.returncode, done.stdout + done.stderr

    assert run("wassette component load file://./my-tool.wasm")[0] == 0
    return run


def invoke(shell: Callable[[str], tuple[int, Any]], tool: str, **arguments: str) -> Any:
    return shell(f"wassette tool invoke {tool} --args '{json.dumps(arguments)}'")[1]


def test_local_development(shell: Callable[[str], tuple[int, Any]], tmp_path: Path) -> None:
    """The workflow "Local Development"; the directory is made by the component itself."""
    workspace = tmp_path / "work" / "workspace"
    for line in (
        "wassette permission grant storage my-tool fs://$(pwd)/workspace --access read,write",
        "wassette permission grant network my-tool api.example.com",
        "wassette permission grant memory my-tool 512Mi",
    ):
        code, answer = shell(line)
        assert (code, answer["status"]) == (0, "permission granted successfully"), answer
    workspace.mkdir()
    assert invoke(shell, "write-file", path=f"{workspace}/a.txt", text="hello") == {"ok": None}
    assert (workspace / "a.txt").read_text() == "hello"
    assert "err" in invoke(shell, "read-file", path=f"{workspace}/../my-tool.wasm")
    code, policy = shell("wassette policy get my-tool --output-format json")
    assert policy["permissions"]["storage"] == [
        {"uri": f"fs://{workspace}", "access": ["read", "write"]}
    ]
    assert policy["permissions"]["resources"]["limits"]["memory"] == "512Mi"


def test_example_policy(shell: Callable[[str], tuple[int, Any]], tmp_path: Path) -> None:
    """`fs://workspace/**` and the single file `fs://config/app.yaml`, bound to directories."""
    folder = tmp_path / "project"
    (folder / "config").mkdir(parents=True)
    (folder / "workspace").mkdir()
    (folder / "config" / "app.yaml").write_text("debug: true")
    (folder / "config" / "secret.yaml").write_text("password")
    for line in (
        "permission grant storage my-tool 'fs://workspace/**' --access read,write",
        "permission grant storage my-tool fs://config/app.yaml --access read",
        f"policy bind my-tool workspace {folder}/workspace",
        f"policy bind my-tool config {folder}/config",
    ):
        assert shell(f"wassette {line}")[0] == 0, line
    assert invoke(shell, "write-file", path="workspace/x/../a.txt", text="1") == {"ok": None}
    assert (folder / "workspace" / "a.txt").read_text() == "1"
    assert invoke(shell, "read-file", path="/config/app.yaml") == {"ok": "debug: true"}
    assert "err" in invoke(shell, "read-file", path="/config/secret.yaml")
    assert invoke(shell, "list-dir", path="/config") == {"ok": ["app.yaml"]}
    assert "err" in invoke(shell, "write-file", path="/config/app.yaml", text="x")
    code, verdict = shell("wassette policy explain my-tool storage /config/secret.yaml -o json")
    assert (code, verdict["allowed"]) == (0, False)


def test_unbound_roots_are_private(shell: Callable[[str], tuple[int, Any]]) -> None:
    grant = "permission grant storage my-tool fs://workspace/ --access read,write"
    assert shell(f"wassette {grant}")[0] == 0
    assert invoke(shell, "write-file", path="/workspace/note.txt", text="kept") == {"ok": None}
    assert invoke(shell, "read-file", path="workspace/note.txt") == {"ok": "kept"}
    assert shell("wassette permission revoke storage my-tool fs://workspace/")[0] == 0
    assert "err" in invoke(shell, "read-file", path="/workspace/note.txt")
