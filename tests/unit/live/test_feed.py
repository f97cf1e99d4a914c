"""A site's feed: it ends with the truth, whether events arrive in order, repeatedly or not at all; and its pace."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.board import Board
from server.domain.commands import AddDisplay, ChangeDisplay, Command, IssueTicket
from server.domain.errors import Unavailable
from server.domain.events import Recorded
from server.domain.views import AppointmentView, CalendarView, DeskView, DisplayView, TicketView, View
from server.domain.watching import Watch
from server.live import feed as module
from server.live import messages
from server.live.feed import Feed
from server.live.messages import Position
from server.live.projection import Projection, stamped
from tests.support.bookings import a_clinic, booked_days, do_step, next_date
from tests.support.bookings import views_of as booking_views
from tests.support.extent import examples
from tests.support.message_screen import Screen, digest
from tests.support.worlds import SITE_ID, Head, LogLoader, Step, facts, head_of, open_sealed, perform, scripts, small_clinic
from tests.unit.live.projections import a_feed, catch_up, cells_of, check_projection, some_events
from tests.unit.live.simulated_time import SimulatedTimeLoop

DESK = DeskView(open_sealed)
PACE = 0.05


@examples(150)
@given(scripts(15), scripts(25), st.booleans(), st.data())
async def test_feed_ends_with_the_truth_after_any_order_repeat_or_loss(
    before: list[Step], after: list[Step], restored: bool, data: st.DataObject
) -> None:
    world = small_clinic()
    for step in before:
        perform(world, step)
    loader = LogLoader(world)
    feed = Feed(SITE_ID, loader)
    await feed.load()
    displays = map(DisplayView, world.board.displays)
    views: list[View] = [DESK, DisplayView(), *displays, *map(TicketView, list(world.board.visits)[:2]), TicketView(5)]
    screens = [Screen() for _ in views]
    lazy = [Screen() for _ in views]  # these catch up only at the start and at the end
    for screen, view in zip([*screens, *lazy], views * 2, strict=True):
        catch_up(screen, feed.projection(view))
    begun = len(world.log)
    for step in after:
        perform(world, step)
    fresh = world.log[begun:]
    if restored:
        world.renew("e2")
    chance = random.Random(data.draw(st.integers(0, 2**32)))
    offered = [event for event in fresh for _ in range(chance.choice((0, 1, 1, 1, 2)))]
    match data.draw(st.sampled_from(["in order", "nearly", "any order"])):
        case "nearly":
            offered.sort(key=lambda each: each.seq + chance.randrange(4))
        case "any order":
            chance.shuffle(offered)
    size = data.draw(st.integers(1, 4))
    for at in range(0, len(offered), size):
        feed.offer(chance.choice(("e1", "e2")) if restored else "e1", offered[at : at + size])
        assert begun <= feed.seq <= len(world.log)
        reader = chance.randrange(len(views) + 1)
        if reader < len(views):
            projection = feed.projection(views[reader])
            catch_up(screens[reader], projection)
            assert screens[reader].cells == cells_of(projection)
    await feed.check(head_of(world))
    assert feed.seq == world.board.site.seq
    for screen, view in zip([*screens, *lazy], views * 2, strict=True):
        projection = feed.projection(view)
        check_projection(projection, await loader.board(SITE_ID))
        catch_up(screen, projection)
        assert screen.cells == cells_of(projection)
        assert digest(screen.cells) == projection.digest
    feed.close()


@examples(60)
@given(scripts(40))
async def test_events_in_order_cause_no_further_reads(script: list[Step]) -> None:
    """On the common path every change is shown at once, and no row of the database is read for it."""
    world = small_clinic()
    loader = LogLoader(world)
    feed = Feed(SITE_ID, loader)
    await feed.load()
    desk, display = feed.projection(DeskView(open_sealed)), feed.projection(DisplayView())
    for step in script:
        feed.offer("e1", perform(world, step))
        check_projection(desk, world.board)
        check_projection(display, world.board)
    assert (loader.boards_read, loader.logs_read) == (1, 0)


async def test_gap_is_filled_from_the_log_after_a_moment() -> None:
    world = small_clinic()
    feed, loader = await a_feed(world)
    first, second, third = some_events(world)
    feed.offer("e1", [first])
    feed.offer("e1", [third])
    assert feed.seq == first.seq  # never past a gap
    await asyncio.sleep(module.GRACE_SECONDS / 2)
    assert loader.logs_read == 0  # it may still come
    async with asyncio.timeout(2):
        while feed.seq < third.seq:  # noqa: ASYNC110 - a feed has no event to wait for
            await asyncio.sleep(0.01)
    assert (loader.boards_read, feed.backfills) == (1, 1)
    assert second.seq < feed.seq
    feed.close()


async def test_gap_that_closes_by_itself_causes_no_read() -> None:
    world = small_clinic()
    feed, loader = await a_feed(world)
    first, second, third = some_events(world)
    for event in (third, second, first):
        feed.offer("e1", [event])
    assert feed.seq == third.seq
    await asyncio.sleep(module.GRACE_SECONDS * 2)
    assert loader.logs_read == 0
    feed.close()


async def test_gap_waits_for_the_next_check_while_the_database_is_unavailable() -> None:
    world = small_clinic()
    feed, loader = await a_feed(world)
    events = some_events(world)
    loader.error = Unavailable()
    feed.offer("e1", events[1:])
    await asyncio.sleep(module.GRACE_SECONDS * 2)
    assert feed.seq == events[0].seq - 1
    with pytest.raises(Unavailable):
        await feed.check(head_of(world))
    assert feed.seq == events[0].seq - 1
    loader.error = None
    await feed.check(head_of(world))
    assert feed.seq == events[-1].seq
    feed.close()


async def test_close_cancels_the_wait_for_a_gap() -> None:
    world = small_clinic()
    feed, loader = await a_feed(world)
    feed.offer("e1", some_events(world)[1:])
    feed.close()
    await asyncio.sleep(module.GRACE_SECONDS * 2)
    assert loader.logs_read == 0
    Feed(SITE_ID, loader).close()  # nothing to end


async def test_equal_head_causes_no_read() -> None:
    world = small_clinic()
    feed, loader = await a_feed(world)
    await feed.check(head_of(world))
    assert (loader.boards_read, loader.logs_read) == (1, 0)


async def test_check_finds_a_lost_event() -> None:
    world = small_clinic()
    feed, loader = await a_feed(world)
    projection = feed.projection(DeskView(open_sealed))
    some_events(world)
    await feed.check(head_of(world))
    check_projection(projection, world.board)
    assert (loader.boards_read, feed.backfills) == (1, 1)


async def test_check_and_backfill_do_nothing_before_the_load() -> None:
    world = small_clinic()
    loader = LogLoader(world)
    feed = Feed(SITE_ID, loader)
    await feed.check(Head(99, "e9"))
    await feed.backfill()
    assert (feed.seq, loader.boards_read, loader.logs_read) == (0, 0, 0)


async def test_events_offered_during_the_first_load_are_applied_after_it() -> None:
    world = small_clinic()
    loader = LogLoader(world)
    loader.gate.clear()
    feed = Feed(SITE_ID, loader)
    loading = asyncio.create_task(feed.load())
    await asyncio.sleep(0)
    assert loader.boards_read == 1
    feed.offer("e1", some_events(world))  # after the board was read, before it arrived
    loader.gate.set()
    await loading
    assert feed.seq == world.board.site.seq
    check_projection(feed.projection(DeskView(open_sealed)), world.board)
    assert loader.logs_read == 0


# Other histories


@pytest.mark.parametrize("heard_by", ["offer", "check"])
async def test_other_epoch_reloads_the_feed_and_every_screen_gets_a_snapshot(heard_by: str) -> None:
    world = small_clinic()
    some_events(world)
    feed, loader = await a_feed(world)
    projection = feed.projection(DeskView(open_sealed))
    woken: list[int] = []
    projection.watchers["me"] = lambda: woken.append(projection.seq)
    screen = Screen()
    catch_up(screen, projection)
    other = small_clinic()  # a shorter history, as after a restore
    other.renew("e2")
    loader.worlds[SITE_ID] = other
    if heard_by == "check":
        await feed.check(head_of(other))
    else:
        other.ticket(min(other.board.queues))
        for _ in range(6):
            other.ticket(min(other.board.queues))
        feed.offer("e2", other.log[-1:])
        await feed.backfill()
    assert loader.boards_read == 2
    assert woken == [other.board.site.seq]
    assert screen.position is not None
    assert not projection.can_resume(screen.position)
    catch_up(screen, projection)
    assert screen.kinds == ["snapshot", "snapshot"]
    assert screen.position == Position("e2", stamped(DeskView.shape), other.board.site.seq)
    check_projection(projection, other.board)
    feed.close()


async def test_head_below_the_feeds_own_is_another_history() -> None:
    world = small_clinic()
    some_events(world)
    feed, loader = await a_feed(world)
    projection = feed.projection(DisplayView())
    before = projection.position
    loader.worlds[SITE_ID] = shorter = small_clinic()
    await feed.check(head_of(shorter))
    assert loader.boards_read == 2
    check_projection(projection, shorter.board)
    # The same numbers now name other events: a screen at one of them needs a snapshot.
    while feed.seq <= before.seq:
        feed.offer(shorter.board.site.epoch, [some_events(shorter)[0]])
        await feed.check(head_of(shorter))
    assert not projection.can_resume(before)
    check_projection(projection, shorter.board)


async def test_first_feed_to_notice_renames_the_history() -> None:
    world = small_clinic()
    some_events(world)
    (one, loader), other = await a_feed(world), Feed(SITE_ID, LogLoader(), flush_seconds=0)
    other._loader = loader
    await other.load()
    loader.worlds[SITE_ID] = shorter = small_clinic()
    head = head_of(shorter)
    for feed in (one, other):
        await feed.check(head)
    assert shorter.board.site.epoch == "e1+"
    assert one.position == other.position


async def test_events_of_another_epoch_are_not_applied() -> None:
    """The events of a foreign history have the next numbers, and must not be applied."""
    world = small_clinic()
    feed, loader = await a_feed(world)
    projection = feed.projection(DeskView(open_sealed))
    foreign = small_clinic()
    for _ in range(3):
        foreign.ticket(max(foreign.board.queues))
    feed.offer("e0", foreign.log[-3:])
    assert feed.seq == world.board.site.seq
    for event in some_events(world):
        feed.offer("e1", [event])
        assert feed.seq == event.seq
    check_projection(projection, world.board)
    await feed.check(head_of(world))
    check_projection(projection, world.board)
    assert loader.logs_read == 0
    feed.close()


async def test_head_read_before_a_commit_is_not_another_history() -> None:
    world = small_clinic()
    feed, loader = await a_feed(world)
    seen = feed.position
    head = head_of(world)  # read from the database ...
    feed.offer("e1", world.do(IssueTicket(queue_id=min(world.board.queues))))  # ... then a commit is shown here ...
    await feed.check(head, seen)  # ... then they are compared
    assert loader.boards_read == 1


async def test_reload_applies_events_offered_meanwhile() -> None:
    world = small_clinic()
    feed, loader = await a_feed(world)
    loader.gate.clear()
    world.renew("e2")
    check = asyncio.create_task(feed.check(head_of(world)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert loader.boards_read == 2
    feed.offer("e2", world.do(IssueTicket(queue_id=min(world.board.queues))))
    loader.gate.set()
    await check
    assert feed.seq == world.board.site.seq


# Projections of a feed


async def test_views_of_one_name_share_a_projection() -> None:
    world = small_clinic()
    feed, _ = await a_feed(world)
    assert feed.projection(DisplayView()) is feed.projection(DisplayView())
    assert feed.projection(TicketView(1)) is feed.projection(TicketView(1))
    assert feed.projection(TicketView(1)) is not feed.projection(TicketView(2))


async def test_displays_with_equal_choices_share_a_projection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change is encoded once for all displays of the whole site, and once for each different choice."""
    world = small_clinic()
    for number in range(9):
        world.do(AddDisplay(site_id=SITE_ID, name=f"Hall {number}"))
    feed, _ = await a_feed(world)
    displays, (queue_id, *_) = list(world.board.displays), sorted(world.board.queues)
    encoded = 0

    def counted(cell: Mapping[str, Any]) -> bytes:
        nonlocal encoded
        encoded += 1
        return encode(cell)

    def encoded_by(command: Command) -> int:
        nonlocal encoded
        encoded = 0
        feed.offer("e1", world.do(command))
        return encoded

    encode = messages.encode
    monkeypatch.setattr(messages, "encode", counted)
    ticket = IssueTicket(queue_id=queue_id)
    whole = feed.projection(DisplayView(displays[0]))
    by_one = encoded_by(ticket)
    assert {id(feed.projection(DisplayView(each))) for each in (*displays, None)} == {id(whole)}
    assert encoded_by(ticket) == by_one > 0
    for display_id in displays[:2]:
        feed.offer("e1", world.do(ChangeDisplay(display_id=display_id, queue_ids=(queue_id,))))
    chosen, equal, other = (feed.projection(DisplayView(each)) for each in displays[:3])
    assert chosen is equal
    assert other is whole
    assert chosen.position.shape != whole.position.shape


