from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wassette.errors import PolicyError
from wassette.policy import Access, NetworkRule, PolicyDocument, parse_policy

READ = frozenset({Access.READ})
WRITE = frozenset({Access.WRITE})
BOTH = frozenset(Access)

Edit = Callable[[PolicyDocument], bool]

COMMENTED = """\
# Written by hand.
version: "1.0"   # quoted
x-owner: [me, 'you']   # unknown key
permissions:
  # Files
  storage:
    allow:
    # the notes
    - uri: "fs:///notes"   # mine
      access: [read]  # no writing
    # the drafts
    - uri: 'fs:///drafts/'
      x-why: |
        because

      # may be written
      access:
        - read
        - write

  # The network, later
  network: {allow: [{host: a.com}, {host: b.com}]}  # flow
  environment:   # none yet
  runtime: {docker: 1}
# The end.
"""


def _document(text: str) -> PolicyDocument:
    return PolicyDocument.from_text(text, "p.yaml")


def test_new_permits_nothing() -> None:
    document = PolicyDocument.new("fetch")
    assert document.to_plain() == {
        "version": "1.0",
        "description": "Policy of component fetch",
        "permissions": {},
    }
    assert document.policy == parse_policy(document.to_text(), "p.yaml")


def test_new_with_any_text_as_id_is_no_other_document() -> None:
    document = PolicyDocument.new('x"\npermissions: {storage: 1}\n#')
    assert document.to_plain()["permissions"] == {}


def test_grants_to_a_new_policy() -> None:
    document = PolicyDocument.new("x")
    assert document.grant_storage("fs:///a/", READ)
    assert document.grant_storage("fs:///b", BOTH)
    assert document.grant_network("api.x.com")
    assert document.grant_environment("API_KEY")
    assert document.set_memory("512Mi")
    assert document.to_text() == (
        'version: "1.0"\n'
        'description: "Policy of component x"\n'
        "permissions:\n"
        "  storage:\n"
        "    allow:\n"
        '      - uri: "fs:///a/"\n'
        "        access: [read]\n"
        '      - uri: "fs:///b"\n'
        "        access: [read, write]\n"
        "  network:\n"
        "    allow:\n"
        '      - host: "api.x.com"\n'
        "  environment:\n"
        "    allow:\n"
        '      - key: "API_KEY"\n'
        "  resources:\n"
        "    limits:\n"
        '      memory: "512Mi"\n'
    )


# (edit, what is removed from COMMENTED, what it becomes)
IN_PLACE: list[tuple[Edit, str, str]] = [
    (
        lambda d: d.grant_storage("fs:///new", READ),
        "        - write\n",
        '        - write\n    - uri: "fs:///new"\n      access: [read]\n',
    ),
    (lambda d: d.grant_storage("fs:///notes/**", BOTH), "[read]", "[read, write]"),
    (
        lambda d: d.revoke_storage("fs:///notes/"),
        '    - uri: "fs:///notes"   # mine\n      access: [read]  # no writing\n',
        "",
    ),
    (
        lambda d: d.revoke_storage("fs:///drafts"),
        COMMENTED[COMMENTED.index("    - uri: 'fs:///dr") : COMMENTED.index("\n  # The net")],
        "",
    ),
    (lambda d: d.grant_network("c.com"), "{host: b.com}]", '{host: b.com}, {host: "c.com"}]'),
    (lambda d: d.revoke_network("a.com"), "{host: a.com}, ", ""),
    (lambda d: d.revoke_network("b.com"), ", {host: b.com}", ""),
    (
        lambda d: d.grant_environment("K"),
        "  environment:   # none yet\n",
        '  environment:   # none yet\n    allow:\n      - key: "K"\n',
    ),
    (
        lambda d: d.set_memory("1Gi"),
        "  runtime: {docker: 1}\n",
        '  runtime: {docker: 1}\n  resources:\n    limits:\n      memory: "1Gi"\n',
    ),
]


@pytest.mark.parametrize(("edit", "old", "new"), IN_PLACE, ids=range(len(IN_PLACE)))
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_edit_leaves_every_other_character_alone(
    edit: Edit, old: str, new: str, newline: str
) -> None:
    assert COMMENTED.count(old) == 1
    document = _document(COMMENTED.replace("\n", newline))
    assert edit(document)
    assert document.to_text() == COMMENTED.replace(old, new).replace("\n", newline)


NO_CHANGE: list[Edit] = [
    lambda d: d.grant_storage("fs:///notes", READ),
    lambda d: d.grant_storage("fs:///drafts/**", WRITE),
    lambda d: d.grant_network("a.com"),
    lambda d: d.revoke_storage("fs:///note"),
    lambda d: d.revoke_storage("nonsense"),
    lambda d: d.revoke_network("c.com"),
    lambda d: d.revoke_environment("K"),
]


