"""`wassette approvals`, and asking on a terminal."""

from __future__ import annotations

import os
import re
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from support.approvals import asked, file, network
from support.terminal import Terminal
from wassette.approvals.database import State
from wassette.approvals.files import default_directory
from wassette.approvals.model import Component, EnvironmentAccess, LoadAsked, Scope, Surface
from wassette.approvals.store import Store
from wassette.cli.approval_text import shown_request, wrapped
from wassette.cli.prompt import answer
from wassette.errors import DecisionRefused
from wassette.paths import paths
from wassette.policy import NetworkRule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.cli import Cli, Done
    from wassette.approvals.model import ApprovalRequest

    Inside = Callable[..., Done]


@pytest.fixture
def store(inside: Inside, cli: Cli) -> Iterator[Store]:
    """Of the component directory that `inside` and `cli` use."""
    one = Store(default_directory(cli.components))
    yield one
    one.close()


@pytest.fixture
def tools(loaded: Cli) -> Component:
    """The component that is loaded."""
    return Component("tools", loaded.ok("inspect", "tools", "-o", "json")["digest"][7:])


def add(store: Store, *arguments: Any, **options: Any) -> ApprovalRequest:
    request = asked(*arguments, **options)
    store.add(request)
    return request


def test_nothing_was_ever_asked(inside: Inside, cli: Cli) -> None:
    assert inside("approvals", "list").json == {"approvals": [], "total": 0}
    assert inside("approvals", "list", "-o", "table").out == "Nothing waits for you.\n"
    for command in ("show", "allow", "deny", "revoke"):
        done = inside("approvals", command, "0123456789ab")
        assert done.code == 1
        assert "no approval request '0123456789ab'" in done.err
    assert not paths().state.exists()


def test_list_and_show(inside: Inside, store: Store) -> None:
    request = add(store)
    (one,) = inside("approvals", "list").json["approvals"]
    assert (one["id"], one["state"], one["question"]) == (request.id, "pending", request.question)
    assert one["scopes"] == ["once", "session", "hour", "always"]
    table = inside("approvals", "list", "-o", "table").out
    assert request.id[:12] in table
    assert request.id not in table
    assert "Allow component weather to send GET to api.example.com?" in table
    shown = inside("approvals", "show", request.id[:6])
    assert shown.code == 0
    for line in (*request.text.split("\n"), "* 1. GET to api.example.com (https, port 443)"):
        assert line in shown.out
    full = inside("approvals", "show", request.id, "-o", "json").json
    assert (full["text"], full["digest"]) == (request.text, request.digest)
    assert full["choices"][0]["rule"] == "network GET https://api.example.com"
    assert "text:" in inside("approvals", "show", request.id, "-o", "yaml").out


def test_allow_and_deny(inside: Inside, store: Store) -> None:
    first, second = add(store), add(store, file())
    assert inside("approvals", "allow", first.id[:12], "--yes").json == {
        "status": "allowed",
        "id": first.id,
        "scope": "once",
        "rule": "network GET https://api.example.com",
        "component_id": "weather",
    }
    assert inside("approvals", "deny", second.id[:8]).json == {"status": "denied", "id": second.id}
    for request in (first, second):
        entry = store.get(request.id)
        assert entry.decision is not None
        assert entry.decision.by is Surface.CLI
        again = inside("approvals", "allow", request.id, "--yes")
        assert again.code == 1
        assert "already" in again.err
    assert inside("approvals", "list").json["total"] == 0
    states = {one["id"]: one for one in inside("approvals", "list", "--all").json["approvals"]}
    assert states[first.id]["shown_state"] == "allowed once"
    assert states[second.id]["decision"]["allow"] is False


@pytest.fixture(autouse=True)
def _the_component_is_not_there(request: pytest.FixtureRequest, monkeypatch: Any) -> None:
    """Most tests are about a component of no directory; they ask about its digest as it was."""
    if "tools" not in request.fixturenames:
        from wassette.cli import approvals

        real = approvals._policies
        monkeypatch.setattr(
            approvals, "_policies", lambda settings: (lambda _: "ab" * 32, real(settings)[1])
        )


