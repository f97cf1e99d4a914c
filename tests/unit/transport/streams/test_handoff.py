"""The socket options of an accepted connection, read back from the kernel."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop

from server.transport.streams.handoff import SEND_BUFFER_BYTES, tune


class Accepting(asyncio.Protocol):
    """Tunes an accepted connection, and notes its socket options."""

    def __init__(self, found: dict[str, int], config: object) -> None:
        self.found, self.config = found, config

    def connection_made(self, transport: Any) -> None:
        tune(transport, self.config)
        connected = transport.get_extra_info("socket")
        self.found["buffer"] = connected.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        self.found["timeout"] = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        self.paused = False
        while not self.paused and self.found.setdefault("written", 0) < 10_000_000:
            transport.write(b"x" * 1024)
            self.found["written"] += 1024
        transport.abort()

    def pause_writing(self) -> None:
        self.paused = True


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize(("config", "timeout"), [(SimpleNamespace(silent_seconds=14.0), 14_000), (SimpleNamespace(), 0)])
def test_stalled_reader_is_noticed_early(loop: Any, config: object, timeout: int) -> None:
    found: dict[str, int] = {}

    async def accept() -> None:
        running = asyncio.get_running_loop()
        server = await running.create_server(lambda: Accepting(found, config), "127.0.0.1", 0)
        with socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.setblocking(False)
            await running.sock_connect(peer, server.sockets[0].getsockname())
            async with asyncio.timeout(30):
                while "written" not in found:  # noqa: ASYNC110 - the protocol has no event to wait for
                    await asyncio.sleep(0.01)
        server.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(accept())
    assert found["buffer"] == 2 * SEND_BUFFER_BYTES  # Linux doubles the requested size
    assert found["timeout"] == timeout
    assert found["written"] < 200_000
