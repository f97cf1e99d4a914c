"""The signed text by which the server recognises a phone, and its passes."""

from __future__ import annotations

import jwt
import pytest

from server.identity.phones import LIFE_SECONDS, PASS_SECONDS, PASSES_KEPT, Phone, new_phone, phone_from, phone_text

SECRET = "a secret key that only the tests use, and long enough"
NOW = 1_700_000_000.5


def test_text_reads_back_as_its_phone() -> None:
    phone = new_phone(NOW).with_pass(7, NOW)
    assert phone_from(phone_text(phone, SECRET), SECRET, NOW) == phone
    assert new_phone(NOW).id != phone.id


def test_pass_is_good_for_a_quarter_of_an_hour_at_its_site() -> None:
    phone = new_phone(NOW).with_pass(7, NOW)
    assert phone.has_pass(7, NOW)
    assert phone.has_pass(7, NOW + PASS_SECONDS - 1)
    assert not phone.has_pass(7, NOW + PASS_SECONDS)
    assert not phone.has_pass(8, NOW)
    assert phone.with_pass(7, NOW + 600).has_pass(7, NOW + 600 + PASS_SECONDS - 1)


def test_text_keeps_the_latest_passes_only() -> None:
    phone = new_phone(NOW)
    for site_id in range(PASSES_KEPT + 5):
        phone = phone.with_pass(site_id, NOW + site_id)
    assert set(phone.passes) == set(range(5, PASSES_KEPT + 5))
    assert set(phone.with_pass(99, NOW + 2 * PASS_SECONDS).passes) == {99}


def test_phone_is_forgotten_after_a_day_and_a_pass_does_not_prolong_it() -> None:
    text = phone_text(new_phone(NOW).with_pass(7, NOW + LIFE_SECONDS - 10), SECRET)
    assert phone_from(text, SECRET, NOW + LIFE_SECONDS - 10) is not None
    assert phone_from(text, SECRET, NOW + LIFE_SECONDS) is None


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "1", "sid": "abc", "exp": 4_000_000_000},  # an access token
        {"jti": "b", "aud": "browser", "users": []},
        {"jti": "b", "aud": "phone"},
    ],
)
def test_other_tokens_with_the_same_key_are_refused(claims: dict[str, object]) -> None:
    assert phone_from(jwt.encode(claims, SECRET, "HS256"), SECRET, NOW) is None


@pytest.mark.parametrize("text", ["", "x", "e30.e30.e30", phone_text(Phone("b", int(NOW), {7: 1}), "o" * 40)])
def test_foreign_text_is_refused(text: str) -> None:
    assert phone_from(text, SECRET, NOW) is None
