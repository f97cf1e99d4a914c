"""The search for past patients: what a search needs."""

from __future__ import annotations

import pytest

from server.domain.errors import InvalidField
from server.domain.model import Personal
from server.queries.patients import check_sought


@pytest.mark.parametrize(
    "sought", [Personal(name="Ada"), Personal(phone="0182"), Personal(date_of_birth="1815-12-10"), Personal(name="王小明")]
)
def test_one_fact_is_enough(sought: Personal) -> None:
    check_sought(sought)


@pytest.mark.parametrize(
    ("sought", "field"),
    [(Personal(), "name"), (Personal(name="- '"), "name"), (Personal(phone="+18 2"), "phone")],
)
def test_search_without_letters_or_digits_is_refused(sought: Personal, field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        check_sought(sought)
    assert refused.value.details["field"] == field
