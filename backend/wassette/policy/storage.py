"""Storage rules → the directories that are opened for a component, and the rules about them.

A *mount* is a directory of the system at a path of the component's name space; the guard decides
by `FileRules` what of it the component sees. The path is the one that was written, also where
links lead elsewhere. Each allow rule is served by the deepest directory that surely holds
everything it can match: the directory itself, the parent of a single file, the part of a pattern
before its first wildcard. A mount is read-only unless a rule that it serves writes.

What is watched here, and the attack that it prevents:

- *Wassette's own files.* A component that can write its own policy grants itself the rest. A grant
  inside them is refused; in one above them they are denied, under every name that they have there.
- *The kernel's files.* `/proc/self/root` is another way to everything; the same.
- *Links.* A link in a directory that the component can write leads wherever it wants: from
  `/a` writable, and `/b/data` → `/a/x`, it could put a link to `/home` at `/a/x`. Where a mount is
  must not be in the component's own hands.
- *Deny rules* are about directories, whatever their name: `/a/b` is denied in `/link-to-a`, too.
- *Files that are links.* Their target is another file, which nobody has allowed.

Nothing is ever widened: what cannot be said in the guard's rules is left out, with a note.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wassette.errors import NotEnforceable, PolicyError, visible
from wassette.policy import places, rules
from wassette.policy.combine import Allowed, combine
from wassette.policy.files import MAX_NAME, MAX_PATH, MAX_SEGMENTS, FileRule, FileRules, Kind
from wassette.policy.model import Access, StorageRule
from wassette.policy.patterns import ANY_DEPTH, Pattern, is_wild, join, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class _Missing(NotEnforceable):
    """It is not there now; another rule may hold it all the same."""


OWN_FILES = "Wassette's own files"
KERNEL_FILES = "the kernel's files"
_BOTH = frozenset(Access)
_MAX_RULES = 1000
# What has an extension is taken for a file when it is not there yet.
_FILE_NAME = re.compile(r".+\.[A-Za-z0-9_-]{1,10}")


@dataclass(frozen=True)
class Mount:
    """The directory `host` (absolute, canonical) appears at the path `guest`."""

    host: str
    guest: str
    writable: bool


def host_path(mounts: Iterable[Mount], path: str) -> str | None:
    """What a component's `path` is to others; None if it is in no mount."""
    for mount in sorted(mounts, key=lambda one: -len(one.guest)):
        below = path.removeprefix(mount.guest.rstrip("/") + "/")
        if path == mount.guest or below != path:
            return mount.host if path == mount.guest else f"{mount.host}/{below}"
    return None


@dataclass(frozen=True)
class Storage:
    """All that a component may reach of the file system. A rule's `preopen` is a mount's index."""

    mounts: tuple[Mount, ...] = ()
    rules: FileRules = field(default_factory=FileRules)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Asked:
    """A rule as written: its segments without empty ones, `.` and a last `**`.

    `root`: the name of a named root, which is the first segment. `directory`: written with a
    slash or `/**` at its end, so that it cannot be a file.
    """

    uri: str
    source: str
    root: str | None
    segments: tuple[str, ...]
    directory: bool
    access: frozenset[Access]

    @property
    def wild(self) -> bool:
        return any(map(is_wild, self.segments))

    @property
    def pattern(self) -> Pattern:
        """What it covers if it is a directory, or whatever it matches if it is a pattern."""
        # The whole file system has no segment that a rule could be about.
        segments = self.segments or (ANY_DEPTH,)
        return Pattern(segments, tree=self.directory or not self.wild)


@dataclass(frozen=True)
class _Place:
    """Where the directory is that serves a rule: `guest` in the component's name space."""

    asked: _Asked
    guest: tuple[str, ...]
    host: str
    links: tuple[str, ...]
    pattern: Pattern


@dataclass(frozen=True)
class _Opened:
    """A mount in the making."""

    guest: tuple[str, ...]
    host: str
    links: tuple[str, ...]
    named: bool
    writable: bool = False

    def holds(self, other: _Opened) -> bool:
        """Whether `other` is the very directory that is at its path in this one."""
        depth = len(self.guest)
        return (
            other.guest[:depth] == self.guest
            and set(other.links) <= set(self.links)
            and places.relation(other.host, self.host) == other.guest[depth:]
        )


