"""Errors on the wire: one shape for all, and the only place that maps a class of error to a status.

``{"error": {"code", "message", "details", "request_id", "timestamp"}}``
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from server.domain.errors import (
    CommandIdReused,
    InvalidField,
    NotAllowed,
    NotFound,
    NotSignedIn,
    NowServingError,
    Refused,
    Unavailable,
)
from server.identity.errors import SignInLocked

logger = structlog.get_logger(__name__)

# Marks every refusal of this server with its code, so that a page can tell it from the answer of a proxy.
REFUSAL_HEADER = "X-NowServing-Refusal"

# The messages of refusals that have no class, because no code of the server's catches them.
UNKNOWN_HOST = "This server does not serve this host name."
INTERNAL_ERROR = "Internal error. The server has logged it under the request's id."

STATUS_OF: dict[type[NowServingError], int] = {
    NotSignedIn: 401,
    NotAllowed: 403,
    NotFound: 404,
    Refused: 409,
    CommandIdReused: 422,
    InvalidField: 422,
    Unavailable: 503,
}


class MalformedBody(NowServingError):
    """The body is not JSON: {problem}"""


class BodyTooLarge(NowServingError):
    """The body is larger than {limit} bytes."""


class UnsupportedMediaType(NowServingError):
    """The body is not sent as JSON. Set the header Content-Type: application/json."""


class InvalidBody(NowServingError):
    """{problem}"""


class BadHeader(NowServingError):
    """{header}: {problem}."""


class UnknownVersion(NowServingError):
    """This API has no such version."""


class HeadersTooLarge(NowServingError):
    """The headers are larger than {limit} bytes."""


class TooManyRequests(NowServingError):
    """Too many requests. Try again in {retry_after} s."""


class AddressBlocked(TooManyRequests):
    """Too many requests from this address were refused. Try again in {retry_after} s."""


class TooManyJoined(TooManyRequests):
    """Many people have joined over this network within an hour. Please ask at the desk, or try again in {retry_after} s."""


class TooManyBooked(TooManyRequests):
    """Many appointments were booked from here within an hour. Please call the clinic, or try again in {retry_after} s."""


class TookTooLong(NowServingError):
    """The server cut this request after {seconds} s. Repeat a command with its Idempotency-Key to learn its outcome."""


class UnknownCommand(NotFound):
    """There is no such command."""


class ForeignOrigin(NotAllowed):
    """A page of another site sent this request."""


class PreflightRefused(NowServingError):
    """Pages of another site may not send this request: {problem}."""


STATUS_OF |= {
    MalformedBody: 400,
    BadHeader: 400,
    UnknownVersion: 400,
    PreflightRefused: 400,
    BodyTooLarge: 413,
    UnsupportedMediaType: 415,
    InvalidBody: 422,
    TooManyRequests: 429,
    SignInLocked: 429,
    HeadersTooLarge: 431,
    TookTooLong: 503,
}


def status_of(error: NowServingError) -> int:
    """Return the status of an error: the status of the nearest class above it in the tree."""
    for kind in type(error).__mro__:
        if kind in STATUS_OF:
            return STATUS_OF[kind]
    return 500


def error_body(code: str, message: str, details: Any, request_id: str) -> bytes:
    """Return the body of an error, as JSON."""
    body = {
        "error": {
            "code": code,
            "message": message,
            "details": details,
            "request_id": request_id,
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
    }
    return orjson.dumps(body)


def error_response(
    connection: HTTPConnection, status: int, code: str, message: str, details: Any = None, headers: Any = None
) -> Response:
    """Return an error as a response."""
    body = error_body(code, message, details if details is not None else {}, connection.scope.get("request_id", ""))
    return Response(body, status, {**(headers or {}), REFUSAL_HEADER: code}, media_type="application/json")


def refusal(connection: HTTPConnection, error: NowServingError) -> Response:
    """Return the response to an error of the tree, with the headers that tell a client how to go on."""
    headers = {"Cache-Control": "no-store"}
    match error:
        case NotSignedIn():
            headers["WWW-Authenticate"] = "Bearer"
        case NowServingError(details={"retry_after": seconds}):
            headers["Retry-After"] = str(seconds)
        case Unavailable() | TookTooLong():
            headers["Retry-After"] = "2"
    return error_response(connection, status_of(error), error.code, error.message, error.details, headers)


def wants_page(request: Request) -> bool:
    """Return whether a browser asks for a page, rather than a script for data."""
    for_programs = request.scope["path"].startswith(("/api/", "/live/", "/static/", "/health", "/metrics"))
    return not for_programs and "text/html" in request.headers.get("accept", "")


def page(request: Request, name: str, status: int = 200) -> Response:
    """Return one of the pages in ``web/pages``."""
    response: Response = request.app.state.context.assets.page(request, name, status)
    return response


async def on_known(request: Request, error: Exception) -> Response:
    """Answer an error of the tree."""
    assert isinstance(error, NowServingError)
    return refusal(request, error)


async def on_http(request: Request, error: Exception) -> Response:
    """Answer an error of Starlette: an unknown path, another method. A browser that asks for a page gets a page."""
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.NOT_FOUND and wants_page(request):
        return page(request, "not-found", error.status_code)
    code = HTTPStatus(error.status_code).name.lower()
    return error_response(request, error.status_code, code, error.detail, headers=error.headers)


async def on_unknown(request: Request, error: Exception) -> Response:
    """Answer an unexpected error without its details. The log has them under the request's id."""
    route = getattr(request.scope.get("route"), "path", None)
    logger.error("unexpected error", exc_info=error, request_id=request.scope.get("request_id"), route=route)
    if wants_page(request):
        return page(request, "error", 500)
    return error_response(request, 500, "internal_error", INTERNAL_ERROR)


EXCEPTION_HANDLERS: dict[Any, Any] = {NowServingError: on_known, HTTPException: on_http}  # middleware calls `on_unknown`
