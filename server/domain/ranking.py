"""The one ordering rule. Every view that shows an order and every call of the next patient uses it.

Each entry has one rank, which is stored and indexed::

    rank = (band, place, entry_id)        place = due_at - head start, in microseconds

``band`` is 0 for an emergency and 1 for all others; only an emergency always comes first. ``due_at`` is the instant at which
the entry counts as joined. The head start is the advantage of the priority class. Ranks are tuples of integers, compared in
order, so the order is total, and the two numbers that decide can always be named.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from heapq import merge
from itertools import islice
from typing import Literal, NamedTuple, Protocol

from server.domain.model import Entry, Need, Point, Priority, Rules, Visit
from server.domain.model.local_time import MINUTE

# The reasons for the next entry: see `why`.
WhyNext = Literal["only", "emergency", "moved", "booked", "longer", "earlier", "head_start", "away"]


class Rank(NamedTuple):
    """The rank of an entry. Ranks compare field by field; the smaller one is earlier."""

    band: int
    place: int
    entry_id: int


class Lane(NamedTuple):
    """The entries of a queue that the same points may serve: those with the same provider (or any) and the same needs."""

    queue_id: int
    provider_id: int | None = None
    needs: tuple[Need, ...] = ()


class Ranked(Protocol):
    """The data that the rule reads."""

    @property
    def entries(self) -> Mapping[int, Entry]: ...
    @property
    def visits(self) -> Mapping[int, Visit]: ...
    @property
    def points(self) -> Mapping[int, Point]: ...

    def waiting(self, queue_id: int) -> Sequence[Rank]:
        """The ranks of the entries waiting in a queue, in order."""

    def lanes(self) -> Mapping[Lane, Sequence[Rank]]:
        """The ranks of the entries waiting in each lane that is not empty, in order."""


def lane(entry: Entry, visit: Visit) -> Lane:
    """Return the lane in which an entry waits."""
    return Lane(entry.queue_id, entry.provider_id, tuple(sorted(visit.needs)))


def serves(point: Point, lane: Lane) -> bool:
    """Return whether a point may serve a lane: the queue, the provider (or any), and needs that the point can meet."""
    return (
        not point.removed_at
        and lane.queue_id in point.queue_ids
        and lane.provider_id in (None, point.provider_id)
        and not any(need in point.unmet_needs for need in lane.needs)
    )


def is_served(board: Ranked, lane: Lane) -> bool:
    """Return whether an open point may serve a lane now. If none may, nobody in the lane is called."""
    return any(point.state == "open" and serves(point, lane) for point in board.points.values())


def band(priority: Priority) -> int:
    """Return 0 for an emergency, 1 for all others."""
    return 0 if priority == "emergency" else 1


def head_start(priority: Priority, rules: Rules) -> int:
    """Return the head start of a priority class at a site (microseconds)."""
    return {"urgent": rules.head_start_urgent, "assisted": rules.head_start_assisted}.get(priority, 0) * MINUTE


def place(due_at: int, priority: Priority, rules: Rules) -> int:
    """Return the place of an entry: ``due_at`` minus the head start of its priority class (microseconds)."""
    return due_at - head_start(priority, rules)


def due_when_booked(booked_for: int, now: int, rules: Rules) -> int:
    """Return the due time of a patient who checks in at ``now`` for an appointment at ``booked_for`` (microseconds).

    An early check-in changes nothing: the place counts from ``booking_lead`` minutes before the appointment. Who is late
    counts from as much before the check-in, and later than ``booking_grace`` minutes from the check-in itself.
    """
    if now > booked_for + rules.booking_grace * MINUTE:
        return now
    return max(booked_for, now) - rules.booking_lead * MINUTE


def due_after(due_at: int, away: int, now: int, rules: Rules) -> int:
    """Return the due time of an entry that returns after an absence of ``away`` microseconds.

    An absence costs its own length. It never moves a patient behind those who joined in the last ``return_lead`` minutes.
    """
    return min(max(due_at, now - rules.return_lead * MINUTE), due_at + away)


def cost_of_absence(away: int, delay: int) -> str:
    """Return what an absence cost, for staff: "returned after 1 min away: 1 min later"."""
    later = f"{minutes_of(delay)} min later" if delay else "in the old place"
    return f"returned after {minutes_of(away)} min away: {later}"


def minutes_of(microseconds: int) -> int:
    """Return a duration in minutes, rounded up: a short absence is not "0 min"."""
    return -(-microseconds // MINUTE)


def rank(entry: Entry) -> Rank:
    """Return the rank of ``entry``."""
    return Rank(entry.band, entry.place, entry.id)


def next_for(board: Ranked, point: Point) -> Entry | None:
    """Return the first waiting entry that ``point`` may serve, or None."""
    firsts = [ranks[0] for lane, ranks in board.lanes().items() if serves(point, lane)]
    return board.entries[min(firsts).entry_id] if firsts else None


def first_for(board: Ranked, point: Point, count: int) -> list[Entry]:
    """Return the first ``count`` waiting entries that ``point`` may serve, in the order of its calls."""
    served = (ranks for lane, ranks in board.lanes().items() if serves(point, lane))
    return [board.entries[each.entry_id] for each in islice(merge(*served), count)]


def waiting_for(board: Ranked, point: Point) -> int:
    """Return the number of waiting entries that ``point`` may serve."""
    return sum(len(ranks) for lane, ranks in board.lanes().items() if serves(point, lane))


def ahead(board: Ranked, entry: Entry) -> int:
    """Return how many waiting entries rank ahead of ``entry`` and compete for the same points."""
    return ahead_of(board, lane(entry, board.visits[entry.visit_id]), rank(entry))


def ahead_of(board: Ranked, mine: Lane, my_rank: Rank) -> int:
    """Return how many waiting entries rank ahead of ``my_rank`` in lane ``mine`` and compete for the same points."""
    able = [point for point in board.points.values() if serves(point, mine)]
    return sum(
        bisect_left(ranks, my_rank)
        for each, ranks in board.lanes().items()
        if each == mine or any(serves(point, each) for point in able)
    )


def aheads(board: Ranked) -> Iterator[tuple[int, int]]:
    """Yield each waiting entry's id with the number of entries `ahead` of it, in one pass over the lanes."""
    lanes = board.lanes()
    for mine, ranks in lanes.items():
        able = [point for point in board.points.values() if serves(point, mine)]
        others = [theirs for each, theirs in lanes.items() if each != mine and any(serves(point, each) for point in able)]
        if others:
            for index, each in enumerate(ranks):
                yield each.entry_id, index + sum(bisect_left(theirs, each) for theirs in others)
        else:
            for index, each in enumerate(ranks):
                yield each.entry_id, index


