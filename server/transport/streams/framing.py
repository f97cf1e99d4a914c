"""The framings of handed-off connections: server-sent events, in chunks or raw, and WebSocket text frames.

The bytes are the same as those of the portable paths (`sse.framed`, `websocket.framed`): tests compare the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side

from server.live import messages
from server.live.handoff import HandedOffConnection
from server.live.hub import Hub
from server.live.messages import Message, Position, Reason
from server.transport.streams.budget import FRAMES_PER_WINDOW
from server.transport.streams.feedback import Feedback, InvalidFeedback

MAX_FRAME_BYTES = 64 * 1024
CLOSE_BYE = 3000
CLOSE_UNAVAILABLE = 3001
CLOSE_NOT_ALLOWED = 3500
CLOSE_BAD_REQUEST = 3501
CLOSE_REVOKED = 3502
CLOSE_ENDED = 3503
_CODES: dict[Reason | None, int] = {"revoked": CLOSE_REVOKED, "ended": CLOSE_ENDED}
_PING = b"\x89\x00"
_PONG_HEAD, _PONG_BYTES = b"\x8a\x80", 6  # of an empty, masked pong: the answer to our pings


def close_code(reason: Reason | None) -> int:
    """Return the WebSocket close code after a ``bye`` with this reason."""
    return _CODES.get(reason, CLOSE_BYE)


class EventFraming:
    """Server-sent events: in chunks, or for HTTP/1.0 until the connection ends. Bytes from the peer are ignored."""

    waits_for_peer = False

    def __init__(self, *, chunked: bool) -> None:
        self._chunked = chunked

    def greeting(self) -> bytes:
        return self._chunk(b"retry: %d\n\n" % messages.jittered_retry())

    def frame(self, message: Message) -> bytes:
        if message.id is None:
            return self._chunk(b"event: %b\ndata: %b\n\n" % (message.kind.encode(), message.payload))
        return self._chunk(
            b"id: %b\nevent: %b\ndata: %b\n\n" % (message.id.encode(), message.kind.encode(), message.payload)
        )

    def change_framer(self, at: Position, key: str) -> Callable[[bytes], bytes]:
        before, after = messages.change_around(at, key)
        head, tail = b"id: %b\nevent: change\ndata: %b" % (str(at).encode(), before), after + b"\n\n"
        if self._chunked:
            return _around(lambda size: b"%x\r\n" % size, head, tail, b"\r\n")
        return lambda content: b"%b%b%b" % (head, content, tail)

    def end(self, reason: Reason) -> bytes:
        return b"0\r\n\r\n" if self._chunked else b""

    def receive(self, connection: HandedOffConnection, data: bytes) -> None:
        """Count the bytes, and abort the connection of a peer that sends too many."""
        connection.inbox = (connection.inbox or 0) + len(data)
        if connection.inbox > MAX_FRAME_BYTES:
            connection.abort()

    def _chunk(self, content: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(content), content) if self._chunked else content


@dataclass(slots=True)
class _Inbox:
    """The received bytes of a peer that are not a whole message yet, and the receiver of its messages."""

    feedback: Feedback
    pending: bytes = b""
    parser: Protocol | None = None
    parts: list[bytes] = field(default_factory=list)
    binary: bool = False


_IGNORED = object()  # the inbox of a connection whose peer is no longer listened to


class WebSocketFraming:
    """WebSocket: one text frame for each message, neither masked nor compressed. A connection's context is its hub.

    An idle connection has no parser. The library's parser is created when whole frames arrive, and kept only while a message
    of several frames is incomplete.
    """

    waits_for_peer = True

    def greeting(self) -> bytes:
        return b""

    def frame(self, message: Message) -> bytes:
        head = {"type": message.kind} if message.id is None else {"type": message.kind, "id": message.id}
        framed = _text(orjson.dumps(head)[:-1] + b"," + message.payload[1:])
        return _PING + framed if message.kind == "heartbeat" else framed

    def change_framer(self, at: Position, key: str) -> Callable[[bytes], bytes]:
        before, after = messages.change_around(at, key)
        head = orjson.dumps({"type": "change", "id": str(at)})[:-1] + b"," + before[1:]
        return _around(_text_head, head, after)

    def end(self, reason: Reason) -> bytes:
        return _close(close_code(reason), reason)

    def receive(self, connection: HandedOffConnection, data: bytes) -> None:
        """Parse whole frames: answer pings and the close, pass on texts, and close on invalid frames."""
        if connection.inbox is _IGNORED:
            return
        inbox: _Inbox | None = connection.inbox
        if (
            connection.pinged
            and len(data) == _PONG_BYTES
            and data.startswith(_PONG_HEAD)
            and (inbox is None or not inbox.pending)
        ):
            connection.pinged = False  # a pong that answers no ping counts like any other frame
            return
        if inbox is None:
            assert isinstance(connection.context, Hub)
            inbox = connection.inbox = _Inbox(Feedback(connection.context, connection.stream))
        data = inbox.pending + data
        whole, frames = _whole_frames(data)
        inbox.pending = data[whole:]
        if not inbox.feedback.budget.spend(frames):
            self._close(connection, CLOSE_BAD_REQUEST, "bad_request")
        elif whole:
            parser = inbox.parser or Protocol(Side.SERVER, state=OPEN, max_size=MAX_FRAME_BYTES)
            parser.receive_data(data[:whole])
            inbox.parser = parser if parser.current_size is not None else None
            self._process_frames(connection, inbox, parser)

    def _process_frames(self, connection: HandedOffConnection, inbox: _Inbox, parser: Protocol) -> None:
        for frame in parser.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                if frame.opcode is not Opcode.CONT:
                    inbox.binary = frame.opcode is Opcode.BINARY
                if frame.data:
                    inbox.parts.append(bytes(frame.data))
                if frame.fin:
                    message = b"".join(inbox.parts)
                    inbox.parts.clear()
                    try:
                        inbox.feedback.receive(None if inbox.binary else message.decode())
                    except UnicodeDecodeError:
                        return self._close(connection, CloseCode.INVALID_DATA, "")
                    except InvalidFeedback:
                        return self._close(connection, CLOSE_BAD_REQUEST, "bad_request")
            elif frame.opcode is Opcode.CLOSE:
                connection.reply(b"".join(parser.data_to_send()))
                return connection.close()
        answer = b"".join(parser.data_to_send())  # to a ping, or to an invalid frame
        if answer and (parser.parser_exc is not None or not connection.paused):  # no pongs pile up for a stalled reader
            connection.reply(answer)
        if parser.parser_exc is not None:
            self._stop_receiving(connection)
        return None

    def _close(self, connection: HandedOffConnection, code: int, reason: str) -> None:
        connection.reply(_close(code, reason))
        self._stop_receiving(connection)

    def _stop_receiving(self, connection: HandedOffConnection) -> None:
        connection.inbox = _IGNORED
        connection.half_close()


def _whole_frames(data: bytes) -> tuple[int, int]:
    """Return how many leading bytes are whole frames, and the number of these frames, counted up to the budget's end.

    Bytes that can never become a whole frame count as one: the parser then reports the error.
    """
    at = frames = 0
    while len(data) - at >= 2 and frames <= FRAMES_PER_WINDOW:
        length = data[at + 1] & 127
        head = 2 + (4 if data[at + 1] & 128 else 0)
        if length > 125:
            extra = 2 if length == 126 else 8
            if len(data) - at < 2 + extra:
                break
            head, length = head + extra, int.from_bytes(data[at + 2 : at + 2 + extra])
        if length > MAX_FRAME_BYTES or not data[at + 1] & 128 or data[at] & 0x70:
            return len(data), frames + 1  # too long, not masked, or of an extension: do not wait for the rest
        if len(data) - at < head + length:
            break
        at += head + length
        frames += 1
    return at, frames


def _text(content: bytes) -> bytes:
    return _text_head(len(content)) + content


def _text_head(size: int) -> bytes:
    if size < 126:
        return b"\x81" + size.to_bytes()
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2)
    return b"\x81\x7f" + size.to_bytes(8)


def _around(head_of: Callable[[int], bytes], before: bytes, after: bytes, end: bytes = b"") -> Callable[[bytes], bytes]:
    """Return a function that frames a content between ``before`` and ``after``, then adds ``end``.

    ``head_of`` returns the frame's head for the size of the three. Contents of one length share a beginning, built once.
    """
    size = len(before) + len(after)
    beginnings: dict[int, bytes] = {}
    rest = after + end

    def framed(content: bytes) -> bytes:
        length = len(content)
        beginning = beginnings.get(length)
        if beginning is None:
            beginning = beginnings[length] = head_of(size + length) + before
        return b"%b%b%b" % (beginning, content, rest)

    return framed


def _close(code: int, reason: str) -> bytes:
    return Frame(Opcode.CLOSE, Close(code, reason).serialize()).serialize(mask=False)


EVENTS = EventFraming(chunked=True)
RAW_EVENTS = EventFraming(chunked=False)
FRAMES = WebSocketFraming()
