"""The hub of one process: it joins the bus, the feeds, the open streams, the caps and the revocation."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import suppress

import structlog

from server.clock import wall_microseconds
from server.domain.board import Board
from server.domain.errors import DeviceNotFound, PointNotFound, SiteNotFound, Unavailable
from server.domain.events import Recorded
from server.domain.model.ids import MAX_ID, site_of
from server.domain.views import View
from server.live.admission import Caps, Limits
from server.live.bus import Bus
from server.live.feed import Feed
from server.live.feeds import Feeds, HeadLoader
from server.live.handoff import HandedOffConnections
from server.live.messages import Message, Now, Position, Reason
from server.live.revocation import LivingSessions, Revocation, is_valid
from server.live.stream import OPEN, SESSION, STALLED_SECONDS, Outlet, Stream
from server.live.streams import Painted, StreamObserver, Streams
from server.supervision import kept_running
from server.telemetry.histogram import Histogram

logger = structlog.get_logger(__name__)

DISAGREEMENTS_PER_WINDOW = 6  # of one session, display or ticket
DISAGREEMENT_SECONDS = 60.0


async def _no_sessions(session_ids: Collection[str]) -> Mapping[str, str]:
    raise AssertionError("a hub with streams of sessions needs `living`")


class Hub:
    """The live part of one process: `start` it, `follow` views, `publish` after commits, `drain` and `stop` it.

    ``living`` returns which sessions have not ended: the hub calls it once a second with every session that has streams
    here. A reader that takes nothing for ``stalled_seconds`` is aborted. ``now`` is the time that messages carry.
    """

    def __init__(
        self,
        loader: HeadLoader,
        bus: Bus,
        heartbeat_seconds: float,
        limits: Limits,
        living: LivingSessions = _no_sessions,
        stalled_seconds: float = STALLED_SECONDS,
        now: Now = wall_microseconds,
    ) -> None:
        self.bus = bus
        self._loader = loader
        self._heartbeat_seconds = heartbeat_seconds
        self._stalled_seconds = stalled_seconds
        self._caps = Caps(limits)
        self._streams = Streams()
        self._observers: list[StreamObserver] = []
        self._revocation = Revocation(self._streams, living)
        self.handed_off = HandedOffConnections(heartbeat_seconds, stalled_seconds, self.leave, self._count)
        self._feeds = Feeds(
            loader,
            bus,
            self._revocation.check_board,
            self.handed_off.write_tickets,
            self._streams.follow_choices,
            now,
        )
        self._loops: list[asyncio.Task[None]] = []
        self.draining = False
        self.delivered: Counter[str] = Counter()  # messages, by kind
        self.bytes_delivered: Counter[str] = Counter()
        self.closed: Counter[tuple[str, str]] = Counter()  # by view and reason
        self.disagreements: Counter[str] = Counter()  # by view
        self._disagreed: Counter[str] = Counter()  # by token, in this window
        self._window_began = time.monotonic()

    async def start(self) -> None:
        """Listen to the bus, and start the checks."""
        await self.bus.start(self._feeds.offer, self._feeds.check_soon)
        loops = {"feeds": self._feeds.run, "revocation": self._revocation.run, "connections": self.handed_off.run}
        self._loops = [asyncio.create_task(kept_running(name, loop)) for name, loop in loops.items()]

    async def stop(self) -> None:
        """End every task, close every connection, and stop the bus."""
        for task in self._loops:
            task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self._feeds.close()
        self._streams.abort()  # nobody else knows the handed-off ones
        await self.bus.stop()

    def observe(self, observer: StreamObserver) -> None:
        """Call ``observer`` from now on when a stream opens or closes, and when a display acknowledges."""
        self._observers.append(observer)

    # Events

    def publish(self, site_id: int, epoch: str, events: Sequence[Recorded]) -> None:
        """Show a commit: to this process's feed at once, to the other processes over the bus."""
        self._feeds.offer(site_id, epoch, events)
        self.bus.publish(site_id, epoch, events)

    def board(self, site_id: int) -> Board | None:
        """Return the board of a site that this process follows, or None. The caller must not change it."""
        return self._feeds.board(site_id)

    async def present_board(self, site_id: int) -> Board:
        """Return a site's board as of now: the followed one if it has the whole log, or else a new one.

        The caller must not change it, and reads it before its next ``await``: the next event may change it. It may have
        appointments of other days, which screens watch. Raises `SiteNotFound`, `Unavailable`.
        """
        followed = self._feeds.board(site_id)
        seq = followed.site.seq if followed else 0
        head = (await self._loader.heads([site_id])).get(site_id)
        board = self._feeds.board(site_id)
        if board is None or head is None or head.epoch != board.site.epoch or not seq <= head.seq <= board.site.seq:
            return await self._loader.board(site_id)  # also where a restore has cut off the end of the log
        return board

    async def followed_board(self, site_id: int) -> Board:
        """Return a site's board as `present_board` does, and follow the site for a while.

        For pages that many people read again and again: each of their looks then costs one small query. Raises
        `SiteNotFound`, also for an id that no column could hold, and `Unavailable`.
        """
        if site_id > site_of(MAX_ID):
            raise SiteNotFound(site_id=site_id)
        await self._feeds.get(site_id)
        return await self.present_board(site_id)

    # Streams

    async def follow(
        self, site_id: int, view: View, since: Position | None, *, address: str, token: str
    ) -> AsyncIterator[Message]:
        """Yield a view's messages from ``since`` on, until the stream ends with a ``bye`` or the caller stops.

        Raises `OverCap` before the first message, `SiteNotFound`, `Unavailable`.
        """
        stream = await self.enrol(site_id, view, since, address=address, token=token)
        try:
            async for message in self.deliver(stream):
                yield message
        finally:
            self.leave(stream)

    async def deliver(self, stream: Stream) -> AsyncIterator[Message]:
        """Yield the messages of an enrolled stream that the caller writes, and count each."""
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
        member: str | None = None,
        proof: str | None = None,
        subject: str | None = None,
        outlet: Outlet = OPEN,
        transport: str = "",
    ) -> Stream:
        """Open a stream; the caller must `leave` it. Raises as `follow` does, and `PointNotFound` for a removed point.
        Raises `DeviceNotFound` for a removed display that staff follow.

        The arguments are as in `Stream`; a token ``session:...`` names a session. The stream ends when the record
        ``subject`` (``display:812``) is removed, or has another token than ``proof``.
        """
        self._caps.admit(address, token, member)
        try:
            feed = await self._feeds.get(site_id)
            async with feed.showing(view):
                device_proof = None if token.startswith(SESSION) else proof
                valid = subject is None or is_valid(feed.board, subject, device_proof)
                if not valid or _beyond(feed, since):
                    # Another process was first to show the screen its position, or to give the device its token.
                    with suppress(Unavailable):
                        await feed.backfill()
                    feed.flush()
                    valid = subject is None or is_valid(feed.board, subject, device_proof)
                if not valid and subject is not None and subject.startswith("point:"):
                    raise PointNotFound(point_id=int(subject.removeprefix("point:")))
                if not valid and subject is not None and subject.startswith("display:") and device_proof is None:
                    raise DeviceNotFound(device_id=int(subject.removeprefix("display:")))
                stream = Stream(
                    feed,
                    feed.projection(view),
                    since,
                    self._heartbeat_seconds,
                    address=address,
                    token=token,
                    member=member,
                    proof=proof,
                    subject=subject,
                    outlet=outlet,
                    transport=transport,
                    stalled_seconds=self._stalled_seconds,
                )
        except BaseException:
            self._caps.release(address, token, member)
            raise
        self._streams.add(stream)
        for observer in self._observers:
            observer.joined(stream)
        if not valid and device_proof is not None:
            stream.end("revoked")
        if self.draining:
            stream.end("drain")
        logger.info("stream opened", view=stream.view_kind, transport=transport, site_id=site_id)
        return stream

    def leave(self, stream: Stream) -> None:
        """Close a stream. A second call changes nothing."""
        if not self._streams.remove(stream):
            return
        stream.close()
        self._caps.release(stream.address, stream.token, stream.member)
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
        for observer in self._observers:
            observer.left(stream)

    def end(self, token: str, reason: Reason) -> None:
        """End every stream that is counted for a token."""
        self._streams.end(token, reason)

    async def drain(self) -> None:
        """Send ``bye`` on every stream and wait until all are closed; after 8 s abort the rest. New streams end at once."""
        self.draining = True
        await self._streams.drain()

    # Feedback from screens

    def acknowledged(self, subject: str, painted: Painted) -> None:
        """The device ``subject`` (``display:812``) has painted its screen."""
        for observer in self._observers:
            observer.acknowledged(subject, painted)

    def disagreed(self, view_kind: str, site_id: int, token: str, seq: int) -> None:
        """A screen's digest differs. The screen asks for a snapshot itself; the count and the log are for the operators.

        A few reports a minute count for each token: a client must not fill the log.
        """
        now = time.monotonic()
        if now - self._window_began > DISAGREEMENT_SECONDS:
            self._window_began = now
            self._disagreed.clear()
        self._disagreed[token] += 1
        if self._disagreed[token] <= DISAGREEMENTS_PER_WINDOW:
            self.disagreements[view_kind] += 1
            logger.warning("screen disagreed", view=view_kind, site_id=site_id, seq=seq)

    # Figures

    def streams(self) -> Collection[Stream]:
        """Return the open streams. Do not keep the result."""
        return self._streams

    def streams_by_view(self) -> Counter[str]:
        """Return how many streams are open, by kind of view."""
        return Counter(stream.view_kind for stream in self._streams)

    @property
    def lag_seconds(self) -> float:
        """For how many seconds the check of the feeds against their logs is overdue."""
        return self._feeds.lag_seconds

    @property
    def shown(self) -> Histogram:
        """The seconds from an event to the write of its change to the screens of this process, once for each flush."""
        return self._feeds.shown

    @property
    def backfills(self) -> int:
        """How many times feeds of this process have read missing events from the log."""
        return self._feeds.backfills


def _beyond(feed: Feed, since: Position | None) -> bool:
    """Return whether a screen shows a higher number than the feed has, in the same history."""
    here = feed.position
    return since is not None and here is not None and since.epoch == here.epoch and since.seq > here.seq
