"""Keep the habits of a site's staff, for its quotes: first calls, breaks, pauses, and patients who pass others in line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from server.domain.board.board import Board, Changes
from server.domain.calibrating import BEFORE, Kept, after_day
from server.domain.events import Recorded
from server.domain.leaving import Leaves, counted
from server.domain.model import Entry, Habits
from server.domain.model.habits import (
    ARRIVALS_KEPT,
    BOOKINGS_KEPT,
    BREAKS_KEPT,
    DAYS_KEPT,
    GOING_ON,
    MISSED,
    NO_MORE,
    SECOND,
    PointDay,
)

LONGEST_DAY_OF_POINT = 3 + 2 * BREAKS_KEPT
DAY = 86_400 * SECOND
LONGEST_DAY = 26 * 3600 * SECOND  # with the doubled hour
WAITED = 30 * SECOND  # a patient who has waited so long was there before the point could call
LONGEST_PAUSE = 1200 * SECOND  # a longer one is a break that nobody announced
SETTLED = 300 * SECOND  # after so long, a free point no longer pauses from its last patient
GONE = 8  # so many later calls of its patients at other points show that a point's staff had gone home
IN_VAIN = 180 * SECOND  # a patient who waited so long was not called by a point that was free


def called(board: Board, before: Entry, point_id: int, recorded: Recorded, changes: Changes) -> None:
    """Note the first call of a point on a day, or a break before a later one. ``before`` is the entry before the call."""
    habits = _habits(board)
    if board.visits[before.visit_id].trial:
        return
    day = habits.of_point(point_id)
    if day is not None:
        freed = _freed_before(board, board.entries[before.id])
        if freed is not None and recorded.at - freed > LONGEST_PAUSE and len(day) < LONGEST_DAY_OF_POINT:
            rested = (*day, habits.second_of(freed), habits.second_of(recorded.at))
            _put_point(board, habits, rested, recorded, changes)
    else:
        waited = before.state == "waiting" and recorded.at - before.since >= WAITED
        began: PointDay = (point_id, habits.second_of(recorded.at), int(waited))
        _put(board, replace(habits, points=(*habits.points, began)), recorded, changes)


def call_undone(board: Board, point_id: int | None, at: int, recorded: Recorded, changes: Changes) -> None:
    """Forget a first call ``at`` an instant that has been undone, and the break that ended with a later one."""
    habits = _habits(board)
    second = habits.second_of(at)
    ended = (each[:-2] if each[0] == point_id and len(each) > 3 and each[-1] == second else each for each in habits.points)
    kept = tuple(each for each in ended if (each[0], each[1]) != (point_id, second))
    if kept != habits.points:
        _put(board, replace(habits, points=kept), recorded, changes)


def break_began(board: Board, point_id: int, recorded: Recorded, changes: Changes) -> None:
    """Note the begin of a break. Before the first call of the day there is none."""
    habits = _habits(board)
    day = habits.of_point(point_id)
    if day is not None and day[-1] != GOING_ON and len(day) < LONGEST_DAY_OF_POINT:
        _put_point(board, habits, (*day, habits.second_of(recorded.at), GOING_ON), recorded, changes)


def break_ended(board: Board, point_id: int, recorded: Recorded, changes: Changes) -> None:
    """Note the end of a break, which began when the last patient had left the point."""
    habits = _habits(board)
    day = habits.of_point(point_id)
    if day is not None and day[-1] == GOING_ON:
        freed = board.freed_at(point_id, recorded.at)
        begin = day[-2] if freed is None else max(day[-2], habits.second_of(freed))
        _put_point(board, habits, (*day[:-2], begin, habits.second_of(recorded.at)), recorded, changes)


def arrived(board: Board, entry: Entry, recorded: Recorded, changes: Changes) -> None:
    """Note a patient who has come, or come back, if others who came before may rank behind."""
    visit = board.visits[entry.visit_id]
    if visit.trial:
        return
    habits = _habits(board)
    if visit.booked_for is not None and visit.opened_at == recorded.at:
        bookings = (*habits.bookings, (recorded.at - visit.booked_for) // SECOND)[-BOOKINGS_KEPT:]
        _put(board, replace(habits, bookings=bookings), recorded, changes)
        return
    head = (recorded.at - entry.place) // SECOND
    if (head > 0 or entry.band == 0) and len(habits.arrivals) < ARRIVALS_KEPT:
        arrival = (habits.second_of(recorded.at), entry.queue_id, entry.band, head)
        _put(board, replace(habits, arrivals=(*habits.arrivals, arrival)), recorded, changes)


def arrival_undone(board: Board, at: int, queue_id: int, recorded: Recorded, changes: Changes) -> None:
    """Forget an arrival ``at`` an instant in a queue that has been undone."""
    habits = _habits(board)
    known = [index for index, each in enumerate(habits.arrivals) if each[:2] == (habits.second_of(at), queue_id)]
    if known:
        kept = (*habits.arrivals[: known[-1]], *habits.arrivals[known[-1] + 1 :])
        _put(board, replace(habits, arrivals=kept), recorded, changes)


def missed(board: Board, recorded: Recorded, changes: Changes) -> None:
    """Note an appointment to which nobody came."""
    habits = _habits(board)
    _put(board, replace(habits, bookings=(*habits.bookings, MISSED)[-BOOKINGS_KEPT:]), recorded, changes)


def day_turned(board: Board, began_at: int, recorded: Recorded, changes: Changes) -> None:
    """Close the day if a point has called, and begin the next one. ``began_at`` is the end of the day before."""
    habits, turns_at = _habits(board), board.site.turns_at
    points = tuple(_closed(board, habits, each) for each in habits.points)
    past = (*habits.past, (points, habits.arrivals))[-DAYS_KEPT:] if points else habits.past
    begins_at = began_at if 0 < turns_at - began_at <= LONGEST_DAY else turns_at - DAY
    leaves = (*(habits.leaves or ()), _leaves(board))[-DAYS_KEPT:] if points else habits.leaves
    fresh = replace(habits, begins_at=begins_at, points=(), arrivals=(), past=past, leaves=leaves)
    fresh = replace(fresh, shifts=after_day(habits.shifts or (), _kept(board, habits)) or None)
    if board.habits is not None:  # else nothing has happened at this site yet
        _put(board, fresh, recorded, changes)


def pause_before(board: Board, entry: Entry) -> int | None:
    """Return how long a point paused before it called an entry that waited meanwhile (microseconds). None if nobody knows.

    Only the first call of a patient's first stage counts: such a patient has waited since the visit began.
    """
    freed = _freed_before(board, entry)
    pause = None if freed is None or entry.called_at is None else entry.called_at - freed
    return pause if pause is not None and pause <= LONGEST_PAUSE else None


def reaction_to(board: Board, entry: Entry) -> int | None:
    """Return how long a free point let its first patient wait before the call (microseconds). None if nobody knows."""
    freed, came = _freed_before(board, entry, idle=True), board.visits[entry.visit_id].opened_at
    if freed is None or entry.called_at is None or came - freed < SETTLED:
        return None
    reaction = entry.called_at - came
    return reaction if reaction <= LONGEST_PAUSE else None


def _freed_before(board: Board, entry: Entry, *, idle: bool = False) -> int | None:
    """Return when the point of a called entry was free before the call. None if there was a break.

    The patient must have come before that; after that, if the point was ``idle``.
    """
    visit, called_at = board.visits[entry.visit_id], entry.called_at
    if entry.point_id is None or called_at is None or board.habits is None:
        return None
    freed = board.freed_at(entry.point_id, called_at)
    first = entry.calls == 1 and not entry.away and not entry.delay and board.stages(visit.id) == 1
    if freed is None or not first or (visit.opened_at > freed) is not idle:
        return None
    day, second = board.habits.of_point(entry.point_id), board.habits.second_of(freed)
    return None if day is None or any(end >= second or end == GOING_ON for end in day[4::2]) else freed


def _leaves(board: Board) -> Leaves:
    """Return how many patients of the day left the line before the first call, by the time that they had waited."""
    waits = []
    for entry, joined_at in _waits(board):
        end = entry.since if entry.first_called_at is None and entry.state == "left" else entry.first_called_at
        if end is not None:
            waits.append(((end - joined_at) // SECOND, end != entry.first_called_at))
    return counted(waits)


def _kept(board: Board, habits: Habits) -> Iterator[Kept]:
    """Yield the first promises of the day whose patients were called later."""
    for entry, joined_at in _waits(board):
        begin, end, called_at = entry.quoted_from, entry.quoted_until, entry.first_called_at
        if begin is not None and end is not None and called_at is not None and called_at - joined_at >= SECOND:
            yield Kept(promise_group(habits, joined_at), called_at < begin, called_at <= end)


def _waits(board: Board) -> Iterator[tuple[Entry, int]]:
    """Yield the entries of the day whose wait tells about the line, each with the time of joining.

    These are the visits of one stage, without test patients and without those who were away.
    """
    for entry in board.entries.values():
        visit = board.visits[entry.visit_id]
        if not (visit.trial or entry.away or entry.delay or board.stages(visit.id) > 1):
            yield entry, visit.opened_at


def promise_group(habits: Habits, instant: int) -> int:
    """Return the group of the promises that are made at an instant of the day."""
    second = habits.second_of(instant)
    return second // 3600 if any(day[1] <= second for day in habits.points) else BEFORE


def _closed(board: Board, habits: Habits, day: PointDay) -> PointDay:
    """Return the day of a point for the past. The last break goes on if others went on to call its patients."""
    told = day[-1] == GOING_ON
    if told:
        begin, day = habits.begins_at + day[-2] * SECOND, day[:-2]
    else:
        begin = board.freed_at(day[0], board.site.last_event_at) or 0
    point = board.points[day[0]]
    others = {
        each.id
        for each in board.points.values()
        if each.id != point.id and not set(each.queue_ids).isdisjoint(point.queue_ids)
    }
    later = [
        board.visits[each.visit_id].opened_at <= begin
        for each in board.entries.values()
        if each.first_called_at is not None
        and each.first_called_at > begin
        and each.point_id in others
        # A free point may only have been the last choice, unless patients waited meanwhile.
        and (told or max(begin, board.visits[each.visit_id].opened_at) + IN_VAIN <= each.first_called_at)
    ]
    gone = len(later) >= GONE or (told and any(later))
    if not begin or not later or not (gone or told) or len(day) >= LONGEST_DAY_OF_POINT:
        return day
    return (*day, habits.second_of(begin), GOING_ON if gone else NO_MORE)


def _habits(board: Board) -> Habits:
    site = board.site
    return board.habits or Habits(site.id, site.id, site.turns_at - DAY, (), (), (), (), 0)


def _put(board: Board, habits: Habits, recorded: Recorded, changes: Changes) -> None:
    board.put(replace(habits, seq=recorded.seq), changes)


def _put_point(board: Board, habits: Habits, day: PointDay, recorded: Recorded, changes: Changes) -> None:
    points = tuple(day if each[0] == day[0] else each for each in habits.points)
    _put(board, replace(habits, points=points), recorded, changes)
