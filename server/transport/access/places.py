"""Places for requests that are served at the same time: a client that sends slowly must not take the places of others."""

from __future__ import annotations

from collections import Counter

PER_CLIENT = 8
IN_ALL = 256


class Places:
    """The places of one process. A client takes one for each request, and gives it back after the answer."""

    def __init__(self, per_client: int = PER_CLIENT, in_all: int = IN_ALL) -> None:
        self._per_client = per_client
        self._in_all = in_all
        self._taken: Counter[str] = Counter()

    def take(self, who: str) -> bool:
        """Take a place for ``who``. Return False, and take none, if the client or the process has no place left."""
        if self._taken[who] >= self._per_client or self._taken.total() >= self._in_all:
            return False
        self._taken[who] += 1
        return True

    def give_back(self, who: str) -> None:
        """Give one place of ``who`` back."""
        self._taken[who] -= 1
        if not self._taken[who]:
            del self._taken[who]
