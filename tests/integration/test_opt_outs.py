"""Opt-outs: from each source, for each way, and kept when everything else about the patient is gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select, update

from server.audit import Audit
from server.domain.commands import AmendAppointment, Book, CallNext, ChangeSite
from server.domain.errors import AddressNotFound, MessageUnwanted
from server.domain.messages import Way
from server.notifying.channels.channel import Accepted, ChannelRefused, Message, Reaches
from server.notifying.channels.smtp import SmtpChannel
from server.notifying.contacts import Contacts
from server.notifying.context import Context
from server.notifying.repeats import Repeats
from server.notifying.set_up import ChannelSetUp
from server.notifying.sweep import Sweep
from server.queries import contacts as queries
from server.queries import sent_messages
from server.queries.contacts import Contact
from server.queries.sent_messages import Filters
from server.seeding import Seed, Seeder
from server.store import notifications as rows
from server.store import opt_outs as store
from server.store.database import Database
from server.store.opt_outs import hashed
from server.store.tables import appointments, audit, notifications, opt_outs, sites
from server.vault import Vault
from tests.integration.test_sent_messages import noon
from tests.support.message_provider import Everywhere
from tests.support.providers import MailServer
from tests.support.refusals import refused
from tests.support.server import environment, seed, serving

PHONE, MAIL = "+49 170 0000067", "nora@example.org"
DIGITS = "491700000067"
ACTOR = "staff:1"
FORM = "application/x-www-form-urlencoded"


class Recorded:
    """A channel that keeps its messages, unless ``before`` raises."""

    name = "recorded"
    reaches: Reaches = "phone"
    honours_key = False

    def __init__(self, before: Callable[[Message], None] = lambda _: None) -> None:
        self.sent: list[Message] = []
        self._before = before

    def receipt_name(self, key: str) -> None:
        pass

    def circuit(self, to: str) -> None:
        pass

    async def send(self, message: Message) -> Accepted:
        self._before(message)
        self.sent.append(message)
        return Accepted()

    async def close(self) -> None:
        pass


class Clinic:
    """A site that sends messages by SMS, else by e-mail."""

    def __init__(self, setup: Seeder, database: Database, vault: Vault, seeded: Seed, kept: Audit) -> None:
        self.do, self.setup, self.database, self.vault, self.seeded = setup.do, setup, database, vault, seeded
        self.contacts = Contacts(database, vault, kept)
        self.channel = Recorded()

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

    async def contact(self, appointment_id: int) -> Contact:
        found = await queries.of_appointment(self.database, appointment_id)
        assert found is not None
        return found

    async def set(self, appointment_id: int, way: Way, opted_out: bool, by: str = ACTOR) -> None:
        source: Any = "staff" if by.startswith("staff") else "patient"
        await self.contacts.set(await self.contact(appointment_id), way, opted_out, source, actor=by)

    async def sweep(self) -> dict[str, int]:
        sweep = Sweep(Context(self.database, self.vault, Everywhere(self.channel), "https://clinic.example"))
        await sweep.run()
        return {state: count for state, count in sweep.done.items() if count}

    async def rows(self, kind: str = "booked") -> list[tuple[str, str, str | None]]:
        """Return the way, the state and the reason of each message of a kind."""
        table = notifications.c
        wanted = select(table.channel, table.state, table.reason).where(table.kind == kind).order_by(table.id)
        async with self.database.read() as connection:
            return [(row.channel, row.state, row.reason) for row in await connection.execute(wanted)]

    async def kept(self) -> list[tuple[str, str]]:
        """Return the way and the source of each opt-out."""
        async with self.database.read() as connection:
            found = await connection.execute(select(opt_outs.c.way, opt_outs.c.source).order_by(opt_outs.c.way))
            return [(row.way, row.source) for row in found]

    async def organisation_id(self) -> int:
        of_site = select(sites.c.organisation_id).where(sites.c.id == self.seeded["site_id"])
        async with self.database.read() as connection:
            return int(await connection.scalar(of_site) or 0)


@pytest.fixture
async def clinic(setup: Seeder, database: Database, vault: Vault, kept: Audit) -> Clinic:
    seeded = await setup.seed(points=1, tickets=0, displays=0, providers=1)
    ways = ChangeSite(site_id=seeded["site_id"], message_ways=("sms", "email"), quiet_from=0, quiet_until=0)
    await setup.do(ways)
    return Clinic(setup, database, vault, seeded, kept)


async def test_opted_out_number_gets_nothing(clinic: Clinic) -> None:
    appointment_id = await clinic.book()
    await clinic.set(appointment_id, "sms", True)
    assert await clinic.sweep() == {"not begun": 1}
    assert (await clinic.rows(), clinic.channel.sent) == ([("sms", "suppressed", "opted-out")], [])


async def test_opt_out_one_moment_before_the_sending_counts(clinic: Clinic) -> None:
    appointment_id = await clinic.book()
    now = await clinic.database.now()
    async with clinic.database.write() as connection:
        (claimed,) = await rows.claim(connection, "worker", now, 0, 10)
    address = hashed(clinic.vault, await clinic.organisation_id(), "sms", PHONE)
    await clinic.set(appointment_id, "sms", True)
    async with clinic.database.write() as connection:
        assert await rows.begin(connection, "worker", [rows.Begun(claimed.id, address)], now) == (set(), {claimed.id})


async def test_only_the_opted_out_one_of_several_is_suppressed(clinic: Clinic) -> None:
    first = await clinic.book()
    await clinic.book(40, phone="+49 170 0000068")
    await clinic.set(first, "sms", True)
    assert await clinic.sweep() == {"not begun": 1, "sent": 1}
    assert [each.to for each in clinic.channel.sent] == ["+491700000068"]


async def test_moved_on_subject_is_withdrawn_whether_opted_out_or_not(clinic: Clinic) -> None:
    appointment_id = await clinic.book()
    await clinic.set(appointment_id, "sms", True)
    async with clinic.database.write() as connection:
        await connection.execute(update(appointments).values(state="no_show"))
    await clinic.sweep()
    assert await clinic.rows() == [("sms", "withdrawn", None)]


async def test_message_goes_out_on_the_next_way(clinic: Clinic) -> None:
    appointment_id = await clinic.book(email=MAIL)
    await clinic.set(appointment_id, "sms", True)
    assert await clinic.sweep() == {"not begun": 1, "sent": 1}
    assert await clinic.rows() == [("sms", "suppressed", "opted-out"), ("email", "sent", None)]
    assert [each.to for each in clinic.channel.sent] == [MAIL]


async def test_nothing_goes_out_if_no_way_is_left(clinic: Clinic) -> None:
    appointment_id = await clinic.book(email=MAIL)
    await clinic.set(appointment_id, "sms", True)
    await clinic.set(appointment_id, "email", True)
    assert await clinic.sweep() == {"not begun": 2}
    assert await clinic.rows() == [("sms", "suppressed", "opted-out"), ("email", "suppressed", "opted-out")]


async def test_undone_opt_out_lets_messages_through(clinic: Clinic, database: Database, kept: Audit) -> None:
    appointment_id = await clinic.book()
    for _ in range(2):
        await clinic.set(appointment_id, "sms", True, by=f"appointment:{appointment_id}")
    for _ in range(2):
        await clinic.set(appointment_id, "sms", False)
    assert await clinic.sweep() == {"sent": 1}
    await kept.stop()
    async with database.read() as connection:
        noted = await connection.execute(select(audit).where(audit.c.action == "change-contact").order_by(audit.c.n))
        assert [(row.actor, row.subject, row.detail) for row in noted] == [
            (f"appointment:{appointment_id}", f"appointment:{appointment_id}", "sms off"),
            (ACTOR, f"appointment:{appointment_id}", "sms on"),
        ]


async def test_opt_out_of_a_call_holds_for_the_visit(clinic: Clinic) -> None:
    appointment_id = await clinic.book()
    await clinic.set(appointment_id, "sms", True)
    await clinic.setup.ticket(clinic.seeded["queue_ids"][0], phone="+49 170 0000067;ext=3")
    await clinic.do(CallNext(point_id=clinic.seeded["point_ids"][0]))
    await clinic.sweep()
    assert await clinic.rows("called") == [("sms", "suppressed", "opted-out")]


async def test_opt_out_outlives_the_records_and_holds_for_new_ones(clinic: Clinic) -> None:
    """As after retention, erasure, or another import of the same number."""
    appointment_id = await clinic.book()
    await clinic.set(appointment_id, "sms", True)
    async with clinic.database.write() as connection:
        for table in (notifications, appointments):
            await connection.execute(delete(table))
    again = await clinic.book(40, name="Nora Canary-Again")
    assert [(each.recipient, each.opted_out) for each in await clinic.contacts.ways_to(await clinic.contact(again))] == [
        ("…67", True),
        (None, False),
    ]
    await clinic.sweep()
    assert (await clinic.rows(), clinic.channel.sent) == ([("sms", "suppressed", "opted-out")], [])


async def test_opt_out_holds_for_the_number_not_for_the_patient(clinic: Clinic) -> None:
    appointment_id = await clinic.book()
    await clinic.set(appointment_id, "sms", True)
    await clinic.do(AmendAppointment(appointment_id=appointment_id, phone="+49 170 0000068"))
    assert await clinic.sweep() == {"sent": 1}


async def test_opt_out_holds_for_one_organisation(clinic: Clinic, setup: Seeder) -> None:
    await clinic.set(await clinic.book(), "sms", True)
    await clinic.sweep()
    clinic.seeded = await setup.seed(points=1, tickets=0, displays=0, providers=1)
    await setup.do(ChangeSite(site_id=clinic.seeded["site_id"], message_ways=("sms",), quiet_from=0, quiet_until=0))
    await clinic.book()
    assert await clinic.sweep() == {"sent": 1}


@pytest.mark.parametrize("way", ["push", "chat", "email"])
async def test_way_without_an_address_or_use_is_refused(clinic: Clinic, way: Any) -> None:
    with pytest.raises(AddressNotFound):
        await clinic.set(await clinic.book(), way, True)


async def test_no_address_is_stored(clinic: Clinic) -> None:
    appointment_id = await clinic.book(email=MAIL)
    await clinic.set(appointment_id, "sms", True)
    await clinic.set(appointment_id, "email", True)
    async with clinic.database.read() as connection:
        stored = str([tuple(row) for row in await connection.execute(select(opt_outs))])
    assert not any(each in stored for each in ("0000067", "nora", "example"))


# A provider's refusal, and replies


async def test_provider_that_knows_an_opt_out_stops_all_later_messages(clinic: Clinic) -> None:
    def refuse(message: Message) -> None:
        if message.to.startswith("+"):
            raise ChannelRefused("unsubscribed", gone=True)

    clinic.channel = Recorded(refuse)
    await clinic.book(email=MAIL)
    assert await clinic.sweep() == {"failed": 1, "sent": 1}
    assert await clinic.rows() == [("sms", "failed", "unsubscribed"), ("email", "sent", None)]
    assert await clinic.kept() == [("sms", "provider")]
    await clinic.book(40)
    assert await clinic.sweep() == {"not begun": 1}


@pytest.fixture
async def receipts(clinic: Clinic, kept: Audit) -> tuple[ChannelSetUp, str]:
    """A channel of SMSAPI, and the secret of the address for its reports."""
    made = ChannelSetUp(clinic.database, clinic.vault, kept, "https://clinic.example")
    settings = {"token": "t", "sender": "Clinic", "address": "http://127.0.0.1:1"}
    shown = await made.put(await clinic.organisation_id(), "sms", "smsapi", settings, actor=ACTOR)
    assert shown.reports_to is not None
    return made, shown.reports_to.removeprefix("https://clinic.example/api/v1/receipts/")


@pytest.mark.parametrize("text", ["STOP", " stop.", "Arrêt", "ARRET", "baja", "Alto!", "Unsubscribe", "توقف"])
async def test_reply_stops_the_messages_to_its_number(clinic: Clinic, receipts: tuple[ChannelSetUp, str], text: str) -> None:
    set_up, secret = receipts
    await clinic.book()
    await set_up.receive(secret, "smsapi", {"sms_from": DIGITS, "sms_to": "48500", "sms_text": text, "MsgId": "1"})
    assert await clinic.kept() == [("sms", "reply")]
    assert await clinic.sweep() == {"not begun": 1}
    await set_up.receive(secret, "smsapi", {"sms_from": DIGITS, "sms_text": "Start"})
    assert await clinic.kept() == []


@pytest.mark.parametrize("text", ["Please do not stop", "stop it", "", "10:30"])
async def test_other_replies_change_nothing(clinic: Clinic, receipts: tuple[ChannelSetUp, str], text: str) -> None:
    set_up, secret = receipts
    await set_up.receive(secret, "smsapi", {"sms_from": DIGITS, "sms_text": text})
    assert await clinic.kept() == []


async def test_reply_comes_through_the_other_provider(clinic: Clinic, kept: Audit) -> None:
    set_up = ChannelSetUp(clinic.database, clinic.vault, kept, "https://clinic.example")
    settings = {"api_key": "k", "sender": "Clinic", "address": "http://127.0.0.1:1", "idempotent": True}
    shown = await set_up.put(await clinic.organisation_id(), "sms", "infobip", settings, actor=ACTOR)
    secret = (shown.reports_to or "").rpartition("/")[2]
    reply: dict[str, Any] = {"messageId": "1", "from": DIGITS, "to": "49170", "text": "STOP"}
    reply |= {"cleanText": "", "keyword": "STOP", "receivedAt": "2026-11-30T10:00:00.000+0000", "smsCount": 1}
    await set_up.receive(secret, "infobip", {"results": [reply], "messageCount": 1, "pendingMessageCount": 0})
    assert await clinic.kept() == [("sms", "reply")]
    report = {"messageId": "2", "to": DIGITS, "from": DIGITS, "text": "START", "status": {"id": 5, "groupId": 3}}
    await set_up.receive(secret, "infobip", {"results": [report]})
    assert await clinic.kept() == [("sms", "reply")], "a receipt is no reply"


# Sending again


async def test_message_to_an_opted_out_address_is_not_sent_again(clinic: Clinic, vault: Vault, kept: Audit) -> None:
    appointment_id = await clinic.book()
    async with clinic.database.write() as connection:
        await connection.execute(update(notifications).values(state="failed", reason="busy"))

    async def may_resend() -> set[bool]:
        found = await sent_messages.page(clinic.database, vault, clinic.seeded["site_id"], Filters(kind="booked"), 9, None)
        return {each.may_resend for each in found.rows}

    assert await may_resend() == {True}
    await clinic.set(appointment_id, "sms", True)
    assert await may_resend() == {False}
    async with clinic.database.read() as connection:
        wanted = select(notifications.c.id).where(notifications.c.kind == "booked")
        (message_id,) = (await connection.scalars(wanted)).all()
    organisation_id = await clinic.organisation_id()
    with pytest.raises(MessageUnwanted):
        await Repeats(clinic.database, vault, kept).send_again(organisation_id, message_id, actor=ACTOR)


async def test_first_source_of_an_opt_out_stays(clinic: Clinic) -> None:
    address = hashed(clinic.vault, 1, "email", "Nora@Example.org ")
    assert address == hashed(clinic.vault, 1, "email", MAIL)
    async with clinic.database.write() as connection:
        assert await store.add(connection, [address], "reply", 1) == 1
        assert await store.add(connection, [address], "staff", 2) == 0
        assert await store.sources(connection, [address]) == {address: "reply"}


# Over HTTP


def test_pages_staff_mails_and_replies_stop_messages_also_after_a_restart(database_url: str, tmp_path: Path) -> None:
    env = environment(database_url, NOWSERVING_PUBLIC_URL="https://clinic.example")
    seeded = seed(env, points=1, tickets=0, providers=1, displays=0)
    site_id = seeded["site_id"]
    with serving(env, tmp_path, name="first") as server:
        with server.client(server.sign_in(seeded, "admin")) as admin, server.client() as patient:

            def do(name: str, /, **body: Any) -> Any:
                answer = admin.post(f"/api/v1/commands/{name}", json=body)
                assert answer.status_code == 200, answer.text
                return answer.json()

            about = {"name": "Nora Canary", "phone": PHONE, "email": MAIL}
            booked = {"site_id": site_id, "service_id": seeded["service_ids"][0], "provider_id": seeded["provider_ids"][0]}
            made = do("book", **booked, **about, local_start=noon(20))
            issued = do("issue-ticket", queue_id=seeded["queue_ids"][0], **about)
            ticket, own = f"/api/v1/tickets/{issued['token']}", f"/api/v1/appointments/{made['token']}"
            entry = f"/api/v1/entries/{issued['entry']['id']}"
            appointment = f"/api/v1/sites/{site_id}/appointments/{made['appointment']['id']}"
            assert patient.get(f"{ticket}/contact").json() == {"ways": []}, "the clinic sends no messages"
            refused(patient.put(f"{ticket}/contact/sms", json={"opted_out": True}), 404, "address_not_found")
            do("change-site", site_id=site_id, message_ways=["email", "sms"])

            def seen(client: httpx.Client, path: str) -> dict[str, str | None]:
                answer = client.get(f"{path}/contact")
                assert answer.status_code == 200, answer.text
                assert [each["recipient"] for each in answer.json()["ways"]] == ["n…@example.org", "…67"]
                assert all(each["opted_out"] == (each["source"] is not None) for each in answer.json()["ways"])
                return {each["way"]: each["source"] for each in answer.json()["ways"]}

            def put(client: httpx.Client, path: str, way: str, opted_out: bool) -> None:
                answer = client.put(f"{path}/contact/{way}", json={"opted_out": opted_out})
                assert answer.status_code == 204, answer.text

            everywhere = ((patient, ticket), (patient, own), (admin, entry), (admin, appointment))
            for client, path in everywhere:
                put(client, path, "sms", True)
                source = "patient" if client is patient else "staff"
                assert {tuple(seen(*each).items()) for each in everywhere} == {(("email", None), ("sms", source))}
                put(client, path, "sms", False)
            for body in ({"opted_out": 1}, {}, {"opted_out": True, "x": 1}):
                refused(patient.put(f"{own}/contact/sms", json=body), 422, "invalid_body")

            click = f"/api/v1/unsubscribe/{made['token']}"
            opened = patient.get(click)
            assert (opened.status_code, opened.headers["location"]) == (303, f"/a/{made['token']}")
            assert seen(patient, own)["email"] is None, "a mail scanner opens every link"
            form = {"List-Unsubscribe": "One-Click"}
            assert patient.post(click, data=form).status_code == 204
            assert seen(admin, entry) == {"email": "patient", "sms": None}
            assert patient.get(f"/api/v1/unsubscribe/{issued['token']}").headers["location"] == f"/t/{issued['token']}"
            refused(patient.post("/api/v1/unsubscribe/a1-AAAAAAAAAAAAAAAAAAAAAA", data=form), 404, "ticket_not_found")

            settings = {"token": "t", "sender": "Clinic", "address": "http://127.0.0.1:1"}
            shown = admin.put("/api/v1/channels/sms/smsapi", json=settings).json()
            receipts = shown["reports_to"].removeprefix("https://clinic.example")
            reply = {"sms_from": DIGITS, "sms_to": "48500", "sms_text": "توقف", "sms_date": "1796000000", "MsgId": "1"}
            assert patient.post(receipts, data=reply).text == "OK"
            assert seen(patient, ticket)["sms"] == "reply"
            assert patient.get(receipts, params=reply | {"sms_text": "start"}).text == "OK"
            assert seen(patient, ticket)["sms"] is None
            patient.post(receipts, data=reply)
            refused(patient.post(receipts, content=b"%ff=%ff", headers={"Content-Type": FORM}), 400, "malformed_body")
            refused(patient.post(f"{receipts}x", data=reply), 404, "channel_not_found")
        log = server.log.read_text()
        assert not any(each in log for each in (DIGITS, MAIL, made["token"]))
    with serving(env, tmp_path, name="second") as server, server.client() as patient:
        ways = patient.get(f"{own}/contact").json()["ways"]
        assert {each["way"]: each["source"] for each in ways} == {"email": "patient", "sms": "reply"}


async def test_mail_has_an_address_to_unsubscribe_with_one_click() -> None:
    unsubscribe = f"https://{'long-' * 12}clinic.example/api/v1/unsubscribe/a7-0123456789012345678901"
    with MailServer() as server:
        plain: dict[str, Any] = {"host": "127.0.0.1", "port": server.port, "security": "none"}
        channel = SmtpChannel(**plain, sender="desk@clinic.example", sender_name="Clínica", secret="s")
        message = Message("a", MAIL, "es", "Su cita", "Mañana", 1, unsubscribe=unsubscribe)
        await channel.send(message)
        await channel.send(replace(message, unsubscribe=unsubscribe.replace("https", "http")))
        await channel.send(replace(message, unsubscribe=None))
    first, bare, none = server.accepted
    assert (first["List-Unsubscribe"], first["List-Unsubscribe-Post"]) == (f"<{unsubscribe}>", "List-Unsubscribe=One-Click")
    assert first["Content-Language"] == "es"
    assert bare["List-Unsubscribe-Post"] is None, "RFC 8058 wants an encrypted address"
    assert none["List-Unsubscribe"] is None
