"""Reports by mail: with real mail servers and databases, and a clock that the test sets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date, timedelta

import httpx
import pytest
from sqlalchemy import select, update

from server.audit import Audit
from server.domain.errors import ReportReaderNotFound, TooManyReportMails, TooManyReportReaders
from server.domain.model import Site, local_time
from server.execute import Executor
from server.notifying import report_mails
from server.notifying.channels.directory import Directory
from server.notifying.report_mails import MOST_ASKED, MOST_READERS, Composed, ReportMailer, ReportMails, due_at, month_before
from server.notifying.set_up import ChannelSetUp
from server.queries import sites as site_queries
from server.seeding import Seed, Seeder
from server.store import report_mails as store
from server.store.database import Database
from server.store.retention import forget
from server.store.tables import report_mails as mails
from server.store.tables import report_readers, sites, staff
from server.vault import Vault
from tests.support.passwords import quick_passwords
from tests.support.processes import free_port, wait_until
from tests.support.providers import MailServer
from tests.support.server import Server, environment, seed, serving
from tests.support.worlds import a_site

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
URL = "https://clinic.example"


class Clinic:
    """A site with a manager. ``at`` is its time; ``counting`` says that a day of the month is not counted yet."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self.database, self.vault = database, vault
        self.at = database.clock.now()
        self.counting = False
        self.composed: list[tuple[str, str]] = []
        self.audit = Audit(database, vault, "test:1")
        self.mails = ReportMails(database, vault, self.audit, self.channels())

    def channels(self) -> Directory:
        return Directory(self.database, self.vault, URL, kept_seconds=0, limit_seconds=2)

    async def begin(self) -> None:
        executor = Executor(self.database, self.vault, publish=lambda *_: None)
        seeded = await Seeder(self.database, executor).seed(points=1, tickets=0, displays=0)
        self.site = await site_queries.find(self.database, seeded["site_id"])
        async with self.database.read() as connection:
            manager = select(staff.c.id).where(staff.c.role == "manager")
            self.actor = f"staff:{(await connection.scalars(manager)).one()}"

    async def connect(self, port: int) -> None:
        settings = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "desk@clinic.example"}
        set_up = ChannelSetUp(self.database, self.vault, self.audit, URL, 2.0)
        more = {"sender_name": "", "username": "", "password": ""}
        await set_up.put(self.site.organisation_id, "email", "smtp", settings | more, actor="staff:1")

    def mailer(self) -> ReportMailer:
        """Return the mailer of another process."""

        async def compose(site_id: int, month: str, language: str) -> Composed | None:
            assert site_id == self.site.id
            if self.counting:
                return None
            self.composed.append((month, language))
            return Composed(b"%PDF-1.7 report", f"insights-{month}.pdf", f"month {month}")

        return ReportMailer(self.database, self.vault, self.channels(), compose, URL, now=lambda: self.at)

    async def ask(self, address: str = "a@example.org", request: str = "1", month: str = "2024-02") -> None:
        await self.mails.ask(self.site, month, address, "en", request, actor=self.actor)
        self.at = max(self.at, self.database.clock.now())

    async def states(self) -> list[tuple[str, str | None]]:
        async with self.database.read() as connection:
            rows = await connection.execute(select(mails.c.state, mails.c.reason).order_by(mails.c.changed_at, mails.c.key))
            return [tuple(row) for row in rows]

    async def begin_month(self, hours: float = 0) -> str:
        """Let the next month begin at the site, and some hours pass since its first midnight; return the month before."""
        async with self.database.write() as connection:
            day = (await connection.scalars(select(sites.c.business_day))).one()
            first = (date.fromisoformat(day).replace(day=1) + timedelta(days=32)).replace(day=1)
            await connection.execute(update(sites).values(business_day=first.isoformat()))
        self.site = await site_queries.find(self.database, self.site.id)
        self.at = local_time.first_instant(first.isoformat(), self.site.time_zone) + round(hours * HOUR)
        return month_before(first.isoformat())


@pytest.fixture
async def clinic(database: Database, vault: Vault) -> Clinic:
    """Return a clinic on each engine in turn."""
    made = Clinic(database, vault)
    with quick_passwords():
        await made.begin()
    return made


