"""Applying events to a board: one function for each kind of event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from server.domain.board import (
    appointments,
    calls,
    day,
    delays,
    devices,
    doubts,
    first_steps,
    leaving,
    queues_and_points,
    quotes,
    reordering,
    site_configuration,
    tickets,
    transfers,
    undo,
    unreached,
)
from server.domain.board.board import Board, Changes
from server.domain.board.quotes import REQUOTE_MICROSECONDS
from server.domain.events import (
    APPOINTMENT_EVENTS,
    AbsenceEnded,
    AppointmentsImported,
    DayClosed,
    DayTurned,
    DelayAnnounced,
    DelayWithdrawn,
    DeviceRenamed,
    DeviceReported,
    DisplayAdded,
    DisplayChanged,
    EntryCancelled,
    EntryConfirmed,
    EntryDoubted,
    EntryExpired,
    EntryHeld,
    EntryInformed,
    EntryLeft,
    EntryMoved,
    EntryReopened,
    EntryReprioritised,
    EntryReturned,
    EntryUnreached,
    Event,
    ExceptionAdded,
    ExceptionRemoved,
    HelpAnswered,
    HelpAsked,
    KioskAdded,
    KioskChanged,
    MessageBroadcast,
    MilestoneReached,
    NoShowRecorded,
    PatientRunningLate,
    PointAdded,
    PointBreakBegan,
    PointChanged,
    PointClosed,
    PointOpened,
    PointsSwapped,
    PointStaffed,
    PractitionerLinked,
    ProviderAdded,
    ProviderChanged,
    ProviderReassigned,
    QueueAdded,
    QueueChanged,
    QueueOpened,
    QueuePaused,
    Recorded,
    RecordRemoved,
    ScheduleAdded,
    ScheduleEnded,
    ServiceAdded,
    ServiceChanged,
    ServiceCompleted,
    ServiceStarted,
    SiteChanged,
    StepUndone,
    TicketCalled,
    TicketIssued,
    TicketRecalled,
    TicketTransferred,
    TokenRenewed,
    TokenRevoked,
    VisitAmended,
    WaitsQuoted,
)

_APPLY: dict[type[Event], Callable[[Board, Any, Recorded, Changes], None]] = {
    TicketIssued: tickets.ticket_issued,
    VisitAmended: tickets.visit_amended,
    TicketCalled: calls.ticket_called,
    TicketRecalled: calls.ticket_recalled,
    ServiceStarted: calls.service_started,
    ServiceCompleted: calls.service_completed,
    NoShowRecorded: calls.no_show_recorded,
    TicketTransferred: transfers.ticket_transferred,
    ProviderReassigned: transfers.provider_reassigned,
    EntryHeld: leaving.entry_held,
    EntryReturned: leaving.entry_returned,
    PatientRunningLate: leaving.patient_running_late,
    AbsenceEnded: leaving.absence_ended,
    EntryLeft: leaving.entry_left,
    EntryCancelled: leaving.entry_cancelled,
    EntryReopened: leaving.entry_reopened,
    EntryReprioritised: reordering.entry_reprioritised,
    EntryMoved: reordering.entry_moved,
    WaitsQuoted: quotes.waits_quoted,
    StepUndone: undo.step_undone,
    PointOpened: queues_and_points.point_opened,
    PointBreakBegan: queues_and_points.point_break_began,
    PointClosed: queues_and_points.point_closed,
    PointStaffed: queues_and_points.point_staffed,
    PointsSwapped: queues_and_points.points_swapped,
    QueueOpened: queues_and_points.queue_opened,
    QueuePaused: queues_and_points.queue_paused,
    SiteChanged: site_configuration.site_changed,
    ServiceAdded: site_configuration.service_added,
    ServiceChanged: site_configuration.service_changed,
    ProviderAdded: site_configuration.provider_added,
    ProviderChanged: site_configuration.provider_changed,
    QueueAdded: site_configuration.queue_added,
    QueueChanged: site_configuration.queue_changed,
    PointAdded: site_configuration.point_added,
    PointChanged: site_configuration.point_changed,
    RecordRemoved: site_configuration.record_removed,
    DisplayAdded: devices.display_added,
    KioskAdded: devices.kiosk_added,
    DeviceRenamed: devices.device_renamed,
    TokenRenewed: devices.token_renewed,
    TokenRevoked: devices.token_revoked,
    DisplayChanged: devices.display_changed,
    DeviceReported: devices.device_reported,
    KioskChanged: devices.kiosk_changed,
    HelpAsked: devices.help_asked,
    HelpAnswered: devices.help_answered,
    MilestoneReached: first_steps.milestone_reached,
    MessageBroadcast: day.message_broadcast,
    DelayAnnounced: delays.delay_announced,
    DelayWithdrawn: delays.delay_withdrawn,
    DayClosed: day.day_closed,
    EntryExpired: day.entry_expired,
    DayTurned: day.day_turned,
    ScheduleAdded: appointments.schedule_added,
    ScheduleEnded: appointments.schedule_ended,
    ExceptionAdded: appointments.exception_added,
    ExceptionRemoved: appointments.exception_removed,
    PractitionerLinked: appointments.practitioner_linked,
    AppointmentsImported: appointments.appointments_imported,
    EntryUnreached: unreached.entry_unreached,
    EntryInformed: unreached.entry_informed,
    EntryDoubted: doubts.entry_doubted,
    EntryConfirmed: doubts.entry_confirmed,
    **dict.fromkeys(APPOINTMENT_EVENTS, appointments.appointment_changed),
}


def apply(board: Board, recorded: Recorded, changes: Changes) -> None:
    """Change the board by one event of its site's log, and add the effects to ``changes``.

    Events come in the order of their numbers, without a gap. Raises `ValueError` for another number or an unknown kind of
    event, and leaves the board as it was.
    """
    if recorded.seq != board.site.seq + 1:
        raise ValueError(f"event {recorded.seq} cannot follow {board.site.seq}")
    change = _APPLY.get(type(recorded.event))
    if change is None:
        raise ValueError(f"no rule for {type(recorded.event).__name__}")
    change(board, recorded.event, recorded, changes)
    appointments.follow_entries(board, recorded, changes)
    tick_at = min([board.site.turns_at, *board.absent().values(), *board.returning().values()])
    if board.anybody_waiting:
        tick_at = min(tick_at, board.site.quoted_at + REQUOTE_MICROSECONDS)
    board.site = replace(board.site, seq=recorded.seq, last_event_at=recorded.at, next_tick_at=tick_at)
