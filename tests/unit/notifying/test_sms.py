"""The parts of an SMS."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.notifying.sms import BASIC, EXTENSION, encoding_of, parts, plain, split
from tests.support.extent import examples


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("ب" * 70, 1),
        ("ب" * 71, 2),
        ("ب" * 134, 2),
        ("ب" * 135, 3),
        ("a" * 69 + "ê", 1),
        ("a" * 70 + "ê", 2),
        ("{" * 80, 1),
        ("{" * 81, 2),
        ("a" * 158 + "€", 1),
        ("a" * 159 + "€", 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
    ],
)
def test_text_has_as_many_parts_as_the_alphabet_needs(text: str, expected: int) -> None:
    assert parts(text) == expected


def test_no_part_ends_inside_an_extension_character() -> None:
    text = "a" * 152 + "{" + "a" * 152  # 306 of 2 x 153, but the brace does not fit the first part
    assert [len(each) for each in split(text)] == [152, 152, 1]


def test_no_part_ends_inside_a_surrogate_pair() -> None:
    text = "ب" * 66 + "😀" + "ب" * 66  # 134 of 2 x 67, but the emoji does not fit the first part
    assert [len(each) for each in split(text)] == [66, 66, 1]


def test_typographic_characters_have_twins() -> None:
    assert plain("C’est") == "C'est"
    assert plain("« 9\u202f: 00 » – “x”…") == '" 9 : 00 " - "x"...'
    assert encoding_of(plain("C’est l’été\u202f: 5 × 3\u00a0€ – voilà…")) == "gsm-7"
    assert plain("ê á ب") == "ê á ب"


def test_alphabet_has_128_places() -> None:
    assert len(BASIC) == 127  # and the escape
    assert len(EXTENSION) == 10
    assert not BASIC & EXTENSION


@examples(300)
@given(st.text(st.sampled_from("ab{€ê ب😀"), max_size=500))
def test_parts_are_full_and_make_up_the_text(text: str) -> None:
    found = split(text)
    assert "".join(found) == text
    gsm = encoding_of(text) == "gsm-7"
    sizes = [sum(1 + (each in EXTENSION) for each in part) if gsm else len(part.encode("utf-16-le")) // 2 for part in found]
    if len(found) == 1:
        assert sizes[0] <= (160 if gsm else 70)
        return
    most = 153 if gsm else 67
    assert max(sizes) <= most
    assert min(sizes[:-1]) >= most - 1
    assert sum(sizes) > (160 if gsm else 70)
