"""A proxy in front of a database of the MySQL family that loses commits: the COMMIT itself, or the answer to it.

The proxy understands only two parts of the protocol: the packet header, and the query command.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal

from sqlalchemy import URL, make_url

# "answer": the database commits, and the client gets no answer. "commit": the database never gets the COMMIT.
Loss = Literal["answer", "commit"]
_QUERY = 0x03
_DONE = 0x00
_WRITES = (b"INSERT", b"UPDATE", b"DELETE")


class LossyProxy:
    """Forwards all packets except the ordered losses. Each loss cuts the connection."""

    def __init__(self, url: str) -> None:
        self._behind = make_url(url)
        self._orders: list[tuple[Loss, bytes]] = []
        self._then: dict[bytes, Callable[[], None]] = {}
        self._share = 0.0
        self._chance = random.Random(0)
        self.port = 0
        self.lost: list[tuple[Loss, bytes]] = []

    @property
    def url(self) -> str:
        """The database URL through this proxy."""
        through: URL = self._behind.set(host="127.0.0.1", port=self.port)
        return through.render_as_string(hide_password=False)

    def lose(self, what: Loss, word: str, then: Callable[[], None] = lambda: None) -> None:
        """Lose one commit: the next of a transaction that wrote a statement containing ``word``.

        The proxy's thread calls ``then`` after the database has committed and before the client can know.
        """
        self._then[word.encode()] = then
        self._orders.append((what, word.encode()))

    def lose_at_random(self, share: float, seed: int = 0) -> None:
        """Lose a share of all commits of writing transactions from now on, each kind of loss at random; 0 ends this."""
        self._share, self._chance = share, random.Random(seed)

    def _loss_of(self, written: bytes) -> Loss | None:
        """Return the loss for a transaction that has written these statements, or None."""
        for order in self._orders:
            if order[1] in written:
                self._orders.remove(order)
                self.lost.append(order)
                return order[0]
        if written and self._chance.random() < self._share:
            what: Loss = self._chance.choice(("answer", "commit"))
            self.lost.append((what, b""))
            return what
        return None

    async def serve(self, ready: threading.Event) -> None:
        """Serve until `stop`."""
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stopped.wait()
        server.close()

    def stop(self) -> None:
        """Stop serving. Any thread may call this."""
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind = await asyncio.open_connection(self._behind.host, self._behind.port)
        except OSError:
            writer.transport.abort()
            return
        await _Session(self, (reader, writer), behind).run()


class _Session:
    """One client connection, and its connection to the database."""

    def __init__(
        self,
        proxy: LossyProxy,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        behind: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._proxy, self._client, self._behind = proxy, client, behind
        self._written = b""  # the writing statements of this transaction
        self._swallowing = False

    async def run(self) -> None:
        """Forward both directions until one side disconnects or a loss happens. Then cut both connections."""
        ways: list[Coroutine[Any, Any, None]] = [self._from_client(), self._from_behind()]
        tasks = [asyncio.create_task(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for writer in (self._client[1], self._behind[1]):
                writer.transport.abort()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _from_client(self) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                header = await self._client[0].readexactly(4)
                payload = await self._client[0].readexactly(int.from_bytes(header[:3], "little"))
                loss = self._loss_at(payload) if header[3] == 0 else None
                if loss == "commit":
                    return
                self._swallowing = loss == "answer"
                self._behind[1].write(header + payload)
                await self._behind[1].drain()

    def _loss_at(self, payload: bytes) -> Loss | None:
        """Follow the transactions of the client's commands; return the loss for this command, or None."""
        if not payload or payload[0] != _QUERY:
            return None
        text = payload[1:]
        if text not in (b"COMMIT", b"ROLLBACK"):
            self._written += text if text.startswith(_WRITES) else b""
            return None
        written, self._written = self._written, b""
        return self._proxy._loss_of(written) if text == b"COMMIT" else None

    async def _from_behind(self) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                header = await self._behind[0].readexactly(4)
                payload = await self._behind[0].readexactly(int.from_bytes(header[:3], "little"))
                if self._swallowing:
                    assert payload[0] == _DONE, "the database did not commit"
                    self._proxy._then.pop(self._proxy.lost[-1][1], lambda: None)()
                    return
                self._client[1].write(header + payload)
                await self._client[1].drain()


@contextmanager
def lossy_proxy(url: str) -> Iterator[LossyProxy]:
    """Run a proxy in front of a database, in its own thread."""
    proxy, ready = LossyProxy(url), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(proxy.serve(ready)))
    thread.start()
    try:
        assert ready.wait(60)
        yield proxy
    finally:
        proxy.stop()
        thread.join(60)
