"""Access tokens: signed claims that name a member of staff and a session. Verification needs no database."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

import jwt

from server.domain.errors import NotSignedIn

ACCESS_SECONDS = 900
TOKENS_KEPT = 4096
_ALGORITHM = "HS256"
# Each use of a kept token checks its end. The library would compare times with this machine's own clock.
_CLAIMS: Any = {"require": ["sub", "sid", "exp"], "verify_exp": False, "verify_iat": False, "verify_nbf": False}


class AccessTokens:
    """Issues and verifies access tokens with the installation's secret key. One for each process.

    ``seconds`` returns the present time in seconds since 1970.
    """

    def __init__(self, secret_key: str, seconds: Callable[[], float] = time.time) -> None:
        self._secret_key = secret_key
        self._seconds = seconds
        self._verified: dict[str, dict[str, Any]] = {}

    def issue(self, staff_id: int, session_id: str, seconds: int = ACCESS_SECONDS) -> str:
        """Return a signed access token for a session, valid for so many seconds."""
        now = int(self._seconds())
        claims = {"sub": str(staff_id), "sid": session_id, "iat": now, "exp": now + seconds}
        return jwt.encode(claims, self._secret_key, _ALGORITHM)

    def claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a valid token: ``sub`` (staff id), ``sid`` (session id), ``exp`` (seconds since 1970).

        The caller still has to check the session. Raises `NotSignedIn`.
        """
        claims = self._signed(token)
        if claims is None or claims["exp"] <= self._seconds():
            raise NotSignedIn()
        return claims

    def owner_of(self, token: str, grace_seconds: int) -> tuple[Literal["staff", "session"], str] | None:
        """Return the member of staff of a valid token, or the session of one that expired within the grace, else None.

        An expired token may be stolen or signed out: it names no member, so that it uses up nothing of the member's.
        """
        claims = self._signed(token)
        if claims is None or claims["exp"] + grace_seconds <= self._seconds():
            return None
        return ("staff", str(claims["sub"])) if claims["exp"] > self._seconds() else ("session", str(claims["sid"]))

    def _signed(self, token: str) -> dict[str, Any] | None:
        """Return the claims of a token with our signature, expired or not. Each process verifies a signature once."""
        claims = self._verified.get(token)
        if claims is None:
            try:
                claims = jwt.decode(token, self._secret_key, [_ALGORITHM], options=_CLAIMS)
            except jwt.InvalidTokenError:
                return None
            if len(self._verified) >= TOKENS_KEPT:
                self._verified.clear()
            self._verified[token] = claims
        return claims
