from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wassette.errors import PolicyError
from wassette.policy import (
    Access,
    EnvironmentRule,
    Injection,
    Limits,
    NetworkRule,
    Policy,
    StorageRule,
    parse_policy,
    rules,
)
from wassette.policy.nodes import MAX_BYTES
from wassette.policy.parse import decode_policy

READ = frozenset({Access.READ})
BOTH = frozenset(Access)

FULL = """\
$schema: https://example.com/policy.json
version: "1.0"
description: everything
permissions:
  storage:
    allow:
      - uri: fs:///a/**
        access: [read, write]
    deny:
      - {uri: "fs:///a/secret", access: ["read"]}
  network:
    allow:
      - host: api.x.com
      - host: https://api.y.com/v1/*
        methods: [get, HEAD, GET]
      - cidr: 10.0.0.0/8
    deny: [{host: "*.bad.com"}]
  environment:
    allow:
      - key: API_KEY
      - key: TOKEN
        inject: {host: [api.x.com, api.y.com], header: Authorization}
  runtime: {docker: {security: {privileged: 3}}}
  ipc: what
  resources:
    cpu: 2
    memory: 64
    limits:
      cpu: 500m
      memory: 512Mi
      timeout: 30s
"""


def test_a_policy_with_everything() -> None:
    assert parse_policy(FULL, "p.yaml") == Policy(
        version="1.0",
        description="everything",
        storage_allow=(StorageRule("fs:///a/**", BOTH),),
        storage_deny=(StorageRule("fs:///a/secret", READ),),
        network_allow=(
            NetworkRule(host="api.x.com"),
            NetworkRule(host="https://api.y.com/v1/*", methods=("GET", "HEAD")),
            NetworkRule(cidr="10.0.0.0/8"),
        ),
        network_deny=(NetworkRule(host="*.bad.com"),),
        environment_allow=(
            EnvironmentRule("API_KEY"),
            EnvironmentRule(
                "TOKEN",
                Injection(
                    "TOKEN",
                    (NetworkRule(host="api.x.com"), NetworkRule(host="api.y.com")),
                    ("authorization",),
                ),
            ),
        ),
        limits=Limits(memory=512 * 2**20, cpu=0.5, timeout=30.0),
    )


EMPTY = [
    "version: '1.0'\npermissions: {}",
    "version: '1.0'\npermissions: null",
    "version: '1.0'\npermissions:",
    "version: '1.0'\ndescription: ~\npermissions: {storage: , network: {allow: null, deny: []}}",
    "%YAML 1.2\n---\nversion: '1.0'\npermissions:\n...\n",
    "\ufeffversion: '1.0'\r\npermissions: {}\r\n",
    '{"version": "1.0", "permissions": {}}',
]


@pytest.mark.parametrize("text", EMPTY)
def test_a_policy_that_permits_nothing(text: str) -> None:
    assert parse_policy(text, "p.yaml") == Policy(version="1.0")


@pytest.mark.parametrize(
    ("resources", "memory"),
    [
        ("{memory: 64}", 64 * 2**20),
        ("{limits: {memory: 64}}", 64 * 2**20),
        ("{limits: {memory: '64'}}", 64),
        ("{limits: {memory: 1Gi}, memory: 64}", 2**30),
        ("{limits: {memory: null}, memory: 64}", 64 * 2**20),
        ("{limits: null}", None),
    ],
)
def test_where_the_memory_limit_is_taken_from(resources: str, memory: int | None) -> None:
    text = f"version: '1.0'\npermissions: {{resources: {resources}}}"
    assert parse_policy(text, "p.yaml").limits.memory == memory


def _in(section: str) -> str:
    return f"version: '1.0'\npermissions:\n  {section}\n"


# (text, line, part of the reason)
def _inject(inject: str) -> str:
    return _in(f"environment: {{allow: [{{key: A, inject: {inject}}}]}}")


