"""How long a wait will be: a range of two instants, and how often such ranges held. Pure; integers throughout.

A patient is quoted `Quote.expect_from` and `Quote.expect_until`: half of all patients are called by the first, nine in ten
by the second. The method, in three steps (``docs/waits.md`` says the same in plain words):

1. The state is taken as it is (Whitt 1999, "Predicting Queueing Delays", Management Science 45(6): 870-888): who is ahead,
   which points are open, and for each guest at a point the *remaining* duration, given that it has lasted this long.
2. The line is played forward in `FUTURES` possible futures. In each, whoever is first takes the earliest point able to serve
   them, which is what call-next does: free_p <- free_p + duration, the recursion of Kiefer and Wolfowitz (1955,
   Transactions of the AMS 78: 1-18). One pass gives the instants of everybody in the line.
3. Each person's instants, one per future, are sorted. The true one comes before the k-th of n that are as likely as it
   with probability k / (n + 1), so the 50th and the 90th of 99 are the two percentiles, for any law of durations.

Where the durations of a future come from:

- of those still to be called: the service's recent durations, weighted anew in each future (Rubin 1981, "The Bayesian
  Bootstrap", Annals of Statistics 9(1): 130-134; weights Dirichlet(1, ..., 1), the gaps between sorted uniforms). A future
  is thus also a guess at what the service is really like: a few dozen durations do not tell its mean, and for someone
  with many ahead that doubt weighs as much as chance does.
- of those at a point since ``e``: of the durations known, the m that lasted longer than ``e``. The true one falls into each
  of the m + 1 gaps that they leave above ``e`` with equal probability (Hill 1968, Journal of the American Statistical
  Association 63: 677-691). Beyond the longest known: see `_beyond`.

There is no chance in it. The futures are fixed: draw j takes each of 99 evenly spaced levels once over the 99 futures
(Latin hypercube: McKay, Beckman, Conover 1979, Technometrics 21(2): 239-245), in an order made by SHAKE-256. Nothing
is a float. So every process on every machine quotes the same.

Instants are microseconds of UTC, durations microseconds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import shake_256
from heapq import heapify, heapreplace
from math import isqrt
from struct import unpack
from types import MappingProxyType

MINUTE = 60_000_000
MEMORY = 50  # durations remembered per queue
ENOUGH = 8  # durations from which a quote is more than an estimate

FUTURES = 99
FROM_RANK, UNTIL_RANK = 50, 90  # of 99: the 50th and the 90th percentile

# What a service is taken to be before it is known: lognormal with a median of 8 minutes and a sigma of 0.7, at its eight
# octiles' middles, which gives a mean of 9.75. Over a million English GP consultations had a mean of 9.24 min, those of
# nurses 9.70 (Stevens et al. 2017, BMJ Open 7(11): e018261). The first real durations replace the extremes first.
PRIOR = tuple(minutes * MINUTE for minutes in (3, 23, 4, 15, 6, 11, 7, 9))

_STREAMS = 1024  # draws with an order of their own; a longer line uses them again
_LEVELS = 2 * FUTURES  # a level u of FUTURES stands for the probability (2u + 1) / _LEVELS


@dataclass(frozen=True, slots=True)
class History:
    """A service's recent durations, oldest first: each from the call to whatever freed the point again."""

    durations: tuple[int, ...] = ()

    @property
    def estimating(self) -> bool:
        """True while there are too few durations to do without the prior."""
        return len(self.durations) < ENOUGH

    def record(self, duration: int) -> History:
        """Return the history with one more duration, the oldest beyond `MEMORY` forgotten. `ValueError` below zero."""
        if duration < 0:
            raise ValueError(f"a duration of {duration}")
        return replace(self, durations=(*self.durations, duration)[-MEMORY:])

    def sample(self) -> list[int]:
        """Return the durations in order of length, filled up to `ENOUGH` from the prior."""
        return sorted((*self.durations, *PRIOR[len(self.durations) :]))