def resolve_storage(
    allow: Sequence[StorageRule],
    deny: Sequence[StorageRule],
    *,
    private_root: Path,
    protected: Sequence[Path],
    bound: Mapping[str, Path] | None = None,
    platform: str = sys.platform,
) -> Storage:
    """Evaluates the rules against the disk as it is now. Raises nothing.

    `bound`: the directories that named roots are bound to; others are private directories in
    `private_root`, which are made (mode 0700) if they are not there yet. `platform` is
    `sys.platform` but for tests.
    """
    return _Resolver(private_root, protected, bound or {}, platform).resolve(allow, deny)


def check_enforceable_storage(uri: str, protected: Sequence[Path]) -> None:
    """Raises `NotEnforceable` for a rule that could not be applied, however the disk changes.

    For what a person is about to grant. `PolicyError` if the uri is not one.
    """
    try:
        asked = _asked(StorageRule(uri, _BOTH), "")
        if asked.root is None:
            _check_reachable(join(_fixed(asked.segments)), protected, places.Mounts())
    except NotEnforceable as error:
        raise NotEnforceable(f"storage '{visible(uri)}': {error}") from None
    except (OSError, ValueError) as error:
        raise PolicyError(f"storage '{visible(uri)}' cannot be looked at: {error}") from None


def check_bindable(directory: Path, protected: Sequence[Path]) -> Path:
    """The canonical path of a directory that a named root is to be bound to.

    Raises `NotEnforceable` if it is not one, or is one of Wassette's or the kernel's.
    """
    try:
        if not directory.is_absolute():
            raise NotEnforceable("its path is not absolute")
        place = places.find_directory(str(directory))
        _check_reachable(place.path, protected, places.Mounts())
    except NotEnforceable as error:
        raise NotEnforceable(f"'{visible(str(directory), 1000)}': {error}") from None
    return Path(place.path)


def written_pattern(rule: StorageRule) -> Pattern | None:
    """What a rule covers by its text, in the component's name space; None if it is not one."""
    try:
        return _asked(rule, "").pattern
    except PolicyError:
        return None


