"""Reports of unexpected errors for Sentry, if the settings name it. A report is a list of allowed facts.

Every unexpected error is a line of the log with its traceback: the lines are the only source of reports. A report has the
class of each error, the places in our code and in libraries, the id of the request and the template of its route. The
message of an error may contain a person's data, and so may local variables, headers, bodies and cookies: none is sent.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sentry_sdk.types import Event
    from structlog.typing import EventDict

Report = Callable[[Any, str, "EventDict"], "EventDict"]

_OF_EVENT = frozenset({"event_id", "timestamp", "level", "platform", "release", "environment", "tags", "exception"})
_OF_FRAME = frozenset({"filename", "function", "module", "lineno", "in_app"})
_TAGS = frozenset({"request_id", "route"})


def reporter(dsn: str, environment: str, version: str) -> Report:
    """Begin to report to the address ``dsn``, and return the processor of log lines that reports the unexpected errors."""
    import sentry_sdk  # noqa: PLC0415

    sentry_sdk.init(
        dsn,
        environment=environment,
        release=version,
        server_name="nowserving",  # else the name of this machine
        default_integrations=False,  # they read requests, arguments and the loaded packages
        auto_enabling_integrations=False,
        send_default_pii=False,
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
        send_client_reports=False,
        enable_metrics=False,
        before_send=allowed,
    )

    def report(_: Any, __: str, line: EventDict) -> EventDict:
        error = _error_of(line.get("exc_info"))
        if error is not None:
            with sentry_sdk.new_scope() as scope:
                for name in _TAGS & line.keys():
                    scope.set_tag(name, str(line[name]))
                scope.capture_exception(error)
        return line

    return report


def allowed(event: Event, _: dict[str, Any]) -> Event:
    """Return the allowed facts of a report alone: a new field of the library stays here."""
    kept: dict[str, Any] = {name: value for name, value in event.items() if name in _OF_EVENT}
    tags: dict[str, Any] = kept.get("tags") or {}
    kept["tags"] = {name: value for name, value in tags.items() if name in _TAGS}
    errors = (kept.get("exception") or {}).get("values", [])
    kept["exception"] = {"values": [_allowed_error(each) for each in errors]}
    return kept  # type: ignore[return-value]


def _allowed_error(error: dict[str, Any]) -> dict[str, Any]:
    frames = (error.get("stacktrace") or {}).get("frames", [])
    places = [{name: value for name, value in each.items() if name in _OF_FRAME} for each in frames]
    return {"type": error.get("type"), "module": error.get("module"), "stacktrace": {"frames": places}}


def _error_of(given: Any) -> BaseException | None:
    """Return the error that a log line is about, however the line names it."""
    if isinstance(given, tuple):
        given = given[1]
    elif given and not isinstance(given, BaseException):
        given = sys.exc_info()[1]
    return given or None
