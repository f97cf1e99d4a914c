"""The view of the set-up of a site, for its administrators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, TypedDict

from server.domain.board import Board
from server.domain.model import (
    Clock,
    ExceptionKind,
    Joining,
    Need,
    PhoneWhenJoining,
    Point,
    PointState,
    Provider,
    Queue,
    Rules,
    Schedule,
    ScheduleException,
    Way,
)
from server.domain.model.site import Booking, Feedback
from server.domain.views.desk import (
    DeskDisplayCell,
    DeskKioskCell,
    DeskProviderCell,
    DeskQueueCell,
    DeskServiceCell,
    DeskView,
)
from server.domain.views.fields import Count, Described, Id, NamesByTag, Place
from server.domain.views.site import SiteCell, site_cell
from server.domain.views.view import Cell, OpenSealed, in_use, names_of

_SHELVES = ("services", "providers", "queues", "points", "displays", "kiosks", "schedules", "exceptions")


class RulesOfSite(TypedDict):
    """The rules of a site, each as in the command `change-site`."""

    head_start_urgent: Count
    head_start_assisted: Count
    booking_lead: Count
    booking_grace: Count
    return_lead: Count
    recalls_before_no_show: Count
    minutes_before_no_show: Count
    minutes_call_stands: Count
    target_standard: Count
    target_assisted: Count
    target_urgent: Count
    names_on_display: bool
    region: str
    clock: Clock
    languages: list[str]
    round_the_clock: bool
    joining: Joining
    joins_per_phone: Count
    joins_per_hour: Count
    phone_when_joining: PhoneWhenJoining
    booking: Booking
    check_in_from: Count
    check_in_until: Count
    cancel_until: Count
    message_ways: Annotated[list[Way], Described("The ways of messages to patients, the preferred one first.")]
    reminders: Annotated[list[int], Described("The hours before an appointment at which reminders go out.")]
    quiet_from: Count
    quiet_until: Count
    feedback: Annotated[Feedback, Described("Patients are asked after their visit how it was.")]
    hours: Annotated[list[list[int]], Described("Spans of opening hours: weekday from 0 for Monday, and two minutes.")]
    closed_on: Annotated[list[str], Described("Days on which the site stays closed.")]


class ConfigurationSiteCell(SiteCell):
    """The site and its rules."""

    day_turns_at_minutes: Annotated[Count, Described("When the business day begins, in minutes after local midnight.")]
    rules: RulesOfSite


class ConfigurationQueueCell(DeskQueueCell):
    """A queue, and the number of its patients."""

    waiting: Annotated[Count, Described("The number of patients that wait and are not absent.")]


class ConfigurationPointCell(TypedDict):
    """A service point."""

    name: str
    names: NamesByTag
    queues: list[Id]
    position: Place
    state: PointState
    provider: Annotated[Id | None, Described("The clinician at the point.")]
    unmet_needs: Annotated[list[Need], Described("Needs that the room cannot meet.")]


class ConfigurationProviderCell(DeskProviderCell):
    """A clinician, and the person across the sites of the organisation."""

    practitioner: Annotated[Id | None, Described("The practitioner that other sites book, too; null without one.")]


class ScheduleCell(TypedDict):
    """A weekly window in which a clinician sees patients with appointments. Times are minutes after local midnight."""

    provider: Id
    services: list[Id]
    weekday: Annotated[int, Described("0 is Monday.", minimum=0, maximum=6)]
    from_minute: Count
    until_minute: Count
    slot_minutes: Count
    capacity: Count
    every_n_weeks: Count
    anchor_date: Annotated[str, Described("A day of a week in which the window is open.", format="date")]
    valid_from: Annotated[str, Described(format="date")]
    valid_until: Annotated[str | None, Described("The last date; null for no end.", format="date")]
    point: Annotated[Id | None, Described("The room that each appointment takes; null for none.")]
    buffer_minutes: Annotated[Count, Described("The time that stays free after each appointment.")]
    notice_minutes: Annotated[Count, Described("How long before it patients book at the latest.")]
    days_ahead: Annotated[Count, Described("How many days before it patients book at the earliest; 0 for no limit.")]
    opens_before: Annotated[Count, Described("How many minutes before it anybody books at the earliest; 0 for no limit.")]


class ExceptionCell(TypedDict):
    """A part of one date that is closed, or an extra window. Times are minutes after local midnight."""

    provider: Annotated[Id | None, Described("Null for the whole site.")]
    date: Annotated[str, Described(format="date")]
    kind: ExceptionKind
    from_minute: Count
    until_minute: Count
    reason: str
    services: list[Id]
    slot_minutes: Count
    capacity: Count
    point: Annotated[Id | None, Described("The room that each appointment takes; null for none.")]
    buffer_minutes: Annotated[Count, Described("The time that stays free after each appointment.")]


@dataclass(frozen=True, slots=True)
class ConfigurationView:
    """The set-up of a site: its rules, and every record that an administrator can change. It shows no patient.

    Administrators may read the true names of services, so the view has one form for all its readers.
    """

    open_sealed: OpenSealed
    kind: ClassVar[str] = "configuration"
    shape: ClassVar[str] = "configuration4"
    cells: ClassVar[Mapping[str, Any]] = {
        "site": ConfigurationSiteCell,
        "service": DeskServiceCell,
        "provider": ConfigurationProviderCell,
        "queue": ConfigurationQueueCell,
        "point": ConfigurationPointCell,
        "display": DeskDisplayCell,
        "kiosk": DeskKioskCell,
        "schedule": ScheduleCell,
        "exception": ExceptionCell,
    }

    @property
    def name(self) -> str:
        return "configuration"

    def keys(self, board: Board) -> Iterable[str]:
        yield "site"
        for shelf in _SHELVES:
            yield from (f"{shelf.removesuffix('s')}:{key}" for key in getattr(board, shelf))

    def cell(self, board: Board, key: str) -> Cell | None:
        kind, _, identifier = key.partition(":")
        match kind:
            case "site":
                return _site(board)
            case "queue":
                queue = in_use(board.queues, identifier)
                return None if queue is None else self._queue(board, queue)
            case "point":
                point = in_use(board.points, identifier)
                return None if point is None else _point(board, point)
            case "provider":
                provider = in_use(board.providers, identifier)
                return None if provider is None else _provider(provider)
            case "schedule":
                schedule = board.schedules.get(int(identifier))
                return None if schedule is None else _schedule(schedule)
            case "exception":
                exception = board.exceptions.get(int(identifier))
                return None if exception is None else _exception(exception)
            case "service" | "display" | "kiosk":
                return self._desk.cell(board, key)
        return None

    @property
    def _desk(self) -> DeskView:
        return DeskView(self.open_sealed, "staff")

    def _queue(self, board: Board, queue: Queue) -> Cell:
        cell = self._desk.cell(board, f"queue:{queue.id}")
        assert cell is not None, "the queue is in use"
        return {**cell, "waiting": len(board.waiting(queue.id))}

    def touched(self, board: Board, changed: set[str]) -> Iterable[str]:
        return (key for key in changed if key.partition(":")[0] in self.cells)


def _site(board: Board) -> ConfigurationSiteCell:
    return {
        **site_cell(board),
        "day_turns_at_minutes": board.site.day_turns_at_minutes,
        "rules": _rules(board.site.rules),
    }


def _rules(rules: Rules) -> RulesOfSite:
    made: dict[str, Any] = {item.name: _listed(getattr(rules, item.name)) for item in fields(rules)}
    return made  # type: ignore[return-value]  # a test compares the fields


def _listed(value: Any) -> Any:
    return [_listed(each) for each in value] if isinstance(value, tuple) else value


def _point(board: Board, point: Point) -> ConfigurationPointCell:
    return {
        "name": point.name,
        "names": names_of(board, point),
        "queues": list(point.queue_ids),
        "position": point.position,
        "state": point.state,
        "provider": point.provider_id,
        "unmet_needs": list(point.unmet_needs),
    }


def _provider(provider: Provider) -> ConfigurationProviderCell:
    return {"name": provider.name, "position": provider.position, "practitioner": provider.practitioner_id}


def _schedule(schedule: Schedule) -> ScheduleCell:
    return {
        "provider": schedule.provider_id,
        "services": list(schedule.service_ids),
        "weekday": schedule.weekday,
        "from_minute": schedule.from_minute,
        "until_minute": schedule.until_minute,
        "slot_minutes": schedule.slot_minutes,
        "capacity": schedule.capacity,
        "every_n_weeks": schedule.every_n_weeks,
        "anchor_date": schedule.anchor_date,
        "valid_from": schedule.valid_from,
        "valid_until": schedule.valid_until,
        "point": schedule.point_id,
        "buffer_minutes": schedule.buffer_minutes,
        "notice_minutes": schedule.notice_minutes,
        "days_ahead": schedule.days_ahead,
        "opens_before": schedule.opens_before,
    }


def _exception(exception: ScheduleException) -> ExceptionCell:
    return {
        "provider": exception.provider_id,
        "date": exception.date,
        "kind": exception.kind,
        "from_minute": exception.from_minute,
        "until_minute": exception.until_minute,
        "reason": exception.reason,
        "services": list(exception.service_ids),
        "slot_minutes": exception.slot_minutes,
        "capacity": exception.capacity,
        "point": exception.point_id,
        "buffer_minutes": exception.buffer_minutes,
    }
