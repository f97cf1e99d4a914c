"""Messages that did not reach their patients: the system notes them, and staff tell the patients themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from server.domain.commands.command import Command
from server.domain.messages import Kind
from server.domain.model import Problem, Way
from server.domain.model.ids import site_of


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteMessage(Command):
    """Note what became of a message about one version of an entry or an appointment: its problem, or None if it was sent.

    ``at`` is the instant at which that was known (microseconds). Of two messages about a subject, the later one counts.
    """

    internal: ClassVar[bool] = True

    subject_id: int
    version: int
    kind: Kind
    way: Way
    problem: Problem | None
    at: int

    @property
    def site_id(self) -> int:
        return site_of(self.subject_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearUnreached(Command):
    """Note that staff have told a patient the news of a message that did not arrive. With ``told`` false, take that back.

    ``subject_id`` is the entry or the appointment that has the mark.
    """

    subject_id: int
    told: bool = True

    @property
    def site_id(self) -> int:
        return site_of(self.subject_id)
