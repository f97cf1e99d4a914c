"""What comes at a site in the rest of the day: the points and the patients that `server.domain.waits` plays, from the board.

Each of the possible futures replays one of the last days: when each point begins and rests, and which patients come who pass
others. The appointments of today come at their own times, as early or late as the last ones did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from server.domain import ranking
from server.domain.board import Board
from server.domain.board.habits import promise_group
from server.domain.board.steps import server_of
from server.domain.calibrating import ranks
from server.domain.model import Doubt, Entry, Habits, Point
from server.domain.model.habits import MISSED, SECOND
from server.domain.model.local_time import MINUTE
from server.domain.paces import ONE, factors, pace_of
from server.domain.ranking import Lane
from server.domain.staffing import Prospect, beginning, closed, opening, resting, working
from server.domain.waits import BAND, FUTURES, USUAL, Coming, OpenPoint, Ranks, level_of, order_of

# The seconds from the start of an appointment to the check-in, of a site without known ones. One in ten does not come.
USUAL_CHECK_INS = (MISSED, *(minutes * 60 for minutes in (-25, -18, -14, -11, -8, -6, -4, -1, 4)))
ENOUGH_CHECK_INS = 10
_FEW = 3  # the first patients of a lane, among whom is one who has waited long


def points_of(board: Board, now: int, numbers: Mapping[Lane, int]) -> Iterator[OpenPoint]:
    """Yield the points that call, now or after their break. ``numbers`` has the lanes besides those of all points."""
    for stream, point in enumerate(board.points.values()):
        guest = board.entry_at(point.id)
        waiting_since = waiting_since_of(board, point)
        prospect = _prospect(board, point, now, waiting_since, occupied=guest is not None)
        if prospect is None:
            continue
        free_since = _free_since(board, point, now)
        noticing = None
        if guest is None and free_since is not None and (waiting_since is None or waiting_since > free_since):
            noticing = 0 if waiting_since is None else max(0, now - waiting_since)
        special = (number for lane, number in numbers.items() if ranking.serves(point, lane))
        yield OpenPoint(
            queue_ids=(*point.queue_ids, *special),
            serving=guest.queue_id if guest else None,
            since=_since(guest),
            idle=None if free_since is None else max(0, now - free_since),
            awaited=waiting_since is not None and free_since is not None and waiting_since <= max(free_since, now - MINUTE),
            noticing=noticing,
            begins=prospect.begins,
            breaks=prospect.breaks,
            paces=_paces(board, point, stream),
        )


def _paces(board: Board, point: Point, stream: int) -> tuple[int, ...]:
    """Return the pace of a point in each future: that of its clinician, in the middle of its queues."""
    who, day = server_of(board, point.id)
    known = [
        pace_of(board.queues[queue_id].paces or (), who, day) for queue_id in point.queue_ids if queue_id in board.queues
    ]
    pace, doubt = sum(each for each, _ in known) // max(1, len(known)), max((each for _, each in known), default=0)
    coarse = ONE // 128
    pace, doubt = pace // coarse * coarse, doubt // coarse * coarse
    return factors(pace, doubt, stream) if pace or doubt else ()


def coming(board: Board, now: int, before: int) -> list[list[Coming]]:
    """Return the patients who come in each future with an order ``before``, in order of time. Empty if nobody does."""
    found = [list(each) for each in _replayed(board.habits, now, before)] if board.habits else []
    booked = _booked(board, now, before)
    if any(booked):
        found = found or [[] for _ in range(FUTURES)]
        for future, more in zip(found, booked, strict=True):
            future.extend(more)
            future.sort()
    return found if any(found) else []


def ranks_of(habits: Habits | None, now: int) -> Ranks:
    """Return the ranks of a promise that is made now."""
    return ranks(habits.shifts or (), promise_group(habits, now)) if habits else USUAL


def _prospect(board: Board, point: Point, now: int, waiting_since: int | None, *, occupied: bool) -> Prospect | None:
    """Return the prospect of a point; None if nobody knows whether it will call."""
    habits = board.habits
    day = None if habits is None else habits.of_point(point.id)
    if point.removed_at:
        return None
    if habits is None or (day is None and occupied):
        return Prospect() if point.state == "open" else None
    second = habits.second_of(now)
    if point.state == "closed" and not occupied:
        return opening(point.id, habits.past, second) if day is None else closed(day, habits.past, second)
    if point.state == "open":
        if day is not None:
            return working(day, habits.past, second)
        return beginning(point.id, habits.past, second, None if waiting_since is None else habits.second_of(waiting_since))
    if point.state == "on_break" and day is not None and len(day) > 3:
        return resting(day, habits.past, second, occupied=occupied)
    return None


def waiting_since_of(board: Board, point: Point) -> int | None:
    """Return since when somebody waits for a point, or None."""
    firsts = [
        board.entries[each.entry_id].since
        for lane, ranks in board.lanes().items()
        if ranking.serves(point, lane)
        for each in ranks[:_FEW]
    ]
    return min(firsts, default=None)


def _since(guest: Entry | None) -> int:
    """Return when a service began; later by an outage, which tells nothing about the service."""
    if guest is None or guest.called_at is None:
        return 0
    return guest.called_at if guest.doubt is None else guest.called_at + Doubt(*guest.doubt).length


def _free_since(board: Board, point: Point, now: int) -> int | None:
    """Return since when a point could call: the end of its last patient, or of its break. None if nobody knows."""
    freed, habits = board.freed_at(point.id, now), board.habits
    day = None if habits is None else habits.of_point(point.id)
    if habits is None or day is None:
        return None
    rested = habits.begins_at + day[-1] * SECOND if len(day) > 3 else 0
    return max(freed or 0, rested) or None


def _replayed(habits: Habits, now: int, before: int) -> Iterator[Sequence[Coming]]:
    """Yield for each future the patients of its past day that came after this time of the day."""
    second = habits.second_of(now)
    days = []
    for _, arrivals in habits.past:
        # Most come too late to pass anybody: the orders of those alone cost little.
        found = [
            Coming((at - second) * SECOND, queue_id, order)
            for at, queue_id, band, head in arrivals
            if at > second and (order := (band << BAND) + now + (at - second - head) * SECOND) < before
        ]
        days.append(sorted(found))
    if any(days):
        for future in range(FUTURES):
            yield days[future % len(days)]


def _booked(board: Board, now: int, before: int) -> list[list[Coming]]:
    """Return the patients of today's appointments who have not come, in each future."""
    rules = board.site.rules
    found: list[list[Coming]] = [[] for _ in range(FUTURES)]
    expected = sorted(
        (each.starts_at, each.id)
        for each in board.appointments_of_the_day()
        if each.state == "booked" and order_of(1, ranking.due_when_booked(each.starts_at, each.starts_at, rules)) < before
    )
    if not expected:
        return found
    bookings = board.habits.bookings if board.habits else ()
    known = sorted(bookings if len(bookings) >= ENOUGH_CHECK_INS else USUAL_CHECK_INS)
    queues: dict[int | None, int] = {}
    for queue in sorted((each for each in board.queues.values() if not each.removed_at), key=lambda each: each.position):
        queues.setdefault(queue.service_id, queue.id)
    for number, (starts_at, appointment_id) in enumerate(expected):
        queue_id = queues.get(board.appointments[appointment_id].service_id)
        left = [each for each in known if each == MISSED or starts_at + each * SECOND > now]
        if queue_id is None or not left:
            continue
        for future in range(FUTURES):
            each = left[level_of("booked", number, future) * len(left) // FUTURES]
            if each != MISSED:
                at = starts_at + each * SECOND
                place = ranking.due_when_booked(starts_at, at, rules)
                found[future].append(Coming(at - now, queue_id, order_of(1, place)))
    return found
