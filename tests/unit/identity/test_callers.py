"""Callers: their names in logs, and their roles."""

from __future__ import annotations

from server.domain import roles
from server.identity.callers import Bearer, Integration, Staff


def test_each_caller_has_a_name_in_logs() -> None:
    assert Staff(3, 1, "ada", "admin", "s1").actor == "staff:3"
    assert Integration(5, 1, None).actor == "key:5"
    assert Bearer("kiosk", 7_000_000_003).actor == "kiosk:7000000003"


def test_ticket_acts_as_its_patient() -> None:
    assert Bearer("ticket", 1).role == roles.PATIENT
    assert Bearer("kiosk", 1).role == roles.KIOSK
    assert Integration(5, 1, None).role == roles.INTEGRATION
