"""Push subscriptions: a patient's page subscribes its phone, and looks up whether a phone is subscribed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import orjson

from server.domain.errors import InvalidField, PushNotOffered
from server.domain.flags import DEFAULTS, PATIENT_PUSH, Flags
from server.domain.messages import subscriber_of
from server.domain.model.ids import site_of
from server.notifying.channels.directory import settings_of
from server.notifying.channels.push import SERVICES, problem_of, public_key_of
from server.queries import channels
from server.queries import push as queries
from server.queries import sites as sites_read
from server.store import boards, planned_messages, push_subscriptions, sites
from server.store.database import Database, Transaction
from server.vault import Vault

Kind = Literal["ticket", "appointment"]


@dataclass(frozen=True, slots=True)
class PushShown:
    """``key`` is the key with which a browser subscribes, None where no push is offered.

    ``subscribed`` says whether a phone is subscribed.
    """

    key: str | None
    subscribed: bool


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """The push subscriptions of one database. ``services`` are the further push services that are allowed.

    A patient is named by the kind and the id of the ticket's visit or of the appointment.
    """

    _database: Database
    _vault: Vault
    _services: Sequence[str]
    _flags: Flags = DEFAULTS

    async def look(self, kind: Kind, subject_id: int) -> PushShown:
        """Return whether the site of a patient offers push messages, and whether a phone of the patient is subscribed.

        Raises `Unavailable`.
        """
        site = await sites_read.find(self._database, site_of(subject_id))
        # Every page of a patient asks: this is the usual answer.
        if "push" not in site.rules.message_ways or not self._flags.is_on(PATIENT_PUSH, site.id):
            return PushShown(None, False)
        async with self._database.read() as connection:
            row = await channels.enabled_by(connection, site.organisation_id, "push")
        found = await queries.patient(self._database, kind, subject_id)
        if row is None or found is None:
            return PushShown(None, False)
        return PushShown(public_key_of(settings_of(row, self._vault)[1]["private_key"]), found.subscribed)

    async def put(self, kind: Kind, subject_id: int, endpoint: str, keys: Mapping[str, str], page: str) -> None:
        """Subscribe the phone of a patient, in place of a former one. ``page`` is the path that its messages open.

        A patient who waits or is called gets the present message. Raises `PushNotOffered`, `InvalidField`, `Unavailable`.
        """
        if (await self.look(kind, subject_id)).key is None:
            raise PushNotOffered()
        problem = problem_of(endpoint, keys, (*SERVICES, *self._services))
        if problem is not None:
            raise InvalidField(field=problem[0], problem=problem[1])
        plain = orjson.dumps({"endpoint": endpoint, "keys": dict(keys), "page": page})
        await self._database.transact(lambda connection: self._put(connection, kind, subject_id, plain))

    async def remove(self, kind: Kind, subject_id: int) -> None:
        """End the subscription of a patient, if there is one. Raises `Unavailable`."""
        found = await queries.patient(self._database, kind, subject_id)
        if found is not None:
            async with self._database.write() as connection:
                await push_subscriptions.remove(connection, found.subscriber_id)

    def _put(self, connection: Transaction, kind: Kind, subject_id: int, plain: bytes) -> None:
        """Keep a subscription under the lock of the site: each command plans before it or with it, and none misses it."""
        site, now, _ = sites.lock(connection, site_of(subject_id), self._database.clock, embedded=self._database.embedded)
        found = queries.patient_in(connection, kind, subject_id)
        if found is None:
            return
        sealed = self._vault.seal(plain, push_subscriptions.seals_for(found.subscriber_id))
        push_subscriptions.put(connection, found.subscriber_id, site.organisation_id, sealed, now)
        if not found.is_here:
            return
        board = boards.load(connection, site)
        for visit in board.visits.values():
            if subscriber_of(visit) == found.subscriber_id:
                planned_messages.catch_up(connection, board, visit.id, self._vault, now)
