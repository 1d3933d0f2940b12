"""component load, unload, list; inspect."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from wasmtime import wat2wasm

from support.cli import Cli, Done, component, described, multiply
from wassette.components.sources import MAX_COMPONENT

WIT_PACKAGE = '(component (type (export "p") (component (export "t:p/i" (instance)))))'
HOSTILE = "Safe \x1b[2Jtool \u202egnp.exe\u200b\u2066"


def texts(done: Done) -> tuple[int, str]:
    assert done.out == ""
    return done.code, done.err


# ---- load ----------------------------------------------------------------------------------------


def test_load_list_unload_as_documented(cli: Cli) -> None:
    source = cli.home / "my-tool.wasm"
    source.write_bytes(component("echo", "add", docs=described("Says things")))
    assert cli.ok("component", "load", f"file://{source}") == {
        "status": "component loaded successfully",
        "id": "my-tool",
        "tools": ["echo", "add"],
    }
    assert cli.ok("component", "load", source)["status"] == "component reloaded successfully"
    listed = cli.ok("component", "list")
    assert listed["total"] == 1
    [entry] = listed["components"]
    assert (entry["id"], entry["tools_count"]) == ("my-tool", 2)
    echo = entry["schema"]["tools"][0]
    assert list(echo) == ["name", "description", "inputSchema", "outputSchema"]
    assert echo["inputSchema"]["required"] == ["text"]
    assert cli.ok("component", "unload", "my-tool") == {
        "status": "component unloaded successfully",
        "id": "my-tool",
    }
    assert cli.ok("component", "list") == {"components": [], "total": 0}
    done = cli("component", "unload", "my-tool")
    assert (done.code, done.out, done.err) == (1, "", "Error: Component 'my-tool' not found\n")


@pytest.mark.parametrize(
    "reference",
    [
        "my-tool.wasm",
        "./my-tool.wasm",
        "../w/my-tool.wasm",
        "file://./my-tool.wasm",
        "file://my-tool.wasm",
        "~/w/my-tool.wasm",
    ],
)
def test_relative_references(
    cli: Cli, inside: Any, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    folder = cli.home / "w"
    folder.mkdir()
    (folder / "my-tool.wasm").write_bytes(component("add"))
    monkeypatch.chdir(folder)
    done = inside("component", "load", reference)
    assert (done.code, done.err) == (0, "")
    assert done.json["id"] == "my-tool"
    source = inside("inspect", "my-tool", "-o", "json").json["source"]
    assert source == (folder / "my-tool.wasm").as_uri()


def test_load_starter(cli: Cli) -> None:
    loaded = cli.ok("component", "load", "starter:toolbox")
    assert "uuid" in loaded["tools"]
    assert len(cli.ok("tool", "invoke", "uuid", "-o", "json")["result"]) == 36


def test_reload_of_other_bytes_says_what_it_keeps(cli: Cli, inside: Any) -> None:
    source = cli.home / "x.wasm"
    source.write_bytes(component("add"))
    inside("component", "load", source)
    source.write_bytes(component("add", "echo"))
    done = inside("component", "load", source)
    assert (done.code, done.json["tools"]) == (0, ["add", "echo"])
    assert done.err.startswith("Note: 'x' changed (sha256 ")
    assert done.err.endswith("It has no permissions.\n")
    inside("permission", "grant", "storage", "x", f"fs://{cli.home}", "--access", "read")
    inside("permission", "grant", "storage", "x", "fs://data", "--access", "read,write")
    inside("permission", "grant", "network", "x", "a.com")
    inside("permission", "grant", "environment-variable", "x", "KEY")
    source.write_bytes(component("echo"))
    done = inside("component", "load", source)
    assert "tool “add” is gone" in done.err
    assert "its permissions wait until one has: wassette component load" in done.err
    # The same bytes again are no more seen than before.
    assert "tool “add” is gone" in inside("component", "load", source).err
    source.write_bytes(component("add", "echo"))
    done = inside("component", "load", source, "--keep-permissions")
    assert "new tool “add”" in done.err
    assert (
        f"It keeps its permissions: storage fs://{cli.home} (read), storage fs://data (read, "
        "write), network a.com, environment KEY; take them back with `wassette permission reset x`."
        in done.err
    )
    assert inside("component", "load", source).err == ""


UNREADABLE = [
    ("invalid://path", "Unsupported URI scheme 'invalid'. Use 'file://' or 'oci://'\n"),
    ("http://example.com/x.wasm", "Unsupported URI scheme 'http'. Use 'file://' or 'oci://'\n"),
    (
        "oci://127.0.0.1:1/a/b:latest",
        "Failed to load component: oci://127.0.0.1:1/a/b:latest\nCaused by:\n"
        "  0: 127.0.0.1:1: 127.0.0.1 does not accept connections on port 1\n",
    ),
    (
        "https://127.0.0.1:1/x.wasm",
        "Failed to load component: https://127.0.0.1:1/x.wasm\n"
        "Caused by:\n  0: Failed to download component from URL: https://127.0.0.1:1/x.wasm. ",
    ),
    (
        "oci://ghcr.io/a/../b",
        "Failed to load component: oci://ghcr.io/a/../b\n"
        "Caused by:\n  0: Failed to parse OCI reference 'oci://ghcr.io/a/../b': ",
    ),
    ("", "Failed to load component: \nCaused by:\n  0: Invalid component reference. "),
    (
        "nope.wasm",
        "Failed to load component: nope.wasm\nCaused by:\n  0: Component path does not exist: ",
    ),
    (
        "file:///nope.wasm",
        "Failed to load component: file:///nope.wasm\nCaused by:\n"
        "  0: Component path does not exist: ",
    ),
    ("file://", "Failed to load component: file://\nCaused by:\n  0: file:// names no file"),
    (
        "starter:nope",
        "Failed to load component: starter:nope\nCaused by:\n"
        "  0: There is no starter component 'nope'. There is: ",
    ),
]


@pytest.mark.parametrize(("reference", "text"), UNREADABLE)
def test_unusable_references(inside: Any, reference: str, text: str) -> None:
    code, err = texts(inside("component", "load", reference))
    assert code == 1
    assert err.startswith(f"Error: {text}")


def test_directory_and_wrong_extension(cli: Cli, inside: Any) -> None:
    (cli.home / "d.wasm").mkdir()
    (cli.home / "x.txt").write_bytes(component("add"))
    assert "is a directory, not a component file" in texts(inside("component", "load", "d.wasm"))[1]
    code, err = texts(inside("component", "load", "x.txt"))
    assert code == 1
    assert "Invalid file extension for component: " in err
    assert "Component file must have .wasm extension." in err


def truncated(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


BYTES = [
    ("core module", bytes(wat2wasm("(module)")), "core"),
    ("WIT package", bytes(wat2wasm(WIT_PACKAGE)), "WIT package"),
    ("truncated", truncated(component()), "is cut short"),
    ("random", random.Random(1).randbytes(4096), "is not"),
    ("empty", b"", "is"),
    ("text", b"#!/bin/sh\necho hello\n", "is not"),
    ("no function", bytes(wat2wasm("(component (core module))")), "exports no function"),
]


@pytest.mark.parametrize(("data", "text"), [pytest.param(d, t, id=n) for n, d, t in BYTES])
def test_bytes_that_are_no_component(cli: Cli, inside: Any, data: bytes, text: str) -> None:
    (cli.home / "x.wasm").write_bytes(data)
    code, err = texts(inside("component", "load", "x.wasm"))
    assert code == 1
    assert err.startswith("Error: Failed to load component: x.wasm\nCaused by:\n  0: file://")
    assert text in err
    assert "Traceback" not in err
    assert inside("component", "list").json == {"components": [], "total": 0}
    assert not list(cli.components.glob(".incoming*"))


def test_huge_file_is_refused_at_once(cli: Cli, inside: Any) -> None:
    with (cli.home / "x.wasm").open("wb") as file:
        file.truncate(2 * 1024**3)
    before = time.monotonic()
    code, err = texts(inside("component", "load", "x.wasm"))
    assert code == 1
    assert f"is too large: 2,048 MB; the limit is {MAX_COMPONENT // 2**20} MB" in err
    assert time.monotonic() - before < 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_fifo_does_not_hang(cli: Cli) -> None:
    os.mkfifo(cli.home / "x.wasm")
    done = cli("component", "load", "x.wasm", timeout=20)
    assert done.code == 1
    assert "is not a regular file" in done.err


def test_name_that_gives_no_id(cli: Cli, inside: Any) -> None:
    (cli.home / "....wasm").write_bytes(component("add"))
    code, err = texts(inside("component", "load", "....wasm"))
    assert code == 1
    assert "is not a component id" in err


@pytest.mark.parametrize(
    "command",
    [("component", "unload"), ("inspect",), ("policy", "get"), ("permission", "reset")],
    ids=" ".join,
)
@pytest.mark.parametrize("component_id", ["../../etc/passwd", "x/y", "UPPER", "\x1b[2J", "nope"])
def test_ids_are_never_paths(
    loaded: Cli, inside: Any, command: tuple[str, ...], component_id: str
) -> None:
    code, err = texts(inside(*command, component_id))
    assert code == 1
    expected = "Component 'nope' not found" if component_id == "nope" else "is not a component id"
    assert expected in err
    assert "\x1b" not in err


# ---- list ----------------------------------------------------------------------------------------


def test_list_formats(loaded: Cli) -> None:
    as_json = loaded.ok("component", "list", "-o", "json")
    from ruamel.yaml import YAML

    done = loaded("component", "list", "--output-format", "yaml")
    assert YAML(typ="safe").load(done.out) == as_json
    assert done.out.startswith("components:\n- id: tools\n  tools_count: 5\n  schema:\n")
    done = loaded("-o", "table", "component", "list")
    assert done.out == (
        "ID    | Tools | Description\n------|-------|-------------\ntools | 5     | Says things.\n"
    )


def test_hostile_descriptions_are_made_visible(cli: Cli, inside: Any) -> None:
    (cli.home / "x.wasm").write_bytes(component("add", docs=described(HOSTILE, add=HOSTILE)))
    assert inside("component", "load", "x.wasm").code == 0
    shown = "Safe \\u{1b}[2Jtool \\u{202e}gnp.exe\\u{200b}\\u{2066}"
    for command in (["component", "list"], ["tool", "list"]):
        done = inside(*command, "-o", "table")
        assert shown in done.out
        assert not set(done.out) & set(HOSTILE) & set("\x1b\u202e\u200b\u2066")
    done = inside("inspect", "x")
    assert not set(done.out) & set("\x1b\u202e\u200b\u2066")
    done = inside("component", "list")  # JSON: the very same value, escaped
    assert done.json["components"][0]["schema"]["tools"][0]["description"] == HOSTILE
    assert not set(done.out) & set("\x1b\u202e\u200b\u2066")


def test_component_put_there_by_hand(cli: Cli, inside: Any) -> None:
    cli.components.mkdir(parents=True)
    (cli.components / "good.wasm").write_bytes(component("add"))
    (cli.components / "bad.wasm").write_bytes(b"nonsense")
    done = inside("component", "list")
    assert done.code == 0
    bad, good = done.json["components"]
    assert (good["id"], good["tools_count"]) == ("good", 1)
    assert (bad["id"], bad["tools_count"], bad["schema"]) == ("bad", 0, None)
    assert "is not WebAssembly" in bad["error"]
    assert "Cannot be used: " in inside("component", "list", "-o", "table").out
    assert inside("tool", "invoke", "add", "--args", '{"a": 1, "b": 2}').out == "3\n"


def test_component_changed_on_disk(loaded: Cli, inside: Any) -> None:
    (loaded.components / "tools.wasm").write_bytes(component("add"))
    [entry] = inside("component", "list").json["components"]
    assert "changed on disk" in entry["error"]
    code, err = texts(inside("tool", "invoke", "add", "--args", '{"a": 1, "b": 2}'))
    assert code == 1
    assert err.startswith("Error: Unknown tool: add\n")
    assert "tools: The bytes of component 'tools' changed on disk" in err


def test_colliding_tools_have_names_of_their_own(loaded: Cli, inside: Any) -> None:
    multiply(loaded, "tools", 2)
    first, second = inside("component", "list").json["components"]
    assert [one["name"] for one in first["schema"]["tools"]][:2] == ["echo", "add"]
    assert second["renamed_tools"]["add"] == "tools-0__add"
    call = inside("tool", "invoke", "tools-0__add", "--args", '{"a": 4, "b": 5}')
    assert call.out == "9\n"


# ---- inspect -------------------------------------------------------------------------------------


def test_inspect_text(loaded: Cli) -> None:
    done = loaded("inspect", "tools")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(
        'echo, Some("Says it again")\ninput schema: {\n  "type": "object",\n'
    )
    assert '\nadd, Some("Adds two numbers")\ninput schema: {' in done.out
    assert "\noutput schema: {\n" in done.out
    assert "\ndescription:\n  Says things.\n  And more.\ndigest: sha256:" in done.out
    assert "\nimports: none\ncannot be called:\n  take: parameter 'a' holds a resource" in done.out


def test_inspect_structured(loaded: Cli, inside: Any) -> None:
    data = inside("inspect", "tools", "-o", "json").json
    assert list(data) == [
        "id",
        "description",
        "digest",
        "size",
        "source",
        "loaded_at",
        "tools",
        "unavailable",
        "imports",
        "producers",
        "capabilities",
        "signature",
        "asks_for",
    ]
    assert data["digest"].startswith("sha256:")
    assert data["unavailable"][0]["function"] == "take"
    assert inside("inspect", "tools", "-o", "yaml").out.startswith("id: tools\ndescription: ")
    text = inside("inspect", "tools").out
    assert inside("inspect", "tools", "-o", "table").out == text


def test_a_description_cannot_pass_for_our_own_lines(cli: Cli, inside: Any) -> None:
    words = "Nice\ndigest: sha256:0000\nimports: none"
    (cli.home / "x.wasm").write_bytes(component("add", docs=described(words, add=words)))
    inside("component", "load", "x.wasm")
    lines = inside("inspect", "x").out.splitlines()
    assert sum(line.startswith("digest: ") for line in lines) == 1
    assert sum(line.startswith("imports: ") for line in lines) == 1


if sys.platform == "linux":

    def test_a_file_name_that_is_not_utf8(cli: Cli) -> None:
        folder = os.fsencode(cli.home) + b"/\xff"
        os.mkdir(folder)
        path = Path(os.fsdecode(folder)) / "x.wasm"
        path.write_bytes(component("add"))
        done = cli("component", "load", path)
        assert done.code in (0, 1)
        assert "Traceback" not in done.err
        assert "internal error" not in done.err
        if done.code == 0:
            json.loads(cli("inspect", "x", "-o", "json").out)
