"""Logging: JSON lines for machines, coloured lines for people. Every line has the request's id."""

from __future__ import annotations

import json as exact_json
import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, TextIO

import orjson
import structlog

# Of uvicorn's WebSocket protocol: its lines of information contain tokens and queries. Ours have the route's template.
WEBSOCKETS = "uvicorn.websockets"

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)  # of the present request, for its lines


class Lines:
    """Writes finished lines to a stream, each at once and whole. A full disk or a closed pipe raises nothing.

    Our lines do not pass through `logging`: a record and its formatter would cost twice as much as the line itself, and a
    line for each stream is a large part of a storm of connections.
    """

    def __init__(self, stream: TextIO, name: str = "") -> None:
        self._stream = stream
        self.name = name  # for `add_logger_name`

    def msg(self, line: str) -> None:
        """Write a line."""
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return  # nobody can be told: as in `logging`, the work goes on

    debug = info = warning = error = critical = msg


def _add_request_id(_: Any, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    present = request_id.get()
    if present is not None:
        line.setdefault("request_id", present)
    return line


def _is_no_fault_of_ours(record: logging.LogRecord) -> bool:
    """Log a client's bad UTF-8 as one line of information, not as our error with a traceback. Drops nothing."""
    if str(record.msg).startswith("Invalid UTF-8 sequence received"):
        record.levelno, record.levelname, record.exc_info = logging.INFO, "INFO", None
    return True


def _json(line: Any, default: Callable[[Any], Any], **_: object) -> str:
    try:
        return orjson.dumps(line, default=default).decode()
    except TypeError:  # a number of more than 64 bits, or half of a surrogate pair
        return exact_json.dumps(line, default=default)


def configure_logging(*, json: bool, level: str, report: structlog.typing.Processor | None = None) -> None:
    """Send all log lines, also those of libraries, to standard error in one format. Call once per process.

    ``report`` gets each line with its error, before the error becomes text.
    """
    lowest = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        _add_request_id,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if report is not None:
        shared.append(report)
    if json:
        shared.append(structlog.processors.format_exc_info)
        renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(_json)
    else:
        # The renderer's own tracebacks would show all local variables.
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    structlog.configure(
        processors=[*shared, renderer],
        logger_factory=partial(Lines, sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    # The debug lines of libraries contain headers, statements and streams: no setting of ours enables them.
    root.setLevel(max(logging.INFO, lowest))
    for name in ("uvicorn", "uvicorn.error", "celery"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    for name in ("aiosqlite", "asyncio", "alembic.runtime.migration", "httpx", WEBSOCKETS):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Its warnings contain the addresses of patients and of accounts.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    # uvicorn takes a logger without a level of its own for one that traces every connection.
    logging.getLogger("uvicorn.error").setLevel(root.level)
    logging.getLogger(WEBSOCKETS).addFilter(_is_no_fault_of_ours)
