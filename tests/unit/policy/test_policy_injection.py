"""Placeholders, where a secret may go, and what a component has as its variables."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wassette.errors import PolicyError
from wassette.policy import (
    BoundSecret,
    EnvironmentRule,
    Grants,
    Injection,
    NetworkRule,
    Policy,
    PolicyDocument,
    parse_policy,
    resolve,
)
from wassette.policy.injection import MAX_SECRET, MIN_SECRET, placeholder, why_not_injectable
from wassette.policy.network import NetworkTarget

TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
HEADER_TEXT = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=MIN_SECRET, max_size=200
)


def _injection(*hosts: str, key: str = "TOKEN") -> Injection:
    return Injection(key, tuple(NetworkRule(host=host) for host in hosts))


def _resolved(
    *rules: EnvironmentRule,
    environment: dict[str, str] | None = None,
    secrets: dict[str, str] | None = None,
    unread: dict[str, str] | None = None,
    component_id: str = "one",
) -> Grants:
    return resolve(
        Policy("1.0", environment_allow=rules),
        environment=environment or {},
        private_root=Path("/nowhere"),
        protected=[],
        secrets=secrets,
        unread=unread,
        component_id=component_id,
    )


# ---- placeholders --------------------------------------------------------------------------------


@given(HEADER_TEXT, st.sampled_from(["", "ghp_", "sk-", "sk-ant-", "xoxb-", "hf_"]))
def test_a_placeholder_is_like_the_value_in_nothing_but_length_and_kind(
    text: str, prefix: str
) -> None:
    value = prefix + text
    made = placeholder("one", "TOKEN", value)
    assert len(made.encode()) == len(value.encode())
    assert made != value
    assert why_not_injectable(made) is None
    rest = made.removeprefix(prefix) if made.startswith(prefix) else made
    assert rest.isascii()
    assert rest.replace("-", "").replace("_", "").isalnum()
    assert placeholder("one", "TOKEN", value) == made
    others = {
        placeholder("two", "TOKEN", value),
        placeholder("one", "OTHER", value),
        placeholder("one", "TOKEN", value + "x"),
        # The same text, cut in another way between the parts.
        placeholder("oneT", "OKEN", value),
    }
    assert made not in others
    assert len(others) == 4


@given(HEADER_TEXT, HEADER_TEXT)
def test_no_part_of_a_value_is_in_its_placeholder(one: str, other: str) -> None:
    """Eight characters in common by chance: once in 10^12."""
    made = placeholder("one", "TOKEN", one + other)
    assert not any((one + other)[at : at + 8] in made for at in range(len(one + other) - 7))


@pytest.mark.parametrize(
    ("value", "prefix"),
    [
        (TOKEN, "ghp_"),
        ("github_pat_" + "x" * 20, "github_pat_"),
        ("sk-ant-" + "x" * 20, "sk-ant-"),
        ("sk-" + "x" * 20, "sk-"),
        ("xoxb-" + "x" * 16, "xoxb-"),
    ],
)
def test_a_published_prefix_is_kept(value: str, prefix: str) -> None:
    made = placeholder("one", "TOKEN", value)
    assert made.startswith(prefix)
    assert made.removeprefix(prefix).isalnum()


@pytest.mark.parametrize("value", ["ghp_" + "x" * 15, "myown_" + "x" * 30, "GHP_" + "x" * 30])
def test_no_other_prefix_is_kept(value: str) -> None:
    # Four characters of 62: by chance once in 15 million.
    assert placeholder("one", "TOKEN", value)[:4] != value[:4]


def test_a_placeholder_is_another_one_in_another_process() -> None:
    code = (
        "from wassette.policy.injection import placeholder\n"
        f"print(placeholder('one', 'TOKEN', {TOKEN!r}))"
    )
    made = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert len({one.stdout for one in made} | {placeholder("one", "TOKEN", TOKEN)}) == 3


def test_placeholders_use_their_whole_alphabet() -> None:
    made = placeholder("one", "TOKEN", "x" * 8000)
    counts = [made.count(char) for char in set(made)]
    assert len(counts) == 62
    assert min(counts) > 60  # of 129 on average, with a deviation of 11
    assert max(counts) < 200


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "fewer than 12 bytes"),
        ("x" * (MIN_SECRET - 1), "fewer than 12 bytes"),
        ("x" * (MAX_SECRET + 1), "more than 8192 bytes"),
        ("line one\nline two", "header cannot carry"),
        ("carriage return\r", "header cannot carry"),
        ("tab\tin the middle", "header cannot carry"),
        ("p\u00e4ssw\u00f6rd of someone", "header cannot carry"),
        (" space before it", "header cannot carry"),
        ("space behind it ", "header cannot carry"),
        ("delete \x7f in it..", "header cannot carry"),
        ("lone surrogate \ud800", "header cannot carry"),
    ],
)
def test_what_no_placeholder_can_stand_for(value: str, reason: str) -> None:
    why = why_not_injectable(value)
    assert why is not None
    assert reason in why
    assert len(value) < MIN_SECRET or value not in why


def test_the_limits_themselves_are_fine() -> None:
    assert why_not_injectable("x" * MIN_SECRET) is None
    assert why_not_injectable("x" * MAX_SECRET) is None
    assert why_not_injectable("correct horse battery staple") is None


# ---- where it may go -----------------------------------------------------------------------------

COVERED = [
    ("api.x.com", "https://api.x.com/", True),
    ("api.x.com", "https://API.X.com./v1?q=1", True),
    ("api.x.com", "http://api.x.com/", False),
    ("api.x.com", "https://api.x.com:8443/", False),
    ("api.x.com", "https://x.com/", False),
    ("api.x.com", "https://api.x.com.evil.com/", False),
    ("api.x.com", "https://evil-api.x.com/", False),
    ("api.x.com:8443", "https://api.x.com:8443/", True),
    ("api.x.com:8443", "http://api.x.com:8443/", False),
    ("https://api.x.com", "https://api.x.com/", True),
    ("http://api.x.com", "http://api.x.com/", True),
    ("http://api.x.com", "https://api.x.com/", False),
    ("http://127.0.0.1:8080", "http://127.0.0.1:8080/", True),
    ("127.0.0.1:8080", "http://127.0.0.1:8080/", False),
    ("http://[::1]:8080", "http://[::1]:8080/", True),
    ("*.x.com", "https://a.b.x.com/", True),
    ("*.x.com", "https://x.com/", False),
    ("https://api.x.com/v1/*", "https://api.x.com/v1/a", True),
    ("https://api.x.com/v1/*", "https://api.x.com/v1/../v2", False),
    ("b\u00fccher.de", "https://xn--bcher-kva.de/", True),
]


@pytest.mark.parametrize(("host", "url", "covered"), COVERED)
def test_covers(host: str, url: str, covered: bool) -> None:
    assert _injection(host).covers(NetworkTarget.parse(url)) is covered
    assert _injection("z.com", host).covers(NetworkTarget.parse(url)) is covered


# ---- what a component has ------------------------------------------------------------------------


def test_a_bound_secret_is_a_placeholder_and_what_the_relay_needs() -> None:
    injection = _injection("api.x.com")
    grants = _resolved(EnvironmentRule("TOKEN", injection), secrets={"TOKEN": TOKEN})
    stand_in = placeholder("one", "TOKEN", TOKEN)
    assert grants.environment == (("TOKEN", stand_in),)
    assert grants.secrets == (BoundSecret(injection, stand_in, TOKEN),)
    assert grants.notes == ()
    again = _resolved(EnvironmentRule("TOKEN", injection), secrets={"TOKEN": TOKEN})
    assert again == grants
    assert hash(again) == hash(grants)


def test_representations_have_no_values() -> None:
    grants = _resolved(
        EnvironmentRule("TOKEN", _injection("api.x.com")),
        EnvironmentRule("PLAIN"),
        secrets={"TOKEN": TOKEN, "PLAIN": "plain value"},
    )
    assert ("PLAIN", "plain value") in grants.environment
    for shown in (repr(grants), str(grants), repr(grants.secrets)):
        assert TOKEN not in shown
        assert "plain value" not in shown


def test_a_secret_counts_before_the_environment() -> None:
    grants = _resolved(
        EnvironmentRule("A"),
        EnvironmentRule("B"),
        environment={"A": "environment", "B": "environment", "C": "environment"},
        secrets={"A": "secret", "D": "secret"},
    )
    assert grants.environment == (("A", "secret"), ("B", "environment"))


def test_a_variable_of_the_environment_can_be_bound_too() -> None:
    grants = _resolved(
        EnvironmentRule("TOKEN", _injection("api.x.com")), environment={"TOKEN": TOKEN}
    )
    assert [secret.value for secret in grants.secrets] == [TOKEN]
    assert TOKEN not in dict(grants.environment).values()


def test_a_secret_that_cannot_be_read_is_not_taken_from_elsewhere() -> None:
    grants = _resolved(
        EnvironmentRule("A"),
        environment={"A": "of somebody else"},
        unread={"A": "the keyring is locked"},
    )
    assert grants.environment == ()
    assert grants.notes == ("environment 'A' is not applied: the keyring is locked",)


def test_bound_beats_plain_in_either_order() -> None:
    """Attack: a second rule for the same key, which would show the value."""
    plain, bound = EnvironmentRule("TOKEN"), EnvironmentRule("TOKEN", _injection("api.x.com"))
    for rules in ((plain, bound), (bound, plain)):
        grants = _resolved(*rules, secrets={"TOKEN": TOKEN})
        assert dict(grants.environment) == {"TOKEN": placeholder("one", "TOKEN", TOKEN)}
        assert len(grants.secrets) == 1


def test_two_bindings_share_one_placeholder() -> None:
    one, other = _injection("a.com"), _injection("b.com")
    grants = _resolved(
        EnvironmentRule("TOKEN", one),
        EnvironmentRule("TOKEN", other),
        EnvironmentRule("TOKEN", one),
        secrets={"TOKEN": TOKEN},
    )
    assert [secret.injection for secret in grants.secrets] == [one, other]
    assert len({secret.placeholder for secret in grants.secrets}) == 1


def test_what_cannot_be_injected_is_not_given_at_all() -> None:
    rule = EnvironmentRule("TOKEN", _injection("api.x.com"))
    for value in ("too short", "has\na line break", "has a NUL \0 in it"):
        grants = _resolved(rule, secrets={"TOKEN": value})
        assert (grants.environment, grants.secrets) == ((), ())
        (note,) = grants.notes
        assert note.startswith("environment 'TOKEN' is not applied: its value ")
        assert value not in note


def test_components_have_placeholders_of_their_own() -> None:
    rule = EnvironmentRule("TOKEN", _injection("api.x.com"))
    made = {
        _resolved(rule, secrets={"TOKEN": TOKEN}, component_id=one).environment
        for one in ("one", "two", "one.", "on")
    }
    assert len(made) == 4


# ---- binding in a policy file --------------------------------------------------------------------


def test_binding_writes_what_is_read() -> None:
    document = PolicyDocument.new("x")
    assert document.grant_environment("TOKEN")
    assert document.grant_environment("OTHER")
    injection = Injection("TOKEN", (NetworkRule(host="api.x.com"),))
    assert document.bind_environment(injection)
    assert not document.bind_environment(injection)
    assert document.policy.environment_allow == (
        EnvironmentRule("OTHER"),
        EnvironmentRule("TOKEN", injection),
    )
    assert document.to_text().endswith(
        "  environment:\n"
        "    allow:\n"
        '      - key: "OTHER"\n'
        '      - key: "TOKEN"\n'
        "        inject:\n"
        '          host: "api.x.com"\n'
    )
    more = Injection(
        "TOKEN",
        (NetworkRule(host="api.x.com"), NetworkRule(host="*.y.com")),
        ("authorization", "x-key"),
        "key",
    )
    assert document.bind_environment(more)
    assert document.policy.environment_allow[-1] == EnvironmentRule("TOKEN", more)
    assert len(document.policy.environment_allow) == 2
    assert parse_policy(document.to_text(), "p") == document.policy
    assert document.revoke_environment("TOKEN")
    assert [rule.key for rule in document.policy.environment_allow] == ["OTHER"]


@pytest.mark.parametrize(
    "text",
    [
        'version: "1.0" # one\n'
        "permissions: {environment: {allow: [{key: A}, {key: TOKEN}]}} # two\n",
        'version: "1.0" # one\npermissions:\n  environment: # two\n    allow:\n    - key: A\n',
        '{"version": "1.0", "permissions": {"x": " # one # two"}}',
        'version: "1.0" # one\r\npermissions: # two\r\n  environment:\r\n    allow: []\r\n',
    ],
)
def test_binding_keeps_the_rest(text: str) -> None:
    document = PolicyDocument(text, "p")
    injection = Injection("TOKEN", (NetworkRule(host="a.com"),), ("x-key",), "key")
    assert document.bind_environment(injection)
    assert EnvironmentRule("TOKEN", injection) in document.policy.environment_allow
    assert "# one" in document.to_text()
    assert "# two" in document.to_text()


def test_a_bound_variable_is_not_given_by_a_grant() -> None:
    """Attack: have an agent grant the variable itself, which a person bound to a host."""
    document = PolicyDocument.new("x")
    document.bind_environment(_injection("api.x.com"))
    before = document.to_text()
    with pytest.raises(PolicyError, match=r"'TOKEN' is bound to api\.x\.com"):
        document.grant_environment("TOKEN")
    assert document.to_text() == before


@pytest.mark.parametrize(
    "injection",
    [
        _injection("*"),
        _injection("a.com", key="A=B"),
        Injection("TOKEN", (NetworkRule(host="a.com"),), ("host",)),
        Injection("TOKEN", (NetworkRule(host="a.com"),), query=""),
    ],
)
def test_what_could_not_be_read_back_is_not_bound(injection: Injection) -> None:
    document = PolicyDocument.new("x")
    document.grant_environment("TOKEN")
    before = document.to_text()
    with pytest.raises(PolicyError):
        document.bind_environment(injection)
    assert document.to_text() == before
