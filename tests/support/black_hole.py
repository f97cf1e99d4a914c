"""A proxy that can swallow everything without a word: what `lan.py` does with packets, for who may not make a network.

It is the lesser test: the server's own socket sees a peer that takes nothing, not one that has vanished.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress


class BlackHole:
    """Passes connections on to one port, until it is cut; those that it had then are lost for good, and hear nothing."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._open = asyncio.Event()
        self._open.set()
        self._sessions: set[_Session] = set()
        self._server: asyncio.Server
        self.port = 0

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut everything, audibly."""
        self._server.close()
        for session in self._sessions:
            session.abort()

    def cut(self) -> None:
        """From now on nothing that is sent arrives."""
        self._open.clear()
        for session in self._sessions:
            session.lost = True

    def mend(self) -> None:
        """Who connects from now on, or has tried meanwhile, is passed on again."""
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
                await asyncio.wait(ways)  # the other end hears nothing of it, until it leaves by itself
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
