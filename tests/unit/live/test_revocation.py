"""Who may no longer follow: sessions that have ended, tokens that were taken back, things that are not there any more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace

import pytest

from server.domain.commands import Command, IssueTicket, Remove, RenewToken, RevokeToken, Tick
from server.domain.errors import Unavailable
from server.domain.model import Display
from server.domain.views import DeskView, DisplayView, TicketView, View
from server.live import hub as module
from server.live.hub import Hub, Limits
from server.live.memory_bus import MemoryBus
from server.live.messages import Message
from server.live.stream import Stream
from tests.support.worlds import HOUR, SITE_ID, LogLoader, open_sealed, small_clinic

DESK = DeskView(open_sealed)


class House:
    """A hub of one process, and who is signed in."""

    def __init__(self) -> None:
        self.world = small_clinic()
        self.loader = LogLoader(self.world)
        self.roles: dict[str, str] = {}
        self.asked: list[set[str]] = []
        self.error: Exception | None = None
        self.hub = Hub(self.loader, MemoryBus(), 60, Limits(99, 99, 99), self.living)

    async def living(self, session_ids: Collection[str]) -> Mapping[str, str]:
        self.asked.append(set(session_ids))
        if self.error is not None:
            raise self.error
        return {session_id: self.roles[session_id] for session_id in session_ids if session_id in self.roles}

    def do(self, command: Command, after: int = 1_000_000) -> None:
        self.hub.publish(SITE_ID, "e1", self.world.do(command, after))

    async def desk(self, session_id: str, role: str) -> Stream:
        self.roles[session_id] = role
        return await self.hub.enrol(SITE_ID, DESK, None, address="a", token=f"session:{session_id}", proof=role)

    async def follow(self, view: View, name: str, proof: str | None = None, subject: str | None = None) -> Stream:
        return await self.hub.enrol(SITE_ID, view, None, address="a", token=name, proof=proof, subject=subject)

    @property
    def display(self) -> tuple[int, str]:
        (display,) = self.world.board.displays.values()
        return display.id, display.token_hash or ""

    async def hall(self) -> Stream:
        display_id, token_hash = self.display
        return await self.follow(DisplayView(), f"display:{display_id}", token_hash, f"display:{display_id}")


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(module, "SESSION_CHECK_SECONDS", 0.02)
    house = House()
    await house.hub.start()
    yield house
    await house.hub.stop()


async def rest(stream: Stream, within: float = 2.0) -> list[Message]:
    """Return all that a stream says until it ends."""
    async with asyncio.timeout(within):
        return [message async for message in stream]


async def lasts(stream: Stream, for_seconds: float = 0.2) -> bool:
    try:
        await rest(stream, for_seconds)
    except TimeoutError:
        return True
    return False


def reason(messages: list[Message]) -> str:
    assert messages[-1].kind == "bye"
    return str(json.loads(messages[-1].payload)["reason"])


async def test_a_session_that_ends_takes_its_streams_with_it_and_no_others(house: House) -> None:
    ended, again, other = await house.desk("s1", "receptionist"), await house.desk("s1", "receptionist"), None
    other = await house.desk("s2", "admin")
    await asyncio.sleep(0.1)
    assert ended.ending is None
    assert house.asked[-1] == {"s1", "s2"}, "one question for all of them"
    del house.roles["s1"]
    assert reason(await rest(ended)) == reason(await rest(again)) == "revoked"
    assert await lasts(other)


async def test_another_role_is_judged_anew(house: House) -> None:
    stream = await house.desk("s1", "admin")
    house.roles["s1"] = "clinician"
    assert reason(await rest(stream)) == "role"


async def test_a_database_that_is_away_ends_nobody(house: House) -> None:
    stream = await house.desk("s1", "admin")
    house.error = Unavailable()
    assert await lasts(stream)
    house.error = None
    del house.roles["s1"]
    for _ in range(100):
        if stream.ending:
            break
        await asyncio.sleep(0.01)
    assert stream.ending == "revoked"


async def test_nobody_is_asked_about_when_no_session_follows(house: House) -> None:
    await house.hall()
    await asyncio.sleep(0.1)
    assert house.asked == []


@pytest.mark.parametrize("kind", [RevokeToken, RenewToken, Remove])
async def test_a_devices_token_that_is_taken_back_ends_its_streams_at_once(house: House, kind: type[Command]) -> None:
    stream = await house.hall()
    display_id, _ = house.display
    house.do(kind(**{"record_id" if kind is Remove else "device_id": display_id}))
    assert stream.ending == "revoked"
    assert reason(await rest(stream)) == "revoked"


async def test_other_changes_end_no_display(house: House) -> None:
    stream = await house.hall()
    house.do(IssueTicket(queue_id=min(house.world.board.queues)))
    assert await lasts(stream)


async def test_a_token_given_just_now_is_good_although_this_process_has_not_heard_of_it(house: House) -> None:
    old = await house.hall()
    display_id, _ = house.display
    house.world.do(RenewToken(device_id=display_id))  # nobody told us
    fresh = await house.hall()
    assert fresh.ending is None
    assert old.ending == "revoked"
    assert house.hub.refills == 1


async def test_a_token_taken_back_between_the_door_and_the_stream_is_noticed(house: House) -> None:
    display_id, old = house.display
    house.do(RevokeToken(device_id=display_id))
    stream = await house.follow(DisplayView(), f"display:{display_id}", old, f"display:{display_id}")
    assert reason(await rest(stream)) == "revoked"


async def test_another_history_without_the_device_ends_it(house: House) -> None:
    stream = await house.hall()
    display_id, _ = house.display
    restored = small_clinic()
    restored.renew("e2")
    row = restored.rows[Display, display_id]
    assert isinstance(row, Display)
    restored.rows[Display, display_id] = replace(row, token_hash="another")
    house.loader.worlds[SITE_ID] = restored
    async with asyncio.timeout(3):
        while stream.ending is None:  # noqa: ASYNC110 - a stream has no event to wait for
            await asyncio.sleep(0.02)
    assert stream.ending == "revoked"


async def test_a_ticket_whose_day_is_over_says_so_and_ends(house: House) -> None:
    house.do(IssueTicket(queue_id=min(house.world.board.queues)))
    visit_id = min(house.world.board.visits)
    stream = await house.follow(TicketView(visit_id), f"ticket:{visit_id}", None, f"visit:{visit_id}")
    said = asyncio.create_task(rest(stream))
    await asyncio.sleep(0.05)
    house.do(Tick(site_id=SITE_ID), 24 * HOUR)
    heard = await said
    assert [each.kind for each in heard] == ["snapshot", "change", "bye"]
    assert json.loads(heard[1].payload)["set"] == {"ticket": {"state": "expired"}}
    assert reason(heard) == "ended"


async def test_leaving_forgets_what_it_hung_on(house: House) -> None:
    one, two = await house.hall(), await house.hall()
    house.hub.leave(one)
    display_id, _ = house.display
    house.do(RevokeToken(device_id=display_id))
    assert (one.ending, two.ending) == (None, "revoked")
    house.hub.leave(two)
    assert house.hub._by_subject == {}


async def test_streams_under_a_name_are_ended_together(house: House) -> None:
    one, two = await house.desk("s1", "admin"), await house.desk("s2", "admin")
    house.hub.end("session:s1", "revoked")
    assert (one.ending, two.ending) == ("revoked", None)
