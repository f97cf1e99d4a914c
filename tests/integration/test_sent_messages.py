"""The list of a site's messages, and sending one of them again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from server.audit import Audit
from server.domain.commands import Book, CallNext, CancelAppointment, ChangeSite, NoShow, Reschedule
from server.domain.errors import (
    MessageNotFound,
    MessageNotRepeatable,
    MessageOutdated,
    MessageRepeated,
    MessageUnwanted,
    NowServingError,
)
from server.notifying.repeats import Repeats
from server.queries import sent_messages
from server.queries.sent_messages import Filters, MessageListed
from server.seeding import Seed, Seeder
from server.store.database import Database
from server.store.tables import appointments, audit, notifications, sites
from server.vault import Vault
from tests.support.processes import wait_until
from tests.support.refusals import refused
from tests.support.server import environment, seed, serving

MINUTE = 60_000_000
HOUR = 60 * MINUTE
ACTOR = "staff:1"
PHONE, MAIL = "+49 170 0000067", "nora@example.org"


def noon(days: int) -> str:
    """Return the noon of the first Wednesday that is at least so many days from now, as a local time."""
    then = datetime.now(UTC) + timedelta(days=days)
    return (then + timedelta(days=(2 - then.weekday()) % 7)).date().isoformat() + "T12:00"


class Clinic:
    """A site that sends messages by SMS, else by e-mail."""

    def __init__(self, setup: Seeder, database: Database, vault: Vault, seeded: Seed, kept: Audit) -> None:
        self.do, self.setup, self.database, self.seeded, self._vault = setup.do, setup, database, seeded, vault
        self.repeats = Repeats(database, vault, kept)

    async def book(self, days: int = 20, **about: Any) -> int:
        made = await self.do(
            Book(
                site_id=self.seeded["site_id"],
                service_id=self.seeded["service_ids"][0],
                provider_id=self.seeded["provider_ids"][0],
                local_start=noon(days),
                **({"name": "Nora Canary", "phone": PHONE} | about),
            )
        )
        appointment_id: int = made["appointment"]["id"]
        return appointment_id

    async def listed(self, size: int = 50, **filters: Any) -> list[MessageListed]:
        """Return all messages of the list, read by pages."""
        found: list[MessageListed] = []
        after = None
        while True:
            page = await sent_messages.page(
                self.database, self._vault, self.seeded["site_id"], Filters(**filters), size, after
            )
            found += page.rows
            assert page.total >= len(found)
            if (after := page.last) is None:
                assert page.total == len(found)
                return found

    async def become(self, message_id: int, state: str, reason: str | None = None) -> None:
        """Give a message an outcome."""
        outcome = update(notifications).where(notifications.c.id == message_id).values(state=state, reason=reason)
        async with self.database.write() as connection:
            await connection.execute(outcome)

    async def start_in(self, appointment_id: int, microseconds: int) -> None:
        """Let an appointment start so long from now."""
        starts_at = await self.database.now() + microseconds
        async with self.database.write() as connection:
            moved = update(appointments).where(appointments.c.id == appointment_id)
            await connection.execute(moved.values(starts_at=starts_at))

    async def organisation_id(self) -> int:
        of_site = select(sites.c.organisation_id).where(sites.c.id == self.seeded["site_id"])
        async with self.database.read() as connection:
            return int(await connection.scalar(of_site) or 0)

    async def send_again(self, message_id: int) -> None:
        await self.repeats.send_again(await self.organisation_id(), message_id, actor=ACTOR)

    async def refusal(self, message_id: int) -> NowServingError:
        with pytest.raises(NowServingError) as raised:
            await self.send_again(message_id)
        return raised.value


@pytest.fixture
async def clinic(setup: Seeder, database: Database, vault: Vault, kept: Audit) -> Clinic:
    seeded = await setup.seed(points=1, tickets=0, displays=0, providers=1)
    ways = ChangeSite(site_id=seeded["site_id"], message_ways=("sms", "email"), quiet_from=0, quiet_until=0)
    await setup.do(ways)
    return Clinic(setup, database, vault, seeded, kept)


async def test_reminder_is_seen_planned_moved_and_withdrawn(clinic: Clinic) -> None:
    appointment_id = await clinic.book()
    days, hours, booked = sorted(await clinic.listed(), key=lambda each: -each.ahead)
    assert [(each.kind, each.ahead, each.state) for each in (days, hours, booked)] == [
        ("reminder", 72, "due"),
        ("reminder", 24, "due"),
        ("booked", 0, "due"),
    ]
    assert (hours.appointment_id, hours.entry_id, hours.label, hours.way) == (appointment_id, None, None, "sms")
    assert [each.id for each in await clinic.listed()] == [hours.id, days.id, booked.id], "the latest due time comes first"

    await clinic.do(Reschedule(appointment_id=appointment_id, version=1, local_start=noon(27)))
    reminders = await clinic.listed(kind="reminder")
    assert sorted(each.state for each in reminders) == ["due"] * 2 + ["withdrawn"] * 2
    assert min(each.due_at for each in reminders if each.state == "due") > max(
        each.due_at for each in reminders if each.state == "withdrawn"
    )
    await clinic.do(CancelAppointment(appointment_id=appointment_id, version=2))
    assert {each.state for each in await clinic.listed(kind="reminder")} == {"withdrawn"}
    assert [each.state for each in await clinic.listed(kind="cancelled")] == ["due"]


async def test_recipient_is_masked_and_follows_the_record(clinic: Clinic) -> None:
    await clinic.book()
    await clinic.book(40, phone=None, email=MAIL)
    await clinic.book(60, phone=None)
    assert {(each.way, each.recipient) for each in await clinic.listed()} == {
        ("sms", "…67"),
        ("email", "n…@example.org"),
        ("sms", None),
    }


async def test_message_about_a_visit_has_the_ticket(clinic: Clinic) -> None:
    await clinic.setup.ticket(clinic.seeded["queue_ids"][0], phone=PHONE)
    entry = (await clinic.do(CallNext(point_id=clinic.seeded["point_ids"][0])))["entry"]
    (called,) = await clinic.listed(kind="called")
    assert (called.entry_id, called.appointment_id, called.label, called.recipient) == (entry["id"], None, "A001", "…67")


async def test_list_is_filtered_and_read_by_pages(clinic: Clinic) -> None:
    first, _ = await clinic.book(), await clinic.book(40, phone=None, email=MAIL)
    everything = await clinic.listed()
    assert await clinic.listed(size=2) == everything
    assert {each.appointment_id for each in await clinic.listed(appointment_id=first)} == {first}
    assert len(await clinic.listed(way="email")) == 3
    await clinic.become(everything[1].id, "sent")
    assert [each.id for each in await clinic.listed(state="sent")] == [everything[1].id]
    assert len(await clinic.listed(state="due", size=2)) == 5
    at = everything[2].due_at * 1000
    assert [each.id for each in await clinic.listed(since=at)] == [each.id for each in everything[:3]]
    assert [each.id for each in await clinic.listed(until=at)] == [each.id for each in everything[3:]]


async def test_other_sites_messages_are_not_listed(clinic: Clinic) -> None:
    await clinic.book()
    clinic.seeded = await clinic.setup.seed(points=1, tickets=0, displays=0, providers=1)
    assert await clinic.listed() == []


@pytest.mark.parametrize("state", ["unknown", "failed"])
async def test_message_is_sent_again_once(clinic: Clinic, database: Database, kept: Audit, state: str) -> None:
    await clinic.book()
    (booked,) = await clinic.listed(kind="booked")
    assert not booked.may_resend
    await clinic.become(booked.id, state, "broken-call")
    assert [each.may_resend for each in await clinic.listed(kind="booked")] == [True]
    await clinic.send_again(booked.id)
    repeat, first = sorted(await clinic.listed(kind="booked"), key=lambda each: each.resend_of is None)
    assert (repeat.resend_of, repeat.state, repeat.attempts, repeat.may_resend) == (booked.id, "due", 0, False)
    assert repeat.not_after == repeat.due_at + 30 * 60_000
    assert (first.state, first.may_resend) == (state, False)
    assert isinstance(await clinic.refusal(booked.id), MessageRepeated)
    await clinic.become(repeat.id, "failed", "busy")
    await clinic.send_again(repeat.id)
    await kept.stop()
    async with database.read() as connection:
        noted = (await connection.execute(select(audit).where(audit.c.action == "resend-message").order_by(audit.c.n))).all()
    assert [(row.actor, row.subject, row.site_id, row.allowed, row.detail) for row in noted] == [
        (ACTOR, f"message:{booked.id}", booked.site_id, True, None),
        (ACTOR, f"message:{booked.id}", booked.site_id, False, "message_repeated"),
        (ACTOR, f"message:{repeat.id}", booked.site_id, True, None),
    ]


async def test_of_two_touches_at_once_one_sends_the_message(clinic: Clinic) -> None:
    await clinic.book()
    (booked,) = await clinic.listed(kind="booked")
    await clinic.become(booked.id, "unknown")
    done = await asyncio.gather(*(clinic.send_again(booked.id) for _ in range(4)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["MessageRepeated"] * 3 + ["NoneType"]
    assert len(await clinic.listed(kind="booked")) == 2


@pytest.mark.parametrize("state", ["due", "claimed", "sending", "sent", "withdrawn", "expired", "suppressed", "skipped"])
async def test_message_in_another_state_is_not_sent_again(clinic: Clinic, state: str) -> None:
    await clinic.book()
    (booked,) = await clinic.listed(kind="booked")
    await clinic.become(booked.id, state)
    refusal = await clinic.refusal(booked.id)
    assert isinstance(refusal, MessageNotRepeatable)
    assert refusal.details == {"state": state}
    assert len(await clinic.listed(kind="booked")) == 1


async def test_message_about_a_moved_appointment_or_a_past_start_is_outdated(clinic: Clinic) -> None:
    moved, cancelled, past = [await clinic.book(days) for days in (20, 40, 60)]
    of = {each.appointment_id: each for each in await clinic.listed(kind="booked")}
    for each in of.values():
        await clinic.become(each.id, "failed")
    await clinic.do(Reschedule(appointment_id=moved, version=1, local_start=noon(90)))
    await clinic.do(CancelAppointment(appointment_id=cancelled, version=1))
    await clinic.start_in(past, -MINUTE)
    for appointment_id in (moved, cancelled, past):
        assert isinstance(await clinic.refusal(of[appointment_id].id), MessageOutdated)
    assert not any(each.may_resend for each in await clinic.listed(kind="booked"))


async def test_repeat_ends_before_the_start_and_a_reminder_half_an_hour_earlier(clinic: Clinic) -> None:
    appointment_id = await clinic.book()
    for each in await clinic.listed():
        await clinic.become(each.id, "failed")
    (booked,), reminder = await clinic.listed(kind="booked"), (await clinic.listed(kind="reminder"))[0]
    await clinic.start_in(appointment_id, 20 * MINUTE)
    assert isinstance(await clinic.refusal(reminder.id), MessageOutdated)
    await clinic.send_again(booked.id)
    (repeat,) = [each for each in await clinic.listed(kind="booked") if each.resend_of]
    assert 19 * 60_000 < repeat.not_after - repeat.due_at <= 20 * 60_000


async def test_message_about_a_call_is_right_until_the_next_step(clinic: Clinic) -> None:
    await clinic.setup.ticket(clinic.seeded["queue_ids"][0], phone=PHONE)
    entry = (await clinic.do(CallNext(point_id=clinic.seeded["point_ids"][0])))["entry"]
    (called,) = await clinic.listed(kind="called")
    await clinic.become(called.id, "unknown")
    assert [each.may_resend for each in await clinic.listed(kind="called")] == [True]
    await clinic.do(NoShow(entry_id=entry["id"]))
    assert isinstance(await clinic.refusal(called.id), MessageOutdated)


async def test_stopped_number_gets_no_repeat(clinic: Clinic) -> None:
    await clinic.book()
    (booked,) = await clinic.listed(kind="booked")
    await clinic.become(booked.id, "failed", "unsubscribed")
    assert isinstance(await clinic.refusal(booked.id), MessageUnwanted)


async def test_message_of_another_organisation_does_not_exist(clinic: Clinic) -> None:
    await clinic.book()
    (booked,) = await clinic.listed(kind="booked")
    await clinic.become(booked.id, "failed")
    clinic.seeded = await clinic.setup.seed(points=1, tickets=0, displays=0)
    assert isinstance(await clinic.refusal(booked.id), MessageNotFound)
    assert isinstance(await clinic.refusal(10**9), MessageNotFound)


def test_api_lists_messages_and_names_wrong_filters(sqlite_url: str, tmp_path: Any) -> None:
    env = environment(sqlite_url, NOWSERVING_RECORDING_PATH=str(tmp_path / "sent.jsonl"))
    seeded = seed(env, points=1, tickets=0, displays=0)
    with serving(env, tmp_path) as server, server.client(server.sign_in(seeded, "admin")) as admin:
        site_id, queue_id = seeded["site_id"], seeded["queue_ids"][0]
        command = "/api/v1/commands/"
        assert admin.post(f"{command}change-site", json={"site_id": site_id, "message_ways": ["sms"]}).status_code == 200
        assert admin.post(f"{command}issue-ticket", json={"queue_id": queue_id, "phone": PHONE}).status_code == 200
        address = f"/api/v1/sites/{site_id}/messages"
        today = datetime.now(UTC).date()

        def found(**filters: Any) -> list[Any]:
            answer: httpx.Response = admin.get(address, params=filters)
            assert answer.status_code == 200, answer.text
            data: list[Any] = answer.json()["data"]
            return data

        wait_until(lambda: [each["state"] for each in found()] == ["sent"], "the message")  # the server sends by itself
        (message,) = found()
        assert (message["kind"], message["label"], message["recipient"]) == ("almost-your-turn", "A001", "…67")
        days = {"from": f"{today - timedelta(days=1)}", "to": f"{today + timedelta(days=1)}"}
        assert len(found(**days)) == 1
        assert found(to=f"{today - timedelta(days=2)}") == []
        assert found(**{"from": f"{today + timedelta(days=2)}"}) == []
        for name, value in (("state", "lost"), ("kind", "x"), ("way", "fax"), ("appointment_id", "1"), ("from", "today")):
            assert refused(admin.get(address, params={name: value}), 422, "invalid_field")["details"]["field"] == name
        resend = f"/api/v1/messages/{message['id']}/resend"
        assert refused(admin.post(resend), 409, "message_not_repeatable")["details"]["state"] == message["state"]
        refused(admin.post("/api/v1/messages/999/resend"), 404, "message_not_found")