class _Resolver:
    def __init__(
        self,
        private_root: Path,
        protected: Sequence[Path],
        bound: Mapping[str, Path],
        platform: str,
    ) -> None:
        self.private_root = places.real(str(private_root))
        self.protected = protected
        self.bound = bound
        self.fold_case = platform in ("darwin", "win32")
        self.windows = platform == "win32"
        self.table = places.Mounts()
        self.notes: dict[str, str] = {}

    def resolve(self, allow: Sequence[StorageRule], deny: Sequence[StorageRule]) -> Storage:
        found, opened, allowed = self._open(self._places(self._written(allow, "allow")))
        denied = self._denied(self._written(deny, "deny"), opened)
        denied += self._always_denied(opened)
        for place in found:
            self._note_if_denied(place, denied)
        mounts, files = self._finished(opened, allowed, denied)
        return Storage(mounts, files, tuple(self.notes.values()))

    # ---- what is written ----

    def _written(self, written: Sequence[StorageRule], section: str) -> list[_Asked]:
        found = []
        for index, rule in enumerate(written):
            source = f"storage.{section}[{index}] ({visible(rule.uri)})"
            try:
                found.append(_asked(rule, source, deny=section == "deny"))
            except PolicyError as error:
                self._note(rule.uri, error)
        return found

    def _note(self, uri: str, reason: object) -> None:
        self.notes.setdefault(uri, f"storage '{visible(uri)}' is not applied: {reason}")

    def _note_if_denied(self, place: _Place, denied: Sequence[FileRule]) -> None:
        by = [rule for rule in denied if rule.compiled.contains(place.pattern)]
        if place.asked.access <= {access for rule in by for access in rule.access}:
            self._note(place.asked.uri, f"the deny rule {by[0].source} covers it")

    # ---- where it is ----

    def _places(self, asked: Sequence[_Asked]) -> list[_Place]:
        found: list[_Place] = []
        missing: list[tuple[_Asked, _Missing]] = []
        for one in asked:
            writes = any(
                Access.WRITE in other.access
                and other.root == one.root
                and other.pattern.contains(one.pattern)
                for other in asked
            )
            try:
                place = self._locate(one, creates=writes)
            except _Missing as error:
                missing.append((one, error))
            except NotEnforceable as error:
                self._note(one.uri, error)
            else:
                found.append(place)
        for one, why in missing:
            above = [place for place in found if place.pattern.contains(one.pattern)]
            if not one.access <= {access for place in above for access in place.asked.access}:
                self._note(one.uri, why)
        taken = {place.guest[:1] for place in found if place.asked.root is None}
        for place in list(found):
            name = place.asked.root
            if name is not None and (
                (name,) in taken or (() in taken and places.exists(f"/{name}"))
            ):
                self._note(place.asked.uri, "another rule has the same path; rename this root")
                found.remove(place)
        return found

    def _locate(self, asked: _Asked, *, creates: bool) -> _Place:
        if asked.root is None:
            return self._follow(asked, 0, "/", creates=creates, private=False)
        if asked.root in self.bound:
            home = str(self.bound[asked.root])
            if places.find_directory(home).path != home:
                raise NotEnforceable(
                    f"'{visible(asked.root)}' is bound to {visible(home)}, which leads elsewhere "
                    "now; bind it again"
                )
            return self._follow(asked, 1, home, creates=creates, private=False)
        home = self._private(asked.root)
        return self._follow(asked, 1, home, creates=creates, private=True)

    def _private(self, name: str) -> str:
        home = Path(self.private_root, name)
        # The directory of all private ones may lie among our own files; nothing else of them may.
        others = [
            one
            for one in self.protected
            if not places.within(self.private_root, places.real(str(one)))
        ]
        _check_own(str(home), others)
        if any(places.relation(places.real(str(one)), str(home)) is not None for one in others):
            raise NotEnforceable(f"it contains {OWN_FILES}; use another name")
        try:
            home.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            home.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise NotEnforceable(
                f"its private directory cannot be made ({error.strerror})"
            ) from None
        return str(home)

    def _follow(
        self, asked: _Asked, skip: int, home: str, *, creates: bool, private: bool
    ) -> _Place:
        """The place of a rule whose segments after `skip` lead down from `home`."""
        fixed = _fixed(asked.segments)
        target = places.find(_below(home, fixed[skip:]))
        if target.what is not places.What.DIRECTORY and asked.wild:
            raise _Missing(f"'{visible(join(fixed))}' does not exist as a directory")
        base, pattern = fixed, asked.pattern
        if target.what is not places.What.DIRECTORY:
            if asked.directory and target.what is not places.What.MISSING:
                raise NotEnforceable("it is not a directory")
            base = fixed[:-1]
            parent = self._parent(home, base[skip:], creates or private)
            entry = _below(parent.path, fixed[-1:])
            if target.what is places.What.MISSING:
                self._check_missing(entry, creates=creates, private=private)
                literal = not asked.directory and _FILE_NAME.fullmatch(fixed[-1]) is not None
            elif target.what is places.What.OTHER:
                raise NotEnforceable("it is neither a file nor a directory")
            elif target.path != entry:
                raise NotEnforceable(
                    "it is a symbolic link; allow the file itself, "
                    f"{visible(rules.SCHEME + target.path)}"
                )
            else:
                literal = True
            if literal:
                pattern = Pattern(fixed, tree=False, literal=True)
            target = parent
        if private:
            # Components write in here, so a link says nothing about what a person wanted.
            if target.links:
                raise NotEnforceable(
                    "there is a symbolic link in it; replace the link by a directory"
                )
        else:
            _check_reachable(_below(target.path, fixed[len(base) :]), self.protected, self.table)
        return _Place(asked, base, target.path, target.links, pattern)

    @staticmethod
    def _parent(home: str, names: tuple[str, ...], opened: bool) -> places.Place:
        parent = places.find(_below(home, names))
        if parent.what is places.What.MISSING:
            raise _Missing(
                "it does not exist, and neither does the directory above it; make that first"
                if opened
                else "it does not exist; make it first"
            )
        if parent.what is not places.What.DIRECTORY:
            raise NotEnforceable("a part of its path is not a directory")
        return parent

    @staticmethod
    def _check_missing(entry: str, *, creates: bool, private: bool) -> None:
        """A component may make what it may write; for that the directory above is opened."""
        if places.exists(entry):
            raise _Missing("it does not exist: it is a symbolic link that leads nowhere")
        if not creates:
            hint = f", as {visible(entry)}, or bind its root" if private else ""
            raise _Missing(f"it does not exist; make it first{hint}")
        if entry.count("/") == 1:
            raise _Missing("it does not exist; make it first, since it is in /")

    # ---- what is opened ----

    def _open(
        self, found: list[_Place]
    ) -> tuple[list[_Place], dict[tuple[str, ...], _Opened], list[Allowed]]:
        """Mounts by their path, without those that the component could move."""
        while True:
            allowed, overlaps = combine(
                [Allowed(p.pattern, p.asked.access, (p.asked.source,)) for p in found]
            )
            every = {
                p.guest: _Opened(p.guest, p.host, p.links, p.asked.root is not None) for p in found
            }
            for rule in allowed:
                if Access.WRITE in rule.access:
                    guest = _serving(rule.pattern, every)
                    every[guest] = replace(every[guest], writable=True)
            opened: dict[tuple[str, ...], _Opened] = {}
            for guest in sorted(every):
                outer = _above(guest, opened)
                if outer is None or not _serves(outer, every[guest]):
                    opened[guest] = every[guest]
            lost = self._lost(opened, allowed)
            if not lost:
                for note in overlaps:
                    self.notes.setdefault(note, f"storage: {note}")
                return found, opened, _without_needless(allowed, opened)
            for place in list(found):
                if (guest := _serving(place.pattern, opened)) in lost:
                    self._note(place.asked.uri, lost[guest])
                    found.remove(place)

    def _lost(
        self, opened: Mapping[tuple[str, ...], _Opened], allowed: Sequence[Allowed]
    ) -> dict[tuple[str, ...], str]:
        writable = [rule.pattern for rule in allowed if Access.WRITE in rule.access]
        lost = {}
        for guest, mount in opened.items():
            for other in opened.values():
                if other is mount or not other.writable:
                    continue
                # A link, or a directory, is in the hands of who can write its name.
                if any(self._can_move(way, other, writable) for way in (mount.host, *mount.links)):
                    lost[guest] = (
                        f"a symbolic link takes it into '{visible(join(other.guest))}', which the "
                        "component can change; allow the real path instead"
                    )
        return lost

    def _can_move(self, way: str, other: _Opened, writable: Sequence[Pattern]) -> bool:
        path = Path(way)
        above = places.relation(str(path.parent), other.host)
        if above is None or path == path.parent:
            return False
        if self.fold_case:
            return True  # the name may be written in another way
        names = (*other.guest, *above, path.name)
        return any(
            pattern.covers(names[:depth])
            for depth in range(len(other.guest) + 1, len(names) + 1)
            for pattern in writable
        )

    # ---- what is denied ----

    def _denied(
        self, asked: Sequence[_Asked], opened: Mapping[tuple[str, ...], _Opened]
    ) -> list[FileRule]:
        names = {mount.guest[0] for mount in opened.values() if mount.named} | set(self.bound)
        found: list[FileRule] = []
        for one in asked:
            everything = replace(one.pattern, tree=True)
            roots: list[tuple[str | None, Pattern]] = [(None, everything)]
            if one.root is not None:
                roots = [
                    (name, rest)
                    for name in sorted(names)
                    for rest in everything.residuals(everything.run((name,), fold=self.fold_case))
                ]
            for name, pattern in roots:
                for guest, literal in self._in_mounts(name, pattern, opened):
                    kind = Kind.LITERAL if literal else Kind.TREE
                    found.append(FileRule(guest, one.access, kind, deny=True, source=one.source))
        return found

    def _in_mounts(
        self, name: str | None, pattern: Pattern, opened: Mapping[tuple[str, ...], _Opened]
    ) -> Iterable[tuple[str, bool]]:
        """A deny rule as patterns below each mount: as it is written, and where it leads."""
        fixed, rest = pattern.segments[: pattern.fixed], pattern.segments[pattern.fixed :]
        home = "/"
        if name is not None:
            home = str(self.bound.get(name) or _below(self.private_root, (name,)))
        real = places.real(_below(home, fixed))
        for mount in opened.values():
            if mount.named == (name is not None):
                written = pattern.below((name,)) if name is not None else pattern
                yield from _rest(written, mount.guest, mount.guest, fold=self.fold_case)
            for host in self.table.names(real):
                inside = places.relation(host, mount.host)
                if inside is not None:
                    yield join((*mount.guest, *inside, *rest)), not rest
                    continue
                outside = places.relation(mount.host, host)
                if outside is not None:
                    yield from _rest(
                        Pattern(rest, tree=True), outside, mount.guest, fold=self.fold_case
                    )

    def _always_denied(self, opened: Mapping[tuple[str, ...], _Opened]) -> list[FileRule]:
        found = []
        own = [host for one in self.protected for host in self.table.names(places.real(str(one)))]
        kernel = self.table.kernel()
        if self.fold_case:
            kernel.append("/System/Volumes")  # the whole disk under a second name
        for source, hosts in ((OWN_FILES, own), (KERNEL_FILES, kernel)):
            for mount in opened.values():
                for host in hosts:
                    # Not that itself: a private directory is in it, all else was refused.
                    inside = places.relation(host, mount.host)
                    if inside:
                        guest = join((*mount.guest, *inside))
                        found.append(FileRule(guest, _BOTH, Kind.LITERAL, deny=True, source=source))
        return found

    # ---- the result ----

    def _finished(
        self,
        opened: Mapping[tuple[str, ...], _Opened],
        allowed: Sequence[Allowed],
        denied: Sequence[FileRule],
    ) -> tuple[tuple[Mount, ...], FileRules]:
        left: dict[tuple[str, ...], Mount] = {}
        for guest, mount in sorted(opened.items()):
            by = [rule for rule in denied if rule.compiled.covers(guest, fold=self.fold_case)]
            taken = {access for rule in by for access in rule.access}
            writable = mount.writable and Access.WRITE not in taken
            if writable or Access.READ not in taken:
                left[guest] = Mount(mount.host, join(guest), writable)
        index = {guest: number for number, guest in enumerate(left)}
        kept = [
            FileRule(
                join(rule.pattern.segments),
                rule.access,
                _kind(rule.pattern),
                preopen=index[guest],
                source=" and ".join(rule.sources),
            )
            for rule in allowed
            if (guest := _serving(rule.pattern, opened)) in left
        ]
        kept.sort(key=lambda rule: (rule.pattern, rule.kind))
        unique = {(rule.encode(), rule.source): rule for rule in map(_shortened, denied)}
        every = (*kept, *sorted(unique.values(), key=lambda rule: (rule.pattern, rule.encode())))
        if len(every) > _MAX_RULES:
            self.notes = {"": f"storage: no rule is applied: there are more than {_MAX_RULES}"}
            left, every = {}, ()
        return tuple(left.values()), FileRules(every if left else (), self.fold_case, self.windows)


