"""Caps on the streams of one process: in all, per address and per token."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How many streams a process takes: in all, from one address, for one token."""

    streams: int
    per_address: int
    per_token: int


class OverCap(Exception):
    """A further stream would exceed a cap."""


class Caps:
    """Counts the admitted streams by address and by token."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_address: Counter[str] = Counter()
        self._by_token: Counter[str] = Counter()

    def admit(self, address: str, token: str) -> None:
        """Count one more stream; the caller must `release` it. Raises `OverCap` and counts nothing."""
        if (
            self._by_address.total() >= self._limits.streams
            or self._by_address[address] >= self._limits.per_address
            or self._by_token[token] >= self._limits.per_token
        ):
            raise OverCap
        self._by_address[address] += 1
        self._by_token[token] += 1

    def release(self, address: str, token: str) -> None:
        """Count one stream less."""
        for counter, key in ((self._by_address, address), (self._by_token, token)):
            counter[key] -= 1
            if counter[key] <= 0:
                del counter[key]
