"""The middleware of every request: id, protecting headers, access log, metric. Plain ASGI: no task per request."""

from __future__ import annotations

import asyncio
import math
import re
import time
import uuid
from collections.abc import Iterable, Sequence

import structlog
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.audit import arrived
from server.domain.errors import NowServingError
from server.telemetry import logs
from server.transport.http.errors import (
    UNKNOWN_HOST,
    BadHeader,
    HeadersTooLarge,
    TookTooLong,
    error_response,
    on_unknown,
    refusal,
)
from server.transport.http.metrics import Metrics

access_log = structlog.get_logger("access")

_PORT = re.compile(r":[0-9]+$")
_SANE_ID = re.compile(rb"[A-Za-z0-9_.-]{8,64}")
_CONTENT_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
PROTECTION = {
    "Content-Security-Policy": _CONTENT_POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-API-Version": "1",
}
_OF_ALL = [(name.lower().encode(), value.encode()) for name, value in PROTECTION.items()]
# A page loads dozens of scripts, styles and texts. Headers about the behaviour of documents have no effect on these files,
# and would be a third of the bytes of the page.
_OF_FILES = [each for each in _OF_ALL if each[0] in (b"x-content-type-options", b"referrer-policy")]
_FILES = "/static/"
_NO_DOCUMENTS = (b"text/javascript", b"text/css", b"application/json", b"font/")
MAX_HEADER_BYTES = 16 * 1024
_ONCE = frozenset(
    {b"authorization", b"host", b"origin", b"content-length", b"content-type", b"idempotency-key", b"x-api-version"}
)
_ASCII = frozenset({b"authorization", b"host"})
# The longest host name has 253 characters, its port five.
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{0,253})(?::[0-9]{0,5})?")
_OVERRIDES = frozenset({b"x-http-method-override", b"x-http-method", b"x-method-override"})
FOLLOWED = "nowserving.followed"  # the key in the scope of a request that has become a stream
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "WEBSOCKET"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HUNG_UP = 499  # the status in log and metrics when the client hung up before its answer, as nginx has it
QUIET = frozenset(
    {
        "/health",
        "/health/live",
        "/health/ready",
        "/health/startup",
        "/health/metrics",
        "/health/streams",
        "/metrics",
    }
)


class RequestContext:
    """Outermost: binds the request's id, adds the protecting headers, and logs and counts by the route's template.

    The path itself is never logged: the path of a ticket is the key to the ticket. A request whose answer begins later than
    ``slow_seconds`` has a line of its own. A client that reads slowly makes no slow request.

    An unexpected error ends here with a whole answer. uvicorn would close the connection of an error that reached it, and a
    proxy would lose the next request of somebody else on this connection.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, slow_seconds: float = math.inf) -> None:
        self._app = app
        self._metrics = metrics
        self._slow_seconds = slow_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = scope["request_id"] = _request_id(scope)
        arrived(scope)
        logs.request_id.set(request_id)
        began = time.perf_counter()
        status, waited = 0, None

        async def sending(message: Message) -> None:
            nonlocal status, waited
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status, waited = message["status"], time.perf_counter() - began
                _protect(scope, message, request_id)
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect:
            status = HUNG_UP  # in mid-body: nobody waits for an answer
        except Exception as error:
            if status or scope["type"] != "http":
                raise  # an answer that has begun cannot be completed: the server cuts it
            await (await on_unknown(Request(scope), error))(scope, receive, sending)
        finally:
            seconds = time.perf_counter() - began
            self._record(scope, status, seconds, seconds if waited is None else waited)

    def _record(self, scope: Scope, status: int, seconds: float, waited: float) -> None:
        if FOLLOWED in scope:
            return  # the hub logs the begin and the end of a stream
        route = getattr(scope.get("route"), "path", None) or "(none)"
        method = scope.get("method", "WEBSOCKET")
        if method not in METHODS:
            method = "OTHER"  # the client chooses it: each other word would be a time series for ever
        self._metrics.requests.observe(route, method, str(status), seconds)
        if waited > self._slow_seconds:
            self._metrics.slow_requests.labels(route).inc()
            access_log.warning("slow request", route=route, method=method, status=status, seconds=round(waited, 3))
        if route not in QUIET:
            milliseconds = round(seconds * 1000, 1)
            access_log.info("request", route=route, method=method, status=status, milliseconds=milliseconds)


class SoundHeaders:
    """Refuses ambiguous headers, a malformed host, and headers that evade the checks of a proxy."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            error = _unsound(scope["headers"])
            if error is not None:
                await refusal(HTTPConnection(scope), error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class TimeLimit:
    """Cuts a request whose answer has not begun in time.

    The handler is cancelled and its transaction rolled back. A repeat of the command by its id tells whether it was
    committed. Streams have no limit. Every other request below ``/live/`` has one.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["path"].startswith("/live/") and scope["method"] in SAFE_METHODS):
            await self._app(scope, receive, send)
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            if not begun:
                begun = True
                limit.reschedule(None)  # the client decides how fast it reads
            await send(message)

        try:
            async with asyncio.timeout(self._seconds) as limit:
                await self._app(scope, receive, sending)
        except TimeoutError:
            if begun or not limit.expired():
                raise
            details = {"seconds": self._seconds}
            if "command_id" in scope:
                details["command_id"] = scope["command_id"]
            await refusal(HTTPConnection(scope), TookTooLong(**details))(scope, receive, send)


class AllowedHosts:
    """Refuses requests for other host names than the installation's own; ``*.example.org`` is any name below that.

    Health and metrics accept any name: an orchestrator or Prometheus reaches a process directly, under another name.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts if not host.startswith("*."))
        self._suffixes = tuple(host[1:].lower() for host in hosts if host.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and scope["path"] not in QUIET:
            connection = HTTPConnection(scope)
            name = _PORT.sub("", connection.headers.get("host", "").lower())
            if name not in self._hosts and not name.endswith(self._suffixes):
                response = error_response(connection, 400, "unknown_host", UNKNOWN_HOST)
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _protect(scope: Scope, message: Message, request_id: str) -> None:
    """Add the request's id to an answer, and the protecting headers that it does not have.

    A file that no browser opens as a document gets only the headers that have an effect on it.
    """
    headers = dict(message["headers"])
    is_file = message["status"] == 200 and scope["path"].startswith(_FILES)
    protection = _OF_FILES if is_file and headers.get(b"content-type", b"").startswith(_NO_DOCUMENTS) else _OF_ALL
    added = [(name, value) for name, value in protection if name not in headers]
    message["headers"] = [*message["headers"], *added, (b"x-request-id", request_id.encode())]


def _unsound(headers: Iterable[tuple[bytes, bytes]]) -> NowServingError | None:
    size = 0
    seen = set()
    for name, value in headers:
        size += len(name) + len(value)
        if name in _ONCE:
            if name in seen:
                return BadHeader(header=_shown(name), problem="only one is allowed")
            seen.add(name)
            if name in _ASCII and not value.isascii():
                return BadHeader(header=_shown(name), problem="only ASCII is allowed")
            if name == b"host" and not _HOST.fullmatch(value):
                return BadHeader(header=_shown(name), problem="this is not a host name")
        elif name in _OVERRIDES:
            return BadHeader(header=_shown(name), problem="the method cannot be overridden")
    return HeadersTooLarge(limit=MAX_HEADER_BYTES) if size > MAX_HEADER_BYTES else None


def _shown(name: bytes) -> str:
    return name.decode("ascii").title()


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return str(value, "ascii")
    return uuid.uuid4().hex
