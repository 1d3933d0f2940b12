"""README, followed to the letter by somebody new: a fresh home, and no network.

What needs the network (the installation itself, a component from a registry) is measured by
benchmarks/first_call.py.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client, StdioServerParameters, stdio_client

from support.documents import ROOT, fences, newcomer, section, typed
from support.hosts import PATIENCE, end_hosts, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(os.name != "posix", reason="README's blocks are for a shell"),
]
README = ROOT / "README.md"
HELLO = {"text": "hello", "algorithm": "sha256"}
HASH = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.fixture
def new(tmp_path: Path) -> Iterator[dict[str, str]]:
    home = tmp_path / "home"
    yield newcomer(home)
    end_hosts(home)


def window_is_built() -> bool:
    spec = importlib.util.spec_from_file_location("build_ui", ROOT / "scripts/build_ui.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return bool(module.current(ROOT))


async def hash_of_hello(entry: Mapping[str, Any], environment: dict[str, str]) -> object:
    """What a client with this entry in its settings gets from `hash`."""
    server = StdioServerParameters(command=entry["command"], args=entry["args"], env=environment)
    async with Client(stdio_client(server)) as client:
        answer = await client.call_tool("hash", HELLO)
    assert answer.structured_content is not None
    return answer.structured_content["result"]


@pytest.mark.skipif(not window_is_built(), reason="`scripts/build ui` has not been run")
async def test_the_first_of_the_two_commands(new: dict[str, str], tmp_path: Path) -> None:
    """It makes a call, prints what a client needs, and serves; a client with that can call."""
    uv = shutil.which("uv") or str(ROOT / ".tools/bin/uv")
    installed = ("sync", "--frozen", "--inexact", "--no-dev", "--check", "--offline", "--quiet")
    if not Path(uv).exists() or subprocess.run([uv, *installed], cwd=ROOT, check=False).returncode:
        pytest.skip("`scripts/test` has not been run, which installs what it needs")
    (tmp_path / "home/bin/uv").symlink_to(uv)
    [block] = fences(section(README, "## Two commands"), "sh")
    command = block.split()[0]
    said: list[str] = []
    process = subprocess.Popen(
        [ROOT / command],
        cwd=tmp_path,
        env=new,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: said.extend(process.stdout or ()), daemon=True)
    reader.start()
    try:
        opens = re.compile(r"^ +http://127\.0\.0\.1:\d+/open/", re.MULTILINE)
        eventually(lambda: opens.search("".join(said)) or process.poll() is not None)
        text = "".join(said)
        assert opens.search(text), text
        assert f"\n{HASH}\n" in text
        settings = json.loads(text[text.index("\n{") : text.index("\n}\n") + 2])
        assert await hash_of_hello(settings["mcpServers"]["wassette"], new) == HASH
        process.send_signal(signal.SIGINT)  # "Ctrl-C ends it"
        assert process.wait(PATIENCE) in (0, 130)
    finally:
        process.kill()
        process.wait()
        reader.join(PATIENCE)
        process.stdout.close()


def test_the_first_look(
    new: dict[str, str], tmp_path: Path, fixture_component: Callable[[str], Path]
) -> None:
    """Each line does what is shown; of another's component as well."""
    me = tmp_path / "home"
    (me / "notes").mkdir()
    (me / "notes/a.md").write_text("# Shopping")
    shutil.copyfile(fixture_component("py-notes"), me / "notes.wasm")
    done = 0
    for block in fences(section(README, "## A first look"), "console"):
        for one in typed(block):
            if "oci://" in one.line or "component dev" in one.line:
                continue  # the network; and what goes on until it is stopped
            said = subprocess.run(
                ["bash", "-c", one.line.replace("/home/me", str(me))],
                cwd=me,
                env=new,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
            text = said.stdout + said.stderr
            for line in one.prints:
                shown = line.partition("…")[0].replace("/home/me", str(me))
                assert shown in text, one.line
            refused = any("sandbox refused" in line for line in one.prints)
            assert said.returncode == (1 if refused else 0), text
            done += 1
    assert done >= 9
    assert (me / "my-tool/wassette.toml").is_file()


async def test_in_your_editor(new: dict[str, str], tmp_path: Path) -> None:
    """The commands, for Cursor; and the settings for any other client."""
    settings = tmp_path / "home/.cursor/mcp.json"
    settings.parent.mkdir()
    settings.write_text('{\n  // mine\n  "mcpServers": {}\n}')
    before = settings.read_bytes()
    section_ = section(README, "## In your editor")
    [block] = fences(section_, "console")
    states = []
    for one in typed(block):
        done = subprocess.run(
            ["bash", "-c", one.line], env=new, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        states.append(settings.read_bytes())
        if "list" in one.line:
            [promised] = re.findall(r"(\d+) of them", one.line)
            assert len(done.stdout.strip().splitlines()) == int(promised) + 2  # and a head
    listed, shown, added, undone = states
    assert listed == shown == undone == before
    assert b'"wassette"' in added
    [entry] = fences(section_, "json")
    run = subprocess.run(["wassette", "component", "load", "starter:toolbox"], env=new, check=False)
    assert run.returncode == 0
    assert await hash_of_hello(json.loads(entry)["mcpServers"]["wassette"], new) == HASH
