"""Lines, on real sockets and both loops: what a peer is written, who is paused or cut, and that nobody pays for another."""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import time
from collections.abc import Callable
from typing import Any

import pytest

from server.domain.commands import NoShow, Start
from server.domain.ranking import next_for
from server.domain.views import DeskView, DisplayView, TicketView, View
from server.live import handoff as module
from server.live.feed import Feed, Projection
from server.live.handoff import Line, Wire
from server.live.messages import Position
from server.transport.streams.framing import EVENTS, FRAMES
from tests.support.message_screen import digest
from tests.support.worlds import SITE_ID, LogLoader, World, open_sealed, small_clinic
from tests.unit.live.peers import WIRES, House, Peer

DESK = DeskView(open_sealed)


class Clinic(House):
    """A small clinic with lines to screens."""

    def __init__(self, **about: float) -> None:
        self.world: World = small_clinic()
        super().__init__(Feed(SITE_ID, LogLoader(self.world)), **about)
        self.feed._tell = self.lines.tell
        self.queue_id = min(self.world.board.queues)

    def tickets(self, count: int = 1) -> None:
        """Issue tickets, and let the feed hear of it."""
        self.told(lambda: [self.world.ticket(self.queue_id) for _ in range(count)])

    def told(self, do: Callable[[], object]) -> Any:
        """Do something, and let the feed hear of it."""
        begun = len(self.world.log)
        done = do()
        self.feed.offer(self.world.board.site.epoch, self.world.log[begun:])
        return done

    def agrees(self, peer: Peer, line: Line) -> bool:
        """Return whether a peer shows what a fresh screen would."""
        projection, here = line.stream.projection, peer.screen.position
        told = here is not None and here.epoch == projection.epoch and here.seq >= projection.changed_at
        return (
            told
            and digest(peer.screen.cells) == projection.digest == Projection(projection.view, self.world.loaded()).digest
        )


async def opened(**about: float) -> Clinic:
    clinic = Clinic(**about)
    await clinic.feed.load()
    clinic.tickets(3)
    return clinic


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
async def test_a_snapshot_then_changes_for_all_alike(wire: Wire) -> None:
    async with await opened() as clinic:
        pairs = [await clinic.peer(DESK, wire) for _ in range(3)]
        for _ in range(4):
            clinic.tickets(2)
        for peer, line in pairs:
            await peer.settle()
            assert clinic.agrees(peer, line)
            assert peer.screen.kinds == ["snapshot", *["change"] * 4]
        assert clinic.counted == {"snapshot": 3, "change": 12}


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
async def test_resuming(wire: Wire) -> None:
    async with await opened() as clinic:
        keeper, _ = await clinic.peer(DESK, wire)
        await keeper.settle()
        left_at = Position("e1", DESK.shape, clinic.feed.seq)
        here, line = await clinic.peer(DESK, wire, left_at)
        here.screen.cells = dict(keeper.screen.cells)
        await here.settle()
        assert here.screen.kinds == ["heartbeat"]
        clinic.tickets(2)
        late, _ = await clinic.peer(DESK, wire, left_at)
        foreign, _ = await clinic.peer(DESK, wire, Position("e0", DESK.shape, clinic.feed.seq))
        for peer in (late, foreign, here, keeper):
            await peer.settle()
        assert late.screen.kinds == ["change"]
        assert foreign.screen.kinds == ["snapshot"]
        assert here.screen.kinds == ["heartbeat", "change"]
        assert here.screen.position == line.stream.projection.position


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
async def test_who_stands_still_owes_one_change_and_holds_up_nobody(wire: Wire) -> None:
    """Its first unwritten byte pauses it; reading again, it gets what was begun and then one change with all the rest."""
    async with await opened(heartbeat=2) as clinic:
        slow, slow_line = await clinic.peer(DESK, wire, buffer=4096)
        quick, quick_line = await clinic.peer(DESK, wire)
        for _ in range(40):
            clinic.tickets(5)
            await quick.settle(0.001)
        await quick.settle()
        assert clinic.agrees(quick, quick_line)
        assert slow_line.stream.paused
        assert not quick_line.stream.paused
        changes = clinic.counted["change"]
        clinic.tickets(5)
        assert clinic.counted["change"] == changes + 1, "nothing is put together for it"
        await slow.settle(0.3)
        assert clinic.agrees(slow, slow_line)
        assert not slow_line.stream.paused
        assert slow.screen.kinds.count("change") < 40
        clinic.tickets()
        await slow.settle()
        await quick.settle()
        assert clinic.agrees(slow, slow_line)
        assert clinic.agrees(quick, quick_line)


async def test_a_snapshot_larger_than_the_buffer_is_finished_before_anything_else() -> None:
    async with await opened() as clinic:
        clinic.tickets(200)
        peer, line = await clinic.peer(DESK, EVENTS, buffer=4096)
        assert line.stream.paused
        clinic.tickets(3)
        await peer.settle()
        assert clinic.agrees(peer, line)
        assert peer.screen.kinds == ["snapshot", "change"]


