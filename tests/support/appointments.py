"""A site with a day of appointments: some are over, some patients are late, and others come later.

Nobody can book a time that is over, so the site is made by a clock that is behind. Its time zone is one in which it is about
noon now, so that no test depends on the hour.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from server.clock import SteadyClock
from server.domain.commands import AddException, Book
from server.domain.errors import SlotNotOffered
from server.execute import Executor
from server.seeding import Seed, Seeder
from server.store.database import Database
from tests.support.migrated import bring_up
from tests.support.passwords import quick_passwords
from tests.support.server import vault

BEHIND_MINUTES = 180
TRIES = 5  # a running server may be quicker with its first look at the new site
NAMES = (
    "Amina Haddad",
    "Bo Lindqvist",
    "Carla Mendes",
    "Dmitri Volkov",
    "Edith Okafor",
    "Farid Nasser",
    "Grace O'Neill",
    "Maximiliane Oberhuber-Dimitropoulou",
    "Hiro Tanaka",
    "In\u00e9s Castro",
)


class _SlowClock(SteadyClock):
    """A clock that is behind, and does not notice."""

    __slots__ = ("_slow_by",)

    def __init__(self, minutes: int) -> None:
        super().__init__()
        self._slow_by = minutes * 60_000_000
        self.offset -= self._slow_by

    def read(self, reading: int, asked: int | None = None) -> int:
        return super().read(reading - self._slow_by, asked)

    def learn(self, offset: int | None) -> None:
        super().learn(None if offset is None else offset - self._slow_by)


@dataclass
class Day:
    """A seeded site, its date, the time of the site's clock, and its appointments by the patient's name."""

    seeded: Seed
    time_zone: str
    now: datetime  # by the site's clock, without a zone
    appointments: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def date(self) -> str:
        return self.now.date().isoformat()

    def local(self, minutes: int) -> str:
        """Return the local time so many minutes from now, on a quarter of an hour."""
        then = self.now + timedelta(minutes=minutes)
        return (then - timedelta(minutes=then.minute % 15)).strftime("%Y-%m-%dT%H:%M")


def noon_zone() -> tuple[str, int]:
    """Return a time zone in which it is about noon now, and its offset in hours."""
    ahead = 12 - datetime.now(UTC).hour
    return (f"Etc/GMT{-ahead:+d}" if ahead else "UTC"), ahead


def appointments_today(
    env: Mapping[str, str],
    starts: Sequence[int] = (-120, -15, 15, 30, 60, 120),
    *,
    points: int = 2,
    tickets: int = 4,
    displays: int = 1,
    providers: int = 2,
) -> Day:
    """Return a site with an appointment at each of the ``starts``: minutes from now, rounded down to a quarter of an hour.

    The providers take turns. Each sees patients from 7 to 19 today, in quarters of an hour.
    """
    zone, ahead = noon_zone()

    async def fill() -> Day:
        database = Database(env["NOWSERVING_DATABASE_URL"])
        database.clock = _SlowClock(BEHIND_MINUTES)
        try:
            await bring_up(database)
            executor = Executor(database, vault(), publish=lambda *_: None)
            with quick_passwords():
                seeder = Seeder(database, executor)
                seeded = await seeder.seed(points, 0, displays, providers, zone)
            here = datetime.now(UTC) + timedelta(hours=ahead)
            day = Day(seeded, zone, here.replace(tzinfo=None, second=0, microsecond=0))
            for provider_id in seeded["provider_ids"]:
                await seeder.do(
                    AddException(
                        site_id=seeded["site_id"],
                        provider_id=provider_id,
                        date=day.date,
                        kind="extra",
                        from_="07:00",
                        until="19:00",
                        reason="the day of a test",
                        service_ids=tuple(seeded["service_ids"]),
                        slot_minutes=15,
                    )
                )
            # A running server catches up with a site that has something to do. So the times that are over come last.
            for index, minutes in reversed(list(enumerate(starts))):
                booked = await seeder.do(
                    Book(
                        site_id=seeded["site_id"],
                        service_id=seeded["service_ids"][index % len(seeded["service_ids"])],
                        provider_id=seeded["provider_ids"][index % providers],
                        local_start=day.local(minutes),
                        name=NAMES[index % len(NAMES)],
                    )
                )
                day.appointments[NAMES[index % len(NAMES)]] = booked["appointment"]
            queues = seeded["queue_ids"]
            seeded["tickets"] = [await seeder.ticket(queues[index % len(queues)]) for index in range(tickets)]
            return day
        finally:
            await database.close()

    # In its own thread: the browser driver already runs an event loop in this one.
    with ThreadPoolExecutor(1) as thread:
        for _ in range(TRIES - 1):
            with suppress(SlotNotOffered):
                return thread.submit(lambda: asyncio.run(fill())).result()
        return thread.submit(lambda: asyncio.run(fill())).result()
