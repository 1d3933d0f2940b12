"""`wassette serve --stdio`: a pump between an MCP client's pipes and the warm host's socket.

An editor waits for this process, so it imports next to nothing and is one loop around `poll`. It
knows of MCP only which requests have no answer yet, since it is the one who has to tell when no
answer will come: because the host could not be started, or because it died.

A session of the handshake era lives in the host that it began in, so a bridge whose host dies ends
too, and the client starts another. In the 2026-07-28 era each request stands for itself, so such a
bridge goes on with a new host at the client's next message.
"""

from __future__ import annotations

import os
import sys
from _json import encode_basestring_ascii as _quoted
from _json import make_scanner as _make_scanner

from wassette._version import __version__

from .lines import END, MAX_LINE, TOO_LONG, Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from .rendezvous import Rendezvous

CHUNK = 65536
SAFE_WRITE = 4096
"""Bytes that a pipe takes without blocking once it says that it is writable (PIPE_BUF)."""
HIGH_WATER = 1024 * 1024
"""Bytes waiting to be written on one side over which the other side is not read."""

_LOST = "Wassette's host process ended before it answered; whether the call had effects is unknown"
_CONNECTION_CLOSED = -32000
_INTERNAL_ERROR = -32603


class Options:
    """What was given on the command line."""

    def __init__(
        self,
        component_dir: str | None = None,
        env: Sequence[str] = (),
        env_file: str | None = None,
        builtin_tools: bool = True,
        agent_grants: bool = False,
        meta_tools: bool = False,
    ) -> None:
        self.component_dir = component_dir
        self.env = list(env)
        self.env_file = env_file
        self.builtin_tools = builtin_tools
        self.agent_grants = agent_grants
        self.meta_tools = meta_tools

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Options) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


# ---- the command line --------------------------------------------------------------------------

_FORMATS = ("json", "yaml", "table")


def parse(arguments: Sequence[str]) -> Options | None:
    """The options of `serve --stdio` and `run`, with or without the global ones, in any order.

    None for everything else, be it right or wrong: the command line proper sees to that.
    """
    options = Options()
    command = None
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            if command is not None or word not in ("serve", "run"):
                return None
            command = word
        elif name in _VALUES:
            if name in ("--env", "--env-file") and command is None:
                return None
            if not equals:
                if not rest:
                    return None
                value = rest.pop(0)
            if not _VALUES[name](options, value):
                return None
        elif command is None or (word == "--stdio" and command != "serve") or word not in _FLAGS:
            return None
        else:
            _FLAGS[word](options)
    return options if command is not None else None


def _component_dir(options: Options, value: str) -> bool:
    options.component_dir = value
    return value != ""


def _env(options: Options, value: str) -> bool:
    options.env.append(value)
    return True


def _env_file(options: Options, value: str) -> bool:
    options.env_file = value
    return True


def _format(_options: Options, value: str) -> bool:
    return value.lower() in _FORMATS  # nothing is printed


_VALUES: Mapping[str, Callable[[Options, str], bool]] = {
    "--component-dir": _component_dir,
    "--plugin-dir": _component_dir,
    "--env": _env,
    "--env-file": _env_file,
    "--output-format": _format,
    "-o": _format,
}
_FLAGS: Mapping[str, Callable[[Options], None]] = {
    "--stdio": lambda _: None,
    "--disable-builtin-tools": lambda options: setattr(options, "builtin_tools", False),
    "--allow-agent-grants": lambda options: setattr(options, "agent_grants", True),
    "--meta-tools": lambda options: setattr(options, "meta_tools", True),
}


# ---- JSON, without the json module -------------------------------------------------------------


class _Plain:
    """How to read JSON: as `json.loads` does."""

    strict = False
    object_hook = object_pairs_hook = None
    parse_float = parse_constant = float
    parse_int = int
    memo: dict[str, str] = {}  # noqa: RUF012


# The C half of the json module; the other half is regular expressions and costs 5 ms.
_scan: Callable[[str, int], tuple[Any, int]] = _make_scanner(_Plain)  # type: ignore[arg-type]

