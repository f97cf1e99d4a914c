"""Two receptionists never call the same patient: four client processes call at running servers, in many repeats."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import select

from server.domain.model import BUSY_STATES
from server.queries.boards import Boards
from server.seeding import Seed
from server.store import event_log
from server.store.database import Database
from server.store.tables import entries
from tests.support.callers import Outcome, burst
from tests.support.extent import scaled
from tests.support.server import Server, environment, seed, serving

pytestmark = pytest.mark.long

REPEATS = scaled(20, 4)
CALLERS = 4
CALLS = 200
POINTS = 20
WAITING = 100


@pytest.mark.parametrize(("engine", "servers"), [("mysql", 2), ("sqlite", 1)])
def test_each_entry_is_called_at_most_once(
    engine: str, servers: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """200 concurrent calls at 20 points for 100 waiting entries, `REPEATS` times, each time at a new site."""
    url = request.getfixturevalue(f"{engine}_url")
    redis_url = request.getfixturevalue("redis_url") if servers > 1 else None
    env = environment(url, redis_url, NOWSERVING_LOG_LEVEL="warning")
    seed(env, points=1, tickets=0)
    with ExitStack() as stack:
        running = [stack.enter_context(serving(env, tmp_path, name=f"server{index}")) for index in range(servers)]
        pool = stack.enter_context(ProcessPoolExecutor(CALLERS, multiprocessing.get_context("spawn")))
        # Filling a site takes longer than the calls there: the callers' processes fill the sites in parallel.
        filling = [pool.submit(seed, env, POINTS, WAITING, 0) for _ in range(REPEATS)]
        for seeded in [site.result() for site in filling]:
            outcomes = _call_at_every_point(running, pool, seeded)
            _check_outcomes(outcomes, seeded)
            asyncio.run(_check_store(url, seeded, outcomes))


def _call_at_every_point(running: list[Server], pool: ProcessPoolExecutor, seeded: Seed) -> list[Outcome]:
    token = running[0].sign_in(seeded, "receptionist")
    urls = [server.url for server in running]
    # Each process calls at every point, so that all processes compete for it.
    jobs = [pool.submit(burst, urls, token, seeded["point_ids"], CALLS // CALLERS) for _ in range(CALLERS)]
    return [outcome for job in jobs for outcome in job.result()]


def _check_outcomes(outcomes: list[Outcome], seeded: Seed) -> None:
    assert len(outcomes) == CALLS
    called = [outcome for outcome in outcomes if outcome.status == 200]
    assert max(Counter(outcome.entry_id for outcome in called).values()) == 1
    assert max(Counter(outcome.point_id for outcome in called).values()) == 1
    assert {outcome.point_id for outcome in called} == set(seeded["point_ids"]), "every point has a patient"
    refused = {outcome.code for outcome in outcomes if outcome.status != 200}
    assert refused == {"point_busy"}


async def _check_store(url: str, seeded: Seed, outcomes: list[Outcome]) -> None:
    database = Database(url)
    try:
        async with database.read() as connection:
            recorded = await connection.run_sync(event_log.since, seeded["site_id"], 0)
            busy = (
                await connection.execute(
                    select(entries.c.id, entries.c.point_id).where(
                        entries.c.site_id == seeded["site_id"], entries.c.state.in_(BUSY_STATES)
                    )
                )
            ).all()
        assert [each.seq for each in recorded] == list(range(1, len(recorded) + 1))
        answered = {(outcome.entry_id, outcome.point_id) for outcome in outcomes if outcome.status == 200}
        assert {(row.id, row.point_id) for row in busy} == answered
        board = await Boards(database).board(seeded["site_id"])
        assert sum(len(board.waiting(queue_id)) for queue_id in board.queues) == WAITING - POINTS
    finally:
        await database.close()
