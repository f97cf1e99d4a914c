"""From a message that does not arrive to the mark at the desk, on a real database."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from server.domain.commands import Book, CallNext, CancelAppointment, ChangeSite, ClearUnreached, IssueTicket, NoteMessage
from server.domain.model import Mark
from server.execute import Executor
from server.notifying.channels.channel import Accepted, ChannelRefused, Message, Reaches
from server.notifying.context import Context
from server.notifying.marks import Marks
from server.notifying.sweep import Sweep
from server.queries import message_news
from server.seeding import Seed, Seeder
from server.store import notifications as rows_of_messages
from server.store.database import Database
from server.store.opt_outs import HashedAddress
from server.store.tables import appointments, entries, events, notifications
from server.vault import Vault
from tests.support.message_provider import Everywhere

PHONE = "+49 170 0000001"


class Desk:
    """A site that sends messages by SMS, else by e-mail, and what its desk has noted."""

    def __init__(self, setup: Seeder, database: Database, seeded: Seed) -> None:
        self.setup, self.database, self.seeded = setup, database, seeded
        self.marks = Marks(database, setup.executor, at_once=2)

    async def book(self, **about: Any) -> int:
        then = datetime.now(UTC) + timedelta(days=20)
        day = (then + timedelta(days=(2 - then.weekday()) % 7)).date().isoformat()
        wanted = {"name": "Nora Canary", "phone": PHONE, "local_start": f"{day}T12:00"} | about
        made = await self.setup.do(
            Book(
                site_id=self.seeded["site_id"],
                service_id=self.seeded["service_ids"][0],
                provider_id=self.seeded["provider_ids"][0],
                **wanted,
            )
        )
        return int(made["appointment"]["id"])

    async def mark(self, subject_id: int) -> Mark | None:
        table = appointments if await self._is(appointments, subject_id) else entries
        async with self.database.read() as connection:
            found = await connection.scalar(select(table.c.unreached).where(table.c.id == subject_id))
        return None if found is None else tuple(found)

    async def _is(self, table: Any, subject_id: int) -> bool:
        async with self.database.read() as connection:
            return await connection.scalar(select(table.c.id).where(table.c.id == subject_id)) is not None

    async def rows(self) -> list[Any]:
        async with self.database.read() as connection:
            return list(await connection.execute(select(notifications).order_by(notifications.c.id)))

    async def ended(self, kind: str, **values: Any) -> None:
        """End the messages of a kind, as a worker or a receipt does."""
        now = await self.database.now()
        async with self.database.write() as connection:
            ending = update(notifications).where(notifications.c.kind == kind)
            await connection.execute(ending.values(changed_at=now, news_at=now, **values))

    async def events(self) -> list[str]:
        names = ("appointment-unreached", "appointment-informed", "entry-unreached", "entry-informed")
        async with self.database.read() as connection:
            found = select(events.c.type).where(events.c.type.in_(names)).order_by(events.c.seq)
            return list(await connection.scalars(found))


@pytest.fixture
async def desk(setup: Seeder, database: Database) -> Desk:
    seeded = await setup.seed(points=1, tickets=0, displays=0, providers=1)
    made = Desk(setup, database, seeded)
    await setup.do(
        ChangeSite(site_id=seeded["site_id"], message_ways=("sms", "email"), quiet_from=0, quiet_until=0, reminders=(24,))
    )
    return made


class Refusing:
    """A channel that refuses every message."""

    name = "refusing"
    reaches: Reaches = "phone"
    honours_key = False
    refuses = True

    def receipt_name(self, key: str) -> None:
        pass

    def circuit(self, to: str) -> None:
        pass

    async def send(self, message: Message) -> Accepted:
        if self.refuses:
            raise ChannelRefused("address")
        return Accepted("an id")

    async def close(self) -> None:
        pass


async def test_refused_message_marks_the_appointment_and_a_repeat_that_goes_out_clears_it(
    desk: Desk, database: Database, vault: Vault
) -> None:
    channel = Refusing()
    context = Context(database, vault, Everywhere(channel), "https://clinic.example")
    appointment_id = await desk.book()
    await Sweep(context).run()
    assert await desk.marks.note() == 1
    mark = await desk.mark(appointment_id)
    assert mark is not None
    assert (mark[:3], mark[4]) == (("booked", "sms", "address"), False)
    failed = next(row for row in await desk.rows() if row.state == "failed")
    assert failed.news_at is None
    channel.refuses = False
    now = await database.now()
    async with database.write() as connection:
        assert await rows_of_messages.resend(connection, failed.id, now, now + 60_000_000)
    await Sweep(context).run()
    assert await desk.marks.note() == 1
    assert await desk.mark(appointment_id) is None
    async with database.write() as connection:
        assert await rows_of_messages.receive(connection, "an id", "sms", "undelivered", await database.now())
    assert await desk.marks.note() == 1
    undelivered = await desk.mark(appointment_id)
    assert undelivered is not None
    assert undelivered[2] == "undelivered"
    async with database.write() as connection:
        assert await rows_of_messages.receive(connection, "an id", "sms", "delivered", await database.now())
    assert await desk.marks.note() == 1
    assert await desk.mark(appointment_id) is None
    assert await desk.events() == ["appointment-unreached", "appointment-informed"] * 2


@pytest.mark.parametrize(
    ("state", "reason", "receipt", "problem"),
    [
        ("failed", "address", None, "address"),
        ("failed", "unsubscribed", None, "opted-out"),
        ("failed", "credit", None, "not-sent"),
        ("suppressed", "opted-out", None, "opted-out"),
        ("expired", None, None, "too-late"),
        ("unknown", "no-answer", None, "perhaps"),
        ("sent", None, "undelivered", "undelivered"),
        ("suppressed", "no-address", None, None),  # whoever booked without an address knows the booking
        ("sent", None, None, None),
        ("sent", None, "undelivered-for-now", None),
        ("sent", None, "delivered", None),
        ("withdrawn", None, None, None),
    ],
)
async def test_end_of_a_confirmation_gives_its_mark(
    desk: Desk, state: str, reason: str | None, receipt: str | None, problem: str | None
) -> None:
    appointment_id = await desk.book()
    await desk.ended("booked", state=state, reason=reason, receipt=receipt)
    assert await desk.marks.note() == 1
    mark = await desk.mark(appointment_id)
    assert (None if mark is None else mark[2]) == problem


async def test_cancellation_without_an_address_marks_the_cancelled_appointment(desk: Desk) -> None:
    appointment_id = await desk.book(phone=None)
    await desk.setup.do(CancelAppointment(appointment_id=appointment_id, version=1))
    await desk.ended("cancelled", state="suppressed", reason="no-address")
    await desk.marks.note()
    mark = await desk.mark(appointment_id)
    assert mark is not None
    assert mark[0] == "cancelled"


async def test_call_that_expired_marks_the_called_entry(desk: Desk) -> None:
    await desk.setup.do(IssueTicket(queue_id=desk.seeded["queue_ids"][0], phone=PHONE, overrule=True))
    called = await desk.setup.do(CallNext(point_id=desk.seeded["point_ids"][0]))
    await desk.ended("called", state="expired")
    await desk.marks.note()
    mark = await desk.mark(called["entry"]["id"])
    assert mark is not None
    assert mark[:3] == ("called", "sms", "too-late")
    await desk.setup.do(ClearUnreached(subject_id=called["entry"]["id"]))
    told = await desk.mark(called["entry"]["id"])
    assert told is not None
    assert told[4] is True


async def test_news_of_a_subject_that_moved_on_is_dropped(desk: Desk) -> None:
    appointment_id = await desk.book()
    await desk.setup.do(CancelAppointment(appointment_id=appointment_id, version=1))
    await desk.ended("booked", state="failed", reason="address")
    assert await desk.marks.note() == 1
    assert await desk.marks.note() == 0
    assert await desk.mark(appointment_id) is None


async def test_two_servers_note_each_message_once(desk: Desk, database: Database, vault: Vault) -> None:
    for hour in ("10", "11", "13", "14", "15"):
        await desk.book(phone=f"+49 170 00000{hour}", local_start=_day_at(hour))
    await desk.ended("booked", state="failed", reason="address")
    other = Marks(database, Executor(database, vault, publish=lambda *_: None), at_once=2)
    done = await asyncio.gather(desk.marks.note(), other.note())
    assert sum(done) == 5
    assert await desk.events() == ["appointment-unreached"] * 5


async def test_news_that_was_noted_by_a_server_that_died_is_not_noted_again(desk: Desk) -> None:
    """The commit of the command comes before the row is done. Meanwhile staff have told the patient."""
    appointment_id = await desk.book()
    await desk.ended("booked", state="failed", reason="address")
    (each,) = await message_news.news(desk.database, 10)
    command = NoteMessage(
        subject_id=each.subject_id, version=1, kind=each.kind, way=each.channel, problem=each.problem, at=each.news_at
    )
    await desk.setup.executor.execute(command, actor="clock", command_id=f"message:{each.id}:{each.news_at}")
    await desk.setup.do(ClearUnreached(subject_id=appointment_id))
    assert await desk.marks.note() == 1
    mark = await desk.mark(appointment_id)
    assert mark is not None
    assert mark[4] is True


async def test_later_news_of_a_row_is_kept(desk: Desk) -> None:
    await desk.book()
    await desk.ended("booked", state="sent")
    (before,) = await message_news.news(desk.database, 10)
    await desk.ended("booked", receipt="undelivered")
    async with desk.database.write() as connection:
        await rows_of_messages.noted(connection, before.id, before.news_at)
    (after,) = await message_news.news(desk.database, 10)
    assert after.problem == "undelivered"


async def test_every_end_of_a_row_is_news(desk: Desk, database: Database, vault: Vault) -> None:
    """Rows that end by the sweep's own statements: too late, given up, suppressed."""
    now = await database.now()
    await desk.book(phone=None)
    await Sweep(Context(database, vault, Everywhere(Refusing()), "https://clinic.example")).run()
    (suppressed,) = [row for row in await desk.rows() if row.state == "suppressed"]
    assert suppressed.news_at is not None
    await desk.book(local_start=_day_at("13"))
    claimer = uuid.uuid4().hex
    async with database.write() as connection:
        (claimed,) = await rows_of_messages.claim(connection, claimer, now + 60_000_000, 0, 10)
        await connection.execute(update(notifications).where(notifications.c.id == claimed.id).values(not_after=now - 1))
        begun = [rows_of_messages.Begun(claimed.id, HashedAddress(1, "sms", "hash"))]
        assert await rows_of_messages.begin(connection, claimer, begun, now) == (set(), set())
    late = next(row for row in await desk.rows() if row.id == claimed.id)
    assert (late.state, late.news_at) == ("expired", now)
    async with database.write() as connection:
        lost = update(notifications).where(notifications.c.id == claimed.id)
        await connection.execute(lost.values(state="sending", news_at=None, changed_at=1))
        assert await rows_of_messages.give_up(connection, [claimed.id], 2, now) == 1
    given_up = next(row for row in await desk.rows() if row.id == claimed.id)
    assert (given_up.state, given_up.news_at) == ("unknown", now)


def _day_at(hour: str) -> str:
    then = datetime.now(UTC) + timedelta(days=20)
    return f"{(then + timedelta(days=(2 - then.weekday()) % 7)).date().isoformat()}T{hour}:00"
