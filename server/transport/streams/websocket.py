"""The stream over WebSocket: one JSON text frame for each message. Handed off under our own server, else through Starlette
on any ASGI server.

Close codes 3000 to 3499 mean "come back", 3500 to 3999 "do not".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import orjson
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from server.domain.errors import InvalidField, NotAllowed, NotFound, NotSignedIn, Unavailable
from server.live.admission import OverCap
from server.live.handoff import HandedOffConnection
from server.live.hub import Hub
from server.live.messages import Message
from server.live.stream import Stream
from server.transport.streams.admission import Admission, enrol
from server.transport.streams.feedback import Feedback, InvalidFeedback
from server.transport.streams.framing import CLOSE_BAD_REQUEST, CLOSE_NOT_ALLOWED, CLOSE_UNAVAILABLE, FRAMES, close_code
from server.transport.streams.handoff import connection_of


async def follow(socket: WebSocket, hub: Hub, admit: Callable[[], Awaitable[Admission]]) -> None:
    """Serve one WebSocket: admit it, write the view's messages, and receive the screen's feedback."""
    try:
        admission = await admit()
        stream = await enrol(socket, hub, admission, "websocket")
    except OverCap:
        await socket.send_denial_response(Response("Too many streams", 503, {"Retry-After": "5"}))
        return
    except (NotSignedIn, NotAllowed, NotFound) as error:
        await socket.accept()
        await socket.close(CLOSE_NOT_ALLOWED, error.code)
        return
    except InvalidField as error:
        await socket.accept()
        await socket.close(CLOSE_BAD_REQUEST, error.code)
        return
    except Unavailable as error:
        await socket.accept()
        await socket.close(CLOSE_UNAVAILABLE, error.code)
        return
    handed = False
    try:
        connection = connection_of(socket.scope)
        if connection is not None and connection.can_hand_over:
            await connection.start(socket.accept)
            handed = connection.hand_over(HandedOffConnection(hub.handed_off, stream, FRAMES, hub))
            return
        await socket.accept()
        writer = asyncio.create_task(_write(socket, hub, stream))
        reader = asyncio.create_task(_read(socket, Feedback(hub, stream)))
        try:
            await asyncio.wait((writer, reader), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writer, reader):
                task.cancel()
            await asyncio.gather(writer, reader, return_exceptions=True)
    finally:
        if not handed:
            hub.leave(stream)


async def _write(socket: WebSocket, hub: Hub, stream: Stream) -> None:
    try:
        async for message in hub.deliver(stream):
            await socket.send_text(framed(message))
        await socket.close(close_code(stream.ending), stream.ending or "bye")
    except (WebSocketDisconnect, RuntimeError):
        return  # the peer is gone


async def _read(socket: WebSocket, feedback: Feedback) -> None:
    """Read until the peer leaves, or sends an invalid frame."""
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        try:
            if not feedback.budget.spend():
                raise InvalidFeedback
            feedback.receive(message.get("text"))
        except InvalidFeedback:
            with suppress(WebSocketDisconnect, RuntimeError):
                await socket.close(CLOSE_BAD_REQUEST, "bad_request")
            return


def framed(message: Message) -> str:
    """Return a message as one text frame: the payload's object, with its type and id in front."""
    head = {"type": message.kind} if message.id is None else {"type": message.kind, "id": message.id}
    return (orjson.dumps(head)[:-1] + b"," + message.payload[1:]).decode()
