"""A proxy that can drop all data silently: the replacement of `lan.py` for users without the right to create a network.

This test is weaker: the server's socket sees a peer that stops reading, not a peer that has vanished.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress


class BlackHole:
    """Forwards connections to one port. A cut loses the present connections for good, without closing them."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._open = asyncio.Event()
        self._open.set()
        self._sessions: set[_Session] = set()
        self._server: asyncio.Server
        self.port = 0

    async def start(self) -> None:
        """Start to listen."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Reset all connections, and stop listening."""
        self._server.close()
        for session in self._sessions:
            session.abort()

    def cut(self) -> None:
        """Drop all data from now on."""
        self._open.clear()
        for session in self._sessions:
            session.lost = True

    def mend(self) -> None:
        """Forward new connections again, also those attempted since the cut."""
        self._open.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(writer)
        self._sessions.add(session)
        try:
            await self._open.wait()
            await session.run(reader, self._behind)
        finally:
            session.abort()
            self._sessions.discard(session)


class _Session:
    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.lost = False
        self._writers = [client]

    async def run(self, reader: asyncio.StreamReader, port: int) -> None:
        try:
            behind = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return
        self._writers.append(behind[1])
        ways = [
            asyncio.create_task(self._pass(reader, behind[1])),
            asyncio.create_task(self._pass(behind[0], self._writers[0])),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if self.lost:
                await asyncio.wait(ways)  # the client does not notice, until it disconnects by itself
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65536):
                if not self.lost:
                    writer.write(chunk)
                    await writer.drain()

    def abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
