"""The templates: each applies to a fresh site in every language of the pages, and can open."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.blueprints import Template, template_named, templates
from server.domain.commands import CallNext, IssueTicket, SetUp
from server.domain.commands.blueprint import problems
from server.domain.rules.set_up import blueprint_of
from tests.support.worlds import HOUR, SITE_ID, World, open_sealed

LANGUAGES = sorted(path.stem for path in (Path(__file__).resolve().parents[3] / "web/locales").glob("*.json"))
BY_KEY = {each.key: each for each in templates()}


def test_there_are_six_kinds_of_clinic() -> None:
    assert list(BY_KEY) == ["family-practice", "blood-tests", "hospital-outpatients", "dental", "vaccination", "empty"]
    assert template_named("dental") is BY_KEY["dental"]
    assert template_named("bakery") is None


@pytest.mark.parametrize("template", BY_KEY.values(), ids=BY_KEY.keys())
def test_title_and_description_are_in_every_language_of_the_pages(template: Template) -> None:
    assert set(template.titles) == set(template.descriptions) == set(LANGUAGES)
    assert template.title(["es-MX", "fr"]) == template.titles["es"]
    assert template.description(["zh"]) == template.descriptions["en"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", BY_KEY.values(), ids=BY_KEY.keys())
def test_a_template_gives_a_clinic_that_works(template: Template, language: str) -> None:
    others = [each for each in LANGUAGES if each != language]
    blueprint = template.blueprint(
        name="Clinic", time_zone="Europe/Berlin", region="DE", language=language, languages=others
    )
    assert list(problems(blueprint)) == []
    for names in (*(plan.names for plan in blueprint.queues), *(plan.names for plan in blueprint.points)):
        assert {tag for tag, _ in names} == set(others), names
    world = World()
    world.do(SetUp(site_id=SITE_ID, blueprint=blueprint, remove=True))
    assert blueprint_of(world.board, open_sealed) == blueprint
    served = {queue_id for point in world.board.points.values() for queue_id in point.queue_ids}
    assert served == set(world.board.queues), "every queue has a point that calls from it"
    assert bool(blueprint.rules.hours) == bool(blueprint.queues)
    world.now += 2 * HOUR
    for queue_id in world.board.queues:
        world.do(IssueTicket(queue_id=queue_id))
        point_id = max(point.id for point in world.board.points.values() if queue_id in point.queue_ids)
        called = world.do(CallNext(point_id=point_id))
        assert called[-1].event.name_on_wire() == "ticket-called"


def test_names_in_another_language_are_english() -> None:
    blueprint = BY_KEY["dental"].blueprint(
        name="Klinik", time_zone="Europe/Berlin", region="DE", language="de", languages=["es", "tr"]
    )
    assert [(plan.name, plan.names) for plan in blueprint.queues][:1] == [("Dentist", (("es", "Dentista"),))]


def test_the_hospital_has_several_stages() -> None:
    blueprint = BY_KEY["hospital-outpatients"].blueprint(
        name="Hospital", time_zone="Europe/London", region="GB", language="en"
    )
    assert [plan.name for plan in blueprint.queues] == [
        "Registration",
        "Vital signs",
        "Consultation",
        "Pharmacy",
        "Discharge",
    ]
