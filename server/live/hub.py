"""The hub of one process: its feeds, its bus, the once-a-second look at the log, and the drain."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import structlog

from server.domain.board import Board
from server.domain.errors import PointNotFound, Unavailable
from server.domain.events import Recorded
from server.domain.model import Display, Point, Visit
from server.domain.views import View
from server.live.bus import Bus
from server.live.displays import Displays
from server.live.feed import Feed, Head, Loader
from server.live.handoff import Lines
from server.live.messages import Message, Position, Reason
from server.live.stream import OPEN, SESSION, STALLED_SECONDS, Outlet, Stream

logger = structlog.get_logger(__name__)

FLUSH_SECONDS = 0.05
HEAD_CHECK_SECONDS = 1.0
SESSION_CHECK_SECONDS = 1.0
LINGER_SECONDS = 30.0
DRAIN_SECONDS = 8.0


class HeadLoader(Loader, Protocol):
    """A loader that also reads many heads at once."""

    async def heads(self, site_ids: Iterable[int]) -> Mapping[int, Head]: ...


# Returns the roles of those of the given sessions that have not ended.
Living = Callable[[Collection[str]], Awaitable[Mapping[str, str]]]


async def _all_live(session_ids: Collection[str]) -> Mapping[str, str]:
    raise AssertionError("a hub that sessions follow is told which of them live")


@dataclass(frozen=True, slots=True)
class Limits:
    """How many streams a process takes: in all, from one address, for one token."""

    streams: int
    per_address: int
    per_token: int


class OverCap(Exception):
    """One stream too many."""


class Hub:
    """Everything live in one process. `start` it, `follow` views, `publish` after commits, `drain` and `stop` it.

    ``living`` tells which sessions have not ended: it is asked once a second for all that have streams here. A reader that
    takes nothing for ``stalled_seconds`` is cut off.
    """

    def __init__(
        self,
        loader: HeadLoader,
        bus: Bus,
        heartbeat_seconds: float,
        limits: Limits,
        living: Living = _all_live,
        stalled_seconds: float = STALLED_SECONDS,
    ) -> None:
        self._loader = loader
        self.bus = bus
        self._heartbeat_seconds = heartbeat_seconds
        self._limits = limits
        self._living = living
        self._stalled_seconds = stalled_seconds
        self.lines = Lines(heartbeat_seconds, stalled_seconds, self.leave, self._count)
        self._feeds: dict[int, asyncio.Task[Feed]] = {}
        self._early: dict[int, list[tuple[str, Sequence[Recorded]]]] = {}  # offered while a feed was loading
        self._watched_at: dict[int, float] = {}
        self._streams: dict[Stream, None] = {}
        self._by_address: Counter[str] = Counter()
        self._by_token: Counter[str] = Counter()
        self._by_subject: dict[str, dict[Stream, None]] = {}
        self._checkers: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.displays: Displays | None = None  # set before the start by whoever wants the log to know how they are
        self.draining = False
        self.lag_seconds = 0.0
        self._refills_before = 0  # of feeds that are closed
        self.delivered: Counter[str] = Counter()
        self.bytes_delivered: Counter[str] = Counter()
        self.closed: Counter[tuple[str, str]] = Counter()  # by view and reason
        self.disagreements: Counter[str] = Counter()  # by view

    async def start(self) -> None:
        """Begin to listen and to check."""
        await self.bus.start(self.offer, self._check_soon)
        checks = [self._check_heads, self._check_sessions, self.lines.run]
        if self.displays is not None:
            checks.append(self.displays.run)
        self._checkers = [asyncio.create_task(each()) for each in checks]

    async def stop(self) -> None:
        """End every task and let go of the bus."""
        tasks = [*self._checkers, *self._tasks, *self._feeds.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for stream in list(self._streams):
            stream.abort()  # what was handed off is known to nobody else
        for feed in self._loaded():
            feed.close()
        await self.bus.stop()

    # Writing

    def publish(self, site_id: int, epoch: str, events: Sequence[Recorded]) -> None:
        """Show a commit: to this process's feed at once, to the others over the bus."""
        self.offer(site_id, epoch, events)
        self.bus.publish(site_id, epoch, events)

    def offer(self, site_id: int, epoch: str, events: Sequence[Recorded]) -> None:
        """Take events of a site, if this process has a feed for it."""
        task = self._feeds.get(site_id)
        if task is None:
            return
        if task.done():
            if not task.cancelled() and task.exception() is None:
                task.result().offer(epoch, events)
        else:
            self._early.setdefault(site_id, []).append((epoch, events))

    # Reading

    def board(self, site_id: int) -> Board | None:
        """Return the board of a site that this process follows, as far as it has come; or None. Not to be changed."""
        task = self._feeds.get(site_id)
        if task is None or not task.done() or task.cancelled() or task.exception() is not None:
            return None
        return task.result().board

    async def follow(
        self, site_id: int, view: View, since: Position | None, *, address: str, token: str
    ) -> AsyncIterator[Message]:
        """Yield a view's messages from ``since`` on, until the stream ends with a ``bye`` or the caller leaves.

        Raises `OverCap` before the first message, `SiteNotFound`, `Unavailable`.
        """
        stream = await self.enrol(site_id, view, since, address=address, token=token)
        try:
            async for message in self.deliver(stream):
                yield message
        finally:
            self.leave(stream)

    async def deliver(self, stream: Stream) -> AsyncIterator[Message]:
        """Yield an enrolled stream's messages to whatever writes them, counting each."""
        async for message in stream:
            self._count(message.kind, 1, len(message.payload))
            yield message

    def _count(self, kind: str, messages: int, size: int) -> None:
        self.delivered[kind] += messages
        self.bytes_delivered[kind] += size

    async def enrol(
        self,
        site_id: int,
        view: View,
        since: Position | None,
        *,
        address: str,
        token: str,
        proof: str | None = None,
        subject: str | None = None,
        outlet: Outlet = OPEN,
        transport: str = "",
    ) -> Stream:
        """Admit a stream; the caller must `leave` it. Raises as `follow` does.

        ``token``, ``proof``, ``outlet`` and ``transport`` are as in `Stream`; a token ``session:...`` names a session.
        ``subject`` is the record (``display:812``) that the stream ends with: when it is taken away, or has another token
        than ``proof``.
        """
        self._admit(address, token)
        try:
            feed = await self._feed(site_id)
            here = feed.position
            ahead = since is not None and here is not None and since.epoch == here.epoch and since.seq > here.seq
            device_proof = None if token.startswith(SESSION) else proof
            if ahead or (subject is not None and not _stands(feed.board, subject, device_proof)):
                # It has seen more than we have: another process told it, or gave it its token just now.
                with suppress(Unavailable):
                    await feed.refill()
                feed.flush()
            if subject is not None and subject.startswith("point:") and not _stands(feed.board, subject, None):
                raise PointNotFound(point_id=int(subject.removeprefix("point:")))
            stream = Stream(
                feed,
                feed.projection(view),
                since,
                self._heartbeat_seconds,
                address=address,
                token=token,
                proof=proof,
                outlet=outlet,
                transport=transport,
                stalled_seconds=self._stalled_seconds,
            )
        except BaseException:
            self._dismiss(address, token)
            raise
        self._streams[stream] = None
        if subject is not None:
            self._by_subject.setdefault(subject, {})[stream] = None
            stream.subject = subject
            if self.displays is not None and stream.display is not None:
                self.displays.joined(stream.display.id, stream)
            if device_proof is not None and not _stands(feed.board, subject, proof):
                stream.end("revoked")
        if self.draining:
            stream.end("drain")
        logger.info("stream opened", view=stream.view_kind, transport=transport, site_id=site_id)
        return stream

    def leave(self, stream: Stream) -> None:
        """Let go of a stream."""
        if self._streams.pop(stream, stream) is None:
            stream.close()
            self._dismiss(stream.address, stream.token)
            reason = ("slow" if stream.cut else stream.ending) or "left"
            self.closed[stream.view_kind, reason] += 1
            logger.info(
                "stream closed",
                view=stream.view_kind,
                transport=stream.transport,
                site_id=stream.site_id,
                seconds=round(time.monotonic() - stream.opened_at, 3),
                reason=reason,
            )
            if stream.subject is not None:
                if self.displays is not None and stream.display is not None:
                    self.displays.left(stream.display.id, stream)
                beside = self._by_subject[stream.subject]
                del beside[stream]
                if not beside:
                    del self._by_subject[stream.subject]

    def end(self, token: str, reason: Reason) -> None:
        """End the streams that are counted under a token: who follows may not any more."""
        for stream in [each for each in self._streams if each.token == token]:
            stream.end(reason)

    def _admit(self, address: str, token: str) -> None:
        if (
            self._by_address.total() >= self._limits.streams
            or self._by_address[address] >= self._limits.per_address
            or self._by_token[token] >= self._limits.per_token
        ):
            raise OverCap
        self._by_address[address] += 1
        self._by_token[token] += 1

    def _dismiss(self, address: str, token: str) -> None:
        for counter, key in ((self._by_address, address), (self._by_token, token)):
            counter[key] -= 1
            if counter[key] <= 0:
                del counter[key]

    def streams_by_view(self) -> Counter[str]:
        """Return how many streams are open, by kind of view."""
        return Counter(stream.view_kind for stream in self._streams)

    def painted(self, display_id: int, seq: int, muted: bool | None, version: str | None) -> None:
        """A display says how far it has painted; see `server.live.displays`."""
        if self.displays is not None:
            self.displays.painted(display_id, seq, muted, version)

    def disagreed(self, view_kind: str, site_id: int, seq: int) -> None:
        """A screen says that it did not show the truth. It asks for a snapshot by itself; this is for those who mend it."""
        self.disagreements[view_kind] += 1
        logger.warning("screen disagreed", view=view_kind, site_id=site_id, seq=seq)

    def streams(self) -> Iterable[Stream]:
        """Return the open streams. Not to be kept."""
        return self._streams.keys()

    @property
    def refills(self) -> int:
        """How many times feeds of this process caught up from the log."""
        return self._refills_before + sum(feed.refills for feed in self._loaded())

    async def drain(self) -> None:
        """Say ``bye`` to every stream, a few at a time, and wait until they are gone; after eight seconds cut the rest."""
        self.draining = True
        until = time.monotonic() + DRAIN_SECONDS
        for index, stream in enumerate(list(self._streams)):
            stream.end("drain")
            if index % 100 == 99:
                await asyncio.sleep(0.01)
        while self._streams and time.monotonic() < until:
            await asyncio.sleep(0.02)
        for stream in list(self._streams):
            stream.abort()

    # Feeds

    async def _feed(self, site_id: int) -> Feed:
        task = self._feeds.get(site_id)
        if task is None:
            task = self._feeds[site_id] = asyncio.create_task(self._open_feed(site_id))
        self._watched_at[site_id] = time.monotonic()
        return await asyncio.shield(task)

    async def _open_feed(self, site_id: int) -> Feed:
        """Subscribe first, then load: what happens in between is offered, and waits in the feed."""
        feed = Feed(site_id, self._loader, self._judge, FLUSH_SECONDS, self.lines.tell)
        self._early[site_id] = []
        try:
            await self.bus.subscribe(site_id)
            await feed.load()
        except BaseException:
            del self._feeds[site_id], self._early[site_id]
            await self.bus.unsubscribe(site_id)
            raise
        for epoch, events in self._early.pop(site_id):
            feed.offer(epoch, events)
        return feed

    def _loaded(self) -> list[Feed]:
        return [
            task.result()
            for task in self._feeds.values()
            if task.done() and not task.cancelled() and task.exception() is None
        ]

    # Who may no longer follow

    def _judge(self, board: Board, changed: set[str] | None) -> None:
        """End the streams of what has been taken away from a board, or has another token now."""
        if not self._by_subject:
            return
        if changed is None:
            changed = {
                subject for subject, streams in self._by_subject.items() if next(iter(streams)).site_id == board.site.id
            }
        for subject in changed & self._by_subject.keys():
            for stream in self._by_subject[subject]:
                if not _stands(board, subject, stream.device_proof):
                    if stream.device_proof is not None:
                        stream.end("revoked")
                    else:
                        stream.finish(board.site.seq)

    async def _check_sessions(self) -> None:
        """Once a second, end the streams of sessions that have ended, or whose member has another role now."""
        while True:
            await asyncio.sleep(SESSION_CHECK_SECONDS * random.uniform(0.9, 1.0))
            sessions: dict[str, list[Stream]] = {}
            for stream in self._streams:
                if stream.token.startswith(SESSION):
                    sessions.setdefault(stream.token.removeprefix(SESSION), []).append(stream)
            if not sessions:
                continue
            try:
                roles = await self._living(sessions)
            except Exception as error:  # a database that is away, most often: nothing can be revoked meanwhile
                logger.warning("sessions not checked", error=repr(error))
                continue
            for session_id, streams in sessions.items():
                role = roles.get(session_id)
                for stream in streams:
                    if role is None:
                        stream.end("revoked")
                    elif stream.proof is not None and stream.proof != role:
                        stream.end("role")

    # Looking after feeds

    def _check_soon(self) -> None:
        """The bus may have lost something: look at the log at once."""
        task = asyncio.create_task(self._check_all())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _check_heads(self) -> None:
        while True:
            await asyncio.sleep(HEAD_CHECK_SECONDS * random.uniform(0.9, 1.0))
            await self._check_all()
            await self._close_idle_feeds()

    async def _check_all(self) -> None:
        """Hold every feed against its log. What goes wrong with one is logged, and keeps none of the others."""
        feeds = self._loaded()
        if not feeds:
            return
        seen = {feed.site_id: feed.position for feed in feeds}  # before the heads are read
        try:
            heads = await self._loader.heads(seen)
        except Exception as error:  # a database that is away, most often: the next look tries again
            self.lag_seconds += HEAD_CHECK_SECONDS
            logger.warning("heads not read", error=repr(error))
            return
        self.lag_seconds = 0.0
        for feed in feeds:
            if feed.site_id in heads:
                try:
                    await feed.check(heads[feed.site_id], seen[feed.site_id])
                except Exception as error:
                    self.lag_seconds = HEAD_CHECK_SECONDS
                    logger.warning("feed not checked", site_id=feed.site_id, error=repr(error))

    async def _close_idle_feeds(self) -> None:
        now = time.monotonic()
        for feed in self._loaded():
            if feed.watched:
                self._watched_at[feed.site_id] = now
            elif now - self._watched_at[feed.site_id] > LINGER_SECONDS:
                del self._feeds[feed.site_id], self._watched_at[feed.site_id]
                feed.close()
                self._refills_before += feed.refills
                await self.bus.unsubscribe(feed.site_id)


def _stands(board: Board | None, subject: str, proof: str | None) -> bool:
    """Return whether a record is there, with the token hash ``proof`` unless that is None."""
    assert board is not None, "a loaded feed has one"
    kind, _, number = subject.partition(":")
    shelves: dict[str, Mapping[int, Display | Point | Visit]]
    shelves = {"display": board.displays, "point": board.points, "visit": board.visits}
    record = shelves[kind].get(int(number))
    if record is None or (not isinstance(record, Visit) and record.removed_at):
        return False
    return proof is None or (not isinstance(record, Point) and record.token_hash == proof)
