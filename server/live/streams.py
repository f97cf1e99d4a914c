"""The open streams of one process: by the record that each depends on, their observers, and the drain."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from server.domain.board import Board
from server.domain.model import Printer
from server.live.messages import Reason
from server.live.stream import SESSION, Stream

DRAIN_SECONDS = 8.0
GOODBYE_SECONDS = 5.0  # for any number of streams; the rest of the drain is for the last of them
GOODBYES_A_SECOND = 200  # for few streams
SHORTEST_PAUSE_SECONDS = 0.01
_NONE: dict[Stream, None] = {}


@dataclass(frozen=True, slots=True)
class Painted:
    """The acknowledgement of a device: it has painted everything up to ``seq``. None: it does not report the value."""

    seq: int
    muted: bool | None = None
    version: str | None = None
    printer: Printer | None = None


class StreamObserver(Protocol):
    """Gets a call when a stream of the process opens or closes, and when a device acknowledges."""

    def joined(self, stream: Stream) -> None:
        """A stream has opened."""

    def left(self, stream: Stream) -> None:
        """A stream has closed."""

    def acknowledged(self, subject: str, painted: Painted) -> None:
        """The device ``subject`` (``display:812``) has painted its screen."""


class Streams:
    """The open streams, in the order in which they opened."""

    def __init__(self) -> None:
        self._open: dict[Stream, None] = {}
        self._by_subject: dict[str, dict[Stream, None]] = {}

    def __iter__(self) -> Iterator[Stream]:
        return iter(self._open)

    def __contains__(self, stream: object) -> bool:
        return stream in self._open

    def __len__(self) -> int:
        return len(self._open)

    def add(self, stream: Stream) -> None:
        """Add a stream that has opened."""
        self._open[stream] = None
        if stream.subject is not None:
            self._by_subject.setdefault(stream.subject, {})[stream] = None

    def remove(self, stream: Stream) -> bool:
        """Remove a stream. Return False if it was removed before."""
        if stream not in self._open:
            return False
        del self._open[stream]
        if stream.subject is not None:
            others = self._by_subject[stream.subject]
            del others[stream]
            if not others:
                del self._by_subject[stream.subject]
        return True

    def subjects_among(self, changed: set[str] | None, site_id: int) -> set[str]:
        """Return the changed records that open streams depend on. ``changed`` None means any record of the site."""
        return self.subjects_of_site(site_id) if changed is None else changed & self._by_subject.keys()

    def follow_choices(self, board: Board, changed: set[str] | None) -> None:
        """Show each display the calls that it has chosen now. ``changed`` None means that any display may differ."""
        for subject in self.subjects_among(changed, board.site.id):
            for stream in list(self.of_subject(subject)):
                stream.follow_choice()

    def of_subject(self, subject: str) -> Iterable[Stream]:
        """Return the streams that depend on a record. Do not keep the result."""
        return self._by_subject.get(subject, _NONE)

    def subjects_of_site(self, site_id: int) -> set[str]:
        """Return the records of one site that open streams depend on."""
        return {subject for subject, streams in self._by_subject.items() if next(iter(streams)).site_id == site_id}

    def by_session(self) -> dict[str, list[Stream]]:
        """Return the streams of every session, by its id."""
        sessions: dict[str, list[Stream]] = {}
        for stream in self._open:
            if stream.token.startswith(SESSION):
                sessions.setdefault(stream.token.removeprefix(SESSION), []).append(stream)
        return sessions

    def end(self, token: str, reason: Reason) -> None:
        """End every stream that is counted for a token."""
        for stream in [each for each in self._open if each.token == token]:
            stream.end(reason)

    def abort(self) -> None:
        """Close every connection at once."""
        for stream in list(self._open):
            stream.abort()

    async def drain(self) -> None:
        """Send ``bye`` on every stream, and wait until all are closed. After 8 s abort the rest.

        The goodbyes are paced: the other processes take the screens back as fast as these leave. A screen is live here until
        its own ``bye``, so none is behind for longer than its reconnection.
        """
        began = time.monotonic()
        until = began + DRAIN_SECONDS
        leaving = list(self._open)
        pace = max(GOODBYES_A_SECOND, len(leaving) / GOODBYE_SECONDS)
        for index, stream in enumerate(leaving, 1):
            stream.end("drain")
            early = began + index / pace - time.monotonic()
            if early >= SHORTEST_PAUSE_SECONDS:
                await asyncio.sleep(early)
        while self._open and time.monotonic() < until:
            await asyncio.sleep(0.02)
        self.abort()