async def test_report_goes_out_once_with_its_pdf(clinic: Clinic) -> None:
    with MailServer() as server:
        await clinic.connect(server.port)
        await clinic.ask("Manager@example.org")
        await clinic.ask("manager@example.org")  # the same request again
        await asyncio.gather(*(clinic.mailer().look() for _ in range(3)))
        await clinic.mailer().look()
    (mail,) = server.accepted
    assert (mail["To"], mail["Subject"]) == ("Manager@example.org", f"{clinic.site.name}: report for month 2024-02")
    (file,) = mail.iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("insights-2024-02.pdf", "application/pdf")
    assert file.get_content() == b"%PDF-1.7 report"
    body = mail.get_body()
    assert body is not None
    assert f"{URL}/insights" in body.get_content()
    assert "fewer than five" in body.get_content()
    assert await clinic.states() == [("sent", None)]


async def test_monthly_report_goes_to_each_reader_once_at_the_hour_of_the_site(clinic: Clinic) -> None:
    for address, hour in (("early@example.org", 0), ("late@example.org", 9)):
        await clinic.mails.subscribe(clinic.site, address, "fr", hour, actor=clinic.actor)
    with MailServer() as server:
        await clinic.connect(server.port)
        await clinic.mailer().look()
        assert server.accepted == []
        month = await clinic.begin_month(hours=3.5)  # the last day of the month ends at four
        await clinic.mailer().look()
        assert server.accepted == []
        clinic.at += HOUR
        await clinic.mailer().look()
        assert [each["To"] for each in server.accepted] == ["early@example.org"]
        clinic.at += 5 * HOUR
        for _ in range(3):
            await asyncio.gather(clinic.mailer().look(), clinic.mailer().look())
            clinic.at += DAY
        assert [each["To"] for each in server.accepted] == ["early@example.org", "late@example.org"]
        assert set(clinic.composed) == {(month, "fr")}
        await clinic.begin_month(hours=10)
        await clinic.mailer().look()
        assert len(server.accepted) == 4


async def test_new_reader_gets_no_report_of_the_past(clinic: Clinic) -> None:
    await clinic.begin_month(hours=-24)
    await clinic.mails.subscribe(clinic.site, "a@example.org", "en", 0, actor=clinic.actor)
    async with clinic.database.write() as connection:
        since = clinic.at + 30 * HOUR
        await connection.execute(update(report_readers).values(since=since))
    clinic.at += 40 * HOUR
    await clinic.mailer().look()
    assert await clinic.states() == []


async def test_mail_waits_for_a_channel_and_for_the_count(clinic: Clinic) -> None:
    await clinic.ask()
    await clinic.mailer().look()
    assert await clinic.states() == [("due", "no-channel")]
    assert await clinic.mails.channel_state(clinic.site.organisation_id) == "no-channel"
    with MailServer() as server:
        await clinic.connect(server.port)
        assert await clinic.mails.channel_state(clinic.site.organisation_id) == "ready"
        clinic.counting = True
        clinic.at += 6 * MINUTE
        await clinic.mailer().look()
        assert await clinic.states() == [("due", "counting")]
        clinic.counting = False
        clinic.at += 2 * MINUTE
        await clinic.mailer().look()
    assert (await clinic.states(), len(server.accepted)) == ([("sent", None)], 1)


@pytest.mark.parametrize(
    ("mood", "stage", "state", "mailed"),
    [
        ("refuses", "RCPT", ("failed", "address"), 0),
        ("busy", "RCPT", ("due", "busy"), 0),
        ("hangs", "RCPT", ("unknown", "no-answer"), 1),
        ("drops", "RCPT", ("unknown", "no-answer"), 1),
    ],
)
async def test_mail_of_a_troubled_server_is_never_sent_twice(
    clinic: Clinic, mood: str, stage: str, state: tuple[str, str], mailed: int
) -> None:
    with MailServer() as server:
        server.mood, server.stage = mood, stage  # type: ignore[assignment]
        await clinic.connect(server.port)
        await clinic.ask()
        await clinic.mailer().look()
        assert await clinic.states() == [state]
        server.mood = "accepts"
        clinic.at += HOUR
        await clinic.mailer().look()
        assert len(server.accepted) == max(mailed, state[0] == "due")


