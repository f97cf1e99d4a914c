"""The table of rights, compared with a second, independent table."""

from __future__ import annotations

import pytest

from server.domain.commands import COMMANDS
from server.domain.roles import INTEGRATION, KIOSK, MAY, PATIENT, ROLES, may, onlooker

QUERIES = {
    "read-sites",
    "read-slots",
    "read-appointments",
    "read-board",
    "read-site",
    "read-entries",
    "read-history",
    "read-personal",
    "read-marks",
    "read-slip",
    "read-actors",
    "find-patients",
    "read-audit",
    "read-statistics",
    "read-day",
    "replay-days",
    "read-messages",
    "read-contact",
    "follow-desk",
    "follow-configuration",
    "follow-point",
    "follow-calendar",
}
ADMINISTRATION = {
    "add-site",
    "read-system",
    "manage-staff",
    "manage-api-keys",
    "manage-channels",
    "resend-message",
    "edit-message-texts",
    "mail-reports",
    "change-contact",
    "pair-devices",
    "print-poster",
    "manage-practitioners",
    "manage-calendar-feeds",
    "import-appointments",
}
WITHIN = {"overrule-limits", "overbook"}  # checked within a command
# a admin, m manager, r receptionist, c clinician
EXPECTED = {
    "issue-ticket": "ar",
    "call-next": "arc",
    "recall": "arc",
    "start": "arc",
    "complete": "arc",
    "no-show": "arc",
    "transfer": "arc",
    "call": "arc",
    "hold": "arc",
    "return": "arc",
    "leave": "ar",
    "cancel": "ar",
    "reprioritise": "ar",
    "move": "ar",
    "running-late": "ar",
    "undo": "arc",
    "reopen": "ar",
    "open-point": "arc",
    "break-point": "arc",
    "close-point": "arc",
    "open-queue": "ar",
    "pause-queue": "ar",
    "broadcast-message": "ar",
    "announce-delay": "amr",
    "withdraw-delay": "amr",
    "close-day": "ar",
    "amend-visit": "ar",
    "staff-point": "arc",
    "swap-points": "ar",
    "reassign-provider": "ar",
    "change-site": "a",
    "add-service": "a",
    "change-service": "a",
    "add-provider": "a",
    "change-provider": "a",
    "add-queue": "a",
    "change-queue": "a",
    "add-point": "a",
    "change-point": "a",
    "add-display": "a",
    "add-kiosk": "a",
    "rename-device": "a",
    "change-display": "a",
    "change-kiosk": "a",
    "ask-help": "a",
    "answer-help": "arc",
    "renew-token": "a",
    "revoke-token": "a",
    "add-schedule": "a",
    "change-schedule": "a",
    "end-schedule": "a",
    "add-exception": "ar",
    "remove-exception": "ar",
    "arrange": "a",
    "remove": "a",
    "hide-checklist": "a",
    "hold-slot": "arc",
    "release-slot": "arc",
    "book": "arc",
    "book-series": "arc",
    "reschedule": "arc",
    "amend-appointment": "arc",
    "want-earlier": "arc",
    "accept-offer": "arc",
    "decline-offer": "arc",
    "cancel-appointment": "arc",
    "check-in": "arc",
    "appointment-no-show": "arc",
    "clear-unreached": "arc",
    "confirm": "arc",
    "move-appointments": "ar",
    "link-practitioner": "a",
    "import-appointments": "a",
    "end-trial": "ar",
    "overrule-limits": "ar",
    "overbook": "ar",
    "read-sites": "amrc",
    "read-slots": "amrc",
    "read-appointments": "amrc",
    "read-board": "amrc",
    "read-site": "amrc",
    "read-entries": "amrc",
    "read-history": "arc",
    "read-personal": "arc",
    "read-marks": "amrc",
    "read-slip": "ar",
    "read-actors": "ar",
    "find-patients": "ar",
    "read-audit": "a",
    "read-statistics": "am",
    "replay-days": "am",
    "read-day": "amr",
    "follow-desk": "amrc",
    "follow-configuration": "a",
    "add-site": "a",
    "read-system": "a",
    "manage-staff": "a",
    "manage-api-keys": "a",
    "manage-channels": "a",
    "read-messages": "amr",
    "resend-message": "amr",
    "edit-message-texts": "am",
    "mail-reports": "am",
    "read-contact": "arc",
    "change-contact": "arc",
    "pair-devices": "a",
    "print-poster": "a",
    "follow-point": "arc",
    "manage-calendar-feeds": "am",
    "manage-practitioners": "a",
    "follow-calendar": "amrc",
}


def test_table_has_every_command_of_the_api_and_nothing_unknown() -> None:
    assert set(MAY) == {name for name, kind in COMMANDS.items() if not kind.internal} | QUERIES | WITHIN | ADMINISTRATION


def test_table_names_known_roles_only() -> None:
    assert set(ROLES) == {"admin", "manager", "receptionist", "clinician"}
    assert all(roles and roles <= {*ROLES, PATIENT, KIOSK, INTEGRATION} for roles in MAY.values())


@pytest.mark.parametrize("action", EXPECTED)
@pytest.mark.parametrize("role", ROLES)
def test_roles_have_the_rights_of_the_second_table(role: str, action: str) -> None:
    assert may(role, action) == (role[0] in EXPECTED[action])


def test_second_table_is_complete() -> None:
    assert set(EXPECTED) == set(MAY)


def test_patient_may_leave_be_late_or_manage_an_appointment_and_nothing_else() -> None:
    of_the_ticket = {"leave", "running-late"}
    of_the_appointment = {
        *("reschedule", "cancel-appointment", "check-in"),
        *("want-earlier", "accept-offer", "decline-offer"),
    }
    assert {action for action in MAY if may(PATIENT, action)} == of_the_ticket | of_the_appointment


def test_kiosk_may_issue_tickets_check_in_and_ask_for_help_and_nothing_else() -> None:
    assert {action for action in MAY if may(KIOSK, action)} == {"issue-ticket", "check-in", "ask-help"}


def test_other_system_has_the_rights_of_a_kiosk_or_an_app_only() -> None:
    of_tickets = {"issue-ticket", "leave", "cancel", "running-late", "read-board", "read-sites"}
    of_appointments = {
        *("hold-slot", "release-slot", "book", "book-series", "reschedule", "amend-appointment", "cancel-appointment"),
        *("check-in", "want-earlier", "accept-offer", "decline-offer", "read-slots", "read-appointments"),
    }
    assert {action for action in MAY if may(INTEGRATION, action)} == of_tickets | of_appointments


@pytest.mark.parametrize("role", ["", "Admin", "display", "clock", "nobody"])
def test_unknown_role_has_no_rights(role: str) -> None:
    assert not any(may(role, action) for action in MAY)


@pytest.mark.parametrize("action", ["", "tick", "Call-Next", "call_next", "drop-tables"])
def test_unknown_action_is_allowed_to_no_role(action: str) -> None:
    assert not any(may(role, action) for role in ROLES)


def test_kind_of_onlooker_of_each_role() -> None:
    """Names are for staff who call patients by name. Data for staff only is hidden from other systems."""
    lookers = {role: onlooker(role) for role in (*ROLES, INTEGRATION, PATIENT, KIOSK, "nobody")}
    assert {role for role, looker in lookers.items() if looker == "floor"} == {"admin", "receptionist", "clinician"}
    assert {role for role, looker in lookers.items() if looker == "staff"} == {"manager"}
