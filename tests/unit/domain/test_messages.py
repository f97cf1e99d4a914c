"""The kinds of messages: each has a subject, and states of it that exist."""

from __future__ import annotations

from typing import get_args

import pytest

from server.domain.messages import OF_APPOINTMENTS, OF_ENTRIES, Kind, Way, masked, way_to
from server.domain.model import AppointmentState, Personal, State


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_may_go_out_in_some_states_but_not_in_all(kind: Kind) -> None:
    of_appointment, of_entry = OF_APPOINTMENTS.get(kind, frozenset()), OF_ENTRIES.get(kind, frozenset())
    assert of_appointment or of_entry
    assert of_appointment < set(get_args(AppointmentState))
    assert of_entry < set(get_args(State))


@pytest.mark.parametrize(
    ("way", "address", "shown"),
    [
        ("sms", "+491700000067", "…67"),
        ("sms", "+4930901820;ext=315", "…20"),
        ("email", "nora.canary@example.org", "n…@example.org"),
        ("email", "n@example.org", "n…@example.org"),
        ("push", '{"endpoint": "https://fcm.googleapis.com/fcm/send/x", "keys": {}}', "fcm.googleapis.com"),
    ],
)
def test_address_is_masked(way: Way, address: str, shown: str) -> None:
    assert masked(address, way) == shown


@pytest.mark.parametrize(
    ("ways", "phone", "subscribed", "chosen"),
    [
        (("push", "sms"), "+491700000067", True, "push"),
        (("push", "sms"), "+491700000067", False, "sms"),
        (("sms", "push"), "+491700000067", True, "sms"),
        (("sms", "push"), None, True, "push"),
        (("push",), "+491700000067", False, None),
    ],
)
def test_way_is_the_first_with_an_address(
    ways: tuple[Way, ...], phone: str | None, subscribed: bool, chosen: Way | None
) -> None:
    assert way_to(Personal(phone=phone), ways, subscribed=subscribed) == chosen
