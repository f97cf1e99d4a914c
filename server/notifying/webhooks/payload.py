"""The payload of a webhook: what another system learns of an event.

Every field is named here, so no field of an event gets out by itself. A payload has ids, labels, states and times. It has no
name, no free text and no token, nothing about the person, and no secret: an organisation gives the payload to a system that
the law may not allow to know its patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from server.domain import events
from server.domain.events import Event, OfAppointment, Recorded
from server.domain.model import State, Told

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENTRY = ("entry_id", "label")
_QUOTE = ("expect_from", "expect_until", "estimating")
_AT_POINT = (*_ENTRY, "point_id")

# The fields that a payload takes from an event as they are, by the event. An event that is missing here has no data.
FIELDS: Mapping[type[Event], tuple[str, ...]] = {
    events.SiteChanged: (),
    events.ServiceAdded: ("service_id",),
    events.ServiceChanged: ("service_id",),
    events.ProviderAdded: ("provider_id",),
    events.ProviderChanged: ("provider_id",),
    events.ProviderReassigned: ("provider_id", "to_provider_id", "entry_ids", "labels"),
    events.QueueAdded: ("queue_id", "service_id"),
    events.QueueChanged: ("queue_id", "service_id"),
    events.PointAdded: ("point_id", "queue_ids"),
    events.PointChanged: ("point_id", "queue_ids"),
    events.PointStaffed: ("point_id", "provider_id"),
    events.PointsSwapped: ("point_id", "with_point_id"),
    events.DisplayAdded: ("display_id",),
    events.HelpAnswered: ("kiosk_id",),
    events.HelpAsked: ("kiosk_id",),
    events.KioskAdded: ("kiosk_id",),
    events.KioskChanged: ("kiosk_id",),
    events.DeviceRenamed: ("device_id",),
    events.DisplayChanged: ("display_id",),
    events.TokenRenewed: ("device_id",),
    events.TokenRevoked: ("device_id",),
    events.DeviceReported: ("device_id", "connected"),
    events.RecordRemoved: ("record_id", "kind"),
    events.MilestoneReached: (),
    events.VisitAmended: ("visit_id", *_ENTRY),
    events.TicketIssued: ("visit_id", *_ENTRY, "queue_id", "provider_id", "appointment_id", "trial", *_QUOTE),
    events.TicketCalled: _AT_POINT,
    events.TicketRecalled: _AT_POINT,
    events.ServiceStarted: _AT_POINT,
    events.ServiceCompleted: _AT_POINT,
    events.NoShowRecorded: _AT_POINT,
    events.TicketTransferred: (*_ENTRY, "new_entry_id", "queue_id", "provider_id", *_QUOTE),
    events.WaitsQuoted: (),
    events.WaitsExplained: (),
    events.EntryHeld: (*_ENTRY, "held_until"),
    events.EntryReturned: (*_ENTRY, *_QUOTE),
    events.EntryLeft: _ENTRY,
    events.EntryCancelled: _ENTRY,
    events.EntryReprioritised: _ENTRY,
    events.EntryMoved: _ENTRY,
    events.PatientRunningLate: (*_ENTRY, "absent_until"),
    events.AbsenceEnded: _ENTRY,
    events.StepUndone: (*_ENTRY, "step", "point_id", "appointment_id"),
    events.EntryReopened: _ENTRY,
    events.PointOpened: ("point_id",),
    events.PointBreakBegan: ("point_id",),
    events.PointClosed: ("point_id",),
    events.QueueOpened: ("queue_id",),
    events.QueuePaused: ("queue_id",),
    events.MessageBroadcast: (),
    events.DelayAnnounced: ("minutes",),
    events.DelayWithdrawn: (),
    events.DayClosed: ("ended",),
    events.EntryExpired: (*_ENTRY, "was"),
    events.EntryUnreached: (*_ENTRY, "kind", "way", "problem"),
    events.EntryInformed: (*_ENTRY, "how"),
    events.EntryDoubted: (*_ENTRY, "offline_from", "offline_until"),
    events.EntryConfirmed: _ENTRY,
    events.DayTurned: ("business_day", "carried"),
    events.ScheduleAdded: (),
    events.ScheduleEnded: ("schedule_id", "valid_until"),
    events.ExceptionAdded: (),
    events.ExceptionRemoved: ("exception_id",),
    events.PractitionerLinked: ("provider_id", "practitioner_id"),
    events.AppointmentHeld: (),
    events.HoldReleased: (),
    events.AppointmentBooked: (),
    events.AppointmentMoved: ("was_starts_at", "was_provider_id"),
    events.AppointmentAmended: (),
    events.AppointmentCancelled: (),
    events.AppointmentMissed: (),
    events.AppointmentDue: (),
    events.AppointmentRezoned: ("was_starts_at",),
    events.AppointmentUnreached: ("kind", "way", "problem"),
    events.AppointmentInformed: ("how",),
    events.AppointmentsImported: (),
}

# The state of an entry after an event. `StepUndone` has none: the state before the step is not in the event.
STATES: Mapping[type[Event], State] = {
    events.TicketIssued: "waiting",
    events.TicketCalled: "called",
    events.TicketRecalled: "called",
    events.ServiceStarted: "serving",
    events.ServiceCompleted: "completed",
    events.NoShowRecorded: "no_show",
    events.TicketTransferred: "transferred",
    events.EntryHeld: "held",
    events.EntryReturned: "waiting",
    events.EntryReopened: "waiting",
    events.EntryLeft: "left",
    events.EntryCancelled: "cancelled",
    events.EntryExpired: "expired",
}

OF_APPOINTMENT = (
    "state",
    "version",
    "service_id",
    "provider_id",
    "point_id",
    "starts_at",
    "ends_at",
    "visit_id",
    "series_id",
    "ended_by",
)
OF_SCHEDULE = ("provider_id", "service_ids", "valid_from", "valid_until")
OF_EXCEPTION = ("provider_id", "date", "from_minute", "until_minute")
_INSTANTS = frozenset(
    {
        *("expect_from", "expect_until", "held_until", "absent_until", "starts_at", "ends_at", "was_starts_at"),
        *("offline_from", "offline_until"),
    }
)  # in microseconds


def name_of(site_id: int, epoch: str, number: int) -> str:
    """Return the ``webhook-id`` of an event: the same for every try, in every webhook.

    ``epoch`` is that of the site: after a restored backup, the same numbers belong to other events.
    """
    return f"{site_id}-{epoch}-{number}"


def payload(site_id: int, epoch: str, recorded: Recorded) -> bytes:
    """Return the payload of an event as JSON: its type, its instant, its number in the log of the site, and its data.

    ``epoch`` is as for `name_of`.
    """
    return orjson.dumps(
        {
            "type": recorded.event.name_on_wire(),
            "timestamp": timestamp(recorded.at),
            "site_id": site_id,
            "epoch": epoch,
            "number": recorded.seq,
            "data": data_of(recorded.event),
        }
    )


def trial(now: int) -> bytes:
    """Return the payload of a test event. It belongs to no site, and has no number."""
    return orjson.dumps({"type": "test", "timestamp": timestamp(now), "data": {}})


def data_of(event: Event) -> dict[str, Any]:
    """Return the data of an event: the fields of `FIELDS`, and the state of the entry or the values of the record."""
    data = _taken(event, FIELDS.get(type(event), ()))
    match event:
        case OfAppointment(appointment=appointment):
            data = {"appointment_id": appointment.id, **_taken(appointment, OF_APPOINTMENT), **data}
        case events.ScheduleAdded(schedule=schedule):
            data = {"schedule_id": schedule.id, **_taken(schedule, OF_SCHEDULE)}
        case events.ExceptionAdded(exception=exception):
            data = {"exception_id": exception.id, **_taken(exception, OF_EXCEPTION)}
        case events.WaitsQuoted(quotes=quotes):
            data = {
                "quotes": [
                    {
                        "entry_id": entry_id,
                        "expect_from": _shown("expect_from", begin),
                        "expect_until": _shown("expect_until", end),
                        "estimating": estimating,
                    }
                    for entry_id, begin, end, estimating in quotes
                ]
            }
        case events.WaitsExplained(told=told, leaves=leaves, late=late):
            words = [(entry_id, Told(*word)) for entry_id, word in told if word]
            data = {
                "moves": [
                    {"entry_id": entry_id, "cause": word.cause, "point_id": word.point_id}
                    for entry_id, word in words
                    if word.cause is not None
                ],
                "leaves": [
                    {"entry_id": entry_id, "leave_until": None if leave is None else timestamp(leave)}
                    for entry_id, leave in leaves
                ],
                "late": [{"queue_id": queue_id, "minutes": minutes} for queue_id, minutes in late],
            }
    state = STATES.get(type(event))
    return data if state is None else data | {"state": state}


def timestamp(at: int) -> str:
    """Return an instant (microseconds) in ISO 8601: ``2026-11-30T09:00:00.000000Z``."""
    return f"{(_EPOCH + timedelta(microseconds=at)).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _taken(record: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _shown(name, getattr(record, name)) for name in names}


def _shown(name: str, value: Any) -> Any:
    return timestamp(value) if name in _INSTANTS and value is not None else value