def test_hour_and_revoke(inside: Inside, store: Store) -> None:
    request = add(store)
    assert inside("approvals", "allow", request.id, "--hour", "--yes").json["scope"] == "hour"
    (one,) = inside("approvals", "list", "--all").json["approvals"]
    assert re.fullmatch(r"allowed for an hour, until 20\d\d-.*", one["shown_state"])
    assert inside("approvals", "revoke", request.id[:12]).json["status"] == "revoked"
    assert store.standing() == []
    done = inside("approvals", "revoke", request.id[:12])
    assert (done.code, "not in force" in done.err) == (1, True)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("4", NetworkRule("*.eu.example.com")),
        ("*.example.com", NetworkRule("*.example.com")),
        (
            "GET,POST https://api.eu.example.com",
            NetworkRule("https://api.eu.example.com", methods=("GET", "POST")),
        ),
    ],
)
def test_another_rule(inside: Inside, store: Store, rule: str, expected: NetworkRule) -> None:
    request = add(store, network("https://api.eu.example.com"))
    assert inside("approvals", "allow", request.id, "--session", "--rule", rule, "--yes").code == 0
    decision = store.get(request.id).decision
    assert decision is not None
    assert (decision.rule, decision.scope) == (expected, Scope.SESSION)


@pytest.mark.parametrize("rule", ["0", "9", "evil.example", "fs:///", "a b", ""])
def test_a_rule_that_is_none(inside: Inside, store: Store, rule: str) -> None:
    request = add(store)
    done = inside("approvals", "allow", request.id, "--rule", rule, "--yes")
    assert done.code == 1
    assert done.err.startswith("Error: ")
    assert store.get(request.id).state is State.PENDING


def test_a_scope_that_is_not_offered(inside: Inside, store: Store) -> None:
    request = add(store, LoadAsked("file:///x.wasm"))
    done = inside("approvals", "allow", request.id, "--always", "--yes")
    assert (done.code, "possible is: once" in done.err) == (1, True)
    assert inside("approvals", "allow", request.id, "--yes").json["rule"] is None


def test_without_a_terminal_it_has_to_be_said(inside: Inside, store: Store) -> None:
    request = add(store)
    done = inside("approvals", "allow", request.id)
    assert done.code == 1
    assert f"wassette approvals show {request.id[:12]}" in done.err
    done = inside("approvals", "allow", request.id[:11], "--yes")
    assert done.code == 1
    assert "at least 12 digits" in done.err
    assert store.get(request.id).state is State.PENDING


def test_requests_of_another_directory_are_not_listed(
    inside: Inside, store: Store, tmp_path: Path
) -> None:
    add(store)
    other = ("--component-dir", str(tmp_path / "other"))
    assert inside("approvals", "list", *other).json["total"] == 0
    assert inside("approvals", "list").json["total"] == 1


def test_always_is_written_to_the_policy(inside: Inside, store: Store, tools: Component) -> None:
    request = add(store, component=tools)
    done = inside("approvals", "allow", request.id, "--always", "--yes")
    assert done.json["scope"] == "always"
    policy = inside("policy", "get", "tools").json
    assert policy["permissions"]["network"] == [
        {"host": "https://api.example.com", "methods": ["GET"]}
    ]


def test_always_for_other_bytes_is_not(inside: Inside, store: Store, tools: Component) -> None:
    for component in (Component("tools", "ff" * 32), Component("gone", "ff" * 32)):
        request = add(store, component=component)
        done = inside("approvals", "allow", request.id, "--always", "--yes")
        assert done.code == 1
        assert "has changed" in done.err
        assert store.get(request.id).state is State.VOID
    assert inside("policy", "get", "tools").json["status"] == "no policy found"


def test_a_host_that_is_gone(inside: Inside, store: Store) -> None:
    request = add(store)
    store.close()
    (one,) = inside("approvals", "list").json["approvals"]
    assert one["state"] == "asked"
    assert one["shown_state"] == "asked before; a decision is for the next call"
    assert one["scopes"] == ["once", "hour", "always"]
    assert inside("approvals", "allow", request.id, "--session", "--yes").code == 1
    assert inside("approvals", "allow", request.id, "--yes").code == 0
    assert store.take_once(asked(call="next")) is not None


# ---- on a terminal -------------------------------------------------------------------------------

