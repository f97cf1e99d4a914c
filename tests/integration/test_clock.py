"""A real server whose clock, or whose database's clock, is set while it runs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from sqlalchemy import URL, select

from server.queries.boards import Boards
from server.seeding import Seed, Seeder
from server.store import processes
from server.store.database import Database
from server.store.tables import sites
from tests.support import databases
from tests.support.extent import sample
from tests.support.processes import whole_lines
from tests.support.screens import Screen, sse
from tests.support.server import Server, command_line, environment, seed, serving
from tests.support.set_clock import SettableClock, note_this_boot

pytestmark = pytest.mark.long

T = TypeVar("T")

HOUR = 3600
DAY = 24 * HOUR
PATIENCE_SECONDS = 150.0
SLACK_SECONDS = 1.0  # of the time of a server that holds another machine's clock
STEPPED = "the database's clock was set: the right time goes on without it"
BEHIND = "the clock is behind the log of a site: the site's time goes on from its last event"


@dataclass
class Clinic:
    """A seeded installation, and the clock of its database."""

    clock: SettableClock
    url: str
    env: dict[str, str]
    folder: Path
    seeded: Seed

    @contextmanager
    def server(self) -> Iterator[Desk]:
        """Run a server; yield a signed-in desk at it."""
        with serving(self.env, self.folder) as server, ExitStack() as stack:
            yield Desk(self, server, stack.enter_context(server.client(server.sign_in(self.seeded, "receptionist"))))

    def business_day(self) -> str:
        """Return the site's business day."""

        async def read(database: Database) -> str:
            row = await database.look_up(select(sites.c.business_day).where(sites.c.id == self.seeded["site_id"]))
            assert row is not None
            return str(row.business_day)

        return with_database(self.url, read)

    def nowserving(self, *arguments: str) -> tuple[int, str]:
        """Run a command of the operator; return its exit status and its output."""
        done = command_line(self.env, *arguments)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout


@dataclass
class Desk:
    """A receptionist at a server."""

    clinic: Clinic
    server: Server
    client: httpx.Client

    def do(self, name: str, **body: Any) -> dict[str, Any]:
        """Do a command; return its answer."""
        answer = self.client.post(f"/api/v1/commands/{name}", json=body)
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def sign_in(self) -> None:
        """Sign in once more."""
        self.client.headers["Authorization"] = f"Bearer {self.server.sign_in(self.clinic.seeded, 'receptionist')}"

    def issue(self) -> dict[str, Any]:
        """Issue a ticket; return the answer."""
        return self.do("issue-ticket", queue_id=self.clinic.seeded["queue_ids"][0], overrule=True)

    def at(self, seconds: float = 0.0) -> float:
        """Issue a ticket, and check that its instant is ``seconds`` from the right one. Return the instant."""
        before = time.time()
        at: float = self.issue()["events"][-1]["at"] / 1000
        assert before - SLACK_SECONDS <= at - seconds <= time.time() + SLACK_SECONDS, at - seconds - before
        return at

    def figure(self, name: str) -> float:
        """Return a figure of the server's metrics."""
        lines = self.client.get("/metrics").text.splitlines()
        return float(next(line for line in lines if line.startswith(f"nowserving_clock_{name}_seconds ")).split()[1])

    def until_stepped(self) -> None:
        """Wait until the metrics show any step."""
        until(lambda: self.figure("step") != 0, "a step")

    def until_step(self, seconds: float) -> None:
        """Wait until the metrics show a step of so many seconds."""
        until(lambda: abs(self.figure("step") - seconds) <= 2, f"a step of {seconds} s")

    def until_alarm(self, count: int) -> None:
        """Wait until the log has so many alarms. A loop writes them, a moment after the metrics show the step."""
        until(lambda: self.logged(STEPPED) == count, f"alarm {count}")

    def until_end_of_alarm(self, count: int) -> None:
        """Wait until the log has the end of so many alarms."""
        until(lambda: self.logged(f"{STEPPED}: over") == count, f"the end of alarm {count}")

    def logged(self, event: str) -> int:
        """Return how many lines of the log name the event."""
        lines = (json.loads(line) for line in whole_lines(self.server.log) if line.startswith("{"))
        return sum(line["event"] == event for line in lines)

    def check(self) -> str:
        """Return the status of the clock in the check of readiness, which succeeds, with its details."""
        answer = self.client.get("/health/ready")
        assert answer.status_code == 200, answer.text
        check = answer.json()["checks"]["clock"]
        return ": ".join(filter(None, (check["status"], check["detail"])))


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until ``holds()``."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < ends, f"not seen: {what}"
        time.sleep(0.1)


