"""What a compromised worker would try, by name: each either works or raises what the kernel says.

Runs in a confined worker (support/compromised.py), so everything is imported before. Linux only.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import resource
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from wasmtime import Store, WasiConfig
from wasmtime.component import Component

from wassette.sandbox import engine
from wassette.sandbox.tiers import Tier

Attack = Callable[..., Any]
ATTACKS: dict[str, Attack] = {}
_A = TypeVar("_A", bound=Attack)

_libc = ctypes.CDLL(None, use_errno=True)
_seccomp = ctypes.CDLL("libseccomp.so.2")
_scratch = ctypes.create_string_buffer(4096)
_AT_FDCWD = -100
_STREAM = socket.SOCK_STREAM


def attack(function: _A) -> _A:
    ATTACKS[function.__name__] = function
    return function


def number(name: str) -> int:
    """Of a system call on this machine; libseccomp has a table of them."""
    found = int(_seccomp.seccomp_syscall_resolve_name(name.encode()))
    if found < 0:
        raise OSError(errno.ENOSYS, "not on this machine")
    return found


def call(name: str, *arguments: Any) -> int:
    """A system call as native code makes it, past the C library."""
    values = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result = int(_libc.syscall(ctypes.c_long(number(name)), *values))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


# With a descriptor of a directory, these use the calls that end in `at`, as wasmtime does; for an
# absolute path it has no meaning.

# ---- files ---------------------------------------------------------------------------------------


@attack
def read(path: str) -> str:
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, 4096).decode("utf-8", "replace")
    finally:
        os.close(file)


@attack
def read_relative_to_a_grant(grant: str, path: str) -> str:
    directory = os.open(grant, os.O_RDONLY | os.O_DIRECTORY)
    file = os.open(path, os.O_RDONLY, dir_fd=directory)
    return os.read(file, 4096).decode()


@attack
def read_through_a_path_handle(path: str) -> str:
    """O_PATH opens anything; opening it again by its number has to be refused."""
    handle = os.open(path, os.O_PATH)
    return read(f"/proc/self/fd/{handle}")


@attack
def open_only(path: str) -> None:
    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))


@attack
def make_a_file_handle(path: str) -> int:
    handle = ctypes.create_string_buffer(struct.pack("=Ii", 128, 0) + bytes(128))
    mount = ctypes.c_int()
    at = _AT_FDCWD
    return call("name_to_handle_at", at, path.encode(), handle, ctypes.byref(mount), 0)


@attack
def open_by_file_handle(grant: str, handle: str) -> int:
    """With a handle that was made elsewhere."""
    directory = os.open(grant, os.O_RDONLY | os.O_DIRECTORY)
    return call("open_by_handle_at", directory, bytes.fromhex(handle), os.O_RDONLY)


@attack
def listing(path: str) -> list[str]:
    return sorted(os.listdir(path))


@attack
def write(path: str) -> int:
    file = os.open(path, os.O_WRONLY)
    return os.write(file, b"changed")


@attack
def create(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


@attack
def make_directory(path: str) -> None:
    os.mkdir(path, dir_fd=0)


@attack
def remove(path: str) -> None:
    os.unlink(path, dir_fd=0)


@attack
def rename(old: str, new: str) -> None:
    os.rename(old, new, src_dir_fd=0, dst_dir_fd=0)


@attack
def hard_link(old: str, new: str) -> None:
    os.link(old, new, src_dir_fd=0, dst_dir_fd=0)


@attack
def symbolic_link(target: str, path: str) -> None:
    os.symlink(target, path, dir_fd=0)


@attack
def truncate_by_name(path: str) -> None:
    call("truncate", path.encode(), 0)


@attack
def truncate_by_opening(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_TRUNC))


@attack
def change_mode(path: str) -> None:
    os.chmod(path, 0o777)


@attack
def change_owner(path: str) -> None:
    os.chown(path, 0, 0)


@attack
def set_attribute(path: str) -> None:
    os.setxattr(path, "user.x", b"x")


@attack
def make_fifo(path: str) -> None:
    os.mkfifo(path)


@attack
def make_device(path: str) -> None:
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))


@attack
def change_root(path: str) -> None:
    os.chroot(path)


# ---- network -------------------------------------------------------------------------------------


@attack
def connect(port: int, address: str = "127.0.0.1") -> str:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, _STREAM) as sock:
        sock.settimeout(20)
        sock.connect((address, port))
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return sock.recv(100).decode().partition("\r\n")[0]


@attack
def native_http(component: str, authority: str) -> Any:
    """The runtime's own HTTP, with no guard in front of it."""
    made = engine.engine(Tier.CRANELIFT)
    store = Store(made)
    store.set_wasi(WasiConfig())
    store.set_wasi_http()
    store.set_epoch_deadline(1_000_000_000)
    try:
        instance = engine.linker(Tier.CRANELIFT).instantiate(
            store, Component(made, bytes.fromhex(component))
        )
        get = instance.get_func(store, "get")
        assert get is not None
        found = get(store, authority, "/", False)
    finally:
        store.close()
    return found if isinstance(found, int) else str(getattr(found, "payload", found))


@attack
def connect_by_another_protocol(port: int, protocol: int) -> None:
    """MPTCP and the like are streams too, but Landlock knows of TCP only."""
    socket.socket(socket.AF_INET, _STREAM, protocol).connect(("127.0.0.1", port))