def _asked(rule: StorageRule, source: str, *, deny: bool = False) -> _Asked:
    """A rule's parts. Raises `PolicyError`."""
    rules.check_storage_uri(rule.uri)
    path = rule.uri.removeprefix(rules.SCHEME)
    named = not path.startswith("/")
    segments = [segment for segment in path.split("/") if segment not in ("", ".")]
    directory = path.endswith(("/", "/."))
    while segments and segments[-1] == ANY_DEPTH:
        segments.pop()
        directory = True
    if named and not deny and (not segments or is_wild(segments[0]) or not _is_root(segments[0])):
        raise NotEnforceable(f"a named root needs a name, as in {rules.SCHEME}workspace")
    if not deny and not _fits(tuple(segments)):
        raise NotEnforceable(
            f"a name in it or all of it is too long, or it has more than {MAX_SEGMENTS} names from "
            "its first wildcard on"
        )
    root = (segments[0] if segments else "") if named else None
    return _Asked(rule.uri, source, root, tuple(segments), directory, rule.access)


def _fits(segments: tuple[str, ...], *, literal: bool = False) -> bool:
    """Whether the guard takes this as a pattern; it refuses everything if it does not take one."""
    pattern = Pattern(segments, literal=literal)
    return (
        pattern.full - pattern.fixed <= MAX_SEGMENTS
        and len(join(segments).encode()) <= MAX_PATH
        and all(len(segment.encode()) <= MAX_NAME for segment in segments)
    )


