"""Attacks on approvals. Each has a name; in all of them nothing is allowed that no person allowed,
and what a person is shown is what it is."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from support.approvals import NOTES, WEATHER, asked, client, file, network, shown, until
from wassette.approvals.broker import Approvals, Limits
from wassette.approvals.compose import compose
from wassette.approvals.database import State
from wassette.approvals.model import (
    ApprovalRequest,
    Client,
    Component,
    Decision,
    EnvironmentAccess,
    LoadAsked,
    PermissionAsked,
    Scope,
    Surface,
    allowed,
    denied,
)
from wassette.approvals.overlay import NOTHING
from wassette.approvals.store import Store
from wassette.approvals.write import write_rule
from wassette.cli.approval_text import shown_request
from wassette.errors import (
    ApprovalError,
    ApprovalNotFound,
    ApprovalOver,
    DecisionRefused,
    NotAskable,
)
from wassette.policy import Access, NetworkRule, PolicyStore, StorageRule

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from wassette.approvals.model import Rule

pytestmark = pytest.mark.anyio
posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes")


@pytest.fixture
async def approvals(tmp_path: Path) -> AsyncIterator[Approvals]:
    one = Approvals(Store(tmp_path / "approvals"))
    await one.start()
    yield one
    await one.close()


def ask(approvals: Approvals, *arguments: Any, **options: Any) -> asyncio.Task[Decision]:
    return asyncio.create_task(approvals.ask(asked(*arguments, **options)))


def yes(request: ApprovalRequest, **options: Any) -> Decision:
    return allowed(request, Surface.WEB, request.created, **options)


# ---- decisions -----------------------------------------------------------------------------------


async def test_replay_of_a_decision(approvals: Approvals) -> None:
    """The decision that allowed it once is sent again, for itself and for the next question."""
    first = ask(approvals)
    (request,) = await shown(approvals)
    decision = yes(request)
    await approvals.decide(request.id, decision)
    await first
    approvals.end_call("call-1")
    second = ask(approvals)
    (again,) = await shown(approvals)
    with pytest.raises(ApprovalOver):
        await approvals.decide(request.id, decision)
    with pytest.raises(DecisionRefused):
        await approvals.decide(again.id, decision)
    assert not second.done()
    second.cancel()


async def test_digest_swap(approvals: Approvals) -> None:
    """A person sees a harmless question; the decision is sent to another one."""
    waiting = [ask(approvals), ask(approvals, EnvironmentAccess("AWS_SECRET_ACCESS_KEY"))]
    harmless, wanted = await shown(approvals, 2)
    if harmless.subject.kind != "network":
        harmless, wanted = wanted, harmless
    with pytest.raises(DecisionRefused):
        await approvals.decide(wanted.id, yes(harmless))
    with pytest.raises(DecisionRefused):
        await approvals.decide(wanted.id, replace(yes(wanted), digest=harmless.digest))
    assert not any(one.done() for one in waiting)
    for one in waiting:
        one.cancel()


async def test_guessing_ids(approvals: Approvals) -> None:
    """An id can be computed from everything but the nonce, which nobody was told."""
    waiting = ask(approvals)
    (request,) = await shown(approvals)
    for guess in range(1000):
        same = replace(request, nonce=f"{guess:032x}")
        with pytest.raises(ApprovalError):
            await approvals.decide(same.id, yes(same))
    assert not waiting.done()
    assert len({asked().id for _ in range(1000)}) == 1000
    waiting.cancel()


async def test_a_prefix_that_meant_something_else_before(approvals: Approvals) -> None:
    """A question is withdrawn after it was listed; its id must not come to mean another one."""
    waiting = ask(approvals)
    (request,) = await shown(approvals)
    waiting.cancel()
    await until(lambda: approvals.store.get(request.id).state is State.WITHDRAWN)
    other = ask(approvals, EnvironmentAccess("TOKEN"))
    await shown(approvals)
    for length in range(4, 21):
        try:
            found = approvals.store.find(request.id[:length])
        except ApprovalNotFound:
            continue  # two that begin alike
        assert found.request == request
    other.cancel()


async def test_expired_then_allowed(approvals: Approvals) -> None:
    """The answer comes after the time is over."""
    request = asked(timeout=0.05)
    assert not (await approvals.ask(request)).allow
    with pytest.raises(ApprovalOver):
        await approvals.decide(request.id, yes(request, scope=Scope.HOUR))
    assert approvals.overlay.rules(WEATHER, "session-1", "call-1") is NOTHING


async def test_a_client_that_answers_for_the_person(approvals: Approvals) -> None:
    """A client's own dialog sends a rule that was not offered to the person."""
    waiting = ask(approvals)
    (request,) = await shown(approvals)
    for rule in (NetworkRule("*"), NetworkRule("*.com"), NetworkRule("api.example.com:443")):
        decision = allowed(request, Surface.ELICITATION, request.created, rule=rule)
        with pytest.raises(DecisionRefused, match="offered"):
            await approvals.decide(request.id, decision)
    assert not waiting.done()
    waiting.cancel()


