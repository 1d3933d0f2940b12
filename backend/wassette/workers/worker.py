"""The worker process: loads one component, then serves calls until the host closes the socket.

Runs what is not trusted, so it starts by giving up what it does not need (`settle`, `confine`).
What it does need of the system is loaded before (`preload`): no file can be opened afterwards but
what was granted, so neither can a module be imported.
Everything is decided by the host; what happens here only carries it out.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wassette.errors import CallError, NotConfined, WassetteError
from wassette.sandbox import engine, examine, instance
from wassette.sandbox.tiers import Tier

from . import asks, preload, protocol, walls
from .protocol import Channel, Header
from .walls import Confinement

if TYPE_CHECKING:
    from io import FileIO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wassette.sandbox.hostfn import RequestLine

TICK = 0.005
"""Seconds between epochs: how soon a busy guest notices that it should stop."""

MAX_TARGET = 2000
"""Characters of a path that are reported."""

COMPILE_MEMORY = 4 * 1024 * 1024 * 1024
OVERHEAD = 1024 * 1024 * 1024
"""Bytes a worker may map beyond the guest's limit: runtime, thread stacks, results being copied
(a returned list<u8> takes 80 bytes per byte while it is converted)."""


def main(sock: socket.socket) -> None:
    """Serve the host on `sock`. Returns when the host is done with this process."""
    settle()
    channel = Channel(sock)
    try:
        header, body = channel.receive()
        if header.get("version") != protocol.VERSION:
            raise protocol.ProtocolError("the host speaks another version")
        if header["kind"] == "compile":
            _compile(channel, header)
        elif header["kind"] == "load":
            _serve(channel, header, body)
    except (EOFError, OSError, protocol.ProtocolError):
        return  # the host is gone, and with it any reason to be here


def settle() -> None:
    """Cut what ties this process to the host's terminal and to a life of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent()


def die_with_parent() -> None:
    """Be killed when the parent ends, also while blocked in native code (Linux).

    Elsewhere the ticker notices that the socket was closed.
    """
    if sys.platform.startswith("linux"):
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() == 1:  # it ended before we asked
            os._exit(1)


def confine(to: Confinement, wanted: object) -> list[str]:
    """Put up the operating system's walls; the names of those that stand.

    Before the first byte that is not trusted is read. Raises `NotConfined` if a wall is missing
    and all are required.
    """
    instance.prepare()
    built = walls.confine(to)
    if wanted != walls.BEST_EFFORT and (why := walls.refusal(built)) is not None:
        raise NotConfined(why)
    return [wall.name for wall in built if wall.stands]


# ---- compiling ----------------------------------------------------------------------------------


def _compile(channel: Channel, header: Header) -> None:
    try:
        # Opened while that is possible: compiling needs no file besides.
        with (
            open(header["source"], "rb", buffering=0) as source,
            open(header["output"], "wb", buffering=0) as output,
        ):
            confine(Confinement(COMPILE_MEMORY), header.get("walls"))
            data = source.readall()
            component, found = examine.compile_and_examine(data, Tier(header["tier"]))
            code = engine.serialized(component)
            _write(output, code)
    except (WassetteError, OSError) as error:
        channel.send({"kind": "error", "error": type(error).__name__, "message": str(error)})
        return
    except (MemoryError, RecursionError) as error:
        text = f"is too large or too deeply nested to compile ({type(error).__name__})"
        channel.send({"kind": "error", "error": "InvalidComponent", "message": text})
        return
    report = {
        **found.to_json(),
        "source_sha256": hashlib.sha256(data).hexdigest(),
        "sha256": hashlib.sha256(code).hexdigest(),
    }
    channel.send({"kind": "compiled"}, json.dumps(report).encode())