def _is_root(name: str) -> bool:
    # A colon or backslash would make a drive or a path of the name, on Windows.
    return not set(name) & set(":\\")


def _fixed(segments: tuple[str, ...]) -> tuple[str, ...]:
    return segments[: Pattern(segments).fixed]


def _below(directory: str, names: Iterable[str]) -> str:
    return str(Path(directory, *names))


def _check_reachable(path: str, protected: Sequence[Path], table: places.Mounts) -> None:
    _check_own(path, protected)
    if any(places.within(path, kernel) for kernel in table.kernel()):
        raise NotEnforceable(
            f"it is one of {KERNEL_FILES}, which lead to other programs' memory and devices"
        )


def _check_own(path: str, protected: Sequence[Path]) -> None:
    real = places.real(path)
    for one in protected:
        if places.within(real, places.real(str(one))):
            raise NotEnforceable(
                f"it is one of {OWN_FILES}, in {visible(str(one))}; allow another directory"
            )


def _above(guest: tuple[str, ...], opened: Mapping[tuple[str, ...], _Opened]) -> _Opened | None:
    """The deepest mount at or above a path."""
    for depth in range(len(guest), -1, -1):
        if guest[:depth] in opened:
            return opened[guest[:depth]]
    return None


def _serves(outer: _Opened, inner: _Opened) -> bool:
    return (outer.writable or not inner.writable) and outer.holds(inner)


