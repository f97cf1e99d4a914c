"""The table of rights, compared with a second, independent table."""

from __future__ import annotations

import pytest

from server.domain.commands import COMMANDS
from server.domain.roles import INTEGRATION, KIOSK, MAY, PATIENT, ROLES, may, onlooker

QUERIES = {
    "read-sites",
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
    "follow-desk",
    "follow-point",
}
ADMINISTRATION = {"manage-staff", "manage-api-keys", "pair-devices"}
WITHIN = {"overrule-limits"}  # checked within a command
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
    "renew-token": "a",
    "revoke-token": "a",
    "remove": "a",
    "overrule-limits": "ar",
    "read-sites": "amrc",
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
    "read-day": "amr",
    "follow-desk": "amrc",
    "manage-staff": "a",
    "manage-api-keys": "a",
    "pair-devices": "a",
    "follow-point": "arc",
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


def test_patient_may_leave_or_be_late_and_nothing_else() -> None:
    assert {action for action in MAY if may(PATIENT, action)} == {"leave", "running-late"}


def test_kiosk_may_issue_tickets_and_nothing_else() -> None:
    assert {action for action in MAY if may(KIOSK, action)} == {"issue-ticket"}


def test_other_system_has_the_rights_of_a_kiosk_or_an_app_only() -> None:
    allowed = {"issue-ticket", "leave", "cancel", "running-late", "read-board", "read-sites"}
    assert {action for action in MAY if may(INTEGRATION, action)} == allowed


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
