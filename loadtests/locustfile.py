"""A clinic under load: receptionists and rooms that work the queue, and screens that check their views.

    nowserving seed --points 20 --tickets 100 --displays 50 --json > seed.json
    NOWSERVING_SEED_FILE=seed.json locust -f loadtests/locustfile.py --headless -u 40 -r 10 -t 60s \\
        --host http://127.0.0.1:8000 --exit-code-on-error 1

Set ``NOWSERVING_RATE_LIMITS=off`` for the server: few sessions do the work of many here. Every receptionist and every room
works at a point of its own, so seed at least one for each (half of ``-u``). Displays share the seeded displays; a server
accepts 20 streams for each by default. Patients follow the seeded tickets, then the issued ones. Run the test against the
server itself, or raise the proxy's limits: nginx takes all these users for one clinic.

``SSE announcement seen`` is the time from a call, by the server's clock, to its arrival here. On two machines, the clocks
must agree. ``SSE console`` is the time from the answer to a room's command until its console shows the step.
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
from locust import HttpUser, between, constant, events, task
from locust.env import Environment
from locust.exception import StopUser
from requests import Response

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # Locust imports only from its own start folder

from loadtests.following import SEEN_WITHIN_SECONDS, STEP_SECONDS, Follower, record
from loadtests.screen import Untrue

COMMANDS = "/api/v1/commands"
NO_SHOWS = 0.1
REQUEST_SECONDS = 10.0  # a hanging server is a failure and cannot block the end of a run
OPEN = frozenset({"waiting", "called", "serving", "held"})  # states of a ticket with further changes
# The expected refusals of a receptionist; every other refusal is a failure.
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
_tickets: deque[str] = deque(each["token"] for each in SEED["tickets"])  # tickets without a follower
_watching: set[HttpUser] = set()  # displays that have a snapshot
_watched_calls: list[float] = []  # times of calls while at least one display watched (monotonic)


class Staff(HttpUser):
    """A member of staff at a point of the own."""

    abstract = True

    def on_start(self) -> None:
        """Take a point and sign in."""
        self.point_id: int | None = None
        self.access_token = self.refresh_token = ""
        if not _free_points:
            problem = RuntimeError("more receptionists than points: seed more, with --points")
            record(self.environment, "setup", "take a point", 0, problem)
            raise StopUser
        self.point_id = _free_points.popleft()
        self.client.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # an API client, not a browser
        self.member = next(_receptionists)
        if not self._sign_in():
            raise StopUser

    def on_stop(self) -> None:
        """Sign out and release the point."""
        if self.point_id is not None:
            _free_points.append(self.point_id)
        if self.access_token:
            self.client.delete("/api/v1/session", headers=self._bearer(), timeout=REQUEST_SECONDS)

    def _pause(self) -> None:
        self.wait()  # type: ignore[no-untyped-call]  # Locust's own: a user may be stopped while it waits here

    def _command(self, name: str, **body: Any) -> dict[str, Any] | None:
        """Run a command, once; return its answer, or None after a refusal."""
        key = {"Idempotency-Key": str(uuid.uuid4())}
        return self._signed_in("POST", f"{COMMANDS}/{name}", None, headers=key, json=body)

    def _signed_in(
        self, method: str, path: str, name: str | None, headers: dict[str, str] | None = None, **options: Any
    ) -> dict[str, Any] | None:
        """Send a request; if the access token has expired (after 15 minutes), refresh it and send the request again."""
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


class Receptionist(Staff):
    """Issues tickets; calls, serves and completes at a point of its own."""

    wait_time = between(0.5, 1.5)

    @task
    def serve_a_patient(self) -> None:
        """Issue a ticket; call the next patient and serve them, or record a no-show."""
        issued = self._command("issue-ticket", queue_id=random.choice(SEED["queue_ids"]))
        if issued is not None:
            _tickets.append(issued["token"])
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

    def _at_my_point(self) -> tuple[int | None, str]:
        """Return the guest that an interrupted run left at the point, and the guest's state."""
        answer = self._signed_in("GET", f"/api/v1/sites/{SEED['site_id']}/board", "/api/v1/sites/[id]/board")
        if answer is None:
            return None, ""
        entry_id = answer["cells"][f"point:{self.point_id}"]["entry"]
        return entry_id, answer["cells"][f"entry:{entry_id}"]["state"] if entry_id is not None else ""


