"""The kept sums of past days: when they count, when they are made again, and what comes too late for them."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select, update
from structlog.testing import capture_logs

from server import housekeeping
from server.domain.commands import ChangeSite
from server.domain.model.tickets import begin_of
from server.queries import day_sums, insights, message_sums
from server.queries.insights import Missing
from server.seeding import Seed, Seeder
from server.store import daily_sums as store
from server.store import sites as site_store
from server.store.database import Database
from server.store.tables import daily_sums, feedback, notifications, sites
from tests.support import past_visits
from tests.support.past_visits import days_before

DAYS, PER_DAY = 12, 10
HOUR = 3_600_000_000


async def filled(setup: Seeder, database: Database) -> tuple[int, list[str]]:
    """Seed a site with past days; return its id and these days."""
    seeded: Seed = await setup.seed(points=1, tickets=0, displays=0)
    site_id = seeded["site_id"]
    setup.executor._boards.clear()
    async with database.write() as connection:
        today = (await connection.run_sync(site_store.load, site_id)).business_day
        days = days_before(today, DAYS)
        await past_visits.fill(connection, site_id, seeded["queue_ids"], seeded["point_ids"][0], days, PER_DAY)
    return site_id, days


async def keep(database: Database, site_id: int) -> tuple[list[str], list[str]]:
    """Keep all sums, as the housekeeping does; return the days that were missing, of visits and of messages."""
    kept: list[list[str]] = []
    for find in (day_sums.next_kept, message_sums.next_kept):
        kept.append([])
        while (row := await find(database, site_id)) is not None:
            async with database.write() as connection:
                await store.save(connection, row)
            kept[-1].append(row.business_day)
    return kept[0], kept[1]


async def missing(database: Database, site_id: int, days: list[str]) -> Missing | None:
    """Return the days that a report could not count at once."""
    return (await insights.between(database, site_id, days[0], days[-1], counting_seconds=0)).missing


async def test_days_are_kept_once_and_a_report_names_those_that_are_missing(setup: Seeder, database: Database) -> None:
    site_id, days = await filled(setup, database)
    whole = await insights.between(database, site_id, days[0], days[-1])  # a report counts for a moment
    assert (whole.missing, whole.insights.total.entries.count) == (None, DAYS * PER_DAY)
    assert await missing(database, site_id, days) == Missing(DAYS, days[0], days[-1])
    first = await day_sums.next_kept(database, site_id)
    assert first is not None
    async with database.write() as connection:
        await store.save(connection, first)
    assert await missing(database, site_id, days) == Missing(DAYS - 1, days[1], days[-1])
    assert await keep(database, site_id) == (days[1:], days[: DAYS - message_sums.FINAL_AFTER_DAYS + 1])
    assert await keep(database, site_id) == ([], [])
    kept = await insights.between(database, site_id, days[0], days[-1], counting_seconds=0)
    assert kept.missing is None
    assert kept.insights == whole.insights


@pytest.mark.parametrize("change", ["epoch", "clock"])
async def test_days_of_another_history_or_clock_are_counted_again(setup: Seeder, database: Database, change: str) -> None:
    site_id, days = await filled(setup, database)
    await keep(database, site_id)
    assert await missing(database, site_id, days) is None
    if change == "epoch":
        async with database.write() as connection:
            await connection.execute(update(sites).where(sites.c.id == site_id).values(epoch="restored"))
    else:
        await setup.do(ChangeSite(site_id=site_id, time_zone="Europe/Madrid"))
    assert await missing(database, site_id, days) == Missing(DAYS, days[0], days[-1])
    again, _ = await keep(database, site_id)
    assert again == days
    assert await missing(database, site_id, days) is None
    async with database.read() as connection:
        found = (await connection.execute(select(daily_sums.c.business_day).where(daily_sums.c.part == "visits"))).all()
    assert len(found) == DAYS  # in place of the old ones


async def test_an_older_server_leaves_the_rows_of_a_newer_one(setup: Seeder, database: Database) -> None:
    site_id, days = await filled(setup, database)
    await keep(database, site_id)
    async with database.write() as connection:
        await connection.execute(update(daily_sums).values(version=daily_sums.c.version + 1))
    assert await keep(database, site_id) == ([], [])
    assert await missing(database, site_id, days) == Missing(DAYS, days[0], days[-1])


@pytest.mark.parametrize("body", ["", "%%%", "AAAA", "truncated"])
async def test_damaged_sums_count_as_missing_and_are_counted_again(setup: Seeder, database: Database, body: str) -> None:
    site_id, days = await filled(setup, database)
    await keep(database, site_id)
    whole = await insights.between(database, site_id, days[0], days[-1], counting_seconds=0)
    assert whole.missing is None
    harmed = [("visits", days[0]), ("visits", days[4]), ("visits", days[5]), ("visits", days[-1]), ("messages", days[1])]
    async with database.write() as connection:
        for part, day in harmed:
            mine = daily_sums.c.part == part, daily_sums.c.business_day == day
            kept = await connection.scalar(select(daily_sums.c.body).where(*mine))
            assert kept is not None
            values = {"body": kept[:-20] if body == "truncated" else body}
            await connection.execute(update(daily_sums).where(*mine).values(values))
    with capture_logs() as logs:
        assert await missing(database, site_id, days) == Missing(4, days[0], days[-1])
    assert {(each["part"], each["business_day"]) for each in logs if "damaged" in each["event"]} == set(harmed)
    again = await insights.between(database, site_id, days[0], days[-1])
    assert (again.missing, again.insights, again.messages) == (None, whole.insights, whole.messages)
    assert sorted(await day_sums.damaged(database, site_id)) == sorted(harmed)
    assert await housekeeping._keep_sums_of(database, "p" * 32, site_id)
    with capture_logs() as logs:
        mended = await insights.between(database, site_id, days[0], days[-1], counting_seconds=0)
    assert (mended.missing, mended.insights, logs) == (None, whole.insights, [])
    async with database.read() as connection:
        rows = (await connection.execute(select(daily_sums.c.part, daily_sums.c.business_day))).all()
    assert set(harmed) <= {tuple(row) for row in rows}
    assert await keep(database, site_id) == ([], [])


async def test_receipts_and_answers_count_for_eight_days(setup: Seeder, database: Database) -> None:
    site_id, days = await filled(setup, database)
    async with database.read() as connection:
        site = await connection.run_sync(site_store.load, site_id)
    row = {
        "site_id": site_id,
        "subject_version": 1,
        "kind": "called",
        "ahead": 0,
        "channel": "sms",
        "state": "sent",
        "receipt": None,
        "changed_at": 1,
        "not_after": 1,
    }
    async with database.write() as connection:
        for day in (days[0], days[-1]):
            due = begin_of(day, site.time_zone, site.day_turns_at_minutes) + HOUR
            messages = [row | {"subject": f"entry:{day}-{number}", "due_at": due} for number in range(6)]
            await connection.execute(insert(notifications), messages)
            answers = [
                {"visit_hash": f"{day}-{number}", "site_id": site_id, "day": day, "score": 5, "sealed": None}
                for number in range(2)
            ]
            await connection.execute(insert(feedback), answers)
    before = await message_sums.between(database, site, days[0], days[-1])
    await keep(database, site_id)
    after = await message_sums.between(database, site, days[0], days[-1])
    assert (after.report(), after.scores) == (before.report(), before.scores)
    async with database.write() as connection:
        await connection.execute(update(notifications).values(receipt="delivered"))
    (figures,) = (await message_sums.between(database, site, days[0], days[-1])).report().messages
    assert (figures.sent, figures.delivered) == (12, 6)  # of the last day alone
