"""Joining a queue with a patient's own phone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from server.domain.commands.command import OnQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinQueue(OnQueue):
    """Issue the next ticket of a queue to a patient's own phone. The answer contains the ticket's token.

    ``joined_from`` is the keyed hash of the phone's browser. ``present`` says whether the phone has shown a code of the
    site's screens.
    """

    internal: ClassVar[bool] = True

    queue_id: int
    joined_from: str
    present: bool
    language: str | None = None
    phone: str | None = None
