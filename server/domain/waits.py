"""The expected wait as a range of two instants, and the share of such ranges that hold. Pure; integers throughout.

A quote is the range from `Quote.expect_from` to `Quote.expect_until`. Half of all patients are called by the first instant,
nine in ten by the second. The method has three steps (``docs/waits.md`` explains them without formulas):

1. Take the present state (Whitt 1999, "Predicting Queueing Delays", Management Science 45(6): 870-888): the patients ahead,
   the open points, and for each patient at a point the *remaining* duration, given the time that has already passed.
2. Play the line forward in `FUTURES` possible futures. In each future the first patient takes the earliest point able to
   serve this patient, as call-next does: free_p <- free_p + duration, the recursion of Kiefer and Wolfowitz (1955,
   Transactions of the AMS 78: 1-18). One pass gives the instants of all patients in the line.
3. Sort each patient's instants, one per future. The true instant comes before the k-th of n equally likely ones with
   probability k / (n + 1). So the 50th and the 90th of 99 are the two percentiles, for any law of durations.

The durations of a future have two sources:

- For patients still to be called: the service's recent durations, with new weights in each future (Rubin 1981, "The Bayesian
  Bootstrap", Annals of Statistics 9(1): 130-134; weights Dirichlet(1, ..., 1), the gaps between sorted uniforms). A future
  is thus also a guess at the true law of the service. A few dozen durations do not determine its mean, and for a patient
  with many ahead this doubt weighs as much as chance does.
- For patients at a point since ``e``: the m known durations longer than ``e``. The true duration falls into each of the
  m + 1 gaps that they leave above ``e`` with equal probability (Hill 1968, Journal of the American Statistical
  Association 63: 677-691). For the gap beyond the longest known duration see `_root`.

Nothing is random. The futures are fixed: draw j takes each of 99 evenly spaced levels once over the 99 futures
(Latin hypercube: McKay, Beckman, Conover 1979, Technometrics 21(2): 239-245), in an order made by SHAKE-256. No number
is a float. So every process on every machine gives the same quotes.

Instants are microseconds of UTC, durations microseconds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import shake_256
from heapq import heappop, heappush, heapreplace
from math import isqrt
from operator import add, ge, getitem, itemgetter
from struct import unpack
from types import MappingProxyType
from typing import NamedTuple

Breaks = tuple[tuple[int, int], ...]  # of a point in one future: the begin and the length of each, in order

MINUTE = 60_000_000
MEMORY = 256  # durations remembered per queue
PAUSES = 64  # pauses remembered per queue
ENOUGH = 8  # with fewer durations a quote is an estimate

FUTURES = 99
FROM_RANK, UNTIL_RANK = 50, 90  # of 99: the 50th and the 90th percentile
PART = 1000  # parts of a rank
STAY_STEP = 5 * MINUTE  # of the time that a patient has waited
# The call comes before the 4th of 99, less an eighth of that wait and a minute, with a risk below 5 %. The margin is for
# what the futures do not know: a quicker doctor than usual, and patients ahead who leave.
LEAVE_RANK, LEAVE_SHARE, LEAVE_MARGIN = 4, 8, MINUTE

# The assumed durations of a service without history: the middles of the eight octiles of a lognormal law with a median of 8
# minutes and a sigma of 0.7. Their mean is 9.75 minutes. Over a million English GP consultations had a mean of 9.24 min,
# those of nurses 9.70 (Stevens et al. 2017, BMJ Open 7(11): e018261). The first real durations replace the extremes first.
PRIOR = tuple(minutes * MINUTE for minutes in (3, 23, 4, 15, 6, 11, 7, 9))

BAND = 60  # bits for a place, behind the band
_PLACE = (1 << BAND) - 1
_QUEUES = 256  # samples that a process remembers
_STREAMS = 1024  # draws with different orders; a longer line reuses them
_SLOT = 12  # bits for the number of a point, behind the time in the item of a heap
_SLOTS = (1 << _SLOT) - 1
PLAIN = 1 << _SLOT  # the pace of a point that takes the usual time
_NEVER = 1 << 100
_FIRST = itemgetter(0)
_LEVELS = 2 * FUTURES  # a level u of FUTURES stands for the probability (2u + 1) / _LEVELS


@dataclass(frozen=True, slots=True)
class History:
    """A service's recent durations, oldest first. A duration lasts from the call until the point is free again.

    ``pauses`` are the recent times between two patients, from the free point to the call, while a patient waited.
    ``reactions`` are those of patients who came to a free point, until the call. ``mean`` is that of many more durations, 0
    if they are not known.
    """

    durations: tuple[int, ...] = ()
    pauses: tuple[int, ...] = ()
    reactions: tuple[int, ...] = ()
    mean: int = 0

    @property
    def estimating(self) -> bool:
        """Whether the history is too short to do without `PRIOR`."""
        return len(self.durations) < ENOUGH

    def record(self, duration: int) -> History:
        """Return the history with one more duration, and at most `MEMORY`. Raises `ValueError` for a negative one."""
        if duration < 0:
            raise ValueError(f"a duration of {duration}")
        return replace(self, durations=(*self.durations, duration)[-MEMORY:])

    def sample(self) -> list[int]:
        """Return the durations in order of length, filled up to `ENOUGH` with those of `PRIOR`, and scaled to the mean.

        Up to one in eight of the oldest stay out, because the weights of each new size cost some milliseconds.
        """
        return list(_sample(self.durations, self.mean))


NO_HISTORY = History()


@dataclass(frozen=True, slots=True)
class OpenPoint:
    """A point that calls: its queues, the queue of its present patient (None if free), and the time of that patient's call.

    ``idle`` is the time since it is free, None if that is unknown: then it calls at once. ``awaited`` is set if patients
    have waited for it meanwhile. If the point was free before the first of them came, ``noticing`` is the time since then.
    ``begins`` and ``breaks`` are those of `server.domain.staffing.Prospect`.
    ``paces`` has for each future the factor of its durations, in parts of `PLAIN`; empty for the usual pace.
    """

    queue_ids: tuple[int, ...]
    serving: int | None = None
    since: int = 0
    idle: int | None = None
    awaited: bool = False
    noticing: int | None = None
    begins: tuple[int, ...] = ()
    breaks: tuple[Breaks, ...] = ()
    paces: tuple[int, ...] = ()


def order_of(band: int, place: int) -> int:
    """Return the band and the place of a rank as one number."""
    return (band << BAND) + place


class Ranks(NamedTuple):
    """The ranks of both ends of a range among the futures, in 1 / `PART`."""

    start: int = FROM_RANK * PART
    end: int = UNTIL_RANK * PART


USUAL = Ranks()


class Coming(NamedTuple):
    """A patient who comes in some future: after ``after`` microseconds, to a queue, with a rank in the line."""

    after: int
    kind: int
    order: int


@dataclass(frozen=True, slots=True)
class Quote:
    """The range in which a patient will be called: half are called by ``expect_from``, nine in ten by ``expect_until``.

    Both are whole minutes, at least one apart, and not before the minute of the quote. ``estimating`` is set if a service
    that the quote depends on has too short a history. Fewer than one patient in twenty are called before ``leave_until``, a
    whole minute, which may be in the past.
    """

    expect_from: int
    expect_until: int
    estimating: bool
    leave_until: int = field(default=0, compare=False)


def quotes(
    now: int,
    line: Sequence[int],
    points: Sequence[OpenPoint],
    histories: Mapping[int, History],
    queue_of: Mapping[int, int] = MappingProxyType({}),
    orders: Sequence[int] = (),
    coming: Sequence[Sequence[Coming]] = (),
) -> list[Quote | None]:
    """Return a quote for each patient in ``line``, in its order. The quote is None if no open point serves the patient.

    ``line`` has the queue of each waiting patient, in the order of the ranks. Queues that share no point do not affect one
    another, so the line may be that of a whole site. ``histories`` may lack queues. Patients of one queue that only some of
    its points may serve have another number, in the line and among a point's ``queue_ids``; ``queue_of`` maps this number
    to the queue. ``orders`` has the rank of each patient as a number, and ``coming`` the patients who come later, in each
    future: a patient takes the turn of all patients with a higher rank. The cost is about `FUTURES` steps for each patient.

    Patients behind do not change a quote. Within a queue, a later patient never gets an earlier quote. Where all points draw
    from the same queues, one more point never makes a quote later. The same number of durations, each at least as long,
    never makes a quote earlier, as long as no patient at a point has outlasted one of them. (Otherwise it can: if services
    took 1 and 10 minutes, a patient of 4 minutes has 6 left; if they took 5 and 10, probably 1.)
    """
    found: list[Quote | None] = [None] * len(line)
    for futures in Futures.of_rooms(now, points, histories, queue_of, coming=coming):
        places = [place for place, kind in enumerate(line) if kind in futures.kinds]
        mine = [orders[place] for place in places] if orders else []
        for place, each in zip(places, futures.quotes([line[place] for place in places], mine), strict=True):
            found[place] = each
    return found


def quote_of_last(
    now: int,
    line: Sequence[int],
    points: Sequence[OpenPoint],
    histories: Mapping[int, History],
    queue_of: Mapping[int, int] = MappingProxyType({}),
    orders: Sequence[int] = (),
    coming: Sequence[Sequence[Coming]] = (),
) -> Quote | None:
    """Return the last quote of `quotes`, at about half the cost: it sorts the futures of the last patient only."""
    *before, last = line
    for futures in Futures.of_rooms(now, points, histories, queue_of, last, coming):
        places = [place for place, kind in enumerate(before) if kind in futures.kinds]
        futures.take([before[place] for place in places], [orders[place] for place in places] if orders else [])
        return futures.quote_of_next(last, orders[-1] if orders else 0)
    return None


class Futures:
    """The possible futures of one line, played forward patient by patient.

    The line is that of a room: queues that share points. ``kinds`` are the numbers of its queues. Every patient that joins
    at the end continues from the futures of the patients before, and costs `FUTURES` steps.

    All futures take a step together: a list has one value for each future. The built-in functions that go through such lists
    cost a tenth of a loop. A heap has for each point the time at which it is free, and the number of the point behind it:
    ``time << _SLOT | point``. Points with the same queues share the heap.
    """

    def __init__(
        self,
        now: int,
        kinds: Set[int],
        points: Sequence[OpenPoint],
        histories: Mapping[int, History],
        queue_of: Mapping[int, int] = MappingProxyType({}),
        coming: Sequence[Sequence[Coming]] = (),
        leaving: Sequence[Sequence[int]] = (),
        ranks: Ranks = USUAL,
    ) -> None:
        serving = [point for point in points if not kinds.isdisjoint(point.queue_ids)]
        of_kind = {kind: queue_of.get(kind, kind) for kind in sorted(kinds)}
        streams = {queue_id: stream for stream, queue_id in enumerate(sorted(set(of_kind.values())))}
        samples = {queue_id: _items_of(*_known(histories, queue_id)) for queue_id in streams}
        weights = {
            queue_id: (_even if _of(histories, queue_id).mean else _reweighted)(stream, len(samples[queue_id]))
            for queue_id, stream in streams.items()
        }
        self._pauses = sorted(pause for queue_id in streams for pause in _of(histories, queue_id).pauses) or [0]
        # Most pauses may be none at all, so these are the known ones, not those longer than 0.
        pause = _levels_of(self._pauses)
        reactions = sorted(each for queue_id in streams for each in _of(histories, queue_id).reactions) or [0]
        firsts = [
            _first_free(now, stream, point, histories, self._pauses, pause, reactions)
            for stream, point in enumerate(serving)
        ]
        groups = list(dict.fromkeys(frozenset(point.queue_ids) for point in serving))
        self.now = now
        self.kinds = kinds
        self._taken = 0
        self._chosen = ranks
        self._nobody_calls = all(point.begins for point in serving)
        self._leaving = [[each << _SLOT for each in stay] for stay in leaving]
        self._paces = [point.paces or (PLAIN,) * FUTURES for point in serving] if any(each.paces for each in serving) else []
        self._pause = [each << _SLOT for each in pause] if any(pause) else []
        self._unknown = {kind for kind, queue_id in of_kind.items() if _of(histories, queue_id).estimating}
        self._estimating = any(_of(histories, each.serving).estimating for each in serving if each.serving is not None)
        self._samples = {kind: samples[queue_id] for kind, queue_id in of_kind.items()}
        self._weights = {kind: weights[queue_id] for kind, queue_id in of_kind.items()}
        self._able = {kind: [at for at, group in enumerate(groups) if kind in group] for kind in of_kind}
        self._breaks = {slot: point.breaks for slot, point in enumerate(serving) if point.breaks}
        self._coming = coming
        self._plays: list[_Play | None] = [None] * FUTURES
        # In each future, the item at which the next break of a point begins, and at which the next patient comes.
        self._breaks_at = [_NEVER] * FUTURES
        self._comes_at = [_NEVER] * FUTURES
        self._alone = {each.kind for some in coming for each in some} <= kinds  # all who come are of this room
        if coming:
            some_of = coming if self._alone else [[each for each in some if each.kind in kinds] for some in coming]
            self._comes_at = [some[0].after << _SLOT if some else _NEVER for some in some_of]
        self._ranks = [_NEVER] * FUTURES  # in each future, the first rank of those who have come and wait
        self._first = _NEVER  # the first of these
        columns: list[list[list[int]]] = [[] for _ in groups]
        for slot, (point, first) in enumerate(zip(serving, firsts, strict=True)):
            items = [each << _SLOT | slot for each in first]
            if point.breaks:
                begins = [each[0][0] << _SLOT if each else _NEVER for each in point.breaks]
                self._rest(items, begins, [slot])
                self._breaks_at = list(map(min, self._breaks_at, begins))
            columns[groups.index(frozenset(point.queue_ids))].append(items)
        self._heaps = [list(map(sorted, zip(*each, strict=True))) for each in columns]

    @classmethod
    def of_rooms(
        cls,
        now: int,
        points: Sequence[OpenPoint],
        histories: Mapping[int, History],
        queue_of: Mapping[int, int] = MappingProxyType({}),
        kind: int | None = None,
        coming: Sequence[Sequence[Coming]] = (),
        leaving: Sequence[Sequence[int]] = (),
        ranks: Ranks = USUAL,
    ) -> Iterator[Futures]:
        """Yield the futures of each room; with ``kind``, of its room alone."""
        for room in _rooms(points):
            if kind is None or kind in room:
                yield cls(now, room, points, histories, queue_of, coming, leaving, ranks)

    def take(self, line: Sequence[int], orders: Sequence[int] = ()) -> None:
        """Add patients to the end of the line."""
        for kind, rank in zip(line, orders or [0] * len(line), strict=True):
            self._take(kind, rank)

    def quotes(self, line: Sequence[int], orders: Sequence[int] = ()) -> list[Quote]:
        """Add patients to the end of the line; return their quotes."""
        found = []
        for kind, rank in zip(line, orders or [0] * len(line), strict=True):
            waits = self._take(kind, rank)
            found.append(self._quote(waits))
        return found

    def quote_of_next(self, kind: int, order: int = 0, now: int | None = None) -> Quote:
        """Return the quote of a patient who would join the end of the line. The line stays as it is.

        ``now`` is a later instant than that of the futures: the range does not begin before it.
        """
        able = self._able[kind]
        _, waits = self._turns(able)
        for future in self._disturbed(waits, order):
            heaps = [list(each[future]) for each in self._heaps]
            waits[future] = self._turn(future, heaps, self._play(future).copy(), able, order)[0]
        return self._quote(waits, kind in self._unknown, now)

    def _quote(self, waits: Sequence[int], unknown: bool = False, now: int | None = None) -> Quote:
        ordered = sorted(waits)
        least = ordered[LEAVE_RANK - 1] >> _SLOT
        half, most = (_ranked(ordered, rank) >> _SLOT for rank in self._chosen)
        # Nobody reads "now" while no point calls.
        soonest = (self.now if now is None else now) // MINUTE + self._nobody_calls
        return _quote(self.now, least, half, most, self._estimating or unknown, soonest)

    def _take(self, kind: int, rank: int) -> list[int]:
        """Add a patient to the end of the line; return the items of the heaps that this patient takes."""
        able = self._able[kind]
        heaps, waits = self._turns(able)
        disturbed = self._disturbed(waits, rank)
        for future in disturbed:
            play = self._play(future)
            heaps[future] = self._turn(future, [each[future] for each in self._heaps], play, able, rank)
            waits[future] = heaps[future][0]
            self._comes_at[future], self._ranks[future] = play.comes_at(), play.first()
        if disturbed:
            self._first = min(self._ranks)
        place = self._taken % _STREAMS
        # The duration of the service in each future, by the drawn level.
        levels_of = map(getitem, self._weights[kind], _order("line", place))
        lasts: Iterator[int] = map(self._samples[kind].__getitem__, levels_of)
        if self._paces:
            paces = map(getitem, [self._paces[item & _SLOTS] for item in waits], range(FUTURES))
            lasts = map(_paced, lasts, paces)
        if self._pause:
            lasts = map(add, lasts, map(self._pause.__getitem__, _order("pause", place)))
        ends = list(map(add, waits, lasts))
        if self._leaving:
            stay, draws = self._stay(rank), _order("leave", place)
            ends = [end if item <= stay[draw] else item for item, end, draw in zip(waits, ends, draws, strict=True)]
        self._rest(ends, self._breaks_at, self._breaks)
        deque(map(heapreplace, heaps, ends), maxlen=0)
        self._taken += 1
        self._estimating = self._estimating or kind in self._unknown
        return waits

    def _stay(self, rank: int) -> Sequence[int]:
        """Return after which times a patient of a rank leaves. The place of the rank is the time of joining, or earlier."""
        waited = max(0, self.now - (rank & _PLACE)) if rank else 0
        return self._leaving[min(waited // STAY_STEP, len(self._leaving) - 1)]

    def _rest(self, items: list[int], begins: list[int], slots: Iterable[int]) -> None:
        """Add the breaks that begin before a point is free, in each future. ``begins`` has the next break of ``slots``."""
        if any(map(ge, items, begins)):
            for future in [at for at in range(FUTURES) if items[at] >= begins[at]]:
                item = items[future]
                if (item & _SLOTS) in self._breaks:
                    play = self._play(future)
                    items[future] = play.rested(item)
                    if items[future] != item:  # else the next break is that of another point
                        begins[future] = play.breaks_at(slots)

    def _play(self, future: int) -> _Play:
        """Return what happens in a future."""
        known = self._plays[future]
        if known is None:
            coming: Sequence[Coming] = self._coming[future] if self._coming else ()
            if not self._alone:
                coming = [each for each in coming if each.kind in self.kinds]
            known = self._plays[future] = _Play(future, self._breaks, coming)
        return known

    def _turns(self, able: Sequence[int]) -> tuple[list[list[int]], list[int]]:
        """Return the heap whose first point is the earliest one ``able``, in each future, and its first item."""
        heaps = self._heaps[able[0]]
        if len(able) > 1:  # lists compare by their first item, the earliest instant
            heaps = list(map(min, *(self._heaps[at] for at in able)))
        return heaps, list(map(_FIRST, heaps))

    def _disturbed(self, waits: Sequence[int], rank: int) -> list[int]:
        """Return the futures in which another patient may come before the turn of a patient."""
        if rank > self._first:
            return [at for at in range(FUTURES) if waits[at] >= self._comes_at[at] or rank > self._ranks[at]]
        if any(map(ge, waits, self._comes_at)):
            return [at for at in range(FUTURES) if waits[at] >= self._comes_at[at]]
        return []

    def _turn(self, future: int, heaps: Sequence[list[int]], play: _Play, able: Sequence[int], rank: int) -> list[int]:
        """Play the patients that come before a patient's turn; return the heap whose first point is next."""
        coming, here = play.coming, play.here
        while True:
            heap = heaps[able[0]] if len(able) == 1 else min([heaps[at] for at in able])
            free = heap[0] >> _SLOT
            while play.next < len(coming) and coming[play.next].after <= free:
                each = coming[play.next]
                heappush(here, (each.order, play.next, each))
                play.next += 1
            if not here or here[0][0] >= rank:
                return heap
            _, number, each = heappop(here)
            if self._able[each.kind]:
                taken = self._turn(future, heaps, play, self._able[each.kind], each.order)
                order = _order("coming", number % _STREAMS)[future]
                lasts = self._samples[each.kind][self._weights[each.kind][future][order]]
                if self._paces:
                    lasts = _paced(lasts, self._paces[taken[0] & _SLOTS][future])
                pause = self._pause[FUTURES - 1 - order] if self._pause else 0
                begin = max(taken[0] >> _SLOT, each.after) << _SLOT | taken[0] & _SLOTS
                heapreplace(taken, play.rested(begin + lasts + pause))


