"""What each kind of screen shows: a flat map of small cells, drawn from the board. Privacy lives here and nowhere else.

A view is three pure functions: which cells there are (`keys`), what is in one (`cell`), and which of them may differ after
some of the board changed (`touched`). A full snapshot and a change are both made of `cell`, so they cannot disagree.

On the wire an instant is an integer of milliseconds since 1970; ``rank`` is opaque: compare it, element by element.
A ``shape`` names a view's layout; whoever changes a cell's fields changes the shape, and screens load afresh.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from server.domain.board import Board
from server.domain.model import OPEN_STATES, UNDO_MICROSECONDS, Entry, Personal, Point, Service, Visit
from server.domain.ranking import MINUTE, ahead, first_for, next_for, rank, waiting_for, why
from server.domain.roles import Onlooker

Cell = dict[str, Any]
OpenSealed = Callable[[Visit | Service], Personal]

NEXT_UP = 5
TICKET, AHEAD = "ticket", "ahead"  # the cells of a ticket's view
REMOVABLE = frozenset({"service", "provider", "queue", "point", "display", "kiosk"})


class View(Protocol):
    """One kind of screen at one site."""

    kind: ClassVar[str]
    shape: ClassVar[str]

    @property
    def name(self) -> str:
        """The view's name within its site; streams of one name share one set of cells."""

    def keys(self, board: Board) -> Iterable[str]:
        """Every cell that the view has now."""

    def cell(self, board: Board, key: str) -> Cell | None:
        """One cell's content, or None when the view does not have it now."""

    def touched(self, board: Board, changed: set[str]) -> Iterable[str]:
        """The cells that may differ after the board's ``changed`` keys did; more than needed is harmless."""


@dataclass(frozen=True, slots=True)
class DeskView:
    """Reception: every queue, point and open entry of the site, and today's no-shows.

    Patients' names are for the floor; their needs and what a service really is, for staff. To others they are null.
    """

    open_sealed: OpenSealed
    onlooker: Onlooker = "floor"
    kind: ClassVar[str] = "desk"
    shape: ClassVar[str] = "desk5"

    @property
    def name(self) -> str:
        return "desk" if self.onlooker == "floor" else f"desk:{self.onlooker}"

    def keys(self, board: Board) -> Iterable[str]:
        yield "site"
        yield from (f"service:{key}" for key in board.services)
        yield from (f"provider:{key}" for key in board.providers)
        yield from (f"queue:{key}" for key in board.queues)
        yield from (f"point:{key}" for key in board.points)
        yield from (f"display:{key}" for key in board.displays)
        yield from (f"kiosk:{key}" for key in board.kiosks)
        yield from (f"entry:{key}" for key in board.entries)

    def cell(self, board: Board, key: str) -> Cell | None:
        kind, _, identifier = key.partition(":")
        if kind in REMOVABLE and _gone(board, int(identifier)):
            return None
        match kind:
            case "site":
                return _site(board) | {"names_on_display": board.site.rules.names_on_display}
            case "service":
                service = board.services[int(identifier)]
                return {
                    "name": None if self.onlooker == "system" else self.open_sealed(service).name,
                    "public_name": service.public_name,
                    "position": service.position,
                }
            case "provider":
                provider = board.providers[int(identifier)]
                return {"name": provider.name, "position": provider.position}
            case "queue":
                queue = board.queues[int(identifier)]
                return {
                    "name": queue.name,
                    "prefix": queue.prefix,
                    "position": queue.position,
                    "paused": queue.paused,
                    "service": queue.service_id,
                    "capacity": queue.capacity or None,
                    "joins_anew": queue.joins_anew,
                }
            case "point":
                point = board.points[int(identifier)]
                guest = board.entry_at(point.id)
                return {
                    "name": point.name,
                    "queues": list(point.queue_ids),
                    "position": point.position,
                    "state": point.state,
                    "entry": guest.id if guest else None,
                    "provider": point.provider_id,
                    "unmet_needs": list(point.unmet_needs),
                    "next": _next(board, point),
                }
            case "display":
                display = board.displays[int(identifier)]
                return {
                    "name": display.name,
                    "paired": display.token_hash is not None,
                    "connected": display.connected,
                    "since": _milliseconds(display.since),
                    "muted": display.muted,
                    "version": display.version,
                    "lag": display.lag,
                }
            case "kiosk":
                kiosk = board.kiosks[int(identifier)]
                return {"name": kiosk.name, "paired": kiosk.token_hash is not None}
            case "entry":
                entry = board.entries.get(int(identifier))
                if entry is None or not (entry.state in OPEN_STATES or entry.state == "no_show"):
                    return None
                return self._entry(board, entry)
        return None

    def _entry(self, board: Board, entry: Entry) -> Cell:
        visit, rules = board.visits[entry.visit_id], board.site.rules
        target = {"standard": rules.target_standard, "assisted": rules.target_assisted}.get(
            visit.priority, rules.target_urgent
        )
        offered = entry.state == "called" and entry.called_at is not None and entry.calls > rules.recalls_before_no_show
        no_show_from = (entry.called_at or 0) + rules.minutes_before_no_show * MINUTE if offered else None
        return {
            "label": visit.label,
            "state": entry.state,
            "queue": entry.queue_id,
            "provider": entry.provider_id,
            "point": entry.point_id,
            "rank": list(rank(entry)),
            "priority": visit.priority,
            "joined": entry.due_at // 1000,
            "since": entry.since // 1000,
            "calls": entry.calls,
            "absent_until": _milliseconds(entry.absent_until),
            "expect_from": _milliseconds(entry.expect_from) if entry.state == "waiting" else None,
            "expect_until": _milliseconds(entry.expect_until) if entry.state == "waiting" else None,
            "undo": entry.undo["step"] if entry.undo else None,
            "undo_until": _milliseconds(entry.undo["at"] + UNDO_MICROSECONDS) if entry.undo else None,
            "name": self.open_sealed(visit).name if self.onlooker == "floor" else None,
            "party": visit.party_size,
            "language": visit.language,
            "needs": None if self.onlooker == "system" else list(visit.needs),
            "moved": entry.moved,
            "wait_target": _milliseconds(entry.due_at + target * MINUTE) if target else None,
            "no_show_from": _milliseconds(no_show_from),
        }

    def touched(self, board: Board, changed: set[str]) -> Iterable[str]:
        # Who comes, goes or has other needs may be, or no longer be, the next of any point.
        if any(key.startswith(("entry:", "visit:")) for key in changed):
            yield from (f"point:{key}" for key in board.points)
        for key in changed:
            if key.startswith("visit:"):
                entry = board.latest_entry(int(key[6:]))
                if entry is not None:
                    yield f"entry:{entry.id}"
            elif not key.startswith("announcement:"):
                yield key