def places_behind(board: Ranked, entry: Entry, behind: Entry | None) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Return the place directly behind ``behind`` (None: first in the band) for ``entry``, and the pushed entries.

    Both entries wait in one queue and band. The place is the middle between two neighbours. If they leave no room, the
    entries behind are pushed by the least amount that keeps all places different, as (entry id, new place).
    """
    others = [each for each in board.waiting(entry.queue_id) if each.band == entry.band and each.entry_id != entry.id]
    index = 0 if behind is None else others.index(rank(behind)) + 1
    if not others:
        return entry.place, ()
    if index == len(others):
        return others[-1].place + MINUTE, ()
    if index == 0:
        return others[0].place - MINUTE, ()
    low, high = others[index - 1].place, others[index].place
    if high - low >= 2:  # a whole number lies between them
        return (low + high) // 2, ()
    place = low + 1
    pushed = []
    last = place
    for each in others[index:]:
        if each.place > last:
            break
        last += 1
        pushed.append((each.entry_id, last))
    return place, tuple(pushed)


class Why(NamedTuple):
    """The reason why an entry is next at a point.

    ``decided`` is the reason why it comes before ``before``, the following entry. ``minutes`` is the head start if that
    decided, the delay of ``before`` if its absence decided, else 0.
    """

    decided: WhyNext
    before: Entry | None = None
    minutes: int = 0


def why(board: Ranked, chosen: Entry, point: Point) -> Why:
    """Return the reason why ``chosen`` is next at ``point``."""
    followers = [
        ranks[index]
        for lane, ranks in board.lanes().items()
        if serves(point, lane)
        for index in (1 if ranks[0].entry_id == chosen.id else 0,)
        if index < len(ranks)
    ]
    if not followers:
        return Why("only")
    second = board.entries[min(followers).entry_id]
    if chosen.band != second.band:
        return Why("emergency", second)
    if chosen.moved or second.moved:
        return Why("moved", second)
    if chosen.due_at < second.due_at:
        overtaken = chosen.place - chosen.delay > second.place - second.delay
        if overtaken:
            return Why("away", second, minutes_of(second.delay))
        booked = board.visits[chosen.visit_id].booked_for is not None
        return Why("booked" if booked else "longer", second)
    if chosen.place == second.place:
        return Why("earlier", second)
    return Why("head_start", second, (chosen.due_at - chosen.place) // MINUTE)


def reason(board: Ranked, chosen: Entry, point: Point) -> str:
    """Return the reason as one line for staff: "A012 before B003: assisted, 20 min head start"."""
    visit, (decided, before, minutes) = board.visits[chosen.visit_id], why(board, chosen, point)
    if before is None:
        return f"{visit.label}: the only one waiting"
    theirs = board.visits[before.visit_id].label
    because = {
        "emergency": "emergency",
        "moved": "moved by staff",
        "booked": "has an appointment",
        "longer": "waiting longer",
        "earlier": "the earlier ticket",
        "head_start": f"{visit.priority}, {minutes} min head start",
        "away": f"{theirs} {cost_of_absence(before.away, before.delay)}",
    }[decided]
    return f"{visit.label} before {theirs}: {because}"
