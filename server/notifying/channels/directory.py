"""The directory: gives the configured channel of an organisation and a way, and keeps it open between messages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import orjson

from server.domain.errors import Unavailable
from server.notifying.channels.channel import (
    TIME_LIMIT_SECONDS,
    Accepted,
    Channel,
    ChannelBusy,
    ChannelRefused,
    ChannelUnreachable,
    Message,
    Reaches,
)
from server.notifying.channels.kinds import KINDS, Installed, Way
from server.queries import channels as queries
from server.queries.channels import ChannelRow
from server.store import channels as store
from server.store.database import Database
from server.vault import Vault

KEPT_SECONDS = 15.0  # until a changed channel is known in every process
NONE_KEPT_SECONDS = 1.0  # an administrator who has just connected a channel tries it
NOTED_SECONDS = 60.0  # the same outcome is noted once in this time
RECEIPTS_PATH = "/api/v1/receipts/"


def outcome_of(error: Exception | None) -> str:
    """Return the word for the outcome of a message: ``accepted``, a reason, ``busy`` or ``no-answer``."""
    match error:
        case None:
            return "accepted"
        case ChannelRefused(reason=reason) | ChannelUnreachable(reason=reason):
            return reason
        case ChannelBusy():
            return "busy"
    return "no-answer"


def settings_of(row: ChannelRow, vault: Vault) -> tuple[str, dict[str, Any]]:
    """Return the own secret of an enabled channel, and its settings. Raises `ValueError` without the key of the vault."""
    assert row.sealed is not None, "an enabled channel has settings"
    stored = orjson.loads(vault.open(row.sealed, store.seals_for(row.organisation_id, row.way)))
    return stored["secret"], stored["settings"]


def reports_to(public_url: str | None, secret: str) -> str | None:
    """Return the address to which a channel's provider reports; None if the provider cannot reach this installation."""
    return None if public_url is None else f"{public_url.rstrip('/')}{RECEIPTS_PATH}{secret}"


def circuit_of(kind: str, service: str | int) -> str:
    """Return the name of the circuit before a service: the id of a channel's row, or the host of a push service."""
    return f"{kind}:{service}"


class OpenChannel:
    """The channel of one row. It notes its outcomes in the row, and closes itself after its last message."""

    def __init__(
        self,
        row: ChannelRow,
        database: Database,
        vault: Vault,
        public_url: str | None,
        limit_seconds: float,
        push_services: Sequence[str] = (),
    ) -> None:
        secret, settings = settings_of(row, vault)
        receipts_url = reports_to(public_url, secret)
        installed = Installed(cast(Way, row.way), secret, receipts_url, database.clock.now, limit_seconds, push_services)
        self._inner: Channel = KINDS[row.kind].build(settings, installed)
        self._id: int = row.id
        self._database = database
        self._noted = ("", 0.0)
        self._sending = 0
        self._retired = False

    @property
    def name(self) -> str:
        """The kind of the channel."""
        return self._inner.name

    @property
    def reaches(self) -> Reaches:
        """The kind of address that the channel needs."""
        return self._inner.reaches

    @property
    def honours_key(self) -> bool:
        """Whether the provider accepts a message with the same key only once."""
        return self._inner.honours_key

    def receipt_name(self, key: str) -> str | None:
        """Return the provider's name for the message with ``key``, if it is known before the call."""
        return self._inner.receipt_name(key)

    def circuit(self, to: str) -> str:
        """Return the name of the circuit: by the row of the channel, or by the push service of an address."""
        return circuit_of(self.name, self._inner.circuit(to) or self._id)

    async def send(self, message: Message) -> Accepted:
        """Send one message, as the contract of channels says."""
        self._sending += 1
        failed: Exception | None = None
        try:
            return await self._inner.send(message)
        except Exception as error:
            failed = error
            raise
        finally:
            self._sending -= 1
            await self._note(outcome_of(failed))
            if self._retired and not self._sending:
                await self._inner.close()

    async def close(self) -> None:
        """Close the connections, at once or after the present messages: cut, they would be of unknown outcome."""
        self._retired = True
        if not self._sending:
            await self._inner.close()

    async def _note(self, outcome: str) -> None:
        word, noted_at = self._noted
        if outcome == word and time.monotonic() - noted_at < NOTED_SECONDS:
            return
        self._noted = (outcome, time.monotonic())
        with suppress(Unavailable):  # the message is what counts
            async with self._database.write() as connection:
                await store.note_outcome(connection, self._id, outcome, self._database.clock.now())


@dataclass(frozen=True, slots=True)
class _Kept:
    version: tuple[int, int] | None  # the row and its last change; None without a row
    channel: OpenChannel | None
    until: float


class Directory:
    """The channels of all organisations, as one process uses them.

    ``public_url`` is the address of this installation, if set: without it, providers send no receipts. A change of a
    channel is known after ``kept_seconds``, and the first one of a way after `NONE_KEPT_SECONDS`. ``push_services`` are as
    for `Installed`.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        public_url: str | None,
        *,
        kept_seconds: float = KEPT_SECONDS,
        limit_seconds: float = TIME_LIMIT_SECONDS,
        push_services: Sequence[str] = (),
    ) -> None:
        self._database = database
        self._vault = vault
        self._public_url = public_url
        self._kept_seconds = kept_seconds
        self._limit_seconds = limit_seconds
        self._push_services = push_services
        self._kept: dict[tuple[int, str], _Kept] = {}
        self._lock = asyncio.Lock()

    async def of(self, organisation_id: int, way: str) -> Channel | None:
        """Return the channel that an organisation uses for a way, or None if none is configured. Raises `Unavailable`."""
        key = (organisation_id, way)
        async with self._lock:
            kept = self._kept.get(key)
            if kept is not None and time.monotonic() < kept.until:
                return kept.channel
            async with self._database.read() as connection:
                row = await queries.enabled_by(connection, organisation_id, way)
            version = None if row is None else (row.id, row.changed_at)
            channel = None if kept is None else kept.channel
            if kept is None or kept.version != version:
                if channel is not None:
                    await channel.close()
                channel = None if row is None else self._opened(row)
            seconds = self._kept_seconds if channel is not None else min(NONE_KEPT_SECONDS, self._kept_seconds)
            self._kept[key] = _Kept(version, channel, time.monotonic() + seconds)
            return channel

    async def close(self) -> None:
        """Close every channel."""
        async with self._lock:
            for kept in self._kept.values():
                if kept.channel is not None:
                    await kept.channel.close()
            self._kept.clear()

    def _opened(self, row: ChannelRow) -> OpenChannel:
        return OpenChannel(row, self._database, self._vault, self._public_url, self._limit_seconds, self._push_services)
