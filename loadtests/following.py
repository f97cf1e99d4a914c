"""Follow a view like a screen, for a Locust user. Loss, staleness and an untrue screen count as failures."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import gevent
from gevent.queue import Empty, Queue
from locust import HttpUser
from locust.env import Environment
from requests import RequestException, Response

from loadtests.screen import Event, EventParser, Screen, Untrue

SILENT_HEARTBEATS = 2.5
LONGEST_RETRY_SECONDS = 30.0
SEEN_WITHIN_SECONDS = 5.0
STEP_SECONDS = 1.0  # the longest wait for a stop


class Follower:
    """Follows a view's stream, keeps its cells, and checks the promises of the server: call `step` repeatedly.

    Failures: a message with an earlier number, a digest that differs from the cells, an announcement more than five seconds
    late, silence for two and a half heartbeats, an end without a ``bye``, and a refusal. ``name`` stands for the address in
    the figures; each connection calls ``token``.
    """

    def __init__(self, user: HttpUser, path: str, name: str, token: Callable[[], str | None] = lambda: None) -> None:
        self.screen = Screen()
        self.over = False  # the view has ended
        self._user = user
        self._path = path
        self._name = name
        self._token = token
        self._response: Response | None = None
        self._reader: gevent.Greenlet[..., None] | None = None
        self._parser = EventParser()
        self._inbox: Queue[tuple[float, bytes | Exception | None]] = Queue()
        self._last_sign = 0.0  # monotonic
        self._failed_connections = 0

    @property
    def watching(self) -> bool:
        """Whether the follower is connected and has a snapshot."""
        return self._response is not None and bool(self.screen.cells)

    def step(self) -> None:
        """Take the received messages, for a second at most; connect when not connected."""
        if self._response is None:
            self._connect()
            return
        try:
            received_at, item = self._inbox.get(timeout=STEP_SECONDS)
        except Empty:
            silent_seconds = time.monotonic() - self._last_sign
            if silent_seconds > SILENT_HEARTBEATS * self.screen.heartbeat_seconds:
                self._fail("silence", f"nothing for {silent_seconds:.1f} s", forget=False)
            return
        self._last_sign = time.monotonic()
        if isinstance(item, bytes):
            for event in self._parser.feed(item):
                self._take(event, received_at, len(item))
                if self._response is None:
                    return
        else:
            self._fail("end of stream", "it ended without a bye" if item is None else repr(item), forget=False)

    def hang_up(self) -> None:
        """Close the connection. The next step opens another."""
        if self._reader is not None:
            self._reader.kill()
        if self._response is not None:
            self._response.close()
        self._reader = self._response = None

    def _take(self, event: Event, received_at: float, size: int) -> None:
        if event.name == "bye":
            if event.data["reason"] == "over-cap":
                self._fail("bye", "turned away: over-cap", forget=False)
            self.over = event.data["reason"] == "ended"
            self.hang_up()
            if not self.over:
                come_back(event.data["retry_ms"] / 1000)
            return
        try:
            announcements = self.screen.take(event)
        except Untrue as error:
            self._fail(event.name, str(error), forget=True)
            return
        for each in announcements:
            late = max(0.0, received_at * 1000 - each["at"])
            problem = Untrue(f"{late:.0f} ms late") if late > SEEN_WITHIN_SECONDS * 1000 else None
            record(self._user.environment, "SSE", "announcement seen", late, problem, size)
        if event.name == "heartbeat":
            record(self._user.environment, "SSE", "heartbeat", max(0.0, received_at * 1000 - event.data["at"]), size=size)

    def _connect(self) -> None:
        headers = {"Accept": "text/event-stream"}
        if (token := self._token()) is not None:
            headers["Authorization"] = f"Bearer {token}"
        if self.screen.id is not None:
            headers["Last-Event-ID"] = self.screen.id
        with self._user.client.get(
            self._path, headers=headers, stream=True, name=self._name, catch_response=True
        ) as response:
            kind = response.headers.get("Content-Type", "")
            if response.status_code != 200 or not kind.startswith("text/event-stream"):
                response.failure(f"{response.status_code} {kind}")
                response.close()
                self._failed_connections += 1
                come_back(min(LONGEST_RETRY_SECONDS, 2.0 ** min(self._failed_connections, 6) / 2))
                return
        self._failed_connections = 0
        self._parser = EventParser()
        self._inbox = Queue()
        self._response = response
        self._last_sign = time.monotonic()
        self._reader = gevent.spawn(_read, response, self._inbox)

    def _fail(self, name: str, problem: str, *, forget: bool) -> None:
        """Record a failure and reconnect: at the last position, or without one if the screen was untrue."""
        record(self._user.environment, "SSE", name, 0, Untrue(problem))
        self.hang_up()
        if forget:
            self.screen = Screen()


def come_back(seconds: float) -> None:
    """Wait a random time before the next connection, so that followers do not all return at once."""
    gevent.sleep(min(seconds, LONGEST_RETRY_SECONDS) * random.uniform(0.5, 1.0))


def record(
    environment: Environment, kind: str, name: str, milliseconds: float, problem: Exception | None = None, size: int = 0
) -> None:
    """Count in Locust's figures an operation that is no request of its own client."""
    environment.events.request.fire(  # type: ignore[no-untyped-call]
        request_type=kind, name=name, response_time=milliseconds, response_length=size, exception=problem, context={}
    )


def _read(response: Response, inbox: Queue[tuple[float, bytes | Exception | None]]) -> None:
    """Queue each received chunk with its arrival time; the last item is empty."""
    try:
        for chunk in response.iter_content(chunk_size=None):
            inbox.put((time.time(), chunk))
        inbox.put((time.time(), None))
    except (RequestException, OSError) as error:
        inbox.put((time.time(), error))
