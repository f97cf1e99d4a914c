"""A receiver of webhooks on the loopback address, which verifies each request with the published library."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.support.processes import wait_until
from tests.support.providers import HttpProvider, Request, serving


@dataclass
class Receiver:
    """Takes the requests that one of ``secrets`` verifies. ``events`` are their payloads, ``ids`` their ids, in order."""

    secrets: list[str] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    http: HttpProvider = field(init=False)

    def __post_init__(self) -> None:
        self.http = HttpProvider(self._accept)

    @property
    def url(self) -> str:
        """The address of the receiver."""
        return f"http://127.0.0.1:{self.http.port}/events"

    @property
    def numbers(self) -> list[int]:
        """The numbers of the events, in order."""
        return [each["number"] for each in self.events]

    def _accept(self, request: Request) -> tuple[int, dict[str, Any]]:
        if not any(_verifies(secret, request) for secret in self.secrets):
            return 401, {}
        self.ids.append(request.headers["webhook-id"])
        self.events.append(json.loads(request.body))
        self.bodies.append(request.body)
        return 200, {}


def _verifies(secret: str, request: Request) -> bool:
    try:
        Webhook(secret).verify(request.body, request.headers)
    except WebhookVerificationError:
        return False
    return True


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Serve a receiver until the end of the block."""
    receiver = Receiver()
    async with serving(receiver.http):
        yield receiver


@contextmanager
def receiving_in_thread() -> Iterator[Receiver]:
    """Serve a receiver from a thread until the end of the block: for tests without a loop of their own."""
    made: list[Receiver] = []
    stopping = threading.Event()

    async def run() -> None:
        async with receiving() as receiver:
            made.append(receiver)
            await asyncio.to_thread(stopping.wait)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    wait_until(lambda: bool(made), "the receiver")
    try:
        yield made[0]
    finally:
        stopping.set()
        thread.join()
