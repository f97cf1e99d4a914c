"""Measure the statistics of 30 and of 400 past days with and without the cache, and what reference data costs.

    python -m loadtests.bench_statistics

The bench runs MariaDB and Redis in a temporary folder, with 1,000 entries and 1,000 messages a day. It asks in turn without
the cache, with an empty one, and with a full one. Each figure is the median of some rounds, of one run. The last table shows
what each look-up of reference data costs, beside a value from Redis: below this, a cache in Redis gains nothing. The bench
ends with status 1 if a full cache takes more than a fifth of the CPU. ``--rounds`` and ``--days`` change the extent.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics as plain
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import redis.asyncio

from loadtests.bench_history import A_DAY, FIRST_DAY, fill
from server.caching import redis_store
from server.caching.cache import PREFIX
from server.caching.redis_store import RedisStore
from server.domain.model.ids import IDS_PER_SITE
from server.execute import Executor
from server.live.redis_cluster import client_of, close_client
from server.queries import administration, feedback, message_figures, sites, statistics
from server.seeding import Seeder
from server.store.database import Database
from server.store.migrate import migrate
from server.vault import Vault
from tests.support import databases
from tests.support.redis import redis as private_redis

MOST_RATIO = 0.2
DAYS = (30, 400)
ROUNDS = 5
LOOK_UPS = 200
FIRST_INSTANT = 1_577_865_600_000_000  # of the first message
DAY_MICROSECONDS = 86_400_000_000
VAULT = Vault([b"k" * 32], "a bench")
_MESSAGES = """INSERT INTO notifications (site_id, subject, subject_version, kind, ahead, channel, state, due_at, changed_at,
    not_after, receipt)
    SELECT {site}, CONCAT('appointment:', seq), 1, 'reminder', 24, ELT(seq MOD 2 + 1, 'sms', 'email'), 'sent',
    {at} + (seq DIV {a_day}) * 86400000000 + (seq MOD {a_day}) * 30000000, {at}, {at},
    ELT(seq MOD 3 + 1, 'delivered', 'undelivered', NULL) FROM seq_0_to_{last}"""


# Waits, walks and services of many lengths, as on a real day: 20 minutes, 4 minutes and 30 minutes at most.
_WAIT, _WALK, _SERVICE = (
    f"(entry_id * {by} MOD {most}) * 1000000" for by, most in ((7919, 1200), (6841, 240), (5903, 1800))
)
_LENGTHS = f"""UPDATE intervals SET
    ended_at = ended_at + CASE state WHEN 'waiting' THEN {_WAIT} WHEN 'called' THEN {_WAIT} + {_WALK}
        ELSE {_WAIT} + {_WALK} + {_SERVICE} END,
    started_at = started_at + CASE state WHEN 'waiting' THEN 0 WHEN 'called' THEN {_WAIT} ELSE {_WAIT} + {_WALK} END"""


class Spent:
    """The CPU and the time of one kind of question, in milliseconds."""

    def __init__(self) -> None:
        self.cpu: list[float] = []
        self.wall: list[float] = []

    async def on(self, ask: Callable[[], Awaitable[object]], times: int = 1) -> None:
        """Ask some times, and note the mean."""
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(times):
            await ask()
        self.cpu.append((time.process_time() - cpu) * 1000 / times)
        self.wall.append((time.perf_counter() - wall) * 1000 / times)

    @property
    def figures(self) -> tuple[float, float]:
        return plain.median(self.cpu), plain.median(self.wall)


async def main(days: tuple[int, ...], rounds: int) -> int:
    """Fill, ask and print; return the exit status."""
    redis_store.CALL_SECONDS = 30.0  # the bench measures the cache, not a bypass on a busy machine
    with tempfile.TemporaryDirectory(prefix="nowserving-statistics-") as named:
        folder = Path(named)
        (folder / "redis").mkdir()
        with (
            databases.mariadb(folder, buffer_pool="512M") as server,
            databases.fresh_database(server) as url,
            private_redis(folder / "redis") as redis_url,
        ):
            client = client_of(redis_url, redis_store.CALL_SECONDS, redis_store.CONNECTIONS)
            database, store = Database(url), RedisStore(client, VAULT.seal, VAULT.open, close_client)
            try:
                return await bench(database, store, redis_url, days, rounds)
            finally:
                await store.close()
                await database.close()


async def bench(database: Database, store: RedisStore, redis_url: str, days: tuple[int, ...], rounds: int) -> int:
    """Fill a database, and measure with it."""
    await migrate(database)
    seed = await Seeder(database, Executor(database, VAULT, publish=lambda *_: None)).seed(points=3, tickets=0, displays=0)
    site_id = seed["site_id"]
    base, count = site_id * IDS_PER_SITE + 1_000_000, max(days) * A_DAY
    await fill(database, seed["queue_ids"], seed["point_ids"][0], base, count)
    async with database.engine.connect() as connection:
        values = {"site": site_id, "at": FIRST_INSTANT, "a_day": A_DAY, "last": count - 1}
        await connection.exec_driver_sql(_MESSAGES.format(**values), ())
        await connection.exec_driver_sql(_LENGTHS, ())
        await connection.commit()
    print(f"{A_DAY:,} entries a day; CPU of the process that answers, and the time, in ms\n")
    print(f"{'':12}{'no cache':>18}{'an empty cache':>18}{'a full cache':>18}{'full / none':>14}")
    slow = False
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        for number in days:
            ratio = await of_period(database, store, client, site_id, number, rounds)
            slow = slow or ratio > MOST_RATIO
    await reference_data(database, store, site_id, rounds)
    print(f"\na full cache takes at most {MOST_RATIO:.0%} of the CPU: {'NO' if slow else 'yes'}")
    return int(slow)


async def of_period(
    database: Database, store: RedisStore, client: redis.asyncio.Redis, site_id: int, number: int, rounds: int
) -> float:
    """Measure a period of so many days in three ways in turn; return the CPU with a full cache, relative to none."""
    asked = (database, site_id, FIRST_DAY.isoformat(), (FIRST_DAY + timedelta(number - 1)).isoformat())
    past = statistics.past_days(store)
    none, empty, full = Spent(), Spent(), Spent()

    async def ask() -> None:
        await statistics.between(*asked, past)
        await asyncio.gather(*past._tasks)

    for _ in range(rounds):
        await none.on(lambda: statistics.between(*asked))
        names = [name async for name in client.scan_iter(f"{PREFIX}:*", count=1000)]
        if names:
            await client.delete(*names)
        await empty.on(ask)
        await full.on(ask)
    assert (past.hits, past.misses) == (rounds * number, rounds * number)
    size = sum([await client.strlen(name) async for name in client.scan_iter(f"{PREFIX}:*", count=1000)])
    ratio = full.figures[0] / none.figures[0]
    shown = "".join(f"{cpu:9.0f}{wall:9.0f}" for cpu, wall in (none.figures, empty.figures, full.figures))
    print(f"{f'{number} days':12}{shown}{ratio:13.3f} x   {size / number / 1000:.1f} KB a day in Redis")
    return ratio


async def reference_data(database: Database, store: RedisStore, site_id: int, rounds: int) -> None:
    """Measure look-ups of reference data, and other figures, beside a value from Redis."""
    organisation_id = (await sites.find(database, site_id)).organisation_id
    name = f"{PREFIX}:{{{site_id}}}:bench"
    await store.write({name: b"x" * 1000})
    begin = FIRST_INSTANT
    month = FIRST_DAY.isoformat(), (FIRST_DAY + timedelta(29)).isoformat()
    asked: dict[str, tuple[int, Callable[[], Awaitable[object]]]] = {
        "1 KB from Redis, opened": (LOOK_UPS, lambda: store.read([name])),
        "a site (settings, rules)": (LOOK_UPS, lambda: sites.find(database, site_id)),
        "the list of sites": (LOOK_UPS, lambda: sites.page(database, organisation_id, 50, None)),
        "the list of staff": (LOOK_UPS, lambda: administration.staff_page(database, organisation_id, 50, None)),
        "figures of messages, 30 days": (
            5,
            lambda: message_figures.between(database, site_id, begin, begin + 30 * DAY_MICROSECONDS),
        ),
        "answers of patients, 30 days": (5, lambda: feedback.weeks(database, VAULT, site_id, *month)),
    }
    spent = {each: Spent() for each in asked}
    for _ in range(rounds):
        for each, (times, ask) in asked.items():
            await spent[each].on(ask, times)
    print(f"\n{'':32}{'CPU':>9}{'time':>9}")
    for each, found in spent.items():
        cpu, wall = found.figures
        print(f"{each:32}{cpu:9.2f}{wall:9.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Statistics with and without the cache.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--days", type=int, nargs="+", default=list(DAYS))
    arguments = parser.parse_args()
    sys.exit(asyncio.run(main(tuple(arguments.days), arguments.rounds)))
