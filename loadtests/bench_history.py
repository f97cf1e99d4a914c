"""Measure a page of history among a million past entries, beside the same page by OFFSET.

    python -m loadtests.bench_history

The bench starts a MariaDB of its own in a temporary folder, fills it (some minutes, some 3 GB), and runs the product's own
queries. It ends with status 1 if a page took longer than 20 ms. ``--entries`` fills less. Each figure is the median of 25
tries, after one uncounted try; ``rows`` is the number of rows that the optimiser expects to read.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, text

from server.domain.model.ids import IDS_PER_SITE
from server.execute import Executor
from server.queries import entries, history
from server.queries import statistics as figures
from server.queries.entries import Filters
from server.seeding import Seeder
from server.store import tables
from server.store.database import Database
from server.store.migrate import migrate
from server.vault import Vault
from tests.support import databases

AT_MOST_MILLISECONDS = 20.0
TRIES = 25
A_DAY = 1_000
FIRST_DAY = date(2020, 1, 1)
AT_ONCE = 100_000
SIZE = 50
# The number of a row determines its visit and entry (ids in turn), its day and its outcome. An entry waits ten minutes,
# walks one and is served for twenty. One in fifty does not come, one in five hundred leaves, one in 1,000 expires.
_ID = "{base} + 2 * seq"
_DAY = "DATE_FORMAT(DATE_ADD('{first_day}', INTERVAL seq DIV {a_day} DAY), '%Y-%m-%d')"
_AT = "1577865600000000 + (seq DIV {a_day}) * 86400000000 + (seq MOD {a_day}) * 30000000"
_STATE = (
    "CASE WHEN seq MOD 1000 = 7 THEN 'expired' WHEN seq MOD 500 = 3 THEN 'left' WHEN seq MOD 50 = 1 THEN 'no_show' "
    "ELSE 'completed' END"
)
FILL = {
    "visits": f"""(id, site_id, business_day, label, priority, party_size, language, display_name, token_hash, sealed,
        opened_at, seq, needs)
        SELECT {_ID}, {{site}}, {_DAY}, CONCAT('A', LPAD(seq MOD {{a_day}} + 1, 4, '0')), 'standard', 1, 'en', NULL,
        SHA2(CONCAT('past', seq), 256), NULL, {_AT}, 4 * seq + 4, '[]'""",
    "entries": f"""(id, site_id, business_day, visit_id, queue_id, state, band, place, due_at, point_id, calls, since,
        called_at, first_called_at, estimating, quoted_from, quoted_until, seq)
        SELECT {_ID} + 1, {{site}}, {_DAY}, {_ID}, ELT(seq MOD 3 + 1, {{queues}}), {_STATE}, 1, {_AT}, {_AT}, {{point}}, 1,
        {_AT} + 1860000000, {_AT} + 600000000, {_AT} + 600000000, 0, {_AT} + 300000000, {_AT} + 900000000, 4 * seq + 4""",
    "intervals": f"""(entry_id, ended_by, site_id, state, started_at, ended_at, point_id, actor)
        SELECT {_ID} + 1, 4 * seq + 2 + step, {{site}}, ELT(step + 1, 'waiting', 'called', 'serving'),
        {_AT} + ELT(step + 1, 0, 600000000, 660000000), {_AT} + ELT(step + 1, 600000000, 660000000, 1860000000),
        {{point}}, 'staff:1'""",
    "events": f"""(site_id, seq, at, type, actor, command_id, entry_id, hash, body)
        SELECT {{site}}, {{first_event}} + 3 * seq + step, {_AT} + ELT(step + 1, 600000000, 660000000, 1860000000),
        ELT(step + 1, 'ticket-called', 'service-started', 'service-completed'), 'staff:1', CONCAT('past-', seq), {_ID} + 1,
        SHA2(CONCAT('past', seq, step), 256),
        CONCAT('{{{{"entry_id":', {_ID} + 1, ',"point_id":', {{point}}, ',"label":"A001"',
               IF(step = 0, ',"announcement_id":1,"reason":"A001 before A002: waiting longer"', ''), '}}}}')""",
    "event_entries": f"(entry_id, seq) SELECT {_ID} + 1, {{first_event}} + 3 * seq + step",
}
STEPS = " CROSS JOIN (SELECT 0 AS step UNION ALL SELECT 1 UNION ALL SELECT 2) AS steps"


async def main(count: int) -> int:
    """Fill, query and print; return the exit status."""
    with (
        tempfile.TemporaryDirectory(prefix="nowserving-history-") as folder,
        databases.mariadb(Path(folder), buffer_pool="512M") as server,
        databases.fresh_database(server) as url,
    ):
        database = Database(url)
        try:
            return await bench(database, count)
        finally:
            await database.close()


async def bench(database: Database, count: int) -> int:
    """Fill a migrated database and query it."""
    await migrate(database)
    executor = Executor(database, Vault([b"k" * 32], "a bench"), publish=lambda *_: None)
    seed = await Seeder(database, executor).seed(points=3, tickets=0, displays=0)
    site = seed["site_id"]
    base = site * IDS_PER_SITE + 1_000_000
    began = time.perf_counter()
    await fill(database, seed["queue_ids"], seed["point_ids"][0], base, count)
    seconds = time.perf_counter() - began
    print(f"{count:,} entries with {3 * count:,} intervals and as many events: filled in {seconds:.0f} s\n")

    def at(row: int) -> tuple[int]:
        return (base + 2 * row + 1,)

    async def page(after: tuple[int] | None, **filters: Any) -> int:
        return len((await entries.page(database, site, Filters(**filters), SIZE, after)).rows)

    middle, last = count // 2, SIZE
    day = await _scalar(database, f"SELECT business_day FROM entries WHERE id = {at(middle)[0]}")
    visit = base + 2 * middle
    questions: dict[str, Callable[[], Awaitable[object]]] = {
        "the first page": lambda: page(None),
        "a page from the middle": lambda: page(at(middle)),
        "the last page": lambda: page(at(last)),
        "of a queue, from the middle": lambda: page(at(middle), queue_id=seed["queue_ids"][0]),
        "expired ones, the last": lambda: page(at(60_000 % count), state="expired"),
        "of a queue and expired, the first": lambda: page(None, queue_id=seed["queue_ids"][1], state="expired"),
        "of a day": lambda: page(None, business_day=day),
        "of a day and a queue, left": lambda: page(None, business_day=day, queue_id=seed["queue_ids"][0], state="left"),
        "a label of a day": lambda: page(None, business_day=day, label="A0004"),
        "a visit's whole history": lambda: history.of_visit(database, visit, with_names=True),
    }
    print(f"{'through the product, all its statements':40} {'median':>9} {'longest':>9}  keys of the plan (rows expected)")
    slow = False
    for name, ask in questions.items():
        plans = await _plans(database, ask)
        median, longest = await _timed(ask)
        slow = slow or median > AT_MOST_MILLISECONDS
        print(f"{name:40} {median:6.1f} ms {longest:6.1f} ms  {plans}")
    print("\nfor comparison, the page's first statement alone with an OFFSET")
    for name, offset in (("the first page", 0), ("a page from the middle", middle), ("the last page", count - SIZE)):
        statement = f"SELECT * FROM entries WHERE site_id = {site} ORDER BY id DESC LIMIT {SIZE} OFFSET {offset}"
        median, longest = await _timed(lambda statement=statement: _scalar(database, statement), tries=3)  # type: ignore[misc]
        print(f"{name:40} {median:6.1f} ms {longest:6.1f} ms")
    print("\nstatistics, streamed and reckoned; the longest that anything else in the process had to wait meanwhile")
    for days in (1, 31, 400):
        until = (FIRST_DAY + timedelta(days - 1)).isoformat()
        async with _watched() as waits:
            began = time.perf_counter()
            found = await figures.between(database, site, FIRST_DAY.isoformat(), until)
            seconds = time.perf_counter() - began
        total = found.report.whole.total.entries
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        name = f"{days} days, {total:,} entries"
        print(f"{name:40} {seconds:6.1f} s  {1000 * max(waits):6.1f} ms  {peak} MB at most so far")
    print(f"\nat most {AT_MOST_MILLISECONDS:.0f} ms: {'NO' if slow else 'yes'}")
    return int(slow)


async def fill(database: Database, queue_ids: list[int], point_id: int, base: int, count: int) -> None:
    """Write all rows inside the server, from a sequence."""
    site = base // IDS_PER_SITE
    values = {
        "site": site, "base": base, "point": point_id, "queues": ", ".join(map(str, queue_ids)), "a_day": A_DAY,
        "first_day": FIRST_DAY,
        "first_event": 1_000,
    }  # fmt: skip
    async with database.engine.connect() as connection:
        for table, what in FILL.items():
            for low in range(0, count, AT_ONCE):
                source = f" FROM seq_{low}_to_{min(low + AT_ONCE, count) - 1}"
                statement = f"INSERT INTO {table} {what.format(**values)}{source}"
                steps = STEPS if "step" in what else ""
                await connection.exec_driver_sql((statement + steps).replace("%", "%%"), ())
                await connection.commit()
        highest = f"UPDATE sites SET last_id = {1_000_000 + 2 * count + 2}, seq = {1_000 + 3 * count} WHERE id = {site}"
        await connection.exec_driver_sql(highest)
        await connection.commit()
        for each in tables.metadata.sorted_tables:
            await connection.execute(text(f"ANALYZE TABLE {each.name}"))


@asynccontextmanager
async def _watched() -> AsyncIterator[list[float]]:
    """Yield the oversleep of a task that repeatedly sleeps for 5 ms."""
    found = [0.0]

    async def watch() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            found.append(time.perf_counter() - began - 0.005)

    task = asyncio.create_task(watch())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _scalar(database: Database, statement: str) -> Any:
    async with database.read() as connection:
        rows = (await connection.exec_driver_sql(statement)).all()
    return rows[0][0]


async def _timed(ask: Callable[[], Awaitable[object]], tries: int = TRIES) -> tuple[float, float]:
    """Return the median and the longest of some tries, in milliseconds."""
    await ask()
    found = []
    for _ in range(tries):
        began = time.perf_counter()
        await ask()
        found.append((time.perf_counter() - began) * 1000)
    return statistics.median(found), max(found)


async def _plans(database: Database, ask: Callable[[], Awaitable[object]]) -> str:
    """Return the indexes that the statements of a query use, as the server explains them."""
    sent: list[tuple[str, Any]] = []

    def take(_: Connection, __: object, statement: str, parameters: Any, ___: object, ____: bool) -> None:
        if statement.startswith("SELECT"):
            sent.append((statement, parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", take)
    try:
        await ask()
    finally:
        event.remove(engine, "before_cursor_execute", take)
    found = []
    async with database.engine.connect() as connection:
        for statement, parameters in sent:
            for row in await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters):
                plan = row._mapping
                if plan["key"]:
                    key = plan["key"].removeprefix("ix_").removeprefix(f"{plan['table']}_")
                    found.append(f"{plan['table']}.{key} ({plan['rows']})")
    return ", ".join(dict.fromkeys(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A page of history among a million past entries.")
    parser.add_argument("--entries", type=int, default=1_000_000)
    sys.exit(asyncio.run(main(parser.parse_args().entries)))
