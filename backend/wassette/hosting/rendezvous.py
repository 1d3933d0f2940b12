"""Where a user's warm host is, and how it is started.

Standard library only, and little of it: a bridge imports this before it can answer anything, and
`socket`, `json`, `subprocess` or `typing` would cost more than everything that it does.

In the runtime directory, for each host:

    host-KEY.sock    its socket (0600)
    host-KEY.json    what it is, for people and programs (0600)
    host-KEY.lock    locked for as long as the host lives; only its holder removes the other two
    host-KEY.start   locked by the bridge that is starting a host

KEY stands for a component directory and a version of Wassette: another directory, or a version
that was installed meanwhile, is another host. The directory has to be ours and closed to others
(`RuntimeDirectory`), and everything in it is reached through its descriptor, so that no symbolic
link put in its place later leads elsewhere.
"""

from __future__ import annotations

import errno
import os
import sys
import time

from wassette._version import __version__
from wassette.runtime import runtime_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from _socket import socket
    from collections.abc import Mapping

PROTOCOL = 1
"""Of the first lines between a bridge and a host."""
START_TIMEOUT = 30.0
"""Seconds that a host may take to start and to answer a bridge's first line."""
STARTS = 3
"""How often a bridge tries to start a host."""
MAX_PATH = 104
"""Bytes of a socket's path that every system takes (Linux has 108, macOS 104)."""