@pytest.mark.parametrize("edit", NO_CHANGE, ids=range(len(NO_CHANGE)))
def test_nothing_to_do(edit: Edit) -> None:
    document = _document(COMMENTED)
    assert not edit(document)
    assert document.to_text() == COMMENTED


# Every way of writing "no storage rules yet".
STARTS = [
    "permissions:", "permissions: ~", "permissions: null  # none", "permissions:   # none",
    "permissions: {}", "permissions: {}  # none", "permissions:\n  {}", "permissions:\n  null",
    "permissions: {storage: }", "permissions: {storage: null}", "permissions: {storage: {}, }",
    "permissions: {x: 1}", "permissions: {x: }", "permissions: {storage: {allow: [] # c\n }}",
    "permissions:\n  storage:", "permissions:\n  storage:\n    allow:\n    deny:\n",
    "permissions:\n  storage:\n    allow: []\n    deny: null\nx: y",
    "permissions:\n    x: y   # c\n# end", "permissions:\n  x: |\n    text\n\n\nz: 1",
    "permissions:\n  x: >-\n    text\n", "permissions:\n  x: 'a\n    b'", "permissions:\n...\n",
]  # fmt: skip


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("prefix", ["", "--- # head\n", "\ufeff"])
def test_grant_and_revoke_wherever_the_list_is_missing(start: str, prefix: str) -> None:
    document = _document(f"{prefix}version: '1.0'\n{start}")
    assert document.grant_storage("fs:///a", READ)
    assert document.grant_storage("fs:///a", WRITE)
    assert document.grant_storage("fs:///b", READ)
    assert [(r.uri, r.access) for r in document.policy.storage_allow] == [
        ("fs:///a", BOTH),
        ("fs:///b", READ),
    ]
    assert document.revoke_storage("fs:///a/")
    assert document.revoke_storage("fs:///b/**")
    assert document.policy.storage_allow == ()
    for comment in ("# none", "# c\n", "# end", "# head"):
        assert (comment in start + prefix) <= (comment in document.to_text())


def test_json_is_edited_too() -> None:
    document = _document('{"version": "1.0", "permissions": {"network": {"allow": []}}}')
    assert document.grant_network("x.com")
    assert document.set_memory("1Gi")
    assert document.set_memory("2Gi")
    assert document.to_text() == (
        '{"version": "1.0", "permissions": {"network": {"allow": [{host: "x.com"}]}, '
        'resources: {limits: {memory: "2Gi"}}}}'
    )


BLOCK_ITEMS = """\
version: '1.0'
permissions:
  environment:
    allow:
      - # first
        key: A
      -
        # second
        key: B
      - key: C
"""


@pytest.mark.parametrize("key", "ABC")
def test_revoke_of_an_item_whose_dash_stands_alone(key: str) -> None:
    document = _document(BLOCK_ITEMS)
    assert document.revoke_environment(key)
    assert [rule.key for rule in document.policy.environment_allow] == [
        other for other in "ABC" if other != key
    ]


def test_revoke_removes_every_rule_for_it() -> None:
    document = _document(
        "version: '1.0'\npermissions:\n  network:\n    allow:\n    - host: a\n    - host: b\n"
        "    - host: a\n      methods: [GET]\n    - cidr: 10.0.0.0/8\n"
    )
    assert document.revoke_network("a")
    assert document.revoke_network("10.0.0.0/8")
    assert document.policy.network_allow == (NetworkRule(host="b"),)


def test_the_root_and_a_named_root_called_stars_are_not_the_same_tree() -> None:
    document = PolicyDocument.new("x")
    document.grant_storage("fs:///**", READ)
    assert not document.revoke_storage("fs://**")
    assert document.revoke_storage("fs:///")


@pytest.mark.parametrize("memory", ["null", "", "64", "'1Gi'", '"1Gi" # c'])
def test_memory_is_replaced(memory: str) -> None:
    document = _document(
        f"version: '1.0'\npermissions:\n  resources:\n    limits:\n      memory: {memory}\n"
    )
    assert document.set_memory("512Mi")
    assert document.policy.limits.memory == 512 * 2**20
    assert not document.set_memory("512Mi")


# What Wassette wrote, and could not read afterwards.
NOT_GRANTABLE: list[Edit] = [
    lambda d: d.grant_network("*.a.*"),
    lambda d: d.grant_network(""),
    lambda d: d.grant_storage("fs:///a/***", READ),
    lambda d: d.grant_storage("fs:///a", frozenset()),
    lambda d: d.grant_storage("/a", READ),
    lambda d: d.grant_environment("A*"),
    lambda d: d.grant_environment("\ud800"),
    lambda d: d.set_memory("512M"),
    lambda d: d.set_memory("0"),
]


