"""The end of standard input, when requests that came before it have no answer yet."""

from __future__ import annotations

import asyncio
from typing import Any

import mcp_types as types
import pytest
from mcp.shared._context_streams import create_context_streams
from mcp.shared.message import SessionMessage

from wassette.mcp import stdio

pytestmark = pytest.mark.anyio
HANG = 20.0
"""Seconds that only a hang would take."""


def request(number: int) -> SessionMessage:
    return SessionMessage(types.JSONRPCRequest(jsonrpc="2.0", id=number, method="tools/list"))


def answer(number: int) -> SessionMessage:
    return SessionMessage(types.JSONRPCResponse(jsonrpc="2.0", id=number, result={}))


def cancelled(number: Any) -> SessionMessage:
    params = {"requestId": number}
    return SessionMessage(
        types.JSONRPCNotification(jsonrpc="2.0", method="notifications/cancelled", params=params)
    )


async def ended(*sent: SessionMessage, answers: tuple[int, ...] = ()) -> list[Any]:
    """What arrives at the client that sends so much and then nothing; by then, the server has seen
    the end. It answers once it has all requests."""
    from_client, read = create_context_streams[SessionMessage | Exception](100)
    write, to_client = create_context_streams[SessionMessage](100)
    for one in sent:
        await from_client.send(one)
    await from_client.aclose()
    async with (
        asyncio.timeout(HANG),
        read,
        stdio._answering(read, write) as (incoming, outgoing),
    ):
        for _ in sent:
            await incoming.receive()
        for number in answers:
            await asyncio.sleep(0.01)
            await outgoing.send(answer(number))
        async for _ in incoming:
            raise AssertionError("more than was sent")
    await write.aclose()
    async with to_client:
        return [one.message.id async for one in to_client]  # type: ignore[union-attr]


async def test_all_is_answered_before_the_end() -> None:
    assert await ended(request(1), request(2), answers=(2, 1)) == [2, 1]


async def test_nothing_to_wait_for() -> None:
    assert await ended() == []
    assert await ended(request(1), cancelled(1)) == []


async def test_what_is_never_answered_holds_it_back_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stdio, "LAST_ANSWERS", 0.05)
    assert await ended(request(1), request(2), answers=(1,)) == [1]


@pytest.mark.parametrize("wrong", [None, [], {}, {"a": [1]}, 1.5, True, "1", 10**30])
async def test_a_client_that_cancels_what_is_no_request(wrong: Any) -> None:
    """It is the client's own word, and ends nothing but a request of that very id."""
    assert await ended(request(7), cancelled(wrong), answers=(7,)) == [7]
