"""What the icon and the menu show of what is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wassette_desktop.icon import FRAMES, SIZES, Look, Picture, draw
from wassette_desktop.state import (
    MAX_LISTED,
    Action,
    Approval,
    Component,
    Do,
    Item,
    State,
    menu,
)

WAITING = Approval("a", "0" * 64, "Allow component weather to read /a?")
IDLE = State(
    connected=True,
    clients=("Claude Code 2.1",),
    components=(Component("weather", True), Component("my_tool", False)),
)


@pytest.mark.parametrize(
    ("state", "look", "summary"),
    [
        (State(), Look.IDLE, "Starting"),
        (IDLE, Look.IDLE, "2 components, 1 client"),
        (replace(IDLE, running=1), Look.RUNNING, "1 call running"),
        (replace(IDLE, paused=True), Look.PAUSED, "Paused: no tool runs"),
        # Who is needed looks there, whatever else is going on.
        (replace(IDLE, running=1, waiting=(WAITING,)), Look.ASKS, "1 approval waiting for you"),
        (
            replace(IDLE, paused=True, waiting=(WAITING,) * 2),
            Look.ASKS,
            "2 approvals waiting for you",
        ),
        (State(problem="the host is gone"), Look.ERROR, "the host is gone"),
    ],
)
def test_look(state: State, look: Look, summary: str) -> None:
    assert (state.look, state.summary) == (look, summary)


def lines(items: tuple[Item, ...]) -> list[Item]:
    return [one for item in items for one in (item, *lines(item.children))]


def line(state: State, label: str, at_login: bool | None = False) -> Item:
    [found] = [one for one in lines(menu(state, at_login)) if one.label == label]
    return found


def test_menu_of_a_host() -> None:
    labels = [one.label for one in lines(menu(IDLE, True)) if not one.separator]
    assert labels == [
        "Open Wassette",
        "Approvals (none waiting)",
        *("Components (2)", "weather", "my_tool", "Show …"),
        *("Clients (1)", "Claude Code 2.1", "Show …"),
        "Pause all",
        "Start at login",
        "Settings",
        "Quit",
    ]


def test_menu_without_a_host_offers_what_works_without_one() -> None:
    found = lines(menu(State(problem="no host"), None))
    assert [one.label for one in found if not one.separator] == [
        "Open Wassette", "no host", "Settings", "Quit",
    ]  # fmt: skip
    assert not line(State(problem="no host"), "no host").enabled


def test_menu_counts_what_waits() -> None:
    assert line(replace(IDLE, waiting=(WAITING,) * 3), "Approvals (3 waiting)").enabled


def test_a_click_on_what_is_on_turns_it_off() -> None:
    assert line(IDLE, "weather").action == Action(Do.DISABLE, "weather")
    assert line(IDLE, "my_tool").action == Action(Do.ENABLE, "my_tool")
    assert line(IDLE, "Pause all").action == Action(Do.PAUSE)
    assert line(replace(IDLE, paused=True), "Pause all").action == Action(Do.GO_ON)
    assert line(replace(IDLE, paused=True), "Pause all").checked is True
    assert line(IDLE, "Start at login", True).action == Action(Do.DO_NOT_START_AT_LOGIN)


def test_menu_lists_no_more_than_fits_and_leads_to_the_rest() -> None:
    many = tuple(Component(f"c{number}", True) for number in range(MAX_LISTED + 5))
    shown = line(replace(IDLE, components=many), f"Components ({MAX_LISTED + 5})")
    assert len([one for one in shown.children if one.checked is not None]) == MAX_LISTED
    assert shown.children[-1].label == "5 more …"
    assert shown.children[-1].action == Action(Do.OPEN, "/components")


def test_a_client_cannot_rewrite_the_menu() -> None:
    hostile = replace(IDLE, clients=("\u202egnp.exe\nQuit",))
    labels = [one.label for one in lines(menu(hostile, None))]
    assert "\\u{202e}gnp.exe\\u{a}Quit" in labels
    assert labels.count("Quit") == 1


@pytest.mark.parametrize("size", SIZES)
def test_every_look_is_another_picture(size: int) -> None:
    pictures = [Picture(look, 1 if look is Look.ASKS else 0) for look in Look]
    pictures += [Picture(Look.ASKS, 2), Picture(Look.RUNNING, 0, 1)]
    drawn = [draw(one, size) for one in pictures]
    assert {one.size for one in drawn} == {(size, size)}
    assert all(one.getchannel("A").getextrema() == (0, 255) for one in drawn)
    # Idle and running begin alike: the reels stand still, or begin to turn.
    assert len({one.tobytes() for one in drawn}) == len(pictures) - 1


def test_reels_turn_and_come_round() -> None:
    frames = [draw(Picture(Look.RUNNING, 0, frame), 32).tobytes() for frame in range(FRAMES + 1)]
    assert len(set(frames)) == FRAMES
    assert frames[0] == frames[FRAMES]


def test_the_needed_look_is_amber_and_not_by_colour_alone() -> None:
    red, green, blue, alpha = draw(Picture(Look.ASKS, 0), 48).getpixel((36, 12))  # type: ignore[misc]
    assert (alpha, red > 200, 120 < green < 200, blue < 80) == (255, True, True, True)
    # Around the dot the cassette is cut away, so that it is a shape as well.
    assert draw(Picture(Look.ASKS, 0), 48).getpixel((36, 25))[3] == 0  # type: ignore[index]
