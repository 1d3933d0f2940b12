"""The host process: one `Host` and one `McpServer` for all of a user's clients.

It listens at the rendezvous, has a session for each bridge that connects, and ends when it has had
no client for a while. It is started by a bridge (`main`), or is the foreground process that serves
HTTP as well (`run`), or is part of the desktop app (`serve_within`).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from wassette import config, logs
from wassette._version import __version__
from wassette.errors import ConfigError, WassetteError

from . import rendezvous
from .rendezvous import HostUnavailable, Rendezvous

if TYPE_CHECKING:
    from collections.abc import Callable

    from wassette.config import Settings
    from wassette.host import Host
    from wassette.mcp.server import McpServer
    from wassette.provision import Provisioning
    from wassette.web.options import WebOptions
    from wassette.window import WindowServer
    from wassette.window.offered import Autostart

    from .connection import Connection

log = logging.getLogger(__name__)

DRAIN = 5.0
"""Seconds in which running calls may finish once the host is told to end."""
LOCK_TIMEOUT = DRAIN + 10.0
"""Seconds to wait for a host that is ending."""
LOOK = 5.0
"""Seconds between looks whether bridges still find us."""
MAX_LOG = 1024 * 1024
"""Bytes of the log before another is begun; one older one is kept."""


class Http(Protocol):
    """A server of HTTP for this host, while its context is entered."""

    @property
    def url(self) -> str: ...

    options: WebOptions

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: object) -> None: ...


def main() -> int:
    """The process that a bridge starts; the exit code. It fails with one line on stderr."""
    started = _detach() if sys.platform != "win32" else lambda: None
    gc.disable()  # until everything is imported: there is nothing to be found
    try:
        logs.set_up("%(asctime)s %(levelname)s %(name)s: %(message)s")
        settings = config.load()
        # What variables there are is for each session to say: ours are of whoever came first.
        return _run(replace(settings, environment={}), None, False, started)
    except WassetteError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def _detach() -> Callable[[], None]:
    """Go on in a child whose parent is gone once the returned function is called.

    Some clients end a server with all that descends from it. The host is not only theirs.
    """
    read, write = os.pipe()
    child = os.fork()
    if child:
        os.close(write)
        if os.read(read, 1):
            os._exit(0)
        _, status = os.waitpid(child, 0)
        os._exit(abs(os.waitstatus_to_exitcode(status)))
    os.close(read)
    os.setsid()

    def started() -> None:
        os.write(write, b"!")
        os.close(write)

    return started


def run(
    settings: Settings,
    *,
    http: Callable[[Host, McpServer], Http] | None = None,
    foreground: bool,
    provisioning: Provisioning | None = None,
) -> int:
    """Be the host until it is idle (not in the foreground), or until SIGTERM; the exit code.

    `http` makes the server that is to run as well. A process in the foreground serves bridges too,
    unless another host does already. `provisioning` is done meanwhile; if it fails, the process
    ends with 1.
    """
    return _run(settings, http, foreground, lambda: None, provisioning)


async def serve_within(
    settings: Settings,
    started: Callable[[], None],
    ending: asyncio.Event,
    autostart: Autostart | None = None,
) -> bool:
    """Be the host as a task of a program that has more to do, until `ending`, or until somebody
    tells the host to end. `started` is called once clients can come. `autostart` is the program's,
    which a person can then set in the window. False at once if there is a host already. Raises
    `ConfigError`.
    """

    def process(place: Rendezvous | None) -> _Process:
        return _Process(settings, place, None, True, started, None, autostart)

    # Before the lock is taken: whoever waits for us waits for nothing but what has to be.
    await asyncio.to_thread(_import)
    # As in `main`: what variables there are is for each session to say.
    settings = replace(settings, environment={})
    if sys.platform == "win32":
        return await _until(process(None), ending)
    try:
        meeting = Rendezvous(str(settings.component_dir))
    except HostUnavailable as error:
        raise ConfigError(str(error)) from None
    lock = -1
    try:
        lock = await asyncio.to_thread(_claim, meeting, patient=True)
        if lock < 0:
            return False
        return await _until(process(meeting), ending)
    except HostUnavailable as error:
        raise ConfigError(str(error)) from None
    finally:
        if lock >= 0:
            os.close(lock)
        meeting.close()


def _import() -> None:
    import wassette.host
    import wassette.mcp.server  # noqa: F401


async def _until(process: _Process, ending: asyncio.Event) -> bool:
    async def end() -> None:
        await ending.wait()
        process.end()

    waiting = asyncio.create_task(end())
    try:
        await process.run()
    finally:
        await _ended(waiting)
    return True


def _run(
    settings: Settings,
    http: Callable[[Host, McpServer], Http] | None,
    foreground: bool,
    started: Callable[[], None],
    provisioning: Provisioning | None = None,
) -> int:
    def process(place: Rendezvous | None) -> _Process:
        return _Process(settings, place, http, foreground, started, provisioning)

    if sys.platform == "win32":
        return asyncio.run(process(None).run())
    meeting = None
    try:
        meeting = Rendezvous(str(settings.component_dir))
        lock = _claim(meeting, patient=not foreground)
    except HostUnavailable as error:
        if not foreground:
            raise ConfigError(str(error)) from None
        log.warning("no other client can share this host: %s", error)
        lock = -1
    if lock < 0 and not foreground:
        return 0  # another one was there first
    place = meeting if lock >= 0 else None
    return asyncio.run(process(place).run())


def _claim(meeting: Rendezvous, *, patient: bool) -> int:
    """The host's lock; -1 if there is a host already."""
    give_up = time.monotonic() + LOCK_TIMEOUT
    while (lock := meeting.lock("lock")) < 0:
        if not patient:
            return -1
        sock = meeting.connect()
        if sock is not None:
            sock.close()
            return -1
        if time.monotonic() > give_up:
            raise HostUnavailable(
                f"another host process has held {meeting.lock_path} for {LOCK_TIMEOUT:g} s, "
                f"but does not answer: {_about(meeting)}"
            )
        time.sleep(0.02)
    return lock