class Room(Staff):
    """A clinician at a point: follows the console, calls, serves, completes. The console must show each step at once."""

    wait_time = between(0.5, 1.5)

    def on_start(self) -> None:
        """Take a point, sign in, and open the console."""
        self.watcher: gevent.Greenlet[..., None] | None = None
        super().on_start()
        path = f"/live/points/{self.point_id}"
        self.console = Follower(self, path, "/live/points/[id]", lambda: self.access_token)
        self.watcher = gevent.spawn(self._watch)

    def on_stop(self) -> None:
        """Close the console and release the point."""
        if self.watcher is not None:
            self.watcher.kill()
            self.console.hang_up()
        super().on_stop()

    @task
    def serve_a_patient(self) -> None:
        """Call, start and complete the next patient; the console must show the guest after each step."""
        answer = self._command("call-next", point_id=self.point_id)
        for name in ("start", "complete", None):
            if answer is None:
                return
            entry = answer["entry"]
            self._await(answer["seq"], entry["id"] if entry["state"] in ("called", "serving") else None)
            self._pause()
            answer = self._command(name, entry_id=entry["id"]) if name else None

    def _watch(self) -> None:
        while True:
            self.console.step()

    def _await(self, seq: int, guest: int | None) -> None:
        """Wait until the console has reached ``seq``; it must then show ``guest``."""
        began = time.monotonic()
        if not self.console.watching:
            return  # without a snapshot (at the start, or after a loss) the digest checks the view
        while self.console.screen.seq < seq:
            if time.monotonic() - began > SEEN_WITHIN_SECONDS:
                late = Untrue(f"at {self.console.screen.seq} when {seq} was answered {SEEN_WITHIN_SECONDS} s ago")
                record(self.environment, "SSE", "console", 0, late)
                return
            gevent.sleep(0.01)
        shown = self.console.screen.cells.get("guest", {}).get("entry")
        problem = None if shown == guest else Untrue(f"{shown} is shown as who is in, {guest} is")
        record(self.environment, "SSE", "console", (time.monotonic() - began) * 1000, problem)


class WaitingRoomDisplay(HttpUser):
    """Follows a display's stream."""

    wait_time = constant(0)

    def on_start(self) -> None:
        """Choose a display."""
        display = next(_displays)
        self.follower = Follower(self, f"/live/displays/{display['id']}", "/live/displays/[id]", lambda: display["token"])

    def on_stop(self) -> None:
        """Close the stream."""
        _watching.discard(self)
        self.follower.hang_up()

    @task
    def watch(self) -> None:
        """Take the received messages."""
        self.follower.step()
        (_watching.add if self.follower.watching else _watching.discard)(self)


class Patient(HttpUser):
    """Follows a ticket on a phone until the visit is over, and then the next one."""

    wait_time = constant(0)

    def on_start(self) -> None:
        """Start without a ticket."""
        self.follower: Follower | None = None

    def on_stop(self) -> None:
        """Close the stream."""
        if self.follower is not None:
            self.follower.hang_up()

    @task
    def watch(self) -> None:
        """Take the received messages, or the next ticket without a follower."""
        ticket = self.follower.screen.cells.get("ticket") if self.follower is not None else None
        if self.follower is None or self.follower.over or (ticket is not None and ticket["state"] not in OPEN):
            self.on_stop()
            if not _tickets:
                gevent.sleep(STEP_SECONDS)
                return
            self.follower = Follower(self, f"/live/tickets/{_tickets.popleft()}", "/live/tickets/[token]")
        self.follower.step()


def _error_code(response: Response) -> str:
    try:
        return str(response.json()["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "(no error code)"


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def _something_was_seen(environment: Environment, **_: Any) -> None:
    """Fail a run with calls in front of a display if no display ever showed a call."""
    called = _watched_calls and time.monotonic() - _watched_calls[0] > SEEN_WITHIN_SECONDS
    if called and ("announcement seen", "SSE") not in environment.stats.entries:
        record(environment, "SSE", "announcement seen", 0, Untrue("patients were called, and no display saw it"))
