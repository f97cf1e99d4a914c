"""A clinic under load: receptionists who work the queue, and waiting-room displays that check what they are shown.

    nowserving seed --points 20 --tickets 100 --displays 50 --json > seed.json
    NOWSERVING_SEED_FILE=seed.json locust -f loadtests/locustfile.py --headless -u 40 -r 10 -t 60s \\
        --host http://127.0.0.1:8000 --exit-code-on-error 1

Set ``NOWSERVING_RATE_LIMITS=off`` for the server: few sessions do the work of many here. Every receptionist works at a point
of its own, so seed at least one for each (half of ``-u``). Displays share what is seeded; a server takes 20 streams for each
unless told otherwise. Run it against the server itself, or raise the proxy's limits: nginx takes all these users for one
clinic. ``SSE announcement seen`` is the time from a call, by the server's
clock, to its arrival here: on two machines, their clocks must agree.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import sys
import time
import uuid
from collections import deque
from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import gevent
from gevent.queue import Empty, Queue
from locust import HttpUser, between, constant, events, task
from locust.env import Environment
from locust.exception import StopUser
from requests import RequestException, Response

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # Locust knows only the folder it was started in

from loadtests.screen import Event, EventParser, Screen, Untrue

COMMANDS = "/api/v1/commands"
NO_SHOWS = 0.1
SILENT_HEARTBEATS = 2.5
LONGEST_RETRY_SECONDS = 30.0
REQUEST_SECONDS = 10.0  # a server that hangs is a failure, and never keeps a run from ending
SEEN_WITHIN_SECONDS = 5.0
# What may well happen to a receptionist who calls; everything else that is refused is a failure.
EXPECTED = frozenset({"nobody_waiting", "point_busy"})


def _read_seed() -> dict[str, Any]:
    path = os.environ.get("NOWSERVING_SEED_FILE")
    if not path:
        raise SystemExit("NOWSERVING_SEED_FILE: name the file that `nowserving seed --json` wrote")
    seed: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return seed


SEED = _read_seed()
_free_points: deque[int] = deque(SEED["point_ids"])
_receptionists: Iterator[dict[str, Any]] = itertools.cycle(
    [member for member in SEED["staff"] if member["role"] == "receptionist"]
)
_displays: Iterator[dict[str, Any]] = itertools.cycle(SEED["displays"])
_watching: set[HttpUser] = set()  # displays that have a snapshot
_watched_calls: list[float] = []  # when patients were called while at least one display watched (monotonic)


class Receptionist(HttpUser):
    """Issues tickets, and calls, serves and completes at a point of its own."""

    wait_time = between(0.5, 1.5)

    def on_start(self) -> None:
        """Take a point and sign in."""
        self.point_id: int | None = None
        self.access_token = self.refresh_token = ""
        if not _free_points:
            problem = RuntimeError("more receptionists than points: seed more, with --points")
            _record(self.environment, "setup", "take a point", 0, problem)
            raise StopUser
        self.point_id = _free_points.popleft()
        self.client.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # an API client, not a browser
        self.member = next(_receptionists)
        if not self._sign_in():
            raise StopUser

    def on_stop(self) -> None:
        """Sign out, and leave the point to the next one."""
        if self.point_id is not None:
            _free_points.append(self.point_id)
        if self.access_token:
            self.client.delete("/api/v1/session", headers=self._bearer(), timeout=REQUEST_SECONDS)

    @task
    def serve_a_patient(self) -> None:
        """One patient arrives; the next one is called and served, or does not come."""
        self._command("issue-ticket", queue_id=random.choice(SEED["queue_ids"]))
        self._pause()
        answer = self._command("call-next", point_id=self.point_id)
        if answer is None:
            entry_id, state = self._at_my_point()
        else:
            entry_id, state = answer["entry"]["id"], "called"
            if _watching:
                _watched_calls.append(time.monotonic())
        if entry_id is None:
            return
        if state == "called":
            self._pause()
            if random.random() < NO_SHOWS:
                self._command("no-show", entry_id=entry_id)
                return
            self._command("start", entry_id=entry_id)
        self._pause()
        self._command("complete", entry_id=entry_id)

    def _pause(self) -> None:
        self.wait()  # type: ignore[no-untyped-call]  # Locust's own: a user may be stopped while it waits here

    def _at_my_point(self) -> tuple[int | None, str]:
        """Return who is at the point, left by a run that was cut short, and their state."""
        answer = self._signed_in("GET", f"/api/v1/sites/{SEED['site_id']}/board", "/api/v1/sites/[id]/board")
        if answer is None:
            return None, ""
        entry_id = answer["cells"][f"point:{self.point_id}"]["entry"]
        return entry_id, answer["cells"][f"entry:{entry_id}"]["state"] if entry_id is not None else ""

    def _command(self, name: str, **body: Any) -> dict[str, Any] | None:
        """Do a command, once; return its answer, or None if it was refused."""
        key = {"Idempotency-Key": str(uuid.uuid4())}
        return self._signed_in("POST", f"{COMMANDS}/{name}", None, headers=key, json=body)

    def _signed_in(
        self, method: str, path: str, name: str | None, headers: dict[str, str] | None = None, **options: Any
    ) -> dict[str, Any] | None:
        """Send a request; when the access token's quarter of an hour is over, refresh it and send the same again."""
        for attempt in (1, 2):
            with self.client.request(
                method,
                path,
                name,
                catch_response=True,
                headers={**self._bearer(), **(headers or {})},
                timeout=REQUEST_SECONDS,
                **options,
            ) as response:
                if response.status_code == 200:
                    answer: dict[str, Any] = response.json()
                    return answer
                code = _error_code(response)
                if response.status_code == 401 and attempt == 1:
                    response.success()
                elif response.status_code == 409 and code in EXPECTED and path.endswith("/call-next"):
                    response.success()
                    return None
                else:
                    response.failure(f"{response.status_code} {code}")
                    return None
            if not (self._refresh() or self._sign_in()):
                return None
        return None

    def _sign_in(self) -> bool:
        body = {"username": self.member["username"], "password": self.member["password"]}
        return self._tokens(self.client.post("/api/v1/session", json=body, timeout=REQUEST_SECONDS))

    def _refresh(self) -> bool:
        body = {"refresh_token": self.refresh_token}
        return self._tokens(self.client.post("/api/v1/session/refresh", json=body, timeout=REQUEST_SECONDS))

    def _tokens(self, response: Response) -> bool:
        if response.status_code != 200:
            return False
        body = response.json()
        self.access_token, self.refresh_token = body["access_token"], body["refresh_token"]
        return True

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}


