"""The executor, the only write path, on each database engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest
from sqlalchemy import QueuePool, func, select, update

from server.domain.board import open_entries
from server.domain.commands import CallNext, CloseDay, Complete, IssueTicket, NoShow, Recall, Start, Tick, Transfer
from server.domain.errors import CommandIdReused, NobodyWaiting, NothingDue, PointBusy, PointNotFound, SiteNotFound
from server.domain.events import DayTurned, EntryExpired, Recorded
from server.domain.model import OPEN_STATES
from server.domain.model.clocks import clock_of
from server.execute import Executor
from server.housekeeping import forget_old_rows
from server.queries.boards import Boards
from server.seeding import Seeder
from server.simulation import Simulation
from server.store import event_log
from server.store.database import Database
from server.store.tables import commands, counters, entries, intervals, sites, visits
from server.vault import Vault


async def test_board_kept_by_events_equals_board_loaded_from_rows(setup: Seeder, database: Database) -> None:
    """After each kind of step, a board kept by applying events equals the board loaded from the rows."""
    seed = await setup.seed(points=2, tickets=5, displays=1)
    point, other = seed["point_ids"]
    called = (await setup.do(CallNext(point_id=point)))["entry"]["id"]
    await setup.do(Recall(entry_id=called))
    await setup.do(Start(entry_id=called))
    await setup.do(Transfer(entry_id=called, queue_id=seed["queue_ids"][1]))
    absent = (await setup.do(CallNext(point_id=other)))["entry"]["id"]
    await setup.do(NoShow(entry_id=absent))
    third = (await setup.do(CallNext(point_id=point)))["entry"]["id"]
    await setup.do(Start(entry_id=third))
    await setup.do(Complete(entry_id=third))

    kept = setup.executor._boards[seed["site_id"]]
    loaded = await Boards(database).board(seed["site_id"])
    assert kept.site == loaded.site
    assert sorted(kept.records(), key=repr) == sorted(loaded.records(), key=repr)


async def test_refusal_leaves_no_gap_in_the_log(setup: Seeder, database: Database) -> None:
    seed = await setup.seed(points=1, tickets=1, displays=0)
    await setup.do(CallNext(point_id=seed["point_ids"][0]))
    with pytest.raises(PointBusy):
        await setup.do(CallNext(point_id=seed["point_ids"][0]))
    async with database.read() as connection:
        recorded = await connection.run_sync(event_log.since, seed["site_id"], 0)
    assert [each.seq for each in recorded] == list(range(1, len(recorded) + 1))
    assert recorded[-1].event.name_on_wire() == "ticket-called"


async def test_repeated_command_gets_the_same_answer_and_changes_nothing(setup: Seeder, database: Database) -> None:
    seed = await setup.seed(points=1, tickets=3, displays=0)
    command = CallNext(point_id=seed["point_ids"][0])
    first = await setup.executor.execute(command, actor="staff:1", command_id="once")
    again = await setup.executor.execute(command, actor="staff:1", command_id="once")
    assert again.body == first.body
    assert (first.repeated, again.repeated) == (False, True)
    with pytest.raises(CommandIdReused):
        await setup.executor.execute(Start(entry_id=first.body["entry"]["id"]), actor="staff:1", command_id="once")
    with pytest.raises(CommandIdReused):  # a user cannot read the answer of another user with the same key
        await setup.executor.execute(command, actor="staff:2", command_id="once")


async def test_preview_answers_like_the_command_and_changes_nothing(setup: Seeder, database: Database) -> None:
    seed = await setup.seed(points=1, tickets=3, displays=0)
    site_id, queue_id = seed["site_id"], seed["queue_ids"][0]
    before = await Boards(database).board(site_id)
    commands = [
        CallNext(point_id=seed["point_ids"][0]),
        CloseDay(site_id=site_id, reason="evening"),
        IssueTicket(queue_id=queue_id, name="Ada"),
    ]
    for command in commands:
        told = await setup.executor.preview(command, actor="staff:1")
        done = (await setup.executor.execute(command, actor="staff:1", command_id=command.name_on_wire())).body
        assert told.pop("preview") is True
        assert isinstance(told.pop("affects"), list)
        assert "token" not in told
        done.pop("token", None)
        for each in (*told["events"], *done["events"]):
            del each["at"]
        assert told == done
    with pytest.raises(PointNotFound):
        await setup.executor.preview(CallNext(point_id=queue_id), actor="staff:1")
    seen = await Boards(database).board(site_id)
    for command in commands[1:]:
        await setup.executor.preview(command, actor="staff:1")
    after = await Boards(database).board(site_id)
    assert before.site.seq < seen.site.seq == after.site.seq
    assert seen.records() == after.records()


async def test_recorded_answer_is_encrypted(setup: Seeder, database: Database) -> None:
    seed = await setup.seed(points=1, tickets=1, displays=0)
    token = seed["tickets"][0]["token"]
    async with database.read() as connection:
        answers = list(await connection.scalars(select(commands.c.answer)))
    assert answers
    assert not any(token in answer for answer in answers)


async def test_each_step_closes_an_interval(setup: Seeder, database: Database) -> None:
    seed = await setup.seed(points=1, tickets=1, displays=0)
    entry_id = (await setup.do(CallNext(point_id=seed["point_ids"][0])))["entry"]["id"]
    await setup.do(Start(entry_id=entry_id))
    await setup.do(Complete(entry_id=entry_id))
    async with database.read() as connection:
        rows = (await connection.execute(select(intervals).order_by(intervals.c.ended_by))).all()
        opened = await connection.scalar(select(visits.c.opened_at))
        ended = await connection.scalar(select(entries.c.since))
    assert [row.state for row in rows] == ["waiting", "called", "serving"]
    assert rows[0].started_at == opened
    assert rows[-1].ended_at == ended
    assert [row.ended_at for row in rows[:-1]] == [row.started_at for row in rows[1:]]


async def test_executors_of_two_processes_take_turns(setup: Seeder, database: Database, vault: Vault) -> None:
    """Two executors with their own boards take turns. Each reads the missing events from the log while it holds the lock."""
    seed = await setup.seed(points=2, tickets=10, displays=0)
    other = Executor(database, vault, publish=lambda *_: None)
    called = []
    for turn in range(10):
        executor = (setup.executor, other)[turn % 2]
        point = seed["point_ids"][turn % 2]
        answer = await executor.execute(CallNext(point_id=point), actor="staff:1", command_id=f"call-{turn}")
        entry_id = answer.body["entry"]["id"]
        called.append(entry_id)
        answer = await executor.execute(Start(entry_id=entry_id), actor="staff:1", command_id=f"start-{turn}")
        await executor.execute(Complete(entry_id=entry_id), actor="staff:1", command_id=f"complete-{turn}")
    assert len(set(called)) == 10
    with pytest.raises(NobodyWaiting):
        await other.execute(CallNext(point_id=seed["point_ids"][0]), actor="staff:1", command_id="one more")


async def test_board_that_differs_from_the_rows_is_reloaded(setup: Seeder, database: Database) -> None:
    """A row changed without an event is not overwritten: the command starts again from the rows."""
    seed = await setup.seed(points=1, tickets=2, displays=0)
    async with database.write() as connection:
        first = await connection.scalar(select(func.min(entries.c.id)))
        await connection.execute(update(entries).where(entries.c.id == first).values(state="left", seq=0))
    answer = await setup.do(CallNext(point_id=seed["point_ids"][0]))
    assert answer["entry"]["id"] != first


async def test_executor_publishes_events_after_their_commit(database: Database, vault: Vault, setup: Seeder) -> None:
    seen: list[Recorded] = []
    open_transactions: list[int] = []

    def publish(site_id: int, epoch: str, recorded: Sequence[Recorded]) -> None:
        seen.extend(recorded)
        pool = database.engine.pool
        assert isinstance(pool, QueuePool)
        open_transactions.append(pool.checkedout())

    executor = Executor(database, vault, publish)
    seed = await setup.seed(points=1, tickets=1, displays=0)
    call = CallNext(point_id=seed["point_ids"][0])
    await executor.execute(call, actor="x", command_id="1")
    with pytest.raises(PointBusy):
        await executor.execute(call, actor="x", command_id="2")
    await executor.execute(IssueTicket(queue_id=seed["queue_ids"][0]), actor="x", command_id="3")
    await executor.execute(IssueTicket(queue_id=seed["queue_ids"][0]), actor="x", command_id="3")
    assert [each.event.name_on_wire() for each in seen] == ["ticket-called", "ticket-issued"]
    assert open_transactions == [0, 0]


async def test_unknown_site_is_not_found(setup: Seeder) -> None:
    with pytest.raises(SiteNotFound):
        await setup.do(CallNext(point_id=999_000_000_001))


async def test_concurrent_calls_give_each_point_one_entry(setup: Seeder) -> None:
    seed = await setup.seed(points=5, tickets=30, displays=0)
    calls = [setup.do(CallNext(point_id=point)) for point in seed["point_ids"] for _ in range(8)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    done = [outcome["entry"]["id"] for outcome in outcomes if isinstance(outcome, dict)]
    assert len(done) == len(set(done)) == 5
    assert all(isinstance(outcome, dict | PointBusy) for outcome in outcomes)


async def test_day_turns_once_and_expires_open_entries(setup: Seeder, database: Database) -> None:
    """The first command after the end of the day turns the day before its own step."""
    seed = await setup.seed(points=1, tickets=2, displays=0)
    site_id = seed["site_id"]
    await _move_to_past_day(database, site_id)
    setup.executor._boards.clear()
    answer = await setup.do(IssueTicket(queue_id=seed["queue_ids"][0]))
    assert [event["type"] for event in answer["events"]] == [
        "entry-expired",
        "entry-expired",
        "day-turned",
        "ticket-issued",
    ]
    assert answer["entry"]["label"] == "A001"
    async with database.read() as connection:
        states = list(await connection.scalars(select(entries.c.state).order_by(entries.c.id)))
        recorded = await connection.run_sync(event_log.since, site_id, 0)
    assert states == ["expired", "expired", "waiting"]
    assert sum(isinstance(each.event, DayTurned) for each in recorded) == 1
    assert sum(isinstance(each.event, EntryExpired) for each in recorded) == 2
    with pytest.raises(NothingDue):
        await setup.do(Tick(site_id=site_id))


async def test_tick_turns_the_day(setup: Seeder, database: Database) -> None:
    seed = await setup.seed(points=1, tickets=1, displays=0)
    await _move_to_past_day(database, seed["site_id"])
    setup.executor._boards.clear()
    assert await Boards(database).due() == [seed["site_id"]]
    answer = await setup.do(Tick(site_id=seed["site_id"]))
    assert answer["events"][-1]["type"] == "day-turned"
    assert await Boards(database).due() == []
    board = await Boards(database).board(seed["site_id"])
    assert not any(entry.state in OPEN_STATES for entry in board.entries.values())
    assert not board.visits


async def _move_to_past_day(database: Database, site_id: int) -> None:
    """Move the present day of a site into the past, as if the site had been idle since."""
    async with database.write() as connection:
        old = "2020-02-02"
        for table in (sites, visits, entries):
            key = table.c.id if table is sites else table.c.site_id
            await connection.execute(update(table).where(key == site_id).values(business_day=old))
        await connection.execute(update(sites).where(sites.c.id == site_id).values(next_tick_at=1))
        await connection.execute(update(counters).where(counters.c.site_id == site_id).values(business_day=old))


async def test_answers_are_deleted_after_a_day(setup: Seeder, database: Database) -> None:
    """A later repeat is a new command, because the first answer and its token are deleted."""
    seed = await setup.seed(points=1, tickets=1, displays=0)
    command = IssueTicket(queue_id=seed["queue_ids"][0])
    await setup.executor.execute(command, actor="staff:1", command_id="old")
    async with database.write() as connection:
        await connection.execute(update(commands).where(commands.c.command_id == "old").values(at=1))
    task = asyncio.create_task(forget_old_rows(database))
    for _ in range(3_000):
        await asyncio.sleep(0.02)
        async with database.read() as connection:
            kept = list(await connection.scalars(select(commands.c.command_id)))
        if "old" not in kept:
            break
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "old" not in kept
    assert kept, "younger answers stay"
    again = await setup.executor.execute(command, actor="staff:1", command_id="old")
    assert not again.repeated


async def test_new_site_takes_its_country_and_clock_from_its_time_zone(setup: Seeder) -> None:
    new_york = await setup.site("Health", "East", time_zone="America/New_York", language="EN")
    assert (new_york.rules.region, new_york.language, clock_of(new_york)) == ("US", "en", "12")
    anywhere = await setup.site("Health", "Anywhere")
    assert (anywhere.rules.region, clock_of(anywhere)) == ("", "24")


async def test_simulation_ends_the_day_after_a_pause(
    setup: Seeder, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that slept for 75 minutes must not show patients who waited for so long."""
    seed = await setup.seed(points=1, tickets=3, displays=0)
    boards, now = Boards(database), time.time()
    simulation = Simulation(setup.executor, boards, seed["site_id"])

    async def after(pause: float) -> set[int]:
        nonlocal now
        now += pause
        monkeypatch.setattr(time, "time", lambda: now)
        await simulation.step()
        return {entry.id for entry in open_entries(await boards.board(seed["site_id"]))}

    first = await after(0)
    assert len(first) >= 3
    assert first <= await after(2)
    later = await after(75 * 60)
    assert not later & first
