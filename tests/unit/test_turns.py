"""The turns of commands: one at a time, in order, staff before guests, and no queue that takes too long."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from server.domain.commands import CallNext, IssueTicket, ReachMilestone, ReportDevice, Tick
from server.domain.errors import Busy
from server.execute import standing
from server.turns import FIRST_GUESS_SECONDS, SITES_KEPT, Standing, Turns

SITE = 7
STAFF, GUEST, SERVER = Standing.STAFF, Standing.GUEST, Standing.SERVER
LONG = 1_000.0


class Clinic:
    """Commands of one site, each of which runs until the test ends it. The clock stands still unless the test moves it."""

    def __init__(self, queue_seconds: float = LONG, patience_seconds: float = LONG) -> None:
        self.seconds = 0.0
        self.turns = Turns(queue_seconds, patience_seconds, lambda: self.seconds)
        self.began: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def come(self, name: str, standing: Standing = GUEST, site_id: int = SITE) -> None:
        """Let a command come, and give the others time to see it."""
        self._ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._do(name, standing, site_id))
        await self.settle()

    async def end(self, name: str, seconds: float = 0.0) -> None:
        """End a command that runs, which has taken so long."""
        self.seconds += seconds
        self._ends[name].set()
        await self.settle()

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def _do(self, name: str, standing: Standing, site_id: int) -> None:
        async with self.turns.turn(site_id, standing):
            self.began.append(name)
            await self._ends[name].wait()

    def refused(self) -> dict[str, int]:
        """Return the refused commands with the seconds to wait, in the order of their coming."""
        ended = ((name, task) for name, task in self.tasks.items() if task.done() and not task.cancelled())
        errors = ((name, task.exception()) for name, task in ended)
        return {name: int(str(error.details["retry_after"])) for name, error in errors if isinstance(error, Busy)}

    async def serve_all(self) -> None:
        """End every command that runs, until none waits."""
        done = 0
        while done < len(self.began):
            await self.end(self.began[done])
            done += 1


async def test_commands_take_turns_in_order_and_staff_come_before_guests() -> None:
    clinic = Clinic()
    for name, who in (("a", GUEST), ("b", GUEST), ("c", STAFF), ("d", GUEST), ("e", SERVER), ("f", STAFF)):
        await clinic.come(name, who)
    assert clinic.began == ["a"]
    assert clinic.turns.waiting == 5
    await clinic.serve_all()
    assert clinic.began == ["a", "c", "e", "f", "b", "d"]
    assert clinic.turns.waiting == 0
    assert clinic.refused() == {}


async def test_sites_do_not_wait_for_one_another() -> None:
    clinic = Clinic()
    await clinic.come("here")
    await clinic.come("there", site_id=SITE + 1)
    assert clinic.began == ["here", "there"]
    await clinic.serve_all()


async def test_guest_is_refused_at_once_when_the_queue_takes_too_long() -> None:
    clinic = Clinic(queue_seconds=2.5 * FIRST_GUESS_SECONDS)
    for name in "abcdef":
        await clinic.come(name)
    assert list(clinic.refused()) == ["d", "e", "f"]
    assert clinic.turns.refused == 3
    await clinic.serve_all()
    assert clinic.began == ["a", "b", "c"]
    await clinic.come("d again")
    assert clinic.began[-1] == "d again"
    await clinic.end("d again")


async def test_staff_take_the_place_of_the_newest_guest() -> None:
    clinic = Clinic(queue_seconds=2.5 * FIRST_GUESS_SECONDS)
    for name in "abc":
        await clinic.come(name)
    await clinic.come("staff", STAFF)
    assert list(clinic.refused()) == ["c"]
    await clinic.come("more staff", STAFF)
    assert list(clinic.refused()) == ["b", "c"]
    await clinic.come("too much staff", STAFF)
    assert list(clinic.refused()) == ["b", "c", "too much staff"]
    await clinic.come("clock", SERVER)
    await clinic.serve_all()
    assert clinic.began == ["a", "staff", "more staff", "clock"]


async def test_refusal_names_a_time_that_fits_the_queue_and_the_earlier_refusals() -> None:
    clinic = Clinic(queue_seconds=5.0)
    await clinic.come("first")
    await clinic.end("first", seconds=10.0)  # the average is one second now, and a bit
    for index in range(40):
        await clinic.come(f"{index}")
    refused = clinic.refused()
    assert list(refused) == [f"{index}" for index in range(5, 40)]
    assert list(refused.values())[:4] == [6, 7, 8, 9]
    assert list(refused.values())[-10:] == [30] * 10
    await clinic.serve_all()
    await clinic.come("slow")
    await clinic.end("slow", seconds=10.0)
    for index in range(6):
        await clinic.come(f"later {index}")
    assert next(each < 10 for name, each in clinic.refused().items() if name.startswith("later")), "idle: it counts from 0"
    await clinic.serve_all()


async def test_command_that_stands_still_fills_the_queue() -> None:
    clinic = Clinic(queue_seconds=5.0)
    await clinic.come("stands still")
    clinic.seconds += 4.9
    await clinic.come("accepted")
    clinic.seconds += 0.2
    await clinic.come("refused")
    await clinic.come("refused staff", STAFF)
    await clinic.come("clock", SERVER)
    assert list(clinic.refused()) == ["refused", "refused staff"]
    await clinic.serve_all()
    assert clinic.began == ["stands still", "clock", "accepted"]


async def test_accepted_command_is_refused_when_its_turn_does_not_come() -> None:
    clinic = Clinic(patience_seconds=0.01)
    await clinic.come("a")
    await clinic.come("b")
    await clinic.come("staff", STAFF)
    await clinic.come("clock", SERVER)
    await asyncio.wait([clinic.tasks["b"], clinic.tasks["staff"]], timeout=30)
    assert list(clinic.refused()) == ["b", "staff"]
    await clinic.serve_all()
    assert clinic.began == ["a", "clock"]


async def test_newest_guests_are_refused_when_commands_become_slow() -> None:
    clinic = Clinic(patience_seconds=9.0)
    for index in range(8):
        await clinic.come(f"{index}")
    await clinic.come("staff", STAFF)
    await clinic.end("0", seconds=30.0)  # the average is three seconds now, and a bit
    assert list(clinic.refused()) == ["3", "4", "5", "6", "7"]
    await clinic.serve_all()
    assert clinic.began == ["0", "staff", "1", "2"]


@pytest.mark.parametrize("cut", ["runs", "waits", "is about to run"])
async def test_cancelled_command_passes_its_turn_on(cut: str) -> None:
    clinic = Clinic()
    for name in "abc":
        await clinic.come(name)
    if cut == "runs":
        clinic.tasks["a"].cancel()
    elif cut == "waits":
        clinic.tasks["b"].cancel()
    else:
        clinic._ends["a"].set()
        while clinic.turns.waiting == 2:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert clinic.began == ["a"], "the turn has passed to b, and b has not run yet"
        clinic.tasks["b"].cancel()
    await clinic.settle()
    await clinic.serve_all()
    assert clinic.began[-1] == "c"
    assert clinic.turns.waiting == 0
    await clinic.come("d")
    assert clinic.began[-1] == "d"
    await clinic.end("d")


async def test_failed_command_passes_its_turn_on() -> None:
    turns = Turns()
    for _ in range(2):
        with suppress(ZeroDivisionError):
            async with turns.turn(SITE, GUEST):
                raise ZeroDivisionError
    async with asyncio.timeout(30), turns.turn(SITE, GUEST):
        pass


async def test_idle_sites_are_forgotten() -> None:
    turns = Turns()
    async with turns.turn(SITE, GUEST):
        for site_id in range(SITE + 1, SITE + 2 * SITES_KEPT):
            async with turns.turn(site_id, GUEST):
                pass
        assert len(turns._sites) <= SITES_KEPT
        assert SITE in turns._sites


def test_no_command_waits_until_its_request_is_cut() -> None:
    for seconds in (0.5, 1.0, 3.0, 30.0, 300.0):
        turns = Turns.within(seconds)
        assert turns._queue_seconds < turns._patience_seconds < seconds


def test_standing_is_that_of_the_actor() -> None:
    issue, call = IssueTicket(queue_id=1), CallNext(point_id=1)
    for actor in ("staff:3", "kiosk:7000000003", "display:7000000003"):
        assert standing(issue, actor) is STAFF
    for actor in ("key:3", "ticket:7000000003", "appointment:7000000003", "phone:a1"):
        assert standing(call, actor) is GUEST
    for actor in ("clock", "setup", "simulation"):
        assert standing(Tick(site_id=1), actor) is SERVER
    assert standing(ReachMilestone(site_id=1, milestone="screen-paired"), "staff:3") is SERVER
    report = ReportDevice(device_id=1, heard_by="x", connected=True, muted=False, version="1", lag=None, printer=None)
    assert standing(report, "display:1") is SERVER
