"""Phones that join a queue: a signed text in the phone's browser names it, and keeps its passes.

A pass stands for a code that the phone has shown. It is good for a quarter of an hour at one site, so that nobody has to
hurry with the page. The text ends after a day: it counts tickets, and follows nobody.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import Any

import jwt

PASS_SECONDS = 900
LIFE_SECONDS = 86_400
PASSES_KEPT = 8
_ALGORITHM = "HS256"
_AUDIENCE = "phone"  # separates these tokens from access tokens, which have the same key


@dataclass(frozen=True, slots=True)
class Phone:
    """The browser of a phone, known since ``since``. ``passes`` has the end of each pass by site. Seconds since 1970."""

    id: str
    since: int
    passes: dict[int, int] = field(default_factory=dict)

    def has_pass(self, site_id: int, now: float) -> bool:
        """Return whether the phone has a pass for a site."""
        return self.passes.get(site_id, 0) > now

    def with_pass(self, site_id: int, now: float) -> Phone:
        """Return this phone with a new pass for a site. The latest passes stay."""
        passes = {key: until for key, until in self.passes.items() if until > now and key != site_id}
        latest = sorted(passes.items(), key=lambda each: each[1])[-(PASSES_KEPT - 1) :]
        return replace(self, passes={**dict(latest), site_id: int(now) + PASS_SECONDS})


def new_phone(now: float) -> Phone:
    """Return a phone that the server does not know yet."""
    return Phone(secrets.token_hex(16), int(now))


def phone_text(phone: Phone, secret_key: str) -> str:
    """Return the signed text by which the server recognises ``phone``."""
    passes = {str(site_id): until for site_id, until in phone.passes.items()}
    return jwt.encode({"jti": phone.id, "aud": _AUDIENCE, "iat": phone.since, "passes": passes}, secret_key, _ALGORITHM)


def phone_from(text: str, secret_key: str, now: float) -> Phone | None:
    """Return the phone of a text from `phone_text`, or None for any other text and for one that is older than a day."""
    try:
        claims: dict[str, Any] = jwt.decode(
            text,
            secret_key,
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            options={"require": ["jti", "aud", "iat"], "verify_iat": False},
        )
    except jwt.InvalidTokenError:
        return None
    if not now - LIFE_SECONDS < int(claims["iat"]):
        return None
    return Phone(str(claims["jti"]), int(claims["iat"]), {int(key): int(until) for key, until in claims["passes"].items()})