def _serving(pattern: Pattern, opened: Mapping[tuple[str, ...], _Opened]) -> tuple[str, ...]:
    mount = _above(pattern.segments[: pattern.fixed], opened)
    assert mount is not None
    return mount.guest


def _without_needless(
    allowed: Sequence[Allowed], opened: Mapping[tuple[str, ...], _Opened]
) -> list[Allowed]:
    """Without rules that change nothing: the guard is fastest with one for a whole mount."""
    kept = list(allowed)
    for rule in allowed:
        if any(
            other is not rule
            and other.access == rule.access
            and _serving(other.pattern, opened) == _serving(rule.pattern, opened)
            and other.pattern.contains(rule.pattern)
            for other in kept
        ):
            kept.remove(rule)
    return kept


def _rest(
    pattern: Pattern, names: Iterable[str], guest: tuple[str, ...], *, fold: bool
) -> Iterable[tuple[str, bool]]:
    """What is left of a pattern at a mount, as patterns in the component's name space."""
    for rest in pattern.residuals(pattern.run(names, fold=fold)):
        yield join((*guest, *rest.segments)), not any(map(is_wild, rest.segments))


def _kind(pattern: Pattern) -> Kind:
    if pattern.literal:
        return Kind.LITERAL
    return Kind.TREE if pattern.tree else Kind.EXACT


def _shortened(rule: FileRule) -> FileRule:
    """A deny rule that is too long for the guard denies more; it is never left out."""
    names = split(rule.pattern)
    while not _fits(names, literal=rule.kind is Kind.LITERAL):
        names = names[:-1]
    if not names:
        return replace(rule, pattern=f"/{ANY_DEPTH}", kind=Kind.TREE)
    return replace(rule, pattern=join(names))
