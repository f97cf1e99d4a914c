"""The name that a provider gets for a message: unique to one channel of one installation, and without a meaning."""

from __future__ import annotations

import hmac

_NAME_LENGTH = 32  # 128 bits: the shortest limit of our providers


def name_of(secret: str, key: str) -> str:
    """Return the name of the message with ``key``. Two installations that share a provider's account never collide.

    ``secret`` belongs to the channel. The same secret and key always give the same name: 32 hexadecimal digits.
    """
    return hmac.digest(secret.encode(), key.encode(), "sha256").hex()[:_NAME_LENGTH]
