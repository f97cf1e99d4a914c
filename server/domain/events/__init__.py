"""The events: facts about a site, one frozen dataclass each, and their encoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server.domain.events.appointments import (
    APPOINTMENT_EVENTS,
    AppointmentAmended,
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentDue,
    AppointmentHeld,
    AppointmentInformed,
    AppointmentMissed,
    AppointmentMoved,
    AppointmentRezoned,
    AppointmentUnreached,
    HoldReleased,
    OfAppointment,
)
from server.domain.events.calls import NoShowRecorded, ServiceCompleted, ServiceStarted, TicketCalled, TicketRecalled
from server.domain.events.day import DayClosed, DayTurned, EntryExpired, MessageBroadcast
from server.domain.events.delays import DelayAnnounced, DelayWithdrawn
from server.domain.events.devices import (
    DeviceRenamed,
    DeviceReported,
    DisplayAdded,
    DisplayChanged,
    HelpAnswered,
    HelpAsked,
    KioskAdded,
    KioskChanged,
    TokenRenewed,
    TokenRevoked,
)
from server.domain.events.doubts import EntryConfirmed, EntryDoubted
from server.domain.events.encoding import body_of, decode, shown
from server.domain.events.event import Event, Recorded
from server.domain.events.first_steps import MilestoneReached
from server.domain.events.importing import AppointmentsImported
from server.domain.events.leaving import (
    AbsenceEnded,
    EntryCancelled,
    EntryHeld,
    EntryLeft,
    EntryReopened,
    EntryReturned,
    PatientRunningLate,
)
from server.domain.events.others import others
from server.domain.events.queues_and_points import (
    PointBreakBegan,
    PointClosed,
    PointOpened,
    PointsSwapped,
    PointStaffed,
    QueueOpened,
    QueuePaused,
)
from server.domain.events.quotes import WaitsExplained, WaitsQuoted
from server.domain.events.reordering import EntryMoved, EntryReprioritised
from server.domain.events.schedules import (
    ExceptionAdded,
    ExceptionRemoved,
    PractitionerLinked,
    ScheduleAdded,
    ScheduleEnded,
)
from server.domain.events.site_configuration import (
    PointAdded,
    PointChanged,
    ProviderAdded,
    ProviderChanged,
    QueueAdded,
    QueueChanged,
    RecordRemoved,
    ServiceAdded,
    ServiceChanged,
    SiteChanged,
)
from server.domain.events.tickets import TicketIssued, VisitAmended
from server.domain.events.transfers import ProviderReassigned, TicketTransferred
from server.domain.events.undo import StepUndone
from server.domain.events.unreached import EntryInformed, EntryUnreached

# Generated documents keep this order.
_KINDS: tuple[type[Event], ...] = (
    SiteChanged,
    ServiceAdded,
    ServiceChanged,
    ProviderAdded,
    ProviderChanged,
    ProviderReassigned,
    QueueAdded,
    QueueChanged,
    PointAdded,
    PointChanged,
    PointStaffed,
    PointsSwapped,
    DisplayAdded,
    HelpAnswered,
    HelpAsked,
    KioskAdded,
    KioskChanged,
    DeviceRenamed,
    DisplayChanged,
    TokenRenewed,
    TokenRevoked,
    DeviceReported,
    RecordRemoved,
    MilestoneReached,
    VisitAmended,
    TicketIssued,
    TicketCalled,
    TicketRecalled,
    ServiceStarted,
    ServiceCompleted,
    NoShowRecorded,
    TicketTransferred,
    WaitsQuoted,
    WaitsExplained,
    EntryHeld,
    EntryReturned,
    EntryLeft,
    EntryCancelled,
    EntryReprioritised,
    EntryMoved,
    PatientRunningLate,
    AbsenceEnded,
    StepUndone,
    EntryReopened,
    PointOpened,
    PointBreakBegan,
    PointClosed,
    QueueOpened,
    QueuePaused,
    MessageBroadcast,
    DelayAnnounced,
    DelayWithdrawn,
    DayClosed,
    EntryExpired,
    DayTurned,
    ScheduleAdded,
    ScheduleEnded,
    ExceptionAdded,
    ExceptionRemoved,
    PractitionerLinked,
    *APPOINTMENT_EVENTS,
    AppointmentsImported,
    EntryUnreached,
    EntryInformed,
    EntryDoubted,
    EntryConfirmed,
)


# By the name on the wire.
EVENTS: dict[str, type[Event]] = {event.name_on_wire(): event for event in _KINDS}


def event_from(name: str, body: Mapping[str, Any], sealed: str | None) -> Event:
    """Return an event from its wire name, body and sealed part.

    Raises `KeyError` for a name that this version does not know, and `TypeError` for missing or unknown fields.
    """
    if name == "display-reported":  # of logs that are older than the health of kiosks
        name, body = "device-reported", {("device_id" if key == "display_id" else key): body[key] for key in body}
    return decode(EVENTS[name], body, sealed)


__all__ = [
    "APPOINTMENT_EVENTS",
    "EVENTS",
    "AbsenceEnded",
    "AppointmentAmended",
    "AppointmentBooked",
    "AppointmentCancelled",
    "AppointmentDue",
    "AppointmentHeld",
    "AppointmentInformed",
    "AppointmentMissed",
    "AppointmentMoved",
    "AppointmentRezoned",
    "AppointmentUnreached",
    "AppointmentsImported",
    "DayClosed",
    "DayTurned",
    "DelayAnnounced",
    "DelayWithdrawn",
    "DeviceRenamed",
    "DeviceReported",
    "DisplayAdded",
    "DisplayChanged",
    "EntryCancelled",
    "EntryConfirmed",
    "EntryDoubted",
    "EntryExpired",
    "EntryHeld",
    "EntryInformed",
    "EntryLeft",
    "EntryMoved",
    "EntryReopened",
    "EntryReprioritised",
    "EntryReturned",
    "EntryUnreached",
    "Event",
    "ExceptionAdded",
    "ExceptionRemoved",
    "HelpAnswered",
    "HelpAsked",
    "HoldReleased",
    "KioskAdded",
    "KioskChanged",
    "MessageBroadcast",
    "MilestoneReached",
    "NoShowRecorded",
    "OfAppointment",
    "PatientRunningLate",
    "PointAdded",
    "PointBreakBegan",
    "PointChanged",
    "PointClosed",
    "PointOpened",
    "PointStaffed",
    "PointsSwapped",
    "PractitionerLinked",
    "ProviderAdded",
    "ProviderChanged",
    "ProviderReassigned",
    "QueueAdded",
    "QueueChanged",
    "QueueOpened",
    "QueuePaused",
    "RecordRemoved",
    "Recorded",
    "ScheduleAdded",
    "ScheduleEnded",
    "ServiceAdded",
    "ServiceChanged",
    "ServiceCompleted",
    "ServiceStarted",
    "SiteChanged",
    "StepUndone",
    "TicketCalled",
    "TicketIssued",
    "TicketRecalled",
    "TicketTransferred",
    "TokenRenewed",
    "TokenRevoked",
    "VisitAmended",
    "WaitsExplained",
    "WaitsQuoted",
    "body_of",
    "event_from",
    "others",
    "shown",
]
