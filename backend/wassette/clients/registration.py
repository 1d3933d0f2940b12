"""Registering Wassette with clients: look, preview, write, verify, undo.

A change is planned from the file as it is (`Plan` has the difference), and written only if the
file still is that. Everything that is written can be undone: to the byte if nobody touched the
file since, otherwise by changing back what was changed and nothing else.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wassette.errors import ClientError, SettingsChanged, visible
from wassette.paths import paths

from . import diff, files
from .catalog import CLIENTS, NAME, client
from .entries import Command, Standing, Wanted, command_of, disabled, standing
from .formats import Absent, CannotEdit, Named, Unreadable, edit, found, reader
from .journal import Journal, Record, digest
from .launcher import SHARED, Launcher, find_launcher
from .machine import Machine, this_machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from .catalog import Client, Place
    from .files import Settings
    from .formats import Key

_TRIES = 5  # where another program keeps writing

Action = Literal["add", "update", "replace", "remove", "undo", "none"]


@dataclass(frozen=True)
class State:
    """How a client stands to Wassette."""

    client: Client
    installed: bool
    file: Path
    standing: Standing
    command: Command | None = None
    disabled: bool = False
    problem: str | None = None
    """Why its settings cannot be read."""


@dataclass(frozen=True)
class Plan:
    """A change of one file, not made yet."""

    client: Client
    action: Action
    settings: Settings
    after: bytes | None
    record: Record | None = None
    """What is noted of it; for `undo`, what is undone."""
    notes: tuple[str, ...] = ()
    private: bool = True

    @property
    def changes(self) -> bool:
        return self.after != self.settings.data

    @property
    def diff(self) -> str:
        before, after = self.settings.data, self.after
        return diff.unified(
            str(self.settings.path),
            None if before is None else before.decode("utf-8-sig"),
            None if after is None else after.decode("utf-8-sig"),
        )

    @property
    def token(self) -> str:
        """Names this change of this file: what was shown and what is written is the same if this
        is."""
        parts = (str(self.settings.target), digest(self.settings.data), digest(self.after))
        return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


@dataclass(frozen=True)
class Written:
    plan: Plan
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verified:
    """What the client itself says."""

    listed: bool
    healthy: bool | None
    """Whether it could start the server; None if it does not try."""
    output: str


class Clients:
    """The clients of this user, or those of one project."""

    def __init__(
        self,
        *,
        project: Path | None = None,
        component_dir: str | None = None,
        machine: Machine | None = None,
        own: Launcher | None = None,
        state: Path | None = None,
    ) -> None:
        """`component_dir`: for the entry's `--component-dir`. `own`: how a client starts us; found
        out if it is not given. `state`: the directory for backups."""
        self.machine = machine or this_machine()
        self.project = project.absolute() if project else None
        self._component_dir = component_dir
        self._own = own
        self._journal = Journal(state or paths().state / "clients")

    # ---- looking ---------------------------------------------------------------------------------

    @property
    def own(self) -> Launcher:
        """Raises `ClientError` if this Wassette will not be there for long."""
        if self._own is None:
            self._own = SHARED if self.project else find_launcher(self.machine)
        return self._own

    def all(self) -> list[Client]:
        """Those that can be registered with; in a project, not every client can."""
        return [one for one in CLIENTS if self.project is None or one.project is not None]

    def installed(self, one: Client) -> bool:
        return any(path.exists() for path in self.machine.paths(one.found_by)) or any(
            self.machine.program(command) for command in one.commands
        )

    def states(self) -> list[State]:
        return [self.state(one.id) for one in self.all()]

    def state(self, client_id: str) -> State:
        one = client(client_id)
        place = self.place(one)
        file = self._file(place)
        installed = self.installed(one)
        try:
            entry = found(value_of(self.read(file), place), place.keys)
            is_now = standing(entry, self._wanted(place), self.own, self.machine)
        except ClientError as error:
            return State(one, installed, file, Standing.ABSENT, problem=str(error))
        if entry is Absent:
            return State(one, installed, file, is_now)
        return State(one, installed, file, is_now, command_of(place.entry, entry), disabled(entry))

    def place(self, one: Client) -> Place:
        place = one.project if self.project else one.user
        if place is None:
            raise ClientError(
                f"{one.name} has no settings for a single project that Wassette knows of. Those "
                f"that have: {', '.join(other.id for other in self.all())}"
            )
        return place

    def files(self, place: Place) -> list[Path]:
        """Those that it could be in; the first is the one that a new entry goes to."""
        if self.project:
            candidates = [self.project / one for one in place.files]
        else:
            candidates = self.machine.paths(place.files)
            variables = [one for one in place.files if one.startswith("$")]
            if self.machine.paths(variables):
                return candidates[:1]
        return sorted(candidates, key=lambda path: not (path.exists() or path.is_symlink()))

    def _file(self, place: Place) -> Path:
        return self.files(place)[0]

    def read(self, file: Path) -> Settings:
        return files.read(file, within=self.project)

    def _wanted(self, place: Place) -> Wanted:
        arguments = self.own.serve(self._component_dir)
        return Wanted(place.entry, Command(self.own.command, arguments))

    # ---- planning --------------------------------------------------------------------------------

    def plan_add(self, client_id: str, *, replace: bool = False) -> Plan:
        """To register with a client, or to correct an entry that does not work.

        `replace`: also in place of an entry that runs something else. Raises `ClientError`.
        """
        one = client(client_id)
        place = self.place(one)
        file = self._file(place)
        if self.project is None and not self.installed(one):
            looked = ", ".join(str(path) for path in self.machine.paths(one.found_by))
            raise ClientError(
                f"{one.name} is not installed here, or was never started (looked for {looked})"
            )
        settings = self.read(file)
        entry = found(value_of(settings, place), place.keys)
        wanted = self._wanted(place)
        is_now = standing(entry, wanted, self.own, self.machine)
        if is_now is Standing.CURRENT:
            return Plan(one, "none", settings, settings.data)
        if is_now in (Standing.FOREIGN, Standing.ANOTHER) and not replace:
            command = command_of(place.entry, entry)
            runs = f"runs {visible(str(command), 500)}" if command else "is of another kind"
            raise ClientError(
                f"{files.shown(file)} has an entry '{NAME}' already, which {runs}. It was left as "
                f"it is; to have it run this Wassette: wassette clients add {one.id} --replace"
            )
        action: Action
        if is_now is Standing.ABSENT or is_now is Standing.FOREIGN:
            action = "add" if is_now is Standing.ABSENT else "replace"
            changes: list[tuple[tuple[Key, ...], Any]] = [(place.keys, wanted.value())]
        else:
            action = "update"
            changes = [((*place.keys, key), part) for key, part in wanted.parts().items()]
        return self._plan(one, place, action, settings, changes)

    def plan_remove(self, client_id: str) -> Plan:
        """To take the entry out. Raises `ClientError` if it runs something else."""
        one = client(client_id)
        place = self.place(one)
        settings = self.read(self._file(place))
        entry = found(value_of(settings, place), place.keys)
        if entry is Absent:
            return Plan(one, "none", settings, settings.data)
        if standing(entry, self._wanted(place), self.own, self.machine) is Standing.FOREIGN:
            raise ClientError(
                f"The entry '{NAME}' in {files.shown(settings.path)} does not run Wassette, so it "
                "was left as it is. Take it out by hand if it is not needed"
            )
        return self._plan_removal(one, place, settings, place.keys)

    def plan_remove_other(self, client_id: str, file: Path, name: str) -> Plan:
        """To take out an entry that runs Wassette under another name, or in another file."""
        one = client(client_id)
        place = self.place(one)
        keys = _renamed(place.keys, name)
        return self._plan_removal(one, place, self.read(file), keys)

    def _plan_removal(
        self, one: Client, place: Place, settings: Settings, keys: tuple[Key, ...]
    ) -> Plan:
        plan = self._plan(one, place, "remove", settings, [(keys, Absent)])
        last = self._journal.last(settings.target)
        if last is None or last.action != "add" or keys != place.keys:
            return plan
        if last.after == digest(settings.data):
            backup = self._journal.backup(last)
            if backup is not None or last.before is None:
                return self._with_after(plan, backup)
        return self._with_after(plan, self._pruned(plan.after, place, last.made))

    def plan_undo(self, client_id: str) -> Plan:
        """To make the last change of a client's settings undone."""
        one = client(client_id)
        place = self.place(one)
        for file in self.files(place):
            settings = self.read(file)
            record = self._journal.last(settings.target)
            if record is None:
                continue
            backup = self._journal.backup(record)
            restorable = backup is not None or record.before is None
            if digest(settings.data) == record.after and restorable:
                return Plan(one, "undo", settings, backup, record)
            if digest(settings.data) == record.before:  # it was never made, or undone by hand
                return Plan(one, "undo", settings, settings.data, record)
            return self._plan_undo_within(one, place, settings, record)
        where = f" in {self.project}" if self.project else ""
        raise ClientError(f"Nothing was changed for {one.name}{where} that could be undone")

    def _plan_undo_within(
        self, one: Client, place: Place, settings: Settings, record: Record
    ) -> Plan:
        """Of a file that others changed since: only what was changed is changed back."""
        value = value_of(settings, place)
        changes = []
        for path, before, was_there in reversed(record.changed):
            keys = tuple(Named(*key) if isinstance(key, list) else key for key in path)
            if was_there:
                changes.append((keys, before))
            elif found(value, keys) is not Absent:
                changes.append((keys, Absent))
        after = self._pruned(_edited(settings, place, changes), place, record.made)
        return Plan(one, "undo", settings, after, record)

    def _plan(
        self,
        one: Client,
        place: Place,
        action: Action,
        settings: Settings,
        changes: list[tuple[tuple[Key, ...], Any]],
    ) -> Plan:
        value = value_of(settings, place)
        after = _edited(settings, place, changes)
        made = sum(found(value, place.keys[:end]) is Absent for end in range(1, len(place.keys)))
        folders = [one for one in settings.target.parents if not one.exists()]
        record = Record(
            file=str(settings.target),
            client=one.id,
            action=action,
            before=digest(settings.data),
            after=digest(after),
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            changed=[_noted(path, found(value, path)) for path, _ in changes],
            made=made if action == "add" else 0,
            folders=tuple(map(str, folders)),
        )
        notes = self._notes(one, action)
        private = self.project is None
        return Plan(one, action, settings, after, record, notes, private)

    def _notes(self, one: Client, action: Action) -> tuple[str, ...]:
        notes = []
        if self.project is None and self.machine.running(one.rewrites):
            notes.append(
                f"{one.name} is running, and may write its settings over this. Quit it first"
            )
        if action != "remove":
            if self.own.note:
                notes.append(self.own.note)
            if self.project and self.machine.program(self.own.command) is None:
                notes.append(
                    "The entry is for everybody who works on this project, so it runs `wassette` "
                    "from the PATH; on yours there is none"
                )
        return tuple(notes)

    @staticmethod
    def _with_after(plan: Plan, after: bytes | None) -> Plan:
        assert plan.record is not None
        return replace(plan, after=after, record=replace(plan.record, after=digest(after)))

    @staticmethod
    def _pruned(data: bytes | None, place: Place, made: int) -> bytes | None:
        """Without the objects that were made for the entry, if nothing else came into them."""
        if data is None or not made:
            return data
        bom, text = _split(data)
        for end in range(len(place.keys) - 1, len(place.keys) - 1 - made, -1):
            if found(reader(place.format).read(text), place.keys[:end]) in ({}, [], None):
                try:
                    text = edit(place.format, text, [(place.keys[:end], Absent)])
                except CannotEdit:
                    break
        return bom + text.encode()

    # ---- writing ---------------------------------------------------------------------------------

    def write(self, plan: Plan) -> Written:
        """Make the change. Raises `SettingsChanged` if the file is not what the plan was made
        from, `ClientError` if it cannot be written; nothing has changed then."""
        record = plan.record
        if record is None:
            return Written(plan)
        with self._journal.locked():
            if plan.action == "undo":
                if record not in self._journal.records():
                    raise files.changed_meanwhile(plan.settings.path)
                if plan.changes:
                    files.replace(plan.settings, plan.after, plan.private)
                self._journal.replace(record, replace(record, undone=True))
                if plan.after is None:
                    files.remove_directories([Path(one) for one in record.folders])
            else:
                self._journal.add(record, plan.settings.data)
                try:
                    files.replace(plan.settings, plan.after, plan.private)
                except ClientError:
                    self._journal.replace(record, None)
                    raise
        return Written(plan, self._after(plan))

    def _after(self, plan: Plan) -> tuple[str, ...]:
        notes = list(plan.notes)
        if self.read(plan.settings.path).data != plan.after:
            notes.append(
                f"{plan.client.name} wrote its settings again right after this. Look whether the "
                "entry is there: wassette clients list"
            )
        if plan.changes and plan.client.restart:
            notes.append(f"{plan.client.restart} for this to take effect")
        return tuple(notes)

    def add(self, client_id: str, *, replace: bool = False, token: str | None = None) -> Written:
        """`plan_add` and `write`. `token`: of the plan that was shown; another one is refused."""
        return self._write(lambda: self.plan_add(client_id, replace=replace), token)

    def remove(self, client_id: str, *, token: str | None = None) -> Written:
        return self._write(lambda: self.plan_remove(client_id), token)

    def undo(self, client_id: str, *, token: str | None = None) -> Written:
        return self._write(lambda: self.plan_undo(client_id), token)

    def _write(self, make: Callable[[], Plan], token: str | None) -> Written:
        """Who was shown a plan gets that one. Who was not gets the one for the file as it is now,
        also if it changes meanwhile: two clicks at once come to the same as one."""
        for _ in range(_TRIES - 1):
            plan = make()
            if token is not None and plan.token != token:
                raise files.changed_meanwhile(plan.settings.path)
            try:
                return self.write(plan)
            except SettingsChanged:
                if token is not None:
                    raise
        return self.write(make())

    # ---- verifying -------------------------------------------------------------------------------

    def verify(self, client_id: str, timeout: float = 60.0) -> Verified | None:
        """Ask the client's own command; None if it has none here. It may start the server, and
        write its settings again."""
        one = client(client_id)
        program = self.machine.program(one.cli.command) if one.cli else None
        if one.cli is None or program is None:
            return None
        try:
            done = subprocess.run(
                [program, *one.cli.arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=self.project or self.machine.home,
                env=dict(self.machine.environment),
                timeout=timeout,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            why = getattr(error, "strerror", None) or f"it took more than {timeout:g} s"
            raise ClientError(f"`{one.cli.command}` did not say: {why}") from None
        output = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", done.stdout.decode(errors="replace"))
        listed = re.search(one.cli.listed, output, re.MULTILINE) is not None
        healthy: bool | None = None
        if listed and one.cli.healthy is not None and one.cli.failed is not None:
            if re.search(one.cli.failed, output):
                healthy = False
            elif re.search(one.cli.healthy, output):
                healthy = True
        return Verified(listed, healthy, output)


def value_of(settings: Settings, place: Place) -> Any:
    try:
        return reader(place.format).read(settings.text)
    except Unreadable as error:
        raise ClientError(
            f"{files.shown(settings.path)}, {error}. It was left as it is; correct it in an "
            "editor, and try again"
        ) from None


def _edited(settings: Settings, place: Place, changes: list[tuple[tuple[Key, ...], Any]]) -> bytes:
    text = settings.text
    if not text.strip():
        text = place.new_file or text
    try:
        return settings.bom + edit(place.format, text, changes).encode()
    except CannotEdit as error:
        raise ClientError(
            f"{files.shown(settings.path)}: {error}. It was left as it is; change it by hand"
        ) from None


def _split(data: bytes) -> tuple[bytes, str]:
    bom = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    return bom, data.removeprefix(bom).decode()


def _noted(path: tuple[Key, ...], before: Any) -> list[Any]:
    keys = [[key.key, key.value] if isinstance(key, Named) else key for key in path]
    return [keys, None if before is Absent else before, before is not Absent]


def _renamed(keys: tuple[Key, ...], name: str) -> tuple[Key, ...]:
    last = keys[-1]
    return (*keys[:-1], Named(last.key, name) if isinstance(last, Named) else name)
