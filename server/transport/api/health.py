"""Health: whether this process is alive, has started, and is ready to serve; and its figures for people."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

import orjson
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import NotAllowed
from server.transport.access.gate import address_of
from server.transport.context import Context
from server.transport.http.checks import Check, checked, troubled
from server.transport.http.endpoint import NO_STORE, PUBLIC, Answer, Endpoints, Tag, as_json
from server.transport.http.errors import TooManyRequests
from server.transport.http.figures import ProcessFigures, StreamFigures


class Alive(TypedDict):
    """The process answers."""

    status: Literal["ok"]


class Started(TypedDict):
    """Whether the process has started."""

    status: Literal["ok", "starting"]


class Readiness(TypedDict):
    """Whether the process is ready to serve."""

    status: Literal["ok", "unavailable"]
    checks: Annotated[dict[str, Check], Field(description="Each part.")]


ENDPOINTS = Endpoints(Tag.OPERATION)


@ENDPOINTS.add("GET", "/health/live", "health-live", "The process is alive.", security=PUBLIC)
@ENDPOINTS.add("GET", "/health", "health", "The process is alive.", security=PUBLIC)
async def get_live(_: Request) -> Alive:
    """Report that the process is alive. No dependency is checked."""
    return {"status": "ok"}


@ENDPOINTS.add(
    "GET",
    "/health/startup",
    "health-startup",
    (
        Answer("The process has started.", Started, headers=NO_STORE),
        Answer("The process has not started yet.", Started, status=503, headers=NO_STORE),
    ),
    security=PUBLIC,
)
async def get_startup(request: Request) -> Response:
    """Report whether the process has started: the database has answered once, with the tables of this version.

    The answer stays 200 from then on. A database that is away later concerns readiness.
    """
    started = await Context.of(request).checks.started()
    body: Started = {"status": "ok" if started else "starting"}
    return as_json(body, 200 if started else 503)


@ENDPOINTS.add(
    "GET",
    "/health/ready",
    "health-ready",
    (
        Answer("Ready to serve.", Readiness, headers=NO_STORE),
        Answer("Not ready, or about to stop.", Readiness, status=503, headers=NO_STORE),
    ),
    security=PUBLIC,
    refused=(TooManyRequests,),
)
async def get_ready(request: Request) -> Response:
    """Check each part, the database at most once a second. A 503 names the parts that fail.

    An unreachable bus is `degraded` and does not fail the check: the log makes up for it. A stepped clock is `degraded`
    too: the trusted time goes on without it. So are messages that are late or have no channel. Other machines without the
    token of the metrics see no details, and one of their addresses may ask some hundred times a minute.
    """
    context = Context.of(request)
    known = context.metrics.may_read(request)
    if not known and context.floods is not None and (seconds := context.floods.wait(address_of(request))):
        raise TooManyRequests(retry_after=seconds)
    checks = dict(await context.checks.results())
    checks["bus"] = checked("ok") if context.hub.bus.healthy else checked("degraded", "Redis does not answer")
    checks["clock"] = troubled(context.database.clock.trouble)
    checks["draining"] = checked("failed", "about to stop") if context.hub.draining else checked("ok")
    ready = all(check["status"] != "failed" for check in checks.values())
    if not known:
        checks = {name: {**check, "detail": None} for name, check in checks.items()}
    body: Readiness = {"status": "ok" if ready else "unavailable", "checks": checks}
    return Response(orjson.dumps(body), 200 if ready else 503, {"Cache-Control": "no-store"}, media_type="application/json")


@ENDPOINTS.add(
    "GET", "/health/metrics", "health-metrics", "The figures of this process.", security=PUBLIC, refused=(NotAllowed,)
)
async def get_figures(request: Request) -> ProcessFigures:
    """Return the figures of this process for people: to this machine, or with the token of the metrics.

    An unknown figure is null, and `unknown` has the reason. Figures of the messages are up to half a minute old.
    """
    context = Context.of(request)
    if not context.metrics.may_read(request):
        raise NotAllowed()
    return context.figures.of_process()


@ENDPOINTS.add(
    "GET", "/health/streams", "health-streams", "The streams of this process.", security=PUBLIC, refused=(NotAllowed,)
)
async def get_streams(request: Request) -> StreamFigures:
    """Return the streams of this process for people: to this machine, or with the token of the metrics."""
    context = Context.of(request)
    if not context.metrics.may_read(request):
        raise NotAllowed()
    return context.figures.of_streams()
