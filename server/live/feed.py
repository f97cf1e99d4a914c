"""One site's feed: the site's board, kept up to the log event by event, and the projections of the views that are watched.

Events arrive from the local commit, from the bus and from the log, in any order and any number of times. The feed applies
each event exactly once, in order: it applies the next, drops an old one, and fills a gap from the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from typing import Protocol

import structlog

from server.clock import wall_microseconds
from server.domain.board import Board, Changes, apply
from server.domain.errors import Unavailable
from server.domain.events import Recorded
from server.domain.model import Appointment
from server.domain.views import AppointmentView, CalendarView, DisplayView, TicketView, View
from server.domain.watching import Watch
from server.live.messages import Now, Position
from server.live.projection import ChoiceProjection, Projection, TicketProjection, TicketProjections, wake_all
from server.live.watches import Watches

logger = structlog.get_logger(__name__)

GRACE_SECONDS = 0.05  # how long a feed waits for missing events before it reads them from the log
FLUSH_COSTS = 4  # the pause between two flushes, in durations of the first: they use at most a fifth of the process
LONGEST_FLUSH_SECONDS = 0.25
_TURNS_TO_WRITE = 4  # turns of the event loop until the streams that a flush woke have written


OnShown = Callable[[float], None]
OnChange = Callable[[Board, set[str] | None], None]  # the board and its changed keys; None after a load: any key may differ
# The tickets that changed when drawn again, and those that differ in nothing but their count of entries ahead.
WriteTickets = Callable[[Sequence[TicketProjection], Sequence[TicketProjection]], None]


class Head(Protocol):
    """The end of a site's log: the last number, and the epoch of the history."""

    @property
    def seq(self) -> int: ...
    @property
    def epoch(self) -> str: ...


class Loader(Protocol):
    """Reads boards and logs from the database: `server.queries.boards.Boards` is one.

    A board has the ``watched`` appointments, too. `appointments` returns them alone, with the head of the log in the same
    view of the database.
    """

    async def board(self, site_id: int, watched: Collection[Watch] = ()) -> Board: ...
    async def appointments(self, site_id: int, watched: Collection[Watch]) -> tuple[Head, Sequence[Appointment]]: ...
    async def since(self, site_id: int, seq: int) -> list[Recorded]: ...
    async def renew_epoch(self, site_id: int, epoch: str) -> None: ...


