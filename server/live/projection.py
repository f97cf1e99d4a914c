"""Projections: the cells of one view of one site, encoded, each with the log number at which it last changed.

A projection follows a board. It keeps no list of changes: the cells themselves answer "changes since n".
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import chain

from server.clock import wall_microseconds
from server.domain.board import Board
from server.domain.model import local_time
from server.domain.ranking import aheads
from server.domain.views import AHEAD, TICKET, CalendarView, CallsView, TicketView, View, draw, surroundings
from server.live import messages
from server.live.messages import Message, Now, Position

TOMBSTONES_KEPT = 2_000
COUNT = b'{"count":%d}'  # the cell `ahead`, byte for byte as `server.domain.views` draws it


def stamped(shape: str) -> str:
    """Return a shape with the release of the zone data.

    A process with another release draws other cells for the same number of the log: the offsets of the site, and the days of
    a calendar. A screen cannot resume there.
    """
    return _stamped(shape, local_time.tz_version())


@cache
def _stamped(shape: str, release: str) -> str:
    return f"{shape}-{release}"


class Cell:
    """One cell of a view: its compact JSON, the log number at which it last changed, and its share of the digest."""

    __slots__ = ("content", "digest", "seq")

    def __init__(self, key: str, content: bytes, seq: int) -> None:
        self.content = content
        self.seq = seq
        self.digest = messages.digest_of(key, content)


class Projection:
    """The current cells of one view of one site, and the callbacks (``watchers``) to call after they change.

    A projection can list the changes since n for every n from ``floor`` to ``seq``. The floor is the number at which the
    projection was drawn, or that of the newest tombstone it has dropped.
    """

    __slots__ = (
        "_cells",
        "_joined",
        "_latest",
        "_now",
        "_tombstones",
        "changed_at",
        "digest",
        "epoch",
        "floor",
        "seq",
        "view",
        "watchers",
    )

    def __init__(self, view: View, board: Board, now: Now = wall_microseconds) -> None:
        self.view = view
        self._now = now
        self.watchers: dict[object, Callable[[], None]] = {}
        self.redraw(board)

    def redraw(self, board: Board) -> None:
        """Draw every cell from the board: for a new projection, and for another epoch."""
        self.seq = self.floor = self.changed_at = board.site.seq
        self.epoch = board.site.epoch
        self._cells = {key: Cell(key, messages.encode(content), self.seq) for key, content in draw(self.view, board).items()}
        self._tombstones: dict[str, int] = {}
        self._latest: tuple[int, int, Message] | None = None
        self._joined: bytes | None = None  # all cells as a snapshot has them, until any changes
        self.digest = 0
        for cell in self._cells.values():
            self.digest ^= cell.digest

    def follow(self, board: Board, changed: set[str]) -> bool:
        """Update the cells that depend on the ``changed`` board keys. Return whether any cell differs from before."""
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
            self._joined = None
            self._drop_old_tombstones()
        return any_changed

    def _drop_old_tombstones(self) -> None:
        while len(self._tombstones) > TOMBSTONES_KEPT:
            oldest = next(iter(self._tombstones))
            self.floor = max(self.floor, self._tombstones.pop(oldest))

    @property
    def position(self) -> Position:
        """The position of a screen that shows every cell of this projection."""
        return Position(self.epoch, self.shape, self.seq)

    @property
    def shape(self) -> str:
        """The shape of the positions of this projection's screens."""
        return stamped(self.view.shape)

    def can_resume(self, position: Position | None) -> bool:
        """Return whether the changes since ``position`` are known. A screen at any other position needs a snapshot."""
        return (
            position is not None
            and position.epoch == self.epoch
            and position.shape == self.shape
            and self.floor <= position.seq <= self.seq
        )

    def next_message(self, position: Position | None, heartbeat_seconds: float) -> Message | None:
        """Return the next message for a screen at ``position``: a snapshot, a change, or None if it is up to date."""
        if position is None or not self.can_resume(position):
            return self.snapshot(heartbeat_seconds, self._now() // 1000)
        return self.change_since(position.seq) if self.changed_at > position.seq else None

    def heartbeat(self) -> Message:
        """Return a heartbeat for a screen that is up to date."""
        return messages.heartbeat(self.position, self._now() // 1000, self.digest)

    def snapshot(self, heartbeat_seconds: float, now_milliseconds: int) -> Message:
        """Return a snapshot: all cells. Until the next change they are put together once, for all callers."""
        if self._joined is None:
            self._joined = messages.joined((key, cell.content) for key, cell in self._cells.items())
        return messages.snapshot(self.position, self._joined, heartbeat_seconds, now_milliseconds)

    def change_since(self, seq: int) -> Message:
        """Return the change since the log number ``seq``, which `can_resume` has accepted.

        The last change is kept: callers with the same ``seq`` get the same object, encoded once.
        """
        if self._latest is not None and self._latest[:2] == (seq, self.seq):
            return self._latest[2]
        changed = [(key, cell.content) for key, cell in self._cells.items() if cell.seq > seq]
        gone = [key for key, at in self._tombstones.items() if at > seq]
        message = messages.change(self.position, changed, gone)
        self._latest = (seq, self.seq, message)
        return message

    def wake(self) -> None:
        """Call every watcher: there are changes to write."""
        for call in list(self.watchers.values()):
            call()


class ChoiceProjection(Projection):
    """The cells of all screens with one choice of calls or of dates. A screen that showed another choice gets a snapshot."""

    __slots__ = ("_shape",)

    def __init__(self, view: CallsView | CalendarView, board: Board, now: Now = wall_microseconds) -> None:
        # The text is short: a screen sends its position in a header.
        self._shape = f"{view.shape}-{zlib.crc32(view.name.encode()):08x}" if view.chooses else view.shape
        super().__init__(view, board, now)

    @property
    def shape(self) -> str:
        """The shape of the view and, if the screens show a part of the site only, a digest of their choice."""
        return stamped(self._shape)


class TicketProjection(Projection):
    """The two cells of a patient's ticket: ``ticket``, and ``ahead`` with the number of entries ahead.

    Most events change nothing here but that number. It is therefore kept as a number: to move a ticket forward renders no
    cell, and the digest is computed only when it is read. ``progress`` is shared by all tickets of a feed.
    """

    __slots__ = ("_content", "_drawn_at", "_progress", "ahead", "moved_at", "visit_id")

    ahead: int | None

    def __init__(self, view: TicketView, board: Board, progress: TicketProgress, now: Now) -> None:
        self.visit_id = view.visit_id
        self._progress = progress
        super().__init__(view, board, now)

    def redraw(self, board: Board) -> None:
        """Draw both cells from the board."""
        self.floor = self.changed_at = self._drawn_at = self.moved_at = board.site.seq
        self.epoch = board.site.epoch
        self._content, self.ahead = self._drawn(board)

    def follow(self, board: Board, changed: set[str]) -> bool:
        """Update both cells. Return whether either differs from before."""
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
        """The log number that this ticket shows. A ticket drawn since the last flush is ahead of the others."""
        return max(self._progress.seq, self.floor)

    @property
    def digest(self) -> int:  # type: ignore[override]
        """The digest of the view."""
        own = messages.digest_of(TICKET, self._content)
        return own if self.ahead is None else own ^ messages.digest_of(AHEAD, COUNT % self.ahead)

    def snapshot(self, heartbeat_seconds: float, now_milliseconds: int) -> Message:
        """Return a snapshot: both cells."""
        cells = [(TICKET, self._content)]
        if self.ahead is not None:
            cells.append((AHEAD, COUNT % self.ahead))
        return messages.snapshot(self.position, messages.joined(cells), heartbeat_seconds, now_milliseconds)

    def change_since(self, seq: int) -> Message:
        """Return the change since the log number ``seq``."""
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
        assert ticket is not None, "every ticket view has this cell"
        return messages.encode(ticket), None if count is None else count["count"]


class TicketProgress:
    """The log number that all tickets of one feed show. One object for all: there may be thousands of tickets."""

    __slots__ = ("seq",)

    def __init__(self) -> None:
        self.seq = 0


class TicketProjections:
    """The projections of all watched tickets of one feed. They follow the board together."""

    def __init__(self, now: Now) -> None:
        self._now = now
        self._projections: dict[int, TicketProjection] = {}  # by visit
        self._surroundings: tuple[object, ...] = ()
        self._order: tuple[object, ...] = ()
        self._progress = TicketProgress()

    def add(self, view: TicketView, board: Board) -> TicketProjection:
        """Draw a ticket that somebody begins to watch, and return its projection."""
        if not self._projections:
            self.begin(board)
        projection = self._projections[view.visit_id] = TicketProjection(view, board, self._progress, self._now)
        return projection

    def begin(self, board: Board) -> None:
        """Note the board that all tickets have just been drawn from."""
        self._progress.seq = board.site.seq
        self._surroundings = surroundings(board)
        self._order = _order(board)

    def get(self, visit_id: int) -> TicketProjection | None:
        """Return the projection of a visit, or None if nobody watches it."""
        return self._projections.get(visit_id)

    def remove(self, projection: TicketProjection) -> None:
        """Drop a ticket that nobody watches."""
        self._projections.pop(projection.visit_id, None)

    def all(self) -> Iterable[TicketProjection]:
        """Return every watched ticket."""
        return self._projections.values()

    def follow(self, board: Board, changed: set[str]) -> tuple[list[TicketProjection], list[TicketProjection]]:
        """Update every ticket. Return two lists: the tickets that changed when drawn again, and the tickets that only moved.

        A ticket that only moved differs in nothing but its count of entries ahead.
        """
        projections = self._projections
        if not projections:
            return [], []
        around = surroundings(board)
        if around == self._surroundings:
            drawn = self._visits_to_draw(board, changed)
        else:
            self._surroundings = around
            drawn = set(projections)
        seq = self._progress.seq = board.site.seq
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

    def _visits_to_draw(self, board: Board, changed: set[str]) -> set[int]:
        """Return the watched visits whose own records changed, and those of absent patients: `aheads` does not list them."""
        found = {board.entries[entry_id].visit_id for entry_id in board.absent()}
        for key in changed:
            kind, _, identifier = key.partition(":")
            if kind == "visit":
                found.add(int(identifier))
            elif kind == "entry" and (entry := board.entries.get(int(identifier))) is not None:
                found.add(entry.visit_id)
        return found & self._projections.keys()


def _order(board: Board) -> tuple[object, ...]:
    """Return the facts that `aheads` depends on. While they stay equal, no count of entries ahead changes."""
    served = [(each.queue_ids, each.provider_id, each.unmet_needs, each.removed_at) for each in board.points.values()]
    return board.moves, served


def wake_all(*several: Sequence[Projection]) -> None:
    """Call every watcher of each projection."""
    for projection in chain(*several):
        projection.wake()
