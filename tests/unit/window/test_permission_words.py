"""A policy in plain words, as the window says them."""

from __future__ import annotations

import pytest

from wassette.policy import parse_policy
from wassette.window.words import permissions

HEAD = 'version: "1.0"\npermissions:\n'


def words(text: str) -> list[str]:
    return [one.text for one in permissions(parse_policy(HEAD + text, "policy.yaml"))]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("allow: [{uri: 'fs:///srv/a', access: [read]}]", "may read /srv/a and everything below"),
        (
            "allow: [{uri: 'fs:///srv/a/**', access: [read, write]}]",
            "may read and write /srv/a and everything below",
        ),
        ("allow: [{uri: 'fs:///srv/a.txt', access: [write]}]", "may write /srv/a.txt"),
        ("allow: [{uri: 'fs:///srv/*.md', access: [read]}]", "may read what matches /srv/*.md"),
        ("allow: [{uri: 'fs:///**', access: [read]}]", "may read every file of this machine"),
        (
            "allow: [{uri: 'fs://notes/**', access: [read]}]",
            "may read its folder “notes” and everything in it",
        ),
        (
            "deny: [{uri: 'fs:///srv/a', access: [write]}]",
            "may not write /srv/a and everything below",
        ),
        (
            "deny: [{uri: 'fs:///srv/a', access: [read, write]}]",
            "may neither read nor write /srv/a and everything below",
        ),
    ],
)
def test_files(rule: str, said: str) -> None:
    assert said in words(f"  storage:\n    {rule}\n")


def test_home_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wassette.window.words._home_directory", lambda: "/home/me")
    uri = "fs:///home/me/notes"
    assert words(f"  storage:\n    allow: [{{uri: '{uri}', access: [read]}}]\n") == [
        "may read ~/notes and everything below"
    ]


def test_attack_a_path_that_turns_the_sentence_around() -> None:
    [said] = words('  storage:\n    allow: [{uri: "fs:///srv/\\u202Etxt", access: [read]}]\n')
    assert "\u202e" not in said
    assert "u{202e}" in said
