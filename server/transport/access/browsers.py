"""Browsers that somebody has signed in with before: a long-lived signed cookie tells them from a guesser's.

Such a browser is counted by itself, whatever others at its address do, and a lock-out of a user at that address spares
the browsers that the user is known to use.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Any

import jwt
from starlette.requests import HTTPConnection
from starlette.responses import Response

COOKIE = "nowserving_browser"
LIFE_SECONDS = 400 * 86_400  # browsers keep nothing for longer
KNOWN = 20  # users of one browser that are remembered: the last ones
_ALGORITHM = "HS256"
_AUDIENCE = "browser"  # so that no access token passes for one of these, nor the other way round


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser, and the users (by keyed hash) who have signed in with it, the last one last."""

    id: str
    users: tuple[str, ...] = ()

    def with_user(self, user: str) -> Browser:
        """Return this browser as it is after ``user`` has signed in with it."""
        others = tuple(each for each in self.users if each != user)
        return replace(self, users=(*others, user)[-KNOWN:])


@dataclass(frozen=True, slots=True)
class Browsers:
    """Reads and writes the cookie, with the installation's secret key."""

    secret_key: str

    def of(self, connection: HTTPConnection) -> Browser | None:
        """Return the browser that asks, if it is a known one."""
        cookie = connection.cookies.get(COOKIE)
        if cookie is None:
            return None
        try:
            claims: dict[str, Any] = jwt.decode(
                cookie,
                self.secret_key,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                options={"require": ["jti", "aud"]},
            )
        except jwt.InvalidTokenError:
            return None
        return Browser(str(claims["jti"]), tuple(map(str, claims.get("users", ()))))

    def remember(self, connection: HTTPConnection, response: Response, user: str) -> None:
        """Have the browser that gets ``response`` known as one of ``user``'s."""
        browser = (self.of(connection) or Browser(secrets.token_hex(16))).with_user(user)
        claims = {"jti": browser.id, "aud": _AUDIENCE, "users": list(browser.users)}
        response.set_cookie(
            COOKIE,
            jwt.encode(claims, self.secret_key, _ALGORITHM),
            LIFE_SECONDS,
            path="/api/",
            secure=connection.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
