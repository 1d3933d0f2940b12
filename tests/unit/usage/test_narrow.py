"""The smallest policy that is enough: what is suggested, and that it is never wider."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from wassette.errors import PolicyError
from wassette.policy import Access, NetworkRule, PolicyDocument, StorageRule
from wassette.policy.files import resolve_path
from wassette.policy.network import NetworkTarget, rule_covers
from wassette.policy.patterns import Pattern
from wassette.policy.storage import written_pattern
from wassette.usage.model import FileUse, How, NetworkUse
from wassette.usage.narrow import (
    MAX_FILES,
    What,
    changed,
    check_no_wider,
    narrow_network,
    narrow_storage,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

R, W = frozenset({Access.READ}), frozenset({Access.WRITE})
RW = R | W
DIRECTORIES = {"/a", "/a/b", "/a/b/c", "/workspace", "/d"}


def look(path: str) -> What:
    if path in DIRECTORIES:
        return What.DIRECTORY
    if "missing" in path:
        return What.MISSING
    return What.LINK if "link" in path else What.FILE


def uses(*lines: str) -> list[FileUse]:
    return [FileUse(How(how), path) for how, path in (line.split(" ", 1) for line in lines)]


def storage(allow: Sequence[StorageRule], *lines: str) -> set[tuple[str, frozenset[Access]]]:
    suggestions = narrow_storage(allow, uses(*lines), look)
    return {(rule.uri, rule.access) for one in suggestions for rule in one.now}  # type: ignore[union-attr]


A = StorageRule("fs:///a", RW)


@pytest.mark.parametrize(
    ("allow", "lines", "expected"),
    [
        ([A], [], set()),
        ([A], ["read /a/x"], {("fs:///a/x", R)}),
        ([A], ["look /a/x"], {("fs:///a/x", R)}),
        ([StorageRule("fs:///a", W)], ["look /a/x"], {("fs:///a/x", W)}),
        ([A], ["read /a/x", "write /a/x"], {("fs:///a/x", RW)}),
        ([A], ["read /a", "read /a/b", "read /a/b/x"], {("fs:///a/b/x", R)}),
        ([A], ["read /a/b"], {("fs:///a/b/*", R)}),
        ([A], ["list /a/b"], {("fs:///a/b/*", R)}),
        ([A], ["list /a/b", "read /a/b/x"], {("fs:///a/b/*", R)}),
        # A directory that was made, moved or removed; no rule says less.
        ([A], ["write /a/b"], {("fs:///a/b", W)}),
        # What came and went will have another name the next time.
        ([A], ["write /a/b/missing.1", "write /a/b/x"], {("fs:///a/b/*", W)}),
        # What is not there cannot be allowed, but its rule was needed.
        ([A], ["read /a/missing"], {("fs:///a", R)}),
        ([A], ["read /a/missing", "read /a/x"], {("fs:///a/x", R)}),
        # A link cannot be allowed by its own name.
        ([A], ["read /a/b/link", "read /a/b/c/x"], {("fs:///a/b/*", R), ("fs:///a/b/c/x", R)}),
        # Names with wildcards would be patterns.
        ([A], ["read /a/b/x*"], {("fs:///a/b/*", R)}),
        ([A], ["read /a/?/x"], {("fs:///a", R)}),
        # Of more than one rule, the most specific one is needed.
        (
            [A, StorageRule("fs:///a/b", R)],
            ["read /a/b/x", "write /a/b/x"],
            {("fs:///a/b/x", W), ("fs:///a/b/x", R)},
        ),
        # The same tree, written twice.
        (
            [StorageRule("fs:///a/", R), StorageRule("fs:///a/**", W)],
            ["read /a/x", "write /a/x"],
            {("fs:///a/x", RW)},
        ),
        # A rule for what is directly in a directory gives no directory below; a file's name could.
        ([StorageRule("fs:///a/*", R)], ["read /a/x.md"], {("fs:///a/*.md", R)}),
        ([StorageRule("fs:///a/*.md", R)], ["read /a/x.md"], {("fs:///a/*.md", R)}),
        ([StorageRule("fs:///a/**/*.md", R)], ["read /a/b/x.md"], {("fs:///a/b/*.md", R)}),
        ([StorageRule("fs:///a/x", R)], ["read /a/x"], {("fs:///a/x", R)}),
        # Named roots stay named.
        ([StorageRule("fs://workspace", RW)], ["read /workspace/x"], {("fs://workspace/x", R)}),
        ([StorageRule("fs:///", R)], ["read /etc/x"], {("fs:///etc/x", R)}),
        ([A], ["read /elsewhere/x"], set()),
    ],
)
def test_storage(
    allow: list[StorageRule], lines: list[str], expected: set[tuple[str, frozenset[Access]]]
) -> None:
    assert storage(allow, *lines) == expected


def test_many_files_are_a_pattern() -> None:
    several = [f"read /a/b/{n}.md" for n in range(MAX_FILES + 1)]
    assert storage([A], *several) == {("fs:///a/b/*.md", R)}
    assert storage([A], *several, "read /a/b/x.txt") == {("fs:///a/b/*", R)}
    assert len(storage([A], *several[:MAX_FILES])) == MAX_FILES


def test_many_directories_are_one() -> None:
    wide = [StorageRule("fs:///", R)]
    lines = [f"read /a/d{n}/x" for n in range(20)]
    assert storage(wide, *lines) == {("fs:///a", R)}
    # What they have in common is all that is allowed: it stays as it is written.
    assert storage([StorageRule("fs:///a/", R)], *lines) == {("fs:///a/", R)}


def network(allow: Sequence[NetworkRule], *lines: str) -> list[tuple[str | None, tuple[str, ...]]]:
    requests = [NetworkUse(*(*line.split(), "")[:3]) for line in lines]
    found = narrow_network(allow, requests)
    return [(rule.host or rule.cidr, rule.methods) for one in found for rule in one.now]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("allow", "lines", "expected"),
    [
        (["x.com"], [], []),
        (["x.com"], ["GET https://x.com/a?b=c"], [("https://x.com", ("GET",))]),
        (["x.com"], ["GET https://x.com/", "POST http://x.com/"], [("x.com", ("GET", "POST"))]),
        (["x.com:8443"], ["GET https://x.com:8443/"], [("https://x.com:8443", ("GET",))]),
        (["*.x.com"], ["GET https://a.x.com/"], [("https://a.x.com", ("GET",))]),
        (
            ["https://*.x.com/v1/*"],
            ["PUT https://a.x.com/v1/2"],
            [("https://a.x.com/v1/*", ("PUT",))],
        ),
        (["https://x.com/v1/*"], ["GET https://x.com/v1/a"], [("https://x.com/v1/*", ("GET",))]),
        (["*", "x.com"], ["GET https://x.com/"], [("https://x.com", ("GET",))]),
        (["[::1]:80"], ["GET http://[::1]/ ::1"], [("[::1]:80", ())]),
        (["x.com"], ["GET ftp://nonsense"], []),
    ],
)
def test_network(allow: list[str], lines: list[str], expected: object) -> None:
    assert network([NetworkRule(host) for host in allow], *lines) == expected


def test_a_rule_by_which_a_name_may_lead_somewhere_is_needed() -> None:
    rules = [NetworkRule("wiki.example"), NetworkRule(cidr="10.0.0.0/8")]
    found = network(rules, "GET https://wiki.example/ 10.1.2.3")
    assert found == [("https://wiki.example", ("GET",)), ("10.0.0.0/8", ())]
    assert network(rules, "GET https://wiki.example/ 93.184.216.34") == [found[0]]


def test_many_hosts_stay_a_wildcard() -> None:
    lines = [f"GET https://h{n}.x.com/" for n in range(40)]
    assert network([NetworkRule("*.x.com")], *lines) == [("*.x.com", ("GET",))]


TEXT = """\
version: "1.0"
description: mine
permissions:
  storage:
    allow:
      # the notes
      - uri: "fs:///a"
        access: [read, write]
    deny:
      - uri: "fs:///a/private"
        access: [read]
  network:
    allow:
      - host: "x.com"
        methods: [GET]
      - host: "x.com"
        methods: [POST]
  environment:
    allow:
      - key: HOME
