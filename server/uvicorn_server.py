"""Running the application under uvicorn, and stopping it without losing a screen.

uvicorn stops listening at once, and waits for connections that never end. This server first ends every stream with a
``bye``, so that each screen knows when to come back, and exits with status 0.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import math
import signal
import socket
import time
import uuid
from pathlib import Path
from typing import Any, Literal

import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.supervisors import multiprocess

from server.telemetry.discovery import Target
from server.transport.http.errors import REFUSAL_HEADER, error_body
from server.transport.http.middleware import MAX_HEADER_BYTES, PROTECTION
from server.transport.streams.handoff import HandOffHttpProtocol, HandOffWebSocketProtocol

logger = structlog.get_logger(__name__)

SWEEP_TICKS = 10  # of uvicorn, a second together
CHUNK_OVERHEAD = 8  # bytes of framing for one byte of a body: a chunk of one byte needs 5


class DrainingServer(uvicorn.Server):
    """A server that drains its streams before it closes."""

    _target: Target | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        folder: Path | None = getattr(self.config, "metrics_folder", None)
        if folder is not None:
            await self._open_own_port(Target(folder))
        # The objects of the start stay for good: no garbage collection needs to traverse them. And none should run in the
        # middle of a fan-out because of many new connections: reference counting frees their objects.
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 10, 10)

    async def _open_own_port(self, target: Target) -> None:
        """Answer at a port of this process alone: its other port is shared by all workers."""
        config = self.config

        def protocol() -> asyncio.Protocol:
            app_state = self.lifespan.state
            return config.http_protocol_class(config=config, server_state=self.server_state, app_state=app_state)  # type: ignore[call-arg]

        server = await asyncio.get_running_loop().create_server(protocol, host="127.0.0.1", port=0)
        self.servers.append(server)
        target.publish(server.sockets[0].getsockname()[1])
        self._target = target

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        faulthandler.cancel_dump_traceback_later()
        if self._target is not None:
            self._target.withdraw()
        hub = self.lifespan.state.get("hub")
        if hub is not None:
            hub.draining = True  # readiness is 503 from now on
            await asyncio.sleep(self.config.drain_delay_seconds)  # type: ignore[attr-defined]
            for server in self.servers:
                server.close()
            await hub.drain()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        if counter % SWEEP_TICKS == 0:
            self._put_off_the_end()
            now = time.monotonic()
            for each in list(self.server_state.connections):
                each.close_if_overdue(now)  # type: ignore[union-attr]  # both protocols are ours
        return await super().on_tick(counter)

    def _put_off_the_end(self) -> None:
        """Let the process end itself if nothing calls this for ``frozen_seconds``: its loop hangs.

        nginx goes on choosing a process that accepts connections and answers nothing, and prefers it, because it has the
        fewest. A thread of C counts the time, so a process ends also when code holds the interpreter's lock. The places of
        all threads in the code go to the standard error.
        """
        seconds: float = getattr(self.config, "frozen_seconds", 0.0)
        if seconds:
            faulthandler.dump_traceback_later(seconds, exit=True)

    def handle_exit(self, sig: int, frame: Any) -> None:
        super().handle_exit(sig, frame)
        if sig == signal.SIGTERM:
            self._captured_signals.clear()  # a stop on request is a success: uvicorn must not re-raise the signal


class StrictProtocol(HandOffHttpProtocol):
    """Refuses invalid HTTP in the API's error format, bounds the bytes and the time of a request, and drops trailers.

    The server sweeps the deadlines once a second. A deadline costs no timer.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._heading = False
        self._within = False  # a request has begun, and is not complete
        self._begun = 0  # requests in the present read
        self._framing_bytes = 0  # of the head; then of the body, without its content
        self._due_at = math.inf  # the request must be complete, or the head

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._due_at = time.monotonic() + self.config.head_seconds

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begun += 1
        self._heading = self._within = True
        self._framing_bytes = 0
        self._due_at = time.monotonic() + self.config.head_seconds

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._heading:  # else it is a trailer: no proxy has checked it, and the application has read the headers
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._heading = False
        self._framing_bytes = 0
        self._due_at = time.monotonic() + self.config.body_seconds
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._framing_bytes -= CHUNK_OVERHEAD * len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._within = False
        self._due_at = math.inf
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        was_within, self._begun = self._within, 0
        super().data_received(data)
        if self.parser is None or self.transport.is_closing():
            return  # handed over, upgraded, or closed
        if self._within:
            # A read can begin with the rest of another request, such as a body that was refused. The parser does not say
            # where the present one begins in it. So no byte of this read counts: a head gets one read more at most.
            if not (self._begun and (was_within or self._begun > 1)):
                self._framing_bytes += len(data)
            if self._framing_bytes > 4 * MAX_HEADER_BYTES:
                self._cut(431, "headers_too_large", f"The headers are larger than {MAX_HEADER_BYTES} bytes.")
        elif self._due_at == math.inf and (self.cycle is None or self.cycle.response_complete):
            # Empty lines between requests stop the timer of uvicorn for idle connections.
            self._due_at = time.monotonic() + self.config.head_seconds

    def close_if_overdue(self, now: float) -> None:
        """Close a connection whose request is not complete in time, or whose client reads nothing."""
        if self.flow.read_paused or (self._heading and self._answering):
            self._due_at = max(self._due_at, now + 1)  # the client waits for us: for its body to be read, or an answer
        if now >= self._due_at and not self.transport.is_closing():
            self._cut(408, "request_too_slow", "The request was not complete in time.")
        self.abort_if_stalled(now)

    def _cut(self, status: int, code: str, message: str) -> None:
        """Refuse the present request if it has begun and has no answer yet, and close the connection."""
        if self._within and not (self._answering if self._heading else self.cycle.response_started):
            self._refuse(status, code, message)
        else:
            self.transport.close()

    @property
    def _answering(self) -> bool:
        return self.active is not None and not self.active.response_complete

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
            REFUSAL_HEADER: code,
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
    head_seconds: float = 10.0,
    body_seconds: float = 20.0,
    stalled_seconds: float = 30.0,
    frozen_seconds: float = 0.0,
    hand_off: bool = True,
    event_loop: Literal["auto", "asyncio", "uvloop"] = "auto",
    metrics_folder: Path | None = None,
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
    config.head_seconds = head_seconds  # type: ignore[attr-defined]
    config.body_seconds = body_seconds  # type: ignore[attr-defined]
    config.stalled_seconds = stalled_seconds  # type: ignore[attr-defined]
    config.frozen_seconds = frozen_seconds  # type: ignore[attr-defined]
    config.hand_off = hand_off  # type: ignore[attr-defined]
    config.metrics_folder = metrics_folder  # type: ignore[attr-defined]
    if workers > 1:
        multiprocess.Process = _DrainingProcess  # type: ignore[misc]  # uvicorn has no other way to set the server class
        listener = config.bind_socket()
        multiprocess.Multiprocess(config, sockets=[listener]).run()
        return 0
    server = DrainingServer(config)
    server.run()
    return 0 if server.started else 3
