"""Taking over the appointments of another system."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from server.domain.commands.command import Command

ROWS = {"min_length": 1, "max_length": 100}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """One appointment of another system, with texts as the file has them. None: the file says nothing.

    ``number`` is its place in the file, ``foreign_id`` its id there. ``service`` and ``provider`` are ids or names of this
    site. ``wrong`` names a field that the edge could not read; the row is then refused.
    """

    number: int
    foreign_id: str
    service: str
    local_start: str
    name: str
    provider: str | None = None
    minutes: int | None = None
    phone: str | None = None
    email: str | None = None
    date_of_birth: str | None = None
    language: str | None = None
    note: str | None = None
    wrong: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportAppointments(Command):
    """Take over appointments of another system, each row for itself.

    A row with a new ``foreign_id`` is booked; one with a known id moves or amends that appointment, or leaves it unchanged.
    What the file does not say stays. A refused row changes nothing, and the others go on. With ``anyway``, a time that is
    not free is overbooked if the row names a provider.
    """

    internal: ClassVar[bool] = True

    site_id: int
    rows: tuple[ImportRow, ...] = field(metadata=ROWS)
    anyway: bool = False
