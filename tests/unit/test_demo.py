"""The names of the demo."""

from __future__ import annotations

import re

import pytest

from server.demo import LANGUAGES, NAMES, YOURS, names_of


@pytest.mark.parametrize("name", ["Registration", "Blood tests", "Consultation", "Desk 1", YOURS])
def test_name_has_every_language_of_the_site(name: str) -> None:
    names = dict(names_of(name))
    assert tuple(names) == LANGUAGES
    assert not re.search("[A-Za-z{]", names["ar"])
    assert all(number in each for number in re.findall("[0-9]", name) for each in names.values())


def test_every_name_is_translated() -> None:
    assert {len(each) for each in NAMES.values()} == {len(LANGUAGES)}
