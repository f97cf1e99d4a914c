"""The API's version, in the path, in ``X-API-Version`` or in ``?api_version=``, and the announcement of removals.

``/api/sites`` with a version in one of the other places is ``/api/v1/sites``. Two versions of one request must agree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.transport.http.errors import UnknownVersion, refusal

VERSIONS = ("1",)
_IN_PATH = re.compile(r"/api/v([0-9]{1,9})(?=/|$)")
_UNVERSIONED = frozenset({"/api/openapi.json"})
_UNKNOWN = "nowserving.unknown_version"  # the key in the scope of a request that names an unknown version


@dataclass(frozen=True, slots=True)
class Deprecated:
    """A route that will be removed: method, template, start of the announcement (RFC 9745) and removal (RFC 8594)."""

    method: str
    route: str
    since: datetime
    sunset: datetime | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers that announce the removal."""
        said = {"Deprecation": f"@{int(self.since.timestamp())}"}
        if self.sunset is not None:
            said["Sunset"] = format_datetime(self.sunset.astimezone(UTC), usegmt=True)
        return said


DEPRECATED: tuple[Deprecated, ...] = ()


class Versions:
    """Completes a path without a version, and announces removals in answers.

    `KnownVersions` refuses an unknown version, behind the rate limits: they count by the completed path.
    """

    def __init__(self, app: ASGIApp, deprecated: Sequence[Deprecated] = DEPRECATED) -> None:
        self._app = app
        self._deprecated = {(each.method, each.route): each.headers() for each in deprecated}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if not path.startswith("/api/"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        in_path = _IN_PATH.match(path)
        named = [in_path[1]] if in_path else []
        named += connection.headers.getlist("x-api-version")
        named += connection.query_params.getlist("api_version")
        if not {*named} <= {*VERSIONS} or len({*named}) > 1:
            scope[_UNKNOWN] = True
        elif named and in_path is None and path not in _UNVERSIONED:
            scope["path"] = f"/api/v{named[0]}/{path.removeprefix('/api/')}"
        if not self._deprecated:
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "")
                headers = MutableHeaders(scope=message)
                for name, value in self._deprecated.get((scope["method"], route), {}).items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, sending)


class KnownVersions:
    """Refuses a request in which `Versions` has found an unknown version, or two that differ."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _UNKNOWN in scope:
            await refusal(HTTPConnection(scope), UnknownVersion(versions=list(VERSIONS)))(scope, receive, send)
            return
        await self._app(scope, receive, send)
