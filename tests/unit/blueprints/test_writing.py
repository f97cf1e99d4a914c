"""Writing a set-up file: people can read it, and reading it gives the same blueprint."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from server.blueprints import ClinicFile, read, write
from server.domain.commands import SetUp
from server.domain.commands.blueprint import Blueprint, normal
from server.domain.errors import InvalidField, NotFound, NothingChanged, Refused
from server.domain.rules.set_up import blueprint_of
from tests.support.blueprints import A_BLUEPRINT, blueprints
from tests.support.extent import examples
from tests.support.worlds import SITE_ID, Step, command_of, open_sealed, scripts, small_clinic


def test_a_written_file_is_for_people() -> None:
    text = write(ClinicFile(A_BLUEPRINT, "Riverside Health"))
    for line in (
        'mon = ["08:00-12:00", "13:00-17:00"]',
        "tue = []",
        "closed_on = [2026-12-25]",
        'day_turns_at = "04:00"',
        "target_standard_minutes = 30",
        "reminders_hours = [72, 24]",
        'quiet_from = "21:00"',
        'queues = ["X-ray", "Blood"]',
        'true_name = "HIV test"',
    ):
        assert line in text.splitlines()
    assert text.index("[clinic]") < text.index("[hours]") < text.index("[rules]") < text.index("[[services]]")


def test_texts_of_messages_are_read_as_they_were_written() -> None:
    texts = (
        ("called", "fr", 'À vous, "{label}"'),
        ("reminder", "de", "Bis {date}"),
        ("reminder", "pt-BR", "{{*}}"),
    )
    written = write(ClinicFile(A_BLUEPRINT, texts=texts))
    assert "[messages.reminder]" in written.splitlines()
    assert "[messages]" not in written.splitlines()
    assert read(written).texts == texts


def test_values_that_a_reader_would_guess_are_left_out() -> None:
    text = write(ClinicFile(replace(A_BLUEPRINT, services=(replace(A_BLUEPRINT.services[0], true_name="Blood"),))))
    assert "true_name" not in text
    assert "organisation" not in text
    assert text.count("joins_anew") == 1


@examples(150)
@given(blueprints(), st.sampled_from((None, "Riverside Health")))
def test_reading_a_written_file_gives_the_same(blueprint: Blueprint, organisation: str | None) -> None:
    assert read(write(ClinicFile(blueprint, organisation))) == ClinicFile(normal(blueprint), organisation)


@examples(60)
@given(scripts(40))
def test_the_written_set_up_of_any_site_changes_nothing_there(script: list[Step]) -> None:
    world = small_clinic()
    for action, about, pause in script:
        try:
            world.do(command_of(world, action, about), pause)
        except (NotFound, Refused, InvalidField):
            pass
    again = read(write(ClinicFile(blueprint_of(world.board, open_sealed)))).blueprint
    try:
        world.do(SetUp(site_id=SITE_ID, blueprint=again, remove=True), 0)
    except NothingChanged:
        return
    raise AssertionError("the set-up of the site has changed")
