"""Patients who left the queue, for a while or for good, and came back."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryHeld(Event):
    """With ``held_until``, the entry returns by itself at this time. ``announcement_id`` is set when it had been called."""

    entry_id: int
    label: str
    held_until: int | None = None
    announcement_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryReturned(Event):
    """``away`` is the length of the absence (microseconds). ``reason`` tells staff what the absence cost.

    The announcement withdraws the call of a patient who was called.
    """

    entry_id: int
    label: str
    place: int
    due_at: int
    away: int = 0
    reason: str = ""
    expect_from: int | None = None
    expect_until: int | None = None
    estimating: bool | None = None  # None in old logs: the entry keeps its quote until the next one
    announcement_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRunningLate(Event):
    entry_id: int
    label: str
    absent_until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsenceEnded(Event):
    """The patient is here again, or the announced time of arrival has passed."""

    entry_id: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLeft(Event):
    """``announcement_id`` is set when the entry had been called."""

    entry_id: int
    label: str
    announcement_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryCancelled(Event):
    entry_id: int
    label: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryReopened(Event):
    entry_id: int
    label: str
