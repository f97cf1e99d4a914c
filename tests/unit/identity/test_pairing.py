"""Pairing codes: made to be read out and typed."""

from __future__ import annotations

import pytest

from server.identity.pairing import ALPHABET, CODE_LENGTH, new_code, plain_code


def test_code_has_characters_that_nobody_confuses() -> None:
    codes = {new_code() for _ in range(50)}
    assert len(codes) > 40
    assert {len(code) for code in codes} == {CODE_LENGTH}
    assert {character for code in codes for character in code} <= set(ALPHABET)
    assert not set(ALPHABET) & set("B8O01IL2Z5S")


@pytest.mark.parametrize("typed", ["ACD-EFG", "acdefg", "Acd efg", " a-c-d e-f-g "])
def test_typed_code_reads_as_it_was_made(typed: str) -> None:
    assert plain_code(typed) == "ACDEFG"
