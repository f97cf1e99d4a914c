"""The pool of connections to the database: its limits, and the figures that it shows."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

logging.getLogger(__name__).setLevel(logging.WARNING)  # as SQLAlchemy's own pools: they name each connection


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """The limits of a pool, and its state. ``waited`` counts the requests for a connection that found none free."""

    size: int
    overflow: int
    in_use: int
    waited: int


class CountingPool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool for asyncio. It also counts how often all connections were in use."""

    def __init__(self, creator: Any, pool_size: int = 5, max_overflow: int = 0, **options: Any) -> None:
        super().__init__(creator, pool_size, max_overflow, **options)
        self._most_overflow = max_overflow
        self._waited = 0

    @property
    def figures(self) -> PoolFigures:
        """The figures as of now."""
        return PoolFigures(self.size(), self._most_overflow, self.checkedout(), self._waited)

    def _do_get(self) -> ConnectionPoolEntry:
        if self.checkedin() == 0 and self.overflow() >= self._most_overflow:
            self._waited += 1
        return super()._do_get()
