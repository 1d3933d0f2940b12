"""A client's entry for Wassette: what it should be, and what the one that is there comes to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from .catalog import ARGS, ARGV, COMMAND
from .formats import Absent
from .launcher import looks_like_wassette, resolved, same_program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .launcher import Launcher
    from .machine import Machine


class Standing(StrEnum):
    """What an entry is."""

    ABSENT = "not registered"
    CURRENT = "registered"
    BROKEN = "broken"
    """It runs a Wassette that is not there (any more)."""
    OUTDATED = "outdated"
    """It runs this Wassette, but not as an MCP server."""
    ANOTHER = "another wassette"
    """It runs another Wassette that is on this machine."""
    FOREIGN = "not wassette"
    """It has our name, and runs something else."""


@dataclass(frozen=True)
class Command:
    program: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join((self.program, *self.arguments))


@dataclass(frozen=True)
class Wanted:
    """The entry that a client shall have."""

    template: Mapping[str, Any]
    command: Command

    def value(self) -> dict[str, Any]:
        """All of it."""
        return {key: self._filled(one) for key, one in self.template.items()}

    def parts(self) -> dict[str, Any]:
        """What says which command runs; the rest of an entry is the user's own."""
        ours = (COMMAND, ARGS, ARGV)
        return {key: self._filled(one) for key, one in self.template.items() if one in ours}

    def _filled(self, one: Any) -> Any:
        if one == COMMAND:
            return self.command.program
        if one == ARGS:
            return list(self.command.arguments)
        if one == ARGV:
            return [self.command.program, *self.command.arguments]
        return one


def command_of(template: Mapping[str, Any], entry: Any) -> Command | None:
    """What an entry of this form runs; None if that cannot be told, as for a URL."""
    if not isinstance(entry, dict):
        return None
    words: dict[str, list[str]] = {COMMAND: [], ARGS: [], ARGV: []}
    for key, one in template.items():
        if one in (COMMAND, ARGS, ARGV):
            value = entry.get(key, [])
            listed = [value] if isinstance(value, str) else value
            if not isinstance(listed, list) or not all(isinstance(word, str) for word in listed):
                return None
            words[one] = listed
    line = [*words[COMMAND], *words[ARGS], *words[ARGV]]
    return Command(line[0], tuple(line[1:])) if line and line[0] else None


def standing(entry: Any, wanted: Wanted, own: Launcher, machine: Machine) -> Standing:
    if entry is Absent:
        return Standing.ABSENT
    command = command_of(wanted.template, entry)
    if command == wanted.command:
        return Standing.CURRENT
    if command is None or not looks_like_wassette(command.program, command.arguments):
        return Standing.FOREIGN
    if same_program(command.program, command.arguments, own, machine):
        serves = {"serve", "run"} & set(command.arguments)
        return Standing.CURRENT if serves else Standing.OUTDATED
    there = resolved(command.program, machine) is not None
    return Standing.ANOTHER if there else Standing.BROKEN


def disabled(entry: Any) -> bool:
    return isinstance(entry, dict) and (
        entry.get("disabled") is True or entry.get("enabled") is False
    )