class _Play:
    """What happens in one possible future besides the line: the breaks of each point, and the patients who come.

    ``rests`` has the breaks to come of the points that have rested. ``here`` has the patients who have come and wait, in the
    order of their ranks.
    """

    __slots__ = ("_breaks", "_future", "coming", "here", "next", "rests")

    def __init__(self, future: int, breaks: Mapping[int, Sequence[Breaks]], coming: Sequence[Coming]) -> None:
        self._future = future
        self._breaks = breaks
        self.rests: dict[int, Breaks] = {}
        self.coming = coming
        self.next = 0
        self.here: list[tuple[int, int, Coming]] = []

    def rested(self, item: int) -> int:
        """Return when a point is free after the breaks that begin before."""
        slot = item & _SLOTS
        rests = self._rests_of(slot)
        while rests and rests[0][0] <= item >> _SLOT:
            item += rests[0][1] << _SLOT
            rests = self.rests[slot] = rests[1:]
        return item

    def breaks_at(self, slots: Iterable[int]) -> int:
        """Return the item at which the next break of one of some points begins."""
        return min([each[0][0] for each in map(self._rests_of, slots) if each], default=_NEVER) << _SLOT

    def _rests_of(self, slot: int) -> Breaks:
        """Return the breaks of a point that are still to come."""
        rests = self.rests.get(slot)
        if rests is None:
            rests = self._breaks[slot][self._future] if slot in self._breaks else ()
        return rests

    def comes_at(self) -> int:
        """Return the item at which the next patient comes."""
        return (self.coming[self.next].after if self.next < len(self.coming) else _NEVER) << _SLOT

    def first(self) -> int:
        """Return the first rank of those who have come and wait."""
        return self.here[0][0] if self.here else _NEVER

    def copy(self) -> _Play:
        """Return a future that goes on apart from this one."""
        other = _Play(self._future, self._breaks, self.coming)
        other.rests, other.next, other.here = dict(self.rests), self.next, list(self.here)
        return other


