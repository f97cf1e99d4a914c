"""The quotes of a site: from its board to the input of `server.domain.waits`, and from the result to entries.

A short line is computed exactly for each new patient. A long one is played forward once in half a minute, by the clock. The
clock quotes a part of it at each tick, so that no tick holds the server for long. The board keeps the futures of the line's
end, as its `Outlook`: a newcomer continues from there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import merge
from itertools import islice
from operator import lt

from server.domain import ranking
from server.domain.board import REQUOTE_MICROSECONDS, Board
from server.domain.events import WaitsQuoted
from server.domain.leaving import stays
from server.domain.model import Entry
from server.domain.paces import mean_of
from server.domain.ranking import Lane, Rank, rank
from server.domain.rules import foreseeing
from server.domain.rules.foreseeing import waiting_since_of
from server.domain.waits import MINUTE, Futures, History, Quote, order_of

EXACT = 8  # up to so many waiting patients, every newcomer's quote is computed from the present state
LAST = 8  # twice so many last patients of a line tell how it goes on
SLACK = 2 * MINUTE  # how much earlier than the patient ahead a quote of these may be: they are of different instants
RUSH_MICROSECONDS = 10_000_000  # how long newcomers continue from the futures of a short line
AT_ONCE = 64  # the most patients that one tick quotes
OUTLOOK_MICROSECONDS = 2 * REQUOTE_MICROSECONDS  # how long newcomers continue from an outlook


@dataclass(frozen=True, slots=True)
class FirstQuote:
    """The quote of a joining patient, with its inputs: the entries ahead, and the open points that may serve the patient."""

    expect_from: int | None
    expect_until: int | None
    estimating: bool
    ahead: int
    points: int


def first_quote(board: Board, mine: Rank, lane: Lane, now: int, absent_until: int = 0) -> FirstQuote:
    """Return the quote of a patient who is about to join a lane with the rank ``mine``, at ``absent_until`` or later."""
    able = sum(point.state == "open" and ranking.serves(point, lane) for point in board.points.values())
    before = ranking.ahead_of(board, lane, mine)
    quote = None
    if not board.unquoted:
        quote = _quote_in_long_line(board, mine, lane, now) or _exact_quote(board, mine, lane, now)
    return FirstQuote(*_values(_not_before(quote, absent_until)), before, able)


def newcomers_quotes(board: Board, now: int) -> dict[int, Quote | None]:
    """Return for each queue in use the quote of a patient who would join it now, for screens that many people read.

    In a long line this is the quote of the queue's last patient: to play the line forward costs too much for a look. None
    stands for a queue that no open point serves, or without a quote.
    """
    served = {queue_id for point in board.points.values() if point.state == "open" for queue_id in point.queue_ids}
    queues = [queue.id for queue in board.queues.values() if not queue.removed_at]
    if sum(map(len, board.lanes().values())) <= EXACT:
        outlook = Outlook(board, now)
        outlook.play(board)
        mine = Rank(1, now, 0)
        return {each: outlook.quote_of_newcomer(board, Lane(each), mine, now) for each in queues}
    last = {each: board.waiting(each)[-1].entry_id for each in queues if each in served and board.waiting(each)}
    return {each: _not_past(_quote_of(board.entries[last[each]]), now) if each in last else None for each in queues}


@dataclass(frozen=True, slots=True)
class Requoted:
    """The event with the changed quotes, and all quotes that were found, by entry.

    ``memory`` is for others who work along the line: the next parts of the line have the same one.
    """

    event: WaitsQuoted
    quotes: Mapping[int, Quote | None]
    memory: dict[str, object]


def requote(board: Board, now: int) -> WaitsQuoted:
    """Return the event of `requote_line`."""
    return requote_line(board, now).event


def requote_line(board: Board, now: int) -> Requoted:
    """Return the quotes of the next `AT_ONCE` waiting entries, in the order of their ranks.

    ``more`` is set if the line goes on behind them: the next call continues there. An absent entry is quoted by its place,
    but not before its absence ends.
    """
    outlook = board.requoting
    if not isinstance(outlook, Outlook) or now - outlook.now > OUTLOOK_MICROSECONDS:
        outlook = board.requoting = Outlook(board, now)
    found = outlook.quote(board, AT_ONCE)
    if outlook.complete:
        board.outlook, board.requoting = outlook, None
    changed = [(entry_id, *_values(quote)) for entry_id, quote in found if _values(quote) != _known(board.entries[entry_id])]
    return Requoted(WaitsQuoted(quotes=tuple(changed), more=not outlook.complete), dict(found), outlook.memory)


class Outlook:
    """The possible futures of a site's line at ``now``, kept while the line goes on.

    It is a memory of work that was done, not a part of the board's state: without it, a quote is computed again.
    """

    def __init__(self, board: Board, now: int) -> None:
        self.now = now
        self.complete = False
        self.memory: dict[str, object] = {}
        self._numbers = _Numbers(board)
        self._rooms = list(self._numbers.rooms(board, now, _behind_all(board, now)))
        self._behind: Rank | None = None  # the last rank that has been quoted
        self._taken: set[int] = set()
        self._seen = board.joins  # the joins to the line that this outlook knows

    def quote(self, board: Board, count: int) -> list[tuple[int, Quote | None]]:
        """Return the quotes of the next ``count`` entries in the line, by entry, and take them."""
        coming = list(islice(self._coming(board), count))
        self.complete = len(coming) < count
        found: dict[int, Quote | None] = {each.entry_id: None for each in coming}
        absent = board.absent()
        kinds = {each.entry_id: self._numbers.of_entry(board, board.entries[each.entry_id]) for each in coming}
        for futures in self._rooms:
            present: list[int] = []

            def take(futures: Futures = futures, present: list[int] = present) -> None:
                orders = [_order_of(board, each) for each in present]
                found.update(zip(present, futures.quotes([kinds[each] for each in present], orders), strict=True))
                present.clear()

            for entry_id in (each.entry_id for each in coming if kinds[each.entry_id] in futures.kinds):
                if entry_id in absent:  # this patient takes nobody's turn
                    take()
                    found[entry_id] = _not_before(
                        futures.quote_of_next(kinds[entry_id], _order_of(board, entry_id)), absent[entry_id]
                    )
                else:
                    present.append(entry_id)
            take()
        if coming:
            self._behind = coming[-1]
        self._taken.update(each.entry_id for each in coming if each.entry_id not in absent)
        return list(found.items())

    def play(self, board: Board) -> None:
        """Take the whole line, without quotes."""
        for each in self._coming(board):
            self._take(board, each.entry_id)
        self.complete = True

    def quote_of_newcomer(self, board: Board, lane: Lane, mine: Rank, now: int) -> Quote | None:
        """Return the quote of a patient who joins the end of the line now. None for a lane that this outlook lacks."""
        kind = self._numbers.of_lane(lane)
        futures = next((each for each in self._rooms if kind in each.kinds), None)
        if futures is None or kind is None:
            return None
        for entry_id in self._joined(board):
            self._take(board, entry_id)
        self._seen = board.joins
        return futures.quote_of_next(kind, order_of(mine.band, mine.place), now)

    def _joined(self, board: Board) -> list[int]:
        """Return the waiting entries that have not been taken: lane by lane, each in the order of the ranks.

        Without a look at the entries that have been taken: a newcomer costs the same in every line.
        """
        since = board.joined_since(self._seen)
        if since is None:
            return self._untaken(board)
        fresh: dict[Lane, list[Rank]] = {}
        for entry_id in {each for each in since if each not in self._taken}:
            lane = board.lane_of(entry_id)
            if lane is not None:  # else the entry has left the line again
                fresh.setdefault(lane, []).append(rank(board.entries[entry_id]))
        lanes = fresh if len(fresh) < 2 else (each for each in board.lanes() if each in fresh)
        return [each.entry_id for lane in lanes for each in sorted(fresh[lane])]

    def _untaken(self, board: Board) -> list[int]:
        """Return the same as `_joined`, from a look at the whole line."""
        return [each.entry_id for ranks in board.lanes().values() for each in ranks if each.entry_id not in self._taken]

    def _take(self, board: Board, entry_id: int) -> None:
        kind = self._numbers.of_entry(board, board.entries[entry_id])
        self._taken.add(entry_id)
        for futures in self._rooms:
            if kind in futures.kinds:
                futures.take([kind], [_order_of(board, entry_id)])

    def _coming(self, board: Board) -> Iterator[Rank]:
        """Yield the ranks of waiting entries, present or absent, behind those that have been quoted."""
        lines: list[Sequence[Rank]] = [board.waiting(queue_id) for queue_id in board.queues]
        lines.append(sorted(rank(board.entries[entry_id]) for entry_id in board.absent()))
        begins = [0 if self._behind is None else bisect_right(line, self._behind) for line in lines]
        return merge(*(islice(line, begin, None) for line, begin in zip(lines, begins, strict=True)))


class _Numbers:
    """The lanes of a site as the numbers that `server.domain.waits` knows.

    A lane that every point of its queue may serve has the number of the queue. A lane for one provider, or with a need, has
    a negative number of its own and uses the history of its queue.
    """

    def __init__(self, board: Board, newcomer: Lane | None = None) -> None:
        lanes = {*board.lanes(), *(_lane_of(board, board.entries[entry_id]) for entry_id in board.absent())}
        if newcomer is not None:
            lanes.add(newcomer)
        special = sorted((each for each in lanes if not _plain(each)), key=lambda each: (each[0], each[1] or 0, each[2]))
        self._numbers = {each: -1 - index for index, each in enumerate(special)}

    def of_lane(self, lane: Lane) -> int | None:
        """Return the number of a lane. None for a special lane that has no number."""
        return lane.queue_id if _plain(lane) else self._numbers.get(lane)

    def of_entry(self, board: Board, entry: Entry) -> int:
        """Return the number of an entry's lane; that of the queue, if the lane has none."""
        number = self.of_lane(_lane_of(board, entry))
        return entry.queue_id if number is None else number

    def rooms(self, board: Board, now: int, before: int, kind: int | None = None) -> Iterator[Futures]:
        """Return the futures of each room, with those who come ``before`` an order; with ``kind``, of its room alone."""
        queue_of = {number: lane.queue_id for lane, number in self._numbers.items()}
        histories = {
            queue.id: History(queue.durations, queue.pauses or (), queue.reactions or (), mean_of(queue.paces or ()))
            for queue in board.queues.values()
        }
        points = list(foreseeing.points_of(board, now, self._numbers))
        coming, leaving = foreseeing.coming(board, now, before), stays(board.habits.leaves or ()) if board.habits else ()
        chosen = foreseeing.ranks_of(board.habits, now)
        return Futures.of_rooms(now, points, histories, queue_of, kind, coming, leaving, chosen)