class Feed:
    """Follows one site's log for as long as somebody watches the site.

    After a quiet time, screens get a change at once. In a burst, the feed flushes every ``flush_seconds``, or less often
    where a flush costs more, and merges the changes between two flushes. 0 flushes after every event.

    ``on_change`` is called after every change to the board, before any screen gets it. ``on_drawn`` is called when every
    projection shows the board, before any screen gets the changes. ``write_tickets`` writes to the screens of the changed
    tickets: there may be thousands. ``now`` is the time that messages carry. ``on_shown`` gets, after each flush, the
    seconds since the oldest of its events.
    """

    def __init__(
        self,
        site_id: int,
        loader: Loader,
        on_change: OnChange = lambda *_: None,
        flush_seconds: float = 0.0,
        write_tickets: WriteTickets = wake_all,
        on_drawn: OnChange = lambda *_: None,
        now: Now = wall_microseconds,
        on_shown: OnShown = lambda _: None,
    ) -> None:
        self.site_id = site_id
        self._on_shown = on_shown
        self._write_tickets = write_tickets
        self._now = now
        self._loader = loader
        self._on_change = on_change
        self._on_drawn = on_drawn
        self._flush_seconds = flush_seconds
        self._next_flush = 0.0
        self._flushing: asyncio.Handle | None = None
        self._unshown: set[str] = set()  # keys of the board that changed since the last flush
        self._stale = False  # whether any event was applied since the last flush
        self._oldest_at = 0  # the instant of the first of these events
        self._board: Board | None = None
        self._projections: dict[str, Projection] = {}
        self._tickets = TicketProjections(now)
        self._watches = Watches()
        self._touched: set[str] | None = None  # keys that changed while the rows of watched appointments are read
        self._pending: dict[int, Recorded] = {}
        self._pending_epoch = ""
        self._grace: asyncio.Task[None] | None = None
        self._filling = asyncio.Lock()
        self._loading = False
        self.backfills = 0

    @property
    def board(self) -> Board | None:
        """The board at this feed's number, or None before it is loaded. The caller must not change it."""
        return self._board

    @property
    def seq(self) -> int:
        """The number of the last event that this feed has applied; 0 before it is loaded."""
        return self._board.site.seq if self._board else 0

    async def load(self) -> None:
        """Load the board, then apply the events that were offered meanwhile. Raises `SiteNotFound`, `Unavailable`."""
        self._loading = True
        asked = self._watches.all()
        try:
            board = await self._loader.board(self.site_id, tuple(asked))
        finally:
            self._loading = False
        self._board = board
        board.watching = self._watches.cover
        board.take_back(list(board.appointments.values()))  # of watches that have ended meanwhile
        self._watches.found(asked)
        self._on_change(board, None)
        self._unshown.clear()
        for projection in self._all():
            projection.redraw(board)
        self._tickets.begin(board)
        self._on_drawn(board, None)
        self._advance()
        for projection in list(self._all()):
            projection.wake()

    def close(self) -> None:
        """Cancel the pending flush and the pending read of the log."""
        if self._grace is not None:
            self._grace.cancel()
        if self._flushing is not None:
            self._flushing.cancel()

    def projection(self, view: View) -> Projection:
        """Return the projection of ``view``, drawn on the first call. The feed must be loaded.

        Displays with the same choice share one. For a view of appointments, the caller is inside `showing`.
        """
        assert self._board is not None, "load the feed first"
        if isinstance(view, DisplayView):
            if f"display:{view.display_id}" in self._unshown:  # a new choice shows no state from before it was made
                self.flush()
            calls = view.shared(self._board)
            projection = self._projections.get(calls.name)
            if projection is None:
                projection = self._projections[calls.name] = ChoiceProjection(calls, self._board, self._now)
            return projection
        if isinstance(view, TicketView):
            ticket = self._tickets.get(view.visit_id)
            if ticket is None:
                ticket = self._tickets.add(view, self._board)
            return ticket
        projection = self._projections.get(view.name)
        if projection is None:
            if isinstance(view, CalendarView):
                projection = ChoiceProjection(view, self._board, self._now)
            else:
                projection = Projection(view, self._board, self._now)
            self._projections[view.name] = projection
            if isinstance(view, CalendarView | AppointmentView):
                self._watches.begin(view.watch)
        return projection

    @asynccontextmanager
    async def showing(self, view: View) -> AsyncIterator[None]:
        """Keep the appointments that a view shows on the board, while the block runs. The feed must be loaded.

        From then on the `projection` of the view keeps them. Raises `Unavailable`.
        """
        if not isinstance(view, CalendarView | AppointmentView):
            yield
            return
        self._watches.begin(view.watch)  # first: the board keeps what events change while the rows are read
        try:
            if self._watches.is_missing(view.watch):
                async with self._filling:
                    if self._watches.is_missing(view.watch):
                        await self._put_watched()
            yield
        finally:
            self._watches.end(view.watch, self._board)

    async def _put_watched(self) -> None:
        """Put the rows of all missing watches on the board, which then has at least their number.

        An appointment that is on the board, or has changed since the rows were read, is newer there than its row.
        """
        seen, asked = self.position, self._watches.missing()
        assert seen is not None, "load the feed first"
        self._touched = set()
        try:
            head, appointments = await self._loader.appointments(self.site_id, tuple(asked))
            board = self._board
            await self._catch_up(head, seen)
            if self._board is not board or board is None:
                return  # the new board has been loaded with every watch
            if self.seq < head.seq:
                raise Unavailable()
            for each in appointments:
                if f"appointment:{each.id}" not in self._touched and board.keeps(each):
                    board.lend(each)
            self._watches.found(asked)
        finally:
            self._touched = None

    def forget(self, projection: Projection) -> None:
        """Drop a projection that nobody watches."""
        if projection.watchers:
            return
        if isinstance(projection, TicketProjection):
            self._tickets.remove(projection)
        elif self._projections.pop(projection.view.name, None) is not None:
            view = projection.view
            if isinstance(view, CalendarView | AppointmentView):
                self._watches.end(view.watch, self._board)

    @property
    def watched(self) -> bool:
        """Whether any screen watches this site."""
        return any(projection.watchers for projection in self._all())

    def _all(self) -> Iterable[Projection]:
        return chain(self._projections.values(), self._tickets.all())

    def offer(self, epoch: str, events: Iterable[Recorded]) -> None:
        """Accept events from any source: apply the next ones, drop old ones, and keep the ones after a gap for a moment."""
        if epoch != self._pending_epoch:
            self._pending.clear()
            self._pending_epoch = epoch
        for event in events:
            if self._loading or event.seq > self.seq:
                self._pending[event.seq] = event
        if self._board is not None and not self._loading:  # a board in loading may lack events that this one has
            self._advance()

    def _advance(self) -> None:
        """Apply the pending events up to the first gap. For the events behind a gap, read the log after a moment."""
        board = self._board
        assert board is not None
        if self._pending and self._pending_epoch == board.site.epoch:
            ready: list[Recorded] = []
            while (event := self._pending.pop(board.site.seq + len(ready) + 1, None)) is not None:
                ready.append(event)
            self._apply(board, ready)
            for seq in [seq for seq in self._pending if seq <= board.site.seq]:
                del self._pending[seq]
        if self._pending and (self._grace is None or self._grace.done()):
            self._grace = asyncio.create_task(self._backfill_after_grace())

    def _apply(self, board: Board, events: Sequence[Recorded]) -> None:
        if not events:
            return
        changes = Changes()
        for event in events:
            apply(board, event, changes)
        self._on_change(board, changes.keys)
        self._unshown |= changes.keys
        if self._touched is not None:
            self._touched |= changes.keys
        if not self._stale:
            self._stale, self._oldest_at = True, events[0].at
        if not self._flush_seconds:
            self.flush()
        elif self._flushing is None:
            self._flush_in_time()

    def _flush_in_time(self) -> None:
        """Flush now if the pause after the last flush is over, else when it ends."""
        loop = asyncio.get_running_loop()
        self._flushing = None
        if loop.time() < self._next_flush:
            self._flushing = loop.call_at(self._next_flush, self._flush_in_time)
            return
        # While `_flushing` is set no other flush begins: the cost of this one is measured first.
        self._flushing = loop.call_soon(self._set_next_flush, loop.time(), _TURNS_TO_WRITE)
        self.flush()

    def _set_next_flush(self, began: float, turns: int) -> None:
        """Measure what this flush cost, when the streams that it woke have written, and set the time of the next flush."""
        loop = asyncio.get_running_loop()
        if turns:
            self._flushing = loop.call_soon(self._set_next_flush, began, turns - 1)
            return
        cost = FLUSH_COSTS * (loop.time() - began)
        self._next_flush = began + min(max(cost, self._flush_seconds), LONGEST_FLUSH_SECONDS)
        self._flushing = None
        if self._stale:
            self._flush_in_time()

    def flush(self) -> None:
        """Bring every projection up to the board, and wake the watchers of the changed ones."""
        board = self._board
        if board is None or not self._stale:
            return
        changed, self._unshown, self._stale = self._unshown, set(), False
        different: list[Projection] = [each for each in self._projections.values() if each.follow(board, changed)]
        drawn, moved = self._tickets.follow(board, changed)
        self._on_drawn(board, changed)
        for projection in different:
            projection.wake()
        self._write_tickets(drawn, moved)
        self._on_shown(max(0, self._now() - self._oldest_at) / 1_000_000)

    async def _backfill_after_grace(self) -> None:
        await asyncio.sleep(GRACE_SECONDS)
        try:
            if self._pending:
                await self.backfill()
        except Exception as error:  # of any kind: the next check of the heads tries again
            logger.warning("not refilled", site_id=self.site_id, error=repr(error))

    async def check(self, head: Head, seen: Position | None = None) -> None:
        """Compare the feed with the log's head. Backfill it if it is behind, reload it if the history is another one.

        ``seen`` is the feed's position from before the head was read: a feed that applied events since then is not beyond
        the end of its log. None means the present position.
        """
        seen = seen or self.position
        if self._board is None or seen is None:
            return
        if self._is_another_history(head, seen) or head.seq > self.seq:
            async with self._filling:
                await self._catch_up(head, seen)

    def _is_another_history(self, head: Head, seen: Position) -> bool:
        assert self._board is not None
        return _is_cut_off(head, seen) or head.epoch != self._board.site.epoch

    async def _catch_up(self, head: Head, seen: Position) -> None:
        """Do the work of `check`, inside the lock of all reads."""
        if self._is_another_history(head, seen):
            logger.warning("another history", site_id=self.site_id, seq=self.seq, head=head.seq)
            if _is_cut_off(head, seen):  # the same numbers will name other events: under a new epoch no screen resumes
                await self._loader.renew_epoch(self.site_id, head.epoch)
            await self.load()
        elif head.seq > self.seq:
            await self._backfill()

    @property
    def position(self) -> Position | None:
        """The feed's position in its site's history; None before it is loaded."""
        return Position(self._board.site.epoch, "feed", self.seq) if self._board else None

    async def backfill(self) -> None:
        """Read the missing events from the log. Raises `Unavailable`, with the feed as it was: the next check retries."""
        async with self._filling:
            await self._backfill()

    async def _backfill(self) -> None:
        self.backfills += 1
        board = self._board
        if board is None:
            return
        if self._pending and self._pending_epoch != board.site.epoch:
            await self.load()
            return
        while events := await self._loader.since(self.site_id, self.seq):
            fresh = [event for event in events if event.seq > self.seq]
            if not fresh or fresh[0].seq != self.seq + 1:
                break
            self._apply(board, fresh)
        self._advance()


def _is_cut_off(head: Head, seen: Position) -> bool:
    """Return whether the log has lost its end since the feed had the position ``seen``."""
    return head.epoch == seen.epoch and head.seq < seen.seq
