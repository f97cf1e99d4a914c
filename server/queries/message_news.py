"""The news of messages that the desk has yet to note: rows that ended, or got a final receipt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy import and_, null, or_, select

from server.domain.messages import UNREACHED_KINDS, Arrival, Kind, MessageState, Way, problem_of
from server.domain.model import Problem
from server.queries.reader import LookUp, Reader
from server.store.tables import appointments, entries, notifications

LEASE = "marks"  # the name of the lease of the process that notes the news


@dataclass(frozen=True, slots=True)
class News:
    """What became of a message. Instants are in microseconds.

    ``marked`` says whether its subject had a mark at the time of reading. An offer counts as marked, because its mark is at
    another appointment.
    """

    id: int
    kind: Kind
    channel: Way
    subject_version: int
    entry_id: int | None
    appointment_id: int | None
    state: MessageState
    reason: str | None
    receipt: Arrival | None
    news_at: int
    marked: bool

    @property
    def subject_id(self) -> int:
        """The entry or the appointment that the message is about."""
        subject_id = self.appointment_id if self.entry_id is None else self.entry_id
        assert subject_id is not None, "a message has a subject"
        return subject_id

    @property
    def problem(self) -> Problem | None:
        """Why the patient does not have the message, or None. A patient who booked without an address knows the booking."""
        if self.kind == "booked" and self.reason == "no-address":
            return None
        return problem_of(self.state, self.reason, self.receipt) if self.kind in UNREACHED_KINDS else None

    @property
    def reached(self) -> bool:
        """Whether the message went out, as far as the installation knows."""
        return self.state == "sent" and self.receipt != "undelivered"


_has_mark = or_(
    entries.c.unreached.is_not(null()),
    appointments.c.unreached.is_not(null()),
    and_(notifications.c.kind == "freed-time", notifications.c.state == "sent"),
)
_NEWS = (
    select(*(notifications.c[each.name] for each in fields(News)[:-1]), _has_mark.label("marked"))
    .outerjoin(entries, entries.c.id == notifications.c.entry_id)
    .outerjoin(appointments, appointments.c.id == notifications.c.appointment_id)
    .where(notifications.c.news_at.is_not(None))
    .order_by(notifications.c.news_at, notifications.c.id)
)
_ANY = select(notifications.c.id).where(notifications.c.news_at.is_not(None)).limit(1)


async def is_news(database: LookUp) -> bool:
    """Return whether there is news. Raises `Unavailable`."""
    return await database.look_up(_ANY) is not None


async def news(database: Reader, limit: int) -> Sequence[News]:
    """Return up to ``limit`` news, the oldest first. Raises `Unavailable`."""
    async with database.read() as connection:
        rows = await connection.execute(_NEWS.limit(limit))
        return [News(**{**row._mapping, "marked": bool(row.marked)}) for row in rows]
