"""A bare Starlette endpoint over both transports: accept a stream, send one message. Uvicorn and the garbage collection have
the options of our server."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

port, size = int(sys.argv[1]), int(sys.argv[2])
message = '{"cells":{' + "x" * (size - 12) + "}}"


async def events(_: Request) -> StreamingResponse:
    async def stream() -> AsyncIterator[bytes]:
        yield b"data: %b\n\n" % message.encode()
        await asyncio.Event().wait()

    return StreamingResponse(stream(), media_type="text/event-stream")


async def frames(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(message)
    await socket.receive()


app = Starlette(routes=[Route("/follow", events), WebSocketRoute("/follow", frames)])

if __name__ == "__main__":
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=4096,
    )
