"""The time limit of requests, and the headers that are refused first."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.transport.http.metrics import Metrics
from server.transport.http.middleware import MAX_HEADER_BYTES, RequestContext, SoundHeaders, TimeLimit

SECONDS = 0.05


async def asked(app: ASGIApp, path: str = "/api/x", kind: str = "http", headers: Any = (), **more: Any) -> list[Message]:
    """Return the messages that an application sends."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": kind, "method": "GET", "path": path, "query_string": b"", "headers": list(headers), **more}
    await app(scope, receive, send)
    return sent


def answering(before: float = 0, after: float = 0) -> ASGIApp:
    """Return an application that waits before and after the begin of its answer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(before)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(after)
        await send({"type": "http.response.body", "body": b"done"})

    return app


async def test_answer_in_time_is_sent() -> None:
    sent = await asked(TimeLimit(answering(), SECONDS))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


async def test_late_answer_is_cut() -> None:
    sent = await asked(TimeLimit(answering(before=5), SECONDS), command_id="k-1")
    assert sent[0]["status"] == 503
    error = json.loads(sent[1]["body"])["error"]
    assert error["code"] == "took_too_long"
    assert error["details"] == {"seconds": SECONDS, "command_id": "k-1"}
    assert (b"retry-after", b"2") in sent[0]["headers"]


async def test_answer_that_has_begun_is_not_cut() -> None:
    sent = await asked(TimeLimit(answering(after=SECONDS * 3), SECONDS))
    assert sent[-1]["body"] == b"done"


async def test_streams_are_not_cut() -> None:
    sent = await asked(TimeLimit(answering(before=SECONDS * 3), SECONDS), path="/live/tickets/x")
    assert sent[-1]["body"] == b"done"


async def test_late_answer_to_the_report_of_a_screen_is_cut() -> None:
    sent = await asked(TimeLimit(answering(before=5), SECONDS), path="/live/tickets/x/disagreement", method="POST")
    assert sent[0]["status"] == 503


async def test_timeout_of_the_application_is_not_answered_as_a_cut() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise TimeoutError("of something else")

    with pytest.raises(TimeoutError, match="of something else"):
        await asked(TimeLimit(app, 5))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"host", b"x"), (b"x-anything", b"\xff\x00")], 200),
        ([(b"accept", b"a"), (b"accept", b"b"), (b"cookie", b"a=1"), (b"cookie", b"b=2")], 200),
        ([(b"x-long", b"x" * (MAX_HEADER_BYTES - 6))], 200),
        ([(b"x-long", b"x" * (MAX_HEADER_BYTES - 5))], 431),
        ([(b"x-%d" % each, b"x" * 100) for each in range(200)], 431),
        ([(b"host", b"x"), (b"host", b"x")], 400),
        ([(b"origin", b"a"), (b"origin", b"b")], 400),
        ([(b"content-type", b"a"), (b"content-type", b"b")], 400),
        ([(b"x-api-version", b"1"), (b"x-api-version", b"1")], 400),
        ([(b"host", b"caf\xe9")], 400),
        *(
            ([(b"host", host)], 400)
            for host in (b"[", b"]", b"[::1", b"x:y", b"a@b", b"a b", b"a/b", b"x:123456", b"x" * 300)
        ),
        ([(b"host", b"x" * 254)], 400),
        *(([(b"host", host)], 200) for host in (b"", b"x", b"a-b.example:8443", b"127.0.0.1:1", b"[::1]:80", b"a_b")),
        ([(b"x-http-method-override", b"")], 400),
    ],
)
@pytest.mark.parametrize("kind", ["http"])
async def test_ambiguous_headers_are_refused(kind: str, headers: list[tuple[bytes, bytes]], status: int) -> None:
    sent = await asked(SoundHeaders(answering()), kind=kind, headers=headers)
    assert sent[0]["status"] == status


async def test_refusal_names_the_header_and_not_its_value() -> None:
    sent = await asked(SoundHeaders(answering()), headers=[(b"authorization", b"Bearer s\xe9cret")] * 2)
    error = json.loads(sent[1]["body"])["error"]
    assert (error["code"], error["details"]["header"]) == ("bad_header", "Authorization")
    assert "cret" not in sent[1]["body"].decode()


class Seen:
    """The metrics, of which the middleware needs one."""

    def __init__(self) -> None:
        self.requests = self.slow_requests = self
        self.statuses: list[str] = []
        self.slow = 0

    def observe(self, _route: str, _method: str, status: str, _seconds: float) -> None:
        self.statuses.append(status)

    def labels(self, _route: str) -> Seen:
        return self

    def inc(self) -> None:
        self.slow += 1


def failing(error: Exception, begun: bool = False) -> ASGIApp:
    """Return an application that fails before or after the begin of its answer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    return app


async def test_unexpected_error_is_answered_whole() -> None:
    """The error does not reach the server, which would close the connection."""
    seen = Seen()
    sent = await asked(RequestContext(failing(RuntimeError("inside")), cast(Metrics, seen)))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert (sent[0]["status"], seen.statuses) == (500, ["500"])
    assert {name for name, _ in sent[0]["headers"]} >= {b"content-length", b"x-request-id", b"x-content-type-options"}
    assert json.loads(sent[1]["body"])["error"]["code"] == "internal_error"


async def test_answer_that_has_begun_is_not_completed_after_an_error() -> None:
    with pytest.raises(RuntimeError):
        await asked(RequestContext(failing(RuntimeError("inside"), begun=True), cast(Metrics, Seen())))


async def test_client_that_hangs_up_is_no_error() -> None:
    seen = Seen()
    assert await asked(RequestContext(failing(ClientDisconnect()), cast(Metrics, seen))) == []
    assert seen.statuses == ["499"]


@pytest.mark.parametrize(
    ("before", "after", "slow"),
    [(0.9, 0.0, 0), (1.1, 0.0, 1), (0.0, 60.0, 0)],  # the last one: a client that reads slowly
)
async def test_request_is_slow_by_the_begin_of_its_answer(
    monkeypatch: pytest.MonkeyPatch, before: float, after: float, slow: int
) -> None:
    now, seen = 100.0, Seen()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal now
        now += before
        await send({"type": "http.response.start", "status": 200, "headers": []})
        now += after
        await send({"type": "http.response.body", "body": b""})

    monkeypatch.setattr("server.transport.http.middleware.time.perf_counter", lambda: now)
    await asked(RequestContext(app, cast(Metrics, seen), slow_seconds=1.0))
    assert (seen.slow, seen.statuses) == (slow, ["200"])
