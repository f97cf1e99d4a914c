"""Circuits before real providers that go away and come back: messages wait, none is lost, and none is sent twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select, update

from server.audit import Audit
from server.circuits import Pace
from server.domain.commands import ChangeSite
from server.domain.model import Personal
from server.notifying.channels.directory import Directory
from server.notifying.circuits import Circuits, close
from server.notifying.context import Context
from server.notifying.set_up import ChannelSetUp
from server.notifying.sweep import Limits, Sweep
from server.queries import circuits as queries
from server.queries import system
from server.queries.circuits import CircuitTally
from server.queries.system import Facts
from server.seeding import Seed, Seeder
from server.store import circuits as store
from server.store.activity import is_used
from server.store.database import Database
from server.store.tables import entries, leases, notifications, sites, visits
from server.vault import Vault
from tests.support import due_rows
from tests.support.processes import free_port
from tests.support.providers import MailServer, Smsapi, serving

ACTOR = "staff:1"
SECOND = 1_000_000
HOUR = 3_600 * SECOND
FACTS = Facts(bus_problem=None, encrypted=True, exposed=True, limited=True)
# A circuit opens at the third failure in a row, and no test waits for the end of its pause.
PACE = Pace(failures=3, lasting=0.0, pause=600.0, longest=1200.0, trial=600.0)


class Installation:
    """A site with a mail server and an SMS provider, and the circuits of one process."""

    def __init__(self, database: Database, vault: Vault, seeded: Seed, organisation_id: int, kept: Audit) -> None:
        self.database, self.vault, self.seeded, self.organisation_id = database, vault, seeded, organisation_id
        self.set_up = ChannelSetUp(database, vault, kept, None, 60.0)
        self.channels = Directory(database, vault, None, kept_seconds=0.0, limit_seconds=60.0)
        self.circuits = Circuits(database, PACE)

    async def connect_mail(self, port: int) -> None:
        settings = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "desk@clinic.example"}
        settings |= {"sender_name": "", "username": "", "password": "x"}
        await self.set_up.put(self.organisation_id, "email", "smtp", settings, actor=ACTOR)

    async def connect_sms(self, port: int) -> None:
        settings = {"token": "a-token", "sender": "Clinic", "address": f"http://127.0.0.1:{port}"}
        await self.set_up.put(self.organisation_id, "sms", "smsapi", settings, actor=ACTOR)

    async def fill(self, count: int, **other: Any) -> None:
        await due_rows.fill(self.database, self.vault, self.seeded, count, **other)

    async def sweep(self, circuits: Circuits | None = None, limits: Limits | None = None) -> dict[str, int]:
        """Sweep once, as the process with these circuits; return the number of rows by their new state."""
        context = Context(self.database, self.vault, self.channels, "https://clinic.example")
        sweep = Sweep(context, limits or Limits(call=60.0), circuits or self.circuits)
        await sweep.run()
        return {state: count for state, count in sweep.done.items() if count}

    async def rows(self) -> list[Any]:
        async with self.database.read() as connection:
            return list(await connection.execute(select(notifications).order_by(notifications.c.id)))

    async def states(self) -> dict[tuple[str, str | None], int]:
        """Return the number of rows by state and reason."""
        return dict(Counter((row.state, row.reason) for row in await self.rows()))

    async def change(self, **values: Any) -> None:
        async with self.database.write() as connection:
            await connection.execute(update(notifications).values(**values))

    async def open(self) -> dict[str, int]:
        """Return the circuits that are not closed, with the instants of their next trials."""
        async with self.database.read() as connection:
            return {each.kind: each.next_at for each in await queries.of_providers(connection)}

    async def end_pause(self) -> None:
        """Let the time of the next trial be now: for the circuits, and for the messages that wait for it."""
        now = await self.database.now()
        async with self.database.write() as connection:
            await connection.execute(update(leases).where(leases.c.name.startswith(store.PREFIX)).values(until=now))
            waiting = notifications.c.state == "due", notifications.c.due_at > now
            await connection.execute(update(notifications).where(*waiting).values(due_at=now))


@pytest.fixture
async def clinic(setup: Seeder, database: Database, vault: Vault, kept: Audit) -> AsyncIterator[Installation]:
    seeded = await setup.seed(points=1, tickets=0, displays=0)
    async with database.read() as connection:
        found = await connection.scalar(select(sites.c.organisation_id).where(sites.c.id == seeded["site_id"]))
    made = Installation(database, vault, seeded, int(found or 0), kept)
    yield made
    await made.channels.close()


async def test_messages_wait_for_a_mail_server_that_is_away_and_go_out_when_it_is_back(clinic: Installation) -> None:
    server = MailServer()
    await clinic.connect_mail(server.port)
    await clinic.fill(8, channel="email")
    assert await clinic.sweep(limits=Limits(call=60.0, at_once=4)) == {"provider-away": 6, "due": 2}
    # The first two failed before the third one opened the circuit. No try is counted, since no connection came about.
    assert await clinic.states() == {("due", "provider-away"): 6, ("due", "no-connection"): 2}
    assert {row.attempts for row in await clinic.rows()} == {0}
    (next_at,) = (await clinic.open()).values()
    waiting = [row.due_at for row in await clinic.rows() if row.reason == "provider-away"]
    assert set(waiting) == {next_at}, "they wait for the next trial"
    with server:
        await clinic.change(due_at=await clinic.database.now())
        assert await clinic.sweep() == {"provider-away": 8}
        assert server.accepted == [], "nobody calls before the pause ends"
        await clinic.end_pause()
        assert await clinic.sweep() == {"sent": 8, "provider-away": 7}, "one tries, and the others follow at once"
        assert len({mail["Message-ID"] for mail in server.accepted}) == len(server.accepted) == 8
    assert await clinic.states() == {("sent", None): 8}
    assert {row.attempts for row in await clinic.rows()} == {1}
    assert await clinic.open() == {}


async def test_trial_that_fails_costs_one_call_and_no_try(clinic: Installation) -> None:
    api = Smsapi()
    async with serving(api.http) as http:
        await clinic.connect_sms(http.port)
        await clinic.fill(10)
        http.mood = 503
        await clinic.sweep()
        assert len(await clinic.open()) == 1
        before = len(http.requests)
        tried = Counter(row.attempts for row in await clinic.rows())
        for trials in (1, 2, 3, 4):
            await clinic.end_pause()
            assert await clinic.sweep() == {"provider-away": 10}
            assert len(http.requests) == before + trials
        assert Counter(row.attempts for row in await clinic.rows()) == tried, "four trials have used up no message"
        http.mood = "accepts"
        await clinic.end_pause()
        await clinic.sweep()
    assert await clinic.states() == {("sent", None): 10}
    assert len({each["idx"] for each in api.accepted}) == len(api.accepted) == 10


async def test_other_provider_is_called_on(clinic: Installation) -> None:
    with MailServer() as server:
        await clinic.connect_mail(server.port)
        await clinic.connect_sms(free_port())
        await clinic.fill(8)
        async with clinic.database.write() as connection:
            await connection.execute(
                update(notifications).where(notifications.c.id % 2 == 0).values(channel="email", state="due")
            )
        await clinic.sweep()
        assert len(server.accepted) == 4
        assert list(await clinic.open()) == ["smsapi"]
        states = Counter((row.channel, row.state) for row in await clinic.rows())
        assert states == {("email", "sent"): 4, ("sms", "due"): 4}


async def test_message_that_waits_is_never_sent_too_late(clinic: Installation) -> None:
    server = MailServer()
    await clinic.connect_mail(server.port)
    soon = await clinic.database.now() + 120 * SECOND
    await clinic.fill(4, channel="email", not_after=soon)
    await clinic.sweep()
    await clinic.change(due_at=await clinic.database.now())
    await clinic.sweep()
    assert {row.due_at for row in await clinic.rows()} == {soon}, "the pause lasts longer than the message is of use"
    past = await clinic.database.now() - 1
    await clinic.change(due_at=past, not_after=past)
    with server:
        await clinic.end_pause()
        assert await clinic.sweep() == {"expired": 4}
        assert server.accepted == []


async def test_message_that_waits_wakes_nobody_in_the_quiet_hours(setup: Seeder, clinic: Installation) -> None:
    await clinic.connect_mail(free_port())
    channel = await clinic.channels.of(clinic.organisation_id, "email")
    assert channel is not None
    now = await clinic.database.now()
    async with clinic.database.write() as connection:
        await store.keep_open(connection, str(channel.circuit("x@example.org")), now, now + 60 * SECOND)
    minute = now // (60 * SECOND) % 1440  # of the day at the site, which is in UTC
    begin, end = (minute - 60) % 1440, (minute + 120) % 1440
    await setup.do(ChangeSite(site_id=clinic.seeded["site_id"], quiet_from=begin, quiet_until=end))
    await clinic.fill(1, channel="email", kind="feedback", not_after=now + 20 * HOUR)
    assert await clinic.sweep() == {"due": 1}
    (row,) = await clinic.rows()
    assert (row.reason, row.attempts) == (None, 0)
    assert now + HOUR < row.due_at <= now + 3 * HOUR, "the end of the quiet hours"
    async with clinic.database.write() as connection:
        await close(connection, str(channel.circuit("x@example.org")), now)
    assert (await clinic.rows())[0].due_at == row.due_at, "nor does the end of the outage"


async def test_trial_of_a_message_that_is_withdrawn_passes_to_the_next_one(
    setup: Seeder, database: Database, clinic: Installation
) -> None:
    with MailServer() as server:
        await clinic.connect_mail(server.port)
        await clinic.fill(3, channel="email")
        channel = await clinic.channels.of(clinic.organisation_id, "email")
        assert channel is not None
        now, first = await database.now(), (await clinic.rows())[0].entry_id
        async with database.write() as connection:
            await store.keep_open(connection, str(channel.circuit("x@example.org")), now, now)
            await connection.execute(update(entries).where(entries.c.id == first).values(state="completed"))
        await clinic.sweep()
        await clinic.end_pause()
        await clinic.sweep()
        assert len(server.accepted) == 2
    assert await clinic.states() == {("withdrawn", None): 1, ("sent", None): 2}


async def test_message_that_the_channel_itself_refuses_is_no_trial(database: Database, clinic: Installation) -> None:
    await clinic.connect_mail(free_port())
    await clinic.fill(2, channel="email")
    channel = await clinic.channels.of(clinic.organisation_id, "email")
    assert channel is not None
    now, first = await database.now(), (await clinic.rows())[0].visit_id
    odd = Personal(email="nøra@example.org", token="odd")
    async with database.write() as connection:
        await store.keep_open(connection, str(channel.circuit("x@example.org")), now, now)
        sealed = clinic.vault.seal_personal(odd, f"visit:{first}")
        await connection.execute(update(visits).where(visits.c.id == first).values(sealed=sealed))
    await clinic.sweep()
    assert await clinic.states() == {("failed", "address"): 1, ("due", "provider-away"): 1}
    assert len(await clinic.open()) == 1, "the mail server has said nothing"


async def test_provider_that_fails_now_and_then_is_called_on(clinic: Installation) -> None:
    api = Smsapi()
    async with serving(api.http) as http:
        await clinic.connect_sms(http.port)
        await clinic.fill(20)
        circuits = Circuits(clinic.database)  # with the usual pace
        answered = http.accept
        number = 0

        def one_in_five(request: Any) -> tuple[int, dict[str, Any]]:
            nonlocal number
            number += 1
            return (500, {}) if number % 5 == 0 else answered(request)

        http.accept = one_in_five
        assert await clinic.sweep(circuits) == {"sent": 16}
        assert await clinic.states() == {("sent", None): 16, ("sending", None): 4}, "a lost answer stays one"
        assert await clinic.open() == {}


async def test_message_of_unknown_outcome_waits_for_the_circuit_and_stays_unsent_or_sent(clinic: Installation) -> None:
    """A provider with keys is asked again, but not while its circuit is open: until then nothing is decided."""
    api = Smsapi()
    async with serving(api.http) as http:
        await clinic.connect_sms(http.port)
        await clinic.fill(4)
        http.mood = "drops"  # after it has accepted each message
        assert await clinic.sweep() == {}
        assert await clinic.states() == {("sending", None): 4}
        assert len(await clinic.open()) == 1
        asked, http.mood = len(http.requests), "accepts"
        stale = await clinic.database.now() - 181 * SECOND
        await clinic.change(changed_at=stale)
        assert await clinic.sweep() == {}
        assert await clinic.states() == {("sending", None): 4}
        assert len(http.requests) == asked
        for _ in range(2):  # the trial, then the others
            await clinic.change(changed_at=stale)
            await clinic.end_pause()
            await clinic.sweep()
    assert await clinic.states() == {("sent", None): 4}
    assert len(api.accepted) == 4


async def test_eight_processes_know_the_circuit_and_one_makes_the_trial(clinic: Installation) -> None:
    opener, *others = (Circuits(clinic.database, PACE) for _ in range(8))
    for _ in range(PACE.failures):
        opener.failed("smtp:1")
    await opener.save()
    assert not await opener.admits("smtp:1")
    for each in others:
        await each.look()
        assert not await each.admits("smtp:1")
        assert await each.admits("smtp:2")
    await clinic.end_pause()
    for each in (opener, *others):
        await each.look()
    assert (await asyncio.gather(*(each.admits("smtp:1") for each in (opener, *others)))).count(True) == 1
    others[0].succeeded("smtp:1")
    await others[0].save()
    for each in (opener, *others):
        await each.look()
        assert await each.admits("smtp:1")


async def test_process_that_dies_in_its_trial_leaves_the_next_one_to_others(clinic: Installation) -> None:
    dying, other = Circuits(clinic.database, PACE), Circuits(clinic.database, PACE)
    for _ in range(PACE.failures):
        dying.failed("smtp:1")
    await dying.save()
    await clinic.end_pause()
    await dying.look()
    assert await dying.admits("smtp:1")
    await other.look()
    assert not await other.admits("smtp:1"), "until the trial should have ended"
    await clinic.end_pause()
    await other.look()
    assert await other.admits("smtp:1")


async def test_clock_that_was_set_back_keeps_no_circuit_open(clinic: Installation) -> None:
    circuits, now = Circuits(clinic.database, PACE), await clinic.database.now()
    async with clinic.database.write() as connection:
        await store.keep_open(connection, "smtp:1", now + 48 * HOUR, now + 49 * HOUR)
    await circuits.look()
    assert await circuits.admits("smtp:1")


async def test_accepted_test_message_lets_the_waiting_ones_go(clinic: Installation) -> None:
    server = MailServer()
    await clinic.connect_mail(server.port)
    await clinic.fill(4, channel="email")
    await clinic.sweep()
    assert list(await clinic.open()) == ["smtp"]
    with server:
        tried = await clinic.set_up.try_out(clinic.organisation_id, "email", "desk@example.org", "en", actor=ACTOR)
        assert tried.outcome == "accepted"
        assert await clinic.open() == {}
        await clinic.change(due_at=await clinic.database.now())  # also those that failed before the opening
        assert await clinic.sweep() == {"sent": 4}


async def test_changed_or_removed_channel_closes_its_circuit(clinic: Installation) -> None:
    for change in ("put", "remove"):
        await clinic.connect_mail(free_port())
        channel = await clinic.channels.of(clinic.organisation_id, "email")
        assert channel is not None
        name = channel.circuit("x@example.org")
        assert name is not None
        async with clinic.database.write() as connection:
            await store.keep_open(connection, name, 1, 2)
        if change == "put":
            await clinic.connect_mail(free_port())
        else:
            await clinic.set_up.remove(clinic.organisation_id, "email", actor=ACTOR)
        assert await clinic.open() == {}


async def test_state_list_and_the_tally_tell_open_circuits(clinic: Installation) -> None:
    async def check() -> system.Check:
        return {each.name: each for each in await system.checks(clinic.database, FACTS)}["circuits"]

    tally = CircuitTally()
    await tally.update(clinic.database)
    assert ((await check()).code, set(tally.states.values())) == ("circuits_ok", {"closed"})
    now = await clinic.database.now()
    async with clinic.database.write() as connection:
        for name, next_at in (("smtp:1", now - 1), ("smtp:2", now + HOUR), ("push:push.apple.com", now - 1)):
            await store.keep_open(connection, name, now - HOUR, next_at)
    await tally.update(clinic.database)
    found = await check()
    assert (found.code, found.state, found.values) == (
        "circuits_open", "warning", {"providers": "SMTP (2), push.apple.com"},
    )  # fmt: skip
    assert found.remedy
    assert (tally.states["smtp"], tally.states["push"], tally.states["smsapi"]) == ("open", "half-open", "closed")
    assert (tally.open["smtp"], tally.openings["smtp"], tally.openings["smsapi"]) == (2, 2, 0)
    async with clinic.database.write() as connection:
        assert await store.forget(connection, now) == 2
    await tally.update(clinic.database)
    assert (tally.open["smtp"], tally.openings["smtp"]) == (1, 2)


async def test_open_circuit_is_no_sign_of_a_running_process(clinic: Installation) -> None:
    now = await clinic.database.now()
    async with clinic.database.write() as connection:
        await store.keep_open(connection, "smtp:1", now, now + HOUR)
    assert not await is_used(clinic.database, SECOND)
