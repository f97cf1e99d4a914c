"""User names: each spelling of a name has one normal form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.usernames import normal_username


@pytest.mark.parametrize(
    "typed",
    [
        "reception",
        "Reception",
        "RECEPTION",
        "reception ",
        " reception" + " " * 40,
        "reception\u00a0",
        "\u3000reception\t",
        "ｒｅｃｅｐｔｉｏｎ",  # noqa: RUF001
        "𝐫eception",  # noqa: RUF001
    ],
)
def test_spellings_of_a_name_are_one_name(typed: str) -> None:
    assert normal_username(typed) == "reception"


def test_names_that_differ_in_more_stay_different() -> None:
    names = ["ada", "áda", "ada b", "ada-b", "adab", "ad\u200ba", "аda"]  # noqa: RUF001
    assert len({normal_username(each) for each in names}) == len(names)
    assert normal_username("Ada   Berg") == "ada berg"
    assert normal_username("A\u030aSA") == "åsa"


@given(st.text())
def test_normal_form_is_stable(typed: str) -> None:
    name = normal_username(typed)
    assert normal_username(name) == name
    assert normal_username(f" {typed}  ") == name
