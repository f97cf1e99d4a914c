"""A site whose pages have words about waits: a cause, a time to leave, one that became earlier, and a delay."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.seeding import Seed
from tests.support.appointments import appointments_today
from tests.support.processes import wait_until
from tests.support.rows import change, rows
from tests.support.server import Server, serving

MINUTE = 60_000_000
AHEAD = 10


@dataclass(frozen=True)
class Worded:
    """A site in a database of its own, before its clock has told any word. ``tickets`` and ``booked`` are answers."""

    env: dict[str, str]
    seeded: Seed
    tickets: list[dict[str, Any]]
    booked: dict[str, Any]

    def told(self, column: str, like: str) -> bool:
        """Return whether the entry of the last ticket has such a value."""
        statement = f"SELECT id FROM entries WHERE id = :id AND {column} LIKE :value"
        return bool(rows(self.env, statement, id=self.tickets[-1]["entry"]["id"], value=like))

    def do(self, server: Server, command: str, /, **body: object) -> dict[str, Any]:
        """Send a command of a receptionist."""
        with server.client(server.sign_in(self.seeded, "receptionist")) as client:
            answer = client.post(f"/api/v1/commands/{command}", json=body)
        assert answer.status_code == 200, (command, answer.text)
        found: dict[str, Any] = answer.json()
        return found

    def tell(self, server: Server) -> None:
        """Wait for the times to leave, and for the cause after an emergency."""
        wait_until(lambda: self.told("leave_until", "%"), "the time to leave", server.process)
        self.do(server, "issue-ticket", queue_id=self.seeded["queue_ids"][0], priority="emergency")
        wait_until(lambda: self.told("told", "%emergency%"), "the cause", server.process)


def worded(env: Mapping[str, str], folder: Path) -> Worded:
    """Make the site: ten patients wait for a doctor whose services take ten minutes, two of them with an appointment."""
    own = {**env, "NOWSERVING_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'words.db'}"}
    day = appointments_today(own, starts=(15,), points=1, tickets=AHEAD, displays=1, providers=1)
    seeded = day.seeded
    (late,) = day.appointments.values()
    with serving(own, folder, name="words-before") as server:
        made = Worded(own, seeded, [], {})
        made.do(server, "call-next", point_id=seeded["point_ids"][0])
        made.do(server, "check-in", appointment_id=late["id"])
        body = {"service_id": seeded["service_ids"][0], "local_start": day.local(45), "name": "Ada Lovelace"}
        booked = made.do(server, "book", site_id=seeded["site_id"], **body)
        made.do(server, "check-in", appointment_id=booked["appointment"]["id"])
        tickets = [made.do(server, "issue-ticket", queue_id=seeded["queue_ids"][0]) for _ in range(2)]
    # A server reads these rows at its start: fifty known services, a patient who waits past an appointment, and a first
    # time to leave that was far too late.
    ago, now = 30 * MINUTE, time.time_ns() // 1000
    change(own, "UPDATE queues SET durations = :usual", usual=json.dumps([10 * MINUTE] * 60))
    change(own, "UPDATE appointments SET starts_at = starts_at - :ago WHERE id = :id", ago=2 * ago, id=late["id"])
    change(own, "UPDATE visits SET opened_at = opened_at - :ago WHERE appointment_id = :id", ago=ago, id=late["id"])
    said = {"said": now + 10_000 * MINUTE, "id": tickets[-1]["entry"]["id"]}
    change(own, "UPDATE entries SET quoted_leave = :said WHERE id = :id", **said)
    return Worded(own, seeded, tickets, booked)


@contextmanager
def site_with_words(env: Mapping[str, str], folder: Path) -> Iterator[tuple[Server, dict[str, str]]]:
    """Yield a server of such a site, and the paths of pages by what they say.

    These are a patient with a cause and a time to leave (``moved``), one whose time to leave became earlier (``leave``), a
    patient with an appointment (``appointment``), and a display with a delay (``delay``).
    """
    made = worded(env, folder)
    screen = made.seeded["displays"][0]
    with serving(made.env, folder, name="words") as server:
        made.tell(server)
        yield (
            server,
            {
                "moved": f"/t/{made.tickets[0]['token']}",
                "leave": f"/t/{made.tickets[1]['token']}",
                "appointment": f"/a/{made.booked['token']}",
                "delay": f"/display/{screen['id']}?token={screen['token']}",
            },
        )
