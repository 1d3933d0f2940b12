"""Catalogs: what is in them, what is found, and in which order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wassette.components.remote import parse_remote
from wassette.registry.catalog import Entry, bundled, find, read, search

ENTRIES = (
    Entry("Weather Server", "Tells the weather", "oci://ghcr.io/x/get-weather-js:latest"),
    Entry("Time", "A clock", "oci://ghcr.io/x/time:latest"),
    Entry("Time Server", "Tells the time", "oci://ghcr.io/x/time-server:latest"),
    Entry("Lunchtime", "time to eat", "oci://ghcr.io/x/lunch:latest"),
    Entry("Fetch", "Fetches pages", "oci://ghcr.io/x/fetch:latest"),
)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Weather Server", "Time", "Time Server", "Lunchtime", "Fetch"]),
        # 100 + 5 (name, reference); 50 + 10 + 5; 20 + 15
        ("time", ["Time", "Time Server", "Lunchtime"]),
        ("TIME", ["Time", "Time Server", "Lunchtime"]),
        ("time server", ["Time", "Time Server", "Lunchtime", "Weather Server"]),
        ("weather-js", ["Weather Server"]),
        ("nothing", []),
    ],
)
def test_ranking(query: str, names: list[str]) -> None:
    assert [one.name for one in search(ENTRIES, query)] == names


def test_ours() -> None:
    found = bundled()
    toolbox = find(found, "toolbox")
    assert toolbox is not None
    assert toolbox.uri == "starter:toolbox"
    assert all(one.description for one in found)
    for one in found:
        assert one.uri.startswith("starter:") or parse_remote(one.uri) is not None
    names = [one.name.lower() for one in found]
    assert len(set(names)) == len(names)


def test_names_of_ours_are_not_taken() -> None:
    theirs = read(
        json.dumps(
            [{"name": "TOOLBOX", "description": "x", "uri": "oci://evil.com/toolbox"}]
        ).encode(),
        "https://evil.com/c.json",
    )
    entry = find((*bundled(), *theirs), "Toolbox")
    assert entry is not None
    assert entry.uri == "starter:toolbox"
    assert find((*bundled(), *theirs), "oci://evil.com/toolbox") == theirs[0]
    assert find(bundled(), "toolbo") is None


GOOD = {"name": "n", "description": "d", "uri": "oci://x.com/a/b:1"}


def test_what_is_known_of_an_entry() -> None:
    digest = "sha256:" + "a" * 64
    [found] = read(
        json.dumps({"components": [{**GOOD, "digest": digest, "signer": "me"}]}).encode(), "there"
    )
    assert found.to_json() == {**GOOD, "digest": digest, "signer": "me", "catalog": "there"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("{", "not JSON"),
        ("3", "no list"),
        ({"other": []}, "no list"),
        ([GOOD] * 10_001, "at most"),
        ([1], "entry 1 has no name"),
        ([GOOD, {**GOOD, "name": ""}], "entry 2 has no name"),
        ([{**GOOD, "description": "x" * 501}], "too long"),
        ([{**GOOD, "uri": "file:///etc/x.wasm"}], "not oci:// or https://"),
        ([{**GOOD, "uri": "starter:toolbox"}], "not oci:// or https://"),
        ([{**GOOD, "uri": "oci://"}], "entry 1"),
        ([{**GOOD, "digest": "abc"}], "digest"),
        ([{**GOOD, "signer": 1}], "signer"),
    ],
)
def test_refused(data: Any, reason: str) -> None:
    text = data if isinstance(data, str) else json.dumps(data)
    with pytest.raises(ValueError, match=reason):
        read(text.encode(), "x")
