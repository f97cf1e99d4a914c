"""One site's feed: the board followed event by event, and the cells of each view that somebody watches.

Events reach a feed from the local commit, from the bus and from the log, in any order and any number of times. It applies
each exactly once, in order: the next is applied, an old one dropped, a gap filled from the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Protocol

import structlog

from server.domain.board import Board, Changes, apply
from server.domain.events import Recorded
from server.domain.ranking import aheads
from server.domain.views import AHEAD, TICKET, TicketView, View, draw, surroundings
from server.live import messages
from server.live.messages import Message, Position

logger = structlog.get_logger(__name__)

GRACE_SECONDS = 0.05
TOMBSTONES_KEPT = 2_000
FLUSH_COSTS = (
    4  # so many times what the last flush took goes by before the next: screens take a fifth of the process at most
)
LONGEST_FLUSH_SECONDS = 0.25
COUNT = b'{"count":%d}'  # the cell that says how many are ahead, as `server.domain.views` draws it
_HOPS = 4  # turns of the loop until the streams that a flush woke have written


Heard = Callable[[Board, set[str] | None], None]  # the board, and the keys that changed; None: it is another one


class Head(Protocol):
    """How far a site's log has come."""

    @property
    def seq(self) -> int: ...
    @property
    def epoch(self) -> str: ...


class Loader(Protocol):
    """Reads the truth: `server.queries.boards.Boards` is one."""

    async def board(self, site_id: int) -> Board: ...
    async def since(self, site_id: int, seq: int) -> list[Recorded]: ...
    async def renew_epoch(self, site_id: int, epoch: str) -> None: ...


class Cell:
    """A cell as it is written: its JSON, the number at which it last changed, its part of the digest."""

    __slots__ = ("content", "digest", "seq")

    def __init__(self, key: str, content: bytes, seq: int) -> None:
        self.content = content
        self.seq = seq
        self.digest = messages.digest_of(key, content)


class Projection:
    """The cells of one view of one site, kept up to date, and whom to wake when they change.

    It answers "what has changed since n" for every n from its ``floor``, the number it was drawn at or the oldest
    tombstone kept.
    """

    __slots__ = (
        "_cells",
        "_latest",
        "_tombstones",
        "changed_at",
        "digest",
        "epoch",
        "floor",
        "seq",
        "view",
        "watchers",
    )

    def __init__(self, view: View, board: Board) -> None:
        self.view = view
        self.watchers: dict[object, Callable[[], None]] = {}
        self.redraw(board)

    def redraw(self, board: Board) -> None:
        """Draw everything anew: a new feed, or another epoch."""
        self.seq = self.floor = self.changed_at = board.site.seq
        self.epoch = board.site.epoch
        self._cells = {key: Cell(key, messages.encode(content), self.seq) for key, content in draw(self.view, board).items()}
        self._tombstones: dict[str, int] = {}
        self._latest: tuple[int, int, Message] | None = None
        self.digest = 0
        for cell in self._cells.values():
            self.digest ^= cell.digest

    def follow(self, board: Board, changed: set[str]) -> bool:
        """Bring the touched cells up to the board; return whether any is other than before."""
        self.seq = board.site.seq
        any_changed = False
        for key in set(self.view.touched(board, changed)):
            content = self.view.cell(board, key)
            before = self._cells.get(key)
            if content is None:
                if before is None:
                    continue
                del self._cells[key]
                self.digest ^= before.digest
                self._tombstones.pop(key, None)
                self._tombstones[key] = self.seq
            else:
                encoded = messages.encode(content)
                if before is not None and before.content == encoded:
                    continue
                cell = Cell(key, encoded, self.seq)
                self._cells[key] = cell
                self.digest ^= cell.digest ^ (before.digest if before else 0)
                self._tombstones.pop(key, None)
            any_changed = True
        if any_changed:
            self.changed_at = self.seq
            self._forget_old_tombstones()
        return any_changed

    def _forget_old_tombstones(self) -> None:
        while len(self._tombstones) > TOMBSTONES_KEPT:
            oldest = next(iter(self._tombstones))
            self.floor = max(self.floor, self._tombstones.pop(oldest))

    @property
    def position(self) -> Position:
        """Where a screen is that has everything."""
        return Position(self.epoch, self.view.shape, self.seq)

    def answers(self, position: Position | None) -> bool:
        """Return whether "what has changed since" can be told to a screen at ``position``."""
        return (
            position is not None
            and position.epoch == self.epoch
            and position.shape == self.view.shape
            and self.floor <= position.seq <= self.seq
        )

    def due(self, position: Position | None, heartbeat_seconds: float) -> Message | None:
        """Return what a screen at ``position`` has to be told, or None if it knows everything that is shown."""
        if position is None or not self.answers(position):
            return self.snapshot(heartbeat_seconds, messages.now_milliseconds())
        return self.change_since(position.seq) if self.changed_at > position.seq else None

    def beat(self) -> Message:
        """Return a heartbeat for a screen that knows everything that is shown."""
        return messages.heartbeat(self.position, messages.now_milliseconds(), self.digest)

    def snapshot(self, heartbeat_seconds: float, now_milliseconds: int) -> Message:
        """Return all cells."""
        cells = {key: cell.content for key, cell in self._cells.items()}
        return messages.snapshot(self.position, cells, heartbeat_seconds, now_milliseconds)

    def change_since(self, seq: int) -> Message:
        """Return what has changed since ``seq``, which `answers` has allowed. Encoded once for all who ask the same."""
        if self._latest is not None and self._latest[:2] == (seq, self.seq):
            return self._latest[2]
        changed = [(key, cell.content) for key, cell in self._cells.items() if cell.seq > seq]
        gone = [key for key, at in self._tombstones.items() if at > seq]
        message = messages.change(self.position, changed, gone)
        self._latest = (seq, self.seq, message)
        return message

    def wake(self) -> None:
        """Tell every watcher that there is something to write."""
        for call in list(self.watchers.values()):
            call()


