"""The events: facts about a site, one frozen dataclass each, and their encoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server.domain.events.calls import NoShowRecorded, ServiceCompleted, ServiceStarted, TicketCalled, TicketRecalled
from server.domain.events.day import DayClosed, DayTurned, EntryExpired, MessageBroadcast
from server.domain.events.devices import (
    DeviceRenamed,
    DisplayAdded,
    DisplayChanged,
    DisplayReported,
    KioskAdded,
    TokenRenewed,
    TokenRevoked,
)
from server.domain.events.encoding import body_of, decode, shown
from server.domain.events.event import Event, Recorded
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
from server.domain.events.quotes import WaitsQuoted
from server.domain.events.reordering import EntryMoved, EntryReprioritised
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

# By the name on the wire. Generated documents keep this order.
EVENTS: dict[str, type[Event]] = {
    event.name_on_wire(): event
    for event in (
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
        KioskAdded,
        DeviceRenamed,
        DisplayChanged,
        TokenRenewed,
        TokenRevoked,
        DisplayReported,
        RecordRemoved,
        VisitAmended,
        TicketIssued,
        TicketCalled,
        TicketRecalled,
        ServiceStarted,
        ServiceCompleted,
        NoShowRecorded,
        TicketTransferred,
        WaitsQuoted,
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
        DayClosed,
        EntryExpired,
        DayTurned,
    )
}


def event_from(name: str, body: Mapping[str, Any], sealed: str | None) -> Event:
    """Return an event from its wire name, body and sealed part.

    Raises `KeyError` for a name that this version does not know, and `TypeError` for missing or unknown fields.
    """
    return decode(EVENTS[name], body, sealed)


__all__ = [
    "EVENTS",
    "AbsenceEnded",
    "DayClosed",
    "DayTurned",
    "DeviceRenamed",
    "DisplayAdded",
    "DisplayChanged",
    "DisplayReported",
    "EntryCancelled",
    "EntryExpired",
    "EntryHeld",
    "EntryLeft",
    "EntryMoved",
    "EntryReopened",
    "EntryReprioritised",
    "EntryReturned",
    "Event",
    "KioskAdded",
    "MessageBroadcast",
    "NoShowRecorded",
    "PatientRunningLate",
    "PointAdded",
    "PointBreakBegan",
    "PointChanged",
    "PointClosed",
    "PointOpened",
    "PointStaffed",
    "PointsSwapped",
    "ProviderAdded",
    "ProviderChanged",
    "ProviderReassigned",
    "QueueAdded",
    "QueueChanged",
    "QueueOpened",
    "QueuePaused",
    "RecordRemoved",
    "Recorded",
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
    "WaitsQuoted",
    "body_of",
    "event_from",
    "others",
    "shown",
]
