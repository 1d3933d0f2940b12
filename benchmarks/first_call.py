"""How long somebody new waits for the first tool call, on a machine that has nothing of ours.

    .venv/bin/python benchmarks/first_call.py

README is followed: a fresh clone of the last commit, the first of the two commands, and the
settings that it prints, given to a client; then the packages that are in dist/ (`scripts/build
wheel`, `tar`, `deb`), each installed, and the first lines of "A first look".

All of it in a root that bubblewrap makes: another user, an empty home, no caches, no Node, no uv.
It needs the network, as they do: from a checkout and a wheel, packages come from PyPI and npm.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

import psutil

if TYPE_CHECKING:
    from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]

from support.documents import fences, section, typed  # noqa: E402

README = ROOT / "README.md"
LIMIT = 120.0
"""Seconds that each way may take."""
HOME = Path("/home/new")
ABSENT = ("node", "nodejs", "npm", "npx", "uv", "uvx", "pipx", "cargo", "go")
# How this machine gets to the network at all.
KEPT = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "http_proxy", "https_proxy", "no_proxy")
INSTALLED = {
    ".whl": "python3 -m venv .local && .local/bin/pip install --quiet {}",
    ".tar.gz": "mkdir -p .local/bin && tar -xzf {} -C .local/bin --strip-components 1",
    ".deb": "mkdir .local && dpkg-deb -x {} root && ln -s ~/root/usr/bin .local/bin",
}
"""What pipx, install.sh and apt do, as far as it takes long; they would get the file first."""


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    if shutil.which("bwrap") is None:
        sys.exit("bubblewrap is missing: apt install bubblewrap")
    took = [from_a_checkout()]
    took += [
        from_a_package(file, command)
        for ending, command in INSTALLED.items()
        for file in sorted((ROOT / "dist").glob(f"*{ending}"))
        # Of archives those with programs; the sdist and the manifests are others.
        if ending != ".tar.gz" or file.name.startswith("wassette-")
    ]
    sys.exit(max(took) > LIMIT)


def from_a_checkout() -> float:
    [block] = fences(section(README, "## Two commands"), "sh")
    hello = typed(fences(section(README, "## A first look"), "console")[0])[1]
    with Machine("from a checkout") as machine:
        checkout = machine.home / "wassette-desktop"
        subprocess.run(("git", "clone", "--quiet", ROOT, checkout), check=True)
        machine.reached("cloned")
        running = machine.start(block.split()[0], "wassette-desktop")
        machine.read_until(running, "Wassette is ready")
        machine.reached("installed")
        machine.read_until(running, hello.prints[0])
        machine.reached("a first call")
        machine.read_until(running, "Give this to an MCP client")
        settings = json.loads(machine.read_until(running, "}\n").strip())
        machine.read_until(running, "http://127.0.0.1:")
        machine.reached("window built, and served")
        entry = settings["mcpServers"]["wassette"]
        client = machine.start(" ".join([entry["command"], *entry["args"]]), ".")
        call(client, "hash", {"text": "hello", "algorithm": "sha256"}, hello.prints[0])
        return machine.reached("a client's call")


def from_a_package(file: Path, command: str) -> float:
    lines = typed(fences(section(README, "## A first look"), "console")[0])[:2]
    with Machine(f"from {file.name}, {file.stat().st_size / 1e6:.1f} MB") as machine:
        (machine.home / file.name).write_bytes(file.read_bytes())
        machine.begin()
        machine.read_until(
            machine.start(f"({command.format(file.name)}) && echo done", "."), "done"
        )
        machine.reached("installed")
        for one in lines:
            machine.read_until(machine.start(one.line, "."), one.prints[0] if one.prints else "}")
        return machine.reached("loaded, and a first call")


class Machine:
    """A root that somebody new sees, what they run in it, and how long that takes."""

    def __init__(self, what: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wassette-new-"))
        self.home = self.folder / "home"
        self._processes: list[subprocess.Popen[str]] = []
        for name in ("home", "tmp", "run"):
            (self.folder / name).mkdir(mode=0o700)
        print(f"\n{what}\n{'':34}{'wall s':>8}{'CPU s':>8}")
        self.begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for process in reversed(self._processes):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def begin(self) -> None:
        self._start = time.monotonic()
        self._used = os.times()

    def reached(self, what: str) -> float:
        """Say how long it took until here; in seconds."""
        seconds = time.monotonic() - self._start
        print(f"{what:34}{seconds:8.1f}{self._cpu():8.1f}", flush=True)
        return seconds

    def _cpu(self) -> float:
        """Of all that was started here, as far as it has ended or still runs."""
        now = os.times()
        total = now.children_user + now.children_system
        total -= self._used.children_user + self._used.children_system
        for process in self._processes:
            if process.returncode is None:
                one = psutil.Process(process.pid)
                for each in (one, *one.children(recursive=True)):
                    total += sum(each.cpu_times()[:4])
        return total

    def start(self, command: str, folder: str) -> subprocess.Popen[str]:
        """Run a line of a shell in a folder of the home."""
        process = subprocess.Popen(
            [*self._root(), "--chdir", str(HOME / folder), "bash", "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def read_until(self, process: subprocess.Popen[str], text: str) -> str:
        """What it says until a line has this."""
        said = ""
        for line in output(process):
            said += line
            if text in line and (text != "}\n" or line == text):
                return said
        sys.exit(f"It ended before it said {text!r}:\n{said}")

    def _root(self) -> list[str]:
        bind = ["--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc"]
        for name in ("bin", "lib", "lib64", "sbin"):
            if Path("/", name).is_symlink():
                bind += ["--symlink", f"usr/{name}", f"/{name}"]
        # /etc/resolv.conf may lead there.
        bind += ["--ro-bind-try", "/run/systemd/resolve", "/run/systemd/resolve"]
        bind += ["--proc", "/proc", "--dev", "/dev", "--bind", str(self.folder / "tmp"), "/tmp"]
        bind += [
            "--bind",
            str(self.home),
            str(HOME),
            "--bind",
            str(self.folder / "run"),
            "/run/user/1000",
        ]
        for place in ("/usr/bin", "/usr/local/bin"):
            for name in ABSENT:
                if Path(place, name).exists():
                    bind += ["--ro-bind", "/dev/null", str(Path(place, name).resolve())]
        variables = {
            "HOME": str(HOME),
            "PATH": f"{HOME}/.local/bin:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "XDG_RUNTIME_DIR": "/run/user/1000",
            **{name: os.environ[name] for name in KEPT if name in os.environ},
        }
        return [
            *("bwrap", *bind, "--unshare-user", "--uid", "1000", "--gid", "1000"),
            *("--die-with-parent", "--clearenv"),
            *(part for name, value in variables.items() for part in ("--setenv", name, value)),
        ]


def output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def call(client: subprocess.Popen[str], tool: str, arguments: object, expected: str) -> None:
    """One call over stdio, as a client makes it."""
    assert client.stdin is not None
    started = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "0"},
    }
    for message in (
        {"id": 1, "method": "initialize", "params": started},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": tool, "arguments": arguments}},
    ):
        client.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        client.stdin.flush()
    for line in output(client):
        if json.loads(line).get("id") == 2:
            if expected not in line:
                sys.exit(f"The client was answered: {line}")
            return
    sys.exit("The client was not answered")


if __name__ == "__main__":
    main()