async def test_server_that_is_away_is_tried_until_the_report_is_old(clinic: Clinic) -> None:
    await clinic.connect(free_port())
    await clinic.ask()
    for _ in range(3):
        await clinic.mailer().look()
        assert await clinic.states() == [("due", "no-connection")]
        clinic.at += 6 * MINUTE
    clinic.at += DAY
    await clinic.mailer().look()
    assert await clinic.states() == [("expired", "no-connection")]


async def test_process_that_died_while_sending_leaves_an_unknown_mail(clinic: Clinic) -> None:
    with MailServer() as server:
        await clinic.connect(server.port)
        await clinic.ask()
        async with clinic.database.write() as connection:
            (mail,) = await store.due(connection, clinic.at, 5)
            assert await store.begin(connection, mail.key, clinic.at)
            assert not await store.begin(connection, mail.key, clinic.at)
        clinic.at += report_mails.STALE + MINUTE
        await clinic.mailer().look()
    assert (await clinic.states(), server.accepted) == ([("unknown", "no-answer")], [])


@pytest.mark.parametrize("change", [{"active": False}, {"role": "clinician"}, {"organisation_id": 999}])
async def test_mail_is_withdrawn_when_its_manager_may_see_no_figures(clinic: Clinic, change: dict[str, object]) -> None:
    with MailServer() as server:
        await clinic.connect(server.port)
        await clinic.ask()
        async with clinic.database.write() as connection:
            await connection.execute(update(staff).where(staff.c.id == int(clinic.actor[6:])).values(**change))
        await clinic.mailer().look()
    assert (await clinic.states(), server.accepted) == ([("withdrawn", "no-right")], [])


async def test_ended_subscription_sends_nothing_more(clinic: Clinic) -> None:
    reader = await clinic.mails.subscribe(clinic.site, "a@example.org", "en", 0, actor=clinic.actor)
    await clinic.begin_month(hours=5)
    await clinic.mailer().look()  # planned, without a channel
    await clinic.mails.end(clinic.site, reader.id, actor=clinic.actor)
    assert await clinic.states() == [("withdrawn", "ended")]
    with pytest.raises(ReportReaderNotFound):
        await clinic.mails.end(clinic.site, reader.id, actor=clinic.actor)
    await clinic.mails.subscribe(clinic.site, "a@example.org", "en", 0, actor=clinic.actor)
    await clinic.mailer().look()
    assert await clinic.states() == [("withdrawn", "ended")]


async def test_readers_and_requests_are_limited(clinic: Clinic) -> None:
    for number in range(MOST_READERS):
        await clinic.mails.subscribe(clinic.site, f"{number}@example.org", "en", 8, actor=clinic.actor)
    await clinic.mails.subscribe(clinic.site, "3@EXAMPLE.org", "ar", 9, actor=clinic.actor)  # again, with other choices
    with pytest.raises(TooManyReportReaders):
        await clinic.mails.subscribe(clinic.site, "more@example.org", "en", 8, actor=clinic.actor)
    for number in range(MOST_ASKED):
        await clinic.ask(request=str(number))
    with pytest.raises(TooManyReportMails):
        await clinic.ask(request="more")
    await clinic.ask(request="3")  # known already
    readers, shown = await clinic.mails.listed(clinic.site.id)
    assert {(each.address, each.language, each.hour) for each in readers if each.language == "ar"} == {
        ("3@EXAMPLE.org", "ar", 9)
    }
    assert len(shown) == report_mails.SHOWN


async def test_addresses_are_sealed_and_forgotten(clinic: Clinic) -> None:
    await clinic.mails.subscribe(clinic.site, "a@example.org", "en", 0, actor=clinic.actor)
    with MailServer() as server:
        await clinic.connect(server.port)
        await clinic.ask()
        await clinic.mailer().look()
    async with clinic.database.read() as connection:
        rows = [*(await connection.execute(select(mails))), *(await connection.execute(select(report_readers)))]
    assert len(rows) == 2
    assert "example.org" not in str(rows)
    async with clinic.database.write() as connection:
        await connection.execute(update(mails).values(changed_at=clinic.at - 40 * DAY))
    assert (await forget(clinic.database, clinic.vault, 30)).report_addresses == 1
    readers, shown = await clinic.mails.listed(clinic.site.id)
    assert ([each.address for each in readers], [each.address for each in shown]) == (["a@example.org"], [None])
    async with clinic.database.write() as connection:
        assert await store.forget(connection, clinic.at + store.KEPT_MICROSECONDS + DAY) == 1


