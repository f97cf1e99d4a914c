"""The commands: named requests to change a site, one frozen dataclass each."""

from __future__ import annotations

from server.domain.commands.calls import Call, CallNext, Complete, NoShow, Recall, Start
from server.domain.commands.command import Command
from server.domain.commands.day import BroadcastMessage, CloseDay, Tick
from server.domain.commands.devices import AddDisplay, AddKiosk, RenameDevice, RenewToken, ReportDisplay, RevokeToken
from server.domain.commands.leaving import Cancel, Hold, Leave, Reopen, Return, RunningLate
from server.domain.commands.queues_and_points import (
    BreakPoint,
    ClosePoint,
    OpenPoint,
    OpenQueue,
    PauseQueue,
    StaffPoint,
    SwapPoints,
)
from server.domain.commands.reordering import Move, Reprioritise
from server.domain.commands.site_configuration import (
    AddPoint,
    AddProvider,
    AddQueue,
    AddService,
    ChangePoint,
    ChangeProvider,
    ChangeQueue,
    ChangeService,
    ChangeSite,
    Remove,
)
from server.domain.commands.tickets import AmendVisit, IssueTicket
from server.domain.commands.transfers import ReassignProvider, Transfer
from server.domain.commands.undo import Undo

# By the name on the wire. Generated documents keep this order.
COMMANDS: dict[str, type[Command]] = {
    command.name_on_wire(): command
    for command in (
        IssueTicket,
        CallNext,
        Call,
        Recall,
        Start,
        Complete,
        NoShow,
        Transfer,
        Hold,
        Return,
        Leave,
        Cancel,
        Reprioritise,
        Move,
        RunningLate,
        Undo,
        Reopen,
        OpenPoint,
        BreakPoint,
        ClosePoint,
        OpenQueue,
        PauseQueue,
        BroadcastMessage,
        CloseDay,
        AmendVisit,
        StaffPoint,
        SwapPoints,
        ReassignProvider,
        ChangeSite,
        AddService,
        ChangeService,
        AddProvider,
        ChangeProvider,
        AddQueue,
        ChangeQueue,
        AddPoint,
        ChangePoint,
        AddDisplay,
        AddKiosk,
        RenameDevice,
        RenewToken,
        RevokeToken,
        Remove,
        ReportDisplay,
        Tick,
    )
}

__all__ = [
    "COMMANDS",
    "AddDisplay",
    "AddKiosk",
    "AddPoint",
    "AddProvider",
    "AddQueue",
    "AddService",
    "AmendVisit",
    "BreakPoint",
    "BroadcastMessage",
    "Call",
    "CallNext",
    "Cancel",
    "ChangePoint",
    "ChangeProvider",
    "ChangeQueue",
    "ChangeService",
    "ChangeSite",
    "CloseDay",
    "ClosePoint",
    "Command",
    "Complete",
    "Hold",
    "IssueTicket",
    "Leave",
    "Move",
    "NoShow",
    "OpenPoint",
    "OpenQueue",
    "PauseQueue",
    "ReassignProvider",
    "Recall",
    "Remove",
    "RenameDevice",
    "RenewToken",
    "Reopen",
    "ReportDisplay",
    "Reprioritise",
    "Return",
    "RevokeToken",
    "RunningLate",
    "StaffPoint",
    "Start",
    "SwapPoints",
    "Tick",
    "Transfer",
    "Undo",
]
