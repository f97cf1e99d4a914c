"""The deliverer: gives the events of every site's log to the webhooks, in order and at least once.

Of all processes, the holder of a lease delivers. A request begins only if the lease outlasts its time limit, so a webhook
never gets two requests at once. The position of a webhook is a number that only the delivery of the next event moves.
"""

from __future__ import annotations

import asyncio
import ssl
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import httpx
import structlog

from server.notifying.channels.channel import TIME_LIMIT_SECONDS
from server.notifying.webhooks.delivery import DELIVERED, GONE, Outcome, client, deliver
from server.notifying.webhooks.payload import name_of, payload
from server.notifying.webhooks.signing import Secrets
from server.queries import webhooks as queries
from server.queries.webhooks import PlaceRow, WebhookRow
from server.store import leases
from server.store import webhooks as store
from server.store.database import Database
from server.telemetry.outage import Outage
from server.vault import Vault

logger = structlog.get_logger(__name__)

LEASE = "webhooks"
LOOK_SECONDS = 1.0
FIRST_WAIT_SECONDS = 5.0  # after the first failure; twice as long after each further one
LONGEST_WAIT_SECONDS = 3600.0
OFF_AFTER_MICROSECONDS = 3 * 86_400_000_000
EVENTS_AT_ONCE = 50  # read and delivered before the next site of a webhook has its turn
WEBHOOKS_AT_ONCE = 100
STOP_SECONDS = 5.0  # a call that is cut then is repeated: a receiver knows repetitions by their id


@dataclass(frozen=True, slots=True)
class Limits:
    """The seconds that a call and a lease may take. A lease is longer than a call."""

    call: float = TIME_LIMIT_SECONDS
    lease: float = 30.0


USUAL = Limits()


@dataclass(frozen=True, slots=True)
class _Failure:
    """A failed delivery: its word, the number of failures of its site in a row, and the next try (microseconds)."""

    error: str
    in_a_row: int
    next_at: int

    @property
    def of_receiver(self) -> bool:
        """Whether the receiver may fail at every event."""
        return self.error in queries.AWAY

    @property
    def opens(self) -> bool:
        """Whether no request reaches the receiver, several times in a row."""
        return self.error in queries.UNREACHABLE and self.in_a_row >= queries.OPENS_AFTER