async def test_projection_is_forgotten_when_nobody_watches() -> None:
    world = small_clinic()
    feed, _ = await a_feed(world)
    projection = feed.projection(TicketView(1))
    projection.watchers["me"] = lambda: None
    assert feed.watched
    feed.forget(projection)
    assert feed.projection(TicketView(1)) is projection
    projection.watchers.clear()
    assert not feed.watched
    feed.forget(projection)
    assert feed.projection(TicketView(1)) is not projection


async def test_only_changed_views_are_woken() -> None:
    world = small_clinic()
    queue_id, point = min(world.board.queues), min(world.board.points)
    mine = world.ticket(queue_id)
    world.ticket(queue_id)
    feed, _ = await a_feed(world)
    woken: list[str] = []
    for view in (DeskView(open_sealed), DisplayView(), TicketView(mine.visit_id)):
        projection = feed.projection(view)
        projection.watchers[view.name] = lambda name=view.name: woken.append(name)  # type: ignore[misc]
    begun = len(world.log)
    world.call(point)
    feed.offer("e1", world.log[begun:])
    assert woken == ["desk", "display", f"ticket:{mine.visit_id}"]
    woken.clear()
    begun = len(world.log)
    world.ticket(sorted(world.board.queues)[-1])
    feed.offer("e1", world.log[begun:])
    assert woken == ["desk", "display"]
    ticket = feed.projection(TicketView(mine.visit_id))
    assert (ticket.seq, ticket.changed_at) == (len(world.log), len(world.log) - 1)


