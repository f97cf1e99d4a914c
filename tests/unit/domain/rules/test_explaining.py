"""The words about waits: causes of moved ranges, when a patient may leave, and how late a queue runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain.commands import (
    AddDisplay,
    AddKiosk,
    BreakPoint,
    CallNext,
    ClosePoint,
    Complete,
    Leave,
    OpenPoint,
    RunningLate,
    Start,
    Tick,
)
from server.domain.errors import NothingDue
from server.domain.events import WaitsExplained, WaitsQuoted
from server.domain.model import Entry, Personal, Priority, Told
from server.domain.rules.explaining import LATE_STEP, LEAST_MOVE, delays_of, explained, shown_delay
from server.domain.rules.quoting import Requoted, newcomers_quotes
from server.domain.views import DeskView, DisplayView, KioskView, TicketView, View, draw
from server.domain.waits import Quote
from tests.support.extent import scaled
from tests.support.worlds import HOUR, MINUTE, SECOND, SITE_ID, Step, World, facts, perform, scripts, small_clinic
from tests.unit.domain.rules.test_booking import Clinic

USUAL = 10 * MINUTE
STEP = 30 * SECOND


class Morning:
    """A clinic of some rooms where services take ten minutes, after days on which each room first called at 8:00."""

    def __init__(self, rooms: int = 1, days: int = 6, open_rooms: int | None = None) -> None:
        self.world = World()
        self.queue = self.world.queue()
        self.points = [self.world.point(self.queue) for _ in range(rooms)]
        self.eight = 0
        self.idle: set[int] = set()
        self.ends: dict[int, int] = {}
        self.length = USUAL
        for _ in range(days):
            self.begin()
            for _ in range(10 * rooms):
                self.ticket()
            self.pass_time(150 * MINUTE, ticks=False)
        self.begin()
        for point in self.points[open_rooms:] if open_rooms else ():
            self.world.do(ClosePoint(point_id=point))
            self.idle.add(point)

    def begin(self) -> None:
        """Begin the next day at half past seven: patients come, and the rooms call from eight on."""
        world = self.world
        world.do(Tick(site_id=SITE_ID), after=world.board.site.turns_at - world.now + SECOND)
        world.now = world.board.site.turns_at - 20 * HOUR - 30 * MINUTE
        self.eight = world.now + 30 * MINUTE
        self.ends.clear()

    def ticket(self, priority: Priority = "standard", after: int = SECOND) -> Entry:
        return self.world.ticket(self.queue, priority, after=after)

    def pass_time(self, length: int, *, ticks: bool = True) -> None:
        """Let the clinic work. The clock ticks each half minute."""
        world, until = self.world, self.world.now + length
        while world.now < until:
            world.now += STEP
            for point in self.points:
                guest = world.board.entry_at(point)
                if guest is not None and world.now >= self.ends[point]:
                    world.do(Complete(entry_id=guest.id), after=0)
                    guest = None
                if guest is None and point not in self.idle and world.now >= self.eight and world.board.waiting(self.queue):
                    world.do(CallNext(point_id=point), after=0)
                    world.do(Start(entry_id=world.board.entry_at(point).id), after=0)  # type: ignore[union-attr]
                    self.ends[point] = world.now + self.length
            if ticks:
                self.tick()

    def tick(self) -> None:
        with suppress(NothingDue):
            self.world.do(Tick(site_id=SITE_ID), after=0)

    def cause(self, entry: Entry) -> str | None:
        told = self.world.entry(entry).last_told
        return None if told is None else told.cause

    def causes(self) -> set[str]:
        """Return all causes that anybody has read today."""
        return {
            word[0]
            for each in self.world.log
            if isinstance(each.event, WaitsExplained) and each.at > self.eight - 30 * MINUTE
            for _, word in each.event.told
            if word and word[0] is not None
        }


def busy_morning(rooms: int = 1, ahead: int = 4, **about: int) -> tuple[Morning, Entry]:
    """Return a clinic at ten past eight, and a patient with others ahead."""
    morning = Morning(rooms, **about)
    for _ in range(ahead + rooms):
        morning.ticket()
    me = morning.ticket()
    morning.pass_time(40 * MINUTE)
    return morning, me


def test_usual_morning_has_no_word() -> None:
    morning, me = busy_morning()
    morning.pass_time(30 * MINUTE)
    assert morning.cause(me) is None
    assert morning.causes() == set()


def test_doctor_who_begins_late_is_the_cause() -> None:
    morning = Morning()
    for _ in range(3):
        morning.ticket()
    me = morning.ticket()
    morning.idle.add(morning.points[0])
    morning.pass_time(50 * MINUTE)  # twenty past eight
    assert morning.cause(me) == "late_start"
    told = morning.world.entry(me).last_told
    assert told is not None
    assert told.point_id == morning.points[0]
    morning.idle.clear()
    morning.pass_time(15 * MINUTE)
    assert morning.causes() == {"late_start"}


@pytest.mark.parametrize("priority", ["emergency", "urgent"])
def test_patient_who_goes_first_is_the_cause(priority: Priority) -> None:
    morning, me = busy_morning()
    morning.ticket(priority)
    morning.pass_time(2 * MINUTE)
    assert morning.cause(me) == ("emergency" if priority == "emergency" else "priority")
    assert morning.causes() == {morning.cause(me)}


def test_break_is_the_cause_with_its_point() -> None:
    morning, me = busy_morning()
    morning.world.do(BreakPoint(point_id=morning.points[0]))
    morning.idle.update(morning.points)
    morning.pass_time(15 * MINUTE)
    told = morning.world.entry(me).last_told
    assert told is not None
    assert (told.cause, told.point_id) == ("break", morning.points[0])
    assert morning.causes() == {"break"}


def test_closed_room_is_the_cause() -> None:
    morning, me = busy_morning(rooms=2, ahead=8)
    morning.pass_time(5 * MINUTE)
    closing = morning.points[1]
    morning.idle.add(closing)
    morning.pass_time(5 * MINUTE)
    morning.world.do(ClosePoint(point_id=closing))
    morning.pass_time(2 * MINUTE)
    assert morning.cause(me) == "fewer_points"
    assert morning.causes() == {"fewer_points"}


def test_opened_room_is_the_cause() -> None:
    morning, me = busy_morning(ahead=8)
    point = morning.world.point(morning.queue)
    morning.world.do(ClosePoint(point_id=point))
    morning.points.append(point)
    morning.idle.add(point)
    morning.pass_time(5 * MINUTE)
    assert morning.causes() == set()
    morning.world.do(OpenPoint(point_id=point))
    morning.idle.clear()
    morning.pass_time(2 * MINUTE)
    assert morning.cause(me) == "more_points"
    assert morning.causes() == {"more_points"}


def test_patients_who_leave_are_the_cause() -> None:
    morning, me = busy_morning(ahead=6)
    for each in morning.world.board.waiting(morning.queue)[:2]:
        morning.world.do(Leave(entry_id=each.entry_id))
    morning.pass_time(2 * MINUTE)
    assert morning.cause(me) == "left"
    assert morning.causes() == {"left"}


def test_long_service_is_the_cause() -> None:
    morning, me = busy_morning(ahead=4)
    morning.ends[morning.points[0]] += HOUR
    morning.pass_time(30 * MINUTE)
    assert morning.cause(me) == "slower"
    assert morning.causes() == {"slower"}


def test_quick_services_are_the_cause() -> None:
    morning, me = busy_morning(ahead=8)
    morning.length = MINUTE
    morning.pass_time(14 * MINUTE)
    assert morning.cause(me) == "quicker"
    assert morning.causes() == {"quicker"}


def test_booked_patients_who_go_first_are_the_cause() -> None:
    """Appointments that were there before are in the range already."""
    clinic = Clinic(capacity=3)
    clinic.at("2024-03-29T09:00")
    for _ in range(4):
        clinic.ticket(clinic.queue_id)
    clinic.call(clinic.point_id)
    me = clinic.ticket(clinic.queue_id)
    for _ in range(3):
        clinic.check_in(clinic.book("2024-03-29T09:15"))
    clinic.do(Tick(site_id=SITE_ID), after=STEP)
    told = clinic.entry(me).last_told
    assert told is not None
    assert told.cause == "booked"


def test_room_that_pauses_without_a_word_is_no_named_cause() -> None:
    """The wait only became longer: nobody said why."""
    morning, me = busy_morning()
    morning.pass_time(9 * MINUTE)
    morning.idle.update(morning.points)
    morning.pass_time(20 * MINUTE)
    assert morning.cause(me) == "later"
    assert morning.causes() == {"later"}


def test_two_causes_of_one_size_are_no_certain_cause() -> None:
    morning, me = busy_morning()
    morning.ticket("emergency")
    morning.ticket("urgent")
    morning.pass_time(MINUTE)
    assert morning.cause(me) == "later"


@pytest.mark.parametrize(("silence", "cause"), [(5, "emergency"), (15, "later"), (25, "later")])
def test_cause_explains_at_least_half_of_the_move(silence: int, cause: str) -> None:
    """An emergency takes ten minutes. Beside a silent room of 25 minutes it is no certain cause of the whole move."""
    morning, me = busy_morning()
    morning.pass_time(10 * MINUTE)
    morning.idle.update(morning.points)
    morning.pass_time(silence * MINUTE, ticks=False)
    before = morning.world.entry(me).expect_until or 0
    morning.ticket("emergency")
    morning.tick()
    now = morning.world.entry(me)
    assert morning.cause(me) == cause
    assert ((now.expect_until or 0) - before <= 2 * USUAL) == (cause == "emergency"), "the emergency explains half"


def explain(world: World, entry: Entry, quote: Quote) -> WaitsExplained | None:
    """Return the words after a quote of our own for an entry."""
    event = WaitsQuoted(quotes=(), more=False)
    return next(explained(world.board, Requoted(event, {entry.id: quote}, {}), world.now), None)


@pytest.mark.parametrize(
    ("width", "move", "is_news"),
    [(8, 4, False), (8, 5, True), (40, 9, False), (40, 10, True), (40, -9, False), (40, -10, True)],
)
def test_move_is_news_from_five_minutes_and_a_quarter_of_the_range_on(width: int, move: int, is_news: bool) -> None:
    morning, me = busy_morning()
    begin = morning.world.now + 60 * MINUTE
    seen = Told(None, None, morning.world.now, begin, begin + width * MINUTE, 4, 1)
    morning.world.board.entries[me.id] = replace(morning.world.entry(me), told=seen.mark())
    found = explain(morning.world, me, Quote(begin, begin + (width + move) * MINUTE, False))
    assert (found is not None and bool(found.told)) == is_news


def test_own_step_begins_a_new_comparison() -> None:
    """A patient who is late, moved or back has caused the move: no word compares with the range before."""
    morning, me = busy_morning()
    morning.world.do(RunningLate(entry_id=me.id, minutes=30))
    morning.pass_time(2 * MINUTE)
    morning.world.do(RunningLate(entry_id=me.id, minutes=0))
    assert morning.world.entry(me).told == ()
    morning.pass_time(2 * MINUTE)
    told = morning.world.entry(me).last_told
    assert told is not None
    assert told.cause is None
    assert (told.expect_from, told.expect_until) == (
        morning.world.entry(me).expect_from,
        morning.world.entry(me).expect_until,
    )


def test_site_with_earlier_servers_gets_quotes_alone() -> None:
    morning, _ = busy_morning()
    morning.ticket("emergency")
    found = morning.world.do(Tick(site_id=SITE_ID, explain=False), after=STEP)
    assert [type(each.event).__name__ for each in found] == ["WaitsQuoted"]


@settings(max_examples=scaled(60, 15), deadline=None)
@given(scripts(60))
def test_word_is_told_only_about_a_range_that_moved(script: list[Step]) -> None:
    """Whatever happens, each word is about a true move in its direction, and the rows follow the log."""
    world = small_clinic()
    for each in script:
        before = dict(world.board.entries)
        for recorded in perform(world, each):
            if isinstance(recorded.event, WaitsExplained):
                for entry_id, word in recorded.event.told:
                    _assert_move(before[entry_id], Told(*word))
    assert facts(world.loaded()) == facts(world.board)


def _assert_move(before: Entry, now: Told) -> None:
    if now.cause is None:
        assert before.told == () or before.quoted_until is None
        return
    assert before.quoted_until is not None
    seen = before.last_told
    until = before.quoted_until if seen is None else seen.expect_until
    assert abs(now.expect_until - until) >= LEAST_MOVE
    if now.cause in ("more_points", "left", "quicker", "earlier"):
        assert now.expect_until < until
    elif seen is None or seen.cause != now.cause:
        assert now.expect_until > until


# Nobody is told "now" while no room calls


@pytest.mark.parametrize("why", ["late", "break", "closed", "silent"])
def test_nobody_is_told_now_while_no_room_calls(why: str) -> None:
    """The expected time begins later than now at each tick, for those who wait and for newcomers, or there is none."""
    morning = Morning() if why == "late" else busy_morning()[0]
    if why == "late":
        morning.ticket()
        morning.pass_time(28 * MINUTE)
    else:
        morning.pass_time(10 * MINUTE)
    morning.idle.update(morning.points)
    morning.pass_time(10 * MINUTE)  # the present patient leaves, and nobody is called
    world = morning.world
    if why == "break":
        world.do(BreakPoint(point_id=morning.points[0]))
    elif why == "closed":
        world.do(ClosePoint(point_id=morning.points[0]))
    for _ in range(30):
        morning.pass_time(2 * MINUTE)
        waiting = [world.board.entries[each.entry_id] for each in world.board.waiting(morning.queue)]
        newcomer = morning.ticket()
        for entry in (*waiting, newcomer):
            assert entry.expect_from is None or entry.expect_from > world.now
        world.do(Leave(entry_id=newcomer.id))


@pytest.mark.parametrize("why", ["late", "break", "closed"])
def test_no_screen_shows_now_while_no_room_calls(why: str) -> None:
    """The patient's page, reception, a display, a kiosk and the page to join show a later time, or none.

    The only room has not begun, is on a break, or has closed. Each screen is drawn as it is told, after every tick.
    """
    morning = Morning()
    world, (point,) = morning.world, morning.points
    world.do(AddDisplay(site_id=SITE_ID, name="Hall"))
    world.do(AddKiosk(site_id=SITE_ID, name="Door"))
    (display,), (kiosk,) = world.board.displays, world.board.kiosks
    patients = [morning.ticket() for _ in range(4)]
    if why != "late":
        morning.pass_time(35 * MINUTE)
    morning.idle.update(morning.points)
    morning.pass_time(15 * MINUTE)
    if why != "late":
        world.do(BreakPoint(point_id=point) if why == "break" else ClosePoint(point_id=point))
    waiting = patients[-1]
    desk = DeskView(lambda _: Personal())
    views: list[View] = [TicketView(waiting.visit_id), desk, DisplayView(display), KioskView(kiosk)]
    shown: Counter[str] = Counter()
    for _ in range(40):
        morning.pass_time(MINUTE)
        assert world.entry(waiting).state == "waiting"
        for view in views:
            found = list(begins(draw(view, world.board)))
            assert all(begin > world.now // 1000 for begin in found), view
            shown[view.kind] += len(found)
        for quote in newcomers_quotes(world.board, world.now).values():
            assert quote is None or quote.expect_from > world.now
            shown["join"] += quote is not None
    if why == "closed":
        assert not shown.total(), "nobody serves the queue, so no screen has a time"
    else:
        assert set(shown) >= {"ticket", "desk", "display", "kiosk", "join"}
        assert all(shown.values()), shown


def begins(cell: Any) -> Iterator[int]:
    """Yield the begins of all expected times of a cell, in milliseconds."""
    if isinstance(cell, dict):
        for name, value in cell.items():
            if name == "expect_from" and value is not None:
                yield value
            else:
                yield from begins(value)
    elif isinstance(cell, (list, tuple)):
        for each in cell:
            yield from begins(each)


# Until when a patient may leave


def test_patient_may_leave_only_if_the_call_is_far_and_the_queue_is_known() -> None:
    known, me = busy_morning(ahead=5)
    leave = known.world.entry(me).leave_until
    assert leave is not None
    assert leave % MINUTE == 0
    assert known.world.now < leave < (known.world.entry(me).expect_from or 0)
    assert known.world.entry(me).quoted_leave is not None
    fresh, me = busy_morning(ahead=5, days=1)
    assert fresh.world.entry(me).leave_until is None, "too few services are known"
    near, me = busy_morning(ahead=0)
    assert near.world.entry(me).leave_until is None


@pytest.mark.parametrize(("services", "minutes", "told"), [(49, 10, False), (50, 10, True), (50, 9, False), (256, 9, False)])
def test_first_time_to_leave_needs_fifty_services_and_ten_minutes(services: int, minutes: int, told: bool) -> None:
    morning, me = busy_morning()
    world, queue = morning.world, morning.world.board.queues[morning.queue]
    world.board.queues[morning.queue] = replace(queue, durations=(USUAL,) * services)
    world.board.entries[me.id] = replace(world.entry(me), leave_until=None, quoted_leave=None)
    found = explain(world, me, leave_after(world, minutes))
    assert (found is not None and found.leaves == ((me.id, world.now + minutes * MINUTE),)) == told


@pytest.mark.parametrize(("minutes", "told"), [(19, 19), (20, 20), (21, 20), (24, 20), (25, 25), (1, 1), (0, None)])
def test_told_instant_becomes_later_from_five_minutes_on(minutes: int, told: int | None) -> None:
    morning, me = busy_morning()
    world = morning.world
    world.board.entries[me.id] = replace(world.entry(me), leave_until=world.now + 20 * MINUTE)
    found = explain(world, me, leave_after(world, minutes))
    if told == 20:
        assert found is None or found.leaves == ()
    else:
        assert found is not None
        assert found.leaves == ((me.id, None if told is None else world.now + told * MINUTE),)


def leave_after(world: World, minutes: int) -> Quote:
    return Quote(world.now + HOUR, world.now + 2 * HOUR, False, leave_until=world.now + minutes * MINUTE)


def test_told_instant_becomes_earlier_at_once_and_later_by_minutes() -> None:
    morning, me = busy_morning(ahead=6)
    first = morning.world.entry(me).quoted_leave
    before = morning.world.entry(me).leave_until
    assert before is not None
    for each in morning.world.board.waiting(morning.queue)[:2]:
        morning.world.do(Leave(entry_id=each.entry_id))
    morning.pass_time(MINUTE)
    earlier = morning.world.entry(me).leave_until
    assert earlier is not None
    assert earlier <= before - 15 * MINUTE
    assert morning.world.entry(me).quoted_leave == first, "the first promise is the one to check"
    changes = [
        each[1]
        for recorded in morning.world.log
        if isinstance(recorded.event, WaitsExplained)
        for each in recorded.event.leaves
        if each[0] == me.id and each[1] is not None
    ]
    assert all(later <= sooner or later >= sooner + 5 * MINUTE for sooner, later in pairwise(changes))


def test_clinic_without_times_to_leave_keeps_those_that_were_told() -> None:
    morning, me = busy_morning(ahead=6)
    world = morning.world
    before = world.entry(me).leave_until
    assert before is not None
    newcomer = morning.ticket()
    for each in world.board.waiting(morning.queue)[:2]:
        world.do(Leave(entry_id=each.entry_id))
    found = world.do(Tick(site_id=SITE_ID, leave=False), after=STEP)
    assert [type(each.event).__name__ for each in found] == ["WaitsQuoted", "WaitsExplained"]
    assert world.now < (world.entry(me).leave_until or 0) < before, "a told time stays, and still becomes earlier"
    assert world.entry(newcomer).leave_until is None
    world.do(Tick(site_id=SITE_ID), after=STEP)
    assert world.entry(newcomer).leave_until is not None


def test_absent_patient_needs_no_time_to_leave() -> None:
    morning, me = busy_morning(ahead=6)
    assert morning.world.entry(me).leave_until is not None
    morning.world.do(RunningLate(entry_id=me.id, minutes=30))
    morning.pass_time(MINUTE)
    assert morning.world.entry(me).leave_until is None


# How late a queue runs


def test_queue_is_late_by_the_median_of_its_booked_patients() -> None:
    clinic = Clinic(capacity=3)
    clinic.at("2024-03-29T08:50")
    waiting = [clinic.check_in(clinic.book(f"2024-03-29T09:{minute:02}")) for minute in (0, 0, 15)]
    shown = []
    for minute in range(40):
        clinic.at(f"2024-03-29T09:{minute:02}")
        with suppress(NothingDue):
            clinic.do(Tick(site_id=SITE_ID), after=0)
        shown.append(clinic.board.queues[clinic.queue_id].late_minutes)
    assert shown[:10] == [0] * 10, "not before ten minutes"
    assert shown[10:15] == [10] * 5
    assert shown[39] == 35
    assert set(shown) == {0, 10, 15, 20, 25, 30, 35}
    for entry in waiting:
        called = clinic.call(clinic.point_id)
        assert called.id == entry.id
        clinic.do(Start(entry_id=called.id))
        clinic.do(Complete(entry_id=called.id))
    assert clinic.board.queues[clinic.queue_id].late_minutes == 35
    assert not clinic.board.anybody_waiting
    clinic.at("2024-03-29T10:12")
    clinic.do(Tick(site_id=SITE_ID), after=0)
    assert clinic.board.queues[clinic.queue_id].late_minutes == 0, "the clock looks again although nobody waits"
    with pytest.raises(NothingDue):
        clinic.do(Tick(site_id=SITE_ID), after=HOUR)
    assert facts(clinic.loaded()) == facts(clinic.board)


def test_queue_without_appointments_and_a_late_check_in_are_not_late() -> None:
    clinic = Clinic()
    booked = clinic.book("2024-03-29T09:00")
    clinic.at("2024-03-29T09:14")
    clinic.check_in(booked)
    clinic.ticket(clinic.queue_id)
    clinic.at("2024-03-29T09:23")
    clinic.do(Tick(site_id=SITE_ID), after=0)
    assert clinic.board.queues[clinic.queue_id].late_minutes == 0
    morning, _ = busy_morning()
    assert morning.world.board.queues[morning.queue].late_minutes == 0


@pytest.mark.parametrize(
    ("shown", "delay", "then"),
    [
        *((0, 10 * MINUTE - 1, 0), (0, 10 * MINUTE, 10), (0, 14 * MINUTE, 10), (0, 15 * MINUTE, 15)),
        *((10, 7 * MINUTE, 10), (10, 7 * MINUTE - 1, 0), (10, 15 * MINUTE - 1, 10), (10, 15 * MINUTE, 15)),
        *((15, 10 * MINUTE + 1, 15), (15, 10 * MINUTE, 10), (20, 8 * MINUTE, 10)),
    ],
)
def test_shown_delay_begins_at_ten_minutes_and_ends_below_seven(shown: int, delay: int, then: int) -> None:
    assert shown_delay(shown, delay) == then


def test_call_of_half_an_hour_ago_no_longer_counts_for_the_delay() -> None:
    clinic = Clinic(capacity=3)
    clinic.at("2024-03-29T08:50")
    clinic.check_in(clinic.book("2024-03-29T09:00"))
    clinic.at("2024-03-29T09:20")
    clinic.call(clinic.point_id)
    called_at = clinic.now
    assert delays_of(clinic.board, called_at + 30 * MINUTE - 1) == {clinic.queue_id: called_at - at_nine(clinic)}
    assert delays_of(clinic.board, called_at + 30 * MINUTE) == {}


def at_nine(clinic: Clinic) -> int:
    return next(each.starts_at for each in clinic.board.appointments_of_the_day())


@given(st.lists(st.integers(-30, 90), min_size=1, max_size=60))
def test_shown_delay_is_a_step_near_the_truth_and_does_not_flicker(minutes: list[int]) -> None:
    shown = 0
    for delay in minutes:
        before, shown = shown, shown_delay(shown, delay * MINUTE)
        assert shown % LATE_STEP == 0
        assert shown == 0 or (shown >= 10 and abs(shown - delay) < 2 * LATE_STEP)
        assert shown or delay < 10
        if before and abs(delay - before) < LATE_STEP and delay >= 7:
            assert shown == before