class Deliverer:
    """Delivers for as long as a process lives. ``tls`` replaces the system's trust."""

    def __init__(
        self, database: Database, vault: Vault, limits: Limits = USUAL, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self._database = database
        self._vault = vault
        self._limits = limits
        self._tls = tls
        self._holder = uuid.uuid4().hex
        self._held_until = 0.0  # of the steady clock of this process
        self._running: dict[int, asyncio.Task[bool]] = {}
        self._woken = asyncio.Event()
        self._stopping = False
        self._outage = Outage(logger, "webhooks not read")
        self._turns = Outage(logger, "webhooks not delivered")

    async def run(self) -> None:
        """Deliver until `stop`. No error ends this."""
        while not self._stopping:
            try:
                await self.look()
                self._outage.ended()
            except Exception as error:  # a fault in one look must not end all webhooks
                self._outage.failed(kind=type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._woken.wait()
            self._woken.clear()
        await self._end()

    def stop(self) -> None:
        """Begin no further call. `run` ends after the present calls, or cuts them after `STOP_SECONDS`."""
        self._stopping = True
        self._woken.set()

    async def look(self) -> bool:
        """Begin the deliveries that wait, and go on holding the lease while any is under way.

        Return whether this process may deliver. Raises `Unavailable`.
        """
        now = await self._database.now()
        waiting: dict[int, list[PlaceRow]] = {}
        for place in await queries.behind(self._database, now):
            if place.webhook_id not in self._running:
                waiting.setdefault(place.webhook_id, []).append(place)
        if not (waiting or self._running) or not await self._holds_lease(now):
            return False
        for webhook_id, places in list(waiting.items())[: WEBHOOKS_AT_ONCE - len(self._running)]:
            task = asyncio.create_task(self._turn(webhook_id, places))
            self._running[webhook_id] = task
            task.add_done_callback(self._ended(webhook_id))
        return True

    async def settle(self) -> None:
        """Wait for the present deliveries."""
        while self._running:
            await asyncio.wait(self._running.values())

    def _ended(self, webhook_id: int) -> Callable[[asyncio.Task[bool]], None]:
        def ended(task: asyncio.Task[bool]) -> None:
            del self._running[webhook_id]
            if task.cancelled():
                return
            error = task.exception()
            if error is not None:
                self._turns.failed(kind=type(error).__name__, webhook_id=webhook_id)
                return
            self._turns.ended()
            if task.result():
                self._woken.set()  # there may be more

        return ended

    async def _holds_lease(self, now: int) -> bool:
        asked = time.monotonic()
        if asked < self._held_until - 0.8 * self._limits.lease:
            return True
        async with self._database.write() as connection:
            if not await leases.take(connection, LEASE, self._holder, now, round(self._limits.lease * 1e6)):
                return False
        self._held_until = asked + self._limits.lease
        return True

    def _may_call(self) -> bool:
        return not self._stopping and time.monotonic() + self._limits.call < self._held_until

    async def _turn(self, webhook_id: int, places: Sequence[PlaceRow]) -> bool:
        """Deliver some events of each waiting site to one webhook; return whether any was delivered."""
        async with self._database.read() as connection:
            webhook = await queries.find(connection, webhook_id)
            circuit = await queries.unreachable(connection, webhook_id)
        if webhook is None or webhook.state != store.ON:
            return False
        try:
            secrets = Secrets.opened(self._vault.open(webhook.sealed, store.seals_for(webhook_id)))
        except ValueError:
            for place in places:
                await self._failed(webhook, place, Outcome("no-secret"))
            return False
        delivered = failures = 0
        if circuit is not None:
            if circuit.next_at > self._database.clock.now():
                await self._let_wait(webhook, places, circuit.error, circuit.next_at)
                return False
            places = sorted(places, key=lambda each: each.site_id != circuit.site_id)  # its site makes the trial
        async with client(self._limits.call, self._tls) as calling:
            for index, place in enumerate(places):
                after = await self._deliver_site(calling, webhook, secrets, place)
                if isinstance(after, _Failure):
                    failures = failures + 1 if after.of_receiver else 0
                    if failures >= queries.OPENS_AFTER or after.opens:
                        await self._let_wait(webhook, places[index + 1 :], after.error, after.next_at)
                        break
                elif after is None:
                    break
                else:
                    failures = 0
                    delivered += after - place.number
        return delivered > 0

    async def _deliver_site(
        self, calling: httpx.AsyncClient, webhook: WebhookRow, secrets: Secrets, place: PlaceRow
    ) -> int | _Failure | None:
        """Deliver the next events of a site; return the number of the last delivered event, or the failure of the next.

        None ends the turn of the webhook: somebody has changed it, or this process may not call any more.
        """
        if place.number > place.last:  # a backup was restored: the log gives these numbers again
            async with self._database.write() as connection:
                await store.advance(connection, webhook.id, place.site_id, place.number, place.last)
            return place.number
        for recorded in await queries.events_after(self._database, place.site_id, place.number, EVENTS_AT_ONCE):
            if not self._may_call():
                return None
            outcome = await deliver(
                calling,
                webhook.url,
                secrets,
                name_of(place.site_id, place.epoch, recorded.seq),
                payload(place.site_id, place.epoch, recorded),
                now=self._database.clock.now(),
                limit_seconds=self._limits.call,
            )
            if outcome.word == GONE:
                await self._gone(webhook)
                return None
            if outcome.word != DELIVERED:
                return await self._failed(webhook, place, outcome)
            async with self._database.write() as connection:
                changed_at = await queries.locked_changed_at(connection, webhook.id)
                mine = await store.advance(connection, webhook.id, place.site_id, place.number, recorded.seq)
            if not mine or changed_at != webhook.changed_at:
                return None
            place = replace(place, number=recorded.seq, failures=0, failing_since=None)
        return place.number

    async def _failed(self, webhook: WebhookRow, place: PlaceRow, outcome: Outcome) -> _Failure | None:
        """Note a failure, and return it. None means that an administrator has changed the webhook meanwhile."""
        now = await self._database.now()
        since = now if place.failing_since is None else place.failing_since
        off = now - since >= OFF_AFTER_MICROSECONDS
        wait = min(FIRST_WAIT_SECONDS * 2 ** min(place.failures, 16), LONGEST_WAIT_SECONDS)
        wait = min(max(wait, outcome.wait_seconds or 0.0), LONGEST_WAIT_SECONDS)
        failure = _Failure(outcome.word, place.failures + 1, now + round(wait * 1e6))
        async with self._database.write() as connection:
            if await queries.locked_changed_at(connection, webhook.id) != webhook.changed_at:
                return None  # the failure is one of the settings before
            await store.fail(
                connection,
                place.webhook_id,
                place.site_id,
                place.number,
                error=outcome.word,
                failures=failure.in_a_row,
                since=since,
                next_at=None if off else failure.next_at,
                off_at=now if off else None,
            )
        log = logger.warning if off or not place.failures else logger.info
        what = "webhook switched off" if off else "webhook failed"
        log(what, webhook_id=place.webhook_id, site_id=place.site_id, error=outcome.word)
        return failure

    async def _let_wait(self, webhook: WebhookRow, places: Sequence[PlaceRow], error: str, next_at: int) -> None:
        """Let other sites wait for the next trial of a receiver that is away. Nothing was sent for them."""
        now = await self._database.now()
        async with self._database.write() as connection:
            if await queries.locked_changed_at(connection, webhook.id) != webhook.changed_at:
                return
            for place in places:
                since = now if place.failing_since is None else place.failing_since
                await store.wait(
                    connection, webhook.id, place.site_id, place.number, error=error, since=since, next_at=next_at
                )

    async def _gone(self, webhook: WebhookRow) -> None:
        now = await self._database.now()
        async with self._database.write() as connection:
            await store.end(connection, webhook.id, webhook.changed_at, now)
        logger.warning("webhook switched off", webhook_id=webhook.id, error=GONE)

    async def _end(self) -> None:
        """End the calls under way, and let another process go on at once."""
        if self._running:
            await asyncio.wait(self._running.values(), timeout=STOP_SECONDS)
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)
        if self._held_until:
            await leases.give_up(self._database, self._holder)
