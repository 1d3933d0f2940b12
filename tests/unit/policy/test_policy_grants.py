from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wassette.errors import NotEnforceable, PolicyError
from wassette.policy import (
    Access,
    EnvironmentRule,
    Grants,
    Limits,
    Mount,
    NetworkRule,
    Policy,
    ResolvedLimits,
    StorageRule,
    check_enforceable_storage,
    resolve,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

R = frozenset({Access.READ})
W = frozenset({Access.WRITE})
RW = R | W
LETTERS = {"r": R, "w": W, "rw": RW}


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A small file system; `T` in the tests stands for its root."""
    root = Path(os.path.realpath(tmp_path)) / "disk"
    for name in ("a/b/c", "d", "deep/x", "own/private", "own/components", "Über b"):
        (root / name).mkdir(parents=True)
    (root / "a/file.txt").write_text("x")
    (root / "to-a").symlink_to(root / "a")
    (root / "to-b").symlink_to("a/b")
    (root / "to-own").symlink_to(root / "own/components")
    (root / "loop").symlink_to("loop")
    (root / "gone").symlink_to("nowhere")
    # In `a`, which some tests make writable: what a component could have put there.
    (root / "a/planted").symlink_to(root / "d")
    (root / "via-planted").symlink_to(root / "a/planted")
    return root


def _resolve(
    disk: Path, allow: Sequence[tuple[str, str]], deny: Sequence[tuple[str, str]] = ()
) -> Grants:
    def rules(pairs: Sequence[tuple[str, str]]) -> tuple[StorageRule, ...]:
        return tuple(StorageRule(u.replace("T", str(disk)), LETTERS[a]) for u, a in pairs)

    return resolve(
        Policy(version="1.0", storage_allow=rules(allow), storage_deny=rules(deny)),
        environment={},
        private_root=disk / "own/private/x",
        protected=[disk / "own"],
    )


def _short(disk: Path, grants: Grants) -> list[tuple[str, str, str]]:
    return [
        (
            mount.host.replace(str(disk), "T"),
            mount.guest.replace(str(disk), "T"),
            "rw" if mount.writable else "r",
        )
        for mount in grants.mounts
    ]


PRIVATE = "T/own/private/x"

# (allow, deny, mounts as (host, guest, access))
APPLIED: list[tuple[list[tuple[str, str]], list[tuple[str, str]], list[tuple[str, str, str]]]] = [
    ([("fs://T/a", "r")], [], [("T/a", "T/a", "r")]),
    ([("fs://T/a/", "rw")], [], [("T/a", "T/a", "rw")]),
    ([("fs://T/a/**", "rw")], [], [("T/a", "T/a", "rw")]),
    ([("fs://T//a/./b//", "r")], [], [("T/a/b", "T/a/b", "r")]),
    ([("fs://T/Über b", "r")], [], [("T/Über b", "T/Über b", "r")]),
    # Allow adds up, in one place and from above.
    ([("fs://T/a", "r"), ("fs://T/a/**", "w")], [], [("T/a", "T/a", "rw")]),
    ([("fs://T/a", "r"), ("fs://T/a/b", "w")], [], [("T/a", "T/a", "r"), ("T/a/b", "T/a/b", "rw")]),
    ([("fs://T/a", "rw"), ("fs://T/a/b", "r")], [], [("T/a", "T/a", "rw")]),
    ([("fs://T/a/b", "r"), ("fs://T/a", "r")], [], [("T/a", "T/a", "r")]),
    ([("fs://T/a", "rw"), ("fs://T/a/missing", "r")], [], [("T/a", "T/a", "rw")]),
    ([("fs://T/d", "r"), ("fs://T/a", "r")], [], [("T/a", "T/a", "r"), ("T/d", "T/d", "r")]),
    # Links: the real directory, under the name as written.
    ([("fs://T/to-a", "r")], [], [("T/a", "T/to-a", "r")]),
    ([("fs://T/to-a/b", "r")], [], [("T/a/b", "T/to-a/b", "r")]),
    ([("fs://T/to-b", "rw")], [], [("T/a/b", "T/to-b", "rw")]),
    (
        [("fs://T/a", "rw"), ("fs://T/to-a", "r")],
        [],
        [("T/a", "T/a", "rw"), ("T/a", "T/to-a", "r")],
    ),
    # Named roots are private directories.
    ([("fs://work", "rw")], [], [(f"{PRIVATE}/work", "/work", "rw")]),
    ([("fs://work/**", "r")], [], [(f"{PRIVATE}/work", "/work", "r")]),
    # Deny rules elsewhere, or of other access, take nothing away.
    ([("fs://T/a", "r")], [("fs://T/d", "rw")], [("T/a", "T/a", "r")]),
    ([("fs://T/a", "r")], [("fs://T/ab", "rw")], [("T/a", "T/a", "r")]),
    ([("fs://T/a", "r")], [("fs://T/a/b", "w")], [("T/a", "T/a", "r")]),
    ([("fs://work", "r")], [("fs:///work", "r")], [(f"{PRIVATE}/work", "/work", "r")]),
]


@pytest.mark.parametrize(("allow", "deny", "mounts"), APPLIED, ids=range(len(APPLIED)))
def test_applied(
    disk: Path,
    allow: list[tuple[str, str]],
    deny: list[tuple[str, str]],
    mounts: list[tuple[str, str, str]],
) -> None:
    grants = _resolve(disk, allow, deny)
    assert _short(disk, grants) == mounts
    assert grants.notes == ()


# (allow, deny, what remains, the rule in the note, its reason)
NOT_APPLIED: list[tuple[list[tuple[str, str]], list[tuple[str, str]], list[str], str, str]] = [
    ([("fs://T/a/file.txt", "r")], [], [], "a/file.txt", "single file"),
    ([("fs://T/a/file.txt/x", "r")], [], [], "x", "not a directory"),
    ([("fs://T/a/*", "r")], [], [], "a/*", "patterns"),
    ([("fs://T/a/**/*.md", "r")], [], [], "*.md", "/a/**"),
    ([("fs://T/*/b", "r")], [], [], "*/b", "patterns"),
    ([("fs://T/a/**/**", "r")], [], [], "**/**", "patterns"),
    ([("fs://T/a", "w")], [], [], "/a", "[read, write]"),
    ([("fs://T/missing", "r")], [], [], "missing", "does not exist"),
    ([("fs://T/gone", "r")], [], [], "gone", "does not exist"),
    ([("fs://T/loop", "r")], [], [], "loop", "symbolic links"),
    ([("fs:///", "r")], [], [], "fs:///", "whole file system"),
    ([("fs:///**", "r")], [], [], "fs:///**", "whole file system"),
    # Wassette's own files: above, the same, inside, by a link.
    ([("fs://T", "r")], [], [], "", "own files"),
    ([("fs://T/own", "r")], [], [], "own", "own files"),
    ([("fs://T/own/components", "r")], [], [], "components", "own files"),
    ([("fs://T/own/private", "r")], [], [], "private", "own files"),
    ([("fs://T/to-own", "r")], [], [], "to-own", "own files"),
    # Deny rules: the same, inside, above, as a pattern, by a link, in a private directory.
    ([("fs://T/a", "r"), ("fs://T/d", "r")], [("fs://T/a", "r")], ["T/d"], "/a", "deny rule"),
    ([("fs://T/a", "r")], [("fs://T/a/b", "r")], [], "/a", "deny rule"),
    ([("fs://T/a/b", "r")], [("fs://T/a", "rw")], [], "/a/b", "deny rule"),
    ([("fs://T/a", "r")], [("fs://T/**/*.key", "r")], [], "/a", "deny rule"),
    ([("fs://T/a", "r")], [("fs:///**", "r")], [], "/a", "deny rule"),
    ([("fs://T/to-a", "r")], [("fs://T/a/b", "r")], [], "to-a", "deny rule"),
    ([("fs://T/a", "r")], [("fs://T/to-b", "r")], [], "/a", "deny rule"),
    ([("fs://T/a", "r")], [("fs://T/a/planted/x", "r")], [], "/a", "deny rule"),
    ([("fs://T/a", "rw")], [("fs://T/a/new/missing", "w")], [], "/a", "deny rule"),
    ([("fs://work", "r")], [("fs://work/secret", "r")], [], "work", "deny rule"),
    ([("fs://work", "r")], [("fs://**", "r")], [], "work", "deny rule"),
    # What is below a refused directory still counts by itself.
    (
        [("fs://T/a", "rw"), ("fs://T/a/b", "rw")],
        [("fs://T/a/file.txt", "w")],
        ["T/a/b"],
        "/a",
        "deny rule",
    ),
    # A way through what the component itself can write.
    ([("fs://T/a", "rw"), ("fs://T/via-planted", "r")], [], ["T/a"], "via-planted", "can change"),
    ([("fs://T/a", "rw"), ("fs://T/to-b", "r")], [], ["T/a"], "to-b", "can change"),
    ([("fs://T/to-a", "rw"), ("fs://T/a/b", "r")], [], ["T/to-a"], "/a/b", "can change"),
    ([("fs://T/to-a", "rw"), ("fs://T/a/planted", "r")], [], ["T/to-a"], "planted", "can change"),
    # Named roots.
    ([("fs://work/app.yaml", "r")], [], [], "app.yaml", "does not exist"),
    ([("fs://*", "r")], [], [], "fs://*", "patterns"),
    ([("fs://**", "r")], [], [], "fs://**", "needs a name"),
    ([("fs://.", "r")], [], [], "fs://.", "needs a name"),
    ([("fs://C:/x", "r")], [], [], "C:", "needs a name"),
]


@pytest.mark.parametrize(
    ("allow", "deny", "remains", "rule", "reason"), NOT_APPLIED, ids=range(len(NOT_APPLIED))
)
def test_not_applied_with_a_note(
    disk: Path,
    allow: list[tuple[str, str]],
    deny: list[tuple[str, str]],
    remains: list[str],
    rule: str,
    reason: str,
) -> None:
    grants = _resolve(disk, allow, deny)
    assert [guest for _, guest, _ in _short(disk, grants)] == remains
    (note,) = grants.notes
    assert rule in note.partition("' is not applied: ")[0]
    assert reason in note.partition("' is not applied: ")[2]


def test_a_link_that_is_not_the_components_own_is_followed(disk: Path) -> None:
    # `a` is only readable here, so nobody but the person made the link in it.
    grants = _resolve(disk, [("fs://T/a", "r"), ("fs://T/via-planted", "r")])
    assert [mount.host for mount in grants.mounts] == [str(disk / "a"), str(disk / "d")]


def test_a_private_directory_is_made_for_this_user_only(disk: Path) -> None:
    _resolve(disk, [("fs://work", "rw")])
    for made in (disk / "own/private/x", disk / "own/private/x/work"):
        assert made.stat().st_mode & 0o777 == 0o700


def test_a_link_in_a_private_directory_is_not_followed(disk: Path) -> None:
    home = disk / "own/private/x/work"
    home.mkdir(parents=True)
    (home / "out").symlink_to(disk / "d")
    grants = _resolve(disk, [("fs://work/out", "r"), ("fs://link", "r")])
    assert grants.mounts[0].guest == "/link"
    assert "symbolic link" in grants.notes[0]
    (disk / "own/private/x/link").rmdir()
    (disk / "own/private/x/link").symlink_to(disk / "own/components")
    grants = _resolve(disk, [("fs://link", "r")])
    assert grants.mounts == ()
    # Whatever the way, it is refused: as a link, or for where it leads.
    assert len(grants.notes) == 1


def test_a_named_root_is_none_of_our_own_files(disk: Path) -> None:
    policy = Policy(version="1.0", storage_allow=(StorageRule("fs://components", RW),))
    grants = resolve(
        policy, environment={}, private_root=disk / "own", protected=[disk / "own/components"]
    )
    assert grants.mounts == ()
    assert "own files" in grants.notes[0]


def test_a_named_root_does_not_hide_a_directory_of_the_same_path() -> None:
    policy = Policy(
        version="1.0",
        storage_allow=(StorageRule("fs://usr", RW), StorageRule("fs:///usr", R)),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "mkdir", lambda *args, **kwargs: None)
        grants = resolve(policy, environment={}, private_root=Path("/"), protected=[])
    assert [(mount.guest, mount.writable) for mount in grants.mounts] == [("/usr", False)]
    assert "rename" in grants.notes[0]


def test_a_private_directory_that_cannot_be_made_is_a_note(disk: Path) -> None:
    (disk / "own/private/x").write_text("in the way")
    grants = _resolve(disk, [("fs://work", "r")])
    assert grants.mounts == ()
    assert "cannot be made" in grants.notes[0]


def test_another_name_for_the_same_directory_is_protected_too(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bind mount, or another spelling on a file system that ignores case."""
    stat = os.stat
    twin = str(disk / "d")

    def pretend(path: str | Path, *args: object, **kwargs: object) -> os.stat_result:
        return stat(disk / "own" if str(path) == twin else path)

    monkeypatch.setattr(os, "stat", pretend)
    grants = _resolve(disk, [("fs://T/d", "r")])
    assert grants.mounts == ()
    assert "own files" in grants.notes[0]


CHECKED = [
    ("fs://T/a", R, None),
    ("fs://T/a/**", RW, None),
    ("fs://T/missing", R, None),
    ("fs://work/**", RW, None),
    ("fs://T/a/file.txt", R, "directory of its own"),
    ("fs://T/a/*", R, "whole directory"),
    ("fs://T/a/*.md", R, r"/a/\*\*"),
    ("fs://T/a", W, r"\[read, write\]"),
    ("fs:///", R, "allow a directory"),
    ("fs://T/own/x", R, "own files"),
    ("fs://T", R, "own files"),
]


@pytest.mark.parametrize(("uri", "access", "reason"), CHECKED)
def test_what_a_person_can_grant(
    disk: Path, uri: str, access: frozenset[Access], reason: str | None
) -> None:
    uri = uri.replace("T", str(disk))
    if reason is None:
        check_enforceable_storage(uri, access, [disk / "own"])
        return
    with pytest.raises(NotEnforceable, match=reason) as caught:
        check_enforceable_storage(uri, access, [disk / "own"])
    assert f"storage '{uri}'" in str(caught.value)


def test_what_a_person_can_grant_has_to_be_a_uri() -> None:
    with pytest.raises(PolicyError):
        check_enforceable_storage("/a", R, [])


def _resolve_policy(policy: Policy | None, **environment: str) -> Grants:
    return resolve(policy, environment=environment, private_root=Path("/nowhere"), protected=[])


def test_no_policy_gives_nothing() -> None:
    grants = _resolve_policy(None, PATH="/bin", SECRET="x")
    assert grants == Grants((), (), ResolvedLimits(512 * 2**20, None, 60.0), ())


def test_only_allowed_variables_that_are_there() -> None:
    policy = Policy(
        version="1.0", environment_allow=tuple(map(EnvironmentRule, ("B", "A", "A", "MISSING")))
    )
    grants = _resolve_policy(policy, A="1", B="", C="3")
    assert grants.environment == (("A", "1"), ("B", ""))
    assert grants.notes == ()


def test_a_value_to_be_injected_is_not_shown() -> None:
    rule = EnvironmentRule("TOKEN", (("host", "api.x.com"),))
    grants = _resolve_policy(Policy(version="1.0", environment_allow=(rule,)), TOKEN="secret")
    assert grants.environment == ()
    assert "'TOKEN'" in grants.notes[0]
    assert "secret" not in grants.notes[0]


def test_a_value_with_nul_is_left_out() -> None:
    policy = Policy(version="1.0", environment_allow=(EnvironmentRule("A"),))
    grants = _resolve_policy(policy, A="1\0B=2")
    assert grants.environment == ()
    assert "NUL" in grants.notes[0]


def test_the_network_is_refused_for_now() -> None:
    policy = Policy(
        version="1.0",
        network_allow=(NetworkRule(host="api.x.com"), NetworkRule(cidr="10.0.0.0/8")),
        network_deny=(NetworkRule(host="y"),),
    )
    assert _resolve_policy(policy).notes == (
        "network 'api.x.com' is not applied: the network is refused for now",
        "network '10.0.0.0/8' is not applied: the network is refused for now",
    )


@pytest.mark.parametrize(
    ("limits", "resolved"),
    [
        (Limits(), ResolvedLimits(512 * 2**20, None, 60.0)),
        (Limits(memory=1, cpu=0.5, timeout=2.0), ResolvedLimits(1, 0.5, 2.0)),
    ],
)
def test_limits(limits: Limits, resolved: ResolvedLimits) -> None:
    assert _resolve_policy(Policy(version="1.0", limits=limits)).limits == resolved


def test_grants_are_a_key(disk: Path) -> None:
    first, second = (_resolve(disk, [("fs://T/a", "r"), ("fs://T/d", "w")]) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)


_WRITTEN = st.sampled_from(
    ["fs://T/a", "fs://T/a/b", "fs://T/a/**", "fs://T/a/b/c", "fs://T/d", "fs://T/to-a",
     "fs://T/to-b", "fs://T/via-planted", "fs://T/a/planted", "fs://T/to-a/b", "fs://T",
     "fs://T/a/file.txt", "fs://T/*", "fs://work", "fs://work/x", "fs:///"]
)  # fmt: skip
_PAIRS = st.lists(st.tuples(_WRITTEN, st.sampled_from(["r", "w", "rw"])), max_size=4)


@given(_PAIRS, _PAIRS)
@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_nothing_is_ever_widened(
    disk: Path, allow: list[tuple[str, str]], deny: list[tuple[str, str]]
) -> None:
    grants = _resolve(disk, allow, deny)
    assert grants == _resolve(disk, allow, deny)
    for mount in grants.mounts:
        assert mount.host == os.path.realpath(mount.host)
        above = [
            access
            for uri, access in allow
            if _is_within(mount.guest, uri.removeprefix("fs://").replace("T", str(disk)))
        ]
        assert any("r" in access for access in above)
        assert not mount.writable or any("w" in access for access in above)
        for uri, access in deny:
            denied = uri.removeprefix("fs://").replace("T", str(disk))
            if "*" not in denied and denied.startswith("/") and ("r" in access or mount.writable):
                assert not _is_within(os.path.realpath(denied), mount.host)
                assert not _is_within(mount.host, os.path.realpath(denied))


def _is_within(path: str, directory: str) -> bool:
    parts = [part for part in directory.removesuffix("/**").split("/") if part]
    return [part for part in path.split("/") if part][: len(parts)] == parts


def test_mount_is_public() -> None:
    assert Mount("/a", "/a", writable=False) == Mount("/a", "/a", False)
