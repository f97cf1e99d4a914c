"""The export of the figures for managers."""

from __future__ import annotations

from dataclasses import fields

import pytest

from server.domain.reporting.day_sums import REASONS
from server.domain.reporting.insights import Group
from server.transport.api.insights import LANGUAGE
from server.transport.api.insights_export import _FOUND, _GROUP, definitions, used_definitions


@pytest.mark.parametrize("language", LANGUAGE.words)
def test_every_definition_is_in_the_texts_of_the_page(language: str) -> None:
    found = definitions(language)
    missing = (used_definitions() | {f"reason_{reason}" for reason in REASONS}) - set(found)
    assert not missing
    assert all(found.values())


def test_every_column_has_a_place_in_the_answer() -> None:
    assert set(_FOUND) == set(_GROUP)
    shown = {path[0] for path in _FOUND.values()}
    assert shown == {each.name for each in fields(Group)}
