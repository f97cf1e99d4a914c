"""Framings: byte for byte what the portable paths write; and what a WebSocket's peer says, cut anywhere."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import CLIENT, OPEN, Protocol

from server.domain.views import TICKET
from server.live import messages
from server.live.bus import Bus
from server.live.hub import Hub, Limits
from server.live.memory_bus import MemoryBus
from server.live.messages import Message, Position
from server.transport.streams import sse, websocket
from server.transport.streams.framing import EVENTS, FRAMES, MAX_FRAME_BYTES, RAW_EVENTS
from tests.support.worlds import LogLoader, examples, small_clinic

AT = Position("e1", "ticket5", 41)
SENT = [
    messages.snapshot(AT, {"site": '{"name":"Kürze"}'.encode()}, 15, 1_700_000_000_000),
    messages.change(AT, [("entry:1", b'{"a":1}'), ("entry:2", b"{" + b'"b":"%b"' % (b"x" * 70_000) + b"}")], ["entry:3"]),
    messages.change(AT, [("a", b'"%b"' % (b"x" * size)) for size in (60,)], []),
    messages.bye("drain"),
]


@pytest.mark.parametrize("message", SENT, ids=[f"{each.kind} {index}" for index, each in enumerate(SENT)])
def test_what_is_written_is_what_the_portable_paths_write(message: Message) -> None:
    portable = sse.framed(message).encode()
    assert RAW_EVENTS.frame(message) == portable
    assert EVENTS.frame(message) == b"%x\r\n%b\r\n" % (len(portable), portable)
    peer = Protocol(CLIENT, state=OPEN, max_size=None)
    peer.receive_data(FRAMES.frame(message))
    (frame,) = peer.events_received()
    assert isinstance(frame, Frame)
    assert frame.opcode is Opcode.TEXT
    assert bytes(frame.data).decode() == websocket.framed(message)


def test_a_heartbeat_brings_a_ping() -> None:
    message = messages.heartbeat(AT, 1_700_000_000_000, 12)
    peer = Protocol(CLIENT, state=OPEN)
    peer.receive_data(FRAMES.frame(message))
    ping, text = peer.events_received()
    assert isinstance(ping, Frame)
    assert isinstance(text, Frame)
    assert ping.opcode is Opcode.PING
    assert bytes(text.data).decode() == websocket.framed(message)


@pytest.mark.parametrize("wire", [EVENTS, RAW_EVENTS, FRAMES])
@pytest.mark.parametrize("size", [0, 60, 125, 126, 400, 70_000])
def test_a_change_of_one_cell_is_framed_the_same_for_many(wire: Any, size: int) -> None:
    content = b'{"label":"%b"}' % (b"x" * size)
    assert wire.changes(AT, TICKET)(content) == wire.frame(messages.change(AT, [(TICKET, content)], []))


class Mouth:
    """What a wire does with a line: what it says, and whether it closes or cuts it."""

    def __init__(self) -> None:
        world = small_clinic()
        bus: Bus = MemoryBus()
        self.context = Hub(LogLoader(world), bus, 15, Limits(9, 9, 9))
        self.stream = self
        self.view_kind, self.subject, self.site_id = "display", None, 7
        self.inbox: Any = None
        self.said = b""
        self.closed = self.hung_up = self.cut = False

    def say(self, data: bytes) -> None:
        self.said += data

    def close(self) -> None:
        self.closed = True

    def hang_up(self) -> None:
        self.hung_up = True

    def abort(self) -> None:
        self.cut = True

    @property
    def frames(self) -> list[Frame]:
        peer = Protocol(CLIENT, state=OPEN)
        peer.receive_data(self.said)
        return [each for each in peer.events_received() if isinstance(each, Frame)]


def masked(opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


DISAGREEMENT = b'{"type":"disagreement","seq":3}'
# What is said, how many disagreements that is, and what is to be answered.
SAID: dict[str, tuple[bytes, int, list[bytes]]] = {
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


@pytest.mark.parametrize(("said", "disagreements", "pongs"), SAID.values(), ids=SAID)
@examples(60)
@given(st.data())
def test_what_a_peer_says_is_heard_wherever_it_is_cut(
    said: bytes, disagreements: int, pongs: list[bytes], data: st.DataObject
) -> None:
    line: Any = Mouth()
    cuts = sorted(data.draw(st.sets(st.integers(1, len(said) - 1), max_size=6)))
    for start, end in zip([0, *cuts], [*cuts, len(said)], strict=True):
        FRAMES.take(line, said[start:end])
    assert line.context.disagreements["display"] == disagreements
    assert not line.closed
    assert not line.hung_up
    assert [(frame.opcode, bytes(frame.data)) for frame in line.frames] == [(Opcode.PONG, each) for each in pongs]
    assert line.inbox.parser is None
    assert line.inbox.pending == b""


def test_the_peer_closes() -> None:
    line: Any = Mouth()
    FRAMES.take(line, masked(Opcode.CLOSE, Close(1001, "gone").serialize()))
    assert line.closed
    assert [frame.opcode for frame in line.frames] == [Opcode.CLOSE]


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
def test_junk_is_answered_with_a_close(junk: bytes, code: int) -> None:
    line: Any = Mouth()
    FRAMES.take(line, junk)
    assert line.hung_up
    last = line.frames[-1]
    assert last.opcode is Opcode.CLOSE
    assert int.from_bytes(bytes(last.data[:2])) == code


def test_who_talks_on_and_on_beside_an_event_stream_is_cut() -> None:
    line: Any = Mouth()
    for _ in range(MAX_FRAME_BYTES // 4096):
        EVENTS.take(line, b"x" * 4096)
    assert not line.cut
    EVENTS.take(line, b"x")
    assert line.cut