# What a host process needs to know of the environment of whoever happens to start it. Nothing else:
# that may hold secrets, and is not the environment of the other clients.
_PASSED_ON = frozenset(
    {
        *("HOME", "USER", "LOGNAME", "PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP"),
        *("SYSTEMROOT", "WINDIR", "USERNAME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"),
        *("PROGRAMDATA", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "RUST_LOG"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
        *("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "PYTHON_KEYRING_BACKEND"),
    }
)
_PASSED_ON_PREFIXES = ("LC_", "XDG_", "WASSETTE_")


class HostUnavailable(Exception):
    """There is no host to talk to; the message says why and what to do."""


# ---- which host --------------------------------------------------------------------------------


def component_dir(chosen: str | None, environ: Mapping[str, str]) -> str:
    """The component directory in force, as `config.load` finds it, but quicker where it is simple.

    Raises `HostUnavailable` with what is wrong with the settings.
    """
    named = [environ.get(f"WASSETTE_{name}_DIR") for name in ("COMPONENT", "PLUGIN")]
    known = {chosen} if chosen is not None else {name for name in named if name}
    if not known and not _configured(environ) and sys.platform != "win32":
        known = {_base(environ, "XDG_DATA_HOME", ".local/share") + "/wassette/components"}
    if len(known) == 1:
        [directory] = known
        if directory and "\0" not in directory:
            return os.path.abspath(os.path.expanduser(directory))
    from wassette import config
    from wassette.errors import ConfigError

    try:
        return str(config.load(component_dir=chosen, environ=environ).component_dir)
    except ConfigError as error:
        raise HostUnavailable(str(error)) from None


def _configured(environ: Mapping[str, str]) -> bool:
    """Whether config.toml may name a component directory."""
    chosen = environ.get("WASSETTE_CONFIG_FILE")
    try:
        with open(
            chosen or _base(environ, "XDG_CONFIG_HOME", ".config") + "/wassette/config.toml", "rb"
        ) as file:
            text = file.read()
    except FileNotFoundError:
        return bool(chosen)
    except OSError:
        return True
    return b"component_dir" in text or b"plugin_dir" in text


def _base(environ: Mapping[str, str], variable: str, default: str) -> str:
    chosen = environ.get(variable, "")
    return chosen if chosen.strip() else os.path.expanduser("~") + "/" + default


def host_key(directory: str, version: str = __version__) -> str:
    """The part of file names that stands for a component directory and a version."""
    try:
        from _blake2 import blake2b  # hashlib loads OpenSSL
    except ImportError:
        from hashlib import blake2b
    return blake2b(f"{version}\0{directory}".encode("utf-8", "replace"), digest_size=8).hexdigest()


# ---- the runtime directory ---------------------------------------------------------------------


class RuntimeDirectory:
    """The open runtime directory; made if it is not there. Raises `HostUnavailable` unless it is
    this user's alone."""

    def __init__(self, path: str) -> None:
        self.path = path
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            try:
                self.fd = os.open(path, flags)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
                os.makedirs(path, mode=0o700, exist_ok=True)
                self.fd = os.open(path, flags)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EEXIST):
                self._refuse("is not a directory")
            raise HostUnavailable(f"{path} cannot be used: {error.strerror}") from None
        try:
            self._check()
        except HostUnavailable:
            os.close(self.fd)
            raise

    def _check(self) -> None:
        status = os.fstat(self.fd)
        if status.st_uid != os.getuid():
            self._refuse(f"belongs to another user (uid {status.st_uid})")
        if status.st_mode & 0o077:
            self._refuse(f"is open to others (mode {status.st_mode & 0o777:o})")
        # Whoever may rename it could put another in its place.
        parent = os.stat(os.path.dirname(self.path) or "/")
        if parent.st_uid not in (0, os.getuid()) or (
            parent.st_mode & 0o022 and not parent.st_mode & 0o1000
        ):
            self._refuse("is in a directory that others can change")

    def _refuse(self, what: str) -> None:
        raise HostUnavailable(
            f"{self.path} {what}, so Wassette's socket cannot be there. Remove it, or set "
            "XDG_RUNTIME_DIR to a directory that only you can use (mode 700)"
        )

    def address(self, name: str) -> str:
        """A path of `name` in here that fits into a socket's address, however deep this is.

        Where the system has no other way, the working directory changes.
        """
        if sys.platform == "linux" and os.path.isdir("/proc/self/fd"):
            return f"/proc/self/fd/{self.fd}/{name}"
        path = f"{self.path}/{name}"
        if len(os.fsencode(path)) < MAX_PATH:
            return path
        os.fchdir(self.fd)
        return name

    def close(self) -> None:
        os.close(self.fd)


# ---- one host ----------------------------------------------------------------------------------


class Rendezvous:
    """The way to one host: the one for a component directory, or the one that has this key."""

    def __init__(
        self,
        directory: str,
        environ: Mapping[str, str] | None = None,
        key: str | None = None,
        runtime: RuntimeDirectory | None = None,
    ) -> None:
        self.environ = os.environ if environ is None else environ
        self.component_dir = directory
        self.key = key or host_key(directory)
        self.runtime = runtime or RuntimeDirectory(runtime_directory(self.environ, os.getuid()))

    @property
    def socket_path(self) -> str:
        return f"{self.runtime.path}/{self._name('sock')}"

    @property
    def lock_path(self) -> str:
        return f"{self.runtime.path}/{self._name('lock')}"

    @property
    def json_path(self) -> str:
        return f"{self.runtime.path}/{self._name('json')}"

    @property
    def log_path(self) -> str:
        state = _base(self.environ, "XDG_STATE_HOME", ".local/state")
        return f"{state}/wassette/logs/{self._name('log')}"

    def _name(self, kind: str) -> str:
        return f"host-{self.key}.{kind}"

    def close(self) -> None:
        self.runtime.close()

    # -- from outside ----------------------------------------------------------------------------

    def connect(self) -> socket | None:
        """A connection to the host; None if there is none. `HostUnavailable` if somebody else's
        socket is there."""
        from _socket import AF_UNIX, SOCK_STREAM, socket

        name = self._name("sock")
        sock = socket(AF_UNIX, SOCK_STREAM)
        try:
            owner = os.stat(name, dir_fd=self.runtime.fd, follow_symlinks=False).st_uid
            sock.connect(self.runtime.address(name))
            peer = peer_uid(sock)
        except OSError as error:
            sock.close()
            if error.errno in (errno.ENOENT, errno.ECONNREFUSED, errno.ECONNRESET, errno.EAGAIN):
                return None
            raise HostUnavailable(f"{self.socket_path} cannot be used: {error.strerror}") from None
        if {owner, peer} != {os.getuid()}:
            sock.close()
            raise HostUnavailable(f"{self.socket_path} belongs to another user")
        return sock

    def attach(self, hello: bytes) -> tuple[socket, bytes]:
        """A connection on which the host has answered `hello`, and that answer.

        If there is no host it is started, by only one of all that come at once. Raises
        `HostUnavailable`.
        """
        give_up = time.monotonic() + START_TIMEOUT
        lock = -1
        process: subprocess.Popen[bytes] | None = None
        starts = 0
        log_size = 0
        try:
            while time.monotonic() < give_up:
                sock = self.connect()
                if sock is not None:
                    answer = greet(sock, hello, give_up - time.monotonic())
                    if answer:
                        if process is not None:
                            process.wait()  # it only started the host, and ends with that
                        return sock, answer
                    sock.close()  # it was about to end
                if lock < 0:
                    lock = self.lock("start")
                    if lock >= 0:
                        continue  # another one may have started it meanwhile
                elif process is None and starts < STARTS:
                    starts += 1
                    log_size = self._log_size()
                    process = self._start()
                elif process is not None and process.poll() is not None:
                    if process.returncode != 0 or starts >= STARTS:
                        raise HostUnavailable(
                            "Wassette's host process could not be started: "
                            f"{self._last_words(log_size, process.returncode)}"
                        )
                    process = None  # another one was there first
                time.sleep(0.01)
        finally:
            if lock >= 0:
                os.close(lock)
        raise HostUnavailable(
            f"Wassette's host process did not answer within {START_TIMEOUT:g} s. "
            f"`wassette host status` tells more; its log is {self.log_path}"
        )

    def _start(self) -> subprocess.Popen[bytes]:
        import subprocess

        log = open_log(self.log_path)
        try:
            return subprocess.Popen(
                command(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log if log is not None else subprocess.DEVNULL,
                env=host_environment(self.environ, self.component_dir),
                cwd="/",
                start_new_session=True,  # it survives this process, and the terminal
            )
        except OSError as error:
            raise HostUnavailable(
                f"Wassette's host process could not be started: {error}"
            ) from None
        finally:
            if log is not None:
                os.close(log)

    def _log_size(self) -> int:
        try:
            return os.stat(self.log_path).st_size
        except OSError:
            return 0

    def _last_words(self, before: int, status: int) -> str:
        try:
            with open(self.log_path, "rb") as file:
                file.seek(before)
                lines = file.read(65536).decode("utf-8", "replace").split("\n")
        except OSError:
            lines = []
        said = [line.strip() for line in lines if line.strip()]
        return said[-1][:500] if said else f"it ended with status {status}"

    # -- from inside -----------------------------------------------------------------------------

    def lock(self, kind: str) -> int:
        """The descriptor of a lock that is now held, until it is closed; -1 if another has it."""
        fd = os.open(
            self._name(kind),
            os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC,
            0o600,
            dir_fd=self.runtime.fd,
        )
        import fcntl

        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            return -1
        return fd

    def listen(self, about: bytes) -> socket:
        """Take the place of the host, whose lock has to be held; a socket that was left there goes.
        `about`: the content of its .json."""
        from _socket import AF_UNIX, SOCK_STREAM, socket

        self.clear()
        name = self._name("sock")
        sock = socket(AF_UNIX, SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            sock.bind(self.runtime.address(name))
        finally:
            os.umask(mask)
        sock.listen(128)
        fresh = f".{self._name('json')}.new"
        fd = os.open(
            fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600,
            dir_fd=self.runtime.fd,
        )  # fmt: skip
        try:
            os.write(fd, about)
        finally:
            os.close(fd)
        os.rename(
            fresh, self._name("json"),
            src_dir_fd=self.runtime.fd, dst_dir_fd=self.runtime.fd,
        )  # fmt: skip
        return sock

    def clear(self) -> None:
        """Remove the socket and the .json; only for who holds the host's lock."""
        for kind in ("sock", "json"):
            try:
                os.unlink(self._name(kind), dir_fd=self.runtime.fd)
            except FileNotFoundError:
                pass

    def found(self) -> tuple[int, int] | None:
        """What tells the socket that bridges find from others; None if there is none."""
        try:
            status = os.stat(self.socket_path)
        except OSError:
            return None
        return status.st_dev, status.st_ino


def all_hosts(environ: Mapping[str, str] | None = None) -> list[Rendezvous]:
    """Every host of this user that may be running, of any version and component directory."""
    environ = os.environ if environ is None else environ
    runtime = RuntimeDirectory(runtime_directory(environ, os.getuid()))
    names = sorted(os.listdir(runtime.fd))
    keys = [n[5:-5] for n in names if n.startswith("host-") and n.endswith(".sock")]
    return [Rendezvous("", environ, key, runtime) for key in keys]


# ---- pieces ------------------------------------------------------------------------------------


def greet(sock: socket, hello: bytes, timeout: float) -> bytes:
    """Send the first line and give the one that comes back; empty if the host is going."""
    sock.settimeout(max(timeout, 0.01))
    answer = b""
    try:
        sock.sendall(hello)
        while not answer.endswith(b"\n"):
            data = sock.recv(65536)
            if not data:
                return b""
            answer += data
    except OSError:
        return b""
    sock.settimeout(None)
    return answer


def peer_uid(sock: socket) -> int:
    """The user at the other end."""
    return _peer(sock)[0]


def peer_pid(sock: socket) -> int | None:
    return _peer(sock)[1]


def _peer(sock: socket) -> tuple[int, int | None]:
    if sys.platform == "linux":
        from _socket import SO_PEERCRED, SOL_SOCKET

        found = sock.getsockopt(SOL_SOCKET, SO_PEERCRED, 12)  # struct ucred: pid, uid, gid
        return int.from_bytes(found[4:8], sys.byteorder), int.from_bytes(found[:4], sys.byteorder)
    found = sock.getsockopt(0, 1, 76)  # SOL_LOCAL, LOCAL_PEERCRED; struct xucred: version, uid, …
    return int.from_bytes(found[4:8], sys.byteorder), None


def open_log(path: str) -> int | None:
    """The log, open to be added to; None if it cannot be written."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError:
        return None


def host_environment(environ: Mapping[str, str], directory: str) -> dict[str, str]:
    """What a host process for a component directory gets of an environment."""
    passed_on = {
        name: value
        for name, value in environ.items()
        if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
    }
    passed_on.pop("WASSETTE_PLUGIN_DIR", None)
    return {**passed_on, "WASSETTE_COMPONENT_DIR": directory}


def command() -> list[str]:
    """How to run a host process."""
    module = "wassette.hosting.process"
    if getattr(sys, "frozen", False):
        return [sys.executable, "_internal", module]
    return [sys.executable, "-I", "-m", module]
