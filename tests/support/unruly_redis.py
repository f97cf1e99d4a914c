"""A proxy in front of Redis that loses, duplicates, delays and so reorders messages.

The proxy understands only two parts of the protocol: the length of a reply, and the form of a channel's message.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress

_LINES = b"+-:_#,("  # replies of one line
_BLOBS = b"$=!"  # a length, then that number of bytes
_LISTS = {b"*": 1, b"~": 1, b">": 1, b"%": 2}  # a length, then that number of replies (for a map twice the number)
LONGEST_DELAY_SECONDS = 0.4


async def reply(reader: asyncio.StreamReader) -> bytes:
    """Return the bytes of the next whole reply."""
    line = await reader.readline()
    if not line.endswith(b"\r\n"):
        raise asyncio.IncompleteReadError(line, None)
    kind, length = line[:1], line[1:-2]
    if kind in _LINES:
        return line
    if kind in _BLOBS:
        return line if length == b"-1" else line + await reader.readexactly(int(length) + 2)
    parts = [line]
    for _ in range(max(0, int(length)) * _LISTS[kind]):
        parts.append(await reply(reader))
    return b"".join(parts)


class UnrulyRedis:
    """Forwards all data to and from the Redis at a port, but disturbs a ``share`` of its messages."""

    def __init__(self, port: int, chance: random.Random) -> None:
        self._behind = port
        self._chance = chance
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server
        self.share = 0.0
        self.done: Counter[str] = Counter()
        self.port = 0

    async def start(self) -> None:
        """Start to listen."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, and reset all connections."""
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        behind = None
        try:
            behind = await asyncio.open_connection("127.0.0.1", self._behind)
            self._writers.add(behind[1])
            ways = [
                asyncio.create_task(self._to_redis(reader, behind[1])),
                asyncio.create_task(self._to_client(behind[0], writer)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass
        finally:
            for each in (writer, behind[1] if behind else writer):
                each.transport.abort()
                self._writers.discard(each)

    async def _to_redis(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()

    async def _to_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                whole = await reply(reader)
                match self._fate(whole):
                    case "dropped":
                        continue
                    case "late":  # the next replies overtake this one
                        loop.call_later(self._chance.uniform(0.0, LONGEST_DELAY_SECONDS), writer.write, whole)
                    case "twice":
                        writer.write(whole + whole)
                    case _:
                        writer.write(whole)
                await writer.drain()

    def _fate(self, whole: bytes) -> str:
        is_message = b"$7\r\nmessage\r\n" in whole[:24] or b"$8\r\nsmessage\r\n" in whole[:24]
        if not is_message or self._chance.random() >= self.share:
            return "passed"
        fate = self._chance.choice(("dropped", "twice", "late"))
        self.done[fate] += 1
        return fate
