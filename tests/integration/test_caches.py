"""The cache in a real Redis: the statistics are the same with it, without it, and while Redis goes away and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis, RedisCluster
from sqlalchemy import update
from structlog.testing import capture_logs

from server.caching import redis_store
from server.caching.redis_store import KEPT_SECONDS, RedisStore
from server.domain.commands import CallNext, ChangeQueue, ChangeSite, Complete, IssueTicket, Start, Tick
from server.domain.reporting import statistics as figures
from server.execute import Executor
from server.live.redis_cluster import client_of, close_client
from server.queries import statistics
from server.queries.statistics import Named, PastDays
from server.seeding import Seed, Seeder
from server.store import sites as site_rows
from server.store.database import Database
from server.store.tables import counters, entries, sites, visits
from server.vault import Vault
from tests.support import past_visits
from tests.support.migrated import bring_up
from tests.support.passwords import quick_passwords
from tests.support.processes import free_port, wait_until
from tests.support.redis import redis, redis_cluster, redis_process
from tests.support.server import environment, seed, serving
from tests.support.vaults import VAULT

DAYS, PER_DAY = 3, 40
NO_REDIS = "the cache has no Redis: figures are computed for each request"
NOT_KEPT = "the cache keeps nothing: Redis takes no figures"


@dataclass
class Clinic:
    """A site with past days, and the caches that its test opens."""

    database: Database
    seeder: Seeder
    seeded: Seed
    days: list[str]
    caches: list[tuple[PastDays, RedisStore]]

    @property
    def site_id(self) -> int:
        return self.seeded["site_id"]

    def cache(self, url: str, vault: Vault = VAULT) -> PastDays:
        """Return the cache of a new process."""
        client = client_of(url, redis_store.CALL_SECONDS, redis_store.CONNECTIONS)
        store = RedisStore(client, vault.seal, vault.open, close_client)
        self.caches.append((statistics.past_days(store), store))
        return self.caches[-1][0]

    async def close(self) -> None:
        while self.caches:
            cache, store = self.caches.pop()
            await cache.close()
            await store.close()

    async def report(self, past: PastDays, site_id: int | None = None) -> Named:
        """Return the figures of all past days and of today; they are those without a cache."""
        asked = (self.database, site_id or self.site_id, self.days[0], self.days[-1])
        found = await statistics.between(*asked, past)
        await asyncio.gather(*past._tasks)  # what was computed has been kept
        assert found == await statistics.between(*asked)
        return found


def counts(cache: PastDays) -> tuple[int, int, int]:
    return cache.hits, cache.misses, cache.bypasses


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for Redis on a busy machine."""
    monkeypatch.setattr(redis_store, "CALL_SECONDS", 30.0)


@pytest.fixture
async def clinic(sqlite_url: str) -> AsyncIterator[Clinic]:
    database = Database(sqlite_url)
    await bring_up(database)
    with quick_passwords():
        seeder = Seeder(database, Executor(database, VAULT, publish=lambda *_: None))
        seeded = await seeder.seed(points=2, tickets=3, displays=0)
        clinic = Clinic(database, seeder, seeded, [], [])
        clinic.days = await with_past_days(clinic, seeded)
        yield clinic
        await clinic.close()
        await database.close()


async def with_past_days(clinic: Clinic, seeded: Seed) -> list[str]:
    """Fill past days of a site; return them with the present one."""
    site_id = seeded["site_id"]
    clinic.seeder.executor._boards.clear()
    async with clinic.database.write() as connection:
        today = (await connection.run_sync(site_rows.load, site_id)).business_day
        days = past_visits.days_before(today, DAYS)
        await past_visits.fill(connection, site_id, seeded["queue_ids"], seeded["point_ids"][0], days, PER_DAY)
    return [*days, today]


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[str]:
    with redis(tmp_path) as url:
        yield url