async def test_a_rule_of_another_kind(approvals: Approvals) -> None:
    """A question about a host is answered with a rule about files."""
    waiting = ask(approvals)
    (request,) = await shown(approvals)
    rules: list[Rule | None] = [StorageRule("fs:///etc/**", frozenset(Access)), None]
    for rule in rules:
        with pytest.raises(DecisionRefused):
            await approvals.decide(request.id, replace(yes(request), rule=rule))
    waiting.cancel()


async def test_a_deny_that_cannot_be_talked_over(approvals: Approvals) -> None:
    """Asking again and again until somebody clicks: after the second no nobody is asked."""
    prompted = 0
    for number in range(50):
        waiting = ask(approvals, file(f"/srv/app/{number}"), call=f"call-{number}")
        await asyncio.wait(
            [waiting, asyncio.create_task(until(approvals.pending))],
            return_when=asyncio.FIRST_COMPLETED,
        )
        for request in approvals.pending():
            prompted += 1
            await approvals.decide(request.id, denied(request, Surface.WEB, 1))
        assert not (await waiting).allow
    assert prompted == 2


async def test_flooding(tmp_path: Path) -> None:
    """One component fills the queue; others can still ask."""
    approvals = Approvals(Store(tmp_path / "approvals"), limits=Limits(per_component=20))
    flood = [
        ask(approvals, file(f"/srv/app/{number}"), session=f"s{number}") for number in range(500)
    ]
    await until(lambda: sum(one.done() for one in flood) == 480)
    assert not any(one.result().allow for one in flood if one.done())
    honest = ask(approvals, component=NOTES)
    await shown(approvals, 21)
    (request,) = [one for one in approvals.pending() if one.component == NOTES]
    await approvals.decide(request.id, yes(request))
    assert (await honest).allow
    await approvals.close()


async def test_a_front_end_that_is_never_there(approvals: Approvals) -> None:
    """Nobody answers, and the front end dies: that is no yes."""

    class Dying:
        at_once = 1

        def wants(self, request: ApprovalRequest) -> bool:
            return True

        async def prompt(self, request: ApprovalRequest) -> Decision | None:
            raise SystemError("gone")

    with approvals.register(Dying()):
        assert not (await approvals.ask(asked(timeout=0.2))).allow


# ---- changed components --------------------------------------------------------------------------


async def test_allow_races_a_changed_component(tmp_path: Path) -> None:
    """`always` is clicked while the component is exchanged: the rule never goes to other bytes."""
    for turn in range(30):
        folder = tmp_path / str(turn)
        folder.mkdir()
        policies = PolicyStore(folder)
        now = {"weather": WEATHER.digest}
        order: list[str] = []

        def write(
            request: ApprovalRequest,
            rule: Rule,
            policies: PolicyStore = policies,
            now: dict[str, str] = now,
            order: list[str] = order,
        ) -> None:
            write_rule(policies, request, rule, current=now.get, protected=[])
            order.append("written")

        def exchange(
            policies: PolicyStore = policies, now: dict[str, str] = now, order: list[str] = order
        ) -> None:
            # As loading does it, under the same lock.
            with policies._locked():
                order.append("exchanged")
                now["weather"] = "ff" * 32

        store = Store(folder / "approvals")
        request = asked()
        store.add(request)
        other = threading.Thread(target=exchange)
        other.start()
        try:
            store.decide(request.id, yes(request, scope=Scope.ALWAYS), current=now.get, write=write)
        except ApprovalOver:
            assert not policies.path("weather").exists()
            assert order == ["exchanged"]
        else:
            # Loading goes on with a policy for the bytes that it was given to, as it was.
            assert "written" in order
        other.join()
        store.close()


async def test_an_hour_for_other_bytes(approvals: Approvals) -> None:
    """A component that was allowed something is exchanged for another one with its id."""
    waiting = ask(approvals)
    (request,) = await shown(approvals)
    await approvals.decide(request.id, yes(request, scope=Scope.HOUR))
    await waiting
    other = Component(WEATHER.id, "ff" * 32)
    assert approvals.overlay.rules(other, "session-1", "call-1") == NOTHING
    again = ask(approvals, component=other)
    await shown(approvals)
    assert not again.done()
    again.cancel()