async def test_burst_wakes_a_watcher_once() -> None:
    world = small_clinic()
    feed, _ = await a_feed(world)
    woken: list[int] = []
    projection = feed.projection(DeskView(open_sealed))
    projection.watchers["me"] = lambda: woken.append(projection.seq)
    feed.offer("e1", some_events(world, 10))
    assert woken == [len(world.log)]


# Pace


class PacedFeed:
    """A paced feed, and the times of its flushes."""

    def __init__(self) -> None:
        self.world = small_clinic()
        self.feed = Feed(SITE_ID, LogLoader(self.world), flush_seconds=PACE)
        self.flushed: list[float] = []

    async def open(self) -> Projection:
        await self.feed.load()
        projection = self.feed.projection(DESK)
        flush = self.feed.flush

        def noted() -> None:
            self.flushed.append(time.monotonic())
            flush()

        self.feed.flush = noted  # type: ignore[method-assign]  # the begin of a flush: its duration depends on the machine
        return projection

    def ticket(self) -> int:
        """Issue a ticket, and return its visit."""
        begun = len(self.world.log)
        visit_id = self.world.ticket(min(self.world.board.queues)).visit_id
        self.feed.offer("e1", self.world.log[begun:])
        return visit_id


async def test_quiet_site_is_flushed_at_once() -> None:
    paced = PacedFeed()
    projection = await paced.open()
    for _ in range(3):
        paced.ticket()
        assert projection.seq == paced.feed.seq, "before anything else could run"
        await asyncio.sleep(PACE * 1.5)
    assert len(paced.flushed) == 3


