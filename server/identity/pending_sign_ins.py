"""Pending sign-ins: the password was right, and the code of the second factor is missing.

A pending sign-in is a signed text that one browser keeps for five minutes. It opens nothing by itself, and it ends when
the member's password changes.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt

LIFE_SECONDS = 300
_ALGORITHM = "HS256"
_AUDIENCE = "pending-sign-in"  # separates these texts from access tokens and browsers, which have the same key
# The library would compare times with this machine's own clock.
_OPTIONS: Any = {"require": ["sub", "jti", "pwd", "exp"], "verify_exp": False, "verify_iat": False, "verify_nbf": False}


@dataclass(frozen=True, slots=True)
class PendingSignIns:
    """Issues and reads pending sign-ins. ``seconds`` returns the present time in seconds since 1970."""

    _secret_key: str
    _seconds: Callable[[], float] = time.time

    def issue(self, staff_id: int, password_hash: str, browser_id: str) -> str:
        """Return the text of a pending sign-in of a member in a browser."""
        claims = {
            "sub": str(staff_id),
            "jti": browser_id,
            "pwd": self._mark(staff_id, password_hash),
            "exp": int(self._seconds()) + LIFE_SECONDS,
            "aud": _AUDIENCE,
        }
        return jwt.encode(claims, self._secret_key, _ALGORITHM)

    def member(self, text: str, browser_id: str) -> int | None:
        """Return the member of a pending sign-in, or None if it has expired or belongs to another browser.

        The caller checks the password with `has_password`.
        """
        claims = self._claims(text)
        if claims is None or claims["exp"] <= self._seconds() or claims["jti"] != browser_id:
            return None
        return int(claims["sub"])

    def has_password(self, text: str, staff_id: int, password_hash: str) -> bool:
        """Return whether the member still has the password with which this sign-in began."""
        claims = self._claims(text)
        return claims is not None and hmac.compare_digest(str(claims["pwd"]), self._mark(staff_id, password_hash))

    def _claims(self, text: str) -> dict[str, Any] | None:
        try:
            claims: dict[str, Any] = jwt.decode(
                text, self._secret_key, algorithms=[_ALGORITHM], audience=_AUDIENCE, options=_OPTIONS
            )
        except jwt.InvalidTokenError:
            return None
        return claims

    def _mark(self, staff_id: int, password_hash: str) -> str:
        """Return a keyed mark of a password hash: the browser learns nothing from it."""
        text = f"pending-sign-in:{staff_id}:{password_hash}"
        return hmac.digest(self._secret_key.encode(), text.encode(), "sha256").hex()[:32]
