"""A plain sse-starlette endpoint, as in its documentation: a queue per client, a dictionary per event."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

queues: dict[asyncio.Queue[str], None] = {}


async def follow(_: Request) -> EventSourceResponse:
    queue: asyncio.Queue[str] = asyncio.Queue()
    queues[queue] = None

    async def events() -> AsyncIterator[dict[str, Any]]:
        try:
            yield {"data": "ready"}
            while True:
                yield {"event": "change", "data": await queue.get()}
        finally:
            del queues[queue]

    return EventSourceResponse(events(), ping=3600)


async def publish(request: Request) -> Response:
    text = (await request.body()).decode()
    for queue in queues:
        queue.put_nowait(text)
    return Response()


app = Starlette(routes=[Route("/follow", follow), Route("/publish", publish, methods=["POST"])])

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False, backlog=4096)