@attack
def fast_open(port: int, how: str) -> int:
    """TCP Fast Open connects while it sends."""
    flag = 0x20000000
    sock = socket.socket(socket.AF_INET, _STREAM)
    if how == "sendto":
        return sock.sendto(b"x", flag, ("127.0.0.1", port))
    if how == "sendmsg":
        return sock.sendmsg([b"x"], [], flag, ("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, 30, 1)  # TCP_FASTOPEN_CONNECT
    sock.connect(("127.0.0.1", port))
    return sock.send(b"x")


@attack
def reconnect(relay: int, port: int) -> None:
    """From the relay to somewhere else, with the same socket."""
    sock = socket.socket(socket.AF_INET, _STREAM)
    sock.connect(("127.0.0.1", relay))
    address = ctypes.create_string_buffer(struct.pack("=H", socket.AF_UNSPEC) + bytes(14))
    call("connect", sock.fileno(), address, 16)
    sock.connect(("127.0.0.1", port))


@attack
def any_socket(family: int, kind: int, protocol: int = 0) -> None:
    socket.socket(family, kind, protocol).close()


@attack
def socket_pair() -> None:
    socket.socketpair()


@attack
def udp(port: int) -> int:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port))


@attack
def unix_socket(path: str) -> None:
    address = "\0" + path[1:] if path.startswith("@") else path
    socket.socket(socket.AF_UNIX, _STREAM).connect(address)


@attack
def bind() -> int:
    sock = socket.socket(socket.AF_INET, _STREAM)
    sock.bind(("127.0.0.1", 0))
    return int(sock.getsockname()[1])


@attack
def listen_without_binding() -> int:
    """The kernel chooses a port; Landlock does not see that."""
    sock = socket.socket(socket.AF_INET, _STREAM)
    sock.listen(1)
    return int(sock.getsockname()[1])


@attack
def pass_a_descriptor() -> int:
    """Over the channel to the host, which is the one socket that there is."""
    for fd in range(64):
        try:
            socket.socket(fileno=fd).detach()
        except OSError:
            continue
        channel = socket.socket(fileno=os.dup(fd))
        return socket.send_fds(channel, [b"x"], [0])
    raise AssertionError("no channel")


# ---- other processes -----------------------------------------------------------------------------


@attack
def execute(path: str = "/bin/true") -> None:
    os.execv(path, [path])


@attack
def execute_from_memory() -> None:
    file = os.memfd_create("x")
    call("execveat", file, b"", None, None, 0x1000)


@attack
def execute_a_descriptor() -> None:
    call("execveat", 0, b"", None, None, 0x1000)


def _in_child(pid: int) -> int:
    if pid == 0:
        os._exit(0)
    return pid


@attack
def fork() -> int:
    return _in_child(os.fork())


@attack
def clone(flags: int) -> int:
    return _in_child(call("clone", flags, 0, 0, 0, 0))


@attack
def clone3() -> int:
    return _in_child(call("clone3", struct.pack("=8Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0), 64))


@attack
def trace(pid: int, request: int) -> None:
    call("ptrace", request, pid, 0, 0)


@attack
def be_traced() -> None:
    call("ptrace", 0, 0, 0, 0)


@attack
def read_memory_of(pid: int) -> None:
    vector = struct.pack("=QQ", ctypes.addressof(_scratch), 16)
    call("process_vm_readv", pid, vector, 1, struct.pack("=QQ", 0x400000, 16), 1, 0)


@attack
def write_memory_of(pid: int) -> None:
    vector = struct.pack("=QQ", ctypes.addressof(_scratch), 16)
    call("process_vm_writev", pid, vector, 1, struct.pack("=QQ", 0x400000, 16), 1, 0)


@attack
def send_signal(pid: int, number: int = 0) -> None:
    os.kill(pid, number)


@attack
def signal_a_thread(pid: int) -> None:
    call("tgkill", pid, pid, 0)


@attack
def signal_any_thread(pid: int) -> None:
    call("tkill", pid, 0)


@attack
def queue_a_signal(pid: int) -> None:
    call("rt_sigqueueinfo", pid, 0, struct.pack("=iii", 0, 0, -1) + bytes(116))


@attack
def signal_by_ownership(pid: int) -> None:
    """Whoever owns a descriptor is signalled when there is something to read."""
    fcntl.fcntl(0, fcntl.F_SETOWN, pid)


@attack
def open_a_process(pid: int) -> int:
    return call("pidfd_open", pid, 0)


@attack
def take_a_descriptor() -> int:
    return call("pidfd_getfd", 0, 0, 0)


@attack
def compare_with(pid: int) -> int:
    return call("kcmp", os.getpid(), pid, 0, 0, 0)


@attack
def read_limits_of(pid: int) -> None:
    call("prlimit64", pid, 7, 0, _scratch)


@attack
def slow_down(pid: int) -> None:
    call("setpriority", 0, pid, 19)


@attack
def pin(pid: int) -> None:
    call("sched_setaffinity", pid, 8, struct.pack("=Q", 1))


# ---- the kernel ----------------------------------------------------------------------------------


@attack
def system_call(name: str, arguments: list[int] | None = None) -> int:
    return call(name, *(arguments or ()))


@attack
def raise_limit(what: str) -> None:
    limit = getattr(resource, what)
    resource.setrlimit(limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@attack
def i386_system_call() -> int:
    """The same kernel by another table of numbers: 20 is getpid there, writev here."""
    assert platform.machine() == "x86_64"
    return _machine_code(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20; int 0x80; ret


@attack
def x32_system_call() -> int:
    return int(_libc.syscall(ctypes.c_long(0x40000000 | 39)))


def _machine_code(code: bytes) -> int:
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    return int(ctypes.CFUNCTYPE(ctypes.c_int)(address)())


@attack
def modules() -> list[str]:
    return sorted(sys.modules)


@attack
def crash() -> None:
    os.abort()


@attack
def in_a_thread(name: str, arguments: dict[str, Any]) -> Any:
    """A thread that is made after the walls were."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(ATTACKS[name](**arguments))
        except OSError as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    if isinstance(found[0], OSError):
        raise found[0]
    return found[0]
