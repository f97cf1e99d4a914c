"""Revocation: which streams end when a record, a token, a session or a role changes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog

from server.domain.board import Board
from server.domain.model import Appointment, Display, Kiosk, Point, Visit
from server.live.streams import Streams
from server.telemetry.outage import Outage

logger = structlog.get_logger(__name__)

SESSION_CHECK_SECONDS = 1.0

# Returns the roles of those of the given sessions that have not ended.
LivingSessions = Callable[[Collection[str]], Awaitable[Mapping[str, str]]]


class Revocation:
    """Ends the streams of one process that may not continue.

    A change to a site's board ends the streams of removed records and of replaced device tokens at once (`check_board`).
    Sessions are checked once a second, all in one query (`run`).
    """

    def __init__(self, streams: Streams, living: LivingSessions) -> None:
        self._streams = streams
        self._living = living
        self._outage = Outage(logger, "sessions not checked")

    def check_board(self, board: Board, changed: set[str] | None) -> None:
        """End the streams whose record is removed or has another token. ``changed`` None means that any key may differ."""
        for subject in self._streams.subjects_among(changed, board.site.id):
            for stream in self._streams.of_subject(subject):
                if not is_valid(board, subject, stream.device_proof):
                    if stream.device_proof is not None:
                        stream.end("revoked")
                    else:
                        stream.finish(board.site.seq)

    async def run(self) -> None:
        """Once a second, end the streams of ended sessions, and of members whose role has changed. Until cancelled."""
        while True:
            await asyncio.sleep(SESSION_CHECK_SECONDS * random.uniform(0.9, 1.0))  # nosec B311 # spreads load, no secret
            sessions = self._streams.by_session()
            if not sessions:
                continue
            try:
                roles = await self._living(sessions)
            except Exception as error:  # mostly an unavailable database, which can revoke nothing either
                self._outage.failed(error)
                continue
            self._outage.ended()
            for session_id, streams in sessions.items():
                role = roles.get(session_id)
                for stream in streams:
                    if role is None:
                        stream.end("revoked")
                    elif stream.proof is not None and stream.proof != role:
                        stream.end("role")


def is_valid(board: Board | None, subject: str, proof: str | None) -> bool:
    """Return whether the record ``subject`` is on a loaded board, and has the token hash ``proof`` unless that is None."""
    assert board is not None, "a loaded feed has a board"
    kind, _, number = subject.partition(":")
    records: dict[str, Mapping[int, Display | Kiosk | Point | Visit | Appointment]] = {
        "display": board.displays,
        "kiosk": board.kiosks,
        "point": board.points,
        "visit": board.visits,
        "appointment": board.appointments,
    }
    record = records[kind].get(int(number))
    if record is None or (isinstance(record, Display | Kiosk | Point) and record.removed_at):
        return False
    return proof is None or (not isinstance(record, Point) and record.token_hash == proof)