@pytest.mark.parametrize("edit", NOT_GRANTABLE, ids=range(len(NOT_GRANTABLE)))
def test_what_could_not_be_read_back_is_not_granted(edit: Edit) -> None:
    document = _document(COMMENTED)
    with pytest.raises(PolicyError):
        edit(document)
    assert document.to_text() == COMMENTED
    assert document.grant_network("still.works")


def test_an_edit_that_would_change_more_is_refused() -> None:
    # Lines after the block scalar would become part of what "keep" (+) preserves.
    text = "version: '1.0'\npermissions:\n  x: |+\n    a\n\n\n"
    document = _document(text)
    with pytest.raises(PolicyError, match="in an editor"):
        document.grant_network("x.com")
    assert document.to_text() == text


def test_a_document_cannot_grow_beyond_what_is_read() -> None:
    document = _document("version: '1.0'\npermissions:\n# " + "x" * 262_050 + "\n")
    before = document.to_text()
    with pytest.raises(PolicyError):
        document.grant_network("x" * 200)
    assert document.to_text() == before


def test_plain_data_is_json() -> None:
    document = _document(
        "version: '1.0'\npermissions:\nx: [2020-01-01, .inf, 1e999, 0x1F, 1_000, 12, -1.5, true, ~]"
    )
    data = json.loads(json.dumps(document.to_plain(), allow_nan=False))
    assert data["x"] == [
        "2020-01-01", ".inf", "1e999", "0x1F", "1_000", 12, -1.5, True, None
    ]  # fmt: skip


_URIS = st.one_of(
    st.sampled_from(["fs:///a", "fs:///a/", "fs:///a/**", "fs://w", "fs:///drafts", "fs:///***"]),
    st.text(max_size=12).map("fs:///".__add__),
)
_HOSTS = st.sampled_from(["a.com", "b.com", "*.c.com", "*.a.*", "x:1"])
_KEYS = st.one_of(st.sampled_from("AB"), st.text(max_size=8))
_ACCESS = st.sampled_from([READ, WRITE, BOTH])


def _edits() -> st.SearchStrategy[Edit]:
    return st.one_of(
        st.builds(lambda u, a: lambda d: d.grant_storage(u, a), _URIS, _ACCESS),
        st.builds(lambda u: lambda d: d.revoke_storage(u), _URIS),
        st.builds(lambda h: lambda d: d.grant_network(h), _HOSTS),
        st.builds(lambda h: lambda d: d.revoke_network(h), _HOSTS),
        st.builds(lambda k: lambda d: d.grant_environment(k), _KEYS),
        st.builds(lambda k: lambda d: d.revoke_environment(k), _KEYS),
        st.builds(
            lambda m: lambda d: d.set_memory(m), st.sampled_from(["1Gi", "512Mi", "9", "1G"])
        ),
    )


@given(st.lists(_edits(), max_size=10), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=150, deadline=None)
def test_any_edits_keep_the_rest(edits: list[Edit], newline: str) -> None:
    document = _document(COMMENTED.replace("\n", newline))
    refusals: list[str] = []
    for edit in edits:
        try:
            edit(document)
        except PolicyError as error:
            refusals.append(str(error))
    assert not [refusal for refusal in refusals if "in an editor" in refusal]
    text = document.to_text()
    assert parse_policy(text, "p.yaml") == document.policy
    assert document.to_plain()["x-owner"] == ["me", "you"]
    assert document.to_plain()["permissions"]["runtime"] == {"docker": 1}
    # Comments within a rule may go with it; no other may, and their order stays.
    outside = [
        "# Written by hand.", "# quoted", "# unknown key", "# Files", "# the notes", "# the drafts",
        "# The network, later", "# flow", "# none yet", "# The end.",
    ]  # fmt: skip
    places = [text.index(comment) for comment in outside]
    assert places == sorted(places)
    assert ": null" not in text
    assert text.count("\r\n") == (text.count("\n") if newline == "\r\n" else 0)


@given(st.lists(_edits(), min_size=1, max_size=6), st.data())
@settings(max_examples=200, deadline=None)
def test_any_edits_to_any_layout(edits: list[Edit], data: st.DataObject) -> None:
    """Whatever the layout: an edit does what it says, or refuses and changes nothing."""
    lines = COMMENTED.splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines)))
    noise = st.sampled_from(
        ["\n", "# c\n", "    x: {\n a: 1,}\n", "  y: |\n    t\n\n", "  z:\n", "  w: 'a\n\n    b'\n"]
    )
    text = "".join([*lines[:at], data.draw(noise), *lines[at:]])
    try:
        document = _document(text)
    except PolicyError:
        return
    for edit in edits:
        before = document.to_text()
        try:
            changed = edit(document)
        except PolicyError:
            changed = False
        assert changed == (document.to_text() != before)
        assert parse_policy(document.to_text(), "p.yaml") == document.policy