class TicketProjection(Projection):
    """A patient's ticket, and how many are ahead. Most changes of a queue move nothing here but that number.

    So both are kept as they are, with the number at which each last changed: moving on is no rendering, and the digest is
    made when somebody asks. ``followed`` says how far all tickets of the feed have come.
    """

    __slots__ = ("_content", "_drawn_at", "_followed", "ahead", "moved_at", "visit_id")

    ahead: int | None

    def __init__(self, view: TicketView, board: Board, followed: Followed) -> None:
        self.visit_id = view.visit_id
        self._followed = followed
        super().__init__(view, board)

    def redraw(self, board: Board) -> None:
        """Draw everything anew."""
        self.floor = self.changed_at = self._drawn_at = self.moved_at = board.site.seq
        self.epoch = board.site.epoch
        self._content, self.ahead = self._drawn(board)

    def follow(self, board: Board, changed: set[str]) -> bool:
        """Bring both cells up to the board; return whether any is other than before."""
        content, ahead = self._drawn(board)
        if content == self._content and ahead == self.ahead:
            return False
        if content != self._content:
            self._content = content
            self._drawn_at = self.changed_at = board.site.seq
        if ahead != self.ahead:
            self.ahead = ahead
            self.moved_at = self.changed_at = board.site.seq
        return True

    @property
    def seq(self) -> int:  # type: ignore[override]
        """How far it has come: one that was drawn since is ahead of the others."""
        return max(self._followed.seq, self.floor)

    @property
    def digest(self) -> int:  # type: ignore[override]
        """The view's digest."""
        mine = messages.digest_of(TICKET, self._content)
        return mine if self.ahead is None else mine ^ messages.digest_of(AHEAD, COUNT % self.ahead)

    def snapshot(self, heartbeat_seconds: float, now_milliseconds: int) -> Message:
        """Return the cells."""
        cells = {TICKET: self._content} if self.ahead is None else {TICKET: self._content, AHEAD: COUNT % self.ahead}
        return messages.snapshot(self.position, cells, heartbeat_seconds, now_milliseconds)

    def change_since(self, seq: int) -> Message:
        """Return what has changed since ``seq``."""
        changed = [(TICKET, self._content)] if self._drawn_at > seq else []
        gone = []
        if self.moved_at > seq:
            if self.ahead is None:
                gone.append(AHEAD)
            else:
                changed.append((AHEAD, COUNT % self.ahead))
        return messages.change(self.position, changed, gone)

    def _drawn(self, board: Board) -> tuple[bytes, int | None]:
        ticket, count = self.view.cell(board, TICKET), self.view.cell(board, AHEAD)
        assert ticket is not None, "there always is one"
        return messages.encode(ticket), None if count is None else count["count"]


class Followed:
    """How far the tickets of one feed have come: one number for all, for there may be thousands."""

    __slots__ = ("seq",)

    def __init__(self) -> None:
        self.seq = 0


