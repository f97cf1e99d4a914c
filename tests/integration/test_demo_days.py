"""The past days of the demo: a log of real commands in the past, with figures for managers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from server import demo
from server.clock import SteadyClock
from server.demo_days import BUSIEST, morning_before
from server.execute import Executor
from server.queries import insights, verification
from server.queries.boards import Boards
from server.seeding import Seeder
from server.store.database import Database
from server.store.tables import appointments, entries, feedback, notifications
from server.vault import Vault
from tests.support.migrated import bring_up
from tests.support.passwords import quick_passwords
from tests.support.server import KEYS

DAYS = 4  # at least two working days, whatever today is


async def test_past_days_have_figures_and_a_whole_log(sqlite_url: str, tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=back) for back in range(DAYS, 0, -1)]
    database = Database(sqlite_url)
    await bring_up(database)
    seeder = Seeder(database, Executor(database, Vault(KEYS.encryption_keys, KEYS.secret_key), publish=lambda *_: None))
    before = datetime.now(UTC).timestamp() * 1_000_000
    with quick_passwords():
        await demo.live_past_days(seeder, tmp_path, DAYS)
        clinic = await demo.open_clinic(seeder, tmp_path)
    try:
        assert type(database.clock) is SteadyClock
        site = (await Boards(database).board(clinic["site_id"])).site
        assert site.last_event_at < before < database.clock.now()
        assert [each.broken async for each in verification.verify(database, seeder.executor.vault)] == [None]
        found = await insights.between(database, site.id, f"{days[0]}", f"{days[-1]}")
        async with database.read() as connection:
            by_day = select(entries.c.business_day, func.count()).group_by(entries.c.business_day)
            counted = {date.fromisoformat(day): number for day, number in await connection.execute(by_day)}
            answers = await connection.scalar(select(func.count()).select_from(feedback))
            called = await connection.scalar(select(func.count()).where(entries.c.called_at.is_not(None)))
            states = set(await connection.scalars(select(notifications.c.state)))
            kept = await connection.scalar(select(func.count()).where(appointments.c.state == "fulfilled"))
    finally:
        await database.close()
    assert sorted(counted) == [each for each in days if each.weekday() < len(BUSIEST)]
    assert min(counted.values()) > 20
    assert found.insights.total.wait.count == called
    assert kept
    assert found.messages is not None
    assert {"called", "booked"} <= {each.kind for each in found.messages.report.messages}
    assert sum(each.delivered for each in found.messages.report.messages) > 20
    assert not {"due", "claimed", "sending"} & states  # nothing waits for a provider
    assert answers


def test_first_day_begins_before_the_clinic_opens() -> None:
    instant = datetime.fromtimestamp(morning_before(3) / 1_000_000, UTC)
    assert (datetime.now(UTC).date() - instant.date()).days == 3
    assert instant.hour == 5
