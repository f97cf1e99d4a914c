"""The signed text by which the server recognises a browser."""

from __future__ import annotations

import jwt
import pytest

from server.identity.browsers import KNOWN, Browser, browser_from, browser_text, used_by

SECRET = "a secret key that only the tests use, and long enough"


def test_most_recent_users_are_kept() -> None:
    browser = Browser("b")
    for number in range(KNOWN + 5):
        browser = browser.with_user(f"user-{number}")
    assert browser.users == tuple(f"user-{number}" for number in range(5, KNOWN + 5))
    assert browser.with_user("user-7").users[-1] == "user-7"
    assert len(browser.with_user("user-7").users) == KNOWN


def test_new_browser_gets_an_id_of_its_own() -> None:
    one, other = used_by(None, "ada"), used_by(None, "ada")
    assert one.users == other.users == ("ada",)
    assert one.id != other.id
    assert used_by(one, "bo") == Browser(one.id, ("ada", "bo"))


def test_text_reads_back_as_its_browser() -> None:
    browser = Browser("b", ("ada", "bo"))
    assert browser_from(browser_text(browser, SECRET), SECRET) == browser


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "1", "sid": "abc", "exp": 4_000_000_000},  # an access token
        {"jti": "b"},
        {"jti": "b", "aud": "another"},
        {"aud": "browser"},
    ],
)
def test_other_tokens_with_the_same_key_are_refused(claims: dict[str, object]) -> None:
    assert browser_from(jwt.encode(claims, SECRET, "HS256"), SECRET) is None


@pytest.mark.parametrize("text", ["", "x", "e30.e30.e30", jwt.encode({"jti": "b", "aud": "browser"}, "o" * 40, "HS256")])
def test_foreign_text_is_refused(text: str) -> None:
    assert browser_from(text, SECRET) is None


def test_browser_text_is_no_access_token() -> None:
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(browser_text(Browser("b"), SECRET), SECRET, algorithms=["HS256"])
