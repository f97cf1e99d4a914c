"""Patients who left the queue, for a while or for good, and came back."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryHeld(Event):
    entry_id: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryReturned(Event):
    entry_id: int
    label: str
    place: int
    due_at: int


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
    entry_id: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryCancelled(Event):
    entry_id: int
    label: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryReopened(Event):
    entry_id: int
    label: str
