"""Clients in a home directory of a test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wassette.clients import Clients, Launcher
from wassette.clients.catalog import client
from wassette.clients.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wassette.clients.machine import System


def clients_in(
    home: Path,
    *,
    command: str | None = None,
    project: Path | None = None,
    system: System = "linux",
    environment: Mapping[str, str] | None = None,
) -> Clients:
    """For a Wassette at `command`; one is made below `home` if it is not given."""
    if command is None:
        program = home / "opt" / "wassette"
        program.parent.mkdir(parents=True, exist_ok=True)
        if not program.exists():
            program.write_text("#!/bin/sh\n")
            program.chmod(0o755)
        command = str(program)
    return Clients(
        project=project,
        machine=Machine(system, home, {"APPDATA": str(home / "AppData"), **(environment or {})}),
        own=None if project else Launcher(command),
        state=home / "state",
    )


def installed(clients: Clients, client_id: str, data: bytes | None = None) -> Path:
    """Has a client be installed, with this in its settings. Returns the file."""
    paths = clients.machine.paths(client(client_id).found_by)
    next(path for path in paths if not path.suffix).mkdir(parents=True, exist_ok=True)
    file = clients.state(client_id).file
    if data is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return file
