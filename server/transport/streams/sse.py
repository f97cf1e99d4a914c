"""The stream over server-sent events: handed off where our server allows it, else through sse-starlette, which any ASGI
server can carry."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import AppStatus
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from server.live import messages
from server.live.handoff import Line
from server.live.hub import Hub, OverCap
from server.live.messages import Message
from server.live.stream import Stream
from server.transport.streams.admission import Admission, enrol
from server.transport.streams.framing import EVENTS, RAW_EVENTS
from server.transport.streams.handoff import Connection, connection_of

# The hub says goodbye to every stream itself; the library's own drain would cut them without a word.
AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]

# A screen that follows sends no second request on its connection; the answer is never kept, nor held back by a proxy.
_HEAD = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"connection", b"close"),
    (b"x-accel-buffering", b"no"),
]


class EventStream:
    """A response that follows a view until the reader leaves or the stream ends. It takes its place when it is called."""

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
            # A native EventSource gives up for good on any answer but 200: so tell it, in the stream, to come back.
            await EventSourceResponse(_turned_away(), ping=0)(scope, receive, send)
            return
        connection = connection_of(scope)
        if connection is not None and connection.gives_away:
            await self._hand_off(stream, connection, scope, send)
            return
        try:
            await EventSourceResponse(self._written(stream), ping=0)(scope, receive, send)
        finally:
            self._hub.leave(stream)

    async def _hand_off(self, stream: Stream, connection: Connection, scope: Scope, send: Send) -> None:
        """Write the head, and give the connection to a line, which writes the rest and leaves in the end."""
        handed = False
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(_HEAD)})
            wire = RAW_EVENTS if scope["http_version"] == "1.0" else EVENTS
            handed = connection.hand_over(Line(self._hub.lines, stream, wire))
        finally:
            if not handed:
                self._hub.leave(stream)

    async def _written(self, stream: Stream) -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent(retry=messages.jittered_retry(), sep="\n")
        async for message in self._hub.deliver(stream):
            yield framed(message)


def framed(message: Message) -> ServerSentEvent:
    """Return a message as a server-sent event; a ``bye`` also says when to come back."""
    return ServerSentEvent(message.payload.decode(), event=message.kind, id=message.id, sep="\n")


async def _nothing() -> AsyncIterator[ServerSentEvent]:
    return
    yield  # an empty stream


async def _turned_away() -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(retry=messages.jittered_retry(), sep="\n")
    yield framed(messages.bye("over-cap"))