posix = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals")


@posix
@pytest.mark.parametrize(
    ("typed", "state"), [("y\n", State.ALLOWED), ("\n", State.PENDING), ("n\n", State.PENDING)]
)
def test_allow_shows_the_very_text_and_asks(
    store: Store, loaded: Cli, tools: Component, typed: str, state: State
) -> None:
    request = add(store, EnvironmentAccess("API_KEY"), component=tools)
    terminal = Terminal(loaded.command("approvals", "allow", request.id[:5]), loaded.environment())
    text = terminal.until("[y/N]")
    for line in request.text.split("\n"):
        assert wrapped(line, 80).replace("\n", "\r\n") in text
    assert "Allows: environment “API_KEY”, once" in text
    terminal.type(typed)
    assert terminal.end() == (0 if state is State.ALLOWED else 130)
    assert store.get(request.id).state is state


PROMPT = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from support.approvals import asked
from wassette.approvals.broker import Approvals
from wassette.approvals.store import Store
from wassette.cli.prompt import TerminalPrompter

async def main():
    approvals = Approvals(Store(Path(sys.argv[2])))
    with approvals.register(TerminalPrompter(approvals.store.now)):
        print("begins", flush=True)
        await asyncio.sleep(0.5)
        decision = await approvals.ask(asked(timeout=float(sys.argv[3])))
        print(f"decided {decision.allow} {decision.scope} {decision.by}", flush=True)
    await approvals.close()
asyncio.run(main())
"""


def prompt(cli: Cli, timeout: float = 60) -> Terminal:
    tests = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    folder = default_directory(cli.components)
    return Terminal(
        [sys.executable, "-c", PROMPT, tests, str(folder), str(timeout)], cli.environment()
    )


@posix
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("y\n", "decided True once terminal"),
        ("s\n", "decided True session terminal"),
        ("h 2\n", "decided True hour terminal"),
        ("h *.example.com\n", "decided True hour terminal"),
        ("n\n", "decided False once terminal"),
        ("\n\nyes\nwhat\nn\n", "decided False once terminal"),
        ("y 9\nn\n", "decided False once terminal"),
        ("\x04", "decided False once None"),
    ],
)
def test_asking_on_a_terminal(inside: Inside, cli: Cli, typed: str, expected: str) -> None:
    terminal = prompt(cli, 1.5 if typed == "\x04" else 60)
    terminal.until("or a rule (a 2)")
    time.sleep(0.1)
    for line in typed.splitlines(keepends=True):
        terminal.type(line)
        time.sleep(0.05)
    terminal.until(expected)
    assert terminal.end() == 0


@posix
def test_what_was_typed_before_the_question_is_no_answer(inside: Inside, cli: Cli) -> None:
    terminal = prompt(cli)
    terminal.until("begins")
    terminal.type("y\ny\n")
    terminal.until("or a rule (a 2)")
    time.sleep(0.5)
    assert "decided" not in terminal.text
    terminal.type("n\n")
    terminal.until("decided False")
    assert terminal.end() == 0


@posix
def test_a_question_that_is_decided_elsewhere_leaves_the_terminal(
    store: Store, inside: Inside, cli: Cli
) -> None:
    terminal = prompt(cli)
    terminal.until("or a rule (a 2)")
    (entry,) = store.entries()
    assert inside("approvals", "allow", entry.request.id, "--yes").code == 0
    terminal.until("This question is over.")
    terminal.until("decided True once cli")
    assert terminal.end() == 0


@pytest.mark.parametrize("line", ["", " ", "yes", "Y", "1", "y1y", "a b\nc", "\x1b[A", "yn", "да"])
def test_what_is_no_answer(line: str) -> None:
    with pytest.raises(DecisionRefused):
        answer(asked(), line, 1)


def test_shown_lines_are_never_longer_than_the_terminal() -> None:
    request = asked(arguments={"text": "x" * 180 + "漢" * 15}, tool="t" * 150)
    for columns in (40, 80, 200):
        text = shown_request(request, columns=columns)
        from wassette.cli.output import columns_of

        assert all(columns_of(line) < columns for line in text.split("\n"))
        assert text.replace("\n      | ", "").startswith(request.text)