def with_database(url: str, work: Callable[[Database], Awaitable[T]]) -> T:
    """Do ``work`` with a database, and return its result."""

    async def opened() -> T:
        database = Database(url)
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(opened())


@pytest.fixture(scope="module")
def stepped_mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SettableClock, URL]]:
    folder = tmp_path_factory.mktemp("stepped")
    clock = SettableClock(folder)
    with databases.mariadb(folder, variables=clock.variables) as url:
        yield clock, url


@pytest.fixture(params=["sqlite", "mysql"])
def clinic(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Clinic]:
    """Yield a clinic: with SQLite the server has the clock that is set, else MariaDB has it."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            clock, url = SettableClock(tmp_path), f"sqlite+aiosqlite:///{tmp_path / 'clinic.db'}"
        else:
            clock, server = request.getfixturevalue("stepped_mariadb")
            url = stack.enter_context(databases.fresh_database(server))
        env = environment(url, NOWSERVING_HEARTBEAT_SECONDS="1", NOWSERVING_LOG_LEVEL="info")
        seeded = seed(env, points=2, tickets=2, displays=1)
        with_database(url, note_this_boot)
        if request.param == "sqlite":
            env |= clock.variables
        yield Clinic(clock, url, env, tmp_path, seeded)
        clock.set(0)


def heartbeats(screen: Screen) -> list[float]:
    """Return the time of each heartbeat, in seconds."""
    return [body["at"] / 1000 for kind, _, body in screen.messages if kind == "heartbeat"]


@pytest.mark.parametrize("step", sample([2 * HOUR, -2 * HOUR, 3 * DAY], 1, "clock"))
def test_clock_that_is_set_changes_nothing_but_the_alarm(clinic: Clinic, step: int) -> None:
    display = clinic.seeded["displays"][0]
    day, point = clinic.business_day(), clinic.seeded["point_ids"][0]
    with clinic.server() as desk:
        desk.at()
        assert (desk.figure("step"), desk.check()) == (0, "ok")
        with sse(f"{desk.server.url}/live/displays/{display['id']}", display["token"]) as screen:
            screen.wait(lambda each: "heartbeat" in each.kinds())
            clinic.clock.set(step)
            desk.until_step(step)
            entry = desk.do("call-next", point_id=point)["entry"]["id"]
            called_at = desk.at()
            started_at = desk.do("start", entry_id=entry)["events"][-1]["at"] / 1000
            completed_at = desk.do("complete", entry_id=entry)["events"][-1]["at"] / 1000
            assert called_at <= started_at <= completed_at <= time.time() + SLACK_SECONDS
            count = len(heartbeats(screen))
            screen.wait(lambda each: len(heartbeats(each)) > count)
            assert abs(heartbeats(screen)[-1] - time.time()) < 5
            status = desk.check()
            assert status.startswith("degraded: the database's clock is ")
            assert ("ahead of" if step > 0 else "behind") in status
            assert not screen.ended
        desk.until_alarm(1)
    with clinic.server() as after:  # another process, which starts during the step
        after.client.headers = desk.client.headers  # the session goes on
        after.at()
        after.until_step(step)
        assert clinic.nowserving("clock")[0] == 1
        clinic.clock.set(0)
        after.until_step(0)
        after.at()
        assert after.check() == "ok"
        after.until_end_of_alarm(1)
        assert after.logged(STEPPED) == 1
        until(lambda: clinic.nowserving("clock")[0] == 0, "a right clock in the operator's command")
    assert clinic.business_day() == day


def test_operator_accepts_the_present_clock(clinic: Clinic) -> None:
    """After a clock that was accepted by mistake, the log is ahead of the right clock: its time goes on, with an alarm."""
    with clinic.server() as desk:
        desk.at()
        clinic.clock.set(2 * HOUR)
        desk.until_step(2 * HOUR)
        status, text = clinic.nowserving("clock")
        assert status == 1
        assert "nowserving clock accept" in text
        desk.at()
        desk.until_alarm(1)
        _accept(clinic)
        desk.until_step(0)
        desk.until_end_of_alarm(1)
        desk.sign_in()  # nobody has used the session for two hours
        desk.at(2 * HOUR)
        until(lambda: clinic.nowserving("clock")[0] == 0, "the end of the alarm")
        clinic.clock.set(0)
        desk.until_step(-2 * HOUR)
        desk.at(2 * HOUR)
        desk.until_alarm(2)
        _accept(clinic)
        desk.until_step(0)
        desk.until_end_of_alarm(2)
        first = desk.issue()["events"][-1]["at"]
        began = time.monotonic()
        time.sleep(1.5)
        last = desk.issue()["events"][-1]["at"]
        assert 1400 <= last - first <= (time.monotonic() - began + SLACK_SECONDS) * 1000
        until(lambda: desk.logged(BEHIND) == 1, "the alarm")
        assert desk.figure("behind") > HOUR
        assert desk.check().startswith("degraded: the clock is ")


def _accept(clinic: Clinic) -> None:
    status, text = clinic.nowserving("clock", "accept")
    assert status == 0, text
    assert "accepted" in text


@pytest.mark.parametrize("clinic", ["mysql"], indirect=True)
def test_accepted_step_makes_no_display_dark(clinic: Clinic) -> None:
    """Two servers learn of it one after the other. Neither takes the other for dead meanwhile."""
    display = clinic.seeded["displays"][0]
    key = f"display:{display['id']}"
    with clinic.server() as one, clinic.server() as two, ExitStack() as stack:
        stack.enter_context(sse(f"{two.server.url}/live/displays/{display['id']}", display["token"]))
        path = f"{one.server.url}/live/sites/{clinic.seeded['site_id']}/desk"
        desk = stack.enter_context(sse(path, one.server.sign_in(clinic.seeded, "receptionist")))
        desk.wait(lambda each: each.cells and each.cells[key]["connected"], PATIENCE_SECONDS, "the display connected")
        for step in (600, 0):  # the session goes on
            clinic.clock.set(step)
            for each in (one, two):
                each.until_stepped()
            _accept(clinic)
            for each in (one, two):
                each.until_step(0)
            time.sleep(5)  # more than three heartbeats
        sets = [body["set"] for kind, _, body in desk.messages if kind == "change"]
        assert [cells[key] for cells in sets if key in cells and not cells[key]["connected"]] == []


async def test_site_with_a_log_ahead_is_ticked_by_its_own_time(setup: Seeder, database: Database) -> None:
    site_id = (await setup.seed(points=1, tickets=0, displays=0))["site_id"]
    boards, now = Boards(database), await database.now()
    assert site_id not in await boards.due()
    ahead = now + 2 * HOUR * 1_000_000
    assert database.clock.at_site(site_id, now, ahead) == ahead
    assert site_id in await boards.due()
    assert database.clock.at_site(site_id, now, now) == now
    assert site_id not in await boards.due()


async def test_process_with_a_sign_of_life_from_the_future_is_dead(database: Database) -> None:
    """The clock was set back since."""
    async with database.write() as connection:
        for name, heard_at in (("old", 10), ("living", 20), ("future", 30)):
            await processes.live(connection, name, heard_at)
        assert sorted(await processes.dead(connection, 15, 25)) == ["future", "old"]