def quote(now: int, ahead: int, elapsed_at_points: Sequence[int | None], history: History) -> Quote | None:
    """Return the quote of a patient with ``ahead`` patients before, where all points serve one queue; None without a point.

    ``elapsed_at_points`` has for each open point the time since its patient's call (microseconds), or None if it is free.
    """
    points = [OpenPoint((0,)) if each is None else OpenPoint((0,), 0, now - each) for each in elapsed_at_points]
    return quote_of_last(now, [0] * (ahead + 1), points, {0: history})


def _of(histories: Mapping[int, History], queue_id: int) -> History:
    return histories.get(queue_id, NO_HISTORY)


def _known(histories: Mapping[int, History], queue_id: int) -> tuple[tuple[int, ...], int]:
    history = _of(histories, queue_id)
    return history.durations, history.mean


def _paced(lasts: int, pace: int) -> int:
    """Return a duration at the pace of a point. Both durations are items of a heap, without the number of a point."""
    return (lasts >> _SLOT) * pace & ~_SLOTS


def _quote(now: int, least: int, half: int, most: int, estimating: bool, soonest: int) -> Quote:
    """Return the range in whole minutes: rounded to the nearest, from the minute ``soonest`` on, and at least one long."""
    begin, end = ((now + each + MINUTE // 2) // MINUTE for each in (half, most))
    begin = max(begin, soonest)
    leave = (now + least - least // LEAVE_SHARE - LEAVE_MARGIN) // MINUTE * MINUTE
    return Quote(begin * MINUTE, max(end, begin + 1) * MINUTE, estimating, leave)


def _ranked(ordered: Sequence[int], rank: int) -> int:
    """Return the value at a rank, which is between two values if it is no whole number."""
    whole, part = divmod(rank, PART)
    return ordered[whole - 1] + (ordered[whole] - ordered[whole - 1]) * part // PART


def _rooms(points: Sequence[OpenPoint]) -> list[set[int]]:
    """Return the queues in sets, so that no point serves queues of two sets."""
    rooms: list[set[int]] = []
    for point in points:
        joined = set(point.queue_ids).union(*(room for room in rooms if not room.isdisjoint(point.queue_ids)))
        rooms = [room for room in rooms if room.isdisjoint(joined)] + [joined]
    return rooms


def _first_free(
    now: int,
    stream: int,
    point: OpenPoint,
    histories: Mapping[int, History],
    pauses: Sequence[int],
    pause: Sequence[int],
    reactions: Sequence[int],
) -> Sequence[int]:
    """Return the time until the point may call, in each future. ``pause`` has the levels of ``pauses``."""
    if point.serving is not None:
        sample, elapsed = _sample(*_known(histories, point.serving)), max(0, now - point.since)
        rests, draws = _order("rest", stream), _order("point", stream)
        if point.paces:
            remaining = remaining_durations(sample, elapsed * PLAIN // _middle(point.paces))
            left = [remaining[level] * pace >> _SLOT for level, pace in zip(draws, point.paces, strict=True)]
        else:
            left = list(map(remaining_durations(sample, elapsed).__getitem__, draws))
        free = list(map(add, left, map(pause.__getitem__, rests)))
        return list(map(add, free, point.begins)) if point.begins else free
    if point.begins:
        return point.begins
    if point.idle is None:
        return [0] * FUTURES
    waits = point.awaited and point.idle > 0
    left = remaining_durations(pauses, point.idle) if waits else [max(0, each - point.idle) for each in pause]
    free = [left[level] for level in _order("point", stream)]
    return free if point.noticing is None else list(map(max, free, _noticed(point.noticing, reactions)))


def _noticed(since: int, reactions: Sequence[int]) -> Sequence[int]:
    """Return the time until a free point notices its first patient, in each future: the same for all free points."""
    known = remaining_durations(reactions, since) if since else _levels_of(reactions)
    return [known[level] for level in _order("notice", 0)]


def _levels_of(known: Sequence[int]) -> list[int]:
    """Return `FUTURES` of some known values in order, least first."""
    return [known[level * len(known) // FUTURES] for level in range(FUTURES)]


def remaining_durations(sample: Sequence[int], elapsed: int) -> list[int]:
    """Return `FUTURES` equally likely remaining durations after ``elapsed``, shortest first.

    ``sample`` is ordered and not empty. Each gap between the durations of the sample longer than ``elapsed`` has the same
    probability (Hill's A(n), applied to the survivors), evenly spread within the gap.
    """
    scale = sum(sample) // len(sample) + max(0, elapsed - sample[-1])
    return [each - elapsed for each in levels((elapsed, *sample[bisect_right(sample, elapsed) :]), scale)]


def levels(knots: Sequence[int], scale: int) -> list[int]:
    """Return `FUTURES` equally likely values, least first: spread evenly over the gaps of ``knots``, and beyond the last.

    ``knots`` are in order. The gap beyond the last has the scale ``scale``, see `_root`.
    """
    within, beyond = _gaps(len(knots))
    last = knots[-1]
    found = [knots[gap] + (knots[gap + 1] - knots[gap]) * part // _LEVELS for gap, part in within]
    return found + [last + (scale * root >> 16) - scale for root in beyond]


@lru_cache(maxsize=2 * MEMORY)
def _gaps(knots: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Return for each level the gap between two ``knots``, and the part of the gap; for levels beyond the last, `_root`."""
    places = [divmod((2 * level + 1) * knots, _LEVELS) for level in range(FUTURES)]
    return [each for each in places if each[0] + 1 < knots], [_root(part) for gap, part in places if gap + 1 == knots]


def _root(part: int) -> int:
    """Return 1 + the excess over the longest known duration, in scales, at the probability ``part`` / `_LEVELS`; x 2 ** 16.

    The tail is Lomax's, P(excess > y) = (1 + y / scale) ** -2, the generalised Pareto law to which excesses tend (Pickands
    1975, Annals of Statistics 3(1): 119-131) with the shape 1/2. Its mean is ``scale``. For a duration that already exceeds
    the longest known one by x, the scale is larger by x. So a patient that staff forgot to complete does not hold the
    quotes of others at "any moment now" for hours.
    """
    return isqrt((_LEVELS << 32) // (_LEVELS - part))  # 2 ** 16 / sqrt(1 - probability)


@lru_cache(maxsize=_QUEUES)
def _middle(paces: tuple[int, ...]) -> int:
    return sorted(paces)[FUTURES // 2]


@lru_cache(maxsize=_QUEUES)
def _sample(durations: tuple[int, ...], mean: int) -> tuple[int, ...]:
    """Return the sample of `History.sample`."""
    known = len(durations)
    step = 1 << max(0, known.bit_length() - 4)
    found = sorted((*durations[known % step :], *PRIOR[known:]))
    total = sum(found)
    return tuple([each * mean * len(found) // total for each in found] if mean and total else found)


@lru_cache(maxsize=_QUEUES)
def _items_of(durations: tuple[int, ...], mean: int) -> tuple[int, ...]:
    """Return a sample as it is added to the items of a heap."""
    return tuple([each << _SLOT for each in _sample(durations, mean)])


@lru_cache(maxsize=4 * _STREAMS)
def _order(kind: str, stream: int) -> bytes:
    """Return the levels 0..98 in the fixed order in which the futures use them for one draw."""
    words = unpack(f"<{FUTURES}I", shake_256(f"{kind}/{stream}".encode()).digest(4 * FUTURES))
    return bytes(sorted(range(FUTURES), key=words.__getitem__))


def level_of(kind: str, stream: int, future: int) -> int:
    """Return the level of 0..98 that a future draws for one thing: each level once over the futures."""
    return _order(kind, stream % _STREAMS)[future]


@lru_cache(maxsize=128)
def _reweighted(stream: int, size: int) -> tuple[bytes, ...]:
    """Return for each future and each level the drawn index of an ordered sample of ``size``, by the future's weights.

    The weights of a longer sample split those of a shorter one, so a duration longer than all others never shortens a draw.
    """
    found = []
    for future in range(FUTURES):
        digest = shake_256(f"weights/{stream}/{future}".encode()).digest(4 * (size - 1))
        cuts = sorted(unpack(f"<{size - 1}I", digest))
        found.append(bytes(bisect_right(cuts, ((2 * level + 1) << 32) // _LEVELS) for level in range(FUTURES)))
    return tuple(found)


@lru_cache(maxsize=128)
def _even(_stream: int, size: int) -> tuple[bytes, ...]:
    """Return the same as `_reweighted` with equal weights in each future: for a sample with a mean that is certain."""
    return (bytes(((2 * level + 1) * size) // _LEVELS for level in range(FUTURES)),) * FUTURES


# The share of quotes that hold.


@dataclass(frozen=True, slots=True)
class Outcome:
    """A quote, and the instant of the patient's call."""

    quote: Quote
    called_at: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """The accuracy of a set of ``count`` quotes.

    ``held`` quotes had the call by the end of the range, ``early`` ones before its start. Good quotes have 90 % held and
    50 % early. ``missed_by_median`` and ``missed_by_most`` are the delays of the quotes that did not hold, 0 if all held.
    """

    count: int
    held: int
    early: int
    missed_by_median: int
    missed_by_most: int

    @property
    def held_percent(self) -> int | None:
        """The share of quotes that held, in whole per cent; None without quotes."""
        return _percent(self.held, self.count)

    @property
    def early_percent(self) -> int | None:
        """The share of calls before the start of the range, in whole per cent; None without quotes."""
        return _percent(self.early, self.count)


def held(quote: Quote, called_at: int) -> bool:
    """Return whether the patient was called by the end of the range. An earlier call also counts as held."""
    return called_at <= quote.expect_until


def missed_by(quote: Quote, called_at: int) -> int:
    """Return the delay of the call after the end of the range (microseconds), 0 if the quote held."""
    return max(0, called_at - quote.expect_until)


def coverage(outcomes: Sequence[Outcome]) -> Coverage:
    """Return the accuracy of quotes."""
    missed = sorted(missed_by(each.quote, each.called_at) for each in outcomes if not held(each.quote, each.called_at))
    return Coverage(
        count=len(outcomes),
        held=len(outcomes) - len(missed),
        early=sum(each.called_at < each.quote.expect_from for each in outcomes),
        missed_by_median=missed[len(missed) // 2] if missed else 0,
        missed_by_most=missed[-1] if missed else 0,
    )


def _percent(part: int, whole: int) -> int | None:
    return None if whole == 0 else (200 * part + whole) // (2 * whole)
