"""The differences between two blueprints."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from server.domain.commands.blueprint import Blueprint, KioskPlan, PointPlan, QueuePlan
from server.domain.rules.differences import Change, FieldChange, differences
from tests.support.blueprints import A_BLUEPRINT, blueprints
from tests.support.extent import examples


def test_changes_are_named_record_by_record_and_field_by_field() -> None:
    blood, x_ray = A_BLUEPRINT.queues
    after = replace(
        A_BLUEPRINT,
        name="Riverside",
        rules=replace(A_BLUEPRINT.rules, target_standard=20),
        queues=(x_ray, replace(blood, capacity=40), QueuePlan(name="Forms", prefix="C", capacity=5)),
        points=(PointPlan(name="Room 1", queues=("Blood", "Forms"), names=(("es", "Sala 1"),)), A_BLUEPRINT.points[1]),
        kiosks=(),
    )
    assert differences(A_BLUEPRINT, after) == [
        Change(
            "change",
            "site",
            "Riverside Clinic",
            (FieldChange("name", "Riverside Clinic", "Riverside"), FieldChange("target_standard", 30, 20)),
        ),
        Change("change", "queue", "Blood", (FieldChange("capacity", 30, 40),)),
        Change("add", "queue", "Forms", (FieldChange("prefix", None, "C"), FieldChange("capacity", None, 5))),
        Change("change", "queue", "", (FieldChange("order", ("Blood", "X-ray"), ("X-ray", "Blood")),)),
        Change("change", "point", "Room 1", (FieldChange("queues", ("Blood",), ("Blood", "Forms")),)),
        Change("remove", "kiosk", "Door"),
    ]


def test_another_name_is_another_record() -> None:
    after = replace(A_BLUEPRINT, kiosks=(KioskPlan(name="Entrance"),))
    assert differences(A_BLUEPRINT, after) == [Change("add", "kiosk", "Entrance"), Change("remove", "kiosk", "Door")]


def test_removals_come_last_and_dependent_records_first() -> None:
    empty = replace(A_BLUEPRINT, services=(), providers=(), queues=(), points=(), displays=(), kiosks=())
    kinds = [each.kind for each in differences(A_BLUEPRINT, empty)]
    assert list(dict.fromkeys(kinds)) == ["kiosk", "display", "point", "queue", "provider", "service"]


@examples(100)
@given(blueprints())
def test_equal_blueprints_have_no_differences(blueprint: Blueprint) -> None:
    assert differences(blueprint, blueprint) == []
