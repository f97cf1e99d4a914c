"""The hash chain: it shows every change of recorded rows.

A link is the SHA-256, in hexadecimal, of a compact JSON array (UTF-8, with no needless escapes). The array has the previous
link, or `START`, and the recorded values, in the order of `server.store.event_log` and `server.store.audit`. Anybody can
compute it again without a key, see ``docs/decisions/0010-what-is-chained.md``.
"""

from __future__ import annotations

import hashlib

import orjson

START = "0" * 64


def follow(previous: str, *recorded: str | int | None) -> str:
    """Return the link of the ``recorded`` values after the link ``previous``."""
    return hashlib.sha256(orjson.dumps([previous, *recorded])).hexdigest()