async def test_changed_arguments(approvals: Approvals) -> None:
    """Allowed for the next such call after a restart; the call comes with other arguments."""
    waiting = ask(approvals, arguments={"city": "Bonn"})
    (request,) = await shown(approvals)
    await approvals.close()
    await waiting
    after = Approvals(Store(approvals.store.directory))
    await after.start()
    await after.decide(request.id, yes(request))
    other = ask(after, arguments={"city": "Bonn; and send me everything"})
    await shown(after)
    assert not other.done()
    await after.close()


# ---- text ----------------------------------------------------------------------------------------

IMITATIONS = {
    "bidi override": "\u202egpj.exe",
    "bidi isolate": "a\u2066b\u2069",
    "zero width": "pay\u200bpal\u200d\ufeff",
    "TAG characters": "harmless" + "".join(chr(0xE0000 + ord(c)) for c in "allow all"),
    "variation selectors": "a" + "".join(chr(0xE0100 + n) for n in range(8)) + "\ufe0f",
    "line that imitates the dialog": "x\nAllow component trusted to send GET to example.com?",
    "carriage return": "x\rAllow component trusted",
    "unicode line ends": "a\u2028Component: trusted\u2029b\x85c\x0bd\x0ce",
    "terminal escapes": "\x1b[2J\x1b[1;1HAllowed already\x1b]0;title\x07",
    "C1 controls": "\x9b2J\x90",
    "quote that ends the quotation": "x” allowed by the administrator “",
    "padding to the next line": "x" + " " * 200 + "Component: trusted",
    "wide blanks": "x\u3000\u2003\u00a0\u2800\u3164Component: trusted",
    "soft hyphen and joiners": "ad\u00admin\u034f\u180e",
    "lone surrogates": "a\ud83db",
    "noncharacters and private use": "\uffff\ue000\U0010ffff",
    "backspaces": "evil\x08\x08\x08\x08good",
    "NUL": "a\0b",
}
HIDDEN = {
    chr(code)
    for first, last in (
        (0, 0x1F),
        (0x7F, 0xA0),
        (0xAD, 0xAD),
        (0x2000, 0x200F),
        (0x2028, 0x202F),
        (0x205F, 0x206F),
        (0x3000, 0x3000),
        (0xD800, 0xF8FF),
        (0xFE00, 0xFE0F),
        (0xFEFF, 0xFEFF),
        (0xFFFF, 0xFFFF),
        (0xE0000, 0xE01EF),
    )
    for code in range(first, last + 1)
} | set("\u034f\u180e\u2800\u3164\U0010ffff")


def honest(request: ApprovalRequest) -> None:
    """What is shown is our lines, one for each thing, and nothing that is not seen."""
    lines = request.text.split("\n")
    assert lines[0].startswith(("Allow component ", "Give component ", "Load a component "))
    labels = [line.partition(":")[0] for line in lines[1:]]
    assert set(labels) <= {
        "  Request",
        "  In other letters",
        "  Not ASCII",
        "  Bytes",
        "  For",
        "  Component",
        "  Careful",
        "  Tool",
        "  Arguments",
        "  Asked by",
        "  Note",
    }
    assert len([one for one in labels if one not in ("  Note", "  Not ASCII")]) == len(
        {one for one in labels if one not in ("  Note", "  Not ASCII")}
    )
    everything = [
        request.text,
        request.tool,
        request.arguments,
        request.client.name,
        request.client.version,
        request.client.transport,
        *(choice.text for choice in request.choices),
        *(choice.warning for choice in request.choices),
    ]
    for text in everything:
        assert HIDDEN.isdisjoint(text.replace("\n", "") if text is request.text else text)
        assert "   " not in text
        assert text.count("“") == text.count("”")


@pytest.mark.parametrize("text", IMITATIONS.values(), ids=IMITATIONS)
@pytest.mark.parametrize(
    "where", ["tool", "argument", "key", "client", "note", "path", "variable", "reference", "rule"]
)
def test_imitation_in_what_is_shown(where: str, text: str) -> None:
    """Text of every kind that a component, a client or an agent chooses."""
    options: dict[str, Any] = {"tool": "t", "arguments": {"a": 1}}
    who, subject, component = client(), network(), WEATHER
    changed: Any = subject
    match where:
        case "tool":
            options["tool"] = text
        case "argument":
            options["arguments"] = {"a": [{"b": text}]}
        case "key":
            options["arguments"] = {text: 1}
        case "client":
            who = Client(text, text, text, "session-1")
        case "note":
            options["notes"] = [text, text]
        case "path":
            changed = file(f"/srv/app/{text}")
        case "variable":
            changed = EnvironmentAccess(text)
        case "reference":
            changed = LoadAsked(text)
        case "rule":
            changed = PermissionAsked(StorageRule(f"fs:///srv/{text}", frozenset(Access)))
    about = None if where == "reference" else component
    refusal = ""
    try:
        request = compose(changed, about, who, call="c", **options)
    except NotAskable as error:
        refusal = str(error)
    assert HIDDEN.isdisjoint(refusal)
    if refusal:
        return
    honest(request)
    for line in shown_request(request, columns=60).split("\n"):
        assert len(line) < 60


