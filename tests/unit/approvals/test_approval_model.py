"""Digests bind everything; what is on record reads back as it was."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from support.approvals import EVERY_SUBJECT, NOTES, asked, client, file, network
from wassette.approvals.codec import (
    decode_decision,
    decode_request,
    decode_subject,
    encode_decision,
    encode_request,
    encode_subject,
)
from wassette.approvals.model import (
    ApprovalRequest,
    Decision,
    EnvironmentAccess,
    Scope,
    StorageAccess,
    Subject,
    Surface,
    allowed,
    canonical,
    denied,
)
from wassette.errors import NotAskable
from wassette.policy import Access

OTHER: dict[str, Any] = {
    "nonce": "0" * 32,
    "subject": network("https://evil.example"),
    "component": NOTES,
    "client": client("session-2"),
    "call": "call-2",
    "tool": "other",
    "arguments": "{}",
    "arguments_digest": "0" * 64,
    "text": "Allow nothing?",
    "choices": (),
    "default": 1,
    "scopes": (Scope.ALWAYS,),
    "created": 1,
    "expires": 2,
}


def test_every_field_is_in_the_digest() -> None:
    request = asked()
    assert {one.name for one in fields(ApprovalRequest)} == set(OTHER)
    digests = {replace(request, **{name: value}).digest for name, value in OTHER.items()}
    assert len(digests | {request.digest}) == len(OTHER) + 1


def test_the_same_asked_again_is_another_request() -> None:
    one, other = asked(now=1.0), asked(now=1.0)
    assert replace(one, nonce=other.nonce) == other
    assert one.id != other.id
    assert one.digest.startswith(one.id)


@pytest.mark.parametrize("subject", EVERY_SUBJECT)
def test_requests_read_back(subject: Subject) -> None:
    request = asked(subject)
    again = decode_request(json.loads(json.dumps(encode_request(request))))
    assert again == request
    assert again.digest == request.digest


@pytest.mark.parametrize("subject", EVERY_SUBJECT)
def test_decisions_read_back(subject: Subject) -> None:
    request = asked(subject)
    for decision in (
        allowed(request, Surface.CLI, 5, scope=request.scopes[-1]),
        denied(request, Surface.WEB, 6),
    ):
        assert decode_decision(json.loads(json.dumps(encode_decision(decision)))) == decision


@given(st.text(), st.sampled_from(Access))
def test_subjects_of_any_text_read_back(text: str, access: Access) -> None:
    for subject in (StorageAccess(text, access), EnvironmentAccess(text)):
        data = canonical(encode_subject(subject))
        assert decode_subject(json.loads(data)) == subject


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.sampled_from(sorted(encode_request(asked()))), JSON)
@example("format", True)
@example("format", 1.0)
def test_what_does_not_fit_is_refused_or_another_digest(key: str, value: Any) -> None:
    request = asked()
    data = encode_request(request)
    changed = {**data, key: value}
    try:
        again = decode_request(changed)
    except ValueError:
        return
    assert again.digest != request.digest or canonical(changed) == canonical(data)


@given(JSON)
def test_anything_but_a_request_is_refused(value: Any) -> None:
    for decode in (decode_request, decode_decision):
        with pytest.raises(ValueError, match=r".*"):
            decode(value)


def test_only_a_person_allows() -> None:
    with pytest.raises(AssertionError):
        Decision(allow=True, digest="x")
    data = encode_decision(denied(asked(), Surface.CLI, 1))
    with pytest.raises(ValueError, match="not a decision"):
        decode_decision({**data, "allow": True, "by": None})


def test_requests_to_one_host_are_one_question() -> None:
    one, other = (asked(network(f"https://a.example.com/{path}")) for path in "xy")
    assert one.subject_key == other.subject_key
    assert asked(network("https://a.example.com/x", "POST")).subject_key != one.subject_key
    assert asked(file("/a/b/c")).subject_key != asked(file("/a/b/d")).subject_key


@pytest.mark.parametrize(
    ("subject", "component"),
    [
        (network(), None),
        (network(), replace(NOTES, id="../x")),
        (network(), replace(NOTES, digest="short")),
        (file("/srv/" + "a/" * 600), NOTES),
        (EnvironmentAccess("A" * 2000), NOTES),
    ],
)
def test_what_cannot_be_shown_in_full_is_not_asked(subject: Subject, component: Any) -> None:
    with pytest.raises(NotAskable):
        asked(subject, component=component)