async def test_one_that_is_gone_in_the_middle_of_the_walk_costs_the_others_nothing() -> None:
    async with await opened() as clinic:
        pairs = [await clinic.peer(DESK, EVENTS) for _ in range(5)]
        pairs[2][0].socket.close()
        clinic.tickets()
        clinic.tickets()
        for index, (peer, line) in enumerate(pairs):
            if index != 2:
                await peer.settle()
                assert clinic.agrees(peer, line)
        await asyncio.sleep(0.05)
        assert clinic.left == [pairs[2][1].stream]


async def test_a_descriptor_that_is_used_again_is_never_written_to() -> None:
    """A line whose connection has ended holds no descriptor: the next file of that number stays empty."""
    async with await opened() as clinic:
        stay, stay_line = await clinic.peer(DESK, EVENTS)
        gone, gone_line = await clinic.peer(DESK, EVENTS)
        number = gone_line.descriptor
        gone_line.abort()
        await asyncio.sleep(0.05)
        assert gone_line.descriptor == -1
        with tempfile.TemporaryFile() as file:
            again = file.fileno() == number  # whatever opens a file next may be given this number
            if not again:
                os.dup2(file.fileno(), number)
            try:
                for _ in range(3):
                    clinic.tickets()
                    gone_line.beat()
                    gone_line.say(b"x")
                gone_line.stream.end("drain")
                assert os.fstat(number).st_size == 0
            finally:
                if not again:
                    os.close(number)
        await stay.settle()
        assert clinic.agrees(stay, stay_line)
        gone.socket.close()


@pytest.mark.parametrize(("wire", "last"), [("chunks", b"0\r\n\r\n"), ("raw", b"\n\n"), ("frames", b"drain")])
async def test_the_end_is_a_bye_in_the_framing_s_own_way(wire: str, last: bytes) -> None:
    async with await opened() as clinic:
        peer, line = await clinic.peer(DESK, WIRES[wire])
        line.stream.end("drain")
        line.stream.end("age")  # the first reason stands
        clinic.tickets()
        while await peer.read():
            pass
        assert peer.byes == ["drain"]
        assert peer.screen.kinds == ["snapshot", "bye"]
        assert peer.raw.endswith(last)
        assert peer.codes == ([3000] if wire == "frames" else [])
        assert clinic.left == [line.stream]
        assert not line.stream.cut


async def test_who_stands_still_for_too_long_is_cut() -> None:
    async with await opened(stalled=0.2, heartbeat=0.4) as clinic:
        clinic.tickets(200)
        peer, line = await clinic.peer(DESK, EVENTS, buffer=4096)
        async with asyncio.timeout(5):
            while not clinic.left:  # noqa: ASYNC110 - the line has no event to wait for
                await asyncio.sleep(0.01)
        assert line.stream.cut
        assert line.stream.ending == "slow"
        assert not line.stream.paused
        peer.socket.close()


async def test_who_stands_still_when_the_end_comes_is_cut_after_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYE_SECONDS", 0.1)
    async with await opened(heartbeat=0.4) as clinic:
        clinic.tickets(200)
        peer, line = await clinic.peer(DESK, EVENTS, buffer=4096)
        line.stream.end("drain")
        async with asyncio.timeout(5):
            while not clinic.left:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert line.stream.ending == "drain"
        peer.socket.close()


async def test_who_reads_again_in_time_is_told_the_end() -> None:
    async with await opened() as clinic:
        clinic.tickets(200)
        peer, line = await clinic.peer(DESK, EVENTS, buffer=4096)
        line.stream.end("drain")
        while await peer.read():
            pass
        assert peer.screen.kinds == ["snapshot", "bye"]
        assert not line.stream.cut


async def test_heartbeats_agree_and_are_spread() -> None:
    """Every line beats once in each turn of the wheel, not all at one moment."""
    async with await opened(heartbeat=0.4) as clinic:
        pairs = [await clinic.peer(DESK, wire) for wire in WIRES.values() for _ in range(6)]
        assert len({line.spoke for _, line in pairs}) > 1
        async with asyncio.timeout(20):
            for peer, _ in pairs:
                while peer.screen.beats < 3:  # the screen checks each digest
                    await peer.read()
        clinic.tickets()
        for peer, line in pairs:
            await peer.settle(0.01)
            assert digest(peer.screen.cells) == line.stream.projection.digest


async def test_a_line_ends_of_age() -> None:
    async with await opened(heartbeat=0.4) as clinic:
        peer, line = await clinic.peer(DESK, EVENTS)
        line.ends_at = time.monotonic()
        while await peer.read():
            pass
        assert peer.byes == ["age"]


