"""The view of a waiting-room display."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any, ClassVar, Literal, TypedDict

from server.domain.board import Board
from server.domain.model import Announcement, Entry, Point, Queue
from server.domain.views.fields import Calls, Count, Described, Id, Instant, NamesByTag, Place, Prefix, Trial
from server.domain.views.line import Line, line_of
from server.domain.views.site import JoinableSiteCell, joinable_site_cell
from server.domain.views.standing import StandsUntil, stands_until
from server.domain.views.view import NEXT_UP, Cell, in_use, names_of, present


class DisplayQueueCell(Line):
    """A queue."""

    name: str
    names: NamesByTag
    prefix: Prefix
    position: Place
    next: Annotated[list[str], Described("The ticket labels of the next patients, in order.", max_items=NEXT_UP)]
    late: Annotated[
        Count,
        Described(
            "How late the queue runs behind its appointments, in steps of five minutes; 0 for not. While staff announce a "
            "delay, it is theirs."
        ),
    ]


class DisplayPointCell(TypedDict):
    """A service point."""

    name: str
    names: NamesByTag


class OpenCallCell(TypedDict):
    """A called patient, until the service starts."""

    label: str
    point: Id
    at: Instant
    calls: Calls
    name: Annotated[
        str | None, Described("The short name of a patient who agreed to it, while the site shows names; else null.")
    ]
    language: str
    stands_until: StandsUntil
    in_doubt: Annotated[
        bool,
        Described("The call is from before an outage, and nobody has confirmed it since: the patient asks at reception."),
    ]
    trial: Trial


class AnnouncementCell(TypedDict):
    """A call or recall that the display announces, or the withdrawal of one."""

    entry: Id
    label: str
    point: Id
    kind: Literal["call", "recall", "withdrawn"]
    at: Instant


@dataclass(frozen=True, slots=True)
class CallsView:
    """The waiting-room screen: tickets and points, never a reason. Names need the consent of patient and site.

    The screen shows the calls of the chosen queues to the chosen points. An empty choice means all. Displays with the same
    choice share the view.
    """

    queue_ids: frozenset[int] = frozenset()
    point_ids: frozenset[int] = frozenset()
    kind: ClassVar[str] = "display"
    shape: ClassVar[str] = "display10"
    cells: ClassVar[Mapping[str, Any]] = {
        "site": JoinableSiteCell,
        "queue": DisplayQueueCell,
        "point": DisplayPointCell,
        "entry": OpenCallCell,
        "announcement": AnnouncementCell,
    }

    @property
    def name(self) -> str:
        if not self.chooses:
            return "display"
        return f"display:{','.join(map(str, sorted(self.queue_ids)))}:{','.join(map(str, sorted(self.point_ids)))}"

    @property
    def chooses(self) -> bool:
        """Whether the screen shows a part of the site only."""
        return bool(self.queue_ids or self.point_ids)

    def keys(self, board: Board) -> Iterable[str]:
        yield "site"
        yield from (f"queue:{key}" for key in board.queues)
        yield from (f"point:{key}" for key in board.points)
        yield from (f"entry:{key}" for key, entry in board.entries.items() if entry.state == "called")
        yield from (f"announcement:{key}" for key in board.announcements)

    def cell(self, board: Board, key: str) -> Cell | None:
        kind, _, identifier = key.partition(":")
        shown = _Shown(board, present(board.queues, self.queue_ids), present(board.points, self.point_ids))
        match kind:
            case "site":
                return joinable_site_cell(board)
            case "queue":
                queue = in_use(board.queues, identifier)
                if queue is not None and shown.has_queue(queue.id):
                    return _queue(board, queue)
            case "point":
                point = in_use(board.points, identifier)
                if point is not None and shown.has_point(point.id):
                    return _point(board, point)
            case "entry":
                entry = board.entries.get(int(identifier))
                if entry is not None and entry.state == "called" and shown.has_call(entry):
                    return _call(board, entry)
            case "announcement":
                announcement = board.announcements.get(int(identifier))
                if announcement is not None and shown.has_announcement(announcement):
                    return _announcement(announcement)
        return None

    def touched(self, board: Board, changed: set[str]) -> Iterable[str]:
        own = (key for key in changed if key.partition(":")[0] in self.cells)
        # A chosen point decides about the cells of many: its queues may change.
        if self.chooses:
            return chain(own, self.keys(board))
        # An announced delay is of the site, and each queue shows it.
        return chain(own, (f"queue:{key}" for key in board.queues)) if "site" in changed else own


@dataclass(frozen=True, slots=True)
class DisplayView:
    """The screen of one display: the calls that the display has chosen. Without a ``display_id`` it shows all calls."""

    display_id: int | None = None
    kind: ClassVar[str] = CallsView.kind
    shape: ClassVar[str] = CallsView.shape
    cells: ClassVar[Mapping[str, Any]] = CallsView.cells

    @property
    def name(self) -> str:
        return "display" if self.display_id is None else f"display:{self.display_id}"

    def shared(self, board: Board) -> CallsView:
        """Return the view with the same cells that all displays with this choice share."""
        display = None if self.display_id is None else board.displays.get(self.display_id)
        return CallsView() if display is None else CallsView(frozenset(display.queue_ids), frozenset(display.point_ids))

    def keys(self, board: Board) -> Iterable[str]:
        return self.shared(board).keys(board)

    def cell(self, board: Board, key: str) -> Cell | None:
        return self.shared(board).cell(board, key)

    def touched(self, board: Board, changed: set[str]) -> Iterable[str]:
        touched = self.shared(board).touched(board, changed)
        return chain(touched, self.keys(board)) if f"display:{self.display_id}" in changed else touched


@dataclass(frozen=True, slots=True)
class _Shown:
    """The queues and the points that a display shows; an empty choice means all."""

    board: Board
    queue_ids: frozenset[int]
    point_ids: frozenset[int]

    def has_queue(self, queue_id: int) -> bool:
        """Return whether to show the next patients of a queue: a chosen point must serve it."""
        if self.queue_ids and queue_id not in self.queue_ids:
            return False
        points = self.board.points
        return not self.point_ids or any(queue_id in points[point_id].queue_ids for point_id in self.point_ids)

    def has_point(self, point_id: int | None) -> bool:
        return not self.point_ids or point_id in self.point_ids

    def has_call(self, entry: Entry) -> bool:
        return self.has_point(entry.point_id) and (not self.queue_ids or entry.queue_id in self.queue_ids)

    def has_announcement(self, announcement: Announcement) -> bool:
        """Return whether to show an announcement. The queue of an entry of a past day is unknown."""
        entry = self.board.entries.get(announcement.entry_id)
        in_queue = entry is not None and entry.queue_id in self.queue_ids
        return self.has_point(announcement.point_id) and (not self.queue_ids or in_queue)


def _queue(board: Board, queue: Queue) -> DisplayQueueCell:
    first = [board.entries[each.entry_id] for each in board.waiting(queue.id)[:NEXT_UP]]
    return {
        "name": queue.name,
        "names": names_of(board, queue),
        "prefix": queue.prefix,
        "position": queue.position,
        **line_of(board, queue),
        "next": [board.visits[entry.visit_id].label for entry in first],
        "late": board.site.late_minutes or queue.late_minutes,
    }


def _point(board: Board, point: Point) -> DisplayPointCell:
    return {"name": point.name, "names": names_of(board, point)}


def _call(board: Board, entry: Entry) -> OpenCallCell:
    assert entry.point_id is not None, "a called entry has a point"
    visit = board.visits[entry.visit_id]
    return {
        "label": visit.label,
        "point": entry.point_id,
        "at": entry.since // 1000,
        "calls": entry.calls,
        "name": visit.display_name if board.site.rules.names_on_display else None,
        "language": visit.language,
        "stands_until": stands_until(board, entry),
        "in_doubt": entry.open_doubt is not None,
        "trial": visit.trial,
    }


def _announcement(announcement: Announcement) -> AnnouncementCell:
    return {
        "entry": announcement.entry_id,
        "label": announcement.label,
        "point": announcement.point_id,
        "kind": announcement.kind,
        "at": announcement.at // 1000,
    }
