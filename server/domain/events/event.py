"""The base of every event, and the place of an event in its site's log.

An event is frozen and in the past tense. The log of events is the truth: applying it gives the tables and every screen. An
event's wire name is its class name in kebab case (``TicketCalled`` is ``ticket-called``).

A field that is younger than the first stored logs has a default, because old logs stay readable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar


class Event:
    """A fact that happened at one site."""

    __slots__ = ()
    # Internal fields: no answer of the API has them.
    kept_inside: ClassVar[frozenset[str]] = frozenset(
        {
            "sealed",
            "personal",
            "token_hash",
            "band",
            "place",
            "due_at",
            "next_turn_at",
            "pushed",
            "absent_until",
            "held_until",
            "away",
            "delay",
            "quotes",
            "expect_from",
            "expect_until",
            "quoted_ahead",
            "quoted_points",
            "heard_by",
            "joined_from",
            "resource_id",
            "tz_version",
            "lane",
            "phone_hash",
            "held_by",
            "held_from",
            "site_id",
            "unreached",
            "message_at",
            "told",
            "leaves",
        }
    )

    @classmethod
    def name_on_wire(cls) -> str:
        """The event's name in the log and in answers: ``TicketCalled`` is ``ticket-called``."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event in the site's log: its number, its instant (microseconds), and the actor who caused it."""

    seq: int
    at: int
    actor: str
    event: Event
