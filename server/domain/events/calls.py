"""Patients called and served."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.events.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketCalled(Event):
    """``reason`` says why this entry was called and not another one. It is kept with the call and shown to staff."""

    entry_id: int
    point_id: int
    announcement_id: int
    label: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRecalled(Event):
    entry_id: int
    point_id: int
    announcement_id: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStarted(Event):
    entry_id: int
    point_id: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCompleted(Event):
    entry_id: int
    point_id: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoShowRecorded(Event):
    entry_id: int
    point_id: int
    label: str