NO_HISTORY = History()


@dataclass(frozen=True, slots=True)
class OpenPoint:
    """A point that calls: the queues it draws from; whom it has, by their queue, or None; since when it has them."""

    queue_ids: tuple[int, ...]
    serving: int | None = None
    since: int = 0


@dataclass(frozen=True, slots=True)
class Quote:
    """When a patient will be called: even odds by ``expect_from``, nine in ten by ``expect_until``.

    Both are whole minutes, at least one apart, and not before the instant of the quote. ``estimating`` says that a service
    it depends on has too short a history.
    """

    expect_from: int
    expect_until: int
    estimating: bool


def quotes(
    now: int,
    line: Sequence[int],
    points: Sequence[OpenPoint],
    histories: Mapping[int, History],
    queue_of: Mapping[int, int] = MappingProxyType({}),
) -> list[Quote | None]:
    """Return a quote for everyone in ``line``, in its order; None for those whom no open point serves.

    ``line`` has the queue of each who waits, in the order of their ranks; queues that share no point do not affect one
    another, so a whole site may be given at once. ``histories`` may lack queues. A free point is taken to call at once.
    Patients of one queue whom not all of its points may serve are in the line, and among a point's ``queue_ids``, under a
    number of their own; ``queue_of`` says which queue's it is.
    Costs about `FUTURES` steps for each in the line.

    Nobody behind changes a quote. Within a queue, who is later in the line is never quoted earlier. Where all points draw
    from the same queues, one more of them never makes a quote later. As many durations, each at least as long, never make
    a quote earlier, as long as no guest has outlasted one of them. (One who has may well be due sooner: with 1 and 10
    minutes known a guest of 4 has 6 to go, with 5 and 10 it is likely 1.)
    """
    found: list[Quote | None] = [None] * len(line)
    for queue_ids in _rooms(points):
        places = [place for place, queue_id in enumerate(line) if queue_id in queue_ids]
        if not places:
            continue
        present, serving = [line[place] for place in places], _serving(queue_ids, points)
        estimating = _guests_estimating(serving, histories)
        futures = _futures(now, present, serving, histories, queue_of)
        for place, waits in zip(places, zip(*futures, strict=True), strict=True):
            estimating = estimating or _of(histories, queue_of.get(line[place], line[place])).estimating
            found[place] = _quote(now, sorted(waits), estimating)
    return found


def quote_of_last(
    now: int,
    line: Sequence[int],
    points: Sequence[OpenPoint],
    histories: Mapping[int, History],
    queue_of: Mapping[int, int] = MappingProxyType({}),
) -> Quote | None:
    """Return what `quotes` says of the last in ``line``, at about half the cost: nobody else's futures are sorted."""
    queue_ids = next((room for room in _rooms(points) if line[-1] in room), None)
    if queue_ids is None:
        return None
    present, serving = [each for each in line if each in queue_ids], _serving(queue_ids, points)
    unknown = (_of(histories, queue_of.get(each, each)).estimating for each in set(present))
    estimating = _guests_estimating(serving, histories) or any(unknown)
    futures = _futures(now, present, serving, histories, queue_of)
    return _quote(now, sorted(called[-1] for called in futures), estimating)


def quote(now: int, ahead: int, elapsed_at_points: Sequence[int | None], history: History) -> Quote | None:
    """Return the quote of one with ``ahead`` before them, where every point serves one queue alone; None without a point.

    ``elapsed_at_points`` has for each open point how long its guest has been there, or None where it is free.
    """
    points = [OpenPoint((0,)) if each is None else OpenPoint((0,), 0, now - each) for each in elapsed_at_points]
    return quote_of_last(now, [0] * (ahead + 1), points, {0: history})


def _of(histories: Mapping[int, History], queue_id: int) -> History:
    return histories.get(queue_id, NO_HISTORY)