"""


def test_what_it_does_to_the_text() -> None:
    document = PolicyDocument.from_text(TEXT, "p")
    allow = document.policy.storage_allow
    suggestions = narrow_storage(allow, uses("read /a/x"), look)
    suggestions += narrow_network(
        document.policy.network_allow, [NetworkUse("POST", "https://x.com/")]
    )
    assert [one.action for one in suggestions] == ["narrow", "narrow"]
    changed(document, suggestions)
    assert document.to_text() == TEXT.replace('"fs:///a"', '"fs:///a/x"').replace(
        "read, write", "read"
    ).replace(
        '      - host: "x.com"\n        methods: [GET]\n      - host: "x.com"\n'
        "        methods: [POST]\n",
        '      - host: "https://x.com"\n        methods: ["POST"]\n',
    )


@pytest.mark.parametrize(
    "wider",
    [
        TEXT.replace('"fs:///a"', '"fs:///"'),
        TEXT.replace("fs:///a/private", "fs:///a/private/x"),
        TEXT.replace("[GET]", "[GET, PUT]"),
        TEXT.replace('"x.com"', '"*.com"'),
        TEXT.replace("HOME", "PATH"),
        TEXT.replace('"fs:///a"', '"fs://a"'),
    ],
)
def test_a_policy_that_is_wider_is_refused(wider: str) -> None:
    now = PolicyDocument.from_text(wider, "p").policy
    with pytest.raises(PolicyError):
        check_no_wider(PolicyDocument.from_text(TEXT, "p").policy, now)


@pytest.mark.parametrize("seed", range(150))
def test_random_uses_are_covered_and_nothing_is_wider(seed: int) -> None:
    """Whatever was used is allowed, but for what is not there; and every rule is within another."""
    choices = random.Random(seed)
    names = ["a", "b", "c", "x.md", "y.md", "z", "link", "missing", "s*r"]

    def path(depth: int) -> str:
        return "".join(f"/{choices.choice(names)}" for _ in range(depth))

    ends = ["", "/", "/*", "/**", "/*.md", "/**/*.md"]
    clean = [one for one in names if "*" not in one]
    allow = [
        StorageRule(
            "fs://"
            + "".join(f"/{choices.choice(clean)}" for _ in range(choices.randint(1, 3)))
            + choices.choice(ends),
            choices.choice([R, W, RW]),
        )
        for _ in range(choices.randint(1, 4))
    ]
    allow = list(dict.fromkeys(allow))

    def allows(rules: Sequence[StorageRule], use: FileUse) -> bool:
        wanted = {How.WRITE: W, How.LOOK: RW}.get(use.how, R)
        return any(
            (pattern := written_pattern(rule)) is not None
            and pattern.covers(resolve_path(use.path))
            and rule.access & wanted
            for rule in rules
        )

    used = [
        FileUse(choices.choice(list(How)), path(choices.randint(1, 4)))
        for _ in range(choices.choice([5, 60, 400]))
    ]
    used = [one for one in used if allows(allow, one)]
    suggestions = narrow_storage(allow, used, look)
    now = [rule for one in suggestions for rule in one.now if isinstance(rule, StorageRule)]
    text = PolicyDocument.new("x")
    for rule in allow:
        text.grant_storage(rule.uri, rule.access)
    changed(text, suggestions)  # which checks that it is no wider
    for one in used:
        what = look(one.path)
        above = Pattern(resolve_path(one.path))
        if what is What.MISSING and one.how is not How.WRITE:
            continue
        if what is What.DIRECTORY and one.how is not How.WRITE:
            # It can be opened if anything in it is allowed.
            below = [r for r in now if _is_below(r, above.segments)]
            assert below or allows(now, one), (allow, one, now)
        else:
            assert allows(now, one), (allow, one, now)


def _is_below(rule: StorageRule, names: tuple[str, ...]) -> bool:
    pattern = written_pattern(rule)
    return pattern is not None and bool(pattern.run(names))


@pytest.mark.parametrize(
    "host", ["x.com", "https://x.com", "x.com:8080", "*.x.com", "*", "http://x.com/v1/*"]
)
def test_random_requests_are_covered_and_nothing_is_wider(host: str) -> None:
    for seed in range(30):
        choices = random.Random(f"{host} {seed}")
        rule = NetworkRule(host, methods=choices.choice([(), ("GET", "PUT"), ("GET",)]))
        requests = []
        for _ in range(choices.choice([1, 3, 50])):
            name = choices.choice(["x.com", *(f"h{n}.x.com" for n in range(20))])
            port = choices.choice(["", "", ":8080", ":80", ":443"])
            url = f"{choices.choice(['http', 'https'])}://{name}{port}/v1/a"
            use = NetworkUse(choices.choice(["GET", "PUT", "POST"]), url)
            if rule_covers(rule, NetworkTarget.parse(use.url, use.method)):
                requests.append(use)
        document = PolicyDocument.new("x")
        document.grant_network_rule(rule)
        suggestions = narrow_network([rule], requests)
        changed(document, suggestions)
        for use in requests:
            target = NetworkTarget.parse(use.url, use.method)
            assert any(rule_covers(one, target) for one in document.policy.network_allow)