def _quote_in_long_line(board: Board, mine: Rank, lane: Lane, now: int) -> Quote | None:
    """Return the quote of a newcomer without playing a long line forward again. None if the line is short, or unknown."""
    if sum(map(len, board.lanes().values())) <= EXACT:
        return None
    ranks = board.lanes().get(lane, ())
    behind = bisect_left(ranks, mine)
    if behind < len(ranks):  # the newcomer takes the turn of the patient who is now directly behind
        return _not_past(_quote_of(board.entries[ranks[behind].entry_id]), now)
    outlook = board.outlook
    if not isinstance(outlook, Outlook) or now - outlook.now > OUTLOOK_MICROSECONDS:
        continued = _continued_quote(board, mine, lane)
        if continued is not None:
            return _not_past(continued, now)
        outlook = board.outlook = Outlook(board, now)
        outlook.play(board)
    return outlook.quote_of_newcomer(board, lane, mine, now)


def _continued_quote(board: Board, mine: Rank, lane: Lane) -> Quote | None:
    """Return the quote of a newcomer to the end of a long line, from the quotes of the last patients: in line with them.

    They are on the board, whichever process has played the line. Their means are finer than the whole minutes of each. None
    if the last patients are too few, have no quotes, or quotes out of order: some have moved, say.
    """
    able = [point.id for point in board.points.values() if ranking.serves(point, lane)]
    last: list[Rank] = []
    rivals: list[list[Rank]] = []  # the lines of patients whom some of these points may call
    for each, ranks in board.lanes().items():
        serving = [point.id for point in board.points.values() if ranking.serves(point, each)]
        if not set(serving).isdisjoint(able):
            rivals.append(ranks)
        if serving == able:
            last += ranks[-2 * LAST :]
    last = sorted(last)[-2 * LAST :]
    quotes = [_quote_of(board.entries[each.entry_id]) for each in last]
    known = [each for each in quotes if each is not None]
    if len(known) < 2 * LAST or last[-1] > mine:
        return None
    begins = [each.expect_from for each in known]
    if any(map(lt, begins[1:], [each - SLACK for each in begins])):
        return None
    places = [sum([bisect_left(ranks, each) for ranks in rivals]) for each in (*last, mine)]
    # From the middle of the first half to that of the second half, and on to the newcomer; times the number of each half.
    step = sum(places[LAST:-1]) - sum(places[:LAST])
    further = LAST * places[-1] - sum(places[LAST:-1])
    if not 0 < further <= 2 * step:
        return None

    def at(values: list[int]) -> int:
        base, later = values[0], [each - values[0] for each in values]
        first, second = sum(later[:LAST]), sum(later[LAST:])
        return base + max(later[-1], (second + (second - first) * further // step) // LAST)

    begin, end = at(begins), at([each.expect_until for each in known])
    begin = (begin + MINUTE // 2) // MINUTE * MINUTE
    end = max(begin + MINUTE, (end + MINUTE // 2) // MINUTE * MINUTE)
    return Quote(begin, end, known[-1].estimating)


def _exact_quote(board: Board, mine: Rank, lane: Lane, now: int) -> Quote | None:
    """Return the quote of a newcomer, and keep the futures for the next one."""
    known = board.quoted
    if isinstance(known, _Rush):
        kind = known.follow(board, mine, lane, now)
        if kind is not None:
            return known.futures.quote_of_next(kind, order_of(mine.band, mine.place), now)
    numbers = _Numbers(board, lane)
    kind = numbers.of_lane(lane)
    assert kind is not None, "the lane of the newcomer has a number"
    behind = order_of(mine.band, mine.place + RUSH_MICROSECONDS)
    for futures in numbers.rooms(board, now, behind, kind):
        before = merge(*(islice(ranks, bisect_left(ranks, mine)) for ranks in map(board.waiting, board.queues)))
        line = [(numbers.of_entry(board, board.entries[each.entry_id]), order_of(each.band, each.place)) for each in before]
        line = [(each, order) for each, order in line if each in futures.kinds]
        futures.take([each for each, _ in line], [order for _, order in line])
        if not any(ranks and ranks[-1] > mine for ranks in map(board.waiting, board.queues)):
            board.quoted = _Rush(board, numbers, futures, mine, behind, now)
        return futures.quote_of_next(kind, order_of(mine.band, mine.place))
    return None


class _Rush:
    """The futures of a room at the end of its line, kept for some seconds, while nothing happens but that patients join."""

    def __init__(self, board: Board, numbers: _Numbers, futures: Futures, last: Rank, behind: int, now: int) -> None:
        self.futures = futures
        self._numbers = numbers
        self._now = now
        self._last = last  # behind everybody in the line
        self._behind = behind  # an order: the futures know no patients who come with a later one
        self._points = _state_of_points(board)
        self._seq, self._joins, self._moves = board.site.seq, board.joins, board.moves

    def follow(self, board: Board, mine: Rank, lane: Lane, now: int) -> int | None:
        """Take those who have joined since. Return the number of a newcomer's lane; None if these futures do not hold."""
        kind = self._numbers.of_lane(lane)
        joined = board.joined_since(self._joins)
        if kind not in self.futures.kinds or joined is None or not 0 <= now - self._now <= RUSH_MICROSECONDS:
            return None
        # Each event has added one entry to the line, and changed nothing else.
        if not board.site.seq - self._seq == board.moves - self._moves == len(joined):
            return None
        if _state_of_points(board) != self._points:
            return None
        line: list[tuple[int, int]] = []
        last = self._last
        for number, entry_id in enumerate(joined, self._seq + 1):
            entry = board.entries.get(entry_id)
            if entry is None or entry.seq != number or rank(entry) < last:
                return None
            other = self._numbers.of_lane(_lane_of(board, entry))
            if other is None or board.visits[entry.visit_id].booked_for is not None:  # else somebody comes no more
                return None
            last = rank(entry)
            line.append((other, order_of(entry.band, entry.place)))
        if mine < last or order_of(mine.band, mine.place) >= self._behind:
            return None
        line = [(each, order) for each, order in line if each in self.futures.kinds]
        self.futures.take([each for each, _ in line], [order for _, order in line])
        self._seq, self._joins, self._moves, self._last = board.site.seq, board.joins, board.moves, last
        return kind


def _state_of_points(board: Board) -> tuple[object, ...]:
    """Return what the prospects of points depend on: the habits, each present patient, and since when somebody waits."""
    known = board.habits
    habits = None if known is None else (known.begins_at, known.points, known.past, known.bookings)
    return habits, [(board.entry_at(point.id), waiting_since_of(board, point)) for point in board.points.values()]


def _lane_of(board: Board, entry: Entry) -> Lane:
    return ranking.lane(entry, board.visits[entry.visit_id])


def _behind_all(board: Board, now: int) -> int:
    """Return an order behind the whole line, and behind the newcomers who continue from its outlook."""
    last = [ranks[-1] for ranks in map(board.waiting, board.queues) if ranks]
    last += [rank(board.entries[entry_id]) for entry_id in board.absent()]
    return max([order_of(1, now + OUTLOOK_MICROSECONDS), *(order_of(each.band, each.place) + 1 for each in last)])


def _order_of(board: Board, entry_id: int) -> int:
    entry = board.entries[entry_id]
    return order_of(entry.band, entry.place)


def _plain(lane: Lane) -> bool:
    return lane.provider_id is None and not lane.needs


def _not_before(quote: Quote | None, instant: int) -> Quote | None:
    if quote is None:
        return None
    later = max(0, instant - quote.expect_from)
    return replace(quote, expect_from=quote.expect_from + later, expect_until=quote.expect_until + later)


def _not_past(quote: Quote | None, now: int) -> Quote | None:
    """Return an older quote with a range that does not begin in the past."""
    if quote is None:
        return None
    begin = max(quote.expect_from, now // MINUTE * MINUTE)
    return replace(quote, expect_from=begin, expect_until=max(quote.expect_until, begin + MINUTE))


def _quote_of(entry: Entry) -> Quote | None:
    if entry.expect_from is None or entry.expect_until is None:
        return None
    return Quote(entry.expect_from, entry.expect_until, entry.estimating)


def _values(quote: Quote | None) -> tuple[int | None, int | None, bool]:
    return (None, None, True) if quote is None else (quote.expect_from, quote.expect_until, quote.estimating)


def _known(entry: Entry) -> tuple[int | None, int | None, bool]:
    return entry.expect_from, entry.expect_until, entry.estimating
