"""Announcements of removals. (`tests/integration/test_protection.py` tests the requested version.)"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from server.transport.http.versions import DEPRECATED, Deprecated, KnownVersions, Versions

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
SUNSET = datetime(2026, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=1)))


async def endpoint(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.url.path)


def an_app(*deprecated: Deprecated) -> httpx.AsyncClient:
    routes = [
        Route("/api/v1/things/{name}", endpoint, methods=["GET", "DELETE"]),
        Route("/api/v1/others", endpoint),
        Route("/things", endpoint),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(Versions, deprecated=deprecated), Middleware(KnownVersions)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x")


def test_no_route_is_deprecated_yet() -> None:
    assert DEPRECATED == ()


async def test_deprecated_route_announces_its_removal() -> None:
    async with an_app(Deprecated("GET", "/api/v1/things/{name}", SINCE, SUNSET)) as client:
        for path in ("/api/v1/things/a", "/api/things/b?api_version=1"):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert answer.headers["deprecation"] == "@1772323200"
            assert answer.headers["sunset"] == "Thu, 31 Dec 2026 22:59:59 GMT"
        for others in (
            client.delete("/api/v1/things/a"),
            client.get("/api/v1/others"),
            client.get("/things"),
            client.get("/api/v1/nothing"),
        ):
            answer = await others
            assert "deprecation" not in answer.headers
            assert "sunset" not in answer.headers


async def test_deprecated_route_may_have_no_sunset() -> None:
    async with an_app(Deprecated("GET", "/api/v1/others", SINCE)) as client:
        answer = await client.get("/api/v1/others")
    assert "deprecation" in answer.headers
    assert "sunset" not in answer.headers