async def test_burst_is_flushed_together_and_loses_nothing() -> None:
    paced = PacedFeed()
    projection = await paced.open()
    screen = Screen()
    screen.hear(projection.snapshot(1, 0))
    began = time.monotonic()
    while time.monotonic() - began < PACE * 6:
        paced.ticket()
        await asyncio.sleep(0.001)
    tickets = len(paced.world.board.visits)
    await asyncio.sleep(module.LONGEST_FLUSH_SECONDS)
    assert projection.seq == paced.feed.seq == paced.world.board.site.seq
    assert 6 <= len(paced.flushed) <= 8
    assert len(paced.flushed) < tickets
    assert all(later - earlier >= PACE * 0.99 for earlier, later in pairwise(paced.flushed))
    assert screen.position is not None
    screen.hear(projection.change_since(screen.position.seq))
    fresh = Projection(DESK, paced.world.loaded())
    assert digest(screen.cells) == projection.digest == fresh.digest
    paced.feed.close()


async def test_costly_flushes_are_less_frequent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause after a flush is four times its cost."""
    paced = PacedFeed()
    await paced.open()
    follow = Projection.follow
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedTimeLoop)

    def slowly(projection: Projection, board: Board, changed: set[str]) -> bool:
        loop.pass_seconds(0.03)
        return follow(projection, board, changed)

    monkeypatch.setattr(Projection, "follow", slowly)
    began = time.monotonic()
    while time.monotonic() - began < 0.7:
        paced.ticket()
        await asyncio.sleep(0.002)
    assert len(paced.flushed) >= 3
    spaces = [later - earlier for earlier, later in pairwise(paced.flushed)]
    assert min(spaces) >= 0.03 * module.FLUSH_COSTS * 0.99, spaces
    paced.feed.close()


async def test_view_drawn_between_two_flushes_is_true_for_its_own_number() -> None:
    """A view that is drawn between two flushes is ahead of the others for a moment."""
    paced = PacedFeed()
    desk = await paced.open()
    paced.ticket()
    paced.ticket()
    late = paced.feed.projection(DisplayView())
    assert desk.seq < late.seq == paced.feed.seq
    await asyncio.sleep(module.LONGEST_FLUSH_SECONDS)
    assert desk.seq == late.seq
    assert late.digest == Projection(DisplayView(), paced.world.loaded()).digest


async def test_ticket_drawn_between_two_flushes_claims_nothing_for_others() -> None:
    """Tickets share one number, but a ticket that was drawn later has a number of its own."""
    paced = PacedFeed()
    await paced.open()
    mine, yours = paced.ticket(), paced.ticket()
    await asyncio.sleep(module.LONGEST_FLUSH_SECONDS)
    early = paced.feed.projection(TicketView(mine))
    paced.ticket()
    paced.ticket()  # not flushed yet
    late = paced.feed.projection(TicketView(yours))
    assert early.seq < late.seq == paced.feed.seq
    await asyncio.sleep(module.LONGEST_FLUSH_SECONDS)
    assert early.seq == late.seq == paced.feed.seq
    for projection, visit_id in ((early, mine), (late, yours)):
        assert projection.digest == Projection(TicketView(visit_id), paced.world.loaded()).digest
    paced.feed.close()


async def test_flush_on_demand_brings_views_up_to_the_board() -> None:
    paced = PacedFeed()
    projection = await paced.open()
    paced.ticket()
    paced.ticket()
    assert projection.seq < paced.feed.seq
    paced.feed.flush()
    assert projection.seq == paced.feed.seq
    paced.feed.close()


# Watched appointments


async def shown(feed: Feed, view: View) -> Projection:
    """Return the projection of a view that somebody watches from now on."""
    async with feed.showing(view):
        projection = feed.projection(view)
        projection.watchers["me"] = lambda: None
    return projection


def leave(feed: Feed, projection: Projection) -> None:
    projection.watchers.clear()
    feed.forget(projection)


def watched_by(view: View) -> list[Watch]:
    return [view.watch] if isinstance(view, CalendarView | AppointmentView) else []


@examples(120)
@given(booked_days(12), booked_days(40), st.booleans(), st.data())
async def test_watched_appointments_are_those_of_the_rows_after_any_order_or_loss(
    before: list[Step], after: list[Step], restored: bool, data: st.DataObject
) -> None:
    """Screens come and go meanwhile, and the rows of a new one are read while events arrive."""
    clinic = a_clinic()
    for step in before:
        do_step(clinic, step)
    loader = LogLoader(clinic)
    feed = Feed(SITE_ID, loader)
    await feed.load()
    chance = random.Random(data.draw(st.integers(0, 2**32)))
    views = booking_views(clinic)
    opening: dict[str, asyncio.Task[Projection]] = {}
    screens: dict[str, tuple[Projection, Screen]] = {}
    offered: list[Recorded] = []

    async def arrive() -> None:
        loader.gate.set()
        for name, task in opening.items():
            screens[name] = (await task, Screen())
        opening.clear()

    for view in chance.sample(views, chance.randrange(3)):
        opening[view.name] = asyncio.create_task(shown(feed, view))
    await arrive()
    for step in after:
        offered += [event for event in do_step(clinic, step) for _ in range(chance.choice((0, 1, 1, 1, 2)))]
        if restored and chance.random() < 0.05:
            clinic.renew(f"{clinic.board.site.epoch}+")
        if chance.random() < 0.3:
            chance.shuffle(offered)
        if chance.random() < 0.6:
            feed.offer(clinic.board.site.epoch, offered)
            offered.clear()
        match chance.randrange(6):
            case 0:
                await arrive()
            case 1 if len(screens) + len(opening) < len(views):
                loader.gate.clear()
                view = chance.choice([each for each in views if each.name not in {*screens, *opening}])
                opening[view.name] = asyncio.create_task(shown(feed, view))
                await asyncio.sleep(0)
            case 2 if screens:
                leave(feed, screens.pop(chance.choice(sorted(screens)))[0])
            case 3 if screens:
                projection, screen = screens[chance.choice(sorted(screens))]
                catch_up(screen, projection)
                assert screen.cells == cells_of(projection)
    await arrive()
    await feed.check(head_of(clinic))
    assert feed.seq == clinic.board.site.seq
    for projection, screen in screens.values():
        check_projection(projection, await loader.board(SITE_ID, watched_by(projection.view)))
        catch_up(screen, projection)
        assert screen.cells == cells_of(projection)
        assert digest(screen.cells) == projection.digest
        leave(feed, projection)
    assert feed.board is not None
    assert facts(feed.board) == facts(await loader.board(SITE_ID)), "nothing of the watched days is left"
    feed.close()


async def test_reload_keeps_the_watched_days_and_no_others() -> None:
    """The screen of one day closes while the board of another history is read."""
    clinic = a_clinic()
    today, later = clinic.board.site.business_day, next_date(clinic.board.site.business_day)
    feed, loader = await a_feed(clinic)
    stays = await shown(feed, CalendarView(later, 1, open_sealed))
    goes = await shown(feed, CalendarView(next_date(today, 3), 1, open_sealed))
    clinic.book(f"{next_date(today, 3)}T10:00")
    clinic.renew("e2")
    loader.gate.clear()
    reload = asyncio.create_task(feed.check(head_of(clinic)))
    await asyncio.sleep(0)
    leave(feed, goes)
    loader.gate.set()
    await reload
    check_projection(stays, await loader.board(SITE_ID, watched_by(stays.view)))
    assert feed.board is not None
    assert {each.local_start[:10] for each in feed.board.appointments.values()} == {later}
    leave(feed, stays)
    assert not feed.board.appointments
    feed.close()


async def test_screens_of_one_day_share_one_read() -> None:
    clinic = a_clinic()
    feed, loader = await a_feed(clinic)
    view = CalendarView(next_date(clinic.board.site.business_day), 7, open_sealed)
    loader.gate.clear()
    opening = [asyncio.create_task(shown(feed, view)) for _ in range(5)]
    opening.append(asyncio.create_task(shown(feed, DeskView(open_sealed))))
    await asyncio.sleep(0)
    loader.gate.set()
    projections = await asyncio.gather(*opening)
    assert len({id(each) for each in projections}) == 2
    assert loader.appointments_read == 1
    feed.close()


async def test_unavailable_database_leaves_no_watch_behind() -> None:
    clinic = a_clinic()
    feed, loader = await a_feed(clinic)
    view = CalendarView(next_date(clinic.board.site.business_day), 1, open_sealed)
    loader.error = Unavailable()
    with pytest.raises(Unavailable):
        await shown(feed, view)
    assert not feed._watches.all()
    loader.error = None
    projection = await shown(feed, view)
    check_projection(projection, await loader.board(SITE_ID, watched_by(view)))
    feed.close()
