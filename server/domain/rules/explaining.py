"""The words about waits: why a range moved, until when a patient may leave, and how late a queue runs.

The clock decides them with the quotes, from the board alone. A cause is bookkeeping: each thing that happened since the
range that the patient saw gets the minutes by which it moves the upper end. A cause is told if it explains at least half of
the move, and half as much again as any other cause in this direction. Otherwise patients only read that the wait is longer
or shorter. `docs/waits.md` has the bounds with their reasons.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from server.domain import ranking
from server.domain.board import Board
from server.domain.events import WaitsExplained
from server.domain.model import AT_POINT, Cause, Entry, Habits, Point, Queue, Told
from server.domain.model.habits import GOING_ON, SECOND, PointDay
from server.domain.model.local_time import MINUTE
from server.domain.ranking import Lane, Rank
from server.domain.rules.quoting import Requoted
from server.domain.staffing import beginning, resting, usual_begin
from server.domain.waits import UNTIL_RANK, History, Quote, remaining_durations

LEAST_MOVE = 5 * MINUTE  # a smaller move is no news
LEAST_SHARE = 4  # nor is one of less than a quarter of the range
CERTAIN = 2  # a cause explains at least one half of the move
CLEAR = 3, 2  # and three halves of the next one
LEAST_LEAVE = 10 * MINUTE  # nobody leaves for less
ENOUGH_TO_LEAVE = 50  # services of a queue that a promise to leave needs
LATER_LEAVE = 5 * MINUTE  # a smaller delay of a told instant is no news
LATE_STEP = 5  # minutes of a delay that displays show
LATE_FROM, LATE_UNTIL = 10 * MINUTE, 7 * MINUTE  # a delay is shown from the one on, and until the other
LATELY = 30 * MINUTE  # calls so long ago still count for the delay of a queue


def explained(board: Board, found: Requoted, now: int, *, leave: bool = True) -> Iterator[WaitsExplained]:
    """Yield the event with the new words after new quotes, if there are any.

    Without ``leave`` only patients who have a time to leave get another one.
    """
    since = found.memory.get("since")
    if not isinstance(since, _Since):
        since = found.memory["since"] = _Since(board, now)
    told, leaves = [], []
    for entry_id, quote in found.quotes.items():
        entry = board.entries[entry_id]
        word = _word(board, entry, quote, now, since)
        if word is not None:
            told.append((entry_id, word.mark()))
        until = _leave(board.queues[entry.queue_id], entry, quote, now) if leave or _is_told(entry, now) else None
        if until != entry.leave_until:
            leaves.append((entry_id, until))
    late = () if found.event.more else tuple(_late(board, now))
    if told or leaves or late:
        yield WaitsExplained(told=tuple(told), leaves=tuple(leaves), late=late)


def _word(board: Board, entry: Entry, quote: Quote | None, now: int, since: _Since) -> Told | None:
    """Return the new word about the wait of an entry. None if its range has not moved enough."""
    if quote is None or entry.absent_until is not None:
        return None
    if entry.told == () or entry.quoted_until is None:  # the first range since the patient's own last step
        return _told(board, None, None, entry, quote, now)
    before = entry.last_told or _first(entry)
    shift = quote.expect_until - before.expect_until
    if abs(shift) < max(LEAST_MOVE, (before.expect_until - before.expect_from) // LEAST_SHARE):
        return None
    cause, point_id = since.cause(entry, before, shift)
    if cause == "earlier" and before.cause in AT_POINT and quote.expect_until > entry.quoted_until:
        cause, point_id = before.cause, before.point_id  # it is over, and nothing else has happened
    return _told(board, cause, point_id, entry, quote, now)


def _first(entry: Entry) -> Told:
    """Return the first quote of an entry as a word. The entry has waited since."""
    begin, end = entry.quoted_from, entry.quoted_until
    assert begin is not None
    assert end is not None
    return Told(None, None, entry.since, begin, end, entry.quoted_ahead or 0, entry.quoted_points or 0)


def _told(board: Board, cause: Cause | None, point_id: int | None, entry: Entry, quote: Quote, now: int) -> Told:
    lane = ranking.lane(entry, board.visits[entry.visit_id])
    able = sum(point.state == "open" and ranking.serves(point, lane) for point in board.points.values())
    ahead = ranking.ahead(board, entry)
    return Told(cause, point_id, now, quote.expect_from, quote.expect_until, ahead, able)


class _Passing(NamedTuple):
    """A patient with an earlier place than the time of joining, who may pass others."""

    joined_at: int
    rank: Rank
    called_at: int | None
    cause: Cause


class _Rivals(NamedTuple):
    """What happened to the patients and points that compete with a lane. Lists are in order of time."""

    able: list[Point]
    passing: list[_Passing]
    gone: list[tuple[int, Rank]]
    ends: list[int]  # of services, in order
    services: list[tuple[int, int, int]]  # begin, end, and the usual length of each


class _Since:
    """What happened today up to ``now``, by lane: from one look at the entries of the board."""

    def __init__(self, board: Board, now: int) -> None:
        self._board, self._now = board, now
        self._lanes: dict[Lane, _Rivals] = {}
        self._looked: tuple[dict[Lane, list[_Passing]], dict[Lane, list[tuple[int, Rank]]], list[Entry]] | None = None
        self._usual: dict[int, int] = {}
        self._begins: dict[int, int | None] = {}
        self._ends: dict[tuple[str, int, int], int] = {}

    def cause(self, entry: Entry, before: Told, shift: int) -> tuple[Cause, int | None]:
        """Return the cause of a move of an entry's range since ``before``, and the point that it names."""
        parts, points = self._parts(entry, before)
        same = sorted(((abs(part), cause) for cause, part in parts.items() if part * shift > 0), reverse=True)
        rest: Cause = "later" if shift > 0 else "earlier"
        if entry.moved or not same or CERTAIN * same[0][0] < abs(shift):
            return rest, None
        if len(same) > 1 and CLEAR[1] * same[0][0] < CLEAR[0] * same[1][0]:
            return rest, None
        return same[0][1], points.get(same[0][1])

    def _parts(self, entry: Entry, before: Told) -> tuple[dict[Cause, int], dict[Cause, int]]:
        """Return by how much each cause has moved the call of an entry (microseconds), and the points that causes name."""
        board, now = self._board, self._now
        rivals = self._rivals(ranking.lane(entry, board.visits[entry.visit_id]))
        mine = ranking.rank(entry)
        working = sum(point.state == "open" for point in rivals.able)
        rooms, length = max(1, working), self._usual_length(entry.queue_id)
        parts: defaultdict[Cause, int] = defaultdict(int)
        points: dict[Cause, int] = {}
        for each in rivals.passing:
            if each.joined_at > before.at and each.rank < mine and (each.called_at is None or each.called_at > before.at):
                parts[each.cause] += length // rooms
        at = bisect_right(rivals.gone, (before.at, Rank(2, 0, 0)))
        left = sum(each < mine for _, each in rivals.gone[at:])
        parts["left"] = -left * length // rooms
        excess = 0
        for begin, end, usual in rivals.services[bisect_right(rivals.ends, before.at) :]:
            excess += end - begin - max(usual, before.at - begin)
        for point in rivals.able:
            guest = board.entry_at(point.id)
            if guest is not None and guest.called_at is not None and guest.doubt is None:
                was = self._end_of(guest, max(before.at, guest.called_at))
                excess += max(0, self._end_of(guest, now) - was)
        parts["slower" if excess > 0 else "quicker"] += excess // rooms
        self._add_rooms(parts, points, rivals.able, before, working, ranking.ahead(board, entry), length)
        return parts, points

    def _add_rooms(
        self,
        parts: dict[Cause, int],
        points: dict[Cause, int],
        able: list[Point],
        before: Told,
        working: int,
        ahead: int,
        length: int,
    ) -> None:
        """Add what the points did: begun late, on a break, closed and opened."""
        habits, now = self._board.habits, self._now
        late: list[tuple[int, int]] = []
        rests: list[tuple[int, int]] = []
        pausing = closed = missing = 0
        for point in able:
            if habits is None:
                continue
            day = habits.of_point(point.id)
            usual = self._usual_begin(habits, point.id)
            if day is None:
                if usual is not None and point.state == "open":
                    late.append((self._begin_of(habits, point.id, now) - self._expected(habits, point.id, before), point.id))
                elif usual is not None and point.state == "closed" and before.at < habits.begins_at + usual * SECOND < now:
                    missing += 1
                continue
            first = habits.begins_at + day[1] * SECOND
            if usual is not None and first > before.at:
                late.append((first - self._expected(habits, point.id, before), point.id))
            for begin, end in _breaks_since(habits, day, before.at):
                if end is not None:
                    rests.append((end - max(begin, before.at), point.id))
                elif point.state == "on_break":
                    pausing += begin > before.at
                    was = begin if begin > before.at else self._end_of_break(habits, day, before.at)
                    rests.append((self._end_of_break(habits, day, now) - was, point.id))
                elif point.state == "closed" and begin > before.at:
                    closed += 1
        in_use = max(1, working + pausing)
        pauses: tuple[tuple[Cause, list[tuple[int, int]]], ...] = (("late_start", late), ("break", rests))
        for cause, found in pauses:
            lasting = [each for each in found if each[0] > 0]
            if lasting:
                parts[cause] = sum(each for each, _ in lasting) // max(in_use, len(lasting))
                points[cause] = max(lasting)[1]
        opened = working + pausing + closed - before.points
        fewer = closed + max(0, -opened) + missing
        if fewer and working:
            parts["fewer_points"] = (ahead + 1) * length * fewer // (working * (working + fewer))
        if opened > 0:
            others = max(1, working - opened)
            parts["more_points"] = -max(before.ahead, 1) * length * opened // (others * (others + opened))

    def _usual_length(self, queue_id: int) -> int:
        """Return the mean of a queue's services and of the pauses behind them (microseconds)."""
        if queue_id not in self._usual:
            queue = self._board.queues[queue_id]
            sample, pauses = History(queue.durations).sample(), queue.pauses or (0,)
            self._usual[queue_id] = sum(sample) // len(sample) + sum(pauses) // len(pauses)
        return self._usual[queue_id]

    def _expected(self, habits: Habits, point_id: int, before: Told) -> int:
        """Return when a point was expected to begin at the instant of an earlier quote."""
        usual = habits.begins_at + (self._usual_begin(habits, point_id) or 0) * SECOND
        if before.at < usual:
            return usual
        waited = before.ahead or before.cause is not None
        return self._begin_of(habits, point_id, before.at) if waited else before.at

    # The upper ends of what goes on, as a quote at an instant sees them. Many quotes of one minute ask for the same ones.

    def _begin_of(self, habits: Habits, point_id: int, at: int) -> int:
        """Return when a point begins at the latest that has let patients wait until an instant."""
        key = ("begin", point_id, at // MINUTE)
        if key not in self._ends:
            self._ends[key] = at + _most(beginning(point_id, habits.past, habits.second_of(at), 0).begins)
        return self._ends[key]

    def _end_of_break(self, habits: Habits, day: PointDay, at: int) -> int:
        """Return when a break ends at the latest that goes on at an instant."""
        key = ("break", day[0], at // MINUTE)
        if key not in self._ends:
            self._ends[key] = at + _most(resting(day, habits.past, habits.second_of(at), occupied=False).begins)
        return self._ends[key]

    def _end_of(self, guest: Entry, at: int) -> int:
        """Return when a service ends at the latest that goes on at an instant."""
        key = ("service", guest.id, at // MINUTE)
        if key not in self._ends:
            sample = History(self._board.queues[guest.queue_id].durations).sample()
            self._ends[key] = at + _most(remaining_durations(sample, at - (guest.called_at or at)))
        return self._ends[key]

    def _usual_begin(self, habits: Habits, point_id: int) -> int | None:
        if point_id not in self._begins:
            self._begins[point_id] = usual_begin(point_id, habits.past)
        return self._begins[point_id]

    def _rivals(self, mine: Lane) -> _Rivals:
        found = self._lanes.get(mine)
        if found is None:
            found = self._lanes[mine] = self._rivals_of(mine)
        return found

    def _rivals_of(self, mine: Lane) -> _Rivals:
        if self._looked is None:
            self._looked = self._look()
        passing, gone, services = self._looked
        able = [point for point in self._board.points.values() if ranking.serves(point, mine)]
        rival = _memory(lambda each: each == mine or any(ranking.serves(point, each) for point in able))
        ids = {point.id for point in able}
        here = sorted(
            (each.since, each.called_at or each.since, self._usual_length(each.queue_id))
            for each in services
            if each.point_id in ids
        )
        return _Rivals(
            able=able,
            passing=[one for each, ones in passing.items() if rival(each) for one in ones],
            gone=sorted(one for each, ones in gone.items() if rival(each) for one in ones),
            ends=[end for end, _, _ in here],
            services=[(begin, end, usual) for end, begin, usual in here],
        )

    def _look(self) -> tuple[dict[Lane, list[_Passing]], dict[Lane, list[tuple[int, Rank]]], list[Entry]]:
        """Return the patients who may pass others, those who left the line, and the ended services."""
        board = self._board
        passing: defaultdict[Lane, list[_Passing]] = defaultdict(list)
        gone: defaultdict[Lane, list[tuple[int, Rank]]] = defaultdict(list)
        services: list[Entry] = []
        for entry in board.entries.values():
            state = entry.state
            if state == "waiting" and entry.place >= entry.since and entry.band:
                continue  # most of a long line: this patient passes nobody
            if entry.called_at is not None:
                if state in ("completed", "transferred", "no_show") and entry.point_id is not None and entry.doubt is None:
                    services.append(entry)
            elif state in ("left", "cancelled", "transferred"):
                lane = ranking.lane(entry, board.visits[entry.visit_id])
                gone[lane].append((entry.since, ranking.rank(entry)))
                continue
            cause = _cause_of(board, entry)
            if cause is not None:
                visit = board.visits[entry.visit_id]
                passed = _Passing(visit.opened_at, ranking.rank(entry), entry.first_called_at, cause)
                passing[ranking.lane(entry, visit)].append(passed)
        return passing, gone, services


def _cause_of(board: Board, entry: Entry) -> Cause | None:
    """Return the cause for the patients that this patient passes. None if it is unknown, or the patient passes nobody."""
    visit = board.visits[entry.visit_id]
    if (
        entry.state not in ("waiting", "called", "serving", "completed", "transferred", "no_show")
        or entry.away
        or entry.moved
    ):
        return None
    if entry.band == 0:
        return "emergency"
    if entry.place >= visit.opened_at or board.stages(visit.id) != 1:
        return None
    return "booked" if visit.booked_for is not None else "priority"


def _breaks_since(habits: Habits, day: PointDay, at: int) -> Iterator[tuple[int, int | None]]:
    """Yield the breaks of a point that went on after an instant: the begin, and the end or None."""
    for place in range(3, len(day), 2):
        begin, end = day[place], day[place + 1]
        until = None if end == GOING_ON else habits.begins_at + end * SECOND
        if until is None or until > at:
            yield habits.begins_at + begin * SECOND, until


def _most(times: Sequence[int]) -> int:
    """Return the 90th percentile of the times in each future; 0 without them."""
    return sorted(times)[UNTIL_RANK - 1] if times else 0


def _memory(ask: Callable[[Lane], bool]) -> Callable[[Lane], bool]:
    known: dict[Lane, bool] = {}

    def asked(lane: Lane) -> bool:
        if lane not in known:
            known[lane] = ask(lane)
        return known[lane]

    return asked


def _is_told(entry: Entry, now: int) -> bool:
    return entry.leave_until is not None and entry.leave_until > now


def _leave(queue: Queue, entry: Entry, quote: Quote | None, now: int) -> int | None:
    """Return until when a patient may leave, or None. A told instant becomes earlier at once, and later by a few minutes."""
    told = entry.leave_until
    if quote is None or quote.estimating or entry.absent_until is not None or len(queue.durations) < ENOUGH_TO_LEAVE:
        return None
    if told is None or told <= now:
        return quote.leave_until if quote.leave_until >= now + LEAST_LEAVE else None
    if quote.leave_until <= now:
        return None
    return quote.leave_until if quote.leave_until < told or quote.leave_until >= told + LATER_LEAVE else told


def _late(board: Board, now: int) -> Iterator[tuple[int, int]]:
    """Yield the queues whose delay on displays changes, with the minutes."""
    delays = delays_of(board, now)
    for queue in board.queues.values():
        minutes = shown_delay(queue.late_minutes, delays.get(queue.id, 0))
        if minutes != queue.late_minutes:
            yield queue.id, minutes


def delays_of(board: Board, now: int) -> Mapping[int, int]:
    """Return how late each queue runs behind its appointments: the median over its patients with an appointment.

    These patients wait past the start of their appointment, or were first called in the last half hour. A late check-in does
    not count: the delay begins when both have come, the patient and the time (microseconds).
    """
    found: defaultdict[int, list[int]] = defaultdict(list)
    for appointment in board.appointments_of_the_day():
        visit = None if appointment.visit_id is None else board.visits.get(appointment.visit_id)
        if visit is None or visit.trial or board.stages(visit.id) != 1:
            continue
        entry = board.latest_entry(visit.id)
        if entry is None:
            continue
        due = max(appointment.starts_at, visit.opened_at)
        if entry.state == "waiting" and entry.first_called_at is None and entry.absent_until is None and due < now:
            found[entry.queue_id].append(now - due)
        elif entry.first_called_at is not None and entry.first_called_at > now - LATELY:
            found[entry.queue_id].append(entry.first_called_at - due)
    return {queue_id: sorted(late)[(len(late) - 1) // 2] for queue_id, late in found.items()}


def shown_delay(shown: int, delay: int) -> int:
    """Return the minutes that displays show for a delay (microseconds), after they have shown ``shown``; 0 for none.

    They are steps of five minutes. A shown delay stays until the true one is a whole step away, so that no display flickers.
    """
    if delay < (LATE_UNTIL if shown else LATE_FROM):
        return 0
    if shown and abs(delay - shown * MINUTE) < LATE_STEP * MINUTE:
        return shown
    return max(LATE_FROM // MINUTE, delay // MINUTE // LATE_STEP * LATE_STEP)