async def test_another_epoch_is_a_snapshot_for_all() -> None:
    async with await opened() as clinic:
        pairs = [await clinic.peer(DESK, wire) for wire in WIRES.values()]
        clinic.world.renew("e2")
        await clinic.feed.load()
        for peer, line in pairs:
            await peer.settle()
            assert peer.screen.kinds == ["snapshot", "snapshot"]
            assert clinic.agrees(peer, line)


async def test_a_stream_that_is_over_tells_the_last_and_ends() -> None:
    async with await opened(heartbeat=0.4) as clinic:
        visit_id = min(clinic.world.board.visits)
        peer, line = await clinic.peer(TicketView(visit_id), FRAMES)
        line.stream.finish(clinic.feed.seq + 1)
        clinic.told(lambda: clinic.world.call(min(clinic.world.board.points)))
        while not peer.byes and await peer.read():
            pass
        assert [kind for kind in peer.screen.kinds if kind != "heartbeat"] == ["snapshot", "change", "bye"]
        assert peer.byes == ["ended"]
        assert peer.screen.cells["ticket"]["state"] == "called"


@pytest.mark.parametrize("seed", range(4))
async def test_the_law_for_everybody_at_once(seed: int) -> None:
    """Tickets, displays and desks in every framing, some slow, come and go while the day goes on: all show the truth."""
    chance = random.Random(seed)
    async with await opened() as clinic:
        board = clinic.world.board
        points = sorted(board.points)
        pairs: list[tuple[Peer, Line]] = []

        async def another() -> None:
            views: list[View] = [DESK, DisplayView(), *map(TicketView, board.visits)]
            view = chance.choice(views)
            wire = chance.choice(list(WIRES.values()))
            pairs.append(await clinic.peer(view, wire, buffer=chance.choice((None, 4096))))

        for _ in range(12):
            await another()
        for _ in range(60):
            match chance.randrange(6):
                case 0 | 1:
                    clinic.tickets(chance.randrange(1, 4))
                case 2:
                    point_id = chance.choice(points)
                    if board.entry_at(point_id) is None and next_for(board, board.points[point_id]) is not None:
                        clinic.told(lambda point_id=point_id: clinic.world.call(point_id))  # type: ignore[misc]
                case 3:
                    entry = board.entry_at(chance.choice(points))
                    if entry is not None and entry.state == "called":
                        step = chance.choice((Start, NoShow))
                        clinic.told(lambda step=step, entry=entry: clinic.world.do(step(entry_id=entry.id)))  # type: ignore[misc]
                case 4:
                    await another()
                case 5:
                    peer, line = pairs.pop(chance.randrange(len(pairs)))
                    peer.socket.close()
            if chance.random() < 0.3:
                await chance.choice(pairs)[0].settle(0.002)
        for peer, line in pairs:
            await peer.settle(0.1)
            assert clinic.agrees(peer, line), (line.stream.view_kind, line.wire)
            peer.socket.close()


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
async def test_patients_move_on_whoever_of_them_stands_still_or_is_gone(wire: Wire) -> None:
    async with await opened(heartbeat=2) as clinic:
        clinic.tickets(40)
        point = min(clinic.world.board.points)

        def move() -> None:
            clinic.world.do(NoShow(entry_id=clinic.world.call(point).id))

        last = sorted(clinic.world.board.visits)[-4:]
        (slow, slow_line), (gone, gone_line), (quick, quick_line), (other, other_line) = [
            await clinic.peer(TicketView(visit_id), wire, buffer=4096 if index == 0 else None)
            for index, visit_id in enumerate(last)
        ]
        moves = 0
        while not slow_line.stream.paused:
            clinic.told(move)
            await quick.settle(0.001)
            await other.settle(0.001)
            moves += 1
            assert moves < 30, "it takes all there is"
            if moves == 3:
                gone.socket.close()
        for _ in range(3):
            clinic.told(move)
        for peer, line in ((quick, quick_line), (other, other_line), (slow, slow_line)):
            await peer.settle(0.2)
            assert clinic.agrees(peer, line)
        assert slow.screen.kinds.count("change") < moves + 3, "what it missed was told together"
        assert quick.screen.kinds.count("change") == moves + 3
        assert clinic.left == [gone_line.stream]


async def test_a_ticket_moves_on_by_the_same_bytes_as_any_change() -> None:
    """What is put together for thousands at once is what would have been for one."""
    async with await opened() as clinic:
        visit_id = max(clinic.world.board.visits)
        for wire in WIRES.values():
            peer, line = await clinic.peer(TicketView(visit_id), wire)
            await peer.settle()
            before, seq = len(peer.raw), clinic.feed.seq
            clinic.told(lambda: clinic.world.call(min(clinic.world.board.points)))
            await peer.settle()
            assert peer.raw[before:] == wire.frame(line.stream.projection.change_since(seq))
            guest = clinic.world.board.entry_at(min(clinic.world.board.points))
            assert guest is not None
            clinic.told(lambda guest=guest: clinic.world.do(NoShow(entry_id=guest.id)))  # type: ignore[misc]
            peer.socket.close()
            await asyncio.sleep(0.02)
