"""Messages to patients' phones: subscribed on the page, encrypted for the browser, and opened by it."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event, func, select, update

from server.audit import Audit
from server.domain.commands import Book, CallNext, ChangeSite, CheckIn, Complete, IssueTicket, Start
from server.domain.errors import InvalidField, PushNotOffered
from server.domain.flags import DEFAULTS, Flag, Flags
from server.domain.model import local_time
from server.execute import Executor
from server.notifying.channels.channel import Accepted, Message
from server.notifying.channels.push import PushChannel, new_private_key
from server.notifying.context import Context
from server.notifying.reach import ByWay, Reach
from server.notifying.set_up import ChannelSetUp
from server.notifying.subscriptions import PushShown, Subscriptions
from server.notifying.sweep import USUAL, Sweep
from server.queries import sent_messages
from server.queries.sent_messages import Filters
from server.seeding import Seed, Seeder
from server.store import push_subscriptions as store
from server.store import sealed
from server.store.database import Database
from server.store.retention import DAY_MICROSECONDS, forget
from server.store.tables import notifications, push_subscriptions, sites
from server.transport.access import limits
from server.vault import Vault
from tests.support.appointments import noon_zone
from tests.support.certificate import certificate
from tests.support.processes import wait_until
from tests.support.providers import PushService, serving
from tests.support.refusals import refused
from tests.support.server import environment, seed
from tests.support.server import serving as serving_pages

HERE = ("127.0.0.1",)
PHONE = "+49 170 0000001"
LINKS = "https://clinic.example"
MINUTE = 60_000_000


class Texts:
    """The channels of SMS and e-mail: they keep their messages."""

    name = "texts"
    reaches = "phone"
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


@dataclass
class Clinic:
    """A site that sends messages to phones, else by SMS."""

    setup: Seeder
    database: Database
    vault: Vault
    seeded: Seed
    set_up: ChannelSetUp
    subscriptions: Subscriptions
    push: PushChannel
    texts: Texts
    flags: Flags = DEFAULTS

    async def do(self, command: Any) -> dict[str, Any]:
        return await self.setup.do(command)

    async def ticket(self, **about: Any) -> dict[str, Any]:
        """Issue a ticket; return its entry with the ``token``."""
        made = await self.do(IssueTicket(queue_id=self.seeded["queue_ids"][0], **about))
        entry: dict[str, Any] = made["entry"] | {"token": made["token"]}
        return entry

    async def book(self, in_minutes: int = 20, **about: Any) -> int:
        """Book an appointment; return its id."""
        then = (await self.database.now() // (5 * MINUTE) * 5 + in_minutes) * MINUTE
        start = local_time.local_of(then, noon_zone()[0]).local
        made = await self.do(
            Book(
                site_id=self.seeded["site_id"],
                service_id=self.seeded["service_ids"][0],
                provider_id=self.seeded["provider_ids"][0],
                local_start=start,
                name="Nora Canary",
                overbook="to be tried",
                anyway=True,
                **about,
            )
        )
        appointment_id: int = made["appointment"]["id"]
        return appointment_id

    async def subscribe(self, browser: PushService, kind: Any, subject_id: int, page: str = "/t/x") -> None:
        subscription = json.loads(browser.subscription())
        await self.subscriptions.put(kind, subject_id, subscription["endpoint"], subscription["keys"], page)

    async def call(self) -> int:
        """Call the next patient; return the entry."""
        called: int = (await self.do(CallNext(point_id=self.seeded["point_ids"][0])))["entry"]["id"]
        return called

    async def serve(self) -> None:
        """Call the next patient, and serve them."""
        entry_id = await self.call()
        await self.do(Start(entry_id=entry_id))
        await self.do(Complete(entry_id=entry_id))

    async def sweep(self) -> None:
        """Send the messages whose time has come."""
        await Sweep(Context(self.database, self.vault, self, LINKS, self.flags), USUAL).run()

    async def of(self, organisation_id: int, way: str) -> Any:
        return self.push if way == "push" else self.texts

    async def close(self) -> None:
        await self.push.close()

    async def rows(self) -> list[tuple[str, str, str]]:
        """Return the kind, the way and the state of each message."""
        columns = notifications.c.kind, notifications.c.channel, notifications.c.state
        async with self.database.read() as connection:
            found = await connection.execute(select(*columns).order_by(notifications.c.id))
            return [(row.kind, row.channel, row.state) for row in found]

    async def kept(self) -> int:
        """Return the number of subscriptions."""
        async with self.database.read() as connection:
            return await connection.scalar(select(func.count()).select_from(push_subscriptions)) or 0


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The contexts of a server on the loopback address and of a client that trusts it."""
    public, private = certificate(tmp_path_factory.mktemp("tls"))
    serving_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving_tls.load_cert_chain(public, private)
    return serving_tls, ssl.create_default_context(cafile=str(public))


