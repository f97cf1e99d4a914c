"""A blueprint as a value: its contradictions, and its normal form."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from server.domain.commands.blueprint import (
    KINDS,
    Blueprint,
    DisplayPlan,
    KioskPlan,
    PointPlan,
    ProviderPlan,
    QueuePlan,
    ServicePlan,
    normal,
    problems,
)
from server.domain.model import Display, Kiosk, Point, Provider, Queue, Service, Site
from tests.support.blueprints import A_BLUEPRINT

# Fields of records that are no part of the set-up: identity, the state of the day, and the log's own.
OF_THE_RECORD = {"id", "site_id", "position", "seq", "removed_at"}
OF_THE_DAY = {"paused", "durations", "pauses", "paces", "reactions", "state", "provider_id"}
OF_THE_DEVICE = {
    "token_hash",
    "connected",
    "since",
    "muted",
    "version",
    "lag",
    "heard_by",
    "printer",
    "help_asked_at",
    "help_by",
}
OF_THE_ORGANISATION = {"practitioner_id"}
OF_THE_SITE = {
    "organisation_id",
    "business_day",
    "turns_at",
    "next_tick_at",
    "quoted_at",
    "message",
    "epoch",
    "last_id",
    "milestones",
    "late_minutes",
    "late_since",
    "late_number",
}
# Fields with another name in a blueprint, which has names where the records have ids.
RENAMED = {
    "public_name": "name",
    "sealed": "true_name",
    "service_id": "service",
    "queue_ids": "queues",
    "point_ids": "points",
}


@pytest.mark.parametrize(
    ("record", "plan"),
    [
        (Service, ServicePlan),
        (Provider, ProviderPlan),
        (Queue, QueuePlan),
        (Point, PointPlan),
        (Display, DisplayPlan),
        (Kiosk, KioskPlan),
        (Site, Blueprint),
    ],
)
def test_a_blueprint_has_every_setting_of_a_record(record: type, plan: type) -> None:
    left_out = OF_THE_RECORD | OF_THE_DAY | OF_THE_DEVICE | OF_THE_ORGANISATION | OF_THE_SITE | {"last_event_at"}
    known = {RENAMED.get(item.name, item.name) for item in fields(record) if item.name not in left_out}
    lists = KINDS if plan is Blueprint else ()
    assert {item.name for item in fields(plan) if item.name not in lists} == known


def test_the_example_contradicts_nothing() -> None:
    assert list(problems(A_BLUEPRINT)) == []


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"queues": (*A_BLUEPRINT.queues, A_BLUEPRINT.queues[0])}, ("queues", 2, "name"), "two queues have the name Blood"),
        ({"services": ()}, ("queues", 0, "service"), "no service named Blood. Add it, or name one of these: none"),
        (
            {"points": (PointPlan(name="Room 1", queues=("Blood", "Blod")), A_BLUEPRINT.points[1])},
            ("points", 0, "queues", 1),
            "no queue named Blod. Add it, or name one of these: Blood, X-ray",
        ),
        ({"displays": (DisplayPlan(name="Hall", points=("Attic",)),)}, ("displays", 0, "points", 0), "no point named Attic"),
        (
            {"queues": (QueuePlan(name="Blood", prefix="A", names=(("fr", "Sang"),)),), "points": (), "displays": ()},
            ("queues", 0, "names"),
            "fr is no language of Riverside Clinic",
        ),
    ],
)
def test_each_contradiction_has_its_place_and_a_remedy(changes: dict, path: tuple, words: str) -> None:  # type: ignore[type-arg]
    found = list(problems(replace(A_BLUEPRINT, **changes)))
    assert [each.path for each in found] == [path]
    assert words in found[0].text


def test_equal_set_ups_have_one_normal_form() -> None:
    mixed = replace(
        A_BLUEPRINT,
        language="EN",
        rules=replace(
            A_BLUEPRINT.rules,
            languages=("AR", "es", "ar"),
            hours=A_BLUEPRINT.rules.hours[::-1],
            closed_on=("2026-12-25", "2026-12-25"),
        ),
        queues=(replace(A_BLUEPRINT.queues[0], names=(("ES", "Sangre"), ("ar", "الدم"))), A_BLUEPRINT.queues[1]),
    )
    assert normal(mixed) == normal(A_BLUEPRINT) == A_BLUEPRINT
