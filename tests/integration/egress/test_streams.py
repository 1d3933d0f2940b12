"""A gigabyte each way, in little memory: server, relay and client are a process each."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from support import streams

SIZE = 1024 * 1024 * 1024
# The relay's process at its peak, over what it was before. Buffers are below 1 MiB each.
GROWTH = 24 * 1024 * 1024

WORK = {
    "download": (streams.download, False),
    "download, chunked": (streams.download_chunked, False),
    "download, a secret taken out": (streams.download, True),
    "download, chunked, a secret taken out": (streams.download_chunked, True),
    "upload": (streams.upload, False),
    "upload, chunked": (streams.upload_chunked, False),
}


@pytest.mark.parametrize("kind", WORK)
def test_a_gigabyte(kind: str) -> None:
    work, secret = WORK[kind]
    with streams.process(streams.serve) as server, streams.process(streams.relay) as asked:
        port = server.recv()
        # Once before, for what is imported and made once.
        work(streams.by_relay(asked, port, secret=secret), SIZE // 64)
        asked.send(None)
        relay = psutil.Process(asked.recv())
        before = peak(relay)
        work(streams.by_relay(asked, port, secret=secret), SIZE)
        assert peak(relay) - before < GROWTH


def peak(process: psutil.Process) -> int:
    """Bytes of memory that it had at most so far (Linux)."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no peak")
