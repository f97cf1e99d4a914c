"""The stream over server-sent events: handed off under our own server, else through sse-starlette on any ASGI server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import AppStatus
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from server.live import messages
from server.live.admission import OverCap
from server.live.handoff import HandedOffConnection
from server.live.hub import Hub
from server.live.messages import Message
from server.live.stream import Stream
from server.transport.streams.admission import Admission, enrol
from server.transport.streams.framing import EVENTS, RAW_EVENTS
from server.transport.streams.handoff import Connection, connection_of

# The hub ends every stream with a ``bye``; the library's own drain would close them without one.
AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]

# The connection carries no second request. No cache may keep the answer, and no proxy may buffer it.
_HEAD = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"connection", b"close"),
    (b"x-accel-buffering", b"no"),
]


class EventStream:
    """A response that follows a view until the reader leaves or the stream ends. The stream opens when it is called."""

    def __init__(self, request: Request, hub: Hub, admission: Admission) -> None:
        self._request = request
        self._hub = hub
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            await EventSourceResponse(_nothing(), ping=0)(scope, receive, send)
            return
        try:
            stream = await enrol(self._request, self._hub, self._admission, "events")
        except OverCap:
            # A native EventSource gives up for good on any answer but 200: the stream itself says when to come back.
            await EventSourceResponse(_over_cap(), ping=0)(scope, receive, send)
            return
        connection = connection_of(scope)
        if connection is not None and connection.can_hand_over:
            await self._hand_off(stream, connection, scope, send)
            return
        try:
            await EventSourceResponse(self._events(stream), ping=0)(scope, receive, send)
        finally:
            self._hub.leave(stream)

    async def _hand_off(self, stream: Stream, connection: Connection, scope: Scope, send: Send) -> None:
        """Hand over the connection with the answer's head: it writes the rest too, and leaves the hub when it is lost."""
        handed = False
        try:
            await connection.start(partial(send, {"type": "http.response.start", "status": 200, "headers": list(_HEAD)}))
            framing = RAW_EVENTS if scope["http_version"] == "1.0" else EVENTS
            handed = connection.hand_over(HandedOffConnection(self._hub.handed_off, stream, framing))
        finally:
            if not handed:
                self._hub.leave(stream)

    async def _events(self, stream: Stream) -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent(retry=messages.jittered_retry(), sep="\n")
        async for message in self._hub.deliver(stream):
            yield framed(message)


def framed(message: Message) -> ServerSentEvent:
    """Return a message as a server-sent event."""
    return ServerSentEvent(message.payload.decode(), event=message.kind, id=message.id, sep="\n")


async def _nothing() -> AsyncIterator[ServerSentEvent]:
    return
    yield  # an empty stream


async def _over_cap() -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(retry=messages.jittered_retry(), sep="\n")
    yield framed(messages.bye("over-cap"))
