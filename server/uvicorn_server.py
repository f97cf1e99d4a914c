"""Running the application under uvicorn, and stopping it without losing a screen.

uvicorn stops listening at once, and waits for connections that never end. This server first ends every stream with a
``bye``, so that each screen knows when to come back, and exits with status 0.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import uuid
from typing import Any, Literal

import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.supervisors import multiprocess

from server.transport.http.errors import error_body
from server.transport.http.middleware import MAX_HEADER_BYTES, PROTECTION
from server.transport.streams.handoff import HandOffHttpProtocol, HandOffWebSocketProtocol

logger = structlog.get_logger(__name__)


class DrainingServer(uvicorn.Server):
    """A server that drains its streams before it closes."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # The objects of the start stay for good: no garbage collection needs to traverse them. And none should run in the
        # middle of a fan-out because of many new connections: reference counting frees their objects.
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 10, 10)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        hub = self.lifespan.state.get("hub")
        if hub is not None:
            hub.draining = True  # readiness is 503 from now on
            await asyncio.sleep(self.config.drain_delay_seconds)  # type: ignore[attr-defined]
            for server in self.servers:
                server.close()
            await hub.drain()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: Any) -> None:
        super().handle_exit(sig, frame)
        if sig == signal.SIGTERM:
            self._captured_signals.clear()  # a stop on request is a success: uvicorn must not re-raise the signal


class StrictProtocol(HandOffHttpProtocol):
    """Refuses invalid HTTP in the API's error format, and endless headers before they fill the memory."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._heading = False
        self._head_bytes = 0

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._heading = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._heading = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._heading and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > 4 * MAX_HEADER_BYTES:
                self._refuse(431, "headers_too_large", f"The headers are larger than {MAX_HEADER_BYTES} bytes.")

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "malformed_request", "The request is malformed.")

    def _refuse(self, status: int, code: str, message: str) -> None:
        request_id = uuid.uuid4().hex
        body = error_body(code, message, {}, request_id)
        headers = PROTECTION | {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            "X-Request-ID": request_id,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.transport.write(STATUS_LINE[status] + lines.encode() + b"\r\n" + body)
        self.transport.close()


class _DrainingProcess(multiprocess.Process):
    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            self._server = DrainingServer(config=self.config)
        return self._server


def run(
    app: str | Any,
    *,
    host: str,
    port: int,
    workers: int = 1,
    drain_delay_seconds: float,
    heartbeat_seconds: float = 15.0,
    hand_off: bool = True,
    event_loop: Literal["auto", "asyncio", "uvloop"] = "auto",
    factory: bool = False,
) -> int:
    """Serve ``app`` until a signal, and return the exit status. With more than one worker, ``app`` is an import string."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        workers=workers,
        loop=event_loop,
        factory=factory,
        log_config=None,
        access_log=False,  # ours logs the route's template; a path may hold a ticket's token
        server_header=False,
        http=StrictProtocol,
        ws=HandOffWebSocketProtocol,
        ws_per_message_deflate=False,  # it costs a window of 64 KiB for each connection, to save 200 bytes
        ws_max_size=64 * 1024,
        timeout_graceful_shutdown=5,
        timeout_worker_healthcheck=60,  # with the default 5 s, a busy machine would kill every worker at its start
        timeout_keep_alive=75,
        backlog=4096,
    )
    config.drain_delay_seconds = drain_delay_seconds  # type: ignore[attr-defined]
    config.silent_seconds = 2 * heartbeat_seconds  # type: ignore[attr-defined]
    config.hand_off = hand_off  # type: ignore[attr-defined]
    if workers > 1:
        multiprocess.Process = _DrainingProcess  # type: ignore[misc]  # uvicorn has no other way to set the server class
        listener = config.bind_socket()
        multiprocess.Multiprocess(config, sockets=[listener]).run()
        return 0
    server = DrainingServer(config)
    server.run()
    return 0 if server.started else 3
