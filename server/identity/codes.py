"""The codes of a second factor: time-based ones (TOTP, RFC 6238) from an app, and recovery codes on paper."""

from __future__ import annotations

import hmac

import pyotp

from server.identity.readable_codes import in_halves, new_code

STEP_MICROSECONDS = 30_000_000
WINDOW = 1  # steps before and after the present one: a phone's clock is a little wrong, and people type slowly
DIGITS = 6
RECOVERY_CODES = 10
RECOVERY_LENGTH = 10  # characters of 25: 46 bits, and the lock-out bounds the guesses


def new_secret() -> str:
    """Return a new secret for an authenticator app: 160 bits in Base32, as RFC 4226 recommends."""
    return pyotp.random_base32(32)


def address(secret: str, username: str, issuer: str) -> str:
    """Return the ``otpauth:`` address of a secret, which an authenticator app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=issuer)


def step_of(secret: str, code: str, now: int) -> int | None:
    """Return the time step near ``now`` (microseconds) whose code this is, or None. ``code`` is plain, see `plain_code`."""
    if len(code) != DIGITS or not (code.isascii() and code.isdecimal()):
        return None
    totp = pyotp.TOTP(secret)
    present = now // STEP_MICROSECONDS
    found = None
    for step in range(present - WINDOW, present + WINDOW + 1):  # always each of them: the time reveals nothing
        if hmac.compare_digest(totp.generate_otp(step), code):
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Return ten new recovery codes, in the form in which people read them: ``ACDEF-34679``."""
    made: set[str] = set()
    while len(made) < RECOVERY_CODES:
        made.add(in_halves(new_code(RECOVERY_LENGTH)))
    return sorted(made)
