"""Codes that people read out and type."""

from __future__ import annotations

import pytest

from server.identity.readable_codes import ALPHABET, in_halves, new_code, plain_code

WIDE = "".join(chr(ord(each) + 0xFEE0) for each in "287082")  # digits of an East Asian keyboard


def test_code_has_characters_that_nobody_confuses() -> None:
    codes = {new_code(6) for _ in range(50)}
    assert len(codes) > 40
    assert {len(code) for code in codes} == {6}
    assert {character for code in codes for character in code} <= set(ALPHABET)
    assert not set(ALPHABET) & set("B8O01IL2Z5S")


@pytest.mark.parametrize("typed", ["ACD-EFG", "acdefg", "Acd efg", " a-c-d e-f-g ", "ACD\u2011EFG", "ACD\u00a0EFG"])
def test_typed_code_reads_as_it_was_made(typed: str) -> None:
    assert plain_code(typed) == "ACDEFG"


@pytest.mark.parametrize("typed", ["287 082", " 287082 ", "287-082", WIDE, "٢٨٧٠٨٢", "287\u00a0082"])
def test_digits_count_in_every_way_of_typing_them(typed: str) -> None:
    assert plain_code(typed) == "287082"


@pytest.mark.parametrize(("code", "shown"), [("ACDEFGHJ", "ACDE-FGHJ"), ("ACDEF34679", "ACDEF-34679")])
def test_code_is_shown_in_halves_and_read_back(code: str, shown: str) -> None:
    assert in_halves(code) == shown
    assert plain_code(shown) == code
