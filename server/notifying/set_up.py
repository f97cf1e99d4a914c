"""Setting up channels: an administrator configures, tries and removes them; providers report receipts to them.

The secret settings are sealed, and never leave again. The audit notes who changed and tried a channel.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, cast

import orjson

from server.audit import Audit
from server.domain.errors import ChannelNotFound, InvalidField, Unavailable
from server.notifying import circuits
from server.notifying.channels import infobip, smsapi
from server.notifying.channels.apprise import is_known
from server.notifying.channels.channel import TIME_LIMIT_SECONDS, Message
from server.notifying.channels.directory import OpenChannel, circuit_of, outcome_of, reports_to, settings_of
from server.notifying.channels.kinds import KINDS, WAYS, Kind, Settings, Way
from server.notifying.channels.push import public_key_of
from server.notifying.channels.receipt import Receipt
from server.notifying.trial_texts import trial_text
from server.queries import channels as queries
from server.queries.channels import ChannelRow
from server.store import channels as store
from server.store import notifications, opt_outs, push_subscriptions
from server.store.database import Database
from server.store.staff import lock_organisation
from server.vault import Vault

SECRET_BYTES = 32  # 256 bits
REPORTING = ("smsapi", "infobip")  # kinds whose providers report receipts, and forward replies
TRIAL_MICROSECONDS = 3_600_000_000  # a trial message is of no use later


@dataclass(frozen=True, slots=True)
class ChannelShown:
    """A configured channel. Its secret setting is not shown: ``key_set`` says whether there is one.

    ``reports_to`` is the address to which the provider forwards incoming SMS. Instants are in milliseconds.
    """

    way: Way
    kind: str
    settings: dict[str, Any]
    key_set: bool
    honours_key: bool
    reports_to: str | None
    changed_at: int
    outcome: str | None
    outcome_at: int | None
    arrival: str | None
    arrival_at: int | None


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a trial message: ``outcome`` is a word of `outcome_of`."""

    outcome: str
    provider_id: str | None


