"""The view of reception."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypedDict, get_args

from server.domain.board import Board
from server.domain.model import (
    LAGS,
    OPEN_STATES,
    UNDO_MICROSECONDS,
    CheckIn,
    Display,
    Entry,
    Kiosk,
    Need,
    Point,
    PointState,
    Printer,
    Printing,
    Priority,
    Provider,
    Queue,
    Service,
    State,
)
from server.domain.model.local_time import MINUTE
from server.domain.ranking import WhyNext, minutes_of, next_for, rank, why
from server.domain.roles import Onlooker, roles_that_may
from server.domain.views.appointments import AppointmentCell, appointment_cell, touched_appointments
from server.domain.views.checklist import ChecklistCell, checklist_cell
from server.domain.views.doubts import InDoubt, doubt_of
from server.domain.views.fields import (
    AbsentUntil,
    Away,
    Calls,
    Count,
    Delay,
    Described,
    ExpectFrom,
    ExpectUntil,
    Id,
    Instant,
    NamesByTag,
    Paired,
    Party,
    Place,
    Prefix,
    Trial,
    UndoStep,
    UndoUntil,
)
from server.domain.views.gone import Gone, gone_from
from server.domain.views.site import SiteCell, site_cell
from server.domain.views.standing import StandsUntil, stands_until
from server.domain.views.unreached import MessageUnreached, unreached
from server.domain.views.view import Cell, OpenSealed, in_use, milliseconds, names_of

_SHOWN_STATES: tuple[State, ...] = ("waiting", "called", "serving", "no_show", "held")


class AnnouncedDelay(TypedDict):
    """A delay about which patients got a message."""

    minutes: Annotated[int, Described(minimum=5, maximum=240)]
    since: Instant


class DeskSiteCell(SiteCell):
    """The site itself."""

    names_on_display: Annotated[bool, Described("Displays show the names of patients who agree to it.")]
    sends_messages: Annotated[bool, Described("The site sends messages to patients.")]
    late: Annotated[AnnouncedDelay | None, Described("The announced delay of today; null for none.")]


class DeskServiceCell(TypedDict):
    """A service."""

    name: Annotated[str | None, Described("The true name, for staff only.")]
    public_name: str
    names: NamesByTag
    position: Place


class DeskProviderCell(TypedDict):
    """A clinician."""

    name: str
    position: Place


class DeskQueueCell(TypedDict):
    """A queue."""

    name: str
    names: NamesByTag
    prefix: Prefix
    position: Place
    paused: bool
    service: Id | None
    capacity: Annotated[int | None, Described("The most patients that may wait at once; null for no limit.", minimum=1)]
    joins_anew: Annotated[bool, Described("A patient transferred to this queue joins at its end.")]


class NextOne(TypedDict):
    """The entry that a point would call next, and the reason."""

    entry: Id
    why: Annotated[WhyNext, Described("The reason why this entry comes before the following one.")]
    before: Annotated[str | None, Described("The ticket label of the following entry.")]
    minutes: Annotated[Count, Described("The minutes of the head start, or of the absence, that decided; else 0.")]


class DeskPointCell(TypedDict):
    """A service point."""

    name: str
    names: NamesByTag
    queues: list[Id]
    position: Place
    state: PointState
    entry: Annotated[Id | None, Described("The entry that is called to the point or served at it.")]
    provider: Annotated[Id | None, Described("The clinician at the point.")]
    unmet_needs: Annotated[list[Need], Described("Needs that the room cannot meet.")]
    next: Annotated[NextOne | None, Described("The entry that the point would call next; null for none.")]
    gone: Annotated[Gone | None, Described("The last called patient, if they left or need more time; else null.")]


class DeskKioskCell(TypedDict):
    """A kiosk, its health and its settings."""

    name: str
    paired: Paired
    connected: Annotated[bool, Described("The kiosk follows its stream, and answers.")]
    since: Annotated[
        int | None,
        Described("The time of the last change of `connected`, in milliseconds since 1970; null if it never connected."),
    ]
    version: Annotated[str | None, Described("The version of the page.")]
    lag: Annotated[
        int | None,
        Described(
            "The kiosk has not painted the last message for at least this many seconds; null if it does not report it.",
            enum=(*LAGS, None),
        ),
    ]
    printer: Annotated[
        Printer | None,
        Described("The state of the printer; null without one.", enum=(*get_args(Printer), None)),
    ]
    queues: Annotated[list[Id], Described("The queues that it offers; empty for all.")]
    printing: Annotated[Printing, Described("How the kiosk prints.")]
    low: Annotated[bool, Described("Everything that people touch is in the lower third of the screen.")]
    check_in: Annotated[CheckIn, Described("How patients with an appointment check in.")]
    place: Annotated[str, Described("Where the kiosk stands; may be empty.")]
    help_asked: Annotated[
        int | None,
        Described("The time at which somebody at the kiosk asked for help, in milliseconds since 1970; null once answered."),
    ]


class DeskDisplayCell(TypedDict):
    """A waiting-room display and its health."""

    name: str
    paired: Paired
    connected: Annotated[bool, Described("The display follows its stream.")]
    since: Annotated[
        int | None,
        Described("The time of the last change of `connected`, in milliseconds since 1970; null if it never connected."),
    ]
    muted: Annotated[bool, Described("The browser blocks sound.")]
    version: Annotated[str | None, Described("The version of the page.")]
    lag: Annotated[
        int | None,
        Described(
            "The display has not painted the last message for at least this many seconds; null if it does not report it.",
            enum=(*LAGS, None),
        ),
    ]
    queues: Annotated[list[Id], Described("The queues whose calls it shows; empty for all.")]
    points: Annotated[list[Id], Described("The points whose calls it shows; empty for all.")]


class DeskEntryCell(TypedDict):
    """An open entry, or a no-show of today."""

    label: str
    state: Annotated[State, Described(enum=_SHOWN_STATES)]
    queue: Id
    provider: Annotated[Id | None, Described("The one clinician that the patient waits for; null for any.")]
    point: Id | None
    rank: Annotated[list[int], Described("Opaque. Compare ranks element by element: the smallest rank is called first.")]
    priority: Priority
    joined: Instant
    since: Instant
    calls: Calls
    absent_until: AbsentUntil
    away: Away
    delay: Delay
    undo: UndoStep
    undo_until: UndoUntil
    name: Annotated[
        str | None, Described(f"The patient's name, for the roles: {', '.join(roles_that_may('read-personal'))}.")
    ]
    name_on_display: Annotated[
        bool | None, Described("The patient agrees that displays show the short name. Null for roles that see no names.")
    ]
    born: Annotated[int | None, Described("The patient's year of birth, for the roles that see names.")]
    party: Party
    language: str
    needs: Annotated[list[Need] | None, Described("Null for another system.")]
    by_phone: Annotated[bool, Described("The patient joined with their own phone.")]
    moved: Annotated[bool, Described("Staff chose the place.")]
    wait_target: Annotated[
        int | None, Described("The time at which the wait exceeds the site's target, in milliseconds since 1970.")
    ]
    no_show_from: Annotated[
        int | None,
        Described("The time from which a no-show may be recorded, in milliseconds since 1970; null before enough recalls."),
    ]
    stands_until: StandsUntil
    expect_from: ExpectFrom
    expect_until: ExpectUntil
    unreached: MessageUnreached
    doubt: InDoubt
    trial: Trial


@dataclass(frozen=True, slots=True)
class DeskView:
    """Reception: every queue, point and open entry of the site, the no-shows of today, and the appointments of today.

    Only the floor sees patients' names. Only staff see patients' needs and the true names of services. Other onlookers get
    null.
    """

    open_sealed: OpenSealed
    onlooker: Onlooker = "floor"
    kind: ClassVar[str] = "desk"
    shape: ClassVar[str] = "desk15"
    cells: ClassVar[Mapping[str, Any]] = {
        "site": DeskSiteCell,
        "checklist": ChecklistCell,
        "service": DeskServiceCell,
        "provider": DeskProviderCell,
        "queue": DeskQueueCell,
        "point": DeskPointCell,
        "display": DeskDisplayCell,
        "kiosk": DeskKioskCell,
        "entry": DeskEntryCell,
        "appointment": AppointmentCell,
    }

    @property
    def name(self) -> str:
        return "desk" if self.onlooker == "floor" else f"desk:{self.onlooker}"

    def keys(self, board: Board) -> Iterable[str]:
        yield from ("site", "checklist")
        yield from (f"service:{key}" for key in board.services)
        yield from (f"provider:{key}" for key in board.providers)
        yield from (f"queue:{key}" for key in board.queues)
        yield from (f"point:{key}" for key in board.points)
        yield from (f"display:{key}" for key in board.displays)
        yield from (f"kiosk:{key}" for key in board.kiosks)
        yield from (f"entry:{key}" for key in board.entries)
        yield from (f"appointment:{key}" for key in board.appointments)

    def cell(self, board: Board, key: str) -> Cell | None:
        kind, _, identifier = key.partition(":")
        match kind:
            case "site":
                return _site(board)
            case "checklist":
                return checklist_cell(board)
            case "service":
                service = in_use(board.services, identifier)
                return None if service is None else self._service(board, service)
            case "provider":
                provider = in_use(board.providers, identifier)
                return None if provider is None else _provider(provider)
            case "queue":
                queue = in_use(board.queues, identifier)
                return None if queue is None else _queue(board, queue)
            case "point":
                point = in_use(board.points, identifier)
                return None if point is None else _point(board, point)
            case "display":
                display = in_use(board.displays, identifier)
                return None if display is None else _display(display)
            case "kiosk":
                kiosk = in_use(board.kiosks, identifier)
                return None if kiosk is None else _kiosk(kiosk)
            case "entry":
                entry = board.entries.get(int(identifier))
                if entry is None or not (entry.state in OPEN_STATES or entry.state == "no_show"):
                    return None
                return self._entry(board, entry)
            case "appointment":
                appointment = board.appointments.get(int(identifier))
                if appointment is None or appointment.business_day != board.site.business_day:
                    return None
                return appointment_cell(board, appointment, self.open_sealed, self.onlooker)
        return None

    def _service(self, board: Board, service: Service) -> DeskServiceCell:
        return {
            "name": None if self.onlooker == "system" else self.open_sealed(service).name,
            "public_name": service.public_name,
            "names": names_of(board, service),
            "position": service.position,
        }

    def _entry(self, board: Board, entry: Entry) -> DeskEntryCell:
        visit, rules = board.visits[entry.visit_id], board.site.rules
        target = {"standard": rules.target_standard, "assisted": rules.target_assisted}.get(
            visit.priority, rules.target_urgent
        )
        offered = entry.state == "called" and entry.called_at is not None and entry.calls > rules.recalls_before_no_show
        personal = self.open_sealed(visit) if self.onlooker == "floor" else None
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
            "absent_until": milliseconds(entry.back_at),
            "away": minutes_of(entry.away),
            "delay": minutes_of(entry.delay),
            "expect_from": milliseconds(entry.expect_from) if entry.state == "waiting" else None,
            "expect_until": milliseconds(entry.expect_until) if entry.state == "waiting" else None,
            "undo": entry.undo["step"] if entry.undo else None,
            "undo_until": milliseconds(entry.undo["at"] + UNDO_MICROSECONDS) if entry.undo else None,
            "name": personal.name if personal else None,
            "name_on_display": visit.display_name is not None if personal else None,
            "born": personal.born if personal else None,
            "party": visit.party_size,
            "language": visit.language,
            "needs": None if self.onlooker == "system" else list(visit.needs),
            "by_phone": visit.joined_from is not None,
            "moved": entry.moved,
            "wait_target": milliseconds(entry.due_at + target * MINUTE) if target else None,
            "no_show_from": milliseconds(no_show_from),
            "stands_until": stands_until(board, entry),
            "unreached": None if self.onlooker == "system" else unreached(entry.unreached),
            "doubt": doubt_of(entry),
            "trial": visit.trial,
        }

    def touched(self, board: Board, changed: set[str]) -> Iterable[str]:
        # An entry that comes, goes or has new needs may become the next of any point, or stop being it.
        if any(key.startswith(("entry:", "visit:")) for key in changed):
            yield from (f"point:{key}" for key in board.points)
        for key in changed:
            if key.startswith("visit:"):
                entry = board.latest_entry(int(key[6:]))
                if entry is not None:
                    yield f"entry:{entry.id}"
            elif not key.startswith(("announcement:", "appointment:")):
                yield key
        yield from touched_appointments(board, changed)


def _site(board: Board) -> DeskSiteCell:
    site = board.site
    return {
        **site_cell(board),
        "names_on_display": site.rules.names_on_display,
        "sends_messages": bool(site.rules.message_ways),
        "late": None if site.late_since is None else {"minutes": site.late_minutes, "since": site.late_since // 1000},
    }


def _provider(provider: Provider) -> DeskProviderCell:
    return {"name": provider.name, "position": provider.position}


def _queue(board: Board, queue: Queue) -> DeskQueueCell:
    return {
        "name": queue.name,
        "names": names_of(board, queue),
        "prefix": queue.prefix,
        "position": queue.position,
        "paused": queue.paused,
        "service": queue.service_id,
        "capacity": queue.capacity or None,
        "joins_anew": queue.joins_anew,
    }


def _point(board: Board, point: Point) -> DeskPointCell:
    guest = board.entry_at(point.id)
    return {
        "name": point.name,
        "names": names_of(board, point),
        "queues": list(point.queue_ids),
        "position": point.position,
        "state": point.state,
        "entry": guest.id if guest else None,
        "provider": point.provider_id,
        "unmet_needs": list(point.unmet_needs),
        "next": _next(board, point),
        "gone": gone_from(board, point),
    }


def _next(board: Board, point: Point) -> NextOne | None:
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


def _display(display: Display) -> DeskDisplayCell:
    return {
        "name": display.name,
        "paired": display.token_hash is not None,
        "connected": display.connected,
        "since": milliseconds(display.since),
        "muted": display.muted,
        "version": display.version,
        "lag": display.lag,
        "queues": list(display.queue_ids),
        "points": list(display.point_ids),
    }


def _kiosk(kiosk: Kiosk) -> DeskKioskCell:
    return {
        "name": kiosk.name,
        "paired": kiosk.token_hash is not None,
        "connected": kiosk.connected,
        "since": milliseconds(kiosk.since),
        "version": kiosk.version,
        "lag": kiosk.lag,
        "printer": kiosk.printer,
        "queues": list(kiosk.queue_ids),
        "printing": kiosk.printing,
        "low": kiosk.low,
        "check_in": kiosk.check_in,
        "place": kiosk.place,
        "help_asked": milliseconds(kiosk.help_asked_at) if kiosk.calls_for_help else None,
    }
