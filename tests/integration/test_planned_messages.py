"""Messages that commands plan: their rows are written in the commands' transactions, and follow what happens later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from server.domain.commands import (
    AmendAppointment,
    AnnounceDelay,
    Book,
    Call,
    CallNext,
    CancelAppointment,
    ChangeSite,
    NoShow,
    Reschedule,
    Rezone,
    Undo,
    WantEarlier,
    WithdrawDelay,
)
from server.domain.errors import SlotTaken
from server.domain.model.local_time import instant_of
from server.notifying.channels.channel import Accepted, Message, Reaches
from server.notifying.context import Context
from server.notifying.plan import plan_again
from server.notifying.sweep import USUAL, Sweep
from server.seeding import Seed, Seeder
from server.store import planned_messages
from server.store.database import Database
from server.store.tables import message_plans, notifications
from server.vault import Vault
from tests.support.message_provider import Everywhere

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
PHONE = "+49 170 0000001"


@dataclass
class Clinic:
    """A site that sends messages by SMS, else by e-mail."""

    setup: Seeder
    database: Database
    seeded: Seed

    async def do(self, command: Any) -> dict[str, Any]:
        return await self.setup.do(command)

    async def change(self, **settings: Any) -> None:
        await self.do(ChangeSite(site_id=self.seeded["site_id"], **settings))

    async def book(self, start: str, **about: Any) -> dict[str, Any]:
        """Book an appointment; return its summary."""
        about = {"name": "Nora Canary", "phone": PHONE} | about
        made = await self.do(
            Book(
                site_id=self.seeded["site_id"],
                service_id=self.seeded["service_ids"][0],
                provider_id=self.seeded["provider_ids"][0],
                local_start=start,
                **about,
            )
        )
        booked: dict[str, Any] = made["appointment"]
        return booked

    async def rows(self) -> list[Any]:
        async with self.database.read() as connection:
            return list(await connection.execute(select(notifications).order_by(notifications.c.id)))

    async def states(self) -> list[tuple[str, int, int, str]]:
        """Return the kind, the offset, the version of the subject and the state of each row."""
        return [(row.kind, row.ahead, row.subject_version, row.state) for row in await self.rows()]

    async def plans(self) -> list[int]:
        async with self.database.read() as connection:
            return list(await connection.scalars(select(message_plans.c.site_id)))


class Kept:
    """A channel that keeps its messages."""

    name = "kept"
    reaches: Reaches = "phone"
    honours_key = False

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def receipt_name(self, key: str) -> None:
        pass

    def circuit(self, to: str) -> None:
        pass

    async def send(self, message: Message) -> Accepted:
        self.messages.append(message)
        return Accepted()

    async def close(self) -> None:
        pass


@pytest.fixture
async def clinic(setup: Seeder, database: Database) -> Clinic:
    seeded = await setup.seed(points=1, tickets=0, displays=0, providers=1)
    made = Clinic(setup, database, seeded)
    await made.change(message_ways=("sms", "email"), quiet_from=0, quiet_until=0)
    return made


@pytest.fixture
def context(database: Database, vault: Vault) -> Context:
    return Context(database, vault, Everywhere(Kept()), "https://clinic.example")


def weekday(days: int) -> str:
    """Return the date of the first Wednesday that is at least so many days from now."""
    then = datetime.now(UTC) + timedelta(days=days)
    return (then + timedelta(days=(2 - then.weekday()) % 7)).date().isoformat()


def at(local: str) -> int:
    return instant_of(local, "UTC")


async def test_booking_plans_its_confirmation_and_reminders(clinic: Clinic) -> None:
    start = f"{weekday(20)}T12:00"
    booked = await clinic.book(start)
    assert await clinic.states() == [("booked", 0, 1, "due"), ("reminder", 24, 1, "due"), ("reminder", 72, 1, "due")]
    confirmation, day, days = await clinic.rows()
    assert {row.subject for row in (confirmation, day, days)} == {f"appointment:{booked['id']}"}
    assert {row.channel for row in (confirmation, day, days)} == {"sms"}
    for row, hours in ((day, 24), (days, 72)):
        assert at(start) - hours * HOUR <= row.due_at < at(start) - hours * HOUR + 10 * MINUTE
        assert row.due_at < row.not_after < at(start)
    assert days.not_after <= day.due_at


async def test_site_without_ways_plans_nothing(clinic: Clinic) -> None:
    await clinic.change(message_ways=())
    await clinic.book(f"{weekday(20)}T12:00")
    await clinic.setup.ticket(clinic.seeded["queue_ids"][0], phone=PHONE)
    await clinic.do(CallNext(point_id=clinic.seeded["point_ids"][0]))
    assert await clinic.rows() == []


async def test_way_is_the_first_for_which_the_patient_has_an_address(clinic: Clinic) -> None:
    await clinic.book(f"{weekday(20)}T12:00", phone=None, email="nora@example.org")
    assert {row.channel for row in await clinic.rows()} == {"email"}


async def test_refused_booking_plans_nothing(clinic: Clinic) -> None:
    start = f"{weekday(20)}T12:00"
    await clinic.book(start)
    before = await clinic.rows()
    with pytest.raises(SlotTaken):
        await clinic.book(start)
    assert await clinic.rows() == before


async def test_moved_appointment_withdraws_its_messages_and_plans_others(clinic: Clinic) -> None:
    booked = await clinic.book(f"{weekday(20)}T12:00")
    later = f"{weekday(27)}T09:00"
    await clinic.do(Reschedule(appointment_id=booked["id"], version=1, local_start=later))
    assert await clinic.states() == [
        ("booked", 0, 1, "withdrawn"),
        ("reminder", 24, 1, "withdrawn"),
        ("reminder", 72, 1, "withdrawn"),
        ("moved", 0, 2, "due"),
        ("reminder", 24, 2, "due"),
        ("reminder", 72, 2, "due"),
    ]
    day = (await clinic.rows())[4]
    assert 0 <= day.due_at - (at(later) - 24 * HOUR) < 10 * MINUTE


async def test_cancelled_appointment_is_told_once_and_reminds_nobody(clinic: Clinic, context: Context) -> None:
    booked = await clinic.book(f"{weekday(20)}T12:00")
    await clinic.do(CancelAppointment(appointment_id=booked["id"], version=1))
    assert {state for kind, _, _, state in await clinic.states() if kind != "cancelled"} == {"withdrawn"}
    sent = await sweep(clinic, context)
    assert len(sent) == 1
    assert "is cancelled" in sent[0].text


async def test_message_cancelled_a_second_before_it_is_due_is_never_given_to_the_channel(
    clinic: Clinic, context: Context
) -> None:
    booked = await clinic.book(f"{weekday(20)}T12:00")
    await make_due(clinic, in_=SECOND)
    await clinic.do(CancelAppointment(appointment_id=booked["id"], version=1))
    await make_due(clinic, in_=-SECOND)
    sent = await sweep(clinic, context)
    assert [each.subject.partition(" \u00b7 ")[0] for each in sent] == ["Your appointment is cancelled"]


async def make_due(clinic: Clinic, in_: int) -> None:
    """Give each open row a due time ``in_`` so many microseconds."""
    now = await clinic.database.now()
    due = update(notifications).where(notifications.c.state == "due").values(due_at=now + in_, not_after=now + HOUR)
    async with clinic.database.write() as connection:
        await connection.execute(due)


async def sweep(clinic: Clinic, context: Context) -> list[Message]:
    """Send the rows whose time has come; return the messages."""
    kept = Kept()
    await Sweep(Context(context.database, context.vault, Everywhere(kept), context.public_url), USUAL).run()
    return kept.messages


async def test_corrected_number_is_in_the_message(clinic: Clinic, context: Context) -> None:
    booked = await clinic.book(f"{weekday(20)}T12:00")
    await clinic.do(AmendAppointment(appointment_id=booked["id"], phone="+49 170 0000002"))
    await make_due(clinic, in_=0)
    assert {each.to for each in await sweep(clinic, context)} == {"+491700000002"}


async def test_address_that_comes_later_gets_the_reminders(clinic: Clinic, context: Context) -> None:
    booked = await clinic.book(f"{weekday(20)}T12:00", phone=None)
    await clinic.do(AmendAppointment(appointment_id=booked["id"], phone=PHONE))
    await make_due(clinic, in_=0)
    assert len(await sweep(clinic, context)) == 3


async def test_freed_time_is_offered_by_a_message(clinic: Clinic, context: Context) -> None:
    early, late = f"{weekday(20)}T12:00", f"{weekday(27)}T12:00"
    first = await clinic.book(early)
    asking = await clinic.book(late, phone="+49 170 0000003")
    await clinic.do(WantEarlier(appointment_id=asking["id"], wants=True))
    await sweep(clinic, context)
    await clinic.do(CancelAppointment(appointment_id=first["id"], version=1))
    [offer] = [each for each in await sweep(clinic, context) if each.subject.startswith("An earlier time")]
    assert offer.to == "+491700000003"
    assert "12:00" in offer.text


async def test_call_is_told_at_once_and_a_missed_call_after_the_time_for_an_undo(clinic: Clinic) -> None:
    await clinic.setup.ticket(clinic.seeded["queue_ids"][0], phone=PHONE)
    point_id = clinic.seeded["point_ids"][0]
    called = await clinic.do(CallNext(point_id=point_id))
    assert await clinic.states() == [("almost-your-turn", 2, 0, "due"), ("called", 0, 1, "due")]
    await clinic.do(NoShow(entry_id=called["entry"]["id"]))
    row = (await clinic.rows())[-1]
    now = await clinic.database.now()
    assert (row.kind, row.state) == ("no-show", "due")
    assert 0 < row.due_at - now <= MINUTE


async def test_patient_without_an_address_has_no_row_at_a_call(clinic: Clinic) -> None:
    await clinic.setup.ticket(clinic.seeded["queue_ids"][0])
    await clinic.do(CallNext(point_id=clinic.seeded["point_ids"][0]))
    assert await clinic.rows() == []


async def test_repeated_call_is_another_message(clinic: Clinic) -> None:
    await clinic.setup.ticket(clinic.seeded["queue_ids"][0], phone=PHONE)
    point_id = clinic.seeded["point_ids"][0]
    called = await clinic.do(CallNext(point_id=point_id))
    await clinic.do(Undo(entry_id=called["entry"]["id"]))
    await clinic.do(Call(entry_id=called["entry"]["id"], point_id=point_id))
    assert [version for kind, _, version, _ in await clinic.states() if kind == "called"] in ([1, 2], [1])


# Other settings of the site


async def test_other_reminders_replace_those_of_every_future_appointment(clinic: Clinic, context: Context) -> None:
    await clinic.change(reminders=(24,))
    for hour in ("09", "10", "11"):
        await clinic.book(f"{weekday(20)}T{hour}:00", phone=f"+49 170 00000{hour}")
    await clinic.change(reminders=(48,))
    assert await clinic.plans() == [clinic.seeded["site_id"]]
    assert await plan_again(context, at_once=2) == 3
    assert await clinic.plans() == []
    found = [(ahead, state) for kind, ahead, _, state in await clinic.states() if kind == "reminder"]
    assert sorted(found) == [(24, "withdrawn")] * 3 + [(48, "due")] * 3
    assert await plan_again(context) == 0


async def test_reminder_that_comes_back_is_the_same_row(clinic: Clinic, context: Context) -> None:
    await clinic.change(reminders=(24,))
    await clinic.book(f"{weekday(20)}T12:00")
    for reminders in ((48,), (24,)):
        await clinic.change(reminders=reminders)
        await plan_again(context)
    assert sorted(await clinic.states()) == [
        ("booked", 0, 1, "due"),
        ("reminder", 24, 1, "due"),
        ("reminder", 48, 1, "withdrawn"),
    ]


async def test_quiet_hours_move_the_open_reminders(clinic: Clinic, context: Context) -> None:
    start = f"{weekday(20)}T09:30"
    await clinic.change(reminders=(2,))
    await clinic.book(start)
    await clinic.change(quiet_from=21 * 60, quiet_until=8 * 60)
    await plan_again(context)
    (reminder,) = [row for row in await clinic.rows() if row.kind == "reminder"]
    assert at(start.replace("09:30", "08:00")) <= reminder.due_at < at(start.replace("09:30", "08:10"))


async def test_site_that_ends_its_messages_withdraws_the_reminders(clinic: Clinic, context: Context) -> None:
    await clinic.book(f"{weekday(20)}T12:00")
    await clinic.change(message_ways=())
    await plan_again(context)
    assert {state for *_, state in await clinic.states()} == {"withdrawn"}


async def test_way_that_ends_is_replaced_by_another(clinic: Clinic, context: Context) -> None:
    await clinic.book(f"{weekday(20)}T12:00", email="nora@example.org")
    await clinic.change(message_ways=("email",))
    await plan_again(context)
    found = [(row.channel, row.state) for row in await clinic.rows() if row.kind == "reminder"]
    assert sorted(found) == [("email", "due")] * 2 + [("sms", "withdrawn")] * 2


async def test_ways_that_begin_plan_the_reminders_of_known_appointments(clinic: Clinic, context: Context) -> None:
    await clinic.change(message_ways=())
    await clinic.book(f"{weekday(20)}T12:00")
    await clinic.change(message_ways=("sms",))
    await plan_again(context)
    assert await clinic.states() == [("reminder", 24, 1, "due"), ("reminder", 72, 1, "due")]


async def test_another_zone_moves_the_reminders_of_the_same_wall_clock(clinic: Clinic, context: Context) -> None:
    start = f"{weekday(20)}T12:00"
    await clinic.change(reminders=(24,))
    await clinic.book(start)
    await clinic.change(time_zone="America/New_York")
    await clinic.do(Rezone(site_id=clinic.seeded["site_id"]))
    await plan_again(context)
    (reminder,) = [row for row in await clinic.rows() if (row.kind, row.state) == ("reminder", "due")]
    day_before = (date.fromisoformat(start[:10]) - timedelta(days=1)).isoformat()
    assert 0 <= reminder.due_at - instant_of(f"{day_before}T12:00", "America/New_York") < 10 * MINUTE


async def test_settings_that_change_again_meanwhile_are_planned_from_the_start(clinic: Clinic, context: Context) -> None:
    for hour in ("09", "10"):
        await clinic.book(f"{weekday(20)}T{hour}:00", phone=f"+49 170 00000{hour}")
    await clinic.change(reminders=(48,))
    async with clinic.database.read() as connection:
        (plan,) = await planned_messages.plans(connection)
    await clinic.change(reminders=(36,))
    now = await clinic.database.now()
    async with clinic.database.write() as connection:
        await connection.run_sync(planned_messages.plan_again, plan, context.vault, now, 1)
    assert await plan_again(context) == 2
    found = {(ahead, state) for kind, ahead, _, state in await clinic.states() if kind == "reminder"}
    assert {ahead for ahead, state in found if state == "due"} == {36}


# The delay of a site


async def delays(clinic: Clinic) -> list[tuple[int | None, str]]:
    """Return the minutes and the state of each message about a delay."""
    return [(row.minutes, row.state) for row in await clinic.rows() if row.kind == "running-late"]


async def announce(clinic: Clinic, minutes: int) -> dict[str, Any]:
    answer = await clinic.do(AnnounceDelay(site_id=clinic.seeded["site_id"], minutes=minutes))
    event: dict[str, Any] = answer["events"][-1]
    return event


async def test_delay_is_told_with_its_minutes_to_patients_with_an_address(clinic: Clinic, context: Context) -> None:
    await clinic.setup.ticket(clinic.seeded["queue_ids"][0], phone=PHONE)
    await clinic.setup.ticket(clinic.seeded["queue_ids"][0])
    event = await announce(clinic, 35)
    assert (event["reached"], event["without_address"]) == (1, 1)
    assert await delays(clinic) == [(35, "due")]
    assert not any("late" in each.text for each in await sweep(clinic, context)), "an undo can still come"
    await make_due(clinic, in_=0)
    [late] = await sweep(clinic, context)
    assert "35 minutes late" in late.text
    assert late.to == "+491700000001"


async def test_later_announcement_replaces_the_messages_that_have_not_gone_out(clinic: Clinic, context: Context) -> None:
    await clinic.setup.ticket(clinic.seeded["queue_ids"][0], phone=PHONE)
    await announce(clinic, 20)
    await announce(clinic, 40)
    assert await delays(clinic) == [(20, "withdrawn"), (40, "due")]
    await make_due(clinic, in_=0)
    await sweep(clinic, context)
    await announce(clinic, 20)
    assert await delays(clinic) == [(20, "withdrawn"), (40, "sent"), (20, "due")]


async def test_undone_announcement_withdraws_all_its_messages_and_no_others(clinic: Clinic, context: Context) -> None:
    for _ in range(3):
        await clinic.setup.ticket(clinic.seeded["queue_ids"][0], phone=PHONE)
    await clinic.book(f"{weekday(20)}T12:00")
    before = await clinic.states()
    await announce(clinic, 20)
    await clinic.do(WithdrawDelay(site_id=clinic.seeded["site_id"]))
    assert await delays(clinic) == [(20, "withdrawn")] * 3
    assert (await clinic.states())[: len(before)] == before
    await make_due(clinic, in_=0)
    assert not any("late" in each.text for each in await sweep(clinic, context))


async def test_called_patient_gets_no_message_about_the_delay(clinic: Clinic, context: Context) -> None:
    await clinic.setup.ticket(clinic.seeded["queue_ids"][0], phone=PHONE)
    await announce(clinic, 20)
    await clinic.do(CallNext(point_id=clinic.seeded["point_ids"][0]))
    await make_due(clinic, in_=0)
    await sweep(clinic, context)
    assert await delays(clinic) == [(20, "withdrawn")]


async def test_other_quiet_hours_leave_the_messages_about_a_delay(clinic: Clinic, context: Context) -> None:
    await clinic.setup.ticket(clinic.seeded["queue_ids"][0], phone=PHONE)
    await announce(clinic, 20)
    [before] = [row.due_at for row in await clinic.rows() if row.kind == "running-late"]
    await clinic.change(quiet_from=0, quiet_until=1439)
    await plan_again(context)
    assert [row.due_at for row in await clinic.rows() if row.kind == "running-late"] == [before]
