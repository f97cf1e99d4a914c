"""The watchdog: notes the state of each part of the installation, and mails the administrator about trouble that lasts.

Every server and worker process has one. Of all of them, the holder of the lease looks. While the database is away, the last
holder goes on with the mail channel that it knows.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from server.domain.errors import NowServingError
from server.domain.model import Site
from server.notifying.channels.channel import Channel, Message
from server.notifying.channels.directory import outcome_of
from server.notifying.context import Channels
from server.notifying.watchdog_texts import Told, mail_about
from server.queries import channels as channel_rows
from server.queries import sites
from server.queries.system import PARTS, Check, Facts, checks
from server.store import findings, leases
from server.store.database import Database
from server.store.findings import Finding
from server.telemetry.outage import Outage

logger = structlog.get_logger(__name__)

LEASE = "watchdog"
MAIL_LASTS_MICROSECONDS = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """The seconds between two looks, of the lease, and until a mail: trouble and its end are told once they have lasted.

    ``reminder`` is the time between two mails about the same trouble, and ``again`` the wait after a mail that failed.
    """

    look: float = 30.0
    lease: float = 90.0
    patience: float = 180.0
    reminder: float = 86_400.0
    again: float = 300.0


USUAL = Pace()


@dataclass(frozen=True, slots=True)
class _Way:
    """The way of a mail: the channel of the first organisation that has one, and the first site of this organisation."""

    channel: Channel
    site: Site


class Watchdog:
    """Watches one installation. ``readers`` are the addresses of the mails; without any, it only notes.

    ``public_url`` is the beginning of links. ``now`` returns microseconds; the default is the trusted time.
    """

    def __init__(
        self,
        database: Database,
        channels: Channels,
        facts: Facts,
        readers: Sequence[str],
        public_url: str,
        pace: Pace = USUAL,
        now: Callable[[], int] | None = None,
    ) -> None:
        self._database = database
        self._channels = channels
        self._facts = facts
        self._readers = readers
        self._public_url = public_url
        self._pace = pace
        self._now = now or database.clock.now
        self._holder = uuid.uuid4().hex
        self._held = False
        self._way: _Way | None = None
        self._again_at = 0
        self._away_since: int | None = None
        self._told_away = 0  # the instant of the mail about the database, or 0
        self._woken = asyncio.Event()
        self._stopping = False
        self._outage = Outage(logger, "the state of the installation is not watched")

    async def run(self) -> None:
        """Look until `stop`. No error ends this."""
        while not self._stopping:
            try:
                await self.look()
                self._outage.ended()
            except Exception as error:  # a fault in one look must not end the watch
                self._outage.failed(kind=type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.look):
                    await self._woken.wait()
        await self._end()

    def stop(self) -> None:
        """Begin no further look. `run` ends after the present one, and another process may go on at once."""
        self._stopping = True
        self._woken.set()

    async def look(self) -> bool:
        """Look once, note what is found, and send a mail if there is news; return whether this process is the one to look.

        Only the holder of the lease makes the list: it costs about fifteen statements. Raises `Unavailable`.
        """
        now = self._now()
        try:
            async with self._database.write() as connection:
                taken = await leases.take(connection, LEASE, self._holder, now, _microseconds(self._pace.lease))
        except NowServingError:
            if not self._held:
                return False
            taken = None  # the list tells whether the database is away
        if taken is False:
            self._held, self._away_since, self._told_away = False, None, 0
            return False
        found = {each.name: each for each in await checks(self._database, self._facts)}
        if found["database"].state == "broken":
            self._held = True
            await self._without_database(found["database"], now)
            return True
        if taken is None:
            return True  # it has just returned: the next look takes the lease again
        self._held = True
        if found["tables"].state != "ok":  # of another version: the watchdog of a server of that version goes on
            await self._end()
            return False
        known = await self._noted(found, now)
        if self._readers:
            self._way = await self._find_way()
            await self._tell(found, known, now)
        return True

    async def _noted(self, found: Mapping[str, Check], now: int) -> dict[str, Finding]:
        """Note what has changed; return the present findings by part."""
        async with self._database.write() as connection:
            known = await findings.of_parts(connection, PARTS)
            for name, each in found.items():
                before = known.get(name)
                returned = name == "database" and self._away_since is not None
                if before is not None and before.code == each.code and not returned:
                    continue
                stays = before is not None and before.state == each.state and not returned
                state_since = before.state_since if before is not None and stays else now
                await findings.note(connection, name, each.code, each.state, now, state_since)
                told, told_at = ("ok", None) if before is None else (before.told, before.told_at)
                known[name] = Finding(name, each.code, each.state, now, state_since, told, told_at)
            if self._told_away:
                await findings.tell(connection, {"database": "broken"}, self._told_away)
                known = await findings.of_parts(connection, PARTS)
        self._away_since, self._told_away = None, 0
        return known

    async def _find_way(self) -> _Way | None:
        organisation_id = await channel_rows.first_organisation(self._database, "email")
        if organisation_id is None:
            return None
        channel = await self._channels.of(organisation_id, "email")
        site = await sites.first_of(self._database, organisation_id)
        return None if channel is None or site is None else _Way(channel, site)

    async def _tell(self, found: Mapping[str, Check], known: Mapping[str, Finding], now: int) -> None:
        """Send one mail about new trouble, its end, and trouble that needs a reminder, with all other open trouble."""
        told = [each for name, check in found.items() if (each := self._news(check, known[name], now)) is not None]
        if not told:
            return
        named = {each.check.name for each in told}
        for name, check in found.items():
            row = known[name]
            if name not in named and row.told == check.state != "ok":
                told.append(Told(check, row.state_since, "still"))
        if await self._send(told, now):
            async with self._database.write() as connection:
                await findings.tell(connection, {each.check.name: each.check.state for each in told}, now)

    def _news(self, check: Check, row: Finding, now: int) -> Told | None:
        """Return the news about a part, or None. A part that nobody can see is no news."""
        if check.state == "unknown":
            return None
        if check.state != row.told:
            lasts = now - row.state_since >= _microseconds(self._pace.patience)
            return Told(check, row.state_since, "over" if check.state == "ok" else "new") if lasts else None
        if check.state == "ok" or now - (row.told_at or 0) < _microseconds(self._pace.reminder):
            return None
        return Told(check, row.state_since, "still")

    async def _without_database(self, check: Check, now: int) -> None:
        """Tell that the database is away, if this process was the last one to look. Its return is told by a later look."""
        if not self._held:
            return
        if self._away_since is None:
            self._away_since = now
        if not self._readers or now - self._away_since < _microseconds(self._pace.patience):
            return
        if self._told_away and now - self._told_away < _microseconds(self._pace.reminder):
            return
        if await self._send([Told(check, self._away_since, "still" if self._told_away else "new")], now):
            self._told_away = now

    async def _send(self, told: Sequence[Told], now: int) -> bool:
        """Send a mail to every reader; return whether the mail server has accepted any."""
        if self._way is None or now < self._again_at:
            return False
        language, subject, text = mail_about(told, self._way.site, self._public_url)
        sent = False
        for reader in self._readers:
            not_after = now + MAIL_LASTS_MICROSECONDS
            message = Message(f"watchdog:{uuid.uuid4().hex}", reader, language, subject, text, not_after)
            try:
                await self._way.channel.send(message)
                sent = True
            except Exception as error:  # of any library
                logger.warning("the watchdog's mail was not accepted", outcome=outcome_of(error))
        self._again_at = 0 if sent else now + _microseconds(self._pace.again)
        return sent

    async def _end(self) -> None:
        """End the lease, so that another process goes on at once."""
        if self._held:
            self._held = False
            await leases.give_up(self._database, self._holder)


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)
