"""Manifests: what they come to, and everything that can be wrong with one, with its line."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wassette.errors import ManifestError
from wassette.policy import Access, EnvironmentRule, NetworkRule, StorageRule
from wassette.provision import Retry, read_manifest
from wassette.provision.manifest import parse_manifest

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "sha256:" + "0123456789abcdef" * 4
FULL = f"""\
version: 1
components:
  - uri: oci://ghcr.io/microsoft/get-weather-js:1.2.3
    name: weather-service
    digest: {DIGEST}
    permissions:
      network:
        allow:
          - host: api.openweathermap.com
          - cidr: 10.0.0.0/8
            methods: [get]
        deny:
          - host: "*.internal"
      storage:
        allow:
          - uri: fs:///tmp/data
            access: [read, write]
        deny:
          - uri: "fs:///tmp/data/**/*.key"
            access: [read]
      environment:
        allow:
          - key: OPENWEATHER_API_KEY
          - key: TOKEN
            value_from: WEATHER_TOKEN
      resources:
        memory_bytes: 134217728
        cpu_time_ms: 1500
        limits:
          cpu: 500m
    retry_policy:
      attempts: 3
      backoff:
        type: exponential
        base_ms: 250
  - uri: file:///opt/components/other.wasm
    permissions:
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ManifestError) as refused:
        parse_manifest(text, "m.yaml")
    assert str(refused.value) == "\n".join(refused.value.problems)
    return list(refused.value.problems)


def test_all_of_it() -> None:
    weather, other = parse_manifest(FULL, "m.yaml")
    assert (weather.label, weather.line, weather.digest) == ("weather-service", 3, DIGEST[7:])
    assert weather.variables == (
        ("OPENWEATHER_API_KEY", "OPENWEATHER_API_KEY"),
        ("TOKEN", "WEATHER_TOKEN"),
    )
    assert weather.retry == Retry(3, 0.25, exponential=True)
    assert (other.label, other.id, other.permissions) == (other.uri, "other", {})
    policy = weather.policy("weather", "/m.yaml").policy
    assert policy.network_allow == (
        NetworkRule("api.openweathermap.com"),
        NetworkRule(cidr="10.0.0.0/8", methods=("GET",)),
    )
    assert policy.network_deny == (NetworkRule("*.internal"),)
    both = frozenset({Access.READ, Access.WRITE})
    assert policy.storage_allow == (StorageRule("fs:///tmp/data", both),)
    assert policy.storage_deny == (
        StorageRule("fs:///tmp/data/**/*.key", frozenset({Access.READ})),
    )
    assert policy.environment_allow == (
        EnvironmentRule("OPENWEATHER_API_KEY"),
        EnvironmentRule("TOKEN", value_from="WEATHER_TOKEN"),
    )
    limits = policy.limits
    assert (limits.memory, limits.cpu, limits.timeout) == (128 * 2**20, 0.5, 1.5)


def test_its_policy_is_a_file_for_people() -> None:
    weather, other = parse_manifest(FULL, "m.yaml")
    text = weather.policy("weather", "/m.yaml").to_text()
    assert text.startswith("# Written from /m.yaml. When you change this file, it is yours")
    assert '      - uri: "fs:///tmp/data"\n        access: [read, write]\n' in text
    assert text == weather.policy("weather", "/m.yaml").to_text()
    assert other.policy("other", "/m.yaml").to_text().endswith("\npermissions: {}\n")


def test_json_is_fine() -> None:
    [one] = parse_manifest(
        json.dumps(
            {
                "version": 1,
                "components": [
                    {
                        "uri": "file:///a/b.wasm",
                        "digest": DIGEST.upper().replace("SHA256", "sha256"),
                        "permissions": {
                            "storage": {"allow": [{"uri": "fs:///a", "access": ["read"]}]}
                        },
                    }
                ],
            },
            indent="\t",
        ),
        "m.json",
    )
    assert (one.id, one.digest) == ("b", DIGEST[7:])
    assert one.permissions == {"storage": {"allow": [{"uri": "fs:///a", "access": ["read"]}]}}


def component(lines: str) -> str:
    """A manifest with one component; `lines` begin on line 4."""
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    return "version: 1\ncomponents:\n  - uri: file:///a/b.wasm\n" + body


def permissions(lines: str) -> str:
    """... of a component; `lines` begin on line 5."""
    return component("permissions:\n" + "\n".join("  " + line for line in lines.splitlines()))


