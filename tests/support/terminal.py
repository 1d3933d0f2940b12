"""Programs on a pseudo-terminal."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time

import pytest


class Terminal:
    """A program on a pseudo-terminal of 80 columns."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        import pty

        self.main, other = pty.openpty()
        self.process = subprocess.Popen(
            command, stdin=other, stdout=other, stderr=other, env={**env, "COLUMNS": "80"}
        )
        os.close(other)
        self.text = ""

    def until(self, text: str) -> str:
        end = time.monotonic() + 60
        while text not in self.text:
            data = b""
            ready, _, _ = select.select([self.main], [], [], end - time.monotonic())
            if ready:
                with contextlib.suppress(OSError):
                    data = os.read(self.main, 4096)
            if not data:
                self.process.kill()
                self.process.wait()
                pytest.fail(f"ended without {text!r}: {self.text}")
            self.text += data.decode()
        return self.text

    def type(self, text: str) -> None:
        os.write(self.main, text.encode())

    def end(self) -> int:
        with contextlib.suppress(OSError):
            while data := os.read(self.main, 4096):
                self.text += data.decode()
        code = self.process.wait(30)
        os.close(self.main)
        return code
