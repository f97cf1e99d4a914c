"""The words about waits: causes of moved ranges, when a patient may leave, and how late a queue runs."""

from __future__ import annotations

import pytest

from server.domain.commands import (
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
from server.domain.events import WaitsExplained
from server.domain.model import Entry, Priority
from tests.support.worlds import HOUR, MINUTE, SECOND, SITE_ID, World

USUAL = 10 * MINUTE
STEP = 30 * SECOND


class Morning:
    """A clinic of some rooms where services take ten minutes, after days on which each room first called at 8:00."""

    def __init__(self, rooms: int = 1, days: int = 6, open_rooms: int | None = None) -> None:
        self.world = World()
        self.queue = self.world.queue()
        self.points = [self.world.point(self.queue) for _ in range(rooms)]
        self.idle: set[int] = set()
        self.ends: dict[int, int] = {}
        self.length = USUAL
        for _ in range(days):
            self.begin()
            for _ in range(10 * rooms):
                self.ticket()
            self.pass_time(100 * MINUTE, ticks=False)
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
        try:
            self.world.do(Tick(site_id=SITE_ID), after=0)
        except NothingDue:
            pass

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
    morning, me = busy_morning()
    world = morning.world
    for each in list(world.board.waiting(morning.queue))[:0]:
        world.do(Leave(entry_id=each.entry_id))
    assert world.entry(me).state == "waiting"


def test_room_that_pauses_without_a_word_is_no_named_cause() -> None:
    """The wait only became longer: nobody said why."""
    morning, me = busy_morning()
    morning.pass_time(9 * MINUTE)
    morning.idle.update(morning.points)
    morning.pass_time(20 * MINUTE)
    assert morning.cause(me) == "later"
    assert morning.causes() == {"later"}


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