def _about(meeting: Rendezvous) -> str:
    with contextlib.suppress(OSError, ValueError, KeyError), open(meeting.json_path, "rb") as file:
        return f"process {int(json.loads(file.read(65536))['pid'])}; end it, and try again"
    return "its process id is not known"


class _Process:
    def __init__(
        self,
        settings: Settings,
        meeting: Rendezvous | None,
        http: Callable[[Host, McpServer], Http] | None,
        foreground: bool,
        started: Callable[[], None],
        provisioning: Provisioning | None,
        autostart: Autostart | None = None,
    ) -> None:
        self._settings = settings
        self._autostart = autostart
        self._provisioning = provisioning
        self._tell_started = started
        self._meeting = meeting
        self._http = http
        self._foreground = foreground
        self._started = time.time()
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._ending = asyncio.Event()
        self._code = 0
        self._idle: asyncio.TimerHandle | None = None
        self._place: tuple[int, int] | None = None
        self._server: Http | None = None
        self._window: WindowServer | None = None
        self._opening = asyncio.Lock()

    async def run(self) -> int:
        from wassette.host import Host
        from wassette.mcp.server import McpServer

        async with Host(self._settings) as host, contextlib.AsyncExitStack() as stack:
            self._host, self._mcp, self._stack = host, McpServer(host), stack
            await stack.enter_async_context(self._mcp.running())
            if self._http is not None:
                self._server = await stack.enter_async_context(self._http(host, self._mcp))
            if self._provisioning is not None:
                stack.push_async_callback(_ended, asyncio.create_task(self._provision(host)))
            with self._signals():
                if self._meeting is not None:
                    await self._serve(self._meeting)
                elif sys.platform == "win32":
                    await self._serve_pipe()
                else:
                    await self._ending.wait()
        return self._code

    async def _provision(self, host: Host) -> None:
        assert self._provisioning is not None
        try:
            await self._provisioning.run(host)
        except WassetteError as error:
            print(f"Error: {error}", file=sys.stderr, flush=True)
            self._code = 1
            self.end()
        else:
            if (summary := self._provisioning.summary()) is not None:
                print(summary, file=sys.stderr, flush=True)

    # -- clients ---------------------------------------------------------------------------------

    async def _serve(self, meeting: Rendezvous) -> None:
        # What exists now stays: from here on no collection has to look through it.
        gc.collect()
        gc.freeze()
        gc.enable()
        listening = meeting.listen(json.dumps(self._facts()).encode() + b"\n")
        sock = socket.socket(fileno=listening.detach())
        sock.setblocking(False)
        self._place = meeting.found()
        loop = asyncio.get_running_loop()
        accepting = loop.create_task(self._accept(sock))
        looking = loop.create_task(self._look(meeting))
        self._maybe_idle()
        self._tell_started()
        log.info("serving %s", meeting.socket_path)
        try:
            await self._ending.wait()
        finally:
            looking.cancel()
            if meeting.found() == self._place:
                meeting.clear()  # from here on bridges start another, which waits for our lock
            accepting.cancel()
            await asyncio.gather(accepting, looking, return_exceptions=True)
            sock.close()
            await self._drain()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(listening)
            except OSError as error:  # no descriptors left, or the peer is gone already
                log.warning("a client could not be accepted: %s", error)
                await asyncio.sleep(0.1)
                continue
            self._begin(sock)

    def _begin(self, sock: socket.socket) -> None:
        from .connection import Connection

        try:
            uid, pid = rendezvous.peer_uid(sock), rendezvous.peer_pid(sock)
        except OSError:
            uid, pid = -1, None
        if uid != os.getuid():
            log.warning("refused a process of user %s", uid)
            sock.close()
            return
        connection = Connection(self, self._mcp, self._settings, pid)

        async def talk() -> None:
            try:
                reader, writer = await asyncio.open_unix_connection(sock=sock)
            except OSError:
                sock.close()
                return
            await connection.run(reader, writer)

        self._keep(connection, asyncio.create_task(talk()))

    async def _serve_pipe(self) -> None:
        from . import windows
        from .connection import Connection

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = Connection(self, self._mcp, self._settings, None)
            self._keep(connection, asyncio.create_task(connection.run(reader, writer)))

        self._maybe_idle()
        await windows.serve(str(self._settings.component_dir), accept, self._ending)
        await self._drain()

    def _keep(self, connection: Connection, task: asyncio.Task[None]) -> None:
        self._connections[connection] = task
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        task.add_done_callback(lambda _: self._end(connection))

    def _end(self, connection: Connection) -> None:
        task = self._connections.pop(connection)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a client's connection failed", exc_info=error)
        self._rotate()
        self._maybe_idle()

    def _maybe_idle(self) -> None:
        if self._foreground or self._connections or self._ending.is_set():
            return
        if self._idle is not None:
            self._idle.cancel()
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(self._settings.idle_timeout, self._be_idle)

    def _be_idle(self) -> None:
        """End, unless somebody looks: then as long after that as after a client."""
        if self._window is not None and self._window.wanted:
            self._idle = asyncio.get_running_loop().call_later(
                max(self._settings.idle_timeout, LOOK), self._be_idle
            )
            return
        self.end()

    async def _look(self, meeting: Rendezvous) -> None:
        """End when our socket is gone, and nobody can find us: /tmp is swept, say."""
        while True:
            await asyncio.sleep(LOOK)
            if not self._connections and not self._foreground and meeting.found() != self._place:
                self.end()

    async def _drain(self) -> None:
        """Let running calls finish, then close every connection."""
        tasks = list(self._connections.values())
        for connection in self._connections:
            connection.finish()
        if tasks:
            await asyncio.wait(tasks, timeout=DRAIN)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- the process -----------------------------------------------------------------------------

    def end(self) -> None:
        """Stop accepting clients, let running calls finish, end."""
        self._ending.set()

    async def window(self) -> str:
        """A link that opens the window, once. Its server is started when it is first wanted."""
        async with self._opening:
            if self._window is None:
                # In a thread: its imports take a second, in which clients are served.
                server = await asyncio.to_thread(
                    _make_window, self._host, self._autostart, self._server
                )
                if self._ending.is_set():
                    raise ConfigError("This host is ending. Try again")
                self._window = await self._stack.enter_async_context(server)
                log.info("the window is served at %s", self._window.url)
        return self._window.one_time_link()

    async def pause(self, paused: bool) -> None:
        """For `wassette host pause` and `resume`."""
        await (self._host.pause() if paused else self._host.resume())

    def status(self) -> dict[str, Any]:
        """For `wassette host status`."""
        clients = [c.facts() for c in self._connections if c.session is not None]
        return {
            **self._facts(),
            "idle_timeout": None if self._foreground else self._settings.idle_timeout,
            "paused": self._host.paused,
            "clients": clients,
        }

    def _facts(self) -> dict[str, Any]:
        facts = {
            "pid": os.getpid(),
            "version": __version__,
            "component_dir": str(self._settings.component_dir),
            "started": self._started,
        }
        return {**facts, "url": self._server.url} if self._server is not None else facts

    @contextlib.contextmanager
    def _signals(self) -> Any:
        if threading.current_thread() is not threading.main_thread():
            yield  # they are for whoever has the main thread
            return
        loop = asyncio.get_running_loop()

        def ended(code: int) -> None:
            if self._foreground and self._ending.is_set():
                os._exit(130)  # asked for twice: somebody does not want to wait
            self._code = code
            self.end()

        # Ctrl-C is for a process in the foreground; the other has no terminal.
        codes = {signal.SIGTERM: 0, signal.SIGINT: 130 if self._foreground else 0}
        for number, code in codes.items():
            with contextlib.suppress(NotImplementedError):  # Windows
                loop.add_signal_handler(number, ended, code)
        try:
            yield
        finally:
            for number in codes:
                with contextlib.suppress(NotImplementedError):
                    loop.remove_signal_handler(number)

    def _rotate(self) -> None:
        if not self._foreground and self._meeting is not None:
            rotate(self._meeting.log_path, sys.stderr.fileno())


def _make_window(host: Host, autostart: Autostart | None, http: Http | None) -> WindowServer:
    from wassette.window import WindowServer
    from wassette.window.offered import Offered

    return WindowServer(host, Offered(autostart, http))


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def rotate(path: str, fd: int) -> None:
    """Begin another log, at `fd`, if this one is large; one older one is kept."""
    with contextlib.suppress(OSError):
        if Path(path).stat().st_size <= MAX_LOG:
            return
        Path(path).replace(f"{path}.1")
        fresh = rendezvous.open_log(path)
        if fresh is not None:
            os.dup2(fresh, fd)
            os.close(fresh)


if __name__ == "__main__":
    sys.exit(main())
