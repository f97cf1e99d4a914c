"""Who is at the kiosk: one match or nothing, with the same work for every claim."""

from __future__ import annotations

import pytest

from server.domain import check_in
from server.domain.check_in import Candidate, Claim, initials_of, match

ADA = Candidate(1, "K7M3QX", "Ada King Lovelace", "1985-12-10", "hash of a token")
BO = Candidate(2, "ACDEFG", "Bo", "1990-01-02")
TWIN = Candidate(3, "HHHHHH", "Lena Abel", "1985-12-10")  # the same birthday, and the same letters as Ada
ALL = (ADA, BO, TWIN)


@pytest.mark.parametrize(
    ("claim", "found"),
    [
        (Claim(code="K7M3QX"), 1),
        (Claim(code="k7m-3qx"), 1),
        (Claim(code="K7M3QZ"), None),
        (Claim(code=""), None),
        (Claim(date_of_birth="1990-01-02", initials="B"), 2),
        (Claim(date_of_birth="1990-01-02", initials="b"), 2),
        (Claim(date_of_birth="1990-01-02", initials="BX"), None),
        (Claim(date_of_birth="1990-01-03", initials="B"), None),
        (Claim(date_of_birth="1990-01-02"), None),
        (Claim(initials="B"), None),
        (Claim(date_of_birth="1985-12-10", initials="AL"), None),  # two fit
        (Claim(token_hash="hash of a token"), 1),
        (Claim(token_hash="hash of another"), None),
        (Claim(), None),
    ],
)
def test_claim_finds_one_candidate_or_nothing(claim: Claim, found: int | None) -> None:
    assert match(ALL, claim) == found
    assert match((), claim) is None


def test_code_and_token_are_secrets_and_a_birthday_is_none() -> None:
    assert Claim(code="K7M3QX").is_secret
    assert Claim(token_hash="hash of a token").is_secret
    assert not Claim(date_of_birth="1990-01-02", initials="B").is_secret


def test_initials_are_those_of_the_first_and_the_last_word_in_any_order() -> None:
    assert match((ADA,), Claim(date_of_birth="1985-12-10", initials="LA")) == 1
    assert initials_of("Émile de la Tour") == "et"
    assert initials_of("Amina El-Haddad") == "ah"
    assert initials_of("أمينة الحداد") == initials_of("حداد أمينة")
    assert initials_of("") == ""


def test_every_claim_compares_every_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A match, a wrong answer and an unknown patient cost the same number of comparisons."""
    counted: list[str] = []
    same = check_in._same

    def counting(one: str, other: str) -> bool:
        counted.append(one)
        return same(one, other)

    monkeypatch.setattr(check_in, "_same", counting)
    costs = set()
    claims = (Claim(code=ADA.code), Claim(code="WRONG1"), Claim(date_of_birth="1990-01-02", initials="B"), Claim())
    for claim in (*claims, Claim(token_hash="hash of a token")):
        counted.clear()
        match(ALL, claim)
        costs.add(len(counted))
    assert costs == {4 * len(ALL)}
