"""Handed-off connections, on real sockets and both event loops: messages, pauses, aborts, and no delay for the others."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import tempfile
import time
from collections.abc import Callable
from typing import Any

import pytest

from server.domain.board import Board
from server.domain.commands import AddDisplay, ChangeDisplay, ChangeQueue, NoShow, Start
from server.domain.ranking import next_for
from server.domain.views import DeskView, DisplayView, TicketView, View
from server.live import handoff as module
from server.live.feed import Feed
from server.live.handoff import Framing, HandedOffConnection
from server.live.messages import Position
from server.live.projection import Projection, stamped
from server.live.stream import Stream
from server.transport.streams.framing import EVENTS, FRAMES
from tests.support.message_screen import Screen, digest
from tests.support.worlds import SITE_ID, LogLoader, World, open_sealed, small_clinic
from tests.unit.live.peers import FRAMINGS, Peer, Peers

DESK = DeskView(open_sealed)


class Clinic(Peers):
    """A small clinic with handed-off connections to screens."""

    def __init__(self, **about: float) -> None:
        self.world: World = small_clinic()
        super().__init__(Feed(SITE_ID, LogLoader(self.world)), **about)
        self.feed._write_tickets = self.handed_off.write_tickets
        self.queue_id = min(self.world.board.queues)

    def tickets(self, count: int = 1) -> None:
        """Issue tickets, and offer the events to the feed."""
        self.do(lambda: [self.world.ticket(self.queue_id) for _ in range(count)])

    def do(self, step: Callable[[], object]) -> Any:
        """Do a step, and offer its events to the feed."""
        begun = len(self.world.log)
        done = step()
        self.feed.offer(self.world.board.site.epoch, self.world.log[begun:])
        return done

    def agrees(self, peer: Peer, connection: HandedOffConnection) -> bool:
        """Return whether a peer shows the same as a fresh screen."""
        projection, here = connection.stream.projection, peer.screen.position
        up_to_date = here is not None and here.epoch == projection.epoch and here.seq >= projection.changed_at
        return (
            up_to_date
            and digest(peer.screen.cells) == projection.digest == Projection(projection.view, self.world.loaded()).digest
        )


async def opened(**about: float) -> Clinic:
    clinic = Clinic(**about)
    await clinic.feed.load()
    clinic.tickets(3)
    return clinic


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
async def test_every_connection_gets_a_snapshot_then_each_change(framing: Framing) -> None:
    async with await opened() as clinic:
        pairs = [await clinic.peer(DESK, framing) for _ in range(3)]
        for _ in range(4):
            clinic.tickets(2)
        for peer, connection in pairs:
            await peer.settle()
            assert clinic.agrees(peer, connection)
            assert peer.screen.kinds == ["snapshot", *["change"] * 4]
        assert clinic.counted == {"snapshot": 3, "change": 12}


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
async def test_resume_gets_a_heartbeat_a_change_or_a_snapshot(framing: Framing) -> None:
    async with await opened() as clinic:
        keeper, _ = await clinic.peer(DESK, framing)
        await keeper.settle()
        left_at = Position("e1", stamped(DESK.shape), clinic.feed.seq)
        here, connection = await clinic.peer(DESK, framing, left_at)
        here.screen.cells = dict(keeper.screen.cells)
        await here.settle()
        assert here.screen.kinds == ["heartbeat"]
        clinic.tickets(2)
        late, _ = await clinic.peer(DESK, framing, left_at)
        foreign, _ = await clinic.peer(DESK, framing, Position("e0", stamped(DESK.shape), clinic.feed.seq))
        for peer in (late, foreign, here, keeper):
            await peer.settle()
        assert late.screen.kinds == ["change"]
        assert foreign.screen.kinds == ["snapshot"]
        assert here.screen.kinds == ["heartbeat", "change"]
        assert here.screen.position == connection.stream.projection.position


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
async def test_display_that_chooses_its_calls_gets_a_snapshot_of_them(framing: Framing) -> None:
    """Its streams leave those of the whole site, whichever way they are written, and a former position does not resume."""
    async with await opened() as clinic:
        for name in ("East", "West"):
            clinic.do(lambda name=name: clinic.world.do(AddDisplay(site_id=SITE_ID, name=name)))  # type: ignore[misc]
        east, west = sorted(clinic.world.board.displays)[-2:]
        subject = f"display:{east}"
        pairs = [await clinic.peer(DisplayView(each), framing, subject=f"display:{each}") for each in (east, west)]
        pulled = Stream(
            clinic.feed, clinic.feed.projection(DisplayView(east)), None, 60, address="a", token="t", subject=subject
        )
        reading, screen = aiter(pulled), Screen()
        screen.hear(await anext(reading))
        streams = [pulled, *(connection.stream for _, connection in pairs)]

        def follow_choices(board: Board, changed: set[str] | None) -> None:
            for stream in streams:
                stream.follow_choice()

        clinic.feed._on_drawn = follow_choices
        whole, before = pulled.projection, screen.position
        clinic.do(lambda: clinic.world.do(ChangeDisplay(display_id=east, queue_ids=(clinic.queue_id,))))
        screen.hear(await anext(reading))
        clinic.tickets()
        screen.hear(await anext(reading))
        assert screen.kinds == ["snapshot", "snapshot", "change"]
        assert digest(screen.cells) == pulled.projection.digest
        assert [connection.stream.projection is pulled.projection for _, connection in pairs] == [True, False]
        assert not pulled.projection.can_resume(before)
        for (peer, connection), kinds in zip(pairs, (["snapshot"] * 2 + ["change"], ["snapshot", "change"]), strict=True):
            await peer.settle()
            assert peer.screen.kinds == kinds
            assert clinic.agrees(peer, connection)
        clinic.do(lambda: clinic.world.do(ChangeDisplay(display_id=east, queue_ids=())))
        assert pulled.projection is whole
        await reading.aclose()  # type: ignore[attr-defined]
        pulled.close()


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
async def test_stalled_reader_gets_one_change_and_delays_no_other(framing: Framing) -> None:
    """The first unwritten byte pauses it. When it reads again, it gets the rest of that message, then one change."""
    async with await opened(heartbeat=2) as clinic:
        slow, slow_connection = await clinic.peer(DESK, framing, buffer=4096)
        quick, quick_connection = await clinic.peer(DESK, framing)
        for _ in range(40):
            clinic.tickets(5)
            await quick.settle(0.001)
        await quick.settle()
        assert clinic.agrees(quick, quick_connection)
        assert slow_connection.stream.paused
        assert not quick_connection.stream.paused
        changes = clinic.counted["change"]
        clinic.tickets(5)
        assert clinic.counted["change"] == changes + 1, "no message is built for it"
        await slow.settle(0.3)
        assert clinic.agrees(slow, slow_connection)
        assert not slow_connection.stream.paused
        assert slow.screen.kinds.count("change") < 40
        clinic.tickets()
        await slow.settle()
        await quick.settle()
        assert clinic.agrees(slow, slow_connection)
        assert clinic.agrees(quick, quick_connection)


async def test_snapshot_larger_than_the_buffer_is_finished_first() -> None:
    async with await opened() as clinic:
        clinic.tickets(200)
        peer, connection = await clinic.peer(DESK, EVENTS, buffer=4096)
        assert connection.stream.paused
        clinic.tickets(3)
        await peer.settle()
        assert clinic.agrees(peer, connection)
        assert peer.screen.kinds == ["snapshot", "change"]


async def test_lost_connection_does_not_affect_the_others() -> None:
    async with await opened() as clinic:
        pairs = [await clinic.peer(DESK, EVENTS) for _ in range(5)]
        pairs[2][0].socket.close()
        clinic.tickets()
        clinic.tickets()
        for index, (peer, connection) in enumerate(pairs):
            if index != 2:
                await peer.settle()
                assert clinic.agrees(peer, connection)
        await asyncio.sleep(0.05)
        assert clinic.left == [pairs[2][1].stream]


async def test_reused_descriptor_is_never_written_to() -> None:
    """A lost connection holds no descriptor: the next file of the same number stays empty."""
    async with await opened() as clinic:
        stay, stay_connection = await clinic.peer(DESK, EVENTS)
        gone, gone_connection = await clinic.peer(DESK, EVENTS)
        number = gone_connection.descriptor
        gone_connection.abort()
        await asyncio.sleep(0.05)
        assert gone_connection.descriptor == -1
        with tempfile.TemporaryFile() as file:
            again = file.fileno() == number  # the kernel may give this number to the next file
            if not again:
                os.dup2(file.fileno(), number)
            try:
                for _ in range(3):
                    clinic.tickets()
                    gone_connection.heartbeat()
                    gone_connection.reply(b"x")
                gone_connection.stream.end("drain")
                assert os.fstat(number).st_size == 0
            finally:
                if not again:
                    os.close(number)
        await stay.settle()
        assert clinic.agrees(stay, stay_connection)
        gone.socket.close()


@pytest.mark.parametrize(("framing", "last"), [("chunks", b"0\r\n\r\n"), ("raw", b"\n\n"), ("frames", b"drain")])
async def test_stream_ends_with_a_bye_in_each_framing(framing: str, last: bytes) -> None:
    async with await opened() as clinic:
        peer, connection = await clinic.peer(DESK, FRAMINGS[framing])
        connection.stream.end("drain")
        connection.stream.end("age")  # the first reason remains
        clinic.tickets()
        while await peer.read():
            pass
        assert peer.byes == ["drain"]
        assert peer.screen.kinds == ["snapshot", "bye"]
        assert peer.raw.endswith(last)
        assert peer.codes == ([3000] if framing == "frames" else [])
        assert clinic.left == [connection.stream]
        assert not connection.stream.cut


async def test_reader_stalled_too_long_is_aborted() -> None:
    async with await opened(stalled=0.2, heartbeat=0.4) as clinic:
        clinic.tickets(200)
        peer, connection = await clinic.peer(DESK, EVENTS, buffer=4096)
        async with asyncio.timeout(30):
            while not clinic.left:  # noqa: ASYNC110 - the connection has no event to wait for
                await asyncio.sleep(0.01)
        assert connection.stream.cut
        assert connection.stream.ending == "slow"
        assert not connection.stream.paused
        peer.socket.close()


async def test_reader_stalled_at_the_end_is_aborted_after_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYE_SECONDS", 0.1)
    async with await opened(heartbeat=0.4) as clinic:
        clinic.tickets(200)
        peer, connection = await clinic.peer(DESK, EVENTS, buffer=4096)
        connection.stream.end("drain")
        async with asyncio.timeout(30):
            while not clinic.left:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert connection.stream.ending == "drain"
        peer.socket.close()


async def test_reader_that_continues_in_time_gets_the_bye() -> None:
    async with await opened() as clinic:
        clinic.tickets(200)
        peer, connection = await clinic.peer(DESK, EVENTS, buffer=4096)
        connection.stream.end("drain")
        while await peer.read():
            pass
        assert peer.screen.kinds == ["snapshot", "bye"]
        assert not connection.stream.cut


async def test_heartbeats_carry_the_digest_and_are_spread() -> None:
    """Every connection gets one heartbeat in each turn of the wheel, not all at one moment."""
    async with await opened(heartbeat=0.4) as clinic:
        pairs = [await clinic.peer(DESK, framing) for framing in FRAMINGS.values() for _ in range(6)]
        assert len({connection.slot for _, connection in pairs}) > 1
        async with asyncio.timeout(30):
            for peer, _ in pairs:
                while peer.screen.beats < 3:  # the screen checks each digest
                    await peer.read()
        clinic.tickets()
        for peer, connection in pairs:
            await peer.settle(0.01)
            assert digest(peer.screen.cells) == connection.stream.projection.digest


async def test_old_connection_ends_with_reason_age() -> None:
    async with await opened(heartbeat=0.4) as clinic:
        peer, connection = await clinic.peer(DESK, EVENTS)
        connection.ends_at = time.monotonic()
        while await peer.read():
            pass
        assert peer.byes == ["age"]


async def test_other_epoch_is_a_snapshot_for_all() -> None:
    async with await opened() as clinic:
        pairs = [await clinic.peer(DESK, framing) for framing in FRAMINGS.values()]
        clinic.world.renew("e2")
        await clinic.feed.load()
        for peer, connection in pairs:
            await peer.settle()
            assert peer.screen.kinds == ["snapshot", "snapshot"]
            assert clinic.agrees(peer, connection)


async def test_finished_stream_sends_the_last_change_and_ends() -> None:
    async with await opened(heartbeat=0.4) as clinic:
        visit_id = min(clinic.world.board.visits)
        peer, connection = await clinic.peer(TicketView(visit_id), FRAMES)
        connection.stream.finish(clinic.feed.seq + 1)
        clinic.do(lambda: clinic.world.call(min(clinic.world.board.points)))
        while not peer.byes and await peer.read():
            pass
        assert [kind for kind in peer.screen.kinds if kind != "heartbeat"] == ["snapshot", "change", "bye"]
        assert peer.byes == ["ended"]
        assert peer.screen.cells["ticket"]["state"] == "called"


@pytest.mark.parametrize("seed", range(4))
async def test_every_screen_shows_the_truth_during_a_random_day(seed: int) -> None:
    """Tickets, displays and desks come and go in every framing, some of them slow: all show the truth."""
    chance = random.Random(seed)
    async with await opened() as clinic:
        board = clinic.world.board
        points = sorted(board.points)
        pairs: list[tuple[Peer, HandedOffConnection]] = []

        async def another() -> None:
            views: list[View] = [DESK, DisplayView(), *map(TicketView, board.visits)]
            view = chance.choice(views)
            framing = chance.choice(list(FRAMINGS.values()))
            pairs.append(await clinic.peer(view, framing, buffer=chance.choice((None, 4096))))

        for _ in range(12):
            await another()
        for _ in range(60):
            match chance.randrange(6):
                case 0 | 1:
                    clinic.tickets(chance.randrange(1, 4))
                case 2:
                    point_id = chance.choice(points)
                    if board.entry_at(point_id) is None and next_for(board, board.points[point_id]) is not None:
                        clinic.do(lambda point_id=point_id: clinic.world.call(point_id))  # type: ignore[misc]
                case 3:
                    entry = board.entry_at(chance.choice(points))
                    if entry is not None and entry.state == "called":
                        step = chance.choice((Start, NoShow))
                        clinic.do(lambda step=step, entry=entry: clinic.world.do(step(entry_id=entry.id)))  # type: ignore[misc]
                case 4:
                    await another()
                case 5:
                    peer, connection = pairs.pop(chance.randrange(len(pairs)))
                    peer.socket.close()
            if chance.random() < 0.3:
                await chance.choice(pairs)[0].settle(0.002)
        for peer, connection in pairs:
            await peer.settle(0.1)
            assert clinic.agrees(peer, connection), (connection.stream.view_kind, connection.framing)
            peer.socket.close()


@pytest.mark.parametrize("drawn", [False, True], ids=["moved", "drawn"])
@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
async def test_ticket_changes_reach_patients_while_others_stall_or_disconnect(framing: Framing, drawn: bool) -> None:
    """Of thousands of tickets that move, or that are drawn again after a change to their queue."""
    async with await opened(heartbeat=2) as clinic:
        clinic.tickets(40)
        point = min(clinic.world.board.points)
        names = map(str, itertools.count())

        def move() -> None:
            if drawn:
                clinic.world.do(ChangeQueue(queue_id=clinic.queue_id, name=f"Queue {next(names)}"))
            else:
                clinic.world.do(NoShow(entry_id=clinic.world.call(point).id))

        last = sorted(clinic.world.board.visits)[-4:]
        (slow, slow_connection), (gone, gone_connection), (quick, quick_connection), (other, other_connection) = [
            await clinic.peer(TicketView(visit_id), framing, buffer=4096 if index == 0 else None)
            for index, visit_id in enumerate(last)
        ]
        moves = 0
        while not slow_connection.stream.paused:
            clinic.do(move)
            await quick.settle(0.001)
            await other.settle(0.001)
            moves += 1
            assert moves < 30, "it never stalls"
            if moves == 3:
                gone.socket.close()
        for _ in range(3):
            clinic.do(move)
        for peer, connection in ((quick, quick_connection), (other, other_connection), (slow, slow_connection)):
            await peer.settle(0.2)
            assert clinic.agrees(peer, connection)
        assert slow.screen.kinds.count("change") < moves + 3, "its missed changes came as one"
        assert quick.screen.kinds.count("change") == moves + 3
        assert clinic.left == [gone_connection.stream]


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
async def test_messages_of_all_drawn_tickets_are_built_before_the_first_is_written(
    framing: Framing, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def noted(step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            steps.append(step)
            return function(*arguments)

        return call

    async with await opened() as clinic:
        peers = [await clinic.peer(TicketView(visit_id), framing) for visit_id in clinic.world.board.visits]
        monkeypatch.setattr(os, "write", noted("write", os.write))
        monkeypatch.setattr(type(framing), "frame", noted("build", type(framing).frame))
        clinic.do(lambda: clinic.world.do(ChangeQueue(queue_id=clinic.queue_id, name="Renamed")))
        monkeypatch.undo()
        assert steps == ["build"] * len(peers) + ["write"] * len(peers)
        assert len(peers) > 1
        for peer, connection in peers:
            await peer.settle()
            assert clinic.agrees(peer, connection)
            assert peer.screen.kinds == ["snapshot", "change"]


async def test_ticket_count_has_the_same_bytes_as_any_change() -> None:
    """A message that is built for thousands at once equals the message for one."""
    async with await opened() as clinic:
        visit_id = max(clinic.world.board.visits)
        for framing in FRAMINGS.values():
            peer, connection = await clinic.peer(TicketView(visit_id), framing)
            await peer.settle()
            before, seq = len(peer.raw), clinic.feed.seq
            clinic.do(lambda: clinic.world.call(min(clinic.world.board.points)))
            await peer.settle()
            assert peer.raw[before:] == framing.frame(connection.stream.projection.change_since(seq))
            guest = clinic.world.board.entry_at(min(clinic.world.board.points))
            assert guest is not None
            clinic.do(lambda guest=guest: clinic.world.do(NoShow(entry_id=guest.id)))  # type: ignore[misc]
            peer.socket.close()
            await asyncio.sleep(0.02)
