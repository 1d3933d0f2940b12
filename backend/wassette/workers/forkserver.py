"""The fork server: a process that has the sandbox loaded and forks a worker on request.

A fresh interpreter needs about 90 ms to import wasmtime; a fork of this process a few. Python's own
`multiprocessing` fork server is not used: it would run the host's main module again in every
worker, give workers the host's environment (with its secrets), and needs pickles. This process is
started with an empty environment, holds no thread, and never reads anything untrusted.

Control messages are 9 bytes: kind, process id, status.

    host → us   S 0 0     fork a worker; the worker's socket comes along (SCM_RIGHTS)
                K pid 0   kill that worker
                H pid 0   hold it: it stops where it is
                G pid 0   have it go on
    us → host   P pid 0   the worker of the oldest unanswered S
                X pid st  that worker ended, with this wait status

Only this process reaps workers, so a process id in one of these is never somebody else's by now.
End of file on the socket (the host is gone) ends this process, and with it every worker
(`worker.die_with_parent`).
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import struct
import sys

MESSAGE = struct.Struct("<cii")
_SIGNALS = {b"K": signal.SIGKILL, b"H": signal.SIGSTOP, b"G": signal.SIGCONT}


def main() -> None:
    """Serve on the socket that is standard input, until the host closes it."""
    control = socket.socket(fileno=os.dup(0))
    _silence()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the host to act on

    from wassette.workers import preload, worker  # noqa: F401  (loaded before it is forked)

    preload.preload()
    wake_in, wake_out = os.pipe()
    os.set_blocking(wake_out, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_out, warn_on_full_buffer=False)
    gc.collect()
    gc.freeze()  # what exists now is never collected, so that its pages stay shared
    workers: set[int] = set()
    poller = select.poll()
    poller.register(control, select.POLLIN)
    poller.register(wake_in, select.POLLIN)
    while True:
        for fd, _ in poller.poll():
            if fd == wake_in:
                os.read(wake_in, 4096)
                _reap(control, workers)
            elif not _serve(control, workers, (wake_in, wake_out)):
                os._exit(0)


def _serve(control: socket.socket, workers: set[int], ours: tuple[int, int]) -> bool:
    data, fds, _, _ = socket.recv_fds(control, MESSAGE.size, 1)
    while data and len(data) < MESSAGE.size:
        more = control.recv(MESSAGE.size - len(data))
        if not more:
            return False
        data += more
    if not data:
        return False
    kind, pid, _ = MESSAGE.unpack(data)
    if kind == b"S":
        child = os.fork()
        if child == 0:
            _become_worker(control, ours, fds[0])
        workers.add(child)
        os.close(fds[0])
        control.sendall(MESSAGE.pack(b"P", child, 0))
    elif kind in _SIGNALS and pid in workers:
        os.kill(pid, _SIGNALS[kind])
    return True


def _become_worker(control: socket.socket, ours: tuple[int, int], fd: int) -> None:
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for one in ours:
            os.close(one)
        control.close()
        from wassette.workers import worker

        worker.main(socket.socket(fileno=fd))
        status = 0
    finally:
        # Never return into the server's loop, nor run its exit handlers.
        os._exit(status)


def _reap(control: socket.socket, workers: set[int]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        workers.discard(pid)
        control.sendall(MESSAGE.pack(b"X", pid, status))


def _silence() -> None:
    """Nothing that happens below may reach the host's standard streams (its MCP transport)."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1) if os.environ.get("WASSETTE_WORKER_STDERR") else (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


if __name__ == "__main__":
    main()
