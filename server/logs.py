"""Logging: JSON lines for machines, coloured lines for people. Every line has the request's id."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import orjson
import structlog

OURS = ("server", "workers", "access")


def _names_no_address(record: logging.LogRecord) -> bool:
    """Drop uvicorn's lines on WebSockets, which contain tokens and queries. Ours have the route's template."""
    return "WebSocket %s" not in str(record.msg)


def _is_no_fault_of_ours(record: logging.LogRecord) -> bool:
    """Log a client's bad UTF-8 as one line of information, not as our error with a traceback. Drops nothing."""
    if str(record.msg).startswith("Invalid UTF-8 sequence received"):
        record.levelno, record.levelname, record.exc_info = logging.INFO, "INFO", None
    return True


def _json(line: Any, default: Callable[[Any], Any], **_: object) -> str:
    return orjson.dumps(line, default=default).decode()


def configure_logging(*, json: bool, level: str) -> None:
    """Send all log lines, also those of libraries, to standard error in one format. Call once per process."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if json:
        shared.append(structlog.processors.format_exc_info)
        renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(_json)
    else:
        # The renderer's own tracebacks would show all local variables.
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
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
    root.setLevel(max(logging.INFO, logging.getLevelNamesMapping()[level.upper()]))
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "celery"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    for name in ("aiosqlite", "asyncio", "alembic.runtime.migration"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(_names_no_address)
    logging.getLogger("uvicorn.error").addFilter(_is_no_fault_of_ours)
