"""Storage rules → the directories that a component gets.

This version hands directories to the sandbox's own filesystem, which knows a directory, read-only
or writable, and nothing finer. So a rule that says less than that is not applied, with a note;
it is never widened to the nearest thing that could be applied.

What is watched here, and the attack that it prevents:

- *Deny rules.* One that touches an allowed directory cannot be carved out of it.
- *Protected places.* A component that can write its own policy grants itself the rest.
- *Links.* A link in a directory that the component can write leads wherever it wants: from
  `/a` writable, and `/b/data` → `/a/x`, it could put a link to `/home` at `/a/x`.
- *Write-only.* A preopened directory can always be listed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wassette.errors import NotEnforceable, PolicyError, visible
from wassette.policy import places, rules
from wassette.policy.model import Access, StorageRule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Mount:
    """The directory `host` (absolute, canonical) appears at the path `guest`."""

    host: str
    guest: str
    writable: bool


@dataclass(frozen=True)
class _Directory:
    """A directory rule; its segments, without empty ones and `.`."""

    uri: str
    named: bool
    segments: tuple[str, ...]
    access: frozenset[Access]

    @property
    def guest(self) -> str:
        return "/" + "/".join(self.segments)

    def holds(self, other: _Directory) -> bool:
        depth = len(self.segments)
        return self.named == other.named and other.segments[:depth] == self.segments


@dataclass(frozen=True)
class _Candidate:
    rule: _Directory
    mount: Mount
    links: tuple[str, ...]


def resolve_storage(
    allow: Sequence[StorageRule],
    deny: Sequence[StorageRule],
    *,
    private_root: Path,
    protected: Sequence[Path],
) -> tuple[tuple[Mount, ...], tuple[str, ...]]:
    """The mounts, ordered by guest path, and a note for each rule that is not applied.

    Makes the private directories of named roots (mode 0700) that are not there yet.
    """
    directories, notes = _directories(allow)
    candidates: list[_Candidate] = []
    # From the top down: what lies in an applied directory, with no more access, is in it already.
    for rule in sorted(directories, key=lambda one: len(one.segments)):
        if any(above.rule.holds(rule) and above.rule.access == rule.access for above in candidates):
            continue
        try:
            _check_access(rule.access)
            place = _find(rule, private_root, protected)
            _check_deny(rule, place.path, deny, private_root)
        except NotEnforceable as error:
            notes.append(_note(rule.uri, error))
        else:
            mount = Mount(place.path, rule.guest, Access.WRITE in rule.access)
            candidates.append(_Candidate(rule, mount, place.links))
    mounts: dict[str, Mount] = {}
    for candidate in sorted(candidates, key=lambda c: (c.mount.guest, c.rule.named)):
        try:
            _check_others(candidate, candidates)
            if candidate.mount.guest in mounts:
                raise NotEnforceable("another rule has the same path; rename this root")
        except NotEnforceable as error:
            notes.append(_note(candidate.rule.uri, error))
        else:
            mounts[candidate.mount.guest] = candidate.mount
    return tuple(mounts.values()), tuple(notes)


def check_enforceable_storage(
    uri: str, access: Iterable[Access], protected: Sequence[Path]
) -> None:
    """Raises `NotEnforceable` for a rule that could not be applied, however the disk changes.

    For what a person is about to grant; `access` is all that the uri will have. A directory that
    is missing today is no reason. `PolicyError` if the uri is not one.
    """
    rules.check_storage_uri(uri)
    try:
        rule = _directory(uri, frozenset(access))
        _check_access(rule.access)
        if not rule.named:
            if Path(rule.guest).exists() and not Path(rule.guest).is_dir():
                places.find_directory(rule.guest)
            _check_protected(rule.guest, protected)
    except NotEnforceable as error:
        raise NotEnforceable(f"storage '{visible(uri)}': {error}") from None
    except (OSError, ValueError) as error:
        raise PolicyError(f"storage '{visible(uri)}' cannot be looked at: {error}") from None


def _directories(allow: Sequence[StorageRule]) -> tuple[list[_Directory], list[str]]:
    """One for each directory, with all the access that rules for it and above it allow."""
    found: dict[tuple[bool, tuple[str, ...]], _Directory] = {}
    notes: list[str] = []
    for rule in allow:
        try:
            new = _directory(rule.uri, rule.access)
        except PolicyError as error:
            notes.append(_note(rule.uri, error))
            continue
        key = (new.named, new.segments)
        old = found.get(key, new)
        found[key] = _Directory(old.uri, new.named, new.segments, old.access | new.access)
    merged = [
        _Directory(
            one.uri,
            one.named,
            one.segments,
            frozenset().union(*(other.access for other in found.values() if other.holds(one))),
        )
        for one in found.values()
    ]
    return merged, notes


def _directory(uri: str, access: frozenset[Access]) -> _Directory:
    """A uri as a directory. Raises `NotEnforceable` if it names anything finer."""
    rules.check_storage_uri(uri)
    path = uri.removeprefix(rules.SCHEME)
    named = not path.startswith("/")
    segments = [segment for segment in path.split("/") if segment not in ("", ".")]
    if segments and segments[-1] == "**":
        segments.pop()
    for index, segment in enumerate(segments):
        if "*" in segment:
            form = rules.SCHEME + ("" if named else "/") + "/".join([*segments[:index], "**"])
            raise NotEnforceable(
                "patterns are not enforceable yet; "
                f"allow the whole directory, as {visible(form)}, or a smaller one"
            )
    if not named and not segments:
        raise NotEnforceable(
            "the whole file system includes Wassette's own files; allow a directory"
        )
    # A colon or backslash would make a drive or a path of the name, on Windows.
    if named and (not segments or set(segments[0]) & set(":\\")):
        raise NotEnforceable(f"a named root needs a name, as in {rules.SCHEME}workspace")
    return _Directory(uri, named, tuple(segments), access)


def _check_access(access: frozenset[Access]) -> None:
    if Access.READ not in access:
        raise NotEnforceable(
            "write without read is not enforceable yet; allow [read, write] to mean both"
        )


def _find(rule: _Directory, private_root: Path, protected: Sequence[Path]) -> places.Place:
    if not rule.named:
        place = places.find_directory(rule.guest)
        _check_protected(place.path, protected)
        return place
    root = places.real(str(private_root))
    home = Path(root, rule.segments[0])
    # The directory of all private ones may lie among our own files; nothing else of them may.
    _check_protected(
        str(home), [one for one in protected if not places.within(root, places.real(str(one)))]
    )
    try:
        home.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise NotEnforceable(f"its private directory cannot be made ({error.strerror})") from None
    place = places.find_directory(str(home.joinpath(*rule.segments[1:])))
    # Components write in here, so a link says nothing about what a person wanted.
    if place.links:
        raise NotEnforceable("there is a symbolic link in it; replace the link by a directory")
    return place


def _check_protected(path: str, protected: Sequence[Path]) -> None:
    if (other := places.overlapping(path, protected)) is not None:
        raise NotEnforceable(
            f"it contains, or is part of, Wassette's own files in {visible(str(other))}; "
            "allow a smaller directory, or another one"
        )


def _check_deny(
    rule: _Directory, host: str, deny: Sequence[StorageRule], private_root: Path
) -> None:
    """The fixed part of a deny rule must be neither inside nor above the directory."""
    for denied in deny:
        if not denied.access & rule.access:
            continue
        path = denied.uri.removeprefix(rules.SCHEME)
        start = "/" if path.startswith("/") else places.real(str(private_root))
        fixed: list[str] = []
        for segment in path.split("/"):
            if "*" in segment:
                break
            fixed.append(segment)
        prefix = str(Path(start, *filter(None, fixed)))
        # Both as written and where it leads: either may be what the person meant.
        written = host if rule.named else rule.guest
        if places.overlaps(prefix, host) or places.touches(prefix, written):
            raise NotEnforceable(
                f"the deny rule '{visible(denied.uri)}' may apply within it, and deny rules are "
                "not enforceable yet; allow smaller directories that it does not touch"
            )


def _check_others(candidate: _Candidate, candidates: Sequence[_Candidate]) -> None:
    """Nothing on the way to the directory may be in the component's own hands."""
    for other in candidates:
        if other is candidate or not other.mount.writable:
            continue
        # Where a directory or a link is, is decided by who can write the directory above it.
        ways = (Path(way).parent for way in (candidate.mount.host, *candidate.links))
        if any(places.within(str(way), other.mount.host) for way in ways):
            raise NotEnforceable(
                f"a symbolic link takes it into '{visible(other.rule.uri)}', which the component "
                "can change; allow the real path instead"
            )


def _note(uri: str, error: PolicyError) -> str:
    return f"storage '{visible(uri)}' is not applied: {error}"
