"""Whether this process lives, and whether it is ready to serve."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.queries.migrations import pending
from server.transport.context import Context


async def get_live(_: Request) -> Response:
    """The process turns; nothing else is asked."""
    return _json({"status": "ok"}, 200)


async def get_ready(request: Request) -> Response:
    """Ask each dependency; 503 names what fails. A bus that is away is told, but fails nothing: the log heals it."""
    context = Context.of(request)

    async def database() -> str:
        await context.database.now()
        return "ok"

    async def migrations() -> str:
        lacking = await pending(context.database)
        return f"behind by {len(lacking)}" if lacking else "ok"

    async def bus() -> str:
        return "ok" if context.hub.bus.healthy else "degraded"

    async def draining() -> str:
        return "draining" if context.hub.draining else "ok"

    checks = {}
    for check in (database, migrations, bus, draining):
        checks[check.__name__] = await _timed(check)
    ready = all(check["status"] in ("ok", "degraded") for check in checks.values())
    return _json({"status": "ok" if ready else "unavailable", "checks": checks}, 200 if ready else 503)


async def _timed(check: Callable[[], Awaitable[str]]) -> dict[str, object]:
    began = time.perf_counter()
    try:
        status = await check()
    except Exception as error:  # whatever a dependency raises, the answer is that it failed
        status = f"failed: {type(error).__name__}"
    return {"status": status, "milliseconds": round((time.perf_counter() - began) * 1000, 1)}


def _json(body: object, status: int) -> Response:
    return Response(orjson.dumps(body), status, {"Cache-Control": "no-store"}, media_type="application/json")


ROUTES = [
    Route("/health", get_live),
    Route("/health/live", get_live),
    Route("/health/ready", get_ready),
]
