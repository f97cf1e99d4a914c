"""Pending sign-ins: a right password without its code."""

from __future__ import annotations

import pytest

from server.domain.errors import NotSignedIn
from server.identity.access_tokens import AccessTokens
from server.identity.browsers import browser_from
from server.identity.pending_sign_ins import LIFE_SECONDS, PendingSignIns

SECRET = "a secret key that only the tests use, and long enough"


class Clock:
    """A clock that the test sets."""

    seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


def test_pending_sign_in_names_its_member_for_five_minutes_in_its_browser() -> None:
    clock = Clock()
    pending = PendingSignIns(SECRET, clock)
    text = pending.issue(7, "hash", "browser")
    assert pending.member(text, "browser") == 7
    assert pending.member(text, "another") is None
    clock.seconds += LIFE_SECONDS - 1
    assert pending.member(text, "browser") == 7
    clock.seconds += 1
    assert pending.member(text, "browser") is None


def test_changed_password_ends_a_pending_sign_in() -> None:
    pending = PendingSignIns(SECRET)
    text = pending.issue(7, "hash", "browser")
    assert pending.has_password(text, 7, "hash")
    assert not pending.has_password(text, 7, "another hash")
    assert not pending.has_password(text, 8, "hash")
    assert "hash" not in text


@pytest.mark.parametrize("text", ["", "x", "e30.e30.e30"])
def test_foreign_text_is_no_pending_sign_in(text: str) -> None:
    assert PendingSignIns(SECRET).member(text, "browser") is None
    assert (
        PendingSignIns("another secret key of the same length").member(PendingSignIns(SECRET).issue(1, "h", "b"), "b")
        is None
    )


def test_pending_sign_in_and_access_token_are_different() -> None:
    tokens, pending = AccessTokens(SECRET), PendingSignIns(SECRET)
    with pytest.raises(NotSignedIn):
        tokens.claims(pending.issue(7, "hash", "browser"))
    assert pending.member(tokens.issue(7, "session"), "browser") is None
    assert browser_from(pending.issue(7, "hash", "browser"), SECRET) is None