def _write(file: FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


# ---- serving calls ------------------------------------------------------------------------------


def _serve(channel: Channel, header: Header, body: bytes) -> None:
    memory = int(header["memory"])
    granted = json.loads(body)
    try:
        standing = confine(
            Confinement(
                memory + OVERHEAD,
                code=header["code"],
                openings=tuple(walls.Opening(*one) for one in granted["openings"]),
                relay_port=header.get("relay_port"),
            ),
            header.get("walls"),
        )
        # What a compiling worker made of untrusted bytes, so not trusted either.
        component = engine.load(Path(header["code"]), header["sha256"], Tier(header["tier"]))
        sandbox = instance.Sandbox(
            component,
            Tier(header["tier"]),
            mounts=[(host, guest, writable) for host, guest, writable in header["mounts"]],
            file_rules=granted["file_rules"],
            environment=[(key, value) for key, value in granted["environment"]],
            limits=instance.Limits(memory, header["cpu"]),
        )
    except WassetteError as error:
        channel.send({"kind": "error", "error": type(error).__name__, "message": str(error)})
        return
    ticker = Ticker(channel, Tier(header["tier"]))
    ticker.start()
    channel.send({"kind": "ready", "walls": standing})
    while True:
        header, body = channel.receive()
        if header["kind"] == "call":
            reply, result = _call(sandbox, channel, ticker, header, body)
            channel.send(reply, result)


def _call(
    sandbox: instance.Sandbox, channel: Channel, ticker: Ticker, header: Header, body: bytes
) -> tuple[Header, bytes]:
    call = header["call"]
    listener = _Listener(channel, ticker, call)
    ticker.begin(call)
    reply: Header = {"kind": "result", "call": call}
    result = b""
    try:
        result = sandbox.call(
            header["interface"],
            header["function"],
            body,
            listener,
            header.get("reports", ""),
        )
    except instance.Stopped as stopped:
        reply = _error(call, "stopped", str(stopped))
    except CallError as error:
        reply = _error(call, type(error).__name__, str(error))
    except (MemoryError, RecursionError) as error:
        reply = _error(call, "ResultTooLarge", f"ran out of memory ({type(error).__name__})")
    # Before the reply goes out: what comes after it is for `receive`, not for the ticker.
    reason = ticker.end()
    if reason is not None:
        # What the guest made of being cut off from the network is no result.
        reply, result = _error(call, "stopped", reason), b""
    return {**reply, "memory": sandbox.taken}, result


def _error(call: int, error: str, message: str) -> Header:
    return {"kind": "error", "call": call, "error": error, "message": message[:8000]}


class _Listener:
    """Sends on at once what a call prints, so that it is kept even if the process is killed."""

    MAX_SENT = 1024 * 1024  # bytes; the host keeps no more

    def __init__(self, channel: Channel, ticker: Ticker, call: int) -> None:
        self._channel, self._ticker, self._call = channel, ticker, call
        self._sent = self._asked = 0

    def output(self, stream: str, data: bytes) -> None:
        # Past the limit one byte is sent for each write, so that the host sees there was more.
        data = data[: max(1, self.MAX_SENT - self._sent)]
        self._sent += len(data)
        if self._sent <= self.MAX_SENT + 1:
            self._send({"kind": "output", "call": self._call, "stream": stream}, data)

    def refused(self, kind: str, target: str) -> None:
        if len(target) > MAX_TARGET and kind.startswith("used-"):
            kind, target = "used-more", "/"  # half a name would be another one
        what = {"what": kind[:100], "target": target[:MAX_TARGET]}
        self._send({"kind": "refused", "call": self._call, **what})

    def route(self, request: RequestLine) -> Mapping[str, object]:
        self._asked += 1
        header = {"kind": "ask", "call": self._call, "ask": self._asked, "what": "route"}
        answer = self._ticker.ask(header, asks.encode_ask(request))
        if answer is None:
            raise instance.Stopped(self._ticker.stop)
        return asks.decode_answer(answer)

    def stop(self) -> str | None:
        return self._ticker.stop

    def _send(self, header: dict[str, Any], body: bytes = b"") -> None:
        with contextlib.suppress(OSError):  # the host is gone: the ticker ends us
            self._channel.send(header, body)


class Ticker(threading.Thread):
    """Moves the epoch on while a call runs, and listens for the host wanting it to stop.

    A thread of its own: it also runs while the guest is blocked in native code.
    """

    def __init__(self, channel: Channel, tier: Tier) -> None:
        super().__init__(daemon=True)
        self.stop: str | None = None
        self._channel = channel
        self._engine = engine.engine(tier)
        self._lock = threading.Lock()
        self._call: int | None = None
        self._wanted = threading.Event()

    def begin(self, call: int) -> None:
        with self._lock:
            self._call, self.stop = call, None
        self._wanted.set()

    def end(self) -> str | None:
        """The call is over. Why it was to end, if the host has said so."""
        with self._lock:
            if not self._listen():
                os._exit(1)
            self._call = None
            return self.stop

    def ask(self, header: Header, body: bytes) -> bytes | None:
        """Ask the host something for the running call, and wait: the answer, or None if the call is
        to end. The caller listens meanwhile, so that an answer is not first found by a tick."""
        with self._lock:
            try:
                if self.stop is None:
                    self._channel.send(header, body)
                while self.stop is None:
                    received, content = self._channel.receive()
                    if received["kind"] == "answer" and received.get("ask") == header["ask"]:
                        return content
                    self._note(received)
            except (EOFError, OSError, protocol.ProtocolError):
                os._exit(1)
        return None

    def run(self) -> None:
        idle = 0
        while True:
            time.sleep(TICK)
            with self._lock:
                running = self._call is not None
                if running and not self._listen():
                    os._exit(1)
            if running:
                self._engine.increment_epoch()
                idle = 0
                continue
            idle += 1
            if idle > 200:  # a second without a call: sleep until there is one
                self._wanted.clear()
                if self._call is None:
                    self._wanted.wait()
                idle = 0

    def _listen(self) -> bool:
        try:
            while (message := self._channel.poll()) is not None:
                self._note(message[0])
        except (EOFError, OSError, protocol.ProtocolError):
            return False
        return True

    def _note(self, header: Header) -> None:
        if header["kind"] == "cancel" and header.get("call") == self._call:
            self.stop = str(header.get("reason", "cancelled"))


def _main() -> None:
    if sys.platform == "win32":
        sock = socket.fromshare(sys.stdin.buffer.read())
    else:
        sock = socket.socket(fileno=os.dup(0))
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.close(null)
    preload.preload()
    main(sock)
    # Not by the interpreter's own end: the runtime's threads may still hold callbacks of ours.
    os._exit(0)


if __name__ == "__main__":
    _main()
