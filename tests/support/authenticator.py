"""An authenticator app: the codes of a second factor by time (TOTP, RFC 6238)."""

from __future__ import annotations

import pyotp

from server.identity.codes import STEP_MICROSECONDS


def code_at(secret: str, now: int) -> str:
    """Return the code of an app with this secret at ``now`` (microseconds)."""
    return pyotp.TOTP(secret).generate_otp(now // STEP_MICROSECONDS)
