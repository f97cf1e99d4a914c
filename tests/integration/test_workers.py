"""Notifications: through a real broker, worker and beat, and as single rows on each engine."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from server.domain.commands import CallNext
from server.domain.rules.reminders import almost_your_turn
from server.execute import Executor
from server.notifying.channels.channel import Channel, ChannelRefused, Message
from server.notifying.channels.recording import RecordingChannel
from server.notifying.context import Context
from server.notifying.plan import plan_notifications
from server.notifying.send import send_notification
from server.queries.boards import Boards
from server.seeding import Seed, Seeder
from server.store import notifications as rows
from server.store.database import Database
from server.store.tables import notifications
from server.vault import Vault
from tests.support import server
from tests.support.processes import end, running
from tests.support.server import environment, seed

pytestmark = pytest.mark.measured


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "sent.jsonl"


@pytest.fixture
def context(database: Database, vault: Vault, record: Path) -> Context:
    return _context(database, vault, RecordingChannel(record))


def _context(database: Database, vault: Vault, channel: Channel) -> Context:
    return Context(database, Boards(database), vault, {channel.name: channel}, "https://clinic.example")


def _sent(record: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []


async def _states(database: Database) -> list[str]:
    async with database.read() as connection:
        return list(await connection.scalars(select(notifications.c.state).order_by(notifications.c.id)))


async def _seed_waiting_patients(setup: Seeder, count: int) -> Seed:
    """Seed a site with one point and ``count`` patients with phone numbers, which are in the order of the queue."""
    seeded = await setup.seed(points=1, tickets=0, displays=0)
    for index in range(count):
        await setup.ticket(seeded["queue_ids"][0], name="Nora Canary", phone=f"+49 170 000{index:04d}", language="fr")
    return seeded


async def test_patients_with_up_to_two_ahead_are_notified_once(
    setup: Seeder, context: Context, database: Database, record: Path
) -> None:
    await _seed_waiting_patients(setup, 5)
    await setup.ticket((await setup.seed(1, 0, 0))["queue_ids"][0])  # no phone, so no notification
    due = await plan_notifications(context)
    assert len(due) == 3
    assert [await send_notification(context, each) for each in due] == ["sent"] * 3
    assert await plan_notifications(context) == []
    assert [await send_notification(context, each) for each in due] == [None] * 3
    sent = _sent(record)
    assert [message["to"] for message in sent] == [f"+49170000{index:04d}" for index in range(3)]
    assert all("c'est bientôt votre tour" in message["text"] for message in sent)
    assert all("https://clinic.example/t/" in message["text"] for message in sent)
    assert not any("Nora" in message["text"] for message in sent)
    assert await _states(database) == ["sent"] * 3


async def test_next_patient_is_notified_when_the_queue_moves(setup: Seeder, context: Context, record: Path) -> None:
    seeded = await _seed_waiting_patients(setup, 4)
    for each in await plan_notifications(context):
        await send_notification(context, each)
    await setup.do(CallNext(point_id=seeded["point_ids"][0]))
    for each in await plan_notifications(context):
        await send_notification(context, each)
    assert len(_sent(record)) == 4


async def test_called_patient_is_not_notified(setup: Seeder, context: Context, database: Database, record: Path) -> None:
    seeded = await _seed_waiting_patients(setup, 1)
    (due,) = await plan_notifications(context)
    await setup.do(CallNext(point_id=seeded["point_ids"][0]))
    assert await send_notification(context, due) is None
    assert await _states(database) == ["withdrawn"]
    assert _sent(record) == []


async def test_notification_has_one_claim_and_a_stale_claim_is_replaced(
    setup: Seeder, context: Context, database: Database
) -> None:
    await _seed_waiting_patients(setup, 1)
    (due,) = await plan_notifications(context)
    now = await database.now()
    async with database.write() as connection:
        assert await rows.claim(connection, due, "first", now) is not None
        assert await rows.claim(connection, due, "second", now + rows.STALE_MICROSECONDS) is None
        assert await rows.claim(connection, due, "second", now + rows.STALE_MICROSECONDS + 1) is not None
        assert not await rows.begin_sending(connection, due, "first", now), "the first worker has lost its claim"
        assert await rows.begin_sending(connection, due, "second", now)
        await rows.finish(connection, due, "first", "sent", now)
    assert await _states(database) == ["sending"], "only the worker that began can finish"


async def test_notification_of_a_dead_worker_becomes_unknown(
    setup: Seeder, context: Context, database: Database, record: Path
) -> None:
    """The provider may have accepted the message: the row shows this state, and the message is never sent again."""
    await _seed_waiting_patients(setup, 1)
    (due,) = await plan_notifications(context)
    now = await database.now()
    async with database.write() as connection:
        await rows.claim(connection, due, "dead", now)
        await rows.begin_sending(connection, due, "dead", now)
        await connection.execute(update(notifications).values(changed_at=now - rows.STALE_MICROSECONDS - 1))
    assert await plan_notifications(context) == []
    assert await _states(database) == ["unknown"]
    assert await send_notification(context, due) is None
    assert _sent(record) == []


class _Refusing:
    name = "refusing"

    def send(self, message: Message) -> None:
        raise ChannelRefused("no such number")


class _Breaking:
    name = "breaking"

    def send(self, message: Message) -> None:
        raise ConnectionResetError("in the middle of it")


@pytest.mark.parametrize(("channel", "state"), [(_Refusing(), "failed"), (_Breaking(), "unknown")])
async def test_error_of_the_channel_decides_the_state(
    setup: Seeder, database: Database, vault: Vault, channel: Channel, state: str
) -> None:
    await _seed_waiting_patients(setup, 1)
    context = _context(database, vault, channel)
    (due,) = await plan_notifications(context)
    assert await send_notification(context, due) == state
    assert await _states(database) == [state]
    assert await plan_notifications(context) == []


async def test_rule_uses_the_number_ahead_of_the_ticket(setup: Seeder, database: Database) -> None:
    seeded = await _seed_waiting_patients(setup, 6)
    board = await Boards(database).board(seeded["site_id"])
    assert [board.visits[notice.visit_id].label for notice in almost_your_turn(board)] == ["A001", "A002", "A003"]


def test_worker_and_beat_notify_each_patient_once(mysql_url: str, redis_url: str, tmp_path: Path, record: Path) -> None:
    """Beat ticks, and the worker plans and sends."""
    env = environment(mysql_url, redis_url, NOWSERVING_RECORDING_PATH=str(record))
    seeded = seed(env, points=1, tickets=0, displays=0)

    async def arrive() -> None:
        database = Database(mysql_url)
        setup = Seeder(database, Executor(database, server.vault(), publish=lambda *_: None))
        for index in range(3):
            await setup.ticket(seeded["queue_ids"][0], name="Nora Canary", phone=f"+49 170 {index:07d}")
        await database.close()

    asyncio.run(arrive())
    cli = [sys.executable, "-m", "server.cli"]
    worker_log, beat_log = tmp_path / "worker.log", tmp_path / "beat.log"
    with (
        running([*cli, "worker", "--concurrency", "2"], worker_log, env) as worker,
        running([*cli, "beat", "--schedule", str(tmp_path / "beat")], beat_log, env) as beat,
    ):
        until = time.monotonic() + 60
        while len(_sent(record)) < 3 and time.monotonic() < until:
            time.sleep(0.2)
        time.sleep(6)  # one more tick: no message is sent again
        assert len(_sent(record)) == 3, worker_log.read_text()[-3000:] + beat_log.read_text()[-1000:]
        assert len({message["to"] for message in _sent(record)}) == 3
        assert end(beat) == 0
        assert end(worker) == 0
    logs = worker_log.read_text() + beat_log.read_text()
    for canary in ("Nora", "Canary", "+49 170", "+49170"):
        assert canary not in logs