def test_a_description_that_imitates_the_dialog() -> None:
    """A component's words about itself are quoted, cut and on one line."""
    fake = asked().text + "\n\nWassette: this was checked and is safe. Press y."
    request = asked(LoadAsked("file:///x.wasm"), notes=[fake, "y" * 100_000])
    honest(request)
    notes = [line for line in request.text.split("\n") if line.startswith("  Note: ")]
    assert len(notes) == 2
    assert all(note.startswith("  Note: “") and note.endswith(("”", ")”")) for note in notes)
    assert len(request.text) < 5000


def test_an_argument_that_imitates_a_line_of_its_own() -> None:
    """Exactly as long as the terminal is wide, so that the rest begins a line there."""
    for columns in range(40, 120):
        room = "x" * (columns - len('  Arguments: “{"a": "') - 1)
        request = asked(arguments={"a": room + "Component: trusted, sha256 0"})
        lines = shown_request(request, columns=columns).split("\n")
        assert not any(line.startswith("Component: trusted") for line in lines)


def test_many_notes_do_not_push_the_question_away() -> None:
    request = asked(notes=[f"note {number}" for number in range(10_000)])
    assert request.text.count("\n") < 40
    assert request.text.startswith("Allow component")


def test_a_long_path_does_not_hide_its_end() -> None:
    """What is decided about is seen to its end, or nobody is asked."""
    for length in (100, 900, 1000, 4000):
        name = "a/" * (length // 2) + "etc/shadow"
        try:
            request = asked(file(f"/srv/{name}"))
        except NotAskable:
            assert length >= 900
            continue
        assert "etc/shadow”?" in request.question


def test_letters_that_look_like_others() -> None:
    """Cyrillic in a path or a name of a host."""
    request = asked(file("/srv/n\u043etes/p\u0430ss.txt"))
    assert "  Not ASCII: “/srv/n\\u{43e}tes/p\\u{430}ss.txt”" in request.text
    request = asked(network("https://\u0440\u0430ypal.com/"))
    assert "xn--ypal-43d9g.com" in request.question
    assert "\u0440\u0430ypal" not in request.question
    assert "In other letters" in request.text


def test_an_id_that_looks_like_another() -> None:
    request = asked(component=replace(WEATHER, id="vveather"), other_ids=["weather", "notes"])
    assert "Careful: vveather is not weather, which looks like it" in request.text


def test_a_file_whose_name_is_a_pattern() -> None:
    """`this file only` must not be a rule for all of them."""
    for name in ("*", "?", "*.md", "a*"):
        request = asked(file(f"/srv/app/{name}"))
        assert not any("only" in choice.text for choice in request.choices)
    for path in ("/srv/*/x", "/srv/**/x", "/s?v/a/x"):
        with pytest.raises(NotAskable):
            asked(file(path))


def test_secrets_are_not_shown() -> None:
    request = asked(
        arguments={
            "url": "https://me:hunter2@example.com/?token=hunter2",
            "headers": {"Authorization": "Bearer hunter2", "X-Api-Key": "hunter2"},
            "text": "the key is s3cr3t-value",
        },
        secret_values=["s3cr3t-value"],
    )
    assert "hunter2" not in str(request)
    assert "s3cr3t-value" not in str(request)


# ---- the file ------------------------------------------------------------------------------------


async def is_denied(directory: Path, reason: str) -> None:
    """Nothing is allowed with this file, no call fails over it, and it says why."""
    approvals = Approvals(Store(directory))
    await approvals.start()
    decision = await approvals.ask(asked())
    assert not decision.allow
    assert reason in decision.reason, decision.reason
    assert approvals.overlay.rules(WEATHER, "session-1", "call-1") == NOTHING
    assert approvals.pending() == []
    await approvals.component_changed("weather", "ff" * 32)
    await approvals.end_session("session-1")
    await approvals.close()


def planted(directory: Path) -> None:
    """A file that allows everything for an hour."""
    store = Store(directory)
    request = asked()
    store.add(request)
    store.decide(request.id, yes(request, scope=Scope.HOUR))
    store.close()


@posix
async def test_database_that_is_a_link(tmp_path: Path) -> None:
    """To a file that somebody else writes."""
    planted(tmp_path / "planted")
    (tmp_path / "mine").mkdir(mode=0o700)
    (tmp_path / "mine" / "approvals.db").symlink_to(tmp_path / "planted" / "approvals.db")
    await is_denied(tmp_path / "mine", "not an ordinary file")


@posix
async def test_database_with_a_second_name(tmp_path: Path) -> None:
    planted(tmp_path / "planted")
    (tmp_path / "mine").mkdir(mode=0o700)
    (tmp_path / "mine" / "approvals.db").hardlink_to(tmp_path / "planted" / "approvals.db")
    await is_denied(tmp_path / "mine", "second name")


@posix
async def test_directory_that_is_a_link(tmp_path: Path) -> None:
    planted(tmp_path / "planted")
    (tmp_path / "mine").symlink_to(tmp_path / "planted")
    await is_denied(tmp_path / "mine", "not a directory")


@posix
@pytest.mark.parametrize("name", [".", "approvals.db"])
async def test_what_others_can_write(tmp_path: Path, name: str) -> None:
    planted(tmp_path)
    (tmp_path / name).chmod(0o777 if name == "." else 0o666)
    await is_denied(tmp_path, "can be used by other users")


@posix
@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("name", [".", "approvals.db"])
async def test_database_of_another_user(tmp_path: Path, name: str) -> None:
    planted(tmp_path)
    os.chown(tmp_path / name, 12345, -1)
    await is_denied(tmp_path, "belongs to another user")


@posix
async def test_journal_that_is_planted(tmp_path: Path) -> None:
    """SQLite would play it back."""
    planted(tmp_path)
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / "approvals.db-wal").symlink_to(tmp_path / "elsewhere")
    await is_denied(tmp_path, "not an ordinary file")


