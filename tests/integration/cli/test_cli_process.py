"""The process: exit codes, what is imported, pipes, signals, logging, terminals."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import click
import pytest

from support.cli import Cli, component, multiply
from wassette import __main__ as entry
from wassette._version import __version__
from wassette.cli import progress
from wassette.cli.base import Command
from wassette.host.inventory import Inventory

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX")


def modules_after(cli: Cli, *arguments: str) -> set[str]:
    """The modules that a command imports."""
    code = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        "from wassette.__main__ import main\n"
        f"sys.argv = ['wassette', *{list(arguments)!r}]\n"
        "sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=cli.environment(), check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return set(json.loads(done.stderr.splitlines()[-1]))


# ---- usage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version(cli: Cli, flag: str) -> None:
    done = cli(flag)
    assert (done.code, done.out, done.err) == (0, f"wassette {__version__}\n", "")


def test_version_after_other_options(inside: Any) -> None:
    assert inside("-o", "json", "--version").out == f"wassette {__version__}\n"


def test_version_imports_nothing(cli: Cli) -> None:
    imported = modules_after(cli, "--version")
    ours = {name for name in imported if name.partition(".")[0] == "wassette"}
    assert ours == {"wassette", "wassette.__main__", "wassette._version"}
    assert not imported & {"click", "typing", "asyncio", "logging", "pathlib"} - baseline()


def baseline() -> set[str]:
    """What the interpreter, and an editable install, import by themselves."""
    code = "import atexit, json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return set(json.loads(done.stdout))


def test_list_imports_no_runtime(loaded: Cli) -> None:
    multiply(loaded, "tools", 50)
    imported = modules_after(loaded, "component", "list")
    for heavy in ("wasmtime", "mcp", "mcp_types", "pydantic", "anyio", "jsonschema", "fastapi"):
        assert heavy not in imported
    assert loaded.ok("component", "list")["total"] == 50


def test_no_command(cli: Cli) -> None:
    done = cli()
    text = "No command provided. Use --help for usage information.\n"
    assert (done.code, done.out, done.err) == (1, "", text)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["permision"], "No such command 'permision'. Did you mean 'permission'?"),
        (["component", "lod"], "No such command 'lod'"),
        (["component", "list", "--plugin-dri", "x"], "No such option"),
        (["component", "list", "-o", "xml"], "'xml' is not one of 'json', 'yaml', 'table'"),
        (["component", "load"], "Missing argument 'REFERENCE'"),
        (["component", "list", "extra"], "unexpected extra argument"),
        (["permission", "grant"], "Usage: wassette permission grant"),
        (["component"], "Usage: wassette component"),
    ],
)
def test_wrong_usage(inside: Any, arguments: list[str], text: str) -> None:
    done = inside(*arguments)
    assert (done.code, done.out) == (2, "")
    assert text in done.err


def test_help(inside: Any) -> None:
    done = inside("--help")
    assert (done.code, done.err) == (0, "")
    assert "wassette component load ./my-tool.wasm" in done.out
    assert inside("permission", "grant", "storage", "-h").code == 0
    # Also when something has looked at a command by itself before, as the manual pages' maker does.
    [option] = [
        one for one in Command("x").get_params(click.Context(Command("x"))) if "--help" in one.opts
    ]
    assert "-h" in option.opts


def test_internal_is_for_workers_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ([], ["os"], ["wassette.cli"], ["wassette.workers.worker", "x"]):
        monkeypatch.setattr(sys, "argv", ["wassette", "_internal", *words])
        assert entry.main() == 2
        assert capsys.readouterr().out == ""


@posix
def test_internal_runs_the_fork_server(cli: Cli) -> None:
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            cli.command("_internal", "wassette.workers.forkserver"),
            stdin=theirs.fileno(),
            env=cli.environment(),
        )
        theirs.close()
        assert process.poll() is None
        ours.close()  # it ends when the host is gone
        assert process.wait(20) == 0


# ---- errors --------------------------------------------------------------------------------------


def test_unexpected_exceptions(inside: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Inventory) -> None:
        raise ZeroDivisionError("a fault \x1b[2J")

    monkeypatch.setattr(Inventory, "all", broken)
    done = inside("component", "list")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: internal error: ZeroDivisionError: a fault \\u{1b}[2J\n")
    assert "WASSETTE_LOG=debug" in done.err
    assert "Traceback" not in done.err
    monkeypatch.setenv("WASSETTE_LOG", "debug")
    done = inside("component", "list")
    assert done.code == 1
    assert "Traceback" in done.err


def test_causes_are_listed(inside: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from wassette.errors import StoreError

    def broken(_: Inventory) -> None:
        try:
            raise OSError("disk on fire")
        except OSError as error:
            raise StoreError("it cannot be read") from error

    monkeypatch.setattr(Inventory, "all", broken)
    done = inside("component", "list")
    assert done.err == "Error: it cannot be read\nCaused by:\n  0: disk on fire\n"


@pytest.mark.parametrize(
    ("variables", "logged"),
    [
        ({}, False),
        ({"WASSETTE_LOG": "debug"}, True),
        ({"RUST_LOG": "debug,cranelift=warn"}, True),
        ({"RUST_LOG": "debug", "WASSETTE_LOG": "off"}, False),
        ({"RUST_LOG": "odd=1"}, False),
    ],
)
def test_logging_goes_to_stderr(cli: Cli, variables: dict[str, str], logged: bool) -> None:
    done = cli("component", "list", env=variables)
    assert (done.code, done.json["total"]) == (0, 0)
    assert ("DEBUG" in done.err) is logged
    assert "\x1b" not in done.err


# ---- pipes and signals ---------------------------------------------------------------------------


@posix
def test_reader_that_goes_away(loaded: Cli) -> None:
    multiply(loaded, "tools", 40)
    process = subprocess.Popen(
        loaded.command("component", "list"),
        env=loaded.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"{\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(20) == 1


@posix
def test_ctrl_c_while_loading(cli: Cli) -> None:
    """A FIFO would be refused, so the load is held up by the lock of the directory."""
    from filelock import FileLock

    (cli.home / "x.wasm").write_bytes(component("add"))
    cli.components.mkdir(parents=True)
    with FileLock(cli.components / ".lock"):
        process = subprocess.Popen(
            cli.command("component", "load", "x.wasm"),
            env=cli.environment(),
            cwd=cli.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        time.sleep(2)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert (out, err.strip()) == (b"", b"")
    assert not list(cli.components.glob(".incoming*"))


# ---- terminals -----------------------------------------------------------------------------------


def on_terminal(cli: Cli, *arguments: str, columns: int = 60) -> str:
    """What a person sees; lines end in CR LF there."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        cli.command(*arguments),
        env=cli.environment(),
        cwd=cli.home,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 65536):
            seen += chunk
    except OSError:  # EIO: nobody has the other end any more
        pass
    finally:
        os.close(ours)
    assert process.wait(20) == 0, seen
    return seen.decode()


