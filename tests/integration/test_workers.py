"""Messages: as single rows on each engine, through sweeps that are killed, and through real workers, beats and servers."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, get_args

import pytest
import redis as redis_client
from sqlalchemy import event, insert, select, update

from server.domain.commands import CallNext, ChangeSite
from server.domain.errors import NothingChanged
from server.domain.messages import OF_APPOINTMENTS, OF_ENTRIES, Arrival, Kind
from server.domain.model import AppointmentState, State
from server.domain.model.ids import IDS_PER_SITE
from server.domain.rules.messages import waiting
from server.execute import Executor
from server.notifying import sweep as sweeps
from server.notifying.channels.channel import Accepted, Channel, ChannelBusy, ChannelRefused, Message, Reaches
from server.notifying.channels.recording import RecordingChannel
from server.notifying.context import Context
from server.notifying.sweep import Limits, Sweep, Sweeper
from server.queries import messages, system
from server.queries.boards import Boards
from server.queries.system import Check, Facts
from server.seeding import Seed, Seeder
from server.store import leases
from server.store import notifications as rows
from server.store.database import Database
from server.store.opt_outs import HashedAddress
from server.store.tables import appointments, entries, notifications
from server.vault import Vault
from tests.support import due_rows, extent, server
from tests.support.message_provider import (
    ACCEPTED,
    BUSY,
    LOST,
    REFUSED,
    Answer,
    Everywhere,
    HttpChannel,
    Provider,
    provider,
)
from tests.support.migrated import bring_up
from tests.support.passwords import quick_passwords
from tests.support.processes import end, free_port, running, wait_until, whole_lines
from tests.support.redis import redis
from tests.support.rows import rows as direct_rows
from tests.support.server import environment, seed, serving
from tests.support.vaults import VAULT

pytestmark = [pytest.mark.measured, pytest.mark.long]

SECOND = 1_000_000
ADDRESS = HashedAddress(1, "sms", "of a patient who takes messages")
FACTS = Facts(bus_problem=None, encrypted=True, exposed=True, limited=True)


class Recorded:
    """A channel that keeps its messages, after ``before`` has run."""

    name = "recorded"
    reaches: Reaches = "phone"

    def __init__(self, before: Callable[[Message], Any] = lambda _: None, *, honours_key: bool = False) -> None:
        self.honours_key = honours_key
        self.calls: list[Message] = []
        self._before = before

    def receipt_name(self, key: str) -> str:
        return f"provider:{key}"

    def circuit(self, to: str) -> None:
        pass

    async def send(self, message: Message) -> Accepted:
        self.calls.append(message)
        awaited = self._before(message)
        if awaited is not None:
            await awaited
        return Accepted(self.receipt_name(message.key))

    async def close(self) -> None:
        pass


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "sent.jsonl"


@pytest.fixture
def context(database: Database, vault: Vault, record: Path) -> Context:
    return _context(database, vault, RecordingChannel(record))


def _context(database: Database, vault: Vault, channel: Channel | None) -> Context:
    return Context(database, vault, Everywhere(channel), "https://clinic.example")


def _sent(record: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in whole_lines(record)] if record.exists() else []


async def _swept(context: Context, limits: Limits = sweeps.USUAL) -> dict[str, int]:
    """Sweep once; return the number of rows by their new state."""
    sweep = Sweep(context, limits)
    await sweep.run()
    return {state: count for state, count in sweep.done.items() if count}


async def _rows(database: Database) -> list[Any]:
    async with database.read() as connection:
        return list(await connection.execute(select(notifications).order_by(notifications.c.id)))


async def _states(database: Database) -> list[str]:
    return [row.state for row in await _rows(database)]


async def _change(database: Database, **values: Any) -> None:
    async with database.write() as connection:
        await connection.execute(update(notifications).values(**values))


async def _seed_waiting_patients(setup: Seeder, count: int) -> Seed:
    """Seed a site with one point and ``count`` patients with phone numbers, which are in the order of the queue."""
    seeded = await setup.seed(points=1, tickets=0, displays=0)
    await setup.do(ChangeSite(site_id=seeded["site_id"], message_ways=("sms",)))
    for index in range(count):
        await setup.ticket(seeded["queue_ids"][0], name="Nora Canary", phone=f"+49 170 000{index:04d}", language="fr")
    return seeded


async def _claim_one(database: Database, claimer: str, now: int | None = None) -> int | None:
    """Claim a row, at the present or at ``now``; return its id, or None if there is nothing to claim."""
    now = now or await database.now()
    async with database.write() as connection:
        found = await rows.claim(connection, claimer, now, now - 30 * SECOND, 1)
    return found[0].id if found else None


async def _begin(database: Database, claimer: str, ids: Sequence[int]) -> set[int]:
    now = await database.now()
    async with database.write() as connection:
        given = [rows.Begun(each, ADDRESS, f"provider:notification:{each}") for each in ids]
        begun, _ = await rows.begin(connection, claimer, given, now)
        return begun


async def _record(database: Database, claimer: str, outcome: rows.Outcome) -> None:
    now = await database.now()
    async with database.write() as connection:
        await rows.record(connection, claimer, [outcome], now)


# Planning, and the way from due to sent


async def test_patients_with_up_to_two_ahead_are_notified_once(
    setup: Seeder, context: Context, database: Database, record: Path
) -> None:
    await _seed_waiting_patients(setup, 5)
    await setup.ticket((await setup.seed(1, 0, 0))["queue_ids"][0])  # no phone, so no notification
    assert await _swept(context) == {"sent": 3}
    assert await _swept(context) == {}
    sent = _sent(record)
    assert [message["to"] for message in sent] == [f"+49170000{index:04d}" for index in range(3)]
    assert all("votre tour approche" in message["text"] for message in sent)
    assert all("https://clinic.example/t/" in message["text"] for message in sent)
    assert not any("Nora" in message["text"] for message in sent)
    assert await _states(database) == ["sent"] * 3


async def test_next_patient_is_notified_when_the_queue_moves(setup: Seeder, context: Context, record: Path) -> None:
    seeded = await _seed_waiting_patients(setup, 4)
    assert await _swept(context) == {"sent": 3}
    await setup.do(CallNext(point_id=seeded["point_ids"][0]))
    assert await _swept(context) == {"sent": 2}
    assert sum("votre tour approche" in each["text"] for each in _sent(record)) == 4
    assert sum("c'est votre tour" in each["text"] for each in _sent(record)) == 1


async def test_rule_uses_the_number_ahead_of_the_ticket(setup: Seeder, database: Database) -> None:
    seeded = await _seed_waiting_patients(setup, 6)
    board = await Boards(database).board(seeded["site_id"])
    assert [board.visits[notice.visit_id or 0].label for notice in waiting(board, 0)] == ["A001", "A002", "A003"]


async def test_message_of_a_called_patient_is_withdrawn(
    setup: Seeder, context: Context, database: Database, record: Path
) -> None:
    seeded = await _seed_waiting_patients(setup, 1)
    await setup.do(CallNext(point_id=seeded["point_ids"][0]))
    assert await _swept(context) == {"not begun": 1, "sent": 1}
    assert await _states(database) == ["withdrawn", "sent"]
    (called,) = _sent(record)
    assert "c'est votre tour" in called["text"]


async def test_message_is_withdrawn_if_its_subject_changes_between_claim_and_begin(
    setup: Seeder, context: Context, database: Database
) -> None:
    seeded = await _seed_waiting_patients(setup, 1)
    claimed = await _claim_one(database, "worker")
    assert claimed is not None
    await setup.do(CallNext(point_id=seeded["point_ids"][0]))
    assert await _begin(database, "worker", [claimed]) == set()
    assert await _states(database) == ["withdrawn", "due"]


async def test_message_on_its_way_stays_sent_if_its_subject_changes(setup: Seeder, database: Database, vault: Vault) -> None:
    seeded = await _seed_waiting_patients(setup, 1)

    async def call(message: Message) -> None:
        if message is channel.calls[0]:  # the second one tells of the call
            await setup.do(CallNext(point_id=seeded["point_ids"][0]))

    channel = Recorded(call)
    assert await _swept(_context(database, vault, channel)) == {"sent": 2}


async def test_message_that_waited_too_long_expires(
    setup: Seeder, context: Context, database: Database, record: Path
) -> None:
    """As after a night without workers."""
    await _seed_waiting_patients(setup, 1)
    await _change(database, not_after=await database.now() - 1)
    assert await _swept(context) == {"expired": 1}
    assert (await _states(database), _sent(record)) == (["expired"], [])


async def test_claimed_message_expires_at_its_last_useful_instant(
    setup: Seeder, context: Context, database: Database
) -> None:
    await _seed_waiting_patients(setup, 1)
    claimed = await _claim_one(database, "worker")
    assert claimed is not None
    await _change(database, not_after=await database.now() - 1)
    assert await _begin(database, "worker", [claimed]) == set()
    assert await _states(database) == ["expired"]


async def test_message_to_a_patient_without_an_address_is_suppressed(
    setup: Seeder, context: Context, database: Database
) -> None:
    seeded = await _seed_waiting_patients(setup, 1)
    await setup.do(ChangeSite(site_id=seeded["site_id"], message_ways=("email",)))
    await _change(database, channel="email")
    assert await _swept(context) == {"suppressed": 1}
    assert [(row.state, row.reason) for row in await _rows(database)] == [("suppressed", "no-address")]


async def test_message_whose_address_has_gone_is_sent_on_another_way(
    setup: Seeder, context: Context, database: Database
) -> None:
    await _seed_waiting_patients(setup, 1)
    await _change(database, channel="email")
    assert await _swept(context) == {"other way": 1, "sent": 1}
    assert [(row.state, row.channel) for row in await _rows(database)] == [("sent", "sms")]


async def test_message_that_goes_out_on_the_other_way_already_is_suppressed(
    setup: Seeder, context: Context, database: Database
) -> None:
    await _seed_waiting_patients(setup, 1)
    await _change(database, channel="email")
    async with database.write() as connection:
        (row,) = await connection.execute(select(notifications))
        other = {name: value for name, value in row._mapping.items() if name not in ("id", "open_due_at")}
        await connection.execute(insert(notifications).values(other | {"channel": "sms"}))
    await _swept(context)
    assert [(row.state, row.channel) for row in await _rows(database)] == [("suppressed", "email"), ("sent", "sms")]


async def test_message_under_a_lost_key_fails_and_the_others_are_sent(
    setup: Seeder, context: Context, database: Database, vault: Vault
) -> None:
    for each in (Vault([b"x" * 32], "another secret key"), vault):
        await due_rows.fill(database, each, await setup.seed(1, 0, 0), 1)
    assert await _swept(context) == {"failed": 1, "sent": 1}
    assert [(row.state, row.reason) for row in await _rows(database)] == [("failed", "not-composed"), ("sent", None)]


# The kinds and their subjects


async def test_message_begins_in_the_states_of_its_kind_and_version_alone(setup: Seeder, database: Database) -> None:
    seeded, now = await setup.seed(1, 0, 0), await database.now()
    first = seeded["site_id"] * IDS_PER_SITE + due_rows.FIRST
    subjects: list[tuple[str, str, int]] = []
    booked: dict[str, Any] = {
        "site_id": seeded["site_id"], "service_id": 1, "provider_id": 1, "resource_id": 1, "minutes": 15, "seq": 0,
        "local_start": "2026-01-01T09:00", "fold": 0, "zone": "UTC", "buffer_minutes": 0, "starts_at": now, "lane": 0,
        "ends_at": now, "tz_version": "2026b", "version": 3, "language": "en", "booked_at": now, "needs": [],
    }  # fmt: skip
    for state in get_args(AppointmentState):
        subjects.append(("appointment", state, first + len(subjects)))
    for state in get_args(State):
        subjects.append(("entry", state, first + len(subjects)))
    planned = [
        due_rows.message(
            identifier,
            now,
            subject=f"{what}:{identifier}",
            subject_version=version,
            kind=kind,
            visit_id=None,
            entry_id=identifier if what == "entry" else None,
            appointment_id=identifier if what == "appointment" else None,
        )
        for what, _, identifier in subjects
        for kind in get_args(Kind)
        for version in (2, 3)
    ]
    async with database.write() as connection:
        for what, state, identifier in subjects:
            if what == "appointment":
                values = booked | {"id": identifier, "state": state, "token_hash": str(identifier)}
                await connection.execute(insert(appointments).values(values))
            else:
                values = due_rows.entry(seeded["site_id"], seeded["queue_ids"][0], identifier, now)
                # No two entries are with the same patient or at the same point.
                values |= {"state": state, "calls": 3, "point_id": identifier, "visit_id": identifier}
                await connection.execute(insert(entries).values(values))
        assert await connection.run_sync(rows.plan, planned, now) == len(planned)
    async with database.write() as connection:
        claimed = await rows.claim(connection, "worker", now, 0, len(planned))
        begun, _ = await rows.begin(connection, "worker", [rows.Begun(each.id, ADDRESS) for each in claimed], now)
    kept = {row.id: row for row in await _rows(database)}
    right = {
        *(("appointment", state, kind) for kind, states in OF_APPOINTMENTS.items() for state in states),
        *(("entry", state, kind) for kind, states in OF_ENTRIES.items() for state in states),
    }
    of = {f"{what}:{identifier}": (what, state) for what, state, identifier in subjects}
    found = {(*of[kept[each].subject], kept[each].kind, kept[each].subject_version) for each in begun}
    # The question after a visit is about the whole visit.
    whole = {(*each, 2) for each in right if each[0] == "entry" and each[2] == "feedback"}
    assert found == {(*each, 3) for each in right} | whole
    assert Counter(row.state for row in kept.values()) == {"sending": len(found), "withdrawn": len(planned) - len(found)}


async def test_index_of_the_embedded_database_finds_the_due_rows(sqlite_url: str) -> None:
    """`test_explain.py` looks at the plans of the other engine."""
    database = Database(sqlite_url)
    await bring_up(database)
    statements: list[tuple[str, Any]] = []
    event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *about: statements.append(about[2:4]))
    await messages.is_due(database)
    await messages.health(database)
    await _claim_one(database, "worker")
    plans = []
    async with database.engine.connect() as connection:
        for statement, values in [each for each in statements if "open_due_at" in each[0]]:
            plans += [row.detail for row in await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    await database.close()
    assert len(plans) == 5
    assert all("INDEX ix_notifications_open_due_at_id (open_due_at<?)" in each for each in plans), plans


# Claims, and workers that die


async def test_message_has_one_claim_and_a_stale_claim_is_replaced(
    setup: Seeder, context: Context, database: Database
) -> None:
    await _seed_waiting_patients(setup, 1)
    claimed = await _claim_one(database, "first")
    assert claimed is not None
    (at,) = [row.changed_at for row in await _rows(database)]
    assert await _claim_one(database, "second", at + 29 * SECOND) is None
    assert await _claim_one(database, "second", at + 60 * SECOND) == claimed
    assert await _begin(database, "first", [claimed]) == set(), "the first worker has lost its claim"
    assert await _begin(database, "second", [claimed]) == {claimed}
    await _record(database, "first", rows.Outcome(claimed, "sent"))
    assert await _states(database) == ["sending"], "only the worker that began can end it"


async def _die_while_sending(setup: Seeder, context: Context) -> int:
    """Begin to send a message and die; return the id of its row, which is stale then."""
    await _seed_waiting_patients(setup, 1)
    claimed = await _claim_one(context.database, "dead")
    assert claimed is not None
    assert await _begin(context.database, "dead", [claimed]) == {claimed}
    assert await _swept(context) == {}, "the worker may still live"
    await _change(context.database, changed_at=await context.database.now() - 181 * SECOND)
    return claimed


async def test_message_of_a_dead_worker_becomes_unknown(
    setup: Seeder, context: Context, database: Database, record: Path
) -> None:
    """The provider may have accepted the message: the row shows this state, and the message is never sent again."""
    await _die_while_sending(setup, context)
    assert await _swept(context) == {"unknown": 1}
    assert await _swept(context) == {}
    assert [(row.state, row.reason) for row in await _rows(database)] == [("unknown", "worker-lost")]
    assert _sent(record) == []


@pytest.mark.parametrize("answer", ["sent", "failed"])
async def test_late_answer_of_the_same_worker_ends_an_unknown_message(
    setup: Seeder, context: Context, database: Database, answer: Any
) -> None:
    row_id = await _die_while_sending(setup, context)
    await _swept(context)
    await _record(database, "another", rows.Outcome(row_id, answer))
    await _record(database, "dead", rows.Outcome(row_id, "due", due_at=1))
    assert await _states(database) == ["unknown"]
    await _record(database, "dead", rows.Outcome(row_id, answer, provider_id="p" * 120))
    assert [(row.state, row.provider_id) for row in await _rows(database)] == [(answer, "p" * 120)]


async def _receive(database: Database, row_id: int, receipt: Arrival) -> None:
    async with database.write() as connection:
        name = f"provider:notification:{row_id}"
        assert await rows.receive(connection, name, "sms", receipt, await database.now())


async def test_receipt_that_comes_before_the_answer_is_kept(setup: Seeder, database: Database, vault: Vault) -> None:
    await _seed_waiting_patients(setup, 1)
    (row_id,) = [row.id for row in await _rows(database)]
    channel = Recorded(before=lambda _: _receive(database, row_id, "delivered"))
    assert await _swept(_context(database, vault, channel)) == {"sent": 1}
    assert [(row.state, row.receipt) for row in await _rows(database)] == [("sent", "delivered")]


@pytest.mark.parametrize("receipt", ["delivered", "undelivered"])
async def test_receipt_shows_that_a_message_of_unknown_outcome_was_sent(
    setup: Seeder, context: Context, database: Database, receipt: Arrival
) -> None:
    row_id = await _die_while_sending(setup, context)
    assert await _swept(context) == {"unknown": 1}
    await _receive(database, row_id, receipt)
    assert [(row.state, row.reason, row.receipt) for row in await _rows(database)] == [("sent", None, receipt)]
    async with database.write() as connection:
        now = await database.now()
        assert not await rows.resend(connection, row_id, now, now + SECOND), "the patient has it"


async def test_message_of_a_dead_worker_with_a_receipt_was_sent(setup: Seeder, context: Context, database: Database) -> None:
    row_id = await _die_while_sending(setup, context)
    await _receive(database, row_id, "delivered")
    assert "unknown" not in await _swept(context)
    assert [(row.state, row.receipt) for row in await _rows(database)] == [("sent", "delivered")]


async def test_provider_that_honours_keys_is_asked_again_with_the_same_key(
    setup: Seeder, database: Database, vault: Vault
) -> None:
    channel = Recorded(honours_key=True)
    row_id = await _die_while_sending(setup, _context(database, vault, channel))
    assert await _swept(_context(database, vault, channel)) == {"sent": 1}
    assert [each.key for each in channel.calls] == [f"notification:{row_id}"]
    assert [(row.state, row.attempts) for row in await _rows(database)] == [("sent", 2)]


@pytest.mark.parametrize(("tries", "state"), [(7, "sent"), (8, "unknown")])
async def test_provider_that_honours_keys_is_asked_eight_times_at_most(
    setup: Seeder, database: Database, vault: Vault, tries: int, state: str
) -> None:
    channel = Recorded(honours_key=True)
    await _die_while_sending(setup, _context(database, vault, channel))
    await _change(database, attempts=tries)
    assert await _swept(_context(database, vault, channel)) == {state: 1}
    assert [(row.state, row.attempts) for row in await _rows(database)] == [(state, 8)]
    assert len(channel.calls) == 8 - tries


async def test_provider_is_not_asked_again_about_a_patient_who_was_called(
    setup: Seeder, database: Database, vault: Vault
) -> None:
    """Nor is the message withdrawn: the provider may have accepted it."""
    channel = Recorded(honours_key=True)
    context = _context(database, vault, channel)
    row_id = await _die_while_sending(setup, context)
    await setup.do(CallNext(point_id=(await _point_of(database, row_id))))
    assert await _swept(context) == {"unknown": 1, "sent": 1}
    assert [each.subject.partition(" ")[0] for each in channel.calls] == ["C\u2019est"], "the message about the call alone"


async def _point_of(database: Database, row_id: int) -> int:
    (row,) = [each for each in await _rows(database) if each.id == row_id]
    return next(iter((await Boards(database).board(row.site_id)).points))


# The answers of providers


def _raise(error: BaseException) -> Callable[[Message], None]:
    def fail(_: Message) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (ChannelRefused("no-such-number"), "failed", "no-such-number"),
        (ConnectionResetError("in the middle of it"), "unknown", "broken-call"),
        (asyncio.CancelledError(), "unknown", "broken-call"),
    ],
)
async def test_error_of_the_channel_decides_the_state(
    setup: Seeder, database: Database, vault: Vault, error: BaseException, state: str, reason: str
) -> None:
    await _seed_waiting_patients(setup, 1)
    channel = Recorded(_raise(error))
    context = _context(database, vault, channel)
    assert await _swept(context) == {state: 1}
    assert await _swept(context) == {}
    assert [(row.state, row.reason, row.attempts) for row in await _rows(database)] == [(state, reason, 1)]
    assert len(channel.calls) == 1


async def _answered(
    setup: Seeder, database: Database, vault: Vault, stub: Provider, times: int = 1, limits: Limits = sweeps.USUAL
) -> list[int]:
    """Send one message by a provider, ``times`` with the wait between; return the seconds of each wait."""
    await _seed_waiting_patients(setup, 1)
    channel = HttpChannel(stub.url)
    context = _context(database, vault, channel)
    waits = []
    for _ in range(times):
        await _swept(context, limits)
        (row,) = await _rows(database)
        if row.state == "due":
            waits.append(round((row.due_at - row.changed_at) / SECOND))
            assert await _swept(context, limits) == {}, "it is not due yet"
            await _change(database, due_at=row.changed_at)
    await channel.close()
    return waits


async def test_provider_that_refuses_is_called_once(setup: Seeder, database: Database, vault: Vault) -> None:
    with provider(lambda *_: REFUSED) as stub:
        await _answered(setup, database, vault, stub, times=2)
    assert await _states(database) == ["failed"]
    assert stub.calls.total() == 1


async def test_busy_provider_gets_the_message_at_the_third_try(setup: Seeder, database: Database, vault: Vault) -> None:
    with provider(lambda _, nth: BUSY if nth < 3 else ACCEPTED) as stub:
        assert await _answered(setup, database, vault, stub, times=4) == [30, 60]
    assert [(row.state, row.reason, row.attempts) for row in await _rows(database)] == [("sent", None, 3)]
    assert (stub.calls.total(), stub.accepted.total()) == (3, 1)


async def test_provider_that_stays_busy_is_called_three_times(setup: Seeder, database: Database, vault: Vault) -> None:
    with provider(lambda *_: BUSY) as stub:
        await _answered(setup, database, vault, stub, times=4)
    assert [(row.state, row.reason) for row in await _rows(database)] == [("failed", "busy")]
    assert stub.calls.total() == 3


async def test_message_expires_if_a_busy_provider_asks_for_a_time_that_is_too_late(
    setup: Seeder, database: Database, vault: Vault
) -> None:
    await _seed_waiting_patients(setup, 1)
    context = _context(database, vault, Recorded(_raise(ChannelBusy(retry_after_seconds=1_801))))
    assert await _swept(context) == {"expired": 1}


async def test_provider_that_sleeps_past_the_limit_is_called_once(setup: Seeder, database: Database, vault: Vault) -> None:
    with provider(lambda *_: Answer(seconds=60.0)) as stub:
        await _answered(setup, database, vault, stub, times=2, limits=Limits(call=3.0))
    assert [(row.state, row.reason) for row in await _rows(database)] == [("unknown", "no-answer")]
    assert stub.calls.total() == 1


# Repeats by staff, and receipts


async def test_staff_repeat_a_failed_or_unknown_message_once(
    setup: Seeder, database: Database, vault: Vault, context: Context, record: Path
) -> None:
    await _seed_waiting_patients(setup, 2)
    broken = _context(database, vault, Recorded(_raise(ConnectionResetError())))
    await _swept(broken)
    first, second = await _rows(database)
    now = await database.now()

    async def resend(row_id: int) -> bool:
        async with database.write() as connection:
            return await rows.resend(connection, row_id, now, now + 60 * SECOND)

    assert await resend(first.id)
    assert not await resend(first.id), "a second touch"
    await _change_row(database, second.id, state="failed")
    assert await resend(second.id)
    assert await _swept(context) == {"sent": 2}
    *_, again = await _rows(database)
    assert again.resend_of == second.id
    assert not await resend(again.id), "it was sent"
    assert len(_sent(record)) == 2


async def _change_row(database: Database, row_id: int, **values: Any) -> None:
    async with database.write() as connection:
        await connection.execute(update(notifications).where(notifications.c.id == row_id).values(**values))


async def test_receipt_has_a_column_of_its_own_and_the_final_one_stays(
    setup: Seeder, database: Database, vault: Vault
) -> None:
    await _seed_waiting_patients(setup, 1)
    context = _context(database, vault, Recorded())
    await _swept(context)
    (row,) = await _rows(database)

    async def receive(receipt: Arrival, channel: str = "sms") -> tuple[bool, str | None]:
        async with database.write() as connection:
            known = await rows.receive(connection, row.provider_id, channel, receipt, await database.now())
        (after,) = await _rows(database)
        assert after.state == "sent"
        return known, after.receipt

    assert await receive("delivered", "email") == (False, None)
    assert await receive("undelivered-for-now") == (True, "undelivered-for-now")
    assert await receive("undelivered") == (True, "undelivered")
    assert await receive("undelivered-for-now") == (True, "undelivered")
    assert await receive("delivered") == (True, "delivered")
    assert await receive("undelivered") == (True, "delivered")


# Channels, health, leases


async def _workers(database: Database) -> Check:
    return {each.name: each for each in await system.checks(database, FACTS)}["workers"]


async def test_message_without_a_channel_waits_and_is_reported_until_there_is_one(
    setup: Seeder, database: Database, vault: Vault
) -> None:
    await _seed_waiting_patients(setup, 1)
    context = _context(database, vault, None)
    sweeper = Sweeper(context)
    assert await sweeper.sweep() == {"no-channel": 1}
    assert await sweeper.sweep() == {}, "it is tried again after a minute"
    found = await _workers(database)
    assert (found.code, found.state) == ("workers_channelless", "broken")
    assert found.remedy
    assert (await messages.health(database)).trouble == "degraded: 1 messages have no channel"
    (row,) = await _rows(database)
    assert (row.state, row.attempts) == ("due", 0)
    await _change(database, due_at=row.changed_at)
    assert await Sweeper(_context(database, vault, Recorded())).sweep() == {"sent": 1, "not begun": 0}
    assert (await _workers(database)).code == "workers_ok"


async def test_health_tells_when_beat_last_woke_a_worker(context: Context, database: Database) -> None:
    assert (await messages.health(database)).beat is None
    sweeper = Sweeper(context)
    sweeper.wake()
    running = asyncio.create_task(sweeper.run())
    try:
        async with asyncio.timeout(60):
            while (await messages.health(database)).beat is None:  # noqa: ASYNC110 - the row is all that tells
                await asyncio.sleep(0.05)
    finally:
        sweeper.stop()
        await running


async def test_health_is_the_age_of_the_oldest_row_and_of_the_last_sweep(
    setup: Seeder, context: Context, database: Database
) -> None:
    assert (await _workers(database)).code == "workers_within"
    await _seed_waiting_patients(setup, 1)
    assert (await messages.health(database)).trouble is None
    now = await database.now()
    await _change(database, due_at=now - 400 * SECOND)
    assert (await _workers(database)).code == "workers_late"
    health = await messages.health(database)
    assert 400 <= health.oldest // SECOND < 460
    assert health.trouble is not None
    await Sweeper(context).sweep()
    assert (await _workers(database)).code == "workers_ok"
    now = await database.now()
    async with database.write() as connection:
        assert await leases.take(connection, messages.LEASE, "x", now, SECOND)
        await leases.finish(connection, messages.LEASE, "x", now - 301 * SECOND)
    found = await _workers(database)
    assert (found.code, found.state) == ("workers_away", "warning")


async def test_one_process_has_the_lease_until_it_ends(database: Database) -> None:
    async def take(holder: str, now: int) -> bool:
        async with database.write() as connection:
            return await leases.take(connection, "work", holder, now * SECOND, 30 * SECOND)

    assert await take("a", 100)
    assert not await take("b", 129)
    assert await take("a", 120), "it renews its lease"
    assert not await take("b", 149)
    assert await take("b", 150), "a dead holder blocks the work no longer"
    assert not await take("a", 151)
    assert await take("a", 10), "the clock was set back, and no lease can last from then"
    async with database.write() as connection:
        await leases.finish(connection, "work", "b", 99)
        assert await leases.finished(connection, ["work"]) == {"work": None}
        await leases.finish(connection, "work", "a", 12 * SECOND)
        assert await leases.finished(connection, ["work"]) == {"work": 12 * SECOND}
    assert await take("b", 12)


async def test_only_the_holder_of_the_lease_sweeps(setup: Seeder, context: Context, database: Database) -> None:
    await _seed_waiting_patients(setup, 1)
    limits = Limits(lease=3600.0)
    first, second = Sweeper(context, limits), Sweeper(context, limits)
    assert await first._holds_lease()
    assert await second.sweep() is None
    assert await first.sweep() == {"sent": 1, "not begun": 0}
    assert await second.sweep() == {}, "the lease ends with the sweep"


async def test_sweeper_that_stops_records_the_calls_that_have_begun(setup: Seeder, database: Database, vault: Vault) -> None:
    called, answer = asyncio.Event(), asyncio.Event()

    async def slow(_: Message) -> None:
        called.set()
        await answer.wait()

    await _seed_waiting_patients(setup, 1)
    context = _context(database, vault, Recorded(slow))
    sweeper = Sweeper(context)
    task = asyncio.create_task(sweeper.run())
    await called.wait()
    sweeper.stop()
    await asyncio.sleep(0.1)
    assert not task.done()
    answer.set()
    await asyncio.wait_for(task, 60)
    assert await _states(database) == ["sent"]


async def test_fault_in_a_sweep_does_not_end_the_sweeper(
    setup: Seeder, context: Context, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _seed_waiting_patients(setup, 1)
    monkeypatch.setattr(sweeps, "SWEEP_SECONDS", (0.05, 0.05))
    sent = asyncio.Event()
    directory = Everywhere(Recorded(lambda _: sent.set()))
    faults = 0

    class Faulty:
        async def close(self) -> None:
            pass

        async def of(self, *about: Any) -> Channel | None:
            nonlocal faults
            if not faults:
                faults += 1
                raise RuntimeError("a fault of the directory")
            return await directory.of(*about)

    sweeper = Sweeper(Context(database, context.vault, Faulty(), ""), Limits(claim=0.0))
    task = asyncio.create_task(sweeper.run())
    await asyncio.wait_for(sent.wait(), 60)
    sweeper.stop()
    await task
    assert await _states(database) == ["sent"]
    assert faults == 1


# Many processes


def _filled(mysql_url: str, count: int) -> None:
    async def fill() -> None:
        database = Database(mysql_url)
        await bring_up(database)
        with quick_passwords():
            setup = Seeder(database, Executor(database, VAULT, publish=lambda *_: None))
            await due_rows.fill(database, VAULT, await setup.seed(1, 0, 0), count)
        await database.close()

    asyncio.run(fill())


def _read(mysql_url: str) -> list[Any]:
    async def read() -> list[Any]:
        database = Database(mysql_url)
        try:
            return await _rows(database)
        finally:
            await database.close()

    return asyncio.run(read())


def _sweep_and_kill(mysql_url: str, stub: Provider, *options: str) -> None:
    command = [sys.executable, "-m", "tests.support.killed_sweeps", mysql_url, stub.url, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=server.ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "failed 0" in done.stdout, done.stdout + done.stderr[-3000:]
    assert "killed 0" not in done.stdout, "no worker was killed while it lived"


def _one_in_five(nth: int, _: int) -> Answer:
    """A provider that fails one call in five, now after and now before it accepts, and hangs one in a hundred."""
    if nth % 100 == 0:
        return Answer(seconds=4.0)
    if nth % 5 == 0:
        return LOST if nth % 2 else Answer(500, accepts=False)
    return ACCEPTED


def test_eight_workers_that_are_killed_send_each_message_at_most_once(mysql_url: str) -> None:
    count = extent.scaled(10_000, 1_000)
    _filled(mysql_url, count)
    with provider(_one_in_five) as stub:
        _sweep_and_kill(mysql_url, stub)
    found = _read(mysql_url)
    states = Counter(row.state for row in found)
    assert set(states) <= {"sent", "unknown", "failed"}
    assert states.total() == count
    assert max(stub.accepted.values()) == 1
    assert max(stub.calls.values()) == 1
    assert states["unknown"] > 0
    by_key = {f"notification:{row.id}": row.state for row in found}
    assert all(stub.accepted[key] == 1 for key, state in by_key.items() if state == "sent")
    assert all(by_key[key] in ("sent", "unknown") for key in stub.accepted)


def test_provider_that_honours_keys_accepts_every_message_once(mysql_url: str) -> None:
    count = extent.scaled(3_000, 300)
    _filled(mysql_url, count)
    with provider(_one_in_five, honours_key=True) as stub:
        _sweep_and_kill(mysql_url, stub, "--honours-key", "--kills", "4")
    assert Counter(row.state for row in _read(mysql_url)) == {"sent": count}
    assert len(stub.accepted) == count
    assert set(stub.accepted.values()) == {1}
    assert max(stub.calls.values()) > 1


# Real workers, beats and servers


async def _arrive(url: str, seeded: Seed, numbers: Sequence[int]) -> None:
    database = Database(url)
    setup = Seeder(database, Executor(database, server.vault(), publish=lambda *_: None))
    with suppress(NothingChanged):
        await setup.do(ChangeSite(site_id=seeded["site_id"], message_ways=("sms",)))
    for number in numbers:
        await setup.ticket(seeded["queue_ids"][0], name="Nora Canary", phone=f"+49 170 {number:07d}")
    await database.close()


def _wait_for(record: Path, count: int, *logs: Path) -> None:
    try:
        wait_until(lambda: len(_sent(record)) >= count, f"message {count}")
    except AssertionError as error:
        raise AssertionError(f"{error}\n" + "\n".join(log.read_text()[-3000:] for log in logs)) from None


def test_workers_send_each_message_once_without_beat_with_two_and_while_redis_restarts(
    mysql_url: str, tmp_path: Path, record: Path
) -> None:
    port = free_port()
    env = environment(mysql_url, f"redis://127.0.0.1:{port}/0", NOWSERVING_RECORDING_PATH=str(record))
    # Only the next three patients of a clinic get a message.
    seeded, other = seed(env, points=1, tickets=0, displays=0), seed(env, points=1, tickets=0, displays=0)
    asyncio.run(_arrive(mysql_url, seeded, [1]))
    cli = [sys.executable, "-m", "server.cli"]
    log, *beat_logs = (tmp_path / f"{name}.log" for name in ("worker", "beat-1", "beat-2"))
    woken = "notifications.sweep"  # the task that wakes a worker
    with ExitStack() as stack:
        with redis(tmp_path, port) as url:
            worker = stack.enter_context(running([*cli, "worker", "--concurrency", "2"], log, env))
            _wait_for(record, 1, log)  # no beat
            noted = "SELECT code FROM findings WHERE name = 'servers'"
            wait_until(lambda: direct_rows(env, noted) == [("servers_unseen",)], "the note of the worker's watchdog")
            beats = [
                stack.enter_context(running([*cli, "beat", "--schedule", str(tmp_path / f"{each.stem}.db")], each, env))
                for each in beat_logs
            ]
            asyncio.run(_arrive(mysql_url, seeded, [2]))
            _wait_for(record, 2, log, *beat_logs)
            wait_until(lambda: all("wake the sweepers" in each.read_text() for each in beat_logs), "both beats")
            wait_until(lambda: woken in log.read_text(), "a task that wakes a worker")
            redis_client.Redis.from_url(url).flushall()
            asyncio.run(_arrive(mysql_url, seeded, [3]))
            _wait_for(record, 3, log)
        asyncio.run(_arrive(mysql_url, other, [4]))
        _wait_for(record, 4, log)  # no Redis
        with redis(tmp_path, port):  # an empty one
            before = log.read_text().count(woken)
            wait_until(lambda: log.read_text().count(woken) > before, "a task of the broker after its restart")
            asyncio.run(_arrive(mysql_url, other, [5]))
            _wait_for(record, 5, log)
            assert [end(each) for each in (*beats, worker)] == [0, 0, 0]
    assert sorted(message["to"] for message in _sent(record)) == [f"+49170{number:07d}" for number in range(1, 6)]
    assert Counter(row.state for row in _read(mysql_url)) == {"sent": 5}
    logs = "".join(each.read_text() for each in (log, *beat_logs))
    for canary in ("Nora", "Canary", "+49 170", "+49170"):
        assert canary not in logs


def _lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def test_killed_worker_leaves_no_process_behind_that_sends(
    mysql_url: str, redis_url: str, tmp_path: Path, record: Path
) -> None:
    env = environment(mysql_url, redis_url, NOWSERVING_RECORDING_PATH=str(record))
    seeded = seed(env, points=1, tickets=0, displays=0)
    asyncio.run(_arrive(mysql_url, seeded, [1]))
    log = tmp_path / "worker.log"
    command = [sys.executable, "-m", "server.cli", "worker", "--concurrency", "2"]
    with running(command, log, env) as worker:
        _wait_for(record, 1, log)
        listed = Path(f"/proc/{worker.pid}/task/{worker.pid}/children")
        wait_until(lambda: len(listed.read_text().split()) >= 2, "both processes")
        children = listed.read_text().split()
        assert end(worker, signal.SIGKILL) == -signal.SIGKILL
    wait_until(lambda: not any(_lives(each) for each in children), "the end of its processes")


def test_embedded_server_sends_by_itself(sqlite_url: str, tmp_path: Path, record: Path) -> None:
    env = environment(sqlite_url, NOWSERVING_RECORDING_PATH=str(record))
    seeded = seed(env, points=1, tickets=0, displays=0)
    with serving(env, tmp_path) as running_server:
        asyncio.run(_arrive(sqlite_url, seeded, [1]))
        _wait_for(record, 1, running_server.log)
        assert end(running_server.process) == 0
    assert [row.state for row in _read(sqlite_url)] == ["sent"]
