"""Caps on the streams of one process: in all, per address, per token and per member of staff."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How many streams a process takes: in all, from one address, for one token, for all sessions of one member of staff."""

    streams: int
    per_address: int
    per_token: int
    per_member: int


class OverCap(Exception):
    """A further stream would exceed a cap."""


class Caps:
    """Counts the admitted streams by address, by token and by member of staff."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_address: Counter[str] = Counter()
        self._by_token: Counter[str] = Counter()
        self._by_member: Counter[str] = Counter()

    def admit(self, address: str, token: str, member: str | None) -> None:
        """Count one more stream; the caller must `release` it. Raises `OverCap` and counts nothing."""
        if (
            self._by_address.total() >= self._limits.streams
            or self._by_address[address] >= self._limits.per_address
            or self._by_token[token] >= self._limits.per_token
            or (member is not None and self._by_member[member] >= self._limits.per_member)
        ):
            raise OverCap
        for counter, key in self._counters(address, token, member):
            counter[key] += 1

    def release(self, address: str, token: str, member: str | None) -> None:
        """Count one stream less."""
        for counter, key in self._counters(address, token, member):
            counter[key] -= 1
            if counter[key] <= 0:
                del counter[key]

    def _counters(self, address: str, token: str, member: str | None) -> list[tuple[Counter[str], str]]:
        counters = [(self._by_address, address), (self._by_token, token)]
        return counters if member is None else [*counters, (self._by_member, member)]
