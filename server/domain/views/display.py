"""The view of a waiting-room display."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypedDict

from server.domain.board import Board
from server.domain.model import Announcement, Entry, Point, Queue
from server.domain.views.fields import Calls, Count, Described, Estimating, Id, Instant, Place, Prefix
from server.domain.views.site import SiteCell, site_cell
from server.domain.views.view import NEXT_UP, Cell, in_use, milliseconds


class DisplayQueueCell(TypedDict):
    """A queue."""

    name: str
    prefix: Prefix
    position: Place
    waiting: Annotated[Count, Described("The number of waiting patients.")]
    next: Annotated[list[str], Described("The ticket labels of the next patients, in order.", max_items=NEXT_UP)]
    expect_from: Annotated[
        int | None,
        Described(
            "The start of the expected time of the last waiting patient's call, in milliseconds since 1970. A newcomer can "
            "expect about the same. Null if nobody waits."
        ),
    ]
    expect_until: Annotated[int | None, Described("The end of this time, in milliseconds since 1970.")]
    estimating: Estimating


class DisplayPointCell(TypedDict):
    """A service point."""

    name: str


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


class AnnouncementCell(TypedDict):
    """A call or recall that the display announces, or the withdrawal of one."""

    entry: Id
    label: str
    point: Id
    kind: Literal["call", "recall", "withdrawn"]
    at: Instant


@dataclass(frozen=True, slots=True)
class DisplayView:
    """The waiting-room screen: tickets and points, never a reason. Names need the consent of patient and site."""

    kind: ClassVar[str] = "display"
    shape: ClassVar[str] = "display3"
    cells: ClassVar[Mapping[str, Any]] = {
        "site": SiteCell,
        "queue": DisplayQueueCell,
        "point": DisplayPointCell,
        "entry": OpenCallCell,
        "announcement": AnnouncementCell,
    }

    @property
    def name(self) -> str:
        return "display"

    def keys(self, board: Board) -> Iterable[str]:
        yield "site"
        yield from (f"queue:{key}" for key in board.queues)
        yield from (f"point:{key}" for key in board.points)
        yield from (f"entry:{key}" for key, entry in board.entries.items() if entry.state == "called")
        yield from (f"announcement:{key}" for key in board.announcements)

    def cell(self, board: Board, key: str) -> Cell | None:
        kind, _, identifier = key.partition(":")
        match kind:
            case "site":
                return site_cell(board)
            case "queue":
                queue = in_use(board.queues, identifier)
                return None if queue is None else _queue(board, queue)
            case "point":
                point = in_use(board.points, identifier)
                return None if point is None else _point(point)
            case "entry":
                entry = board.entries.get(int(identifier))
                return None if entry is None or entry.state != "called" else _call(board, entry)
            case "announcement":
                announcement = board.announcements.get(int(identifier))
                return None if announcement is None else _announcement(announcement)
        return None

    def touched(self, board: Board, changed: set[str]) -> Iterable[str]:
        return (key for key in changed if key.partition(":")[0] in self.cells)


def _queue(board: Board, queue: Queue) -> DisplayQueueCell:
    waiting = board.waiting(queue.id)
    first = [board.entries[each.entry_id] for each in waiting[:NEXT_UP]]
    # A newcomer stands behind the last patient: the quote of the last patient is the nearest to the newcomer's.
    last = board.entries[waiting[-1].entry_id] if waiting else None
    return {
        "name": queue.name,
        "prefix": queue.prefix,
        "position": queue.position,
        "waiting": len(waiting),
        "next": [board.visits[entry.visit_id].label for entry in first],
        "expect_from": milliseconds(last.expect_from) if last else None,
        "expect_until": milliseconds(last.expect_until) if last else None,
        "estimating": last is not None and last.estimating,
    }


def _point(point: Point) -> DisplayPointCell:
    return {"name": point.name}


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
    }


def _announcement(announcement: Announcement) -> AnnouncementCell:
    return {
        "entry": announcement.entry_id,
        "label": announcement.label,
        "point": announcement.point_id,
        "kind": announcement.kind,
        "at": announcement.at // 1000,
    }
