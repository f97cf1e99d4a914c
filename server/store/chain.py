"""The hash chain: what makes a change to what is written show.

A link is the SHA-256, in hexadecimal, of the compact JSON array (UTF-8, nothing escaped that need not be) of the link
before it, or `START`, and what is recorded, in the order of `server.store.event_log` and `server.store.audit`.
Anybody can compute it again without a key, see ``docs/decisions/0010-what-is-chained.md``.
"""

from __future__ import annotations

import hashlib

import orjson

START = "0" * 64


def follow(previous: str, *recorded: str | int | None) -> str:
    """Return the link of the ``recorded`` values after the link ``previous``."""
    return hashlib.sha256(orjson.dumps([previous, *recorded])).hexdigest()