@pytest.mark.parametrize(
    ("zone", "month", "hour", "expected"),
    [
        ("Europe/Berlin", "2026-02", 8, "2026-03-01T08:00"),
        ("Europe/Berlin", "2026-02", 0, "2026-03-01T04:00"),  # the last day ends at four
        ("Asia/Kathmandu", "2025-12", 23, "2026-01-01T23:00"),
        ("America/Asuncion", "2024-09", 5, "2024-10-01T05:00"),
    ],
)
def test_due_time_is_an_hour_of_the_first_day(zone: str, month: str, hour: int, expected: str) -> None:
    site = _site(zone)
    assert local_time.local_of(due_at(site, month, hour), zone).local == expected


def _site(zone: str) -> Site:

    return a_site(time_zone=zone)


# The whole way, from the page's requests to the mail


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return environment(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('mails') / 'x.db'}")


@pytest.fixture(scope="module")
def seeded(env: dict[str, str]) -> Seed:
    return seed(env, points=1, tickets=6, displays=0)


@pytest.fixture(scope="module")
def server(env: dict[str, str], seeded: Seed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(env, tmp_path_factory.mktemp("mails-server")) as server:
        yield server


def test_manager_gets_the_report_from_a_real_server(server: Server, seeded: Seed) -> None:
    root = f"/api/v1/sites/{seeded['site_id']}"
    with (
        MailServer() as post,
        server.client(server.sign_in(seeded, "manager")) as manager,
        server.client(server.sign_in(seeded, "admin")) as admin,
        server.client(server.sign_in(seeded, "clinician")) as clinician,
    ):
        assert manager.get(f"{root}/insights/mails").json()["channel"] == "no-channel"
        month = manager.get(root).json()["business_day"][:7]
        asked = {"address": "boss@example.org", "month": month, "language": "en", "request": "r1"}
        assert clinician.post(f"{root}/insights/mails", json=asked).status_code == 403
        assert manager.post(f"{root}/insights/mails", json=asked | {"month": "2999-01"}).status_code == 422
        assert manager.post(f"{root}/insights/mails", json=asked | {"month": "0000-01"}).status_code == 422
        assert manager.post(f"{root}/insights/mails", json=asked | {"address": "boss"}).status_code == 422
        assert manager.post(f"{root}/insights/mails", json=asked).status_code == 202
        assert manager.post(f"{root}/insights/mails", json=asked).status_code == 202

        def state() -> tuple[str, str | None]:
            (mail,) = manager.get(f"{root}/insights/mails").json()["mails"]
            return mail["state"], mail["reason"]

        wait_until(lambda: state() == ("due", "no-channel"), "the mail waits for a channel", seconds=60)
        smtp = {"host": "127.0.0.1", "port": post.port, "security": "none", "sender": "desk@clinic.example"}
        channel = {**smtp, "sender_name": "", "username": "", "password": ""}
        answer = admin.put("/api/v1/channels/email/smtp", json=channel)
        assert answer.is_success, answer.text
        wait_until(lambda: state() == ("sent", None), "the mail is sent", seconds=60)
        (mail,) = post.accepted
        (file,) = mail.iter_attachments()
        assert file.get_content().startswith(b"%PDF")
        made = manager.post(f"{root}/insights/readers", json={"address": "boss@example.org", "language": "en", "hour": 8})
        assert made.status_code == 201
        ended = manager.delete(f"{root}/insights/readers/{made.json()['id']}")
        assert ended.status_code == 204
        assert manager.delete(f"{root}/insights/readers/{made.json()['id']}").status_code == 404
        noted = _noted(admin)
        assert {"mail-report", "subscribe-report", "end-report", "list-report-mails"} <= noted


def _noted(admin: httpx.Client) -> set[str]:
    found: set[str] = set()

    def look() -> bool:
        found.update(each["action"] for each in admin.get("/api/v1/audit", params={"page_size": 100}).json()["data"])
        return "end-report" in found

    wait_until(look, "the audit has the end", seconds=20)
    return found