@pytest.fixture
async def browser(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> AsyncIterator[PushService]:
    browser = PushService()
    async with serving(browser.http, tls[0]):
        yield browser


@pytest.fixture
async def other(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> AsyncIterator[PushService]:
    other = PushService()
    async with serving(other.http, tls[0]):
        yield other


@pytest.fixture
async def clinic(
    setup: Seeder, database: Database, vault: Vault, kept: Audit, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> AsyncIterator[Clinic]:
    seeded = await setup.seed(points=1, tickets=0, displays=0, providers=1, time_zone=noon_zone()[0])
    ways = ChangeSite(site_id=seeded["site_id"], message_ways=("push", "sms"), quiet_from=0, quiet_until=0)
    await setup.do(ways)
    set_up = ChannelSetUp(database, vault, kept, None)
    async with database.read() as connection:
        organisation_id = await connection.scalar(select(sites.c.organisation_id))
    assert organisation_id is not None
    await set_up.put(organisation_id, "push", "push", {"contact": "it@clinic.example"}, actor="staff:1")
    channel = PushChannel(
        private_key=new_private_key(), contact="it@clinic.example", secret="s", now=database.clock.now, services=HERE,
        limit_seconds=60.0, tls=tls[1],
    )  # fmt: skip
    made = Clinic(setup, database, vault, seeded, set_up, Subscriptions(database, vault, HERE), channel, Texts())
    yield made
    await channel.close()


async def test_called_patient_gets_the_label_on_the_subscribed_phone(clinic: Clinic, browser: PushService) -> None:
    for _ in range(3):
        await clinic.ticket()
    mine = await clinic.ticket()
    await clinic.subscribe(browser, "ticket", mine["visit_id"], f"/t/{mine['token']}")
    assert await clinic.rows() == []
    for _ in range(3):
        await clinic.serve()
    await clinic.call()
    await clinic.sweep()
    assert [each["kind"] for each in browser.accepted] == ["called"], "almost-your-turn was over before it went out"
    assert mine["label"] in browser.accepted[-1]["body"]
    assert browser.accepted[-1]["url"] == f"{LINKS}/t/{mine['token']}"
    assert await clinic.rows() == [("almost-your-turn", "push", "withdrawn"), ("called", "push", "sent")]


async def test_patient_who_is_almost_there_gets_the_message_once(clinic: Clinic, browser: PushService) -> None:
    await clinic.ticket()
    mine = await clinic.ticket()
    for _ in range(2):
        await clinic.subscribe(browser, "ticket", mine["visit_id"])
    another_process = Executor(clinic.database, clinic.vault, publish=lambda *_: None)
    await another_process.execute(IssueTicket(queue_id=clinic.seeded["queue_ids"][0]), actor="staff:1", command_id="x")
    await clinic.sweep()
    assert [each["kind"] for each in browser.accepted] == ["almost-your-turn"]


async def test_called_patient_who_subscribes_is_told_of_this_call(clinic: Clinic, browser: PushService) -> None:
    mine = await clinic.ticket()
    await clinic.call()
    await clinic.subscribe(browser, "ticket", mine["visit_id"])
    await clinic.sweep()
    assert [each["kind"] for each in browser.accepted] == ["called"]


async def test_call_at_the_moment_of_the_subscription_is_told_once(clinic: Clinic, browser: PushService) -> None:
    for number in range(1, 11):
        mine = await clinic.ticket()
        both = [clinic.call(), clinic.subscribe(browser, "ticket", mine["visit_id"])]
        await asyncio.gather(*(both if number % 2 else reversed(both)))
        assert [kind for kind, _, _ in await clinic.rows()].count("called") == number
        await clinic.do(Start(entry_id=mine["id"]))
        await clinic.do(Complete(entry_id=mine["id"]))


async def test_message_that_went_by_sms_does_not_come_again_on_the_phone(clinic: Clinic, browser: PushService) -> None:
    mine = await clinic.ticket(phone=PHONE)
    assert await clinic.rows() == [("almost-your-turn", "sms", "due")]
    await clinic.subscribe(browser, "ticket", mine["visit_id"])
    another_process = Executor(clinic.database, clinic.vault, publish=lambda *_: None)
    await another_process.execute(IssueTicket(queue_id=clinic.seeded["queue_ids"][0]), actor="staff:1", command_id="x")
    await clinic.call()
    await clinic.sweep()
    assert [row for row in await clinic.rows() if row[0] == "called"] == [("called", "push", "sent")]
    assert [each["kind"] for each in browser.accepted] == ["called"]


async def test_newer_phone_replaces_the_former(clinic: Clinic, browser: PushService, other: PushService) -> None:
    mine = await clinic.ticket()
    await clinic.subscribe(browser, "ticket", mine["visit_id"])
    await clinic.subscribe(other, "ticket", mine["visit_id"])
    assert await clinic.kept() == 1
    await clinic.call()
    await clinic.sweep()
    assert (len(browser.accepted), len(other.accepted)) == (0, 1)


@pytest.mark.parametrize("phone", [PHONE, None])
async def test_ended_subscription_is_deleted_and_the_message_goes_by_sms(
    clinic: Clinic, browser: PushService, phone: str | None
) -> None:
    mine = await clinic.ticket(phone=phone)
    await clinic.subscribe(browser, "ticket", mine["visit_id"])
    await clinic.call()
    browser.http.mood = 410
    await clinic.sweep()
    assert await clinic.kept() == 0
    called = [row for row in await clinic.rows() if row[0] == "called"]
    by_sms = [("called", "sms", "sent")] if phone else []
    assert called == [("called", "push", "failed"), *by_sms]
    assert [each.to for each in clinic.texts.messages] == ["+491700000001"] * len(by_sms)


async def test_newer_subscription_stays_when_the_former_has_ended(
    clinic: Clinic, browser: PushService, other: PushService
) -> None:
    mine = await clinic.ticket()
    await clinic.subscribe(browser, "ticket", mine["visit_id"])
    async with clinic.database.read() as connection:
        created_at = await connection.scalar(select(push_subscriptions.c.created_at))
    await clinic.subscribe(other, "ticket", mine["visit_id"])
    async with clinic.database.write() as connection:
        assert not await store.remove(connection, mine["visit_id"], created_at)
    assert await clinic.kept() == 1


async def test_phone_of_an_appointment_rings_for_its_ticket(clinic: Clinic, browser: PushService) -> None:
    appointment_id = await clinic.book()
    await clinic.subscribe(browser, "appointment", appointment_id, "/a/a1-x")
    checked_in = await clinic.do(CheckIn(appointment_id=appointment_id))
    await clinic.call()
    await clinic.sweep()
    assert [each["kind"] for each in browser.accepted] == ["called"], "the appointment has moved on"
    assert browser.accepted[-1]["url"] == f"{LINKS}/a/a1-x"
    visit_id = checked_in["entry"]["visit_id"]
    assert (await clinic.subscriptions.look("ticket", visit_id)).subscribed
    await clinic.subscriptions.remove("ticket", visit_id)
    assert not (await clinic.subscriptions.look("appointment", appointment_id)).subscribed


async def test_message_without_an_address_goes_to_the_phone_that_subscribes_later(
    clinic: Clinic, browser: PushService
) -> None:
    await clinic.do(ChangeSite(site_id=clinic.seeded["site_id"], message_ways=("sms", "push")))
    appointment_id = await clinic.book(in_minutes=3 * 24 * 60)
    assert {way for _, way, _ in await clinic.rows()} == {"sms"}
    await clinic.subscribe(browser, "appointment", appointment_id)
    await clinic.sweep()
    assert [each["kind"] for each in browser.accepted] == ["booked"]
    assert ("booked", "push", "sent") in await clinic.rows()


async def test_message_to_a_phone_that_unsubscribed_goes_by_sms(clinic: Clinic, browser: PushService) -> None:
    mine = await clinic.ticket(phone=PHONE)
    await clinic.subscribe(browser, "ticket", mine["visit_id"])
    await clinic.call()
    await clinic.subscriptions.remove("ticket", mine["visit_id"])
    await clinic.sweep()
    assert browser.http.requests == []
    assert [row for row in await clinic.rows() if row[0] == "called"] == [("called", "sms", "sent")]


class OffHere:
    """Flags that are off at one site, and on at every other one."""

    def __init__(self, site_id: int) -> None:
        self.site_id = site_id

    def is_on(self, flag: Flag, site_id: int) -> bool:
        return site_id != self.site_id


def switched_off(clinic: Clinic, site_id: int) -> Clinic:
    """Return the clinic with messages to phones switched off at a site."""
    flags = OffHere(site_id)
    return replace(clinic, flags=flags, subscriptions=replace(clinic.subscriptions, _flags=flags))


@pytest.mark.parametrize("phone", [PHONE, None])
async def test_message_goes_by_sms_where_push_is_switched_off(
    clinic: Clinic, browser: PushService, phone: str | None
) -> None:
    mine = await clinic.ticket(phone=phone)
    await clinic.subscribe(browser, "ticket", mine["visit_id"])
    await clinic.call()
    assert ("called", "push", "due") in await clinic.rows()
    await switched_off(clinic, clinic.seeded["site_id"]).sweep()
    assert browser.http.requests == []
    assert [row for row in await clinic.rows() if row[0] == "called"] == [
        ("called", "sms", "sent") if phone else ("called", "push", "suppressed")
    ]
    assert await clinic.kept() == 1, "the phone rings again when the flag is on again"


async def test_phone_is_offered_nothing_where_push_is_switched_off(clinic: Clinic, browser: PushService) -> None:
    mine = await clinic.ticket()
    await clinic.subscribe(browser, "ticket", mine["visit_id"])
    off = switched_off(clinic, clinic.seeded["site_id"])
    assert await off.subscriptions.look("ticket", mine["visit_id"]) == PushShown(None, False)
    with pytest.raises(PushNotOffered):
        await off.subscribe(browser, "ticket", mine["visit_id"])
    await off.subscriptions.remove("ticket", mine["visit_id"])
    assert await clinic.kept() == 0, "a patient can always end the subscription"


async def test_switch_at_another_site_changes_nothing(clinic: Clinic, browser: PushService) -> None:
    elsewhere = switched_off(clinic, clinic.seeded["site_id"] + 1)
    mine = await elsewhere.ticket(phone=PHONE)
    await elsewhere.subscribe(browser, "ticket", mine["visit_id"])
    await elsewhere.call()
    await elsewhere.sweep()
    assert [each["kind"] for each in browser.accepted] == ["called"]


async def test_look_ahead_counts_no_phone_where_push_is_switched_off(clinic: Clinic, browser: PushService) -> None:
    appointment_id = await clinic.book(in_minutes=3 * 24 * 60)
    await clinic.subscribe(browser, "appointment", appointment_id, "/a/x")
    site_id = clinic.seeded["site_id"]
    for flags, ways in ((DEFAULTS, (ByWay("push", 1, 0),)), (OffHere(site_id), ())):
        reach = Reach(clinic.database, clinic.vault, clinic, LINKS, flags)
        found = await reach.of(site_id, "moved", [appointment_id], personal=False)
        assert found.ways == ways
        assert [each.reason for each in found.phone] == ([] if ways else ["no-address"])


async def test_staff_see_the_push_service_and_no_address(clinic: Clinic, browser: PushService) -> None:
    mine = await clinic.ticket()
    await clinic.subscribe(browser, "ticket", mine["visit_id"])
    page = await sent_messages.page(clinic.database, clinic.vault, clinic.seeded["site_id"], Filters(), 50, None)
    assert [each.recipient for each in page.rows] == ["127.0.0.1"]


async def test_planning_costs_one_statement_more_where_phones_subscribe(clinic: Clinic) -> None:
    counts = {}
    await clinic.ticket(phone=PHONE)
    for ways in (("sms",), ("push", "sms")):
        await clinic.do(ChangeSite(site_id=clinic.seeded["site_id"], message_ways=ways))
        with counted(clinic.database) as statements:
            await clinic.ticket(phone=PHONE)
        counts[ways] = sum("push_subscriptions" in each for each in statements)
    assert list(counts.values()) == [0, 1]
    assert len(await clinic.rows()) == 3


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """Collect the statements that are sent until the end of the block."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def test_subscription_is_sealed_and_its_key_rotates(clinic: Clinic, browser: PushService) -> None:
    mine = await clinic.ticket()
    await clinic.subscribe(browser, "ticket", mine["visit_id"])
    (column,) = [each for each in sealed.SEALED if each.name == "push_subscriptions.sealed"]
    async with clinic.database.read() as connection:
        (row,) = await connection.execute(select(push_subscriptions))
    assert "127.0.0.1" not in str(tuple(row))
    opened = json.loads(clinic.vault.open(row.sealed, column.bound_to(row)))
    assert opened["endpoint"].startswith("https://127.0.0.1:")


async def test_removed_channel_ends_the_subscriptions_of_its_keys(clinic: Clinic, browser: PushService) -> None:
    mine = await clinic.ticket()
    await clinic.subscribe(browser, "ticket", mine["visit_id"])
    async with clinic.database.read() as connection:
        organisation_id = int(await connection.scalar(select(sites.c.organisation_id)) or 0)
    await clinic.set_up.remove(organisation_id, "push", actor="staff:1")
    assert await clinic.kept() == 0
    assert await clinic.subscriptions.look("ticket", mine["visit_id"]) == PushShown(None, False)
    with pytest.raises(PushNotOffered):
        await clinic.subscribe(browser, "ticket", mine["visit_id"])


async def test_subscription_is_deleted_after_its_last_use(clinic: Clinic, browser: PushService) -> None:
    mine, coming = await clinic.ticket(), await clinic.book(in_minutes=2 * 24 * 60)
    await clinic.subscribe(browser, "ticket", mine["visit_id"])
    await clinic.subscribe(browser, "appointment", coming)
    now = await clinic.database.now()
    async with clinic.database.write() as connection:
        assert await store.forget(connection, now + DAY_MICROSECONDS) == 0
        await connection.execute(update(push_subscriptions).values(created_at=now - 3 * DAY_MICROSECONDS))
        assert await store.forget(connection, now) == 1
    assert (await clinic.subscriptions.look("appointment", coming)).subscribed
    assert (await forget(clinic.database, clinic.vault, 1)).subscriptions == 0
    async with clinic.database.write() as connection:
        assert await store.forget(connection, now + 5 * DAY_MICROSECONDS) == 1


async def test_refused_subscription_changes_nothing(clinic: Clinic, browser: PushService) -> None:
    mine = await clinic.ticket()
    keys = json.loads(browser.subscription())["keys"]
    for endpoint in (
        "https://clinic.internal/push",
        "https://127.0.0.1.example/push",
        "https://127.0.0.1@clinic.internal/push",
        "https://127.0.0.1:x/push",
        "http://127.0.0.1/push",
    ):
        with pytest.raises(InvalidField) as raised:
            await clinic.subscriptions.put("ticket", mine["visit_id"], endpoint, keys, "/t/x")
        assert raised.value.details["field"] == "endpoint"
    wrong = keys | {"p256dh": "A" * 87}
    with pytest.raises(InvalidField) as raised:
        await clinic.subscriptions.put("ticket", mine["visit_id"], "https://127.0.0.1/push", wrong, "/t/x")
    assert raised.value.details["field"] == "keys.p256dh"
    assert await clinic.kept() == 0


# By the API


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("push")


@pytest.fixture(scope="module")
def env(folder: Path) -> dict[str, str]:
    public, _ = certificate(folder)
    more = {"NOWSERVING_PUSH_SERVICES": "127.0.0.1", "NOWSERVING_RATE_LIMITS": "on", "SSL_CERT_FILE": str(public)}
    return environment(f"sqlite+aiosqlite:///{folder / 'x.db'}", **more)


async def test_phone_that_subscribes_by_the_api_rings_at_the_call(env: dict[str, str], folder: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    seeded = seed(env, points=1, tickets=0)
    browser = PushService()
    async with serving(browser.http, tls):
        await asyncio.to_thread(_ring, env, folder, seeded, browser)


def _ring(env: dict[str, str], folder: Path, seeded: Seed, browser: PushService) -> None:
    with (
        serving_pages(env, folder) as server,
        server.client() as phone,
        server.client(server.sign_in(seeded, "admin")) as admin,
    ):
        ticket = _do(admin, "issue-ticket", queue_id=seeded["queue_ids"][0])
        own = f"/api/v1/tickets/{ticket['token']}/push"
        subscription = json.loads(browser.subscription())
        assert phone.get(own).json() == {"key": None, "subscribed": False}
        refused(phone.put(own, json=subscription), 409, "push_not_offered")
        _do(admin, "change-site", site_id=seeded["site_id"], message_ways=["push"], quiet_from=0, quiet_until=0)
        made = admin.put("/api/v1/channels/push/push", json={"contact": "it@clinic.example"}).json()
        offered = phone.get(own)
        assert offered.json() == {"key": made["settings"]["public_key"], "subscribed": False}
        assert offered.headers["cache-control"] == "no-store"
        wrong: dict[str, Any]
        for wrong in (subscription | {"more": 1}, subscription | {"endpoint": "https://clinic.internal/"}, {}):
            assert phone.put(own, json=wrong).status_code == 422
        assert phone.put(own, json=subscription).status_code == 204
        assert phone.get(own).json()["subscribed"] is True
        called = _do(admin, "call-next", point_id=seeded["point_ids"][0])
        wait_until(lambda: "called" in [each["kind"] for each in browser.accepted], "the message")
        message = browser.accepted[-1]
        assert called["entry"]["label"] in message["body"]
        assert (message["kind"], message["url"].rpartition("/t/")[2]) == ("called", ticket["token"])
        assert phone.delete(own).status_code == 204
        assert phone.delete(own).status_code == 204
        assert phone.get(own).json()["subscribed"] is False
        left = limits.SUBSCRIBED.amount - 3  # one was not offered, one led elsewhere, one was taken
        answers = [phone.put(own, json=subscription).status_code for _ in range(left + 1)]
        assert answers == [204] * left + [429]
        refused(phone.get(f"/api/v1/tickets/{ticket['token'][:-1]}_/push"), 404, "ticket_not_found")
        log = server.log.read_text()
        assert ticket["token"] not in log
        assert "/push/patient" not in log


def _do(client: httpx.Client, name: str, /, **body: Any) -> dict[str, Any]:
    answer = client.post(f"/api/v1/commands/{name}", json=body)
    assert answer.status_code == 200, answer.text
    done: dict[str, Any] = answer.json()
    return done
