"""Access tokens: a signature is verified once, and a token never outlives its own end."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from server.domain.errors import NotSignedIn
from server.identity import access_tokens
from server.identity.access_tokens import ACCESS_SECONDS, TOKENS_KEPT, AccessTokens

SECRET = "a secret key of the tests, long enough for any hash"


@pytest.fixture
def tokens() -> AccessTokens:
    return AccessTokens(SECRET)


def test_verified_token_still_expires() -> None:
    now = began = 1_790_000_000.5
    tokens = AccessTokens(SECRET, lambda: now)
    token = tokens.issue(3, "s1")
    assert tokens.claims(token) == tokens.claims(token)
    now = began + ACCESS_SECONDS - 2
    assert tokens.claims(token)["sid"] == "s1"
    now = began + ACCESS_SECONDS + 1
    with pytest.raises(NotSignedIn):
        tokens.claims(token)


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "3", "sid": "s1"},
        {"sub": "3", "exp": 4_000_000_000},
        {"sub": "3", "sid": "s1", "exp": 1},
    ],
)
def test_foreign_token_is_refused_each_time(tokens: AccessTokens, claims: dict[str, Any]) -> None:
    good = jwt.encode({"sub": "3", "sid": "s1", "exp": 4_000_000_000}, SECRET, "HS256")
    assert tokens.claims(good)["sub"] == "3"
    head, body, signature = good.split(".")
    forged = jwt.encode(
        {"sub": "4", "sid": "s1", "exp": 4_000_000_000}, "somebody else's secret, as long as ours is", "HS256"
    )
    for token in (jwt.encode(claims, SECRET, "HS256"), forged, f"{head}.{forged.split('.')[1]}.{signature}", "", "x.y.z"):
        for _ in range(2):
            with pytest.raises(NotSignedIn):
                tokens.claims(token)
    assert tokens.claims(f"{head}.{body}.{signature}")["sub"] == "3"


def test_kept_tokens_are_bounded(tokens: AccessTokens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_tokens, "TOKENS_KEPT", 3)
    assert TOKENS_KEPT >= 1000
    for number in range(10):
        assert tokens.claims(tokens.issue(3, f"s{number}"))["sid"] == f"s{number}"
        assert len(tokens._verified) <= 3


def test_expired_token_names_its_session_for_a_grace_period() -> None:
    now = 1_790_000_000.5
    tokens = AccessTokens(SECRET, lambda: now)
    token = tokens.issue(3, "s1")
    expires_at = tokens.claims(token)["exp"]
    now = expires_at + 59
    assert tokens.owner_of(token, 60) == ("session", "s1")
    assert tokens.owner_of(token, 59) is None
    now = expires_at + 60
    assert tokens.owner_of(token, 60) is None
    assert tokens.owner_of("x.y.z", 60) is None
