"""All commands: their names, sites and fields."""

from __future__ import annotations

from dataclasses import MISSING, FrozenInstanceError, fields, is_dataclass
from typing import Any, get_type_hints

import pytest

from server.domain import commands
from server.domain.commands import (
    COMMANDS,
    AddQueue,
    BookForVisitor,
    Command,
    DropHold,
    HoldForVisitor,
    ImportAppointments,
    IssueTicket,
    JoinQueue,
    NoteMessage,
    NoteOutage,
    PassOffer,
    ReachMilestone,
    ReportDevice,
    Rezone,
    SetUp,
    Start,
    Tick,
    Transfer,
)
from tests.support.worlds import SITE_ID, an_id


def an_example(kind: type[Command]) -> Command:
    """Return a command of a kind with its required fields."""
    values: dict[str, Any] = {}
    for item in fields(kind):  # type: ignore[arg-type]
        if item.default is MISSING:
            values[item.name] = {
                "site_id": SITE_ID,
                "name": "Name",
                "prefix": "A",
                "queue_ids": (an_id(1),),
            }.get(item.name, an_id(1))
    return kind(**values)


def test_every_command_is_registered_under_its_name() -> None:
    written = {
        kind
        for kind in vars(commands).values()
        if isinstance(kind, type) and issubclass(kind, Command) and is_dataclass(kind)
    }
    assert set(COMMANDS.values()) == written
    assert all(kind.name_on_wire() == name for name, kind in COMMANDS.items())


def test_names_on_the_wire() -> None:
    assert list(COMMANDS) == [
        "issue-ticket",
        "call-next",
        "call",
        "recall",
        "start",
        "complete",
        "no-show",
        "transfer",
        "hold",
        "return",
        "leave",
        "cancel",
        "reprioritise",
        "move",
        "running-late",
        "undo",
        "reopen",
        "open-point",
        "break-point",
        "close-point",
        "open-queue",
        "pause-queue",
        "broadcast-message",
        "announce-delay",
        "withdraw-delay",
        "close-day",
        "amend-visit",
        "staff-point",
        "swap-points",
        "reassign-provider",
        "change-site",
        "set-up",
        "add-service",
        "change-service",
        "add-provider",
        "change-provider",
        "add-queue",
        "change-queue",
        "add-point",
        "change-point",
        "add-display",
        "add-kiosk",
        "answer-help",
        "ask-help",
        "rename-device",
        "change-display",
        "change-kiosk",
        "renew-token",
        "revoke-token",
        "arrange",
        "remove",
        "hold-slot",
        "release-slot",
        "book",
        "book-series",
        "reschedule",
        "amend-appointment",
        "want-earlier",
        "cancel-appointment",
        "check-in",
        "appointment-no-show",
        "move-appointments",
        "accept-offer",
        "decline-offer",
        "link-practitioner",
        "hold-for-visitor",
        "book-for-visitor",
        "import-appointments",
        "rezone",
        "pass-offer",
        "drop-hold",
        "clear-unreached",
        "note-message",
        "confirm",
        "note-outage",
        "add-schedule",
        "change-schedule",
        "end-schedule",
        "add-exception",
        "remove-exception",
        "join-queue",
        "hide-checklist",
        "end-trial",
        "report-device",
        "reach-milestone",
        "tick",
    ]


def test_only_commands_of_the_server_are_internal() -> None:
    assert [kind for kind in COMMANDS.values() if kind.internal] == [
        SetUp,
        HoldForVisitor,
        BookForVisitor,
        ImportAppointments,
        Rezone,
        PassOffer,
        DropHold,
        NoteMessage,
        NoteOutage,
        JoinQueue,
        ReportDevice,
        ReachMilestone,
        Tick,
    ]


@pytest.mark.parametrize("kind", COMMANDS.values(), ids=COMMANDS.keys())
def test_command_names_its_site_and_is_frozen(kind: type[Command]) -> None:
    command = an_example(kind)
    assert command.site_id == SITE_ID
    with pytest.raises((FrozenInstanceError, AttributeError)):
        setattr(command, fields(kind)[0].name, 1)  # type: ignore[arg-type]
    assert (kind.__doc__ or "").strip().endswith((".", "numbers."))
    assert command == an_example(kind)


@pytest.mark.parametrize("kind", COMMANDS.values(), ids=COMMANDS.keys())
def test_commands_take_keywords_only(kind: type[Command]) -> None:
    with pytest.raises(TypeError):
        kind(an_id(1))  # type: ignore[call-arg]


def test_site_is_that_of_the_first_id() -> None:
    """A transfer locks the site of its entry; a queue of another site is then unknown there."""
    assert Transfer(entry_id=an_id(1), queue_id=9_000_000_001).site_id == SITE_ID
    assert Start(entry_id=5).site_id == 0
    assert AddQueue(site_id=3, name="X", prefix="A").site_id == 3


def test_ticket_is_standard_and_for_one_by_default() -> None:
    ticket = IssueTicket(queue_id=an_id(1))
    assert (ticket.priority, ticket.party_size, ticket.language) == ("standard", 1, None)
    assert (ticket.name, ticket.phone, ticket.name_on_display) == (None, None, False)


NUMBERS = {
    *("party_size", "minutes", "capacity", "fold", "version", "every_days", "count", "weekday", "slot_minutes"),
    *("every_n_weeks", "buffer_minutes", "notice_minutes", "days_ahead", "opens_before", "at"),
    *("offline_from", "offline_until"),
}


def test_names_of_ids_end_in_id() -> None:
    """The edge checks fields named ``..._id`` as ids: every id has such a name and is an integer."""
    for kind in COMMANDS.values():
        for name, hint in get_type_hints(kind).items():
            if hint is int and name not in NUMBERS:
                assert name.endswith("_id"), (kind, name)