def retry(words: str) -> str:
    """... of a component; `words` are on line 5."""
    return component(f"permissions:\nretry_policy: {{{words}}}")


ONE = "\ncomponents: [{uri: 'starter:x', permissions: }]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1: a manifest must be a mapping with 'version'"),
        ("[]", "1: a manifest must be a mapping with 'version'"),
        ("version: 1\ncomponents: [", "2: "),
        ("version: 2" + ONE, "1: unsupported version '2'"),
        ("version: '1'" + ONE, "1: unsupported version '1'"),
        ("version: true" + ONE, "1: unsupported version"),
        ("components: [{uri: 'starter:x', permissions: }]", "1: a manifest needs 'version: 1'"),
        ("version: 1", "1: a manifest needs 'components', a list"),
        ("version: 1\ncomponents:\n", "1: a manifest needs 'components', a list"),
        ("version: 1\ncomponents: []", "2: 'components' is empty"),
        ("version: 1\ncomponents: {}", "2: 'components' must be a list"),
        ("version: 1\ncomponents:\n  - x", "3: a component must be a mapping"),
        ("version: 1\ncomponents:\n  - permissions: {}", "3: a component needs 'uri'"),
        ("version: 1\ncomponents:\n  - uri: 5\n    permissions: {}", "3: 'uri' must be text"),
        (
            "version: 1\ncomponents:\n  - uri: [a]\n    permissions: {}",
            "3: 'uri' must be one value",
        ),
        (
            "version: 1\ncomponent: []",
            "2: unknown key 'component' in a manifest: did you mean 'comp",
        ),
        (component(""), "3: a component needs 'permissions' (it may be empty: {})"),
        (component("permissions: {}\npermission: {}"), "5: unknown key 'permission'"),
        (component("permissions: []"), "4: permissions must be a mapping"),
        (component("digest: abc\npermissions:"), "4: 'abc' is not a digest: sha256: and 64 hex"),
        (component(f"digest: {DIGEST[:-1]}\npermissions:"), "4: 'sha256:0123"),
        (component(f"digest: {DIGEST[:-1]}g\npermissions:"), "4: 'sha256:0123"),
        (component("digest: 12345\npermissions:"), "4: 'digest' must be text (put it in quotes)"),
        (component("name: ''\npermissions:"), "4: 'name' is what to call the component"),
        (component("name: ../../x\npermissions:"), "4: 'name' is what to call the component"),
        (component('name: "a\\u202eb"\npermissions:'), "4: 'name' is what to call the component"),
        (
            permissions("netwrok: {allow: [{host: a.b}]}"),
            "5: unknown key 'netwrok' in permissions: did",
        ),
        (
            permissions("allow: [{host: a.b}]"),
            "5: unknown key 'allow' in permissions; there is stor",
        ),
        (permissions("network: {allow: []}"), "5: 'allow' is empty"),
        (permissions("network: {allow: }"), "5: 'network' says nothing"),
        (permissions("network: [a]"), "5: 'network' must be a mapping"),
        (permissions("network: {allow: a.b}"), "5: 'allow' must be a list"),
        (permissions("network:\n  allow:\n    - a.b"), "7: a rule of 'network' must be a mapping"),
        (permissions("network:\n  allow:\n    - host: ''"), "7: a network host cannot be empty"),
        (
            permissions("network:\n  allow:\n    - host: a.*.b"),
            "7: network host 'a.*.b': a wildcard",
        ),
        (
            permissions("network:\n  allow:\n    - hosts: a.b"),
            "7: unknown key 'hosts' in a rule of",
        ),
        (permissions("network:\n  allow:\n    - host: a\n      port: 80"), "8: unknown key 'port'"),
        (
            permissions("network:\n  allow:\n    - cidr: ten"),
            "7: cidr 'ten' is not an address range",
        ),
        (
            permissions("storage:\n  allow:\n    - uri: /tmp\n      access: [read]"),
            "7: storage uri '/tmp'",
        ),
        (permissions("storage:\n  allow:\n    - uri: fs:///a/../b\n      access: [read]"), "7: "),
        (permissions("storage:\n  allow:\n    - uri: fs:///a"), "7: a storage rule needs 'access'"),
        (
            permissions("storage:\n  allow:\n    - uri: fs:///a\n      access: [run]"),
            "8: access is 'read'",
        ),
        (
            permissions("storage:\n  allow:\n    - uri: fs:///a\n      access: read"),
            "8: 'access' must be",
        ),
        (
            permissions("environment:\n  allow:\n    - key: ''"),
            "7: an environment key cannot be empty",
        ),
        (
            permissions("environment:\n  allow:\n    - key: A\n    - key: A"),
            "8: the variable 'A' is there twice",
        ),
        (
            permissions("environment:\n  deny:\n    - key: A"),
            "6: unknown key 'deny' in 'environment'",
        ),
        (
            permissions("environment:\n  allow:\n    - key: A\n      value_from: a b"),
            "8: 'value_from' is the name",
        ),
        (
            permissions("environment:\n  allow:\n    - key: A\n      inject: {'a: b': c}"),
            "8: 'inject' has no 'a: b': it has host, header, query",
        ),
        (permissions("resources: {memory_bytes: 0}"), "5: 'memory_bytes' must be a whole number"),
        (permissions("resources: {memory_bytes: 1.5}"), "5: 'memory_bytes' must be a whole number"),
        (
            permissions("resources: {memory_bytes: 512Mi}"),
            "5: 'memory_bytes' must be a whole number",
        ),
        (permissions("resources: {cpu_time_ms: -1}"), "5: 'cpu_time_ms' must be a whole number"),
        (permissions("resources: {cpu: 1}"), "5: unknown key 'cpu' in 'resources'"),
        (permissions("resources: {limits: {cpu: x}}"), "5: invalid CPU value 'x'"),
        (
            permissions("resources: {memory_bytes: 1, limits: {memory: 1Mi}}"),
            "5: 'memory' and 'memory_bytes'",
        ),
        (component("permissions:\nretry_policy: 3"), "5: 'retry_policy' must be a mapping"),
        (retry("attempts: 3"), "5: 'retry_policy' needs 'backoff'"),
        (retry("backoff: {type: linear, increment_ms: 1}"), "5: it needs 'att"),
        (retry("attempts: 101, backoff: {type: linear, increment_ms: 1}"), "5: 'attempts' must be"),
        (retry("attempts: 1, backoff: {type: random}"), "5: 'backoff' needs 'type'"),
        (retry("attempts: 1, backoff: {type: linear, base_ms: 1}"), "5: unknown key 'base_ms'"),
        (retry("attempts: 1, backoff: {type: linear}"), "5: it needs 'increment_ms'"),
        (component("permissions: {}\npermissions: {}"), "5: the key 'permissions' is there twice"),
        (component("permissions: &a {}\n"), "4: YAML anchors and aliases are not supported"),
        (
            component("permissions: !!python/object:os.system {}\n"),
            "4: YAML tags are not supported",
        ),
        (component("<<: {}\npermissions: {}\n"), "4: YAML merge keys are not supported"),
        ("version: 1\n---\nversion: 1", "2: a manifest is one document: remove '---'"),
    ],
)
def test_what_is_wrong(text: str, expected: str) -> None:
    found = problems(text)
    assert found[0].startswith(f"m.yaml:{expected}"), found


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("", "is not a component's uri"),
        ("/abs/x.wasm", "is not a component's uri"),
        ("ftp://a/b.wasm", "is not a component's uri"),
        ("http://a/b.wasm", "http:// is not accepted"),
        ("file://./x.wasm", "is not the whole path of a file"),
        ("file://x.wasm", "is not the whole path of a file"),
        ("file://", "is not the whole path of a file"),
        ("file:///a/.wasm", "has no name that could be a component's id"),
        ("file:///a/con.wasm", "has no name that could be a component's id"),
        ("starter:../../x", "has no name that could be a component's id"),
        ("oci://", "names no component"),
        ("oci://host", "names no component"),
        ("oci://h/x:1@sha256:0", "its digest is not"),
        ("oci://h/X", "Failed to parse OCI reference"),
        ("https://user:hunter2@host/x.wasm", "a uri holds no user name or password"),
        ("file:///a/\\u202ex.wasm", "no invisible characters"),
    ],
)
def test_what_is_no_uri(uri: str, expected: str) -> None:
    [found] = problems(f'version: 1\ncomponents:\n  - uri: "{uri}"\n    permissions: {{}}')
    assert found.startswith("m.yaml:3: ")
    assert expected in found
    assert "hunter2" not in found