class _Tickets:
    """The tickets that are watched in one feed, followed together."""

    def __init__(self) -> None:
        self._projections: dict[int, TicketProjection] = {}  # by visit
        self._surroundings: tuple[object, ...] = ()
        self._order: tuple[object, ...] = ()
        self._followed = Followed()

    def add(self, view: TicketView, board: Board) -> TicketProjection:
        """A ticket is watched: return its projection."""
        if not self._projections:
            self.begin(board)
        projection = self._projections[view.visit_id] = TicketProjection(view, board, self._followed)
        return projection

    def begin(self, board: Board) -> None:
        """All were drawn from this board."""
        self._followed.seq = board.site.seq
        self._surroundings = surroundings(board)
        self._order = _order(board)

    def get(self, visit_id: int) -> TicketProjection | None:
        """Return the projection of a visit that is watched."""
        return self._projections.get(visit_id)

    def remove(self, projection: TicketProjection) -> None:
        """A ticket is watched no longer."""
        self._projections.pop(projection.visit_id, None)

    def all(self) -> Iterable[TicketProjection]:
        """Return every ticket that is watched."""
        return self._projections.values()

    def follow(self, board: Board, changed: set[str]) -> tuple[list[TicketProjection], list[TicketProjection]]:
        """Bring every ticket up to the board. Return those that are other than before, and those that only moved."""
        projections = self._projections
        if not projections:
            return [], []
        around = surroundings(board)
        if around == self._surroundings:
            drawn = self._own(board, changed)
        else:
            self._surroundings = around
            drawn = set(projections)
        seq = self._followed.seq = board.site.seq
        others = [projection for visit_id in drawn if (projection := projections[visit_id]).follow(board, changed)]
        entries = board.entries
        moved: list[TicketProjection] = []
        order = _order(board)
        if order == self._order:
            return others, moved
        self._order = order
        for entry_id, ahead in aheads(board):
            ticket = projections.get(entries[entry_id].visit_id)
            if ticket is not None and ticket.ahead != ahead:
                ticket.ahead = ahead
                ticket.moved_at = ticket.changed_at = seq
                moved.append(ticket)
        return others, moved

    def _own(self, board: Board, changed: set[str]) -> set[int]:
        """Return the visits whose own records changed, and those passed over: their count is not among all the others."""
        found = {board.entries[entry_id].visit_id for entry_id in board.absent()}
        for key in changed:
            kind, _, identifier = key.partition(":")
            if kind == "visit":
                found.add(int(identifier))
            elif kind == "entry" and (entry := board.entries.get(int(identifier))) is not None:
                found.add(entry.visit_id)
        return found & self._projections.keys()


def _order(board: Board) -> tuple[object, ...]:
    """Return what the counts are made of: as long as it stays the same, so does how many are ahead of anybody."""
    served = [(each.queue_ids, each.provider_id, each.unmet_needs, each.removed_at) for each in board.points.values()]
    return board.moves, served


def wake_all(projections: Sequence[Projection]) -> None:
    """Tell every watcher of each that there is something to write."""
    for projection in projections:
        projection.wake()


