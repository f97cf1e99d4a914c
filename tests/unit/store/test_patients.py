"""What is known of a patient, made comparable: what a name looks like on the next form must not matter."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from server.domain.model import Personal
from server.store import patients
from server.store.patients import phone_digits, rows, sought
from server.vault import Vault
from tests.support.worlds import a_site

VAULT = Vault([b"k" * 32], "secret")
CASES = json.loads((Path(__file__).resolve().parents[2] / "support" / "search_cases.json").read_text())


@pytest.mark.parametrize(
    "written",
    [
        *("+49 30 901820", "004930901820", "030 901820", "030/901820", "(030) 90 18 20", "+4930901820;ext=3"),
        *(
            "030 901820 ext 3",
            "030.901820 x3",
            "030 901820 #3",
            "030\u00a0901820",
            "\u0660\u0663\u0660 \u0669\u0660\u0661\u0668\u0662\u0660",
        ),
    ],
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


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(f"{case['name']} {case['typed']}"))
def test_search_finds_a_name_however_it_is_typed(case: dict[str, Any]) -> None:
    """The pages have the same cases in tests/web/folding.test.mjs."""
    kept = found_by(Personal(name=case["name"]))
    ways = sought(VAULT, 7, Personal(name=case["typed"]))
    assert any(set(way) <= kept for way in ways) is case["found"]


@pytest.mark.parametrize(
    ("name", "hashed"),
    [
        ("\u0623\u062d\u0645\u062f", "\u0627\u062d\u0645\u062f"),
        ("Ada", "ada"),
        ("\u0641\u0627\u0637\u0645\u0629", "\u0641\u0627\u0637\u0645\u0629"),
        ("\u092a\u094d\u0930\u093f\u092f\u093e", "\u092a\u0930\u093f\u092f\u093e"),
    ],
)
def test_hashes_of_earlier_versions_are_found(name: str, hashed: str) -> None:
    earlier = ("name", patients.keyed(VAULT, 7, "name", hashed))
    assert [earlier] in sought(VAULT, 7, Personal(name=name))
