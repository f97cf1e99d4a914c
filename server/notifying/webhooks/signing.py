"""The secrets and signatures of webhooks, as in the specification of Standard Webhooks."""

from __future__ import annotations

import base64
import hmac
import secrets
from dataclasses import dataclass

import orjson

SECRET_BYTES = 32
PREFIX = "whsec_"
FORMER_MICROSECONDS = 24 * 3_600_000_000  # the secret before the present one signs so much longer


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secret of a webhook, and until an instant (microseconds) also the one before it."""

    present: str
    former: str | None = None
    former_until: int = 0

    @classmethod
    def new(cls) -> Secrets:
        """Return a first secret."""
        return cls(_new_secret())

    @classmethod
    def opened(cls, plain: bytes) -> Secrets:
        """Return the secrets from their stored form."""
        return cls(**orjson.loads(plain))

    @property
    def plain(self) -> bytes:
        """The stored form, before it is sealed."""
        return orjson.dumps({"present": self.present, "former": self.former, "former_until": self.former_until})

    def renewed(self, now: int) -> Secrets:
        """Return a new secret; the present one signs for another day."""
        return Secrets(_new_secret(), self.present, now + FORMER_MICROSECONDS)

    def signature(self, message_id: str, timestamp: int, body: bytes, now: int) -> str:
        """Return the header ``webhook-signature``: one signature for each secret that is valid at ``now``.

        ``timestamp`` is the header ``webhook-timestamp``, in seconds.
        """
        valid = [self.present, *([self.former] if self.former is not None and now < self.former_until else [])]
        content = b".".join((message_id.encode(), str(timestamp).encode(), body))
        return " ".join(f"v1,{_signed(secret, content)}" for secret in valid)


def _new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _signed(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode()
