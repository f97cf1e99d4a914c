"""What is known of a patient, made comparable: what a name looks like on the next form must not matter."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.model import Personal
from server.store import patients
from server.store.patients import phone_digits, rows, whole, words
from server.vault import Vault
from tests.support.extent import examples
from tests.support.worlds import a_site

VAULT = Vault([b"k" * 32], "secret")

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


@pytest.mark.parametrize(
    "written", ["+49 30 901820", "004930901820", "030 901820", "030/901820".replace("/", "-"), "(030) 90 18 20"]
)
def test_phones_that_are_the_same(written: str) -> None:
    assert phone_digits(written) == "30901820"


@pytest.mark.parametrize("other", ["+49 30 901821", "901820", "", "+49 30 9018200"])
def test_phones_that_are_not(other: str) -> None:
    assert phone_digits(other) != phone_digits("+49 30 901820")


def found_by(personal: Personal, site_id: int = 7) -> set[tuple[str, str]]:
    site = replace(a_site(), id=site_id)
    made = rows(VAULT, site, site_id * 1_000_000_000 + 5, personal)
    assert {each["visit_id"] for each in made} <= {site_id * 1_000_000_000 + 5}
    assert {each["business_day"] for each in made} <= {site.business_day}
    return {(each["kind"], each["hash"]) for each in made}


def test_a_patient_is_found_by_what_they_told() -> None:
    full = Personal(name="Ada Lovelace", phone="+49 30 901820", date_of_birth="1815-12-10", email="a@b.c", notes="x")
    assert sorted(kind for kind, _ in found_by(full)) == ["date_of_birth", "name", "name", "name", "phone"]
    assert found_by(Personal(name="ADA")) == {("name", patients.keyed(VAULT, 7, "name", "ada"))}
    assert found_by(Personal(token="t", email="a@b.c", notes="Ada")) == set()


def test_hashes_are_keyed_and_bound() -> None:
    """Neither another clinic, nor another kind, nor another key gives the same, and nothing is in clear."""
    ada = Personal(name="Ada")
    assert not found_by(ada) & found_by(ada, site_id=8)
    assert len({patients.keyed(VAULT, 7, kind, "1") for kind in ("name", "phone", "date_of_birth")}) == 3
    assert patients.keyed(Vault([b"k" * 32], "another"), 7, "name", "ada") != patients.keyed(VAULT, 7, "name", "ada")
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for _, digest in found_by(ada))
