"""A server of releases for install.sh, on this machine."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import platform
import subprocess
import tarfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = "1.2.3"
MACHINE = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@dataclass
class Releases:
    """A server of releases, and a user who installs one."""

    folder: Path
    url: str
    home: Path
    script: Path

    @property
    def app(self) -> Path:
        return self.home / ".local/share/wassette-app"

    def archive(self, says: str = f"wassette {VERSION}") -> bytes:
        """An archive as `scripts/build tar` lays it out, with a program that says something."""
        raw = io.BytesIO()
        files = {
            "wassette": f"#!/bin/sh\necho '{says}'\n",
            "wassette-desktop": "#!/bin/sh\n",
            "share/wassette.desktop": "[Desktop Entry]\n",
            "share/wassette.service": "[Service]\nExecStart=/usr/bin/wassette serve --http\n",
            "share/wassette.1": ".TH WASSETTE 1\n",
        }
        with tarfile.open(fileobj=raw, mode="w:gz") as archive:
            for name, text in files.items():
                entry = tarfile.TarInfo(f"wassette/{name}")
                entry.mode = 0o644 if "/" in name else 0o755
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text.encode()))
        return raw.getvalue()

    def release(self, data: bytes, digest: str | None = None, version: str = VERSION) -> None:
        """Make this the newest. `digest`: what the checksums say, if not the truth."""
        where = self.folder / f"download/v{version}"
        where.mkdir(parents=True, exist_ok=True)
        name = f"wassette-{version}-linux-{MACHINE}.tar.gz"
        (where / name).write_bytes(data)
        digest = digest or hashlib.sha256(data).hexdigest()
        (where / "SHA256SUMS").write_text(f"{digest}  {name}\n{'0' * 64}  other.deb\n")
        newest = self.folder / "latest/download"
        newest.mkdir(parents=True, exist_ok=True)
        (newest / "VERSION").write_text(f"{version}\n")

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", self.script, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "WASSETTE_RELEASES": self.url,
                **environment,
            },
        )

    def left(self) -> list[str]:
        """What there is of us in the user's home."""
        return sorted(
            str(path.relative_to(self.home))
            for path in self.home.rglob("*")
            if path.is_file() or path.is_symlink()
        )


@contextmanager
def serving(folder: Path, script: str) -> Iterator[Releases]:
    """Of what is in `folder`/releases, to a user in `folder`/home. `script`: that of install.sh."""
    released, home, file = folder / "releases", folder / "home", folder / "install.sh"
    released.mkdir()
    home.mkdir(exist_ok=True)
    file.write_text(script)
    handler = functools.partial(_Files, directory=str(released))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Releases(released, f"http://127.0.0.1:{server.server_port}", home, file)
        server.shutdown()
        thread.join()