@posix
def test_table_fits_the_terminal(loaded: Cli) -> None:
    lines = on_terminal(loaded, "tool", "list", "-o", "table", columns=40).split("\r\n")
    assert max(len(line) for line in lines) == 40
    assert lines[4] == "fail | tools     | Auto-generated schem…"


@posix
def test_progress_on_a_terminal(cli: Cli) -> None:
    (cli.home / "x.wasm").write_bytes(component("add"))
    seen = on_terminal(cli, "component", "load", "x.wasm")
    progress, _, result = seen.partition("{")
    assert json.loads("{" + result)["id"] == "x"
    # Whatever was shown of a slow load was taken away again.
    assert not progress or progress.endswith("\r")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_stages_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "_PATIENCE", 0)
    monkeypatch.setattr(progress, "_INTERVAL", 0.001)

    async def load() -> None:
        async with progress.ProgressLine() as tell:
            for stage, done in (("reading", 0.5), ("compiling", None), ("loaded", 1.0)):
                tell(stage, done)
                await asyncio.sleep(0.05)

    asyncio.run(load())
    seen = list(dict.fromkeys(text.rstrip() for text in terminal.getvalue().split("\r")))
    assert seen == ["", "reading 50%", "compiling 0 s", "loaded 100%"]
    assert terminal.getvalue().endswith(" " * len("loaded 100%") + "\r")


def test_no_progress_in_a_pipe(cli: Cli) -> None:
    (cli.home / "x.wasm").write_bytes(component("add"))
    assert cli("component", "load", "x.wasm").err == ""
