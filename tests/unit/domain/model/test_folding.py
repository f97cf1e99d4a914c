"""Names made comparable: the way in which a name is written must not matter."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.model.folding import whole, words
from tests.support.extent import examples

SAME_WORDS = [
    ("Zoë Ångström", "zoe angstrom"),
    ("ZOË ÅNGSTRÖM", "Zoe\u0308 A\u030angstro\u0308m"),  # composed and decomposed
    ("Straße", "STRASSE"),
    ("Sean O'Neill", "sean oneill"),
    ("O\u2019Neill", "O\u00b4Neill"),
    ("Anne-Marie", "anne marie"),
    ("  Ada   Lovelace ", "Ada,Lovelace"),
    ("J. R. Smith", "j r smith"),
    ("Łukasz Sørensen", "lukasz sorensen"),
    ("I\u015f\u0131k", "isik"),
    ("İpek", "ipek"),
    ("Ἀθηνᾶ", "ΑΘΗΝΑ"),
    ("\uff21da", "Ada"),
]


@pytest.mark.parametrize(("one", "other"), SAME_WORDS)
def test_names_that_are_the_same(one: str, other: str) -> None:
    assert words(one) == words(other) != []


@pytest.mark.parametrize(
    ("one", "other"), [("Anne-Marie", "Annemarie"), ("O Neill", "O'Neill"), ("Van der Berg", "Vanderberg")]
)
def test_names_that_are_the_same_as_a_whole(one: str, other: str) -> None:
    assert words(one) != words(other)
    assert whole(one) == whole(other)


@pytest.mark.parametrize(("one", "other"), [("Ada", "Adam"), ("Ann Lee", "Anna Lee"), ("किरण", "करण"), ("王小明", "王小红")])
def test_names_that_are_not(one: str, other: str) -> None:
    assert words(one) != words(other)


def test_a_vowel_sign_parts_no_word() -> None:
    assert len(words("किरण")) == 1


@pytest.mark.parametrize("nothing", ["", " ", "'", "-", "...", "\u200d"])
def test_of_nothing_there_are_no_words(nothing: str) -> None:
    assert words(nothing) == []
    assert whole(nothing) == ""


@examples(200)
@given(st.text(max_size=40))
def test_words_are_their_own_words(name: str) -> None:
    """However it is written, upper or lower, composed or not; and a word of a word is itself."""
    found = words(name)
    assert words(" ".join(found)) == found
    assert words(unicodedata.normalize("NFD", name)) == found == words(unicodedata.normalize("NFC", name))
    assert all(word and not re.search(r"\s", word) for word in found)
