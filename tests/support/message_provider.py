"""A provider of messages on loopback, and the channel that calls it."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from server.notifying.channels.channel import Accepted, Channel, ChannelBusy, ChannelRefused, Message, Reaches


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider does with a call. It ``accepts`` the message or not, and then answers after some seconds."""

    status: int = 202
    seconds: float = 0.0
    accepts: bool = True


ACCEPTED = Answer()
BUSY = Answer(429, accepts=False)
REFUSED = Answer(400, accepts=False)
LOST = Answer(500)  # accepted, but the answer does not say so


@dataclass
class Provider:
    """A running provider. ``script`` decides each call by its number from 1 on, and by the number of calls for its key.

    ``accepted`` counts the accepted messages by key. A provider that honours keys accepts each key once.
    """

    script: Callable[[int, int], Answer]
    honours_key: bool
    url: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key: str) -> Answer:
        """Take a call for a message; return how to answer."""
        with self.lock:
            self.calls[key] += 1
            answer = self.script(self.calls.total(), self.calls[key])
            if answer.accepts and not (self.honours_key and key in self.accepted):
                self.accepted[key] += 1
            return answer


@contextmanager
def provider(script: Callable[[int, int], Answer], *, honours_key: bool = False) -> Iterator[Provider]:
    """Run a provider."""
    running = Provider(script, honours_key)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = running.take(content["key"])
            time.sleep(answer.seconds)
            self.send_response(answer.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def handle_error(self, *_: object) -> None:
            """A killed worker closes its connections in the middle of a call."""

    with Server(("127.0.0.1", 0), Handler) as server:
        running.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield running
        finally:
            server.shutdown()
            thread.join()


class HttpChannel:
    """Calls a `Provider`."""

    name = "http"
    reaches: Reaches = "phone"

    def __init__(self, url: str, *, honours_key: bool = False) -> None:
        self.honours_key = honours_key
        self._client = httpx.AsyncClient(base_url=url, timeout=None, limits=httpx.Limits(max_connections=20))

    def receipt_name(self, key: str) -> None:
        pass

    def circuit(self, to: str) -> str:
        return "http:1"

    async def send(self, message: Message) -> Accepted:
        answer = await self._client.post("/", json={"key": message.key, "to": message.to})
        if answer.status_code in (429, 503):
            raise ChannelBusy()
        if answer.status_code == 400:
            raise ChannelRefused("rejected")
        answer.raise_for_status()
        return Accepted(f"provider:{message.key}")

    async def close(self) -> None:
        await self._client.aclose()


class Everywhere:
    """A directory in which one channel stands for every way; None stands for no channel."""

    def __init__(self, channel: Channel | None) -> None:
        self.channel = channel

    async def of(self, organisation_id: int, way: str) -> Channel | None:
        return self.channel

    async def close(self) -> None:
        pass
