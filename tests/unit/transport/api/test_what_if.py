"""The work of a request ends when its client leaves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from server.transport.api.what_if import unless_gone


def request_of(*messages: str) -> Request:
    """Return a request whose client sends these messages, and then nothing."""
    coming = iter(messages)

    async def receive() -> dict[str, Any]:
        for each in coming:
            return {"type": each, "body": b"", "more_body": False}
        await asyncio.sleep(3600)
        raise AssertionError("nobody waits so long")

    return Request({"type": "http", "method": "GET", "path": "/", "headers": []}, receive)


async def test_work_of_a_client_that_stays_is_returned() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    assert await unless_gone(request_of("http.request"), work()) == 7


async def test_work_is_cancelled_when_the_client_leaves() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    with pytest.raises(ClientDisconnect):
        await unless_gone(request_of("http.request", "http.disconnect"), work())
    assert ended.is_set()


async def test_error_of_the_work_is_raised() -> None:
    async def work() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError):
        await unless_gone(request_of("http.request"), work())


async def test_cancelled_request_cancels_its_work() -> None:
    """As at the end of the server, or after the time limit of requests."""
    ended, begun = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    task = asyncio.create_task(unless_gone(request_of("http.request"), work()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
