"""Statements that take long: a line of the log and a count for each."""

from __future__ import annotations

import re
import time
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

logger = structlog.get_logger(__name__)

MOST_CHARACTERS = 1000  # of a statement in the log
_BEGAN = "statement_began"
_MANY = re.compile(r"(%s|\?)(?:, (?:%s|\?)){3,}")  # the places of a long list


class SlowQueries:
    """Watches the statements of an engine. ``count`` is the number of those that took longer than ``seconds``.

    A line has the statement with the places of its parameters, and never a parameter: values can be personal. The time
    begins with the statement, and ends when this process looks at the answer.
    """

    def __init__(self, engine: Engine, seconds: float) -> None:
        self.count = 0
        self._seconds = seconds
        event.listen(engine, "before_cursor_execute", self._begin)
        event.listen(engine, "after_cursor_execute", self._end)
        event.listen(engine, "handle_error", self._fail)

    def _begin(self, connection: Connection, *_: Any) -> None:
        connection.info[_BEGAN] = time.perf_counter()

    def _end(self, connection: Connection, _: Any, statement: str, *__: Any) -> None:
        self._look(connection, statement, failed=False)

    def _fail(self, context: ExceptionContext) -> None:
        connection = context.connection
        if connection is not None and not connection.closed and not connection.invalidated:
            self._look(connection, context.statement or "", failed=True)

    def _look(self, connection: Connection, statement: str, *, failed: bool) -> None:
        began = connection.info.pop(_BEGAN, None)
        if began is None or (seconds := time.perf_counter() - began) < self._seconds:
            return
        self.count += 1
        logger.warning("slow query", statement=shown(statement), seconds=round(seconds, 3), failed=failed)


def shown(statement: str) -> str:
    """Return a statement as the log shows it: on one line, with long lists of places cut short."""
    text = _MANY.sub(r"\1, ...", " ".join(statement.split()))
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}..."