@dataclass(frozen=True, slots=True)
class PointView:
    """A room's console: who is in, who is next for this room and what they need, and the room's own counts of the day."""

    point_id: int
    open_sealed: OpenSealed
    kind: ClassVar[str] = "point"
    shape: ClassVar[str] = "point1"

    @property
    def name(self) -> str:
        return f"point:{self.point_id}"

    def keys(self, board: Board) -> Iterable[str]:
        return ("site", "point", "guest", "next", "day")

    def cell(self, board: Board, key: str) -> Cell | None:
        if key == "site":
            return _site(board)
        point = board.points.get(self.point_id)
        if point is None or point.removed_at:
            return None
        match key:
            case "point":
                provider = board.providers[point.provider_id] if point.provider_id is not None else None
                return {
                    "name": point.name,
                    "state": point.state,
                    "queues": [board.queues[queue_id].name for queue_id in point.queue_ids],
                    "provider": provider.name if provider else None,
                    "unmet_needs": list(point.unmet_needs),
                }
            case "guest":
                guest = board.entry_at(point.id)
                if guest is None:
                    return None
                return self._patient(board, guest) | {
                    "state": guest.state,
                    "since": guest.since // 1000,
                    "calls": guest.calls,
                    "undo": guest.undo["step"] if guest.undo else None,
                    "undo_until": _milliseconds(guest.undo["at"] + UNDO_MICROSECONDS) if guest.undo else None,
                }
            case "next":
                return {
                    "waiting": waiting_for(board, point),
                    "first": [
                        self._patient(board, entry) | {"joined": entry.due_at // 1000}
                        for entry in first_for(board, point, NEXT_UP)
                    ],
                }
            case "day":
                mine = [entry for entry in board.entries.values() if entry.point_id == point.id]
                return {
                    "served": sum(map(_served, mine)),
                    "no_shows": sum(entry.state == "no_show" for entry in mine),
                }
        return None

    def _patient(self, board: Board, entry: Entry) -> Cell:
        visit = board.visits[entry.visit_id]
        return {
            "entry": entry.id,
            "label": visit.label,
            "name": self.open_sealed(visit).name,
            "queue": board.queues[entry.queue_id].name,
            "priority": visit.priority,
            "needs": list(visit.needs),
            "language": visit.language,
            "party": visit.party_size,
        }

    def touched(self, board: Board, changed: set[str]) -> Iterable[str]:
        mine, ended = f"point:{self.point_id}", False
        for key in changed:
            kind, _, identifier = key.partition(":")
            if kind == "entry":
                entry = board.entries.get(int(identifier))
                ended = ended or entry is None or entry.point_id == self.point_id
        yield from ("site", "point", "guest", "next")
        if ended or mine in changed:
            yield "day"


def _served(entry: Entry) -> bool:
    """Return whether a point has served an entry to its end: it is complete, or was sent on from there."""
    if entry.state == "transferred":
        return entry.undo is not None and entry.undo["back_to"]["state"] == "serving"
    return entry.state == "completed"


@dataclass(frozen=True, slots=True)
class DisplayView:
    """The waiting-room screen: tickets and points, never a reason; a name only where the patient agreed."""

    kind: ClassVar[str] = "display"
    shape: ClassVar[str] = "display3"

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
        if kind in REMOVABLE and _gone(board, int(identifier)):
            return None
        match kind:
            case "site":
                return _site(board)
            case "queue":
                queue = board.queues[int(identifier)]
                waiting = board.waiting(queue.id)
                first = [board.entries[each.entry_id] for each in waiting[:NEXT_UP]]
                # Who comes now stands behind the last: that one's range is the nearest to what they will be quoted.
                last = board.entries[waiting[-1].entry_id] if waiting else None
                return {
                    "name": queue.name,
                    "prefix": queue.prefix,
                    "position": queue.position,
                    "waiting": len(waiting),
                    "next": [board.visits[entry.visit_id].label for entry in first],
                    "expect_from": _milliseconds(last.expect_from) if last else None,
                    "expect_until": _milliseconds(last.expect_until) if last else None,
                    "estimating": last is not None and last.estimating,
                }
            case "point":
                return {"name": board.points[int(identifier)].name}
            case "entry":
                entry = board.entries.get(int(identifier))
                if entry is None or entry.state != "called":
                    return None
                visit = board.visits[entry.visit_id]
                return {
                    "label": visit.label,
                    "point": entry.point_id,
                    "at": entry.since // 1000,
                    "calls": entry.calls,
                    "name": visit.display_name,
                    "language": visit.language,
                }
            case "announcement":
                announcement = board.announcements.get(int(identifier))
                if announcement is None:
                    return None
                return {
                    "entry": announcement.entry_id,
                    "label": announcement.label,
                    "point": announcement.point_id,
                    "kind": announcement.kind,
                    "at": announcement.at // 1000,
                }
        return None

    def touched(self, board: Board, changed: set[str]) -> Iterable[str]:
        return (key for key in changed if key.partition(":")[0] in ("site", "queue", "point", "entry", "announcement"))


@dataclass(frozen=True, slots=True)
class TicketView:
    """One patient's own ticket, and how many are `ahead` while they wait. It reveals nothing else of any other patient.

    The count is a cell of its own, for it moves whenever anybody's place does, and nothing else then.
    """

    visit_id: int
    kind: ClassVar[str] = "ticket"
    shape: ClassVar[str] = "ticket5"

    @property
    def name(self) -> str:
        return f"ticket:{self.visit_id}"

    def keys(self, board: Board) -> Iterable[str]:
        yield from (TICKET, AHEAD)

    def cell(self, board: Board, key: str) -> Cell | None:
        visit, entry = board.visits.get(self.visit_id), board.latest_entry(self.visit_id)
        if key == AHEAD:
            return {"count": ahead(board, entry)} if entry is not None and entry.state == "waiting" else None
        if visit is None or entry is None:
            return {"state": "expired"}
        point = board.points[entry.point_id] if entry.point_id is not None else None
        queue = board.queues[entry.queue_id]
        return {
            "entry": entry.id,
            "label": visit.label,
            "state": entry.state,
            "queue": queue.name,
            "service": board.services[queue.service_id].public_name if queue.service_id is not None else None,
            "provider": board.providers[entry.provider_id].name if entry.provider_id is not None else None,
            "point": point.name if point else None,
            "since": entry.since // 1000,
            "calls": entry.calls,
            "absent_until": _milliseconds(entry.absent_until),
            "expect_from": _milliseconds(entry.expect_from) if entry.state == "waiting" else None,
            "expect_until": _milliseconds(entry.expect_until) if entry.state == "waiting" else None,
            "estimating": entry.estimating,
            "party": visit.party_size,
            "language": visit.language,
            "site": board.site.name,
            "time_zone": board.site.time_zone,
        }

    def touched(self, board: Board, changed: set[str]) -> Iterable[str]:
        return self.keys(board)


def surroundings(board: Board) -> tuple[object, ...]:
    """Return what every ticket's cell reads of a board beside its own visit and its own entry.

    As long as it stays the same, and they do, so does the cell.
    """
    return (
        board.site.name,
        board.site.time_zone,
        [(queue.id, queue.name, queue.service_id) for queue in board.queues.values()],
        [(service.id, service.public_name) for service in board.services.values()],
        [(provider.id, provider.name) for provider in board.providers.values()],
        [(point.id, point.name) for point in board.points.values()],
    )


def _gone(board: Board, record_id: int) -> bool:
    record = board.removable(record_id)
    return record is None or record.removed_at != 0


def _next(board: Board, point: Point) -> Cell | None:
    """Return whom a point would call next, and why: its priority's head start, its longer wait, ..."""
    entry = next_for(board, point)
    if entry is None:
        return None
    decided, before, minutes = why(board, entry, point)
    return {
        "entry": entry.id,
        "why": decided,
        "before": board.visits[before.visit_id].label if before else None,
        "minutes": minutes,
    }


def _site(board: Board) -> Cell:
    site = board.site
    return {
        "name": site.name,
        "time_zone": site.time_zone,
        "language": site.language,
        "business_day": site.business_day,
        "message": site.message,
    }


def _milliseconds(instant: int | None) -> int | None:
    return None if instant is None else instant // 1000


def draw(view: View, board: Board) -> dict[str, Cell]:
    """Return all of a view's cells: what a fresh snapshot holds."""
    cells = {}
    for key in view.keys(board):
        content = view.cell(board, key)
        if content is not None:
            cells[key] = content
    return cells
