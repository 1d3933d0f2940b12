"""What a notification says, and which buttons it has."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import Any

import pytest

from wassette_desktop.notices import MORE, MOST, Button, Notice, can_be_allowed, notice_of, notices
from wassette_desktop.notices.plain import PlainNotifier, by_osascript
from wassette_desktop.state import Approval

PLAIN = Approval(
    id="3f9a12c4d0b7",
    digest="0" * 64,
    question="Allow component weather to read “/a b/c.txt”?",
    kind="storage",
    details=("Component: weather, sha256 60ec0221e97d…", "Asked by: “Editor”"),
    scopes=("once", "session", "hour", "always"),
)


def test_what_a_component_wants_in_a_call_can_be_allowed_once() -> None:
    notice = notice_of(PLAIN)
    assert notice.buttons == (Button.ALLOW, Button.DENY, Button.OPEN)
    assert notice.body.split("\n") == [PLAIN.question, *PLAIN.details]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"kind": "load"}, id="loading-is-looked-at-in-the-window"),
        pytest.param({"kind": "grant-network"}, id="what-an-agent-asks-for-is-too"),
        pytest.param({"kind": "unload"}, id="so-is-unloading"),
        pytest.param({"kind": ""}, id="unknown-kind"),
        pytest.param({"scopes": ("session", "always")}, id="there-is-no-once"),
        pytest.param({"warning": True}, id="there-is-a-warning"),
        pytest.param({"question": "Allow w\u0435ather to read /a?"}, id="cyrillic-letter"),
        pytest.param({"question": "Allow w\\u{202e} to read /a?"}, id="hidden-character"),
        pytest.param({"question": f"Allow {'w' * 300}?"}, id="too-long-to-be-read"),
        pytest.param({"details": ("x" * 700,)}, id="too-much-to-be-read"),
    ],
)
def test_other_things_cannot_be_allowed_from_a_notification(changes: dict[str, Any]) -> None:
    approval = replace(PLAIN, **changes)
    assert not can_be_allowed(approval)
    assert notice_of(approval).buttons == (Button.DENY, Button.OPEN)


def test_text_that_deceives_is_made_visible() -> None:
    body = notice_of(replace(PLAIN, question="read \u202egnp.exe", details=("a\tb\x1b[2J",))).body
    assert body == "read \\u{202e}gnp.exe\na\\u{9}b\\u{1b}[2J"


def test_many_are_counted_not_shown() -> None:
    waiting = [replace(PLAIN, id=str(number)) for number in range(MOST + 4)]
    found = notices(waiting)
    assert list(found) == [*map(str, range(MOST)), MORE]
    assert found[MORE].body == "4 more requests wait for you."
    assert found[MORE].buttons == (Button.OPEN,)
    assert list(notices(waiting[:MOST])) == [*map(str, range(MOST))]


def test_an_answer_of_the_api_is_read() -> None:
    said = {
        "id": "a1",
        "digest": "0" * 64,
        "kind": "storage",
        "text": "Allow component notes to read /n/a.txt?\n  Tool: “read”\n  Arguments: “{}”",
        "target": {"as_ascii": None},
        "choices": [{"text": "this file", "rule": "fs:///n/a.txt", "warning": None}],
        "default": 0,
        "scopes": ["once", "always"],
    }
    read = Approval.read(said)
    assert read.details == ("Tool: “read”", "Arguments: “{}”")
    assert can_be_allowed(read)
    assert Approval.read(said | {"target": {"as_ascii": "\\u{430}"}}).warning
    assert Approval.read(said | {"choices": [{"warning": "every host below it"}]}).warning


@pytest.mark.desktop
def test_applescript_gets_text_as_text_and_not_as_an_argument() -> None:
    ran: list[tuple[list[str], bytes]] = []

    def run(arguments: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        ran.append((arguments, options["input"]))
        return subprocess.CompletedProcess(arguments, 0)

    by_osascript(run)("Wassette asks", 'read "a" \\" & (do shell script "x")\nnext')
    [(arguments, script)] = ran
    assert arguments == ["/usr/bin/osascript", "-"]
    assert script.decode() == (
        'display notification "read \\"a\\" \\\\\\" & (do shell script \\"x\\") next" '
        'with title "Wassette asks"'
    )


@pytest.mark.desktop
@pytest.mark.anyio
async def test_plain_notifications_show_the_question_only_and_once() -> None:
    said: list[tuple[str, str]] = []
    notifier = PlainNotifier(lambda title, text: said.append((title, text)))
    await notifier.show(notice_of(PLAIN))
    await notifier.show(notice_of(PLAIN))
    assert said == [("Wassette asks", PLAIN.question)]
    await notifier.withdraw(PLAIN.id)
    await notifier.show(Notice(PLAIN.id, "t" * 100, "b" * 1000))
    assert [len(one) for one in said[1]] == [60, 250]


@pytest.mark.anyio
async def test_a_system_without_notifications_is_no_failure() -> None:
    def say(title: str, text: str) -> None:
        raise OSError("no such program")

    await PlainNotifier(say).show(notice_of(PLAIN))
