"""`websockets.broadcast`: the library's own server. A message of a client at /publish goes to all clients at /follow."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

followers: dict[ServerConnection, None] = {}


async def connected(connection: ServerConnection) -> None:
    if connection.request is not None and connection.request.path == "/publish":
        async for message in connection:
            broadcast(followers, message)
            await connection.send("done")
        return
    await connection.send("ready")
    followers[connection] = None
    try:
        await connection.wait_closed()
    finally:
        followers.pop(connection, None)


async def main() -> None:
    async with serve(connected, "127.0.0.1", int(sys.argv[1]), compression=None, ping_interval=None, backlog=4096):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(main())