def _serving(queue_ids: Set[int], points: Sequence[OpenPoint]) -> list[OpenPoint]:
    return [point for point in points if not queue_ids.isdisjoint(point.queue_ids)]


def _guests_estimating(points: Sequence[OpenPoint], histories: Mapping[int, History]) -> bool:
    return any(_of(histories, point.serving).estimating for point in points if point.serving is not None)


def _quote(now: int, waits: Sequence[int], estimating: bool) -> Quote:
    """Round the range to whole minutes: its begin to the nearest that is not past, its end up, at least one later."""
    begin = max((now + waits[FROM_RANK - 1] + MINUTE // 2) // MINUTE, -(-now // MINUTE)) * MINUTE
    end = -(-(now + waits[UNTIL_RANK - 1]) // MINUTE) * MINUTE
    return Quote(begin, max(end, begin + MINUTE), estimating)


def _rooms(points: Sequence[OpenPoint]) -> list[set[int]]:
    """Return the queues in sets that share no point with one another."""
    rooms: list[set[int]] = []
    for point in points:
        joined = set(point.queue_ids).union(*(room for room in rooms if not room.isdisjoint(point.queue_ids)))
        rooms = [room for room in rooms if room.isdisjoint(joined)] + [joined]
    return rooms


def _futures(
    now: int,
    line: Sequence[int],
    points: Sequence[OpenPoint],
    histories: Mapping[int, History],
    queue_of: Mapping[int, int],
) -> Iterator[list[int]]:
    """Yield for each future how long until each in the line is called."""
    queue_ids = sorted({queue_id for point in points for queue_id in point.queue_ids})
    of_queue = {key: queue_of.get(key, key) for key in queue_ids}
    streams = {queue_id: stream for stream, queue_id in enumerate(sorted(set(of_queue.values())))}
    samples = {key: _of(histories, queue_id).sample() for key, queue_id in of_queue.items()}
    weights = {key: _reweighted(streams[queue_id], len(samples[key])) for key, queue_id in of_queue.items()}
    firsts = [_first_free(now, stream, point, histories) for stream, point in enumerate(points)]
    orders = zip(*(_order("line", place % _STREAMS) for place in range(len(line))), strict=True)
    # Points that draw from the same queues stand for one another: one heap of the instants at which they are free.
    kinds = {kind: at for at, kind in enumerate(dict.fromkeys(frozenset(point.queue_ids) for point in points))}
    kind_of = [kinds[frozenset(point.queue_ids)] for point in points]
    able = {queue_id: [at for kind, at in kinds.items() if queue_id in kind] for queue_id in queue_ids}
    for future, order in enumerate(orders):
        heaps: list[list[int]] = [[] for _ in kinds]
        for at, first in zip(kind_of, firsts, strict=True):
            heaps[at].append(first[future])
        for heap in heaps:
            heapify(heap)
        # How long a service of each queue lasts in this future, by the level that is drawn.
        lasting = {key: [samples[key][each] for each in weights[key][future]] for key in queue_ids}
        durations = [lasting[queue_id][level] for queue_id, level in zip(line, order, strict=True)]
        if len(heaps) == 1:
            yield [heapreplace(heap, heap[0] + duration) for duration in durations]
        else:
            open_to = {queue_id: [heaps[at] for at in able[queue_id]] for queue_id in queue_ids}
            choices = map(open_to.__getitem__, line)  # lists compare by their first, which is their soonest
            yield [heapreplace(heap := min(each), heap[0] + lasts) for each, lasts in zip(choices, durations, strict=True)]


def _first_free(now: int, stream: int, point: OpenPoint, histories: Mapping[int, History]) -> list[int]:
    """Return how long until the point is free, in each future."""
    if point.serving is None:
        return [0] * FUTURES
    sample = _of(histories, point.serving).sample()
    remaining = remaining_durations(sample, max(0, now - point.since))
    return [remaining[level] for level in _order("point", stream)]


def remaining_durations(sample: Sequence[int], elapsed: int) -> list[int]:
    """Return `FUTURES` equally likely durations still to come after ``elapsed``, shortest first.

    ``sample`` is ordered and not empty. Equal probability for each gap between those of the sample that lasted longer
    than ``elapsed`` (Hill's A(n), applied to the survivors), evenly spread within a gap.
    """
    knots = [elapsed, *sample[bisect_right(sample, elapsed) :]]
    scale = sum(sample) // len(sample) + max(0, elapsed - sample[-1])
    found = []
    for level in range(FUTURES):
        gap, part = divmod((2 * level + 1) * len(knots), _LEVELS)
        last = gap + 1 == len(knots)
        within = _beyond(scale, part) if last else (knots[gap + 1] - knots[gap]) * part // _LEVELS
        found.append(knots[gap] + within - elapsed)
    return found


def _beyond(scale: int, part: int) -> int:
    """Return by how much the longest known is exceeded at the probability ``part`` / `_LEVELS`.

    The tail is Lomax's, P(excess > y) = (1 + y / scale) ** -2, the generalised Pareto law to which excesses tend (Pickands
    1975, Annals of Statistics 3(1): 119-131) with the shape 1/2. Its mean is ``scale``, and what has already gone beyond
    the longest known by x has the scale that much larger: a guest whom staff forgot to complete holds nobody's quote at
    "any moment now" for hours.
    """
    root = isqrt((_LEVELS << 32) // (_LEVELS - part))  # 2 ** 16 / sqrt(1 - probability)
    return (scale * root >> 16) - scale


@lru_cache(maxsize=2 * _STREAMS)
def _order(kind: str, stream: int) -> bytes:
    """Return the levels 0..98 in the fixed order in which the futures take them for one draw."""
    words = unpack(f"<{FUTURES}I", shake_256(f"{kind}/{stream}".encode()).digest(4 * FUTURES))
    return bytes(sorted(range(FUTURES), key=words.__getitem__))


@lru_cache(maxsize=128)
def _reweighted(stream: int, size: int) -> tuple[bytes, ...]:
    """Return for each future, and each level, which of an ordered sample of ``size`` it draws, under that future's weights.

    A longer sample's weights split those of a shorter one, so a duration beyond all others never shortens a draw.
    """
    found = []
    for future in range(FUTURES):
        digest = shake_256(f"weights/{stream}/{future}".encode()).digest(4 * (size - 1))
        cuts = sorted(unpack(f"<{size - 1}I", digest))
        found.append(bytes(bisect_right(cuts, ((2 * level + 1) << 32) // _LEVELS) for level in range(FUTURES)))
    return tuple(found)


# Whether the ranges held


@dataclass(frozen=True, slots=True)
class Outcome:
    """A quote, and the instant at which its patient was called."""

    quote: Quote
    called_at: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How true a set of quotes was: of ``count``, how many held, and how many were called before their range began.

    Good quotes have 90 % held and 50 % early. ``missed_by_median`` and ``missed_by_most`` are of those that did not hold,
    0 if all did.
    """

    count: int
    held: int
    early: int
    missed_by_median: int
    missed_by_most: int

    @property
    def held_percent(self) -> int | None:
        """The share that held, in whole per cent; None without quotes."""
        return _percent(self.held, self.count)

    @property
    def early_percent(self) -> int | None:
        """The share called before their range began, in whole per cent; None without quotes."""
        return _percent(self.early, self.count)


def held(quote: Quote, called_at: int) -> bool:
    """Return whether the patient was called by the end of the range. Sooner than its begin is no broken promise."""
    return called_at <= quote.expect_until


def missed_by(quote: Quote, called_at: int) -> int:
    """Return by how much the call came after the end of the range: 0 if it held."""
    return max(0, called_at - quote.expect_until)


def coverage(outcomes: Sequence[Outcome]) -> Coverage:
    """Return how true the quotes were."""
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
