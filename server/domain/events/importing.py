"""The end of a part of an import."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentsImported(Event):
    """The outcome of each row of one import, by its number in the file. The events before it made the changes.

    A refused row has the code of the refusal, and a word on it: the field, the rule or the state behind the refusal.
    """

    booked: tuple[int, ...] = ()
    moved: tuple[int, ...] = ()
    amended: tuple[int, ...] = ()
    unchanged: tuple[int, ...] = ()
    refused: tuple[tuple[int, str, str], ...] = ()
