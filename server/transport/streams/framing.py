"""How messages are framed on a connection that was handed off: as bytes, each once for all who are sent the same.

What is written is, byte for byte, what the portable paths write (`sse.framed`, `websocket.framed`): tests hold the two
together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side

from server.live import messages
from server.live.handoff import Line
from server.live.hub import Hub
from server.live.messages import Message, Position, Reason
from server.transport.streams.feedback import Ear, NotUnderstood

MAX_FRAME_BYTES = 64 * 1024
CLOSE_BYE = 3000
CLOSE_UNAVAILABLE = 3001
CLOSE_NOT_ALLOWED = 3500
CLOSE_BAD_REQUEST = 3501
CLOSE_REVOKED = 3502
CLOSE_ENDED = 3503
_CODES: dict[Reason | None, int] = {"revoked": CLOSE_REVOKED, "ended": CLOSE_ENDED}
_PING = b"\x89\x00"
_PONG_HEAD, _PONG_BYTES = b"\x8a\x80", 6  # of an empty one, masked: what answers our pings


def close_code(reason: Reason | None) -> int:
    """Return the WebSocket close code after a ``bye`` with this reason."""
    return _CODES.get(reason, CLOSE_BYE)


class EventWire:
    """Server-sent events: in chunks, or for HTTP/1.0 until the connection ends. What the peer says is not listened to."""

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

    def changes(self, at: Position, key: str) -> Callable[[bytes], bytes]:
        before, after = messages.change_around(at, key)
        head, tail = b"id: %b\nevent: change\ndata: %b" % (str(at).encode(), before), after + b"\n\n"
        if self._chunked:
            return _around(lambda size: b"%x\r\n" % size, head, tail, b"\r\n")
        return lambda content: b"%b%b%b" % (head, content, tail)

    def end(self, reason: Reason) -> bytes:
        return b"0\r\n\r\n" if self._chunked else b""

    def take(self, line: Line, data: bytes) -> None:
        """Count it: a peer that goes on and on is cut off."""
        line.inbox = (line.inbox or 0) + len(data)
        if line.inbox > MAX_FRAME_BYTES:
            line.abort()

    def _chunk(self, content: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(content), content) if self._chunked else content


@dataclass(slots=True)
class _Inbox:
    """Who hears a peer that has said something, and what of it is no whole message yet."""

    ear: Ear
    pending: bytes = b""
    parser: Protocol | None = None
    parts: list[bytes] = field(default_factory=list)
    binary: bool = False


_DEAF = object()  # the inbox of a line that listens no more


class FrameWire:
    """WebSocket: one text frame for each message, neither masked nor compressed. A line's context is its hub.

    There is no parser while nothing arrives: the library's is made for whole frames as they come, and kept only while a
    message of several frames is not complete.
    """

    waits_for_peer = True

    def greeting(self) -> bytes:
        return b""

    def frame(self, message: Message) -> bytes:
        head = {"type": message.kind} if message.id is None else {"type": message.kind, "id": message.id}
        framed = _text(orjson.dumps(head)[:-1] + b"," + message.payload[1:])
        return _PING + framed if message.kind == "heartbeat" else framed

    def changes(self, at: Position, key: str) -> Callable[[bytes], bytes]:
        before, after = messages.change_around(at, key)
        head = orjson.dumps({"type": "change", "id": str(at)})[:-1] + b"," + before[1:]
        return _around(_text_head, head, after)

    def end(self, reason: Reason) -> bytes:
        return _close(close_code(reason), reason)

    def take(self, line: Line, data: bytes) -> None:
        """Parse whole frames; answer pings and the close; have the ear hear texts; close on what is no WebSocket."""
        if line.inbox is _DEAF:
            return
        inbox: _Inbox | None = line.inbox
        if len(data) == _PONG_BYTES and data.startswith(_PONG_HEAD) and (inbox is None or not inbox.pending):
            return
        if inbox is None:
            assert isinstance(line.context, Hub)
            inbox = line.inbox = _Inbox(Ear(line.context, line.stream))
        data = inbox.pending + data
        whole = _whole_frames(data)
        inbox.pending = data[whole:]
        if whole:
            parser = inbox.parser or Protocol(Side.SERVER, state=OPEN, max_size=MAX_FRAME_BYTES)
            parser.receive_data(data[:whole])
            inbox.parser = parser if parser.current_size is not None else None
            self._hear(line, inbox, parser)

    def _hear(self, line: Line, inbox: _Inbox, parser: Protocol) -> None:
        for frame in parser.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                if frame.opcode is not Opcode.CONT:
                    inbox.binary = frame.opcode is Opcode.BINARY
                inbox.parts.append(bytes(frame.data))
                if frame.fin:
                    message = b"".join(inbox.parts)
                    inbox.parts.clear()
                    try:
                        inbox.ear.hear(None if inbox.binary else message.decode())
                    except UnicodeDecodeError:
                        return self._close(line, CloseCode.INVALID_DATA, "")
                    except NotUnderstood:
                        return self._close(line, CLOSE_BAD_REQUEST, "bad_request")
            elif frame.opcode is Opcode.CLOSE:
                line.say(b"".join(parser.data_to_send()))
                return line.close()
        answer = b"".join(parser.data_to_send())  # to a ping, or to what is no WebSocket
        if answer:
            line.say(answer)
        if parser.parser_exc is not None:
            self._hang_up(line)
        return None

    def _close(self, line: Line, code: int, reason: str) -> None:
        line.say(_close(code, reason))
        self._hang_up(line)

    def _hang_up(self, line: Line) -> None:
        line.inbox = _DEAF
        line.hang_up()


def _whole_frames(data: bytes) -> int:
    """Return how many bytes at the beginning are whole frames, or cannot become any: the parser says what is wrong."""
    at = 0
    while len(data) - at >= 2:
        length = data[at + 1] & 127
        head = 2 + (4 if data[at + 1] & 128 else 0)
        if length > 125:
            extra = 2 if length == 126 else 8
            if len(data) - at < 2 + extra:
                break
            head, length = head + extra, int.from_bytes(data[at + 2 : at + 2 + extra])
        if length > MAX_FRAME_BYTES or not data[at + 1] & 128 or data[at] & 0x70:
            return len(data)  # too long, not masked, or of an extension: nobody waits for the rest of it
        if len(data) - at < head + length:
            break
        at += head + length
    return at


def _text(content: bytes) -> bytes:
    return _text_head(len(content)) + content


def _text_head(size: int) -> bytes:
    if size < 126:
        return b"\x81" + size.to_bytes()
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2)
    return b"\x81\x7f" + size.to_bytes(8)


def _around(head_of: Callable[[int], bytes], before: bytes, after: bytes, end: bytes = b"") -> Callable[[bytes], bytes]:
    """Return what frames a content between ``before`` and ``after``, then ``end``.

    ``head_of`` makes a frame's head of the size of the three. Contents of one length have a beginning in common, made once.
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


EVENTS = EventWire(chunked=True)
RAW_EVENTS = EventWire(chunked=False)
FRAMES = FrameWire()