REFUSED = [
    ("", 1, "mapping"),
    ("# nothing", 1, "mapping"),
    ("hello", 1, "mapping"),
    ("[]", 1, "mapping"),
    ("permissions: {}", 1, "'version'"),
    ("version: '1.0'", 1, "'permissions'"),
    ("permissions: {}\nversion: '2.0'", 2, "unsupported version '2.0'"),
    ("permissions: {}\nversion: '10'", 2, "unsupported version"),
    ("permissions: {}\nversion: 1.0", 2, "quotes"),
    ("permissions: {}\nversion: [1]", 2, "text"),
    ("version: '1.0'\ndescription: 3\npermissions: {}", 2, "quotes"),
    ("version: '1.0'\npermissions: []", 2, "mapping"),
    ("version: '1.0'\npermissions: yes", 2, "mapping"),
    (_in("storage: []"), 3, "'storage' must be a mapping"),
    (_in("storage: {allow: {}}"), 3, "list"),
    (_in("storage: {allow: [x]}"), 3, "mapping"),
    (_in("storage: {allow: [null]}"), 3, "mapping"),
    (_in("storage: {allow: [{uri: 'fs:///a'}]}"), 3, "access"),
    (_in("storage: {allow: [{uri: 'fs:///a', access: []}]}"), 3, "access"),
    (_in("storage: {allow: [{uri: 'fs:///a', access: read}]}"), 3, "list"),
    (_in("storage: {allow: [{uri: 'fs:///a', access: [execute]}]}"), 3, "'execute'"),
    (_in("storage: {allow: [{uri: 'fs:///a', access: [1]}]}"), 3, "text"),
    (_in("storage: {allow: [{uri: 7, access: [read]}]}"), 3, "quotes"),
    (_in("storage: {allow: [{uri: {}, access: [read]}]}"), 3, "text"),
    (_in("storage: {allow: [{access: [read]}]}"), 3, "'uri'"),
    (_in("storage: {allow: [{uri: '', access: [read]}]}"), 3, "empty"),
    (_in("storage: {deny: [{uri: 'fs:///***', access: [read]}]}"), 3, "***"),
    (_in('storage: {allow: [{uri: "fs:///a\\0", access: [read]}]}'), 3, "NUL"),
    (_in("storage: {allow: [{uri: 'ftp:///a', access: [read]}]}"), 3, "fs://"),
    (_in("network: {allow: [{}]}"), 3, "host"),
    (_in("network: {allow: [{host: a, cidr: 10.0.0.0/8}]}"), 3, "one of"),
    (_in("network: {allow: [{host: '*.a.*'}]}"), 3, "wildcard"),
    (_in("network: {allow: [{cidr: 10.0.0.1}]}"), 3, "range"),
    (_in("network: {allow: [{host: a, methods: []}]}"), 3, "empty"),
    (_in("network: {allow: [{host: a, methods: GET}]}"), 3, "list"),
    (_in("network: {allow: [{host: a, methods: ['G T']}]}"), 3, "method"),
    (_in("environment: {allow: [{key: 'A*'}]}"), 3, "'*'"),
    (_in("environment: {allow: [{key: A, inject: yes}]}"), 3, "mapping"),
    (_in("environment: {allow: [{key: A, inject: [a.com]}]}"), 3, "mapping"),
    (_inject("{host: 3}"), 3, "text"),
    (_inject("{host: [a.com, 3]}"), 3, "text"),
    (_inject("{host: {a: b}}"), 3, "text"),
    (_inject("{host: []}"), 3, "empty"),
    (_inject("{host: null}"), 3, "needs 'host'"),
    (_inject("{header: Authorization}"), 3, "needs 'host'"),
    (_inject("{}"), 3, "needs 'host'"),
    (_inject("{host: '*'}"), 3, "everybody"),
    (_inject("{host: [a.com, 'https://*:8443/v1']}"), 3, "everybody"),
    (_inject("{host: '*.com'}"), 3, "everybody"),
    (_inject("{host: 'a.*.com'}"), 3, "wildcard"),
    (_inject("{host: 10.0.0.0/8}"), 3, "cidr"),
    (_inject("{host: 'ftp://a.com'}"), 3, "scheme"),
    (_inject("{host: a.com, header: [X-Key, Host]}"), 3, "'Host' cannot carry"),
    (_inject("{host: a.com, header: 'X Key'}"), 3, "name of a header"),
    (_inject("{host: a.com, header: []}"), 3, "empty"),
    (_inject("{host: a.com, query: ''}"), 3, "query parameter"),
    (_inject("{host: a.com, query: [key]}"), 3, "text"),
    (_inject("{host: a.com, headers: X-Key}"), 3, "has no 'headers': it has host, header, query"),
    (_inject("{host: a.com, cidr: 10.0.0.0/8}"), 3, "has no 'cidr'"),
    (_in("environment: {allow: [A]}"), 3, "mapping"),
    (_in("resources: {limits: {memory: 512M}}"), 3, "512Mi"),
    (_in("resources: {limits: {memory: []}}"), 3, "one value"),
    (_in("resources: {limits: {memory: 1Gi}, memory: x}"), 3, "invalid memory"),
    (_in("resources: {limits: {cpu: -1}}"), 3, "more than zero"),
    (_in("resources: {limits: {timeout: 2d}}"), 3, "timeout"),
    (_in("resources: {limits: 3}"), 3, "mapping"),
    ("version: '1.0'\nversion: '1.1'\npermissions: {}", 2, "twice"),
    (_in("x: {a: 1, a: 2}"), 3, "twice"),
    (_in("x: {1: a}"), 3, "key must be text"),
    (_in("? [a]\n  : b"), 3, "key must be text"),
    (_in("x: &a {}"), 3, "anchors"),
    (_in("x: *a"), 3, "aliases"),
    (_in("x: &a [*a]"), 3, "anchors"),
    ("a: &a\n  version: '1.0'\n<<: *a\npermissions: {}", 1, "anchors"),
    ("<<: {version: '1.0'}\npermissions: {}", 1, "merge"),
    (_in("x: !!python/object/apply:os.system [id]"), 3, "tags"),
    (_in("x: !!str y"), 3, "tags"),
    (_in("x: ! y"), 3, "tags"),
    ("%YAML 1.1\n---\nversion: '1.0'\npermissions:", 2, "directives"),
    ("%TAG ! tag:x,2000:\n---\nversion: '1.0'\npermissions:", 2, "directives"),
    ("version: '1.0'\npermissions:\n---\na: b", 3, "one document"),
    ("version: '1.0'\npermissions: {\n", 3, ""),
    ("version: '1.0'\n\tpermissions: {}", 2, ""),
    (_in("x: a\0b"), 1, ""),
    (_in('x: "\\ud800"'), 3, "not valid text"),
    (_in('x: "\\U00110000"'), 1, ""),
    ("\ud800", 1, ""),
    ("[" * 100_000, 1, "nested"),
    ("{a: " * 10_000, 1, "nested"),
    ("- " * 10_000, 1, "nested"),
    ("".join(f"a{i}: b\n" for i in range(20_000)), 10_000, "too many"),
    ("#" * (MAX_BYTES + 1), 1, "256 KiB"),
    ("#" + "ü" * (MAX_BYTES // 2), 1, "256 KiB"),
]


@pytest.mark.parametrize(("text", "line", "reason"), REFUSED, ids=range(len(REFUSED)))
def test_refused_with_line_and_reason(text: str, line: int, reason: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, "p.yaml")
    message = str(caught.value)
    assert reason in message
    assert message.startswith(f"p.yaml:{line}: ")


HOSTILE = [
    "!" * 250_000, "a\n" * 125_000, "?" * 250_000, "a: |\n" + " b\n" * 80_000, ":" * 250_000,
    "[" + "a," * 120_000 + "]", '"' + "\\x41" * 60_000 + '"', "\n" * 250_000, "'" + "''" * 120_000,
    "".join(" " * i + "-\n" for i in range(700)), "&a " * 80_000, "*a " * 80_000,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_refused_in_bounded_time(text: str) -> None:
    started = time.perf_counter()
    with pytest.raises(PolicyError):
        parse_policy(text, "p.yaml")
    assert time.perf_counter() - started < 10


def test_a_policy_of_a_usual_size_is_read_at_once() -> None:
    started = time.perf_counter()
    parse_policy(FULL, "p.yaml")
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize(
    ("data", "place"),
    [(b"a: b\nc: \xff", "p.yaml:2: not UTF-8"), (b"#" * (MAX_BYTES + 1), "p.yaml:1: a policy is")],
)
def test_bytes_that_are_no_text(data: bytes, place: str) -> None:
    with pytest.raises(PolicyError, match=place):
        decode_policy(data, "p.yaml")


def test_what_a_stranger_wrote_is_made_visible() -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy('version: "2\\e[31m\\u202e"\npermissions:', "p\n.yaml")
    assert "\x1b" not in str(caught.value)
    assert "\u202e" not in str(caught.value)
    assert "\n" not in str(caught.value)


def _parse_or_refuse(text: str) -> None:
    try:
        parse_policy(text, "p.yaml")
    except PolicyError:
        return


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    try:
        text = decode_policy(data, "p.yaml")
    except PolicyError:
        return
    _parse_or_refuse(text)


@given(st.text(st.characters(codec=None), max_size=300))
def test_any_text(text: str) -> None:
    _parse_or_refuse(text)


@given(st.text(alphabet=" \n\t-:?,[]{}#&*!|>'\"%@`~<aA1.0\\x\0\r", max_size=120))
@settings(max_examples=500)
def test_any_text_of_yaml_punctuation(text: str) -> None:
    _parse_or_refuse(text)
    _parse_or_refuse(f"version: '1.0'\npermissions:\n  storage:\n    allow:\n      {text}")


@given(st.data())
@settings(max_examples=300)
def test_any_damage_to_a_policy(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(FULL)))
    end = data.draw(st.integers(start, min(len(FULL), start + 40)))
    middle = data.draw(st.text(alphabet=" \n-:[]{}'\"&*!<>|0a", max_size=6))
    _parse_or_refuse(FULL[:start] + middle + FULL[end:])


def test_the_reference_is_a_policy() -> None:
    """docs/policy.md begins with one, and its other rules can be read."""
    text = (Path(__file__).parents[3] / "docs" / "policy.md").read_text(encoding="utf-8")
    policy = parse_policy(text.split("```yaml\n")[1].split("```")[0], "docs/policy.md")
    assert len(policy.storage_allow) == 2
    for uri in re.findall(r"`(fs://[^`]*)`", text):
        rules.check_storage_uri(uri)
    for host in re.findall(r'`host: "([^"`]*)"`', text):
        rules.check_host(host)
