"""The differences between a clinic and its file, as a terminal shows them."""

from __future__ import annotations

from dataclasses import replace

from server.blueprints import shown
from server.domain.commands.blueprint import Blueprint, KioskPlan, QueuePlan
from server.domain.model import Rules
from server.domain.rules.differences import differences
from tests.support.blueprints import A_BLUEPRINT


def lines(before: Blueprint, after: Blueprint, *, is_new: bool = False, remove: bool = False) -> list[str]:
    return shown(differences(before, after), is_new=is_new, remove=remove).plain.splitlines()


def test_each_change_has_a_mark_and_its_fields() -> None:
    blood, x_ray = A_BLUEPRINT.queues
    after = replace(
        A_BLUEPRINT,
        day_turns_at_minutes=300,
        rules=replace(A_BLUEPRINT.rules, names_on_display=True, target_standard=0, hours=((0, 480, 1440),), region=""),
        queues=(x_ray, replace(blood, names=(), service=None), QueuePlan(name="Forms", prefix="C", names=(("es", "F"),))),
        kiosks=(KioskPlan(name="Entrance"),),
    )
    assert lines(A_BLUEPRINT, after) == [
        "~ site Riverside Clinic",
        "    day_turns_at: 04:00 -> 05:00",
        "    target_standard_minutes: 30 -> 0",
        "    names_on_display: no -> yes",
        "    region: DE -> none",
        "    hours: mon 08:00-12:00, mon 13:00-17:00, fri 08:00-12:00 -> mon 08:00-24:00",
        "~ queue Blood",
        "    service: Blood -> none",
        "    names: ar الدم, es Sangre -> none",
        "+ queue Forms",
        "    prefix: C",
        "    names: es F",
        "~ order of the queues",
        "    Blood, X-ray -> X-ray, Blood",
        "+ kiosk Entrance",
        "  kiosk Door  (not in the file; it stays without --remove)",
    ]


def test_a_removal_has_a_mark_of_its_own() -> None:
    assert lines(A_BLUEPRINT, replace(A_BLUEPRINT, kiosks=()), remove=True) == ["- kiosk Door"]


def test_a_new_clinic_is_new_as_a_whole() -> None:
    empty = Blueprint(name="Riverside Clinic", time_zone="Europe/Berlin", language="en", rules=Rules(region="DE"))
    found = lines(empty, A_BLUEPRINT, is_new=True)
    assert found[0] == "+ site Riverside Clinic"
    assert {each[0] for each in found} == {"+", " "}
