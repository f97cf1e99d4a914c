"""Measure the figures for managers over a year of a busy site: 1,000,000 visits, each page with and without a filter.

    python -m loadtests.bench_insights

The bench runs MariaDB in a temporary folder with past visits of three queues at twelve points with five providers, a fifth
of them booked, and one message for each. First it keeps the sums of every past day as the housekeeping does, and shows the
cost of a day. Then it asks for periods that end with the present day, which has ``--a-day`` visits, too. Each figure is the
median of some rounds: CPU of the process that answers, and the time. It ends with status 1 if a year takes a second or more.
``--visits``, ``--a-day`` and ``--rounds`` change the extent.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics as plain
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import make_url

from loadtests.past_visits import fill
from server.domain.commands import AddProvider, AddService, StaffPoint
from server.domain.model.ids import IDS_PER_SITE
from server.domain.reporting.insights import Only
from server.execute import Executor
from server.queries import day_sums, insights, message_sums
from server.queries.insights import Found
from server.seeding import Seeder
from server.store import daily_sums, sites
from server.store.database import Database
from server.store.migrate import migrate
from server.transport.api.insights import shown
from server.transport.api.insights_export import archive
from server.vault import Vault
from tests.support import databases

MOST_SECONDS = 1.0
VAULT = Vault([b"k" * 32], "a bench")
POINTS, PROVIDERS = 12, 5
_DAY = 86_400_000_000

# Waits, walks and services of many lengths, as on a real day: 40, 4 and 30 minutes at most.
_WAIT, _WALK, _SERVICE = (
    f"(entry_id * {by} MOD {most}) * 1000000" for by, most in ((7919, 2400), (6841, 240), (5903, 1800))
)
_ROWS = (
    f"""UPDATE intervals SET
    ended_at = ended_at + CASE state WHEN 'waiting' THEN {_WAIT} WHEN 'called' THEN {_WAIT} + {_WALK}
        ELSE {_WAIT} + {_WALK} + {_SERVICE} END,
    started_at = started_at + CASE state WHEN 'waiting' THEN 0 WHEN 'called' THEN {_WAIT} ELSE {_WAIT} + {_WALK} END""",
    "UPDATE entries SET quoted_from = due_at + 1200000000, quoted_until = due_at + 2400000000",
    # The events of the set-up come before the first visit.
    "UPDATE events SET at = {at} - 3600000000 WHERE seq <= {seq}",
    """INSERT INTO appointments (id, site_id, business_day, service_id, provider_id, resource_id, state, local_start, fold,
        zone, minutes, buffer_minutes, starts_at, ends_at, tz_version, lane, version, token_hash, language, booked_at, seq,
        needs, late)
    SELECT {base} + 500000000 + seq, {site}, DATE_FORMAT(DATE_ADD('{first}', INTERVAL seq DIV {booked} DAY), '%Y-%m-%d'),
        {service}, {base} + {provider} + seq MOD {providers}, 1, ELT(seq MOD 10 + 1, 'no_show', 'cancelled', 'fulfilled',
        'fulfilled', 'fulfilled', 'fulfilled', 'fulfilled', 'fulfilled', 'fulfilled', 'fulfilled'), '', 0, 'UTC', 15, 0,
        {at} + (seq DIV {booked}) * {a_whole_day} + (seq MOD {booked}) * 70000000, 0, '', 0, 1, CONCAT('a', seq), 'en',
        {at} + (seq DIV {booked}) * {a_whole_day} - (seq * 7919 MOD 40) * {a_whole_day}, 1, '[]', seq MOD 20 = 1
    FROM seq_0_to_{last_booked}""",
    """INSERT INTO notifications (site_id, subject, subject_version, kind, ahead, channel, state, due_at, changed_at,
        not_after, receipt)
    SELECT {site}, CONCAT('entry:', seq), 1, ELT(seq MOD 2 + 1, 'called', 'almost-your-turn'), 0,
        ELT(seq MOD 3 + 1, 'sms', 'email', 'push'), 'sent', {at} + (seq DIV {a_day}) * {a_whole_day} + (seq MOD {a_day}) *
        15000000, {at}, {at}, ELT(seq MOD 3 + 1, 'delivered', 'undelivered', NULL) FROM seq_0_to_{last}""",
    "ANALYZE TABLE entries, intervals, visits, appointments, notifications, events",
)


class Spent:
    """The CPU and the time of one kind of question, in milliseconds."""

    def __init__(self) -> None:
        self.cpu: list[float] = []
        self.wall: list[float] = []

    async def on(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Ask once; return the answer."""
        cpu, wall = time.process_time(), time.perf_counter()
        found = await ask()
        self.cpu.append((time.process_time() - cpu) * 1000)
        self.wall.append((time.perf_counter() - wall) * 1000)
        return found

    @property
    def figures(self) -> tuple[float, float]:
        """The medians."""
        return plain.median(self.cpu), plain.median(self.wall)


async def main(visits: int, a_day: int, rounds: int) -> int:
    """Fill, keep, ask and print; return the exit status."""
    with (
        tempfile.TemporaryDirectory(prefix="nowserving-insights-") as named,
        databases.mariadb(Path(named), buffer_pool="1G") as server,
        databases.fresh_database(server) as url,
    ):
        database = Database(url)
        try:
            return await bench(database, url, visits, a_day, rounds)
        finally:
            await database.close()


