"""Calls and services from before an outage: the server notes the outage, and staff confirm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from server.domain.commands.command import Command, OnEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteOutage(Command):
    """Ask staff about the calls and services of a site from before an outage. The instants are microseconds.

    No server has worked between ``offline_from`` and ``offline_until``, apart from the first few seconds of this time.
    """

    internal: ClassVar[bool] = True

    site_id: int
    offline_from: int
    offline_until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm(OnEntry):
    """Confirm a call or a service from before an outage: the patient is still here."""

    entry_id: int