# The scanner says what is wrong with a class of the json module, and fails without that.
_NOT_JSON = (ValueError, StopIteration, RecursionError, SystemError)


def loads(data: bytes) -> Any:
    """A message; None if it is not JSON."""
    try:
        return _scan(data.decode().lstrip(), 0)[0]
    except _NOT_JSON:
        return None


def dumps(value: object) -> str:
    """JSON of texts, whole numbers, lists and tables of such."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(k)}:{dumps(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dumps, value)) + "]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def hello(options: Options, directory: str, environ: Mapping[str, str]) -> bytes:
    """The first line to a host: who we are, and what this session may use. Raises `OSError`,
    `UnicodeDecodeError` for the file of variables."""
    env_file: object = None
    if options.env_file is not None:
        with open(options.env_file, "rb") as file:
            env_file = [options.env_file, file.read().decode()]
    first = {
        "wassette": 1,
        "want": "session",
        "version": __version__,
        "component_dir": directory,
        "environment": dict(environ),
        "env": options.env,
        "env_file": env_file,
        "builtin_tools": options.builtin_tools,
        "agent_grants": options.agent_grants,
        "meta_tools": options.meta_tools,
    }
    return dumps(first).encode() + b"\n"


# ---- what is said ------------------------------------------------------------------------------

_ANSWER = b'{"jsonrpc":"2.0","id":'  # what every line of a host with an answer begins with
_HEAD = 8192  # bytes at the beginning of a host's line in which the id is


class Conversation:
    """Follows both sides of an MCP session just closely enough to know what is unanswered."""

    def __init__(self) -> None:
        self.unanswered: dict[str | int, None] = {}
        self.handshake = False
        """Whether the client has begun a session that lives in one host."""
        self._from_client = Lines(MAX_LINE)
        self._head = b""
        self._open = False  # whether the client has got a part of a line

    def client_says(self, data: bytes) -> tuple[bytes, bytes]:
        """Whole lines for the host, and what to answer the client at once."""
        return self._take(self._from_client.feed(data))

    def client_ends(self) -> tuple[bytes, bytes]:
        return self._take([self._from_client.rest()])

    def _take(self, lines: Sequence[bytes | None]) -> tuple[bytes, bytes]:
        passed, refused = [], b""
        for line in lines:
            if line is None:
                refused += TOO_LONG
            elif line and not line.isspace():
                self._note(loads(line))
                passed.append(line)
        return b"".join([line + b"\n" for line in passed]), refused

    def _note(self, message: Any) -> None:
        if not isinstance(message, dict) or "method" not in message:
            return
        if message["method"] == "initialize":
            self.handshake = True
        number: object = message.get("id")
        if message["method"] == "notifications/cancelled":
            parameters = message.get("params")
            number = parameters.get("requestId") if isinstance(parameters, dict) else None
            if isinstance(number, str | int):
                self.unanswered.pop(number, None)  # it never gets an answer
        elif isinstance(number, str | int) and not isinstance(number, bool):
            self.unanswered[number] = None

    def host_says(self, data: bytes) -> None:
        """Bytes that go on to the client."""
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._answered(self._head + piece[:_HEAD] if self._head else piece[:_HEAD])
            self._head = b""
        if len(self._head) < _HEAD:
            self._head += rest[:_HEAD]
        self._open = not data.endswith(b"\n")

    def _answered(self, head: bytes) -> None:
        if self.unanswered and head.startswith(_ANSWER):
            try:
                number, end = _scan(head[len(_ANSWER) :].decode("utf-8", "replace"), 0)
            except _NOT_JSON:
                return
            if not head.startswith(b',"method"', len(_ANSWER) + end):  # a request of the host's
                self.unanswered.pop(number, None)

    def failed(self, code: int, reason: str) -> bytes:
        """An error for everything that is unanswered."""
        error = f'"error":{{"code":{code},"message":{_quoted(reason)}}}'
        lines = [f'{{"jsonrpc":"2.0","id":{dumps(one)},{error}}}\n' for one in self.unanswered]
        self.unanswered.clear()
        begun, self._open, self._head = self._open, False, b""
        return (b"\n" if begun else b"") + "".join(lines).encode()


# ---- the pump ----------------------------------------------------------------------------------


class _Ended(Exception):
    """The bridge is done; the exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Bridge:
    """One client's way to the host, over `stdin` and `stdout`, which are descriptors."""

    def __init__(self, meeting: Rendezvous | None, first: bytes, reason: str = "") -> None:
        from select import poll

        self._meeting = meeting
        self._first = first
        self._reason = reason
        """Why there is no host and will not be."""
        self._conversation = Conversation()
        self._host: socket | None = None
        self._host_fd = -1
        self._to_host = bytearray()
        self._to_client = bytearray()
        self._client_ended = False
        self._write = _writer(1)
        self._poll = poll()
        self._watched: dict[int, int] = {}

    def run(self) -> int:
        """Pump until one side is done; the exit code."""
        try:
            self._attach()
            while True:
                self._watch()
                for fd, events in self._poll.poll():
                    if fd == self._host_fd:
                        self._serve_host(events)
                    elif fd == 0:
                        self._read_client()
                    elif events & ~_OUT:
                        return 0  # nobody listens any more
                    else:
                        self._flush_client()
        except _Ended as ended:
            self._drain()
            return ended.code

    # -- the client ------------------------------------------------------------------------------

    def _read_client(self) -> None:
        try:
            data = os.read(0, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._from_client(*self._conversation.client_says(data))
            return
        self._client_ended = True
        self._from_client(*self._conversation.client_ends())
        if self._reason:
            raise _Ended(1)
        if self._host is None:
            raise _Ended(0)
        self._to_host += END + b"\n"
        self._flush_host()

    def _from_client(self, passed: bytes, refused: bytes) -> None:
        self._to_client += refused
        if passed and self._host is None and not self._reason:
            self._attach()
        if self._reason:
            self._to_client += self._conversation.failed(_INTERNAL_ERROR, self._reason)
        else:
            self._to_host += passed
            self._flush_host()
        self._flush_client()

    def _flush_client(self) -> None:
        if self._to_client:
            try:
                self._write(self._to_client)
            except OSError:
                raise _Ended(0) from None  # nobody listens any more

    def _drain(self) -> None:
        """What is left for the client, before this process ends."""
        from select import poll

        waiting = poll()
        waiting.register(1, _OUT)
        try:
            while self._to_client:
                if any(events & ~_OUT for _, events in waiting.poll()):
                    return
                self._write(self._to_client)
        except OSError:
            return

    # -- the host --------------------------------------------------------------------------------

    def _attach(self) -> None:
        from .rendezvous import HostUnavailable

        if self._meeting is None:
            return self._give_up(self._reason)
        try:
            sock, answer = self._meeting.attach(self._first)
        except (HostUnavailable, OSError) as error:
            return self._give_up(str(error))
        said = loads(answer)
        if not isinstance(said, dict) or said.get("ok") is not True:
            sock.close()
            why = said.get("error") if isinstance(said, dict) else None
            return self._give_up(str(why or "Wassette's host process gave no proper answer"))
        sock.setblocking(False)
        self._host, self._host_fd = sock, sock.fileno()
        return None

    def _give_up(self, reason: str) -> None:
        self._reason = reason
        _complain(reason)
        if os.isatty(0):
            raise _Ended(1)  # there is a person, not a client that waits for an answer

    def _serve_host(self, events: int) -> None:
        if events & _OUT:
            self._flush_host()
        if events & ~_OUT and self._host is not None:
            try:
                data = self._host.recv(CHUNK)
            except BlockingIOError:
                return None
            except OSError:
                data = b""
            if not data:
                return self._host_gone()
            self._conversation.host_says(data)
            self._to_client += data
            self._flush_client()
        return None

    def _flush_host(self) -> None:
        while self._to_host and self._host is not None:
            try:
                sent = self._host.send(self._to_host)
            except BlockingIOError:
                return
            except OSError:
                return  # what it still said comes first, then the end of its stream
            del self._to_host[:sent]

    def _host_gone(self) -> None:
        assert self._host is not None
        self._forget(self._host_fd)
        self._host.close()
        self._host, self._host_fd = None, -1
        self._to_host.clear()
        lost = len(self._conversation.unanswered)
        self._to_client += self._conversation.failed(_CONNECTION_CLOSED, _LOST)
        self._flush_client()
        if self._client_ended:
            raise _Ended(1 if lost else 0)
        if self._conversation.handshake:
            _complain("Wassette's host process ended, and with it this session")
            raise _Ended(1)

    # -- polling ---------------------------------------------------------------------------------

    def _watch(self) -> None:
        wanted = {1: _OUT if self._to_client else 0}
        if not self._client_ended:
            wanted[0] = _IN if len(self._to_host) < HIGH_WATER else 0
        if self._host is not None:
            wanted[self._host_fd] = (_IN if len(self._to_client) < HIGH_WATER else 0) | (
                _OUT if self._to_host else 0
            )
        for fd in [fd for fd in self._watched if fd not in wanted]:
            self._forget(fd)
        for fd, events in wanted.items():
            if self._watched.get(fd) != events:
                self._poll.register(fd, events)
                self._watched[fd] = events

    def _forget(self, fd: int) -> None:
        if self._watched.pop(fd, None) is not None:
            self._poll.unregister(fd)


_IN, _OUT = 1, 4  # POLLIN, POLLOUT on every system that has poll


def _writer(fd: int) -> Callable[[bytearray], None]:
    """What writes as much of a buffer to `fd` as it takes without blocking, and removes that.

    `fd` is not made non-blocking: that would hold for everybody who has it open, a terminal's
    shell for one.
    """
    from _socket import MSG_DONTWAIT, socket

    try:
        sock = socket(fileno=fd)
    except OSError:
        from select import poll

        ready = poll()
        ready.register(fd, _OUT)

        def write(buffer: bytearray) -> None:
            while buffer and ready.poll(0):
                try:
                    written = os.write(fd, buffer[:SAFE_WRITE])
                except BlockingIOError:
                    return
                del buffer[:written]

    else:

        def write(buffer: bytearray) -> None:
            while buffer:
                try:
                    written = sock.send(buffer, MSG_DONTWAIT)
                except BlockingIOError:
                    return
                del buffer[:written]

    return write


def _complain(reason: str) -> None:
    try:
        os.write(2, f"Error: {reason}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        pass


# ---- the process -------------------------------------------------------------------------------


def run(options: Options, environ: Mapping[str, str] | None = None) -> int:
    """Be a client's bridge until the client or the host is gone; the exit code.

    The process should end then, without further ado: its standard streams are not to be used again.
    """
    if sys.platform == "win32":
        from . import windows

        return windows.run(options)
    from .rendezvous import HostUnavailable, Rendezvous, component_dir

    environ = os.environ if environ is None else environ
    _take_signals()
    _fill_descriptors()
    meeting, first, reason = None, b"", ""
    try:
        directory = component_dir(options.component_dir, environ)
        first = hello(options, directory, environ)
        meeting = Rendezvous(directory, environ)
    except HostUnavailable as error:
        reason = str(error)
    except (OSError, UnicodeDecodeError) as error:
        reason = f"--env-file {options.env_file} cannot be read: {error}"
    return Bridge(meeting, first, reason).run()


def _take_signals() -> None:
    from _signal import SIGINT, SIGTERM, signal  # type: ignore[import-not-found]

    # At once: the host sees the connection end, and cancels what is running.
    signal(SIGTERM, lambda *_: os._exit(0))
    signal(SIGINT, lambda *_: os._exit(130))


def _fill_descriptors() -> None:
    """Standard streams that are closed become /dev/null, lest the socket become one of them."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def main(arguments: Sequence[str]) -> int | None:
    """Serve, if that is what the arguments say; the exit code. None if they say something else."""
    options = parse(arguments)
    if options is None:
        return None
    code = run(options)
    if sys.platform == "win32":
        return code
    os._exit(code)  # nothing is left to be done, and an interpreter takes its time to end