async def bench(database: Database, url: str, visits: int, a_day: int, rounds: int) -> int:
    """Fill a database, and measure with it."""
    await migrate(database)
    executor = Executor(database, VAULT, publish=lambda *_: None)
    seeder = Seeder(database, executor)
    seed = await seeder.seed(points=POINTS, tickets=0, displays=0)
    site_id = seed["site_id"]
    service = (await seeder.do(AddService(site_id=site_id, name="Check-up", public_name="Check-up")))["events"][-1]
    providers = []
    for number in range(PROVIDERS):
        event = (await seeder.do(AddProvider(site_id=site_id, name=f"Dr {number}")))["events"][-1]
        providers.append(event["provider_id"])
    for index, point_id in enumerate(seed["point_ids"]):
        await seeder.do(StaffPoint(point_id=point_id, provider_id=providers[index % PROVIDERS]))
    async with database.read() as connection:
        site = await connection.run_sync(sites.load, site_id)
    days = -(-visits // a_day)
    today = date.fromisoformat(site.business_day)
    began = time.perf_counter()
    queue_ids = [seed["queue_ids"][index % len(seed["queue_ids"])] for index in range(3)]
    # One day more: the last one is the present day.
    connection = databases.connect(make_url(url))
    try:
        fill(connection, site_id, queue_ids, seed["point_ids"], visits, today + timedelta(1), a_day)
        first = today - timedelta(days - 1)
        values = {
            "seq": site.seq,
            "site": site_id,
            "base": site_id * IDS_PER_SITE,
            "first": first.isoformat(),
            "at": (first - date(1970, 1, 1)).days * _DAY + 8 * 3600 * 1_000_000,
            "a_day": a_day,
            "booked": a_day // 5,
            "last": visits - 1,
            "last_booked": visits // 5 - 1,
            "service": service["service_id"],
            "provider": providers[0] % IDS_PER_SITE,
            "providers": PROVIDERS,
            "a_whole_day": _DAY,
        }
        with connection.cursor() as cursor:
            for statement in _ROWS:
                cursor.execute(statement.format(**values))
        connection.commit()
    finally:
        connection.close()
    print(f"{visits:,} visits of {days} days, {a_day:,} a day; filled in {time.perf_counter() - began:.0f} s\n")
    await keep(database, site_id)
    return await ask(database, site_id, days, queue_ids[0], providers[0], rounds)


async def keep(database: Database, site_id: int) -> None:
    """Keep the sums of all past days, and print the cost."""
    for what, find in (("visits", day_sums.next_kept), ("messages", message_sums.next_kept)):
        spent, sizes = Spent(), []
        while (kept := await spent.on(partial(find, database, site_id))) is not None:
            sizes.append(len(kept.body))
            async with database.write() as connection:
                await daily_sums.save(connection, kept)
        if sizes:
            cpu, wall = spent.figures
            print(
                f"sums of a day, {what:9} {cpu:8.0f} ms of CPU {wall:8.0f} ms   {plain.median(sizes) / 1000:.1f} KB a day, "
                f"{len(sizes)} days in {sum(spent.wall) / 1000:.0f} s"
            )


async def ask(database: Database, site_id: int, days: int, queue_id: int, provider_id: int, rounds: int) -> int:
    """Ask for periods, with and without filters; print the costs; return the exit status."""
    async with database.read() as connection:
        site = await connection.run_sync(sites.load, site_id)
    today = date.fromisoformat(site.business_day)

    async def page(number: int, only: Only | None) -> Found:
        first = (today - timedelta(number - 1)).isoformat()
        found = await insights.between(database, site_id, first, site.business_day, only)
        orjson.dumps(shown(found))
        assert found.missing is None
        return found

    async def export(number: int) -> None:
        archive("days", shown(await page(number, None)), None, "en")

    asked: dict[str, Callable[[], Awaitable[Any]]] = {
        f"{number} days": partial(page, number, None) for number in (1, 30, days) if number <= days
    }
    asked[f"{days} days, one queue"] = lambda: page(days, Only("queue", queue_id))
    asked[f"{days} days, one provider"] = lambda: page(days, Only("provider", provider_id))
    asked[f"{days} days, exported"] = lambda: export(days)
    first = (today - timedelta(days - 1)).isoformat()
    asked[f"{days} days, beside other sites"] = lambda: insights.compared(database, [site_id], first, site.business_day)
    yesterday = (today - timedelta(1)).isoformat()
    asked[f"{days - 1} days, without today"] = lambda: insights.between(
        database, site_id, (today - timedelta(days - 1)).isoformat(), yesterday
    )
    print(f"\n{'':32}{'CPU':>9}{'time':>9}   ms")
    slow = False
    for name, question in asked.items():
        spent = Spent()
        for _ in range(rounds):
            await spent.on(question)
        cpu, wall = spent.figures
        slow = slow or wall >= MOST_SECONDS * 1000
        print(f"{name:32}{cpu:9.0f}{wall:9.0f}")
    print(f"\neach page in less than {MOST_SECONDS:.0f} s: {'NO' if slow else 'yes'}")
    return int(slow)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The figures for managers over a year.")
    parser.add_argument("--visits", type=int, default=1_000_000)
    parser.add_argument("--a-day", type=int, default=2_740)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    sys.exit(asyncio.run(main(arguments.visits, arguments.a_day, arguments.rounds)))
