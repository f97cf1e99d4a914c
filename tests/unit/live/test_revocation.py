"""Revocation: ended sessions, revoked tokens and removed records end their streams."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace

import pytest

from server.domain.commands import Command, IssueTicket, Remove, RenewToken, RevokeToken, Tick
from server.domain.errors import Unavailable
from server.domain.model import Display
from server.domain.views import DeskView, DisplayView, TicketView, View
from server.live import revocation as module
from server.live.admission import Limits
from server.live.hub import Hub
from server.live.memory_bus import MemoryBus
from server.live.messages import Message
from server.live.stream import Stream
from tests.support.worlds import HOUR, SITE_ID, LogLoader, open_sealed, small_clinic

DESK = DeskView(open_sealed)


class SignedIn:
    """A hub of one process, and the sessions that have not ended."""

    def __init__(self) -> None:
        self.world = small_clinic()
        self.loader = LogLoader(self.world)
        self.roles: dict[str, str] = {}
        self.asked: list[set[str]] = []
        self.error: Exception | None = None
        self.hub = Hub(self.loader, MemoryBus(), 60, Limits(99, 99, 99, 99), self.living)

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
async def signed_in(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SignedIn]:
    monkeypatch.setattr(module, "SESSION_CHECK_SECONDS", 0.02)
    signed_in = SignedIn()
    await signed_in.hub.start()
    yield signed_in
    await signed_in.hub.stop()


async def rest(stream: Stream, within: float = 2.0) -> list[Message]:
    """Return every message of a stream until it ends."""
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


async def test_ended_session_ends_its_own_streams_only(signed_in: SignedIn) -> None:
    ended, again, other = await signed_in.desk("s1", "receptionist"), await signed_in.desk("s1", "receptionist"), None
    other = await signed_in.desk("s2", "admin")
    await asyncio.sleep(0.1)
    assert ended.ending is None
    assert signed_in.asked[-1] == {"s1", "s2"}, "one query for all of them"
    del signed_in.roles["s1"]
    assert reason(await rest(ended)) == reason(await rest(again)) == "revoked"
    assert await lasts(other)


async def test_ended_session_ends_its_streams_within_two_seconds(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checks of sessions follow each other in less than a second. The time is simulated."""
    monkeypatch.undo()
    stream = await signed_in.desk("s1", "receptionist")
    await asyncio.sleep(1)  # the checks have their usual pace now
    del signed_in.roles["s1"]
    began = time.monotonic()
    await rest(stream)
    assert time.monotonic() - began < 2


async def test_changed_role_ends_the_stream(signed_in: SignedIn) -> None:
    stream = await signed_in.desk("s1", "admin")
    signed_in.roles["s1"] = "clinician"
    assert reason(await rest(stream)) == "role"


async def test_unavailable_database_ends_no_stream(signed_in: SignedIn) -> None:
    stream = await signed_in.desk("s1", "admin")
    signed_in.error = Unavailable()
    assert await lasts(stream)
    signed_in.error = None
    del signed_in.roles["s1"]
    for _ in range(100):
        if stream.ending:
            break
        await asyncio.sleep(0.01)
    assert stream.ending == "revoked"


async def test_sessions_are_not_queried_without_session_streams(signed_in: SignedIn) -> None:
    await signed_in.hall()
    await asyncio.sleep(0.1)
    assert signed_in.asked == []


@pytest.mark.parametrize("kind", [RevokeToken, RenewToken, Remove])
async def test_revoked_device_token_ends_its_streams_at_once(signed_in: SignedIn, kind: type[Command]) -> None:
    stream = await signed_in.hall()
    display_id, _ = signed_in.display
    signed_in.do(kind(**{"record_id" if kind is Remove else "device_id": display_id}))
    assert stream.ending == "revoked"
    assert reason(await rest(stream)) == "revoked"


async def test_other_changes_end_no_display(signed_in: SignedIn) -> None:
    stream = await signed_in.hall()
    signed_in.do(IssueTicket(queue_id=min(signed_in.world.board.queues)))
    assert await lasts(stream)


async def test_new_token_is_valid_before_its_event_reaches_this_process(signed_in: SignedIn) -> None:
    old = await signed_in.hall()
    display_id, _ = signed_in.display
    signed_in.world.do(RenewToken(device_id=display_id))  # this process has no event of it
    fresh = await signed_in.hall()
    assert fresh.ending is None
    assert old.ending == "revoked"
    assert signed_in.hub.backfills == 1


async def test_token_revoked_between_admission_and_stream_is_noticed(signed_in: SignedIn) -> None:
    display_id, old = signed_in.display
    signed_in.do(RevokeToken(device_id=display_id))
    stream = await signed_in.follow(DisplayView(), f"display:{display_id}", old, f"display:{display_id}")
    assert reason(await rest(stream)) == "revoked"


async def test_other_history_without_the_token_ends_the_stream(signed_in: SignedIn) -> None:
    stream = await signed_in.hall()
    display_id, _ = signed_in.display
    restored = small_clinic()
    restored.renew("e2")
    row = restored.rows[Display, display_id]
    assert isinstance(row, Display)
    restored.rows[Display, display_id] = replace(row, token_hash="another")
    signed_in.loader.worlds[SITE_ID] = restored
    async with asyncio.timeout(3):
        while stream.ending is None:  # noqa: ASYNC110 - a stream has no event to wait for
            await asyncio.sleep(0.02)
    assert stream.ending == "revoked"


async def test_ticket_of_a_past_day_gets_the_last_change_and_ends(signed_in: SignedIn) -> None:
    signed_in.do(IssueTicket(queue_id=min(signed_in.world.board.queues)))
    visit_id = min(signed_in.world.board.visits)
    stream = await signed_in.follow(TicketView(visit_id), f"ticket:{visit_id}", None, f"visit:{visit_id}")
    said = asyncio.create_task(rest(stream))
    await asyncio.sleep(0.05)
    signed_in.do(Tick(site_id=SITE_ID), 24 * HOUR)
    heard = await said
    assert [each.kind for each in heard] == ["snapshot", "change", "bye"]
    assert json.loads(heard[1].payload)["set"] == {"ticket": {"state": "expired"}}
    assert reason(heard) == "ended"


async def test_leave_forgets_the_subject(signed_in: SignedIn) -> None:
    one, two = await signed_in.hall(), await signed_in.hall()
    signed_in.hub.leave(one)
    display_id, _ = signed_in.display
    signed_in.do(RevokeToken(device_id=display_id))
    assert (one.ending, two.ending) == (None, "revoked")
    signed_in.hub.leave(two)
    assert signed_in.hub._streams._by_subject == {}


async def test_end_ends_the_streams_of_one_token_only(signed_in: SignedIn) -> None:
    one, two = await signed_in.desk("s1", "admin"), await signed_in.desk("s2", "admin")
    signed_in.hub.end("session:s1", "revoked")
    assert (one.ending, two.ending) == ("revoked", None)