@pytest.mark.parametrize(
    "uri",
    ["file:///a/b.wasm", "file://localhost/a/b.wasm", "starter:toolbox", "oci://h/x:1"],
)
def test_what_is_a_uri(uri: str) -> None:
    assert parse_manifest(f"version: 1\ncomponents: [{{uri: '{uri}', permissions: }}]", "m")


def test_everything_that_is_wrong_is_told_at_once() -> None:
    found = problems(
        """\
version: 3
componentes: []
components:
  - uri: http://a/b.wasm
    digest: no
    permissions:
      network:
        allow:
          - host: ''
          - host: good.example
          - hast: x
  - permissions: {}
  - uri: file:///a/x.wasm
    permissions: {}
  - uri: file:///a/x.wasm
    permissions: {}
  - uri: file:///b/X.wasm
    permissions: {}
"""
    )
    assert [line.split(":")[1] for line in found] == [
        "2",
        "1",
        "4",
        "5",
        "9",
        "11",
        "11",
        "12",
        "15",
        "17",
        "17",
    ]
    assert "the component of line 13 is there twice" in found[8]
    assert "its id is 'x', as that of the component of line 13" in found[9]


@pytest.mark.parametrize(
    "text",
    [
        permissions("environment:\n  allow:\n    - key: TOKEN=hunter2"),
        permissions("environment:\n  allow:\n    - key: TOKEN\n      value_from: hunter2-$!"),
        permissions("environment:\n  allow:\n    - key: TOKEN\n      value: hunter2"),
        component("token: hunter2\npermissions:"),
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(text: str) -> None:
    [found] = problems(text)
    assert "hunter2" not in found


def test_the_rest_of_a_query_is_not_shown() -> None:
    [one] = parse_manifest(
        "version: 1\ncomponents: [{uri: 'https://h/x.wasm?token=hunter2', permissions: }]", "m"
    )
    assert one.label == one.shown_uri == "https://h/x.wasm?…"


@pytest.mark.parametrize(
    ("retry", "delays"),
    [
        (Retry(4, 0.5, exponential=True), [0.5, 1, 2, 4]),
        (Retry(4, 0.5), [0.5, 1, 1.5, 2]),
        (Retry(2, 0), [0, 0]),
        (Retry(2, 200, exponential=True), [200, 300]),
    ],
)
def test_backoff(retry: Retry, delays: list[float]) -> None:
    assert [retry.delay(n) for n in range(1, retry.attempts + 1)] == delays
    assert Retry(100, 300, exponential=True).delay(100) == 300


# ---- files --------------------------------------------------------------------------------------


def refused(path: Path) -> str:
    with pytest.raises(ManifestError) as error:
        read_manifest(path)
    return str(error.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refused(tmp_path / "missing.yaml")
    assert "cannot be read: Is a directory" in refused(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    assert "not a regular file" in refused(tmp_path / "fifo")
    (tmp_path / "latin").write_bytes(b"version: 1\n# \xe9\n")
    assert refused(tmp_path / "latin").endswith("latin:2: not UTF-8 text")


def test_a_file_by_a_link(tmp_path: Path) -> None:
    """As containers are given files."""
    (tmp_path / "real.yaml").write_text(FULL)
    (tmp_path / "m.yaml").symlink_to("real.yaml")
    manifest = read_manifest(tmp_path / "m.yaml")
    assert manifest.path == tmp_path / "m.yaml"
    assert len(manifest.components) == 2


def test_files_that_take_memory_or_time(tmp_path: Path) -> None:
    """Attack: a huge file, a bomb of aliases, and depth."""
    began = time.monotonic()
    path = tmp_path / "m.yaml"
    with open(path, "wb") as file:
        file.truncate(10 * 2**30)  # sparse
    assert "a manifest is at most 256 KiB" in refused(path)
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    path.write_text("\n".join(lines))
    assert "YAML anchors and aliases are not supported" in refused(path)
    path.write_text("version: 1\ncomponents: " + "[" * 100_000)
    assert "nested over 32 deep" in refused(path)
    path.write_text("version: 1\ncomponents: [" + "{}," * 80_000 + "]")
    assert "the manifest has too many entries" in refused(path)
    assert time.monotonic() - began < 60


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda b: b.decode("latin-1")))
def test_any_text_is_read_or_refused(text: str) -> None:
    for candidate in (text, FULL + text, FULL.replace("10.0.0.0/8", text)):
        try:
            parse_manifest(candidate, "m.yaml")
        except ManifestError as error:
            unplaced = [line for line in error.problems if not line.startswith("m.yaml:")]
        else:
            unplaced = []
        assert not unplaced
