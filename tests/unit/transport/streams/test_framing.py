"""Framings: the same bytes as the portable paths; and frames from a WebSocket peer, split anywhere."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import CLIENT, OPEN, Protocol

from server.domain.views import TICKET
from server.live import messages
from server.live.admission import Limits
from server.live.bus import Bus
from server.live.hub import Hub
from server.live.memory_bus import MemoryBus
from server.live.messages import Message, Position
from server.transport.streams import sse, websocket
from server.transport.streams.framing import EVENTS, FRAMES, MAX_FRAME_BYTES, RAW_EVENTS
from tests.support.extent import examples
from tests.support.worlds import LogLoader, small_clinic

AT = Position("e1", "ticket5", 41)
SENT = [
    messages.snapshot(AT, '{"site":{"name":"Kürze"}}'.encode(), 15, 1_700_000_000_000),
    messages.change(AT, [("entry:1", b'{"a":1}'), ("entry:2", b"{" + b'"b":"%b"' % (b"x" * 70_000) + b"}")], ["entry:3"]),
    messages.change(AT, [("a", b'"%b"' % (b"x" * size)) for size in (60,)], []),
    messages.bye("drain"),
]


@pytest.mark.parametrize("message", SENT, ids=[f"{each.kind} {index}" for index, each in enumerate(SENT)])
def test_frames_equal_those_of_the_portable_paths(message: Message) -> None:
    portable = sse.framed(message).encode()
    assert RAW_EVENTS.frame(message) == portable
    assert EVENTS.frame(message) == b"%x\r\n%b\r\n" % (len(portable), portable)
    peer = Protocol(CLIENT, state=OPEN, max_size=None)
    peer.receive_data(FRAMES.frame(message))
    (frame,) = peer.events_received()
    assert isinstance(frame, Frame)
    assert frame.opcode is Opcode.TEXT
    assert bytes(frame.data).decode() == websocket.framed(message)


def test_heartbeat_frame_includes_a_ping() -> None:
    message = messages.heartbeat(AT, 1_700_000_000_000, 12)
    peer = Protocol(CLIENT, state=OPEN)
    peer.receive_data(FRAMES.frame(message))
    ping, text = peer.events_received()
    assert isinstance(ping, Frame)
    assert isinstance(text, Frame)
    assert ping.opcode is Opcode.PING
    assert bytes(text.data).decode() == websocket.framed(message)


@pytest.mark.parametrize("framing", [EVENTS, RAW_EVENTS, FRAMES])
@pytest.mark.parametrize("size", [0, 60, 125, 126, 400, 70_000])
def test_change_framer_equals_frame(framing: Any, size: int) -> None:
    content = b'{"label":"%b"}' % (b"x" * size)
    assert framing.change_framer(AT, TICKET)(content) == framing.frame(messages.change(AT, [(TICKET, content)], []))


class NotingConnection:
    """Notes the calls of a framing: replies, and whether it closes or aborts."""

    def __init__(self) -> None:
        world = small_clinic()
        bus: Bus = MemoryBus()
        self.context = Hub(LogLoader(world), bus, 15, Limits(9, 9, 9, 9))
        self.stream = self
        self.view_kind, self.subject, self.site_id, self.token = "display", None, 7, "t"
        self.inbox: Any = None
        self.pinged = self.paused = False
        self.replied = b""
        self.closed = self.half_closed = self.aborted = False

    def reply(self, data: bytes) -> None:
        self.replied += data

    def close(self) -> None:
        self.closed = True

    def half_close(self) -> None:
        self.half_closed = True

    def abort(self) -> None:
        self.aborted = True

    @property
    def frames(self) -> list[Frame]:
        peer = Protocol(CLIENT, state=OPEN)
        peer.receive_data(self.replied)
        return [each for each in peer.events_received() if isinstance(each, Frame)]


def masked(opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


DISAGREEMENT = b'{"type":"disagreement","seq":3}'
# The bytes from the peer, the number of disagreements in them, and the expected pongs.
RECEIVED: dict[str, tuple[bytes, int, list[bytes]]] = {
    "one": (masked(Opcode.TEXT, DISAGREEMENT), 1, []),
    "several at once": (
        masked(Opcode.TEXT, DISAGREEMENT) + masked(Opcode.PING, b"p") + masked(Opcode.TEXT, DISAGREEMENT),
        2,
        [b"p"],
    ),
    "in pieces": (
        masked(Opcode.TEXT, DISAGREEMENT[:9], fin=False) + masked(Opcode.PING, b"q") + masked(Opcode.CONT, DISAGREEMENT[9:]),
        1,
        [b"q"],
    ),
    "a long one": (masked(Opcode.TEXT, b'{"type":"disagreement",' + b" " * 300 + b'"seq":3}'), 1, []),
    "pongs": (masked(Opcode.PONG) + masked(Opcode.PONG, b"late") + masked(Opcode.TEXT, DISAGREEMENT), 1, []),
}


@pytest.mark.parametrize(("sent", "disagreements", "pongs"), RECEIVED.values(), ids=RECEIVED)
@examples(60)
@given(st.data())
def test_messages_of_a_peer_are_received_wherever_they_are_split(
    sent: bytes, disagreements: int, pongs: list[bytes], data: st.DataObject
) -> None:
    connection: Any = NotingConnection()
    cuts = sorted(data.draw(st.sets(st.integers(1, len(sent) - 1), max_size=6)))
    for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        FRAMES.receive(connection, sent[start:end])
    assert connection.context.disagreements["display"] == disagreements
    assert not connection.closed
    assert not connection.half_closed
    assert [(frame.opcode, bytes(frame.data)) for frame in connection.frames] == [(Opcode.PONG, each) for each in pongs]
    assert connection.inbox.parser is None
    assert connection.inbox.pending == b""


def test_close_of_the_peer_closes_the_connection() -> None:
    connection: Any = NotingConnection()
    FRAMES.receive(connection, masked(Opcode.CLOSE, Close(1001, "gone").serialize()))
    assert connection.closed
    assert [frame.opcode for frame in connection.frames] == [Opcode.CLOSE]


@pytest.mark.parametrize(
    ("junk", "code"),
    [
        (masked(Opcode.TEXT, b"{}"), 3501),
        (masked(Opcode.TEXT, b"\xff\xfe"), 1007),
        (masked(Opcode.BINARY, DISAGREEMENT), 3501),
        (masked(Opcode.CONT, b"x"), 1002),
        (Frame(Opcode.TEXT, DISAGREEMENT).serialize(mask=False), 1002),
        (b"\x83\x80\x00\x00\x00\x00", 1002),
        (b"\xc1\x80\x00\x00\x00\x00", 1002),
        (b"\x81\xff" + (MAX_FRAME_BYTES + 1).to_bytes(8) + b"\x00" * 4, 1009),
    ],
    ids=["not ours", "no UTF-8", "binary", "nothing to go on with", "not masked", "no opcode", "an extension's", "too long"],
)
def test_invalid_frame_is_answered_with_a_close(junk: bytes, code: int) -> None:
    connection: Any = NotingConnection()
    FRAMES.receive(connection, junk)
    assert connection.half_closed
    last = connection.frames[-1]
    assert last.opcode is Opcode.CLOSE
    assert int.from_bytes(bytes(last.data[:2])) == code


def test_peer_that_sends_too_much_beside_an_event_stream_is_aborted() -> None:
    connection: Any = NotingConnection()
    for _ in range(MAX_FRAME_BYTES // 4096):
        EVENTS.receive(connection, b"x" * 4096)
    assert not connection.aborted
    EVENTS.receive(connection, b"x")
    assert connection.aborted


def test_each_frame_counts_in_one_budget() -> None:
    connection: Any = NotingConnection()
    kinds = [masked(Opcode.PING, b"p"), masked(Opcode.PONG), masked(Opcode.TEXT, DISAGREEMENT)]
    for index in range(100):
        FRAMES.receive(connection, kinds[index % 3])
    assert not connection.half_closed
    FRAMES.receive(connection, masked(Opcode.PONG))
    assert connection.half_closed
    last = connection.frames[-1]
    assert (last.opcode, Close.parse(bytes(last.data)).code) == (Opcode.CLOSE, 3501)


def test_pong_to_a_ping_costs_nothing() -> None:
    connection: Any = NotingConnection()
    for _ in range(200):
        connection.pinged = True
        FRAMES.receive(connection, masked(Opcode.PONG))
    assert connection.inbox is None  # an idle connection keeps no parser and no budget
    FRAMES.receive(connection, masked(Opcode.PONG))
    assert connection.inbox is not None


def test_stalled_reader_gets_no_pongs() -> None:
    connection: Any = NotingConnection()
    connection.paused = True
    FRAMES.receive(connection, masked(Opcode.PING, b"p") * 50)
    assert connection.replied == b""
    FRAMES.receive(connection, masked(Opcode.TEXT, b"\xff"))  # the close still reaches it
    assert [frame.opcode for frame in connection.frames] == [Opcode.CLOSE]
