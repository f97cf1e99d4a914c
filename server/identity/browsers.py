"""Known browsers: a long-lived signed text in each browser names the users who have signed in with it.

Rate limits count a known browser apart from its address. A lock-out of a user at an address spares the browsers that the
user has signed in with.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Any

import jwt

KNOWN = 20  # users that a browser remembers: the most recent ones
_ALGORITHM = "HS256"
_AUDIENCE = "browser"  # separates these tokens from access tokens, which have the same key


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser and its users, each a keyed hash; the most recent user comes last."""

    id: str
    users: tuple[str, ...] = ()

    def with_user(self, user: str) -> Browser:
        """Return this browser with ``user`` as its most recent user."""
        others = tuple(each for each in self.users if each != user)
        return replace(self, users=(*others, user)[-KNOWN:])


def used_by(browser: Browser | None, user: str) -> Browser:
    """Return ``browser`` after a sign-in of ``user``; None gives a new browser."""
    return (browser or Browser(secrets.token_hex(16))).with_user(user)


def browser_text(browser: Browser, secret_key: str) -> str:
    """Return the signed text by which the server recognises ``browser``."""
    return jwt.encode({"jti": browser.id, "aud": _AUDIENCE, "users": list(browser.users)}, secret_key, _ALGORITHM)


def browser_from(text: str, secret_key: str) -> Browser | None:
    """Return the browser of a text from `browser_text`, or None for any other text."""
    try:
        claims: dict[str, Any] = jwt.decode(
            text, secret_key, algorithms=[_ALGORITHM], audience=_AUDIENCE, options={"require": ["jti", "aud"]}
        )
    except jwt.InvalidTokenError:
        return None
    return Browser(str(claims["jti"]), tuple(map(str, claims.get("users", ()))))
