"""The quotes of a site: from its board to the input of `server.domain.waits`, and from the result to entries."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from server.domain import ranking, waits
from server.domain.board import Board
from server.domain.events import WaitsQuoted
from server.domain.model import Entry
from server.domain.ranking import Lane, Rank, rank
from server.domain.waits import History, OpenPoint, Quote


@dataclass(frozen=True, slots=True)
class FirstQuote:
    """The quote of a joining patient, with its inputs: the entries ahead, and the open points that may serve the patient."""

    expect_from: int | None
    expect_until: int | None
    estimating: bool
    ahead: int
    points: int


def first_quote(board: Board, mine: Rank, lane: Lane, now: int) -> FirstQuote:
    """Return the quote of a patient who is about to join a lane with the rank ``mine``."""
    able = sum(point.state == "open" and ranking.serves(point, lane) for point in board.points.values())
    before = ranking.ahead_of(board, lane, mine)
    if not able:
        return FirstQuote(None, None, True, before, 0)
    line = _Line(board, [each for each in _ranks(board) if each < mine], lane)
    expect_from, expect_until, estimating = _values(line.quote_of_last(now, line.kinds))
    return FirstQuote(expect_from, expect_until, estimating, before, able)


def requote(board: Board, now: int) -> WaitsQuoted:
    """Return the changed quotes of waiting entries.

    An absent entry is quoted by its place, but not before its absence ends.
    """
    ranks = _ranks(board)
    line = _Line(board, ranks)
    absent = {entry_id: bisect_left(ranks, rank(board.entries[entry_id])) for entry_id in board.absent()}
    found = dict(zip((each.entry_id for each in ranks), line.quotes(now, line.kinds), strict=True))
    for entry_id, place in absent.items():
        entry = board.entries[entry_id]
        kind = line.kind_of(ranking.lane(entry, board.visits[entry.visit_id]))
        found[entry_id] = _not_before(line.quote_of_last(now, [*line.kinds[:place], kind]), entry.absent_until or 0)
    changed = [
        (entry_id, *_values(quote)) for entry_id, quote in found.items() if _values(quote) != _known(board.entries[entry_id])
    ]
    return WaitsQuoted(quotes=tuple(changed))


class _Line:
    """A site's line as the input of `server.domain.waits`, which knows lanes as numbers.

    A lane that every point of its queue may serve has the number of the queue. A lane for one provider, or with a need, has
    a negative number of its own and uses the history of its queue.
    """

    def __init__(self, board: Board, ranks: Sequence[Rank], last: Lane | None = None) -> None:
        self._board = board
        special = {each for each in board.lanes() if not _plain(each)} | {
            ranking.lane(entry, board.visits[entry.visit_id]) for entry in map(board.entries.__getitem__, board.absent())
        }
        lanes = special | ({last} if last else set())
        ordered = sorted((each for each in lanes if not _plain(each)), key=lambda each: (each[0], each[1] or 0, each[2]))
        self._numbers = {each: -1 - index for index, each in enumerate(ordered)}
        lane_of = {each.entry_id: lane for lane, waiting in board.lanes().items() for each in waiting}
        self.kinds = [self.kind_of(lane_of[each.entry_id]) for each in ranks]
        if last is not None:
            self.kinds.append(self.kind_of(last))
        self._queue_of = {number: lane.queue_id for lane, number in self._numbers.items()}
        self._points = self._open_points()
        self._histories = {queue.id: History(queue.durations) for queue in board.queues.values()}

    def kind_of(self, lane: Lane) -> int:
        return lane.queue_id if _plain(lane) else self._numbers[lane]

    def quotes(self, now: int, kinds: Sequence[int]) -> list[Quote | None]:
        return waits.quotes(now, kinds, self._points, self._histories, self._queue_of)

    def quote_of_last(self, now: int, kinds: Sequence[int]) -> Quote | None:
        return waits.quote_of_last(now, kinds, self._points, self._histories, self._queue_of)

    def _open_points(self) -> list[OpenPoint]:
        found = []
        for point in self._board.points.values():
            if point.state != "open":
                continue
            guest = self._board.entry_at(point.id)
            special = (number for lane, number in self._numbers.items() if ranking.serves(point, lane))
            since = guest.called_at if guest and guest.called_at is not None else 0
            found.append(OpenPoint((*point.queue_ids, *special), guest.queue_id if guest else None, since))
        return found


def _plain(lane: Lane) -> bool:
    return lane.provider_id is None and not lane.needs


def _not_before(quote: Quote | None, instant: int) -> Quote | None:
    if quote is None:
        return None
    later = max(0, instant - quote.expect_from)
    return replace(quote, expect_from=quote.expect_from + later, expect_until=quote.expect_until + later)


def _values(quote: Quote | None) -> tuple[int | None, int | None, bool]:
    return (None, None, True) if quote is None else (quote.expect_from, quote.expect_until, quote.estimating)


def _known(entry: Entry) -> tuple[int | None, int | None, bool]:
    return entry.expect_from, entry.expect_until, entry.estimating


def _ranks(board: Board) -> list[Rank]:
    return sorted(each for queue_id in board.queues for each in board.waiting(queue_id))
