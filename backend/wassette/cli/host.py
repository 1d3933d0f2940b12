"""`wassette host`: the warm host processes of this user, as they are running now."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import click

from wassette.errors import ConfigError, WassetteError
from wassette.hosting import rendezvous
from wassette.hosting.rendezvous import HostUnavailable, Rendezvous

from .base import Group, examples, options
from .output import show, table

ANSWER_TIMEOUT = 5.0  # seconds
STOP_TIMEOUT = 20.0  # seconds


@click.group(cls=Group)
def host() -> None:
    """Look at the process that serves all of your MCP clients, pause it, and end it."""


@host.command(epilog=examples("wassette host status", "wassette host status -o json"))
def status() -> None:
    """Show the host processes that are running: what they serve, and to whom."""
    found = [_status(one) for one in _all()]
    hosts = [one for one in found if one is not None]
    show({"hosts": hosts}, table=lambda: _table(hosts), default=lambda: _table(hosts))


@host.command(epilog=examples("wassette host stop", "wassette host stop --all"))
@click.option("--all", "everything", is_flag=True, help="End those of other directories too.")
def stop(everything: bool) -> None:
    """End the host process of the component directory. Calls that are running may finish.

    Clients start another when they need one.
    """
    wanted = None if everything else _directory()
    stopped = []
    for one in _all():
        known = _status(one)
        if known is None or wanted not in (None, known["component_dir"]):
            continue
        _ask(one, "end")
        _wait(one, known["pid"])
        stopped.append({"pid": known["pid"], "component_dir": known["component_dir"]})
    show(
        {"stopped": stopped},
        default=lambda: "\n".join(_ended(one) for one in stopped) or "No host process is running.",
    )


@host.command(epilog=examples("wassette host pause"))
def pause() -> None:
    """Have no tool called any more, by whatever client, until you resume.

    Calls that are running may finish. It holds for the component directory, whether a host process
    is running or not.
    """
    _set_paused(True)


@host.command(epilog=examples("wassette host resume"))
def resume() -> None:
    """Have tools called again."""
    _set_paused(False)


def _set_paused(paused: bool) -> None:
    wanted = _directory()
    asked = []
    for one in _all():
        known = _status(one)
        if known is not None and known["component_dir"] == wanted:
            _ask(one, "pause" if paused else "resume")
            asked.append(known["pid"])
    if not asked:
        from .run import run

        run(lambda host: host.pause() if paused else host.resume())
    word = "paused" if paused else "resumed"
    go_on = ": no tool is called until `wassette host resume`" if paused else ""
    show(
        {"status": word, "component_dir": wanted, "processes": asked},
        default=lambda: f"{word.capitalize()}{go_on}.",
    )


def running() -> dict[str, Any] | None:
    """What the host process of the component directory says of itself, with its `socket`; None if
    there is none. Raises `WassetteError`."""
    wanted = _directory()
    for one in _all():
        known = _status(one)
        if known is not None and known["component_dir"] == wanted:
            return {**known, "socket": one.socket_path}
    return None


def _directory() -> str:
    try:
        return rendezvous.component_dir(options().component_dir, os.environ)
    except HostUnavailable as error:
        raise ConfigError(str(error)) from None


def _all() -> list[Rendezvous]:
    try:
        return rendezvous.all_hosts()
    except HostUnavailable as error:
        raise ConfigError(str(error)) from None


def _status(one: Rendezvous) -> dict[str, Any] | None:
    answer = _ask(one, "status")
    return None if answer is None else answer["status"]


def _ask(one: Rendezvous, want: str) -> dict[str, Any] | None:
    """A host's answer; None if it is not running."""
    try:
        sock = one.connect()
    except HostUnavailable as error:
        raise ConfigError(str(error)) from None
    if sock is None:
        return None
    question = json.dumps({"wassette": rendezvous.PROTOCOL, "want": want}).encode() + b"\n"
    try:
        answer = rendezvous.greet(sock, question, ANSWER_TIMEOUT)
    finally:
        sock.close()
    if not answer:
        return None
    said = json.loads(answer)
    if said.get("ok") is not True:
        raise WassetteError(f"{one.socket_path}: {said.get('error')}")
    assert isinstance(said, dict)
    return said


def _wait(one: Rendezvous, pid: int) -> None:
    give_up = time.monotonic() + STOP_TIMEOUT
    while (lock := one.lock("lock")) < 0:
        if time.monotonic() > give_up:
            raise WassetteError(f"process {pid} did not end within {STOP_TIMEOUT:g} s")
        time.sleep(0.02)
    os.close(lock)


def _ended(one: dict[str, Any]) -> str:
    return f"Ended process {one['pid']}, which served {one['component_dir']}."


def _table(hosts: list[dict[str, Any]]) -> str:
    if not hosts:
        return "No host process is running."
    rows = []
    for one in hosts:
        clients = ", ".join(client["name"] or "?" for client in one["clients"]) or "none"
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one["started"]))
        paused = " (paused)" if one.get("paused") else ""
        rows.append(
            (str(one["pid"]), one["version"], since, clients, one["component_dir"] + paused)
        )
    return table(("Process", "Version", "Since", "Clients", "Components"), rows)
