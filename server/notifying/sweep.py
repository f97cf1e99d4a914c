"""The sweep: claims the due rows, gives each message to its channel at most once, and records what became of it."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from server.circuits import Pace
from server.domain.errors import Unavailable
from server.domain.messages import Way
from server.domain.rules.messages import tried_again_at
from server.notifying import circuits
from server.notifying.channels.channel import (
    TIME_LIMIT_SECONDS,
    Channel,
    ChannelBusy,
    ChannelRefused,
    ChannelUnreachable,
    Message,
)
from server.notifying.circuits import Circuits
from server.notifying.compose import compose, next_way, other_way, reachable
from server.notifying.context import Context
from server.notifying.plan import plan_again
from server.queries import messages
from server.queries.messages import AGAIN_MICROSECONDS, BEAT, LEASE, Subject
from server.store import leases, notifications, opt_outs, push_subscriptions
from server.store.notifications import NO_ADDRESS, NO_CHANNEL, PROVIDER_AWAY, UNSUBSCRIBED, Claimed, Outcome
from server.store.opt_outs import HashedAddress, hashed
from server.telemetry import tracing
from server.telemetry.outage import Outage

logger = structlog.get_logger(__name__)

MOST_TRIES = 3  # while a provider is busy
MOST_TRIES_WITH_KEY = 8  # where a provider accepts a key only once, so that a lost answer may be asked for again
TRIAL_SECONDS = 5.0  # the least wait of a row while another one tries the provider
BUSY_SECONDS = 30.0  # after the first try; twice as long after each further one
SWEEP_SECONDS = (5.0, 10.0)
LOOK_SECONDS = 1.0
BEAT_SECONDS = 15.0  # between two notes that beat runs


@dataclass(frozen=True, slots=True)
class Limits:
    """The seconds that a call, a sending without an end, a claim and a lease may take; and the number of calls at once."""

    call: float = TIME_LIMIT_SECONDS
    sending: float = 180.0
    claim: float = 30.0
    lease: float = 30.0
    at_once: int = 200


USUAL = Limits()


@dataclass(frozen=True, slots=True)
class _Call:
    """A message on its way to a channel. ``again``: an earlier try may have reached the provider.

    ``circuit`` is the name of the circuit before the provider, if there is one.
    """

    row: Claimed
    channel: Channel
    message: Message
    address: HashedAddress
    subject: Subject
    again: bool = False
    circuit: str | None = None


async def _always() -> bool:
    return True


class Sweep:
    """One sweep over all due rows. Any number of sweeps may run at the same time: the rows decide.

    ``circuits`` are those that the process keeps from sweep to sweep.
    """

    def __init__(self, context: Context, limits: Limits = USUAL, circuits: Circuits | None = None) -> None:
        self._context = context
        self._limits = limits
        self._circuits = circuits or Circuits(context.database)
        self._claimer = uuid.uuid4().hex
        self._running: set[asyncio.Task[Outcome | None]] = set()
        self._unsubscribed: dict[int, _Call] = {}  # refused for this reason, by the ids of their rows
        self._gone: dict[int, _Call] = {}  # by their rows: the subscription has ended
        self.done: Counter[str] = Counter()  # the rows by their new state; `no-channel` and `provider-away` are apart

    async def run(self, goes_on: Callable[[], Awaitable[bool]] = _always) -> None:
        """Send until no due row is left, or ``goes_on`` says no. Begun calls then still end. Raises `Unavailable`."""
        try:
            await self._take_up_stale()
            while await goes_on():
                room = self._limits.at_once - len(self._running)
                claimed = 0
                if 2 * room >= self._limits.at_once:  # else each claim would find room for a few rows only
                    claimed = await self._claim(room)
                if not claimed and not self._running:
                    return
                await self._settle()
        finally:
            while self._running:
                await self._settle()

    async def _claim(self, limit: int) -> int:
        """Claim rows and begin to send them; return the number of claimed rows."""
        database, now = self._context.database, await self._context.database.now()
        async with database.write() as connection:
            stale = now - _microseconds(self._limits.claim)
            rows = await notifications.claim(connection, self._claimer, now, stale, limit)
        if not rows:
            return 0
        calls, ended = await self._prepared(rows, now)
        if ended:
            await self._record(ended)
        if calls:
            now = await database.now()
            async with database.write() as connection:
                begun, opted_out = await notifications.begin(connection, self._claimer, _begun(calls), now)
                elsewhere = self._next_ways(each for each in calls if each.row.id in opted_out)
                await notifications.reroute(connection, elsewhere, now)
            self.done["not begun"] += len(calls) - len(begun)
            self._give_back(each for each in calls if each.row.id not in begun)
            # Committed: from here on nobody else calls a provider for these rows.
            self._start([each for each in calls if each.row.id in begun])
        return len(rows)

    async def _take_up_stale(self) -> None:
        """End the rows whose sending never ended: send again where the provider accepts a key only once, else give up."""
        database, now = self._context.database, await self._context.database.now()
        before = now - _microseconds(self._limits.sending)
        async with database.read() as connection:
            rows = await notifications.stale(connection, before, self._limits.at_once)
        if not rows:
            return
        keyed = [row for row, organisation_id in rows if await self._may_ask_again(row, organisation_id)]
        prepared, ended = await self._prepared(keyed, now, again=True) if keyed else ([], [])
        calls = {each.row.id: each for each in prepared}
        waiting = {each.id for each in ended if each.state == "due" and each.reason != NO_CHANNEL}
        async with database.write() as connection:
            taken: set[int] = set()
            if calls:
                taken = await notifications.take_over(connection, self._claimer, _begun(calls.values()), before, now)
            if waiting:
                await notifications.leave_stale(connection, waiting, before, now)
            lost = [row.id for row, _ in rows if row.id not in taken | waiting]
            given_up = await notifications.give_up(connection, lost, before, now) if lost else 0
        if given_up:
            self.done["unknown"] += given_up
            logger.warning("notifications of unknown outcome", count=given_up)
        self._give_back(each for row_id, each in calls.items() if row_id not in taken)
        self._start([calls[each] for each in taken])

    async def _may_ask_again(self, row: Claimed, organisation_id: int) -> bool:
        channel = await self._context.channels.of(organisation_id, row.channel)
        return channel is not None and channel.honours_key and row.attempts < MOST_TRIES_WITH_KEY

    async def _prepared(
        self, rows: Sequence[Claimed], now: int, *, again: bool = False
    ) -> tuple[list[_Call], list[Outcome]]:
        """Return the calls to make for these rows, and the outcomes of the rows without a call."""
        calls: list[_Call] = []
        ended: list[Outcome] = []
        otherwise: dict[int, Way] = {}
        subjects = await messages.subjects(self._context.database, rows)
        await self._circuits.look()
        for row in rows:
            subject = reachable(subjects[row.id], self._context.flags)
            if now >= row.not_after:
                ended.append(Outcome(row.id, "expired"))
                continue
            channel = await self._context.channels.of(subject.site.organisation_id, row.channel)
            if channel is None:
                ended.append(Outcome(row.id, "due", NO_CHANNEL, due_at=min(now + AGAIN_MICROSECONDS, row.not_after)))
                continue
            way = None
            try:
                message = compose(row, subject, self._context.vault, self._context.public_url, now)
                if message is None and not again:
                    way = other_way(row, subject, self._context.vault)
            except Exception as error:  # one row, for example under a lost key, must not keep the others back
                logger.warning("message not composed", notification_id=row.id, error=type(error).__name__)
                ended.append(Outcome(row.id, "failed", "not-composed"))
                continue
            if message is not None:
                circuit = channel.circuit(message.to)
                if circuit is not None and not await self._circuits.admits(circuit):
                    ended.append(self._waiting(row, subject, circuit, now))
                    continue
                address = hashed(self._context.vault, subject.site.organisation_id, row.channel, message.to)
                calls.append(_Call(row, channel, message, address, subject, again, circuit))
            elif way is not None:
                otherwise[row.id] = way
            else:
                ended.append(Outcome(row.id, "suppressed", NO_ADDRESS))
        if otherwise:
            async with self._context.database.write() as connection:
                await notifications.go_otherwise(connection, self._claimer, otherwise, now)
            self.done["other way"] += len(otherwise)
        return calls, ended

    def _next_ways(self, calls: Iterable[_Call]) -> dict[int, Way]:
        """Return by the ids of rows the next way of their patients, where there is one."""
        ways = {each.row.id: next_way(each.row, each.subject, self._context.vault) for each in calls}
        return {row_id: way for row_id, way in ways.items() if way is not None}

    def _start(self, calls: Sequence[_Call]) -> None:
        self._running |= {asyncio.create_task(self._outcome_of(each)) for each in calls}

    async def _outcome_of(self, call: _Call) -> Outcome | None:
        """Call the provider. None leaves the row in ``sending``, so that its message is sent again with the same key."""
        row, circuit = call.row, call.circuit
        if self._context.database.clock.now() >= row.not_after:  # the process or its machine slept
            return Outcome(row.id, "unknown" if call.again else "expired")
        try:
            async with asyncio.timeout(self._limits.call):
                with tracing.span(f"message by {call.row.channel}"):
                    accepted = await call.channel.send(call.message)
        except ChannelRefused as refusal:
            if refusal.asked:
                self._succeeded(circuit)  # it works, and refuses this one message
            else:
                self._give_back([call])
            logger.warning("channel refused", notification_id=row.id, reason=refusal.reason)
            if refusal.reason == UNSUBSCRIBED:
                self._unsubscribed[row.id] = call
            if refusal.gone and row.channel == "push" and not call.again:
                self._gone[row.id] = call
            return Outcome(row.id, "unknown" if call.again else "failed", refusal.reason)
        except ChannelBusy as busy:
            self._failed(circuit, busy.retry_after_seconds or 0.0)
            return None if call.again else self._later(call, busy)
        except (Exception, asyncio.CancelledError) as error:  # the provider may have accepted the message
            if isinstance(error, Exception):  # a stop of this process says nothing about the provider
                self._failed(circuit)
            logger.warning("channel failed", notification_id=row.id, error=type(error).__name__)
            if call.channel.honours_key:
                return None
            return Outcome(row.id, "unknown", "no-answer" if isinstance(error, TimeoutError) else "broken-call")
        self._succeeded(circuit)
        return Outcome(row.id, "sent", provider_id=accepted.provider_id)

    def _give_back(self, calls: Iterable[_Call]) -> None:
        """Let others make the trials of these calls, which do not take place."""
        for each in calls:
            if each.circuit is not None:
                self._circuits.give_back(each.circuit)

    def _succeeded(self, circuit: str | None) -> None:
        if circuit is not None:
            self._circuits.succeeded(circuit)

    def _failed(self, circuit: str | None, wish: float = 0.0) -> None:
        if circuit is not None:
            self._circuits.failed(circuit, wish)

    def _waiting(self, row: Claimed, subject: Subject, circuit: str, now: int) -> Outcome:
        """Return the next try of a row whose provider is left alone. At its last useful instant the row expires.

        A row that waits for the end of the quiet hours has no reason: the end of the outage must not wake its patient.
        """
        next_at = max(self._circuits.next_at(circuit) or now, now + _microseconds(TRIAL_SECONDS))
        due_at = tried_again_at(row.kind, subject.site, next_at, row.not_after)
        return Outcome(row.id, "due", None if due_at > next_at else PROVIDER_AWAY, due_at=due_at, attempts=row.attempts)

    def _later(self, call: _Call, busy: ChannelBusy) -> Outcome:
        """Return the next try of a row whose provider is busy or away: it certainly sent nothing."""
        row, site, now = call.row, call.subject.site, self._context.database.clock.now()
        if call.circuit is not None and self._circuits.next_at(call.circuit) is not None:
            return self._waiting(row, call.subject, call.circuit, now)
        if isinstance(busy, ChannelUnreachable):  # this says nothing about the message, so no try is counted
            due_at = tried_again_at(row.kind, site, now + _microseconds(BUSY_SECONDS), row.not_after)
            return Outcome(row.id, "due", busy.reason, due_at=due_at, attempts=row.attempts)
        if row.attempts + 1 >= MOST_TRIES:
            return Outcome(row.id, "failed", "busy")
        seconds = max(BUSY_SECONDS * 2**row.attempts, busy.retry_after_seconds or 0.0)
        due_at = now + _microseconds(seconds)
        if due_at >= row.not_after:
            return Outcome(row.id, "expired", "busy")
        return Outcome(row.id, "due", "busy", due_at=due_at)

    async def _settle(self) -> None:
        """Wait for calls to end, a second at most, and record what became of them and of the circuits."""
        if self._running:
            ended, self._running = await asyncio.wait(self._running, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
            outcomes = [outcome for each in ended if (outcome := each.result()) is not None]
            if outcomes:
                await self._record(outcomes)
        with suppress(Unavailable):  # a later look writes them
            await self._circuits.save()

    async def _record(self, outcomes: Sequence[Outcome]) -> None:
        """Record outcomes. While the database is away, try for as long as the rows stay in ``sending``."""
        database, until = self._context.database, time.monotonic() + self._limits.sending
        # Opt-outs that a provider knew before us.
        refused = [call for each in outcomes if (call := self._unsubscribed.get(each.id)) is not None]
        gone = [self._gone.pop(each.id) for each in outcomes if each.id in self._gone]
        while True:
            try:
                now = await database.now()
                async with database.write() as connection:
                    await notifications.record(connection, self._claimer, outcomes, now)
                    await opt_outs.add(connection, [each.address for each in refused], "provider", now)
                    await notifications.reroute(connection, self._next_ways(refused), now)
                    for call in gone:  # a newer subscription stays, and the message goes out on another way
                        if (ended := call.subject.subscription) is not None:
                            await push_subscriptions.remove(connection, ended.subject_id, ended.created_at)
                        if (way := other_way(call.row, call.subject, self._context.vault)) is not None:
                            await notifications.repeat_otherwise(connection, call.row.id, way, now)
                break
            except Unavailable:
                if time.monotonic() >= until:
                    logger.warning("outcomes of messages not recorded", count=len(outcomes))
                    raise
                await asyncio.sleep(LOOK_SECONDS)
        self.done.update(each.reason if each.reason in (NO_CHANNEL, PROVIDER_AWAY) else each.state for each in outcomes)


class Sweeper:
    """Sweeps every few seconds for as long as a process lives. Of all processes, the holder of the lease sweeps."""

    def __init__(self, context: Context, limits: Limits = USUAL, pace: Pace = circuits.USUAL) -> None:
        self._context = context
        self._limits = limits
        self._circuits = Circuits(context.database, pace)
        self._holder = uuid.uuid4().hex
        self._woken = asyncio.Event()
        self._stopping = False
        self._renew_at = 0.0
        self._beat_heard = False
        self._note_beat_at = 0.0
        self._outage = Outage(logger, "messages not swept")
        self._channel_outage = Outage(logger, "messages have no channel: connect one, or set NOWSERVING_RECORDING_PATH")

    async def run(self) -> None:
        """Sweep until `stop`. No error ends this."""
        while not self._stopping:
            try:
                await self._note_beat()
                await self.sweep()
                self._outage.ended()
            except Exception as error:  # a fault in one sweep must not end all messages
                self._outage.failed(kind=type(error).__name__)
            await self._rest()
        await leases.give_up(self._context.database, self._holder)

    def wake(self) -> None:
        """Begin the next sweep now, because beat asks for it."""
        self._beat_heard = True
        self._woken.set()

    def stop(self) -> None:
        """Claim no further rows. `run` ends after the calls that have begun, each within its time limit."""
        self._stopping = True
        self._woken.set()

    async def sweep(self) -> Counter[str] | None:
        """Sweep once, and plan; return the number of rows by their new state, or None while another process sweeps.

        Raises `Unavailable`.
        """
        if not await self._holds_lease():
            return None
        sweep = Sweep(self._context, self._limits, self._circuits)
        await sweep.run(self._goes_on)
        if sweep.done[NO_CHANNEL]:
            self._channel_outage.failed(count=sweep.done[NO_CHANNEL])
        elif sweep.done:
            self._channel_outage.ended()
        await plan_again(self._context)
        now = await self._context.database.now()
        async with self._context.database.write() as connection:
            await leases.finish(connection, LEASE, self._holder, now)
        return sweep.done

    async def _note_beat(self) -> None:
        """Note for the health of the installation that beat runs, at most every few seconds. Raises `Unavailable`."""
        if self._beat_heard and time.monotonic() >= self._note_beat_at:
            now = await self._context.database.now()
            async with self._context.database.write() as connection:
                await leases.note(connection, BEAT, self._holder, now)
            self._beat_heard = False
            self._note_beat_at = time.monotonic() + BEAT_SECONDS

    async def _goes_on(self) -> bool:
        return not self._stopping and (time.monotonic() < self._renew_at or await self._holds_lease())

    async def _holds_lease(self) -> bool:
        held = await leases.hold(self._context.database, LEASE, self._holder, _microseconds(self._limits.lease))
        self._renew_at = time.monotonic() + self._limits.lease / 3
        return held

    async def _rest(self) -> None:
        """Wait for the next sweep: until there is a due row or somebody wakes this, some seconds at most."""
        until = time.monotonic() + random.uniform(*SWEEP_SECONDS)  # nosec B311 # spreads load, keeps no secret
        while time.monotonic() < until and not self._woken.is_set():
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                with suppress(Exception):  # the next sweep reports it
                    if await messages.is_due(self._context.database):
                        break
        self._woken.clear()


def _begun(calls: Iterable[_Call]) -> list[notifications.Begun]:
    return [notifications.Begun(each.row.id, each.address, each.channel.receipt_name(each.message.key)) for each in calls]


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)
