"""Reports by mail: a manager asks for the report of a month, or subscribes an address to the report of each month.

`ReportMails` is for the page, `ReportMailer` sends. An address is sealed. A mail goes out only while the member of staff
who asked for it may still see the figures.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import structlog

from server.audit import Audit
from server.domain import roles
from server.domain.errors import ReportReaderNotFound, TooManyReportMails, TooManyReportReaders
from server.domain.model import Site, local_time
from server.domain.model.tickets import next_turn
from server.notifying.channels.channel import Attachment, Channel, ChannelBusy, ChannelRefused, ChannelUnreachable, Message
from server.notifying.channels.directory import NONE_KEPT_SECONDS
from server.notifying.context import Channels
from server.notifying.report_texts import mail_with
from server.queries import sites
from server.queries.identity import Identities
from server.store import leases
from server.store import report_mails as store
from server.store.database import Database
from server.store.report_mails import ReportMail, ReportReader, State
from server.telemetry.outage import Outage
from server.vault import Vault

logger = structlog.get_logger(__name__)

RIGHT = "mail-reports"
MOST_READERS = 10  # of a site
MOST_ASKED = 20  # mails on request of a site in a day
SHOWN = 20
STATES: tuple[State, ...] = store.STATES
LEASE = "report-mails"
DAY = 86_400_000_000
LASTS = 7 * DAY  # a report that is a week late is still worth reading
ASKED_LASTS = DAY
STALE = 180_000_000
COUNTING_AGAIN = 60_000_000  # while the days of the month are still being counted
CHANNEL_AGAIN = 300_000_000
BUSY_AGAIN = 60_000_000  # after the first try; twice as long after each further one
MOST_TRIES = 5
AT_ONCE = 20
ATTACHING = ("smtp", "recording")  # the channels that can attach a file
NO_CHANNEL, NO_ATTACHMENTS, NO_RIGHT, COUNTING = "no-channel", "no-attachments", "no-right", "counting"


@dataclass(frozen=True, slots=True)
class Composed:
    """A report: the PDF, the name of its file, and the name of its month as people write it."""

    pdf: bytes
    name: str
    month: str


Compose = Callable[[int, str, str], Awaitable[Composed | None]]  # by site, month, language; None: days are still counted


@dataclass(frozen=True, slots=True)
class ReaderShown:
    """A subscription. ``since`` in milliseconds."""

    id: str
    address: str | None
    language: str
    hour: int
    since: int


@dataclass(frozen=True, slots=True)
class MailShown:
    """A mail. ``address`` is None once retention has cleared it. ``changed_at`` in milliseconds."""

    address: str | None
    month: str
    language: str
    monthly: bool
    state: State
    reason: str | None
    changed_at: int


ChannelState = Literal["ready", "no-channel", "no-attachments"]


@dataclass(frozen=True, slots=True)
class ReportMails:
    """The mails of reports of one database. The audit notes who asked for one, and who began and ended a subscription.

    ``_planned`` is called when a mail can go out now.
    """

    _database: Database
    _vault: Vault
    _audit: Audit
    _channels: Channels
    _planned: Callable[[], None] = lambda: None

    async def channel_state(self, organisation_id: int) -> ChannelState:
        """Return whether an organisation can send mails with attachments. Raises `Unavailable`."""
        return state_of(await self._channels.of(organisation_id, "email"))

    async def listed(self, site_id: int) -> tuple[list[ReaderShown], list[MailShown]]:
        """Return the subscriptions of a site and its last mails. Raises `Unavailable`."""
        async with self._database.read() as connection:
            readers = await store.readers_of(connection, site_id)
            mails = await store.of_site(connection, site_id, SHOWN)
        return [self._reader(each) for each in readers], [self._mail(each) for each in mails]

    async def ask(self, site: Site, month: str, address: str, language: str, request: str, *, actor: str) -> MailShown:
        """Plan a mail with the report of a month, due now. The same ``request`` plans it once.

        Raises `TooManyReportMails` and `Unavailable`.
        """
        now = await self._database.now()
        address_hash = store.hash_of(self._vault, address)
        key = store.key_of(self._vault, site.id, month, address_hash, request)
        sealed = self._vault.seal(address.encode(), store.mail_seals_for(key))
        mail = ReportMail(
            key, site.id, month, address_hash, sealed, language, actor, False, "due", None, 0, now, now + ASKED_LASTS, now
        )
        async with self._database.write() as connection:
            known = await store.find(connection, key)
            if known is None and await store.asked_since(connection, site.id, now - DAY) >= MOST_ASKED:
                raise TooManyReportMails(most=MOST_ASKED)
            planned = known is None and await store.plan(connection, mail)
        if planned:
            self._planned()
            self._note("mail-report", actor, site, address_hash, month)
        return self._mail(known or mail)

    async def subscribe(self, site: Site, address: str, language: str, hour: int, *, actor: str) -> ReaderShown:
        """Send an address the report of each month from now on. An address that is subscribed gets the new choices.

        Raises `TooManyReportReaders` and `Unavailable`.
        """
        now = await self._database.now()
        address_hash = store.hash_of(self._vault, address)
        sealed = self._vault.seal(address.encode(), store.reader_seals_for(site.id, address_hash))
        reader = ReportReader(site.id, address_hash, sealed, language, hour, actor, now)
        async with self._database.write() as connection:
            known = {each.address_hash for each in await store.readers_of(connection, site.id)}
            if address_hash not in known and len(known) >= MOST_READERS:
                raise TooManyReportReaders(most=MOST_READERS)
            await store.put_reader(connection, reader)
        self._note("subscribe-report", actor, site, address_hash)
        return self._reader(reader)

    async def end(self, site: Site, address_hash: str, *, actor: str) -> None:
        """End a subscription, and withdraw its mails that have not gone out.

        Raises `ReportReaderNotFound`, `Unavailable`.
        """
        now = await self._database.now()
        async with self._database.write() as connection:
            if not await store.remove_reader(connection, site.id, address_hash):
                raise ReportReaderNotFound()
            await store.withdraw(connection, site.id, address_hash, now)
        self._note("end-report", actor, site, address_hash)

    def _reader(self, each: ReportReader) -> ReaderShown:
        address = _opened(self._vault, each.sealed, store.reader_seals_for(each.site_id, each.address_hash))
        return ReaderShown(each.address_hash, address, each.language, each.hour, each.since // 1000)

    def _mail(self, each: ReportMail) -> MailShown:
        address = _opened(self._vault, each.sealed, store.mail_seals_for(each.key))
        return MailShown(address, each.month, each.language, each.monthly, each.state, each.reason, each.changed_at // 1000)

    def _note(self, action: str, actor: str, site: Site, address_hash: str, month: str | None = None) -> None:
        self._audit.note(
            action,
            actor,
            subject=f"report-address:{address_hash[:16]}",
            site_id=site.id,
            organisation_id=site.organisation_id,
            detail=month,
        )


def state_of(channel: Channel | None) -> ChannelState:
    """Return whether a channel can send reports."""
    if channel is None:
        return "no-channel"
    return "ready" if channel.name in ATTACHING else "no-attachments"


def _opened(vault: Vault, sealed: str | None, belongs_to: str) -> str | None:
    if sealed is None:
        return None
    try:
        return vault.open(sealed, belongs_to).decode()
    except ValueError:  # no configured key opens it
        return None


def month_before(day: str) -> str:
    """Return the month (YYYY-MM) before that of an ISO date."""
    return (date.fromisoformat(day).replace(day=1) - timedelta(days=1)).isoformat()[:7]


def due_at(site: Site, month: str, hour: int) -> int:
    """Return the time of the report of a month: this hour of the next month's first day, once the last day has ended."""
    last = (date.fromisoformat(f"{month}-01") + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    first = (last + timedelta(days=1)).isoformat()
    over = next_turn(last.isoformat(), site.time_zone, site.day_turns_at_minutes)
    return max(over, local_time.first_instant(first, site.time_zone, hour * 60))


class ReportMailer:
    """Plans and sends the mails for as long as a server process lives. Of all processes, the holder of the lease works.

    ``compose`` makes a report. ``link_base`` is the beginning of links. ``now`` returns microseconds; the default is the
    trusted time.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        channels: Channels,
        compose: Compose,
        link_base: str,
        pause_seconds: float = 15.0,
        now: Callable[[], int] | None = None,
    ) -> None:
        self._database = database
        self._vault = vault
        self._channels = channels
        self._compose = compose
        self._link_base = link_base
        self._pause_seconds = pause_seconds
        self._now = now or database.clock.now
        self._identities = Identities(database)
        self._holder = uuid.uuid4().hex
        self._woken = asyncio.Event()
        self._stopping = False
        self._outage = Outage(logger, "reports are not mailed")

    async def run(self) -> None:
        """Work until `stop`. No error ends this."""
        while not self._stopping:
            try:
                await self.look()
                self._outage.ended()
            except Exception as error:  # a fault in one pass must not end the reports
                self._outage.failed(kind=type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause_seconds):
                    await self._woken.wait()
            self._woken.clear()
        await leases.give_up(self._database, self._holder)

    def wake(self) -> None:
        """Look at once: a mail can go out."""
        self._woken.set()

    def connected(self) -> None:
        """Look for the mails that wait for a channel, as soon as the directory has forgotten that there was none."""
        asyncio.get_running_loop().call_later(NONE_KEPT_SECONDS + 0.1, self.wake)

    def stop(self) -> None:
        """Begin no further mail. `run` ends after the present one."""
        self._stopping = True
        self._woken.set()

    async def look(self) -> bool:
        """Plan the monthly mails, send the due ones, and return whether this process has the lease. Raises `Unavailable`."""
        if not await self._has_lease():
            return False
        await self._plan()
        now = self._now()
        async with self._database.write() as connection:
            lost = await store.give_up(connection, now - STALE, now)
        if lost:
            logger.warning("mails with reports of unknown outcome", count=lost)
        async with self._database.read() as connection:
            due = await store.due(connection, now, AT_ONCE)
        for each in due:
            if self._stopping or not await self._has_lease():
                return True
            await self._send(each)
        async with self._database.write() as connection:
            await leases.finish(connection, LEASE, self._holder, await self._database.now())
        return True

    async def _has_lease(self) -> bool:
        return await leases.hold(self._database, LEASE, self._holder, STALE)

    async def _plan(self) -> None:
        """Plan the mails of the month before, of every site whose month has begun."""
        now = self._now()
        known: dict[int, Site] = {}
        after: tuple[int, str] = (0, "")
        while True:
            async with self._database.read() as connection:
                readers = await store.readers_after(connection, *after, 200)
            for each in readers:
                if each.site_id not in known:
                    known[each.site_id] = await sites.find(self._database, each.site_id)
                await self._plan_for(each, known[each.site_id], now)
            if len(readers) < 200:
                return
            after = readers[-1].site_id, readers[-1].address_hash

    async def _plan_for(self, reader: ReportReader, site: Site, now: int) -> None:
        month = month_before(site.business_day)
        at = due_at(site, month, reader.hour)
        if not reader.since <= at <= now < at + LASTS:
            return
        key = store.key_of(self._vault, site.id, month, reader.address_hash)
        async with self._database.read() as connection:
            if await store.find(connection, key) is not None:
                return
        address = _opened(self._vault, reader.sealed, store.reader_seals_for(site.id, reader.address_hash))
        if address is None:
            logger.error("the address of a monthly report cannot be read with the present keys", site_id=site.id)
            return
        sealed = self._vault.seal(address.encode(), store.mail_seals_for(key))
        mail = ReportMail(
            key,
            site.id,
            month,
            reader.address_hash,
            sealed,
            reader.language,
            reader.asked_by,
            True,
            "due",
            None,
            0,
            at,
            at + LASTS,
            now,
        )
        async with self._database.write() as connection:
            await store.plan(connection, mail)

    async def _send(self, mail: ReportMail) -> None:
        """Send one mail, at most once."""
        now = self._now()
        if now >= mail.not_after:
            await self._end(mail, "due", "expired", mail.reason)
            return
        site = await sites.find(self._database, mail.site_id)
        if not await self._may(mail, site):
            await self._end(mail, "due", "withdrawn", NO_RIGHT)
            return
        channel = await self._channels.of(site.organisation_id, "email")
        state = state_of(channel)
        if channel is None or state != "ready":
            await self._end(mail, "due", "due", state, now)  # next time again, after the others that are due
            return
        address = _opened(self._vault, mail.sealed, store.mail_seals_for(mail.key))
        if address is None:
            await self._end(mail, "due", "failed", "no-address")
            return
        composed = await self._compose(site.id, mail.month, mail.language)
        if composed is None:
            await self._end(mail, "due", "due", COUNTING, now + COUNTING_AGAIN)
            return
        link = f"{self._link_base}/insights"
        subject, text = mail_with(site.name, composed.month, mail.language, link, monthly=mail.monthly)
        message = Message(
            f"report:{mail.key[:32]}",
            address,
            mail.language,
            subject,
            text,
            mail.not_after,
            attachment=Attachment(composed.name, "application", "pdf", composed.pdf),
        )
        async with self._database.write() as connection:
            if not await store.begin(connection, mail.key, self._now()):
                return
        # Committed: no other process sends this mail from here on.
        await self._call(channel, message, mail)

    async def _call(self, channel: Channel, message: Message, mail: ReportMail) -> None:
        now, tries = self._now(), mail.attempts + 1
        try:
            await channel.send(message)
        except ChannelRefused as refusal:
            logger.warning("the mail with a report was refused", site_id=mail.site_id, reason=refusal.reason)
            await self._end(mail, "sending", "failed", refusal.reason)
        except ChannelUnreachable as error:
            await self._end(mail, "sending", "due", error.reason, now + CHANNEL_AGAIN)
        except ChannelBusy:
            again = now + BUSY_AGAIN * 2**tries
            if tries >= MOST_TRIES:
                await self._end(mail, "sending", "failed", "busy")
            else:
                await self._end(mail, "sending", "due", "busy", again)
        except Exception as error:  # the mail server may have accepted the mail
            logger.warning("the mail with a report has no known outcome", site_id=mail.site_id, error=type(error).__name__)
            await self._end(mail, "sending", "unknown", "no-answer")
        else:
            await self._end(mail, "sending", "sent", None)

    async def _may(self, mail: ReportMail, site: Site) -> bool:
        """Return whether the member of staff who asked may still see the figures of the site."""
        kind, _, number = mail.asked_by.partition(":")
        if kind != "staff" or not number.isdecimal():
            return False
        member = await self._identities.active_member(int(number))
        return member is not None and member.organisation_id == site.organisation_id and roles.may(member.role, RIGHT)

    async def _end(self, mail: ReportMail, before: State, state: State, reason: str | None, at: int | None = None) -> None:
        async with self._database.write() as connection:
            await store.end(connection, mail.key, before, state, reason, self._now(), at)