@dataclass(frozen=True, slots=True)
class ChannelSetUp:
    """Configures the channels of one database.

    ``_public_url`` is as for `Directory`. ``_connected`` is called after a channel was connected or changed.
    """

    _database: Database
    _vault: Vault
    _audit: Audit
    _public_url: str | None
    _limit_seconds: float = TIME_LIMIT_SECONDS
    _push_services: Sequence[str] = ()
    _connected: Callable[[], None] = lambda: None

    async def listed(self, organisation_id: int) -> list[ChannelShown]:
        """Return the channels of an organisation, in the order of `WAYS`. Raises `Unavailable`."""
        rows = await queries.enabled(self._database, organisation_id)
        return sorted((self._shown(row) for row in rows), key=lambda each: WAYS.index(each.way))

    async def put(self, organisation_id: int, way: Way, kind_name: str, settings: Settings, *, actor: str) -> ChannelShown:
        """Configure the channel of a way; return it. A channel of another kind is replaced.

        A secret setting of None keeps the one that is set. Raises `InvalidField` if none is set, or if the settings name
        another place: a kept secret goes nowhere else.
        """
        kind = KINDS[kind_name]
        address = settings.get("address")
        if kind_name == "apprise" and address is not None and not await asyncio.to_thread(is_known, address):
            raise InvalidField(field="address", problem="needs {to} and the name of a service that Apprise knows")
        now = await self._database.now()
        async with self._database.write() as connection:
            await lock_organisation(connection, organisation_id)
            row = await queries.enabled_by(connection, organisation_id, way)
            same = row is not None and row.kind == kind_name
            own, before = settings_of(row, self._vault) if row is not None and same else (None, None)
            complete = dict(settings) | {kind.secret: _secret_for(kind, settings, before)}
            secret = own or secrets.token_urlsafe(SECRET_BYTES)
            plain = orjson.dumps({"secret": secret, "settings": complete})
            sealed = self._vault.seal(plain, store.seals_for(organisation_id, way))
            if row is not None:  # other settings deserve another try
                await circuits.close(connection, circuit_of(row.kind, row.id), now)
            if row is not None and same:
                # Two changes within a microsecond would look like one to a process that keeps the channel.
                await store.change(connection, row.id, sealed, max(now, row.changed_at + 1))
            else:
                await store.disable(connection, organisation_id, way, now)
                await store.create(
                    connection,
                    organisation_id=organisation_id,
                    way=way,
                    kind=kind_name,
                    sealed=sealed,
                    receipts_hash=self._vault.keyed_hash(secret),
                    now=now,
                )
            made = await queries.enabled_by(connection, organisation_id, way)
        self._connected()
        self._note("set-channel", actor, organisation_id, way, detail=kind_name)
        assert made is not None, "it was written in this transaction"
        return self._shown(made)

    async def remove(self, organisation_id: int, way: Way, *, actor: str) -> None:
        """Remove the channel of a way, with its settings. Raises `ChannelNotFound`."""
        now = await self._database.now()
        async with self._database.write() as connection:
            row = await queries.enabled_by(connection, organisation_id, way)
            if row is not None:
                await circuits.close(connection, circuit_of(row.kind, row.id), now)
            removed = await store.disable(connection, organisation_id, way, now)
            if way == "push":  # they were made for its keys, and no other keys reach them
                await push_subscriptions.remove_all(connection, organisation_id)
        self._note("remove-channel", actor, organisation_id, way, allowed=removed)
        if not removed:
            raise ChannelNotFound(way=way)

    async def try_out(self, organisation_id: int, way: Way, to: str, language: str, *, actor: str) -> Tried:
        """Send a trial message to ``to``, an address of the channel's kind; return what became of it.

        Raises `ChannelNotFound`.
        """
        async with self._database.read() as connection:
            row = await queries.enabled_by(connection, organisation_id, way)
        if row is None:
            raise ChannelNotFound(way=way)
        subject, text = trial_text(language)
        not_after = self._database.clock.now() + TRIAL_MICROSECONDS
        message = Message(f"trial:{secrets.token_hex(16)}", to, language, subject, text, not_after, self._public_url)
        channel = OpenChannel(row, self._database, self._vault, self._public_url, self._limit_seconds, self._push_services)
        try:
            tried = Tried("accepted", (await channel.send(message)).provider_id)
        except Exception as error:  # of any library: the caller gets a word for it
            tried = Tried(outcome_of(error), None)
        finally:
            await channel.close()
        if tried.outcome == "accepted":
            with suppress(Unavailable):
                async with self._database.write() as connection:  # the waiting messages need no trial of their own
                    await circuits.close(connection, channel.circuit(to), self._database.clock.now())
        self._note("try-channel", actor, organisation_id, way, detail=tried.outcome)
        return tried

    async def receive(self, secret: str, kind_name: Literal["smsapi", "infobip"], report: dict[str, Any]) -> list[Receipt]:
        """Take a report to the address with ``secret``; return the receipts in it. A replaced channel still takes them.

        The messages' rows get the receipts. A reply that stops the messages to its number is an opt-out, and another one
        undoes this. Raises `ChannelNotFound`, which gives no reason.
        """
        row = await queries.of_receipts(self._database, self._vault.keyed_hash(secret))
        if row is None or row.kind != kind_name:
            raise ChannelNotFound(way="?")
        of_smsapi = kind_name == "smsapi"
        receipts = smsapi.receipts_in(report) if of_smsapi else infobip.receipts_in(report)
        replies = smsapi.replies_in(report) if of_smsapi else infobip.replies_in(report)
        wishes = {each.number: each.wish for each in replies if each.wish is not None}
        if receipts or wishes:
            now = await self._database.now()
            async with self._database.write() as connection:
                if receipts:
                    await store.note_arrival(connection, row.id, receipts[-1].arrival, now)
                for each in receipts:
                    await notifications.receive(connection, each.provider_id, row.way, each.arrival, now)
                for number, wish in wishes.items():
                    address = opt_outs.hashed(self._vault, row.organisation_id, "sms", number)
                    if wish == "stop":
                        await opt_outs.add(connection, [address], "reply", now)
                    else:
                        await opt_outs.remove(connection, address)
        return receipts

    def _shown(self, row: ChannelRow) -> ChannelShown:
        kind = KINDS[row.kind]
        own, settings = settings_of(row, self._vault)
        secret = settings.pop(kind.secret)
        if row.kind == "push":
            settings["public_key"] = public_key_of(secret)
        if row.kind == "apprise":
            settings["service"] = secret.partition(":")[0]
        return ChannelShown(
            way=cast(Way, row.way),
            kind=row.kind,
            settings=settings,
            key_set=bool(secret),
            honours_key=row.kind == "smsapi" or bool(settings.get("idempotent")),
            reports_to=reports_to(self._public_url, own) if row.kind in REPORTING else None,
            changed_at=row.changed_at // 1000,
            outcome=row.outcome,
            outcome_at=_milliseconds(row.outcome_at),
            arrival=row.arrival,
            arrival_at=_milliseconds(row.arrival_at),
        )

    def _note(
        self,
        action: str,
        actor: str,
        organisation_id: int,
        way: Way,
        *,
        allowed: bool = True,
        detail: str | None = None,
    ) -> None:
        subject = f"channel:{way}"
        self._audit.note(action, actor, subject=subject, organisation_id=organisation_id, allowed=allowed, detail=detail)


def _secret_for(kind: Kind, settings: Settings, before: Settings | None) -> str:
    """Return the secret setting: the given one, the one that is set, or a new one."""
    given: str | None = settings.get(kind.secret)
    if given is not None:
        return given
    if before is not None and all(before[each] == settings[each] for each in kind.place):
        return cast(str, before[kind.secret])
    if kind.make is not None:
        return kind.make()
    if kind.optional and not (before is not None and before[kind.secret]):
        return ""
    problem = "is needed. Type it again if you have changed the address" if before else "is needed"
    raise InvalidField(field=kind.secret, problem=problem)


def _milliseconds(instant: int | None) -> int | None:
    return None if instant is None else instant // 1000
