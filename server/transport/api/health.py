"""Health checks: whether this process is alive, and whether it is ready to serve."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

import orjson
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.transport.context import Context
from server.transport.http.checks import Check, timed
from server.transport.http.endpoint import NO_STORE, PUBLIC, Answer, Endpoints, Tag


class Alive(TypedDict):
    """The process answers."""

    status: Literal["ok"]


class Readiness(TypedDict):
    """Whether the process is ready to serve."""

    status: Literal["ok", "unavailable"]
    checks: Annotated[dict[str, Check], Field(description="Each dependency. A `degraded` one does not fail the check.")]


ENDPOINTS = Endpoints(Tag.OPERATION)


@ENDPOINTS.add("GET", "/health/live", "health-live", "The process is alive.", security=PUBLIC)
@ENDPOINTS.add("GET", "/health", "health", "The process is alive.", security=PUBLIC)
async def get_live(_: Request) -> Alive:
    """Report that the process is alive. No dependency is checked."""
    return {"status": "ok"}


@ENDPOINTS.add(
    "GET",
    "/health/ready",
    "health-ready",
    (
        Answer("Ready to serve.", Readiness, headers=NO_STORE),
        Answer("Not ready, or about to stop.", Readiness, status=503, headers=NO_STORE),
    ),
    security=PUBLIC,
)
async def get_ready(request: Request) -> Response:
    """Check each dependency, the database at most once a second. A 503 names the ones that fail.

    An unreachable bus is `degraded` and does not fail the check: the log makes up for it. A stepped clock is `degraded`
    too: the trusted time goes on without it. So are messages that are late or have no channel.
    """
    context = Context.of(request)

    async def bus() -> str:
        return "ok" if context.hub.bus.healthy else "degraded"

    async def clock() -> str:
        return context.database.clock.trouble or "ok"

    async def draining() -> str:
        return "draining" if context.hub.draining else "ok"

    checks = dict(await context.database_checks.results())
    checks |= {check.__name__: await timed(check) for check in (bus, clock, draining)}
    ready = all(check["status"].partition(":")[0] in ("ok", "degraded") for check in checks.values())
    body: Readiness = {"status": "ok" if ready else "unavailable", "checks": checks}
    return Response(orjson.dumps(body), 200 if ready else 503, {"Cache-Control": "no-store"}, media_type="application/json")