class WaitingRoomDisplay(HttpUser):
    """Follows a display's stream, keeps its cells, and holds the server to what it promises.

    Failures: a message that goes back behind one already seen, a digest that is not that of the cells, nothing for two
    and a half heartbeats, an end without a ``bye``, and being turned away.
    """

    wait_time = constant(0)

    def on_start(self) -> None:
        """Choose a display."""
        self.display = next(_displays)
        self.screen = Screen()
        self.response: Response | None = None
        self.reader: gevent.Greenlet[..., None] | None = None
        self.parser = EventParser()
        self.inbox: Queue[tuple[float, bytes | Exception | None]] = Queue()
        self.last_sign = 0.0  # monotonic
        self.failed_connections = 0

    def on_stop(self) -> None:
        """Hang up."""
        self._hang_up()

    @task
    def watch(self) -> None:
        """Take what has come, for a second at most, so that a stop is never waited for; connect when not connected."""
        if self.response is None:
            self._connect()
            return
        try:
            received_at, item = self.inbox.get(timeout=1.0)
        except Empty:
            silent_seconds = time.monotonic() - self.last_sign
            if silent_seconds > SILENT_HEARTBEATS * self.screen.heartbeat_seconds:
                self._fail("silence", f"nothing for {silent_seconds:.1f} s", forget=False)
            return
        self.last_sign = time.monotonic()
        if isinstance(item, bytes):
            for event in self.parser.feed(item):
                self._take(event, received_at, len(item))
                if self.response is None:
                    return
        else:
            self._fail("end of stream", "it ended without a bye" if item is None else repr(item), forget=False)

    def _take(self, event: Event, received_at: float, size: int) -> None:
        if event.name == "bye":
            if event.data["reason"] == "over-cap":
                self._fail("bye", "turned away: over-cap", forget=False)
            self._hang_up()
            self._come_back(event.data["retry_ms"] / 1000)
            return
        try:
            announcements = self.screen.take(event)
        except Untrue as error:
            self._fail(event.name, str(error), forget=True)
            return
        _watching.add(self)
        for each in announcements:
            late = max(0.0, received_at * 1000 - each["at"])
            _record(self.environment, "SSE", "announcement seen", late, size=size)
        if event.name == "heartbeat":
            _record(self.environment, "SSE", "heartbeat", max(0.0, received_at * 1000 - event.data["at"]), size=size)

    def _connect(self) -> None:
        headers = {"Authorization": f"Bearer {self.display['token']}", "Accept": "text/event-stream"}
        if self.screen.id is not None:
            headers["Last-Event-ID"] = self.screen.id
        name = "/live/displays/[id]"
        path = f"/live/displays/{self.display['id']}"
        with self.client.get(path, headers=headers, stream=True, name=name, catch_response=True) as response:
            kind = response.headers.get("Content-Type", "")
            if response.status_code != 200 or not kind.startswith("text/event-stream"):
                response.failure(f"{response.status_code} {kind}")
                response.close()
                self.failed_connections += 1
                self._come_back(min(LONGEST_RETRY_SECONDS, 2.0 ** min(self.failed_connections, 6) / 2))
                return
        self.failed_connections = 0
        self.parser = EventParser()
        self.inbox = Queue()
        self.response = response
        self.last_sign = time.monotonic()
        self.reader = gevent.spawn(_read, response, self.inbox)

    def _fail(self, name: str, problem: str, *, forget: bool) -> None:
        """Record a failure and begin anew: where the screen was, or with nothing when what it knew was untrue."""
        _record(self.environment, "SSE", name, 0, Untrue(problem))
        self._hang_up()
        if forget:
            self.screen = Screen()

    def _hang_up(self) -> None:
        if self.reader is not None:
            self.reader.kill()
        if self.response is not None:
            self.response.close()
        self.reader = self.response = None
        _watching.discard(self)

    @staticmethod
    def _come_back(seconds: float) -> None:
        gevent.sleep(min(seconds, LONGEST_RETRY_SECONDS) * random.uniform(0.5, 1.0))


def _read(response: Response, inbox: Queue[tuple[float, bytes | Exception | None]]) -> None:
    """Pass on what comes, with the time at which it came; the last item is no bytes."""
    try:
        for chunk in response.iter_content(chunk_size=None):
            inbox.put((time.time(), chunk))
        inbox.put((time.time(), None))
    except (RequestException, OSError) as error:
        inbox.put((time.time(), error))


def _error_code(response: Response) -> str:
    try:
        return str(response.json()["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "(no error code)"


def _record(
    environment: Environment, kind: str, name: str, milliseconds: float, problem: Exception | None = None, size: int = 0
) -> None:
    environment.events.request.fire(  # type: ignore[no-untyped-call]
        request_type=kind, name=name, response_time=milliseconds, response_length=size, exception=problem, context={}
    )


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def _something_was_seen(environment: Environment, **_: Any) -> None:
    """Fail a run in which a patient was called in front of a display, and no display ever showed a call."""
    called = _watched_calls and time.monotonic() - _watched_calls[0] > SEEN_WITHIN_SECONDS
    if called and ("announcement seen", "SSE") not in environment.stats.entries:
        _record(environment, "SSE", "announcement seen", 0, Untrue("patients were called, and no display saw it"))