@pytest.fixture(params=[False, True], ids=["alone", "cluster"])
def any_redis(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param:
        with redis_cluster(tmp_path) as cluster:
            yield cluster.url
    else:
        with redis(tmp_path) as url:
            yield url


@pytest.mark.usefixtures("patient")
async def test_past_days_are_kept_for_all_processes(clinic: Clinic, any_redis: str) -> None:
    first, second = clinic.cache(any_redis), clinic.cache(any_redis)
    await clinic.report(first)
    assert counts(first) == (0, DAYS, 0)
    await clinic.report(second)
    await clinic.report(first)
    assert (counts(first), counts(second)) == ((DAYS, DAYS, 0), (DAYS, 0, 0))
    assert (first.hit_rate, second.hit_rate) == (0.5, 1.0)
    async with client_of(any_redis, redis_store.CALL_SECONDS, redis_store.CONNECTIONS) as client:
        names = [name async for name in client.scan_iter("nowserving:cache:*")]
        assert len(names) == DAYS
        for name in names:
            assert 0 < await client.ttl(name) <= KEPT_SECONDS
            assert VAULT.open(await _value(client, name), name.decode()), "sealed"


async def _value(client: Redis | RedisCluster, name: bytes) -> str:
    value: Any = await client.get(name)
    return str(value.decode())


@pytest.mark.usefixtures("patient")
async def test_every_event_shows_at_once(clinic: Clinic, redis_url: str) -> None:
    """A ticket, a new name, another service of a queue and another time zone: no report is older than its last event."""
    past = clinic.cache(redis_url)
    before = await clinic.report(past)
    queue_id, do = clinic.seeded["queue_ids"][0], clinic.seeder.do
    await do(IssueTicket(queue_id=queue_id))
    after = await clinic.report(past)
    assert after.report.whole.total.entries == before.report.whole.total.entries + 1
    await do(ChangeQueue(queue_id=queue_id, name="Another name"))
    assert (await clinic.report(past)).queues[queue_id] == "Another name"
    service_id = await clinic.seeder.service(clinic.site_id, "Care")
    await do(ChangeQueue(queue_id=queue_id, service_id=service_id))
    assert list((await clinic.report(past)).report.whole.services) == [service_id]
    assert counts(past) == (3 * DAYS, DAYS, 0)
    await do(ChangeSite(site_id=clinic.site_id, time_zone="Asia/Kathmandu"))
    moved = await clinic.report(past)
    assert moved.report.whole.hours != after.report.whole.hours
    assert counts(past) == (3 * DAYS, 2 * DAYS, 0)


@pytest.mark.usefixtures("patient")
async def test_a_day_is_kept_when_it_has_turned(clinic: Clinic, redis_url: str) -> None:
    """The day's last events are in the same commit as its turn, so what is kept is final."""
    past = clinic.cache(redis_url)
    called = (await clinic.seeder.do(CallNext(point_id=clinic.seeded["point_ids"][0])))["entry"]["id"]
    await clinic.seeder.do(Start(entry_id=called))
    await clinic.seeder.do(Complete(entry_id=called))
    await _as_if_it_were_yesterday(clinic)
    yesterday = await clinic.report(past)
    assert counts(past) == (0, DAYS - 1, 0)
    assert yesterday.report.days[clinic.days[-2]].total.open == 2
    await clinic.seeder.do(Tick(site_id=clinic.site_id))
    turned = (await clinic.report(past)).report.days[clinic.days[-2]].total
    assert (turned.open, turned.expired, turned.served) == (0, 2, 1)
    assert counts(past) == (DAYS - 1, DAYS, 0)
    await clinic.seeder.do(IssueTicket(queue_id=clinic.seeded["queue_ids"][0]))
    again = (await clinic.report(past)).report
    assert again.days[clinic.days[-2]].total == turned
    assert again.days[clinic.days[-1]].total.entries == 1
    assert counts(past) == (2 * DAYS - 1, DAYS, 0)


async def _as_if_it_were_yesterday(clinic: Clinic) -> None:
    """Move the present day of the site to the day before, in place of the last past day."""
    clinic.seeder.executor._boards.clear()
    yesterday, mine = clinic.days[-2], {table: table.c.site_id == clinic.site_id for table in (visits, entries, counters)}
    async with clinic.database.write() as connection:
        for table in (visits, entries):
            past = table.c.business_day == yesterday
            await connection.execute(update(table).where(mine[table], past).values(business_day="2020-02-02"))
        for table, of_site in mine.items():
            today = table.c.business_day == clinic.days[-1]
            await connection.execute(update(table).where(of_site, today).values(business_day=yesterday))
        at_site = update(sites).where(sites.c.id == clinic.site_id)
        await connection.execute(at_site.values(business_day=yesterday, next_tick_at=1))


@pytest.mark.usefixtures("patient")
async def test_another_history_has_other_figures(clinic: Clinic, redis_url: str) -> None:
    """A restored backup begins a new epoch: what was kept of the lost history is not asked for again."""
    past = clinic.cache(redis_url)
    before = await clinic.report(past)
    async with clinic.database.write() as connection:
        lost = entries.c.business_day == clinic.days[0]
        await connection.execute(update(entries).where(lost).values(state="left"))
        await connection.execute(update(sites).where(sites.c.id == clinic.site_id).values(epoch="restored"))
    after = await clinic.report(past)
    assert after.report.whole.total.served < before.report.whole.total.served


@pytest.mark.usefixtures("patient")
async def test_sites_and_installations_share_nothing(clinic: Clinic, own_redis: str) -> None:
    """Values are sealed and bound to their site: copied to another one, or of other keys, they are as if not there."""
    other = await clinic.seeder.seed(points=1, tickets=0, displays=0)
    await with_past_days(clinic, other)
    past = clinic.cache(own_redis)
    await clinic.report(past)
    await clinic.report(past, other["site_id"])
    assert counts(past) == (0, 2 * DAYS, 0)
    async with Redis.from_url(own_redis) as client:
        of_site = {each: sorted([name async for name in client.scan_iter(f"nowserving:cache:{{{each}}}:*")])
                   for each in (clinic.site_id, other["site_id"])}  # fmt: skip
        for mine, foreign in zip(of_site[clinic.site_id], of_site[other["site_id"]], strict=True):
            await client.set(mine, await _value(client, foreign))
        await clinic.report(past)
        assert counts(past) == (0, 3 * DAYS, 0)
        for name in of_site[clinic.site_id]:
            await client.set(name, b"no ciphertext")
        await clinic.report(past)
        assert counts(past) == (0, 4 * DAYS, 0)
    stranger = clinic.cache(own_redis, Vault([b"s" * 32], "another installation"))
    await clinic.report(stranger)
    assert counts(stranger) == (0, DAYS, 0)


@pytest.mark.usefixtures("patient")
async def test_value_of_another_version_is_not_read(clinic: Clinic, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """During an upgrade, processes of two versions share one Redis."""
    old = clinic.cache(redis_url)
    await clinic.report(old)
    form = statistics._FORM
    monkeypatch.setattr(statistics, "_FORM", type(form)(figures.VERSION + 1, form.plain, form.read))
    new = clinic.cache(redis_url)
    await clinic.report(new)
    assert counts(new) == (0, DAYS, 0)
    await clinic.report(old)
    assert counts(old) == (DAYS, DAYS, 0)


async def test_statistics_go_on_without_redis(clinic: Clinic, tmp_path: Path) -> None:
    """Redis freezes, is killed, and comes back empty. The figures stay right, and the cache is used again."""
    port = free_port()
    past = clinic.cache(f"redis://127.0.0.1:{port}/0")

    async def until(what: int) -> None:
        """Ask until one of the counts has grown: a busy machine may be too slow for Redis."""
        before = counts(past)[what]
        async with asyncio.timeout(60):
            while counts(past)[what] == before:
                await clinic.report(past)
                await asyncio.sleep(0.02)

    hits, bypasses = 0, 2
    await until(bypasses)
    with redis_process(tmp_path, port) as process:
        await until(hits)
        os.kill(process.pid, signal.SIGSTOP)
        await until(bypasses)
        process.kill()
        process.wait()
        await until(bypasses)
    with redis_process(tmp_path, port):
        await until(hits)


@pytest.mark.usefixtures("patient")
async def test_full_redis_is_read_and_not_written(clinic: Clinic, own_redis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures that it has are used, others are computed, and the log has one line until Redis has space again."""
    monkeypatch.setattr(redis_store, "REST_SECONDS", 0.0)
    past, other = clinic.cache(own_redis), await clinic.seeder.seed(points=1, tickets=0, displays=0)
    await with_past_days(clinic, other)
    await clinic.report(past)
    assert counts(past) == (0, DAYS, 0)
    async with Redis.from_url(own_redis) as client:
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("maxmemory", 1)
        with capture_logs() as lines:
            for _ in range(3):
                await clinic.report(past, other["site_id"])
                await clinic.report(past)
            assert counts(past) == (3 * DAYS, 4 * DAYS, 0)
            circuits = clinic.caches[-1][1].circuits
            assert (circuits["reads"].opened_at, circuits["writes"].opened_at is None) == (None, False)
            assert [line["event"] for line in lines] == [NOT_KEPT]
            await client.config_set("maxmemory", 0)
            await clinic.report(past, other["site_id"])
            assert circuits["writes"].opened_at is None
            assert [line["event"] for line in lines] == [NOT_KEPT, f"{NOT_KEPT}: over"]
    await clinic.report(past, other["site_id"])
    assert counts(past) == (4 * DAYS, 5 * DAYS, 0)


@pytest.mark.usefixtures("patient")
async def test_redis_that_is_away_is_asked_once_a_second(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """One request is the trial, and the others compute at once. Reads and writes have a circuit each."""
    monkeypatch.setattr(redis_store, "REST_SECONDS", 60.0)
    past = clinic.cache(f"redis://127.0.0.1:{free_port()}/0")
    with capture_logs() as lines:
        for _ in range(3):
            await clinic.report(past)
    assert counts(past) == (0, 0, 3 * DAYS)
    assert {name: each.openings for name, each in clinic.caches[-1][1].circuits.items()} == {"reads": 1, "writes": 1}
    assert [line["event"] for line in lines] == [NO_REDIS, NOT_KEPT]


def test_right_is_checked_before_the_cache(redis_url: str, sqlite_url: str, tmp_path: Path) -> None:
    """Others get no figures, even when they are kept. The metrics and the health show how often they were."""
    env = environment(sqlite_url, redis_url)
    seeded, foreign = (seed(env, points=1, tickets=0, displays=0) for _ in range(2))
    today = datetime.now(UTC).date()
    days = {"from": (today - timedelta(days=5)).isoformat(), "to": today.isoformat()}
    address = f"/api/v1/sites/{seeded['site_id']}/statistics"

    with serving(env, tmp_path) as server:

        def ask(seed_: Seed, role: str) -> httpx.Response:
            with server.client(server.sign_in(seed_, role)) as client:
                return client.get(address, params=days)

        def hits() -> float:
            lines = httpx.get(f"{server.url}/metrics").text.splitlines()
            found = {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}
            assert {f'nowserving_cache_{each}_total{{cache="statistics"}}' for each in OUTCOMES} <= found.keys()
            return found['nowserving_cache_hits_total{cache="statistics"}']

        def kept() -> bool:
            assert ask(seeded, "manager").status_code == 200
            return hits() > 0

        assert "cache_hit_rate" in _health(server.url)["unknown"]
        wait_until(kept, "a hit")
        assert 0 < _health(server.url)["cache_hit_rate"] <= 1
        before = hits()
        assert ask(foreign, "admin").json()["error"]["code"] == "site_not_found"
        assert ask(seeded, "receptionist").status_code == 403
        assert httpx.get(f"{server.url}{address}", params=days).status_code == 401
        assert hits() == before


OUTCOMES = ("hits", "misses", "bypasses")


def _health(url: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{url}/health/metrics").json()
    return found
