"""All views: privacy, keys and the values of cells."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.commands import IssueTicket
from server.domain.roles import Onlooker
from server.domain.views import DeskView, DisplayView, TicketView, View, draw
from tests.support.extent import examples
from tests.support.mornings import DESK, DISPLAY, FAMILY, GIVEN, MIDDLE, PHONE, at_every_stage, text_of, views_of
from tests.support.worlds import Step, World, open_sealed, perform, scripts, small_clinic


@pytest.mark.parametrize(("stage", "world"), at_every_stage(consent=False))
def test_without_consent_only_the_desk_shows_a_name(stage: str, world: World) -> None:
    for view in views_of(world):
        if view is not DESK:
            text = text_of(view, world)
            assert not any(word in text for word in (GIVEN, MIDDLE, FAMILY, PHONE)), stage


@pytest.mark.parametrize(("stage", "world"), at_every_stage(consent=True))
def test_with_consent_the_display_shows_given_name_and_initial_of_called_patients(stage: str, world: World) -> None:
    text = text_of(DISPLAY, world)
    assert not any(word in text for word in (MIDDLE, FAMILY, PHONE))
    assert text.count(GIVEN) == (1 if stage in ("called", "recalled") else 0)
    assert text.count(f'"{GIVEN} X."') == text.count(GIVEN)
    for view in views_of(world):
        if view.kind == "ticket":
            assert not any(word in text_of(view, world) for word in (GIVEN, MIDDLE, FAMILY, PHONE))


@examples(60)
@given(scripts(30), st.booleans())
def test_no_view_shows_internal_data(script: list[Step], consent: bool) -> None:
    world = small_clinic()
    world.do(IssueTicket(queue_id=min(world.board.queues), name=f"{GIVEN} {FAMILY}", name_on_display=consent, phone=PHONE))
    for step in script:
        perform(world, step)
    secrets = {visit.token_hash for visit in world.board.visits.values()}
    secrets |= {device.token_hash for device in world.board.displays.values() if device.token_hash}
    secrets |= {visit.sealed for visit in world.board.visits.values() if visit.sealed}
    for view in views_of(world):
        text = text_of(view, world)
        assert not [secret for secret in secrets if f'"{secret}"' in text]
        assert FAMILY not in text or view is DESK
        assert PHONE not in text


def floats_in(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [found for key, each in value.items() for found in [*floats_in(key), *floats_in(each)]]
    if isinstance(value, list):
        return [found for each in value for found in floats_in(each)]
    return [] if value is None or isinstance(value, str | int) else [value]


@examples(60)
@given(scripts(40))
def test_cells_have_the_same_json_in_a_browser(script: list[Step]) -> None:
    """No floats, no integer beyond a browser's, and no key that a browser would re-order: the digest needs this."""
    world = small_clinic()
    for step in script:
        perform(world, step)
    for view in views_of(world):
        for cell in draw(view, world.board).values():
            assert floats_in(cell) == []
            assert not any(key.isdigit() for key in cell)
            for number in _integers_in(cell):
                assert abs(number) < 2**53


def _integers_in(value: Any) -> list[int]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [found for each in value for found in _integers_in(each)]
    return [value] if isinstance(value, int) else []


@examples(60)
@given(scripts(40))
def test_cells_are_drawn_only_for_keys_of_the_view(script: list[Step]) -> None:
    """The keys of a view are unique and cover every drawn cell. Other keys have no cell."""
    world = small_clinic()
    for step in script:
        perform(world, step)
    everything = {f"{kind}:{number}" for kind in ("entry", "announcement") for number in (1, 999)}
    for view in views_of(world):
        keys = list(view.keys(world.board))
        assert len(keys) == len(set(keys))
        assert set(draw(view, world.board)) <= set(keys)
        if view.kind != "ticket":
            assert all(view.cell(world.board, key) is None for key in everything)
            assert view.cell(world.board, "moon:1") is None


def test_names_of_views_are_unique() -> None:
    onlookers = [DeskView(open_sealed, each) for each in get_args(Onlooker)]
    views: list[View] = [*onlookers, DISPLAY, DisplayView(1), TicketView(1), TicketView(2)]
    names = ["desk", "desk:staff", "desk:system", "display", "display:1", "ticket:1", "ticket:2"]
    assert [view.name for view in views] == names
    assert len({view.shape for view in (DESK, DISPLAY, TicketView(1))}) == 3
    assert all("." not in view.shape for view in (DESK, DISPLAY, TicketView(1)))  # the id of a message is split at dots