class Feed:
    """Follows one site's log for as long as somebody watches the site.

    ``heard`` is told of every change to the board, before any screen is. Screens are told at once after a quiet time, else
    every ``flush_seconds``, or more rarely where telling them costs more: what changes meanwhile is told together.
    ``tell`` has it written to tickets of which nothing but the count has changed: there may be thousands.
    """

    def __init__(
        self,
        site_id: int,
        loader: Loader,
        heard: Heard = lambda *_: None,
        flush_seconds: float = 0.0,
        tell: Callable[[Sequence[TicketProjection]], None] = wake_all,
    ) -> None:
        self.site_id = site_id
        self._tell = tell
        self._loader = loader
        self._heard = heard
        self._flush_seconds = flush_seconds
        self._next_flush = 0.0
        self._flushing: asyncio.Handle | None = None
        self._unshown: set[str] = set()  # keys of the board that changed since the last flush
        self._stale = False  # whether there was any event since
        self._board: Board | None = None
        self._projections: dict[str, Projection] = {}
        self._tickets = _Tickets()
        self._pending: dict[int, Recorded] = {}
        self._pending_epoch = ""
        self._grace: asyncio.Task[None] | None = None
        self._filling = asyncio.Lock()
        self._loading = False
        self.refills = 0

    @property
    def board(self) -> Board | None:
        """The board as far as this feed has come; None before it is loaded. Not to be changed by the caller."""
        return self._board

    @property
    def seq(self) -> int:
        """How far this feed has come; 0 before it is loaded."""
        return self._board.site.seq if self._board else 0

    async def load(self) -> None:
        """Load the board. What is offered meanwhile waits, and is applied after. Raises `SiteNotFound`, `Unavailable`."""
        self._loading = True
        try:
            board = await self._loader.board(self.site_id)
        finally:
            self._loading = False
        self._board = board
        self._heard(board, None)
        self._unshown.clear()
        for projection in self._all():
            projection.redraw(board)
        self._tickets.begin(board)
        self._advance()
        for projection in list(self._all()):
            projection.wake()

    def close(self) -> None:
        """Stop waiting for anything."""
        if self._grace is not None:
            self._grace.cancel()
        if self._flushing is not None:
            self._flushing.cancel()

    def projection(self, view: View) -> Projection:
        """Return the cells of ``view``, drawn when first asked for. The feed must be loaded."""
        assert self._board is not None, "load first"
        if isinstance(view, TicketView):
            ticket = self._tickets.get(view.visit_id)
            if ticket is None:
                ticket = self._tickets.add(view, self._board)
            return ticket
        projection = self._projections.get(view.name)
        if projection is None:
            projection = self._projections[view.name] = Projection(view, self._board)
        return projection

    def forget(self, projection: Projection) -> None:
        """Let go of a view that nobody watches."""
        if projection.watchers:
            return
        if isinstance(projection, TicketProjection):
            self._tickets.remove(projection)
        else:
            self._projections.pop(projection.view.name, None)

    @property
    def watched(self) -> bool:
        """Whether any screen watches this site."""
        return any(projection.watchers for projection in self._all())

    def _all(self) -> Iterable[Projection]:
        return chain(self._projections.values(), self._tickets.all())

    def offer(self, epoch: str, events: Iterable[Recorded]) -> None:
        """Take events from anywhere: applied if next, dropped if old, kept for a moment if there is a gap before them."""
        if epoch != self._pending_epoch:
            self._pending.clear()
            self._pending_epoch = epoch
        for event in events:
            if self._loading or event.seq > self.seq:
                self._pending[event.seq] = event
        if self._board is not None and not self._loading:  # the board that is coming may lack what this one has
            self._advance()

    def _advance(self) -> None:
        """Apply what is next, as long as there is any; wait a moment for what is missing."""
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
            self._grace = asyncio.create_task(self._refill_after_grace())

    def _apply(self, board: Board, events: Sequence[Recorded]) -> None:
        if not events:
            return
        changes = Changes()
        for event in events:
            apply(board, event, changes)
        self._heard(board, changes.keys)
        self._unshown |= changes.keys
        self._stale = True
        if not self._flush_seconds:
            self.flush()
        elif self._flushing is None:
            self._flush_in_time()

    def _flush_in_time(self) -> None:
        """Flush now if it is time, else when it will be."""
        loop = asyncio.get_running_loop()
        self._flushing = None
        if loop.time() < self._next_flush:
            self._flushing = loop.call_at(self._next_flush, self._flush_in_time)
            return
        self._flushing = loop.call_soon(self._weigh, loop.time(), _HOPS)  # nothing else is flushed before this is weighed
        self.flush()

    def _weigh(self, began: float, hops: int) -> None:
        """Put the next flush off by what this one cost, once the streams that it woke have written."""
        loop = asyncio.get_running_loop()
        if hops:
            self._flushing = loop.call_soon(self._weigh, began, hops - 1)
            return
        cost = FLUSH_COSTS * (loop.time() - began)
        self._next_flush = began + min(max(cost, self._flush_seconds), LONGEST_FLUSH_SECONDS)
        self._flushing = None
        if self._stale:
            self._flush_in_time()

    def flush(self) -> None:
        """Bring every view up to the board, and wake whoever watches one that changed."""
        board = self._board
        if board is None or not self._stale:
            return
        changed, self._unshown, self._stale = self._unshown, set(), False
        for projection in list(self._projections.values()):
            if projection.follow(board, changed):
                projection.wake()
        others, moved = self._tickets.follow(board, changed)
        for ticket in others:
            ticket.wake()
        if moved:
            self._tell(moved)

    async def _refill_after_grace(self) -> None:
        await asyncio.sleep(GRACE_SECONDS)
        try:
            if self._pending:
                await self.refill()
        except Exception as error:  # whatever it was, the next look at the heads tries again
            logger.warning("not refilled", site_id=self.site_id, error=repr(error))

    async def check(self, head: Head, seen: Position | None = None) -> None:
        """Compare with the log's head, and catch up if this feed is behind, or of another history.

        ``seen`` is where the feed was before the head was read, if that is not where it is now: one that has gone on
        since is not ahead of its log.
        """
        seen = seen or self.position
        if self._board is None or seen is None:
            return
        cut_off = head.epoch == seen.epoch and head.seq < seen.seq
        if cut_off or head.epoch != self._board.site.epoch:
            logger.warning("another history", site_id=self.site_id, seq=self.seq, head=head.seq)
            async with self._filling:
                if cut_off:  # else numbers would come again under the same name, and mean something else
                    await self._loader.renew_epoch(self.site_id, head.epoch)
                await self.load()
        elif head.seq > self.seq:
            await self.refill()

    @property
    def position(self) -> Position | None:
        """Where this feed is in its site's history; None before it is loaded."""
        return Position(self._board.site.epoch, "feed", self.seq) if self._board else None

    async def refill(self) -> None:
        """Read from the log what this feed lacks. A database that is away leaves it where it is, for the next check."""
        async with self._filling:
            self.refills += 1
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
