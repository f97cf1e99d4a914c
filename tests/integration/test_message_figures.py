"""The figures of messages for managers, and the tally of messages for the metrics."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import insert, update

from server.queries import message_figures
from server.queries import message_tally as tally
from server.queries.message_figures import Attendance
from server.queries.message_tally import MessageTally
from server.seeding import Seed, Seeder
from server.store.database import Database
from server.store.tables import appointments, notifications
from tests.support.processes import wait_until
from tests.support.refusals import refused
from tests.support.server import environment, seed, serving

HOUR = 3_600_000_000
NOW = 1_800_000_000_000_000


async def add(database: Database, seeded: Seed, *rows: dict[str, Any], at: int = NOW) -> None:
    """Add rows of messages; each names what is special about it."""
    whole: dict[str, Any] = {
        "site_id": seeded["site_id"],
        "subject_version": 1,
        "kind": "reminder",
        "ahead": 24,
        "channel": "sms",
        "state": "sent",
        "due_at": at,
        "not_after": at + HOUR,
        "changed_at": at,
        "receipt": None,
        "appointment_id": None,
    }
    async with database.write() as connection:
        numbered = [whole | {"subject": f"appointment:{at}-{index}"} | row for index, row in enumerate(rows)]
        await connection.execute(insert(notifications), numbered)


async def test_messages_are_counted_by_kind_way_and_outcome(setup: Seeder, database: Database) -> None:
    seeded = await setup.seed(points=1, tickets=0, displays=0)
    other = await setup.seed(points=1, tickets=0, displays=0)
    await add(
        database,
        seeded,
        {"receipt": "delivered"},
        {"receipt": "undelivered"},
        {"receipt": "undelivered-for-now"},
        {},
        {"state": "due"},
        {"state": "claimed"},
        {"state": "unknown"},
        {"kind": "booked", "channel": "email", "state": "failed"},
        {"kind": "booked", "channel": "email", "state": "suppressed"},
        {"due_at": NOW + HOUR},  # after the span
        {"due_at": NOW - 1},
    )
    await add(database, other, {}, at=NOW + 1)
    report = await message_figures.between(database, seeded["site_id"], NOW, NOW + HOUR)
    booked, reminder = report.messages
    assert (booked.kind, booked.way, booked.failed, booked.suppressed, booked.sent) == ("booked", "email", 1, 1, 0)
    assert (reminder.kind, reminder.way, reminder.open, reminder.unknown) == ("reminder", "sms", 2, 1)
    assert (reminder.sent, reminder.delivered, reminder.undelivered) == (4, 1, 2)
    assert report.reminded == report.not_reminded == Attendance(0, 0)


async def test_missed_appointments_are_split_by_a_sent_reminder(setup: Seeder, database: Database) -> None:
    seeded = await setup.seed(points=1, tickets=0, displays=0)
    states = ("no_show", "fulfilled", "checked_in", "booked", "cancelled", "no_show", "fulfilled", "fulfilled")
    base = seeded["site_id"] * 10**9 + 500
    row: dict[str, Any] = {
        "site_id": seeded["site_id"], "service_id": 1, "provider_id": 1, "resource_id": 1, "local_start": "2027-01-15T09:00",
        "fold": 0, "zone": "UTC", "minutes": 15, "buffer_minutes": 0, "tz_version": "x", "lane": 0, "version": 1,
        "language": "en", "booked_at": 0, "seq": 0, "needs": [], "starts_at": NOW, "ends_at": NOW + 1, "extended": False,
        "late": False, "collides": False,
    }  # fmt: skip
    async with database.write() as connection:
        for index, state in enumerate(states):
            about = {"id": base + index, "token_hash": f"t{index}", "state": state}
            await connection.execute(insert(appointments), row | about)
    reminded = [base, base + 1, base + 2, base + 3, base + 4]
    await add(
        database,
        seeded,
        *({"appointment_id": each} for each in reminded),
        {"appointment_id": base, "ahead": 72},  # a second reminder counts the appointment once
        {"appointment_id": base + 5, "state": "failed"},
        {"appointment_id": base + 6, "kind": "booked"},
        at=NOW - HOUR,
    )
    report = await message_figures.between(database, seeded["site_id"], NOW, NOW + HOUR)
    assert report.reminded == Attendance(3, 1)
    assert report.not_reminded == Attendance(3, 1)


async def test_tally_counts_each_ended_row_once_and_knows_the_oldest(setup: Seeder, database: Database) -> None:
    seeded = await setup.seed(points=1, tickets=0, displays=0)
    now = await database.now()
    counted = MessageTally()
    await add(database, seeded, {}, at=now - HOUR)
    await counted.update(database)
    assert not counted.ended, "rows that ended before this process began are not its rows"
    assert counted.health is not None
    assert counted.health.oldest == 0
    ended = [{}, {}, {"state": "failed"}, {"state": "unknown", "channel": "email"}, {"state": "due"}]
    await add(database, seeded, *ended, at=now)
    counted._until = now - HOUR // 2
    counted_at = update(notifications).where(notifications.c.changed_at == now)
    async with database.write() as connection:
        await connection.execute(counted_at.values(changed_at=now - tally.LAG_MICROSECONDS - 1))
    for _ in range(2):
        await counted.update(database)
    assert counted.ended == {("sent", "sms"): 2, ("failed", "sms"): 1, ("unknown", "email"): 1}
    assert counted.health.oldest > 0


def test_api_gives_the_figures_of_local_days(sqlite_url: str, tmp_path: Any) -> None:
    env = environment(sqlite_url, NOWSERVING_RECORDING_PATH=str(tmp_path / "sent.jsonl"))
    seeded = seed(env, points=1, tickets=0, displays=0)
    with serving(env, tmp_path) as server, server.client(server.sign_in(seeded, "manager")) as manager:
        address = f"/api/v1/sites/{seeded['site_id']}/messages/statistics"
        today = f"{datetime.now(UTC).date()}"
        found = manager.get(address, params={"from": today, "to": today}).json()
        nothing = {"appointments": 0, "missed": 0}
        assert found == {"from": today, "to": today, "messages": [], "reminded": nothing, "not_reminded": nothing}
        for days in (
            {"from": today},
            {"from": "2026-01-01", "to": "2026-12-31"},
            {"from": "2026-02-02", "to": "2026-02-01"},
        ):
            refused(manager.get(address, params=days), 422, "invalid_field")
        metric = "nowserving_messages_oldest_seconds 0.0"
        wait_until(lambda: metric in httpx.get(f"{server.url}/metrics").text, "the first tally")
