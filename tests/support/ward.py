"""A place to lock compromised workers up in: files around them, servers, and other processes."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import re
import shutil
import socket
import struct
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psutil
import pytest

from support import wat
from wassette.errors import InvalidComponent
from wassette.policy import Access, StorageRule, resolve_storage
from wassette.policy.openings import openings
from wassette.sandbox.tiers import Tier
from wassette.workers import launcher as launcher_module
from wassette.workers import protocol
from wassette.workers.compiler import Compiler
from wassette.workers.launcher import ForkLauncher, SpawnLauncher
from wassette.workers.pool import WorkerSpec
from wassette.workers.process import Outcome, WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

HARNESS = Path(__file__).with_name("compromised.py")
SECRET = "the secret"


class Ward:
    """`places` has what attacks are about; `attack` runs one in a worker that lives on."""

    def __init__(self, start: str, options: tuple[str, ...]) -> None:
        self.options = options
        self._launcher = ForkLauncher() if start == "fork" else SpawnLauncher()
        self._folder = Path(tempfile.mkdtemp(prefix="ward-")).resolve()
        self._servers = Servers(self._folder)
        self.places: dict[str, Any] = {}
        self.walls: list[str] = []

    async def __aenter__(self) -> Self:
        self.places |= make_files(self._folder) | self._servers.places
        with harness(self.options):
            code = self._folder / "code"
            compiled = await Compiler(self._launcher).compile(
                wat.write(self._folder / "in", "calc"), code, Tier.CRANELIFT
            )
            code.chmod(0o644)
            self.places["code"] = str(code)
            self.spec = replace(
                WorkerSpec("calc", str(code), compiled.sha256, Tier.CRANELIFT),
                openings=tuple(one.plain() for one in openings(self._granted())),
            )
            self._worker = await self.worker()
            self._sibling = await self.worker()
        self.places["sibling"] = self._sibling.pid
        self.places["host"] = os.getpid()
        self.places["server"] = psutil.Process(self._worker.pid).ppid()
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in (self._worker, self._sibling):
            worker.kill()
            await worker.ended()
        await self._launcher.close()
        self._servers.close()
        shutil.rmtree(self._folder)
        (self._folder.parent / f"ward-{os.getpid()}").unlink(missing_ok=True)

    def _granted(self) -> Any:
        read, both = frozenset({Access.READ}), frozenset(Access)
        return resolve_storage(
            [
                StorageRule(f"fs://{self.places['granted']}", both),
                StorageRule(f"fs://{self.places['readable']}", read),
                StorageRule(f"fs://{self.places['single']}", read),
            ],
            [],
            private_root=self._folder / "private",
            protected=[],
        )

    async def worker(self, relay: bool = True) -> WorkerProcess:
        """A worker of its own."""
        with harness(self.options):
            worker = await WorkerProcess.start(self._launcher)
        spec = self.spec
        request = spec.load_request(self.places["relay"] if relay else None)
        granted = protocol.grants(spec.environment, spec.file_rules, spec.openings)
        reply, _ = await worker.request(request, granted)
        assert reply["kind"] == "ready", reply
        self.walls = reply["walls"]
        return worker

    async def attack_compiling(self, name: str, **arguments: Any) -> dict[str, Any]:
        """The same while a component is compiled."""
        source, output = self._folder / "in/attack.wasm", self._folder / "attacked"
        source.write_text("attack:" + json.dumps([name, self.filled(arguments)]))
        with harness(self.options), pytest.raises(InvalidComponent) as caught:
            await Compiler(self._launcher).compile(source, output, Tier.CRANELIFT)
        assert output.read_bytes() == b""
        found: dict[str, Any] = json.loads(str(caught.value))
        return found

    async def attack(
        self, name: str, worker: WorkerProcess | None = None, /, **arguments: Any
    ) -> dict[str, Any]:
        """What becomes of it: `refused` (the kernel's error) or `done` (what it gave)."""
        body = json.dumps(self.filled(arguments)).encode()
        answer = await (worker or self._worker).call(None, name, body, 60, Outcome())
        found: dict[str, Any] = json.loads(answer)
        return found

    def filled(self, value: Any) -> Any:
        """`$name` is a place; `{name}` in a text is the text of one."""
        if isinstance(value, dict):
            return {key: self.filled(one) for key, one in value.items()}
        if isinstance(value, str) and value.startswith("$"):
            return self.places[value[1:]]
        if isinstance(value, str):
            return re.sub(r"\{(\w+)\}", lambda match: str(self.places[match[1]]), value)
        return value


@contextlib.contextmanager
def harness(options: tuple[str, ...]) -> Iterator[None]:
    """Have the launchers start the harness in place of what it stands for."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            launcher_module,
            "command",
            lambda module: [sys.executable, "-I", str(HARNESS), module, *options],
        )
        yield


def make_files(folder: Path) -> dict[str, Any]:
    """Readable for everybody by their modes: what keeps them is not those."""
    folder.chmod(0o755)
    for name, mode in (
        ("granted", 0o777),
        ("readable", 0o755),
        ("beside", 0o777),
        ("outside", 0o777),
    ):
        (folder / name).mkdir()
        (folder / name).chmod(mode)
    places = {
        "granted": folder / "granted",
        "readable": folder / "readable",
        "outside": folder / "outside",
        "single": folder / "beside/single.txt",
        "neighbour": folder / "beside/neighbour.txt",
        "mine": folder / "granted/mine.txt",
        "theirs": folder / "readable/theirs.txt",
        "secret": folder / "outside/secret.txt",
    }
    for name in ("single", "mine", "theirs"):
        places[name].write_text(name)
    for name in ("neighbour", "secret"):
        places[name].write_text(SECRET)
    for name in ("single", "mine", "theirs", "neighbour", "secret"):
        places[name].chmod(0o666)
    for name in ("granted", "readable", "outside"):
        (places[name] / "spare").write_text("spare")
    (places["granted"] / "link").symlink_to(places["secret"])
    found: dict[str, Any] = {name: str(path) for name, path in places.items()}
    found["folder"] = str(folder)
    found["disk"] = next(iter(sorted(map(str, Path("/dev").glob("[sv]d[a-z]")))), "/dev/mem")
    found["handle"] = _handle(found["secret"])
    return found


def _handle(path: str) -> str:
    """A file handle as the kernel makes it for root, hexadecimal."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = ctypes.create_string_buffer(struct.pack("=Ii", 128, 0) + bytes(128))
    mount = ctypes.c_int()
    result = libc.name_to_handle_at(-100, path.encode(), handle, ctypes.byref(mount), 0)
    assert result == 0, os.strerror(ctypes.get_errno())
    return handle.raw.hex()


class Servers:
    """Everything listens: what is not reached was refused on the way."""

    def __init__(self, folder: Path) -> None:
        self._sockets: list[socket.socket] = []
        unix, abstract = str(folder / "unix"), f"\0ward-{os.getpid()}-{id(self)}"
        self.places: dict[str, Any] = {
            "relay": self._tcp(socket.AF_INET, ("127.0.0.1", 0)),
            "other": self._tcp(socket.AF_INET, ("127.0.0.1", 0)),
            "other6": self._tcp(socket.AF_INET6, ("::1", 0)),
            "unix": self._tcp(socket.AF_UNIX, unix) or unix,
            "abstract": self._tcp(socket.AF_UNIX, abstract) or "@" + abstract[1:],
        }
        Path(unix).chmod(0o777)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        self._sockets.append(udp)
        self.places["udp"] = udp.getsockname()[1]

    def _tcp(self, family: int, address: Any) -> int:
        sock = socket.socket(family)
        sock.bind(address)
        sock.listen(100)
        self._sockets.append(sock)
        threading.Thread(target=self._serve, args=(sock,), daemon=True).start()
        return 0 if family == socket.AF_UNIX else int(sock.getsockname()[1])

    @staticmethod
    def _serve(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = sock.accept()
                with connection, contextlib.suppress(OSError):  # gone already
                    connection.settimeout(20)
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    def close(self) -> None:
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


async def ended(worker: WorkerProcess) -> int:
    async with asyncio.timeout(60):
        return await worker.ended()