@pytest.mark.parametrize(
    "damage",
    ["not a database", "cut short", "zeroed", "tables are gone", "another table", "a directory"],
)
async def test_corrupt_database(tmp_path: Path, damage: str) -> None:
    planted(tmp_path)
    database = tmp_path / "approvals.db"
    for journal in tmp_path.glob("approvals.db-*"):
        journal.unlink()
    data = database.read_bytes()
    match damage:
        case "not a database":
            database.write_bytes(b"hello" * 1000)
        case "cut short":
            database.write_bytes(data[: len(data) // 2])
        case "zeroed":
            database.write_bytes(data[:100] + bytes(len(data) - 100))
        case "a directory":
            database.unlink()
            database.mkdir()
        case _:
            connection = sqlite3.connect(database)
            connection.execute("DROP TABLE standing")
            if damage == "another table":
                connection.execute("CREATE TABLE standing (id TEXT)")
            connection.commit()
            connection.close()
    await is_denied(tmp_path, "")


async def test_database_that_breaks_while_a_call_waits(approvals: Approvals) -> None:
    waiting = ask(approvals, timeout=1.0)
    (request,) = await shown(approvals)
    for path in approvals.store.directory.glob("approvals.db*"):
        path.write_bytes(b"\xff" * 8192)
    with pytest.raises(Exception, match="approv"):
        await approvals.decide(request.id, yes(request))
    assert not (await waiting).allow


@posix
@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="root can write everywhere")
async def test_directory_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        await is_denied(tmp_path / "approvals", "cannot")
    finally:
        tmp_path.chmod(0o700)


async def test_a_place_that_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    await is_denied(tmp_path / "file" / "approvals", "cannot be kept")


def test_a_row_that_says_it_was_allowed(tmp_path: Path) -> None:
    """Whoever can write the file can do that, so nobody else may; but a row that does not fit its
    digest is none, and a decision about another digest is none."""
    store = Store(tmp_path)
    harmless, wanted = asked(), asked(EnvironmentAccess("TOKEN"))
    store.add(harmless)
    store.add(wanted)
    store.decide(harmless.id, yes(harmless))
    store.close()
    connection = sqlite3.connect(store.database)
    with connection:
        connection.execute(
            "UPDATE requests SET state = 'allowed', decision = (SELECT decision FROM requests"
            " WHERE id = ?) WHERE id = ?",
            (harmless.id, wanted.id),
        )
    connection.close()
    entry = store.decided([wanted.id])[wanted.id]
    assert entry.decision is not None
    assert entry.decision.digest != wanted.digest  # which the host refuses
    store.close()
