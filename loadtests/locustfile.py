"""A clinic under load: receptionists and rooms that work the queue, and screens that check what they are shown.

    nowserving seed --points 20 --tickets 100 --displays 50 --json > seed.json
    NOWSERVING_SEED_FILE=seed.json locust -f loadtests/locustfile.py --headless -u 40 -r 10 -t 60s \\
        --host http://127.0.0.1:8000 --exit-code-on-error 1

Set ``NOWSERVING_RATE_LIMITS=off`` for the server: few sessions do the work of many here. Every receptionist and every room
works at a point of its own, so seed at least one for each (half of ``-u``). Displays share what is seeded; a server takes 20
streams for each unless told otherwise. Patients follow the tickets that are seeded, then those that are issued. Run it
against the server itself, or raise the proxy's limits: nginx takes all these users for one clinic.

``SSE announcement seen`` is the time from a call, by the server's clock, to its arrival here: on two machines, their clocks
must agree. ``SSE console`` is the time from the answer to a room's command until its console shows it.
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

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # Locust knows only the folder it was started in

from loadtests.following import SEEN_WITHIN_SECONDS, STEP_SECONDS, Follower, record
from loadtests.screen import Untrue

COMMANDS = "/api/v1/commands"
NO_SHOWS = 0.1
REQUEST_SECONDS = 10.0  # a server that hangs is a failure, and never keeps a run from ending
OPEN = frozenset({"waiting", "called", "serving", "held"})  # states of a ticket that there is more to be told of
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
_tickets: deque[str] = deque(each["token"] for each in SEED["tickets"])  # that nobody follows
_watching: set[HttpUser] = set()  # displays that have a snapshot
_watched_calls: list[float] = []  # when patients were called while at least one display watched (monotonic)


class Staff(HttpUser):
    """A member of staff who works at a point of their own."""

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
        """Sign out, and leave the point to the next one."""
        if self.point_id is not None:
            _free_points.append(self.point_id)
        if self.access_token:
            self.client.delete("/api/v1/session", headers=self._bearer(), timeout=REQUEST_SECONDS)

    def _pause(self) -> None:
        self.wait()  # type: ignore[no-untyped-call]  # Locust's own: a user may be stopped while it waits here

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


class Receptionist(Staff):
    """Issues tickets, and calls, serves and completes at a point of its own."""

    wait_time = between(0.5, 1.5)

    @task
    def serve_a_patient(self) -> None:
        """One patient arrives; the next one is called and served, or does not come."""
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
        """Return who is at the point, left by a run that was cut short, and their state."""
        answer = self._signed_in("GET", f"/api/v1/sites/{SEED['site_id']}/board", "/api/v1/sites/[id]/board")
        if answer is None:
            return None, ""
        entry_id = answer["cells"][f"point:{self.point_id}"]["entry"]
        return entry_id, answer["cells"][f"entry:{entry_id}"]["state"] if entry_id is not None else ""


class Room(Staff):
    """A clinician at a point: follows its console, calls, serves, completes. The console must show each step at once."""

    wait_time = between(0.5, 1.5)

    def on_start(self) -> None:
        """Take a point, sign in, and open the console."""
        self.watcher: gevent.Greenlet[..., None] | None = None
        super().on_start()
        path = f"/live/points/{self.point_id}"
        self.console = Follower(self, path, "/live/points/[id]", lambda: self.access_token)
        self.watcher = gevent.spawn(self._watch)

    def on_stop(self) -> None:
        """Close the console, and leave."""
        if self.watcher is not None:
            self.watcher.kill()
            self.console.hang_up()
        super().on_stop()

    @task
    def serve_a_patient(self) -> None:
        """The next patient is called, comes in, and leaves: the console shows who is in after each step."""
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
        """Wait until the console has come so far; it must then show ``guest``."""
        began = time.monotonic()
        if not self.console.watching:
            return  # it has no snapshot yet, or is coming back: what it shows then is judged by its digest
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
        """Hang up."""
        _watching.discard(self)
        self.follower.hang_up()

    @task
    def watch(self) -> None:
        """Take what has come."""
        self.follower.step()
        (_watching.add if self.follower.watching else _watching.discard)(self)


class Patient(HttpUser):
    """Follows a ticket on a phone until the visit is over, and then the next one."""

    wait_time = constant(0)

    def on_start(self) -> None:
        """Hold no ticket yet."""
        self.follower: Follower | None = None

    def on_stop(self) -> None:
        """Put the phone away."""
        if self.follower is not None:
            self.follower.hang_up()

    @task
    def watch(self) -> None:
        """Take what has come, or a ticket that nobody follows."""
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
    """Fail a run in which a patient was called in front of a display, and no display ever showed a call."""
    called = _watched_calls and time.monotonic() - _watched_calls[0] > SEEN_WITHIN_SECONDS
    if called and ("announcement seen", "SSE") not in environment.stats.entries:
        record(environment, "SSE", "announcement seen", 0, Untrue("patients were called, and no display saw it"))
