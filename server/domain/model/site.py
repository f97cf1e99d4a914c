"""A site and its rules.

Instants are integers: microseconds of UTC since 1970. Each record has a table with the same columns. Its ``seq`` is the
number of the event that last changed it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Clock = Literal["auto", "12", "24"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that a site sets for itself. Minutes, unless the name says otherwise.

    ``hours`` are the weekly opening hours as (weekday, from, until): 0 is Monday, the other two are minutes after local
    midnight. Without hours the site is always open. ``closed_on`` lists days (ISO dates) on which the site stays closed.
    Reception offers a no-show after ``recalls_before_no_show`` recalls and ``minutes_before_no_show`` minutes. A call stands
    for ``minutes_call_stands`` after its last recall: then it is a past call on displays, and staff decide. A target of 0
    means no target. Phone numbers of the country ``region`` (``DE``) may lack its code; without a region, the time zone
    names the country. The ``clock`` of all screens has 12 or 24 hours; ``auto`` is the usual clock of the country, or of the
    site's language. ``languages`` are those of the site's readers besides its own. With ``round_the_clock``, entries that
    are open when the day turns carry on into the new day.
    """

    head_start_urgent: int = 45
    head_start_assisted: int = 20
    booking_lead: int = 15
    booking_grace: int = 15
    return_lead: int = 15
    recalls_before_no_show: int = 1
    minutes_before_no_show: int = 3
    minutes_call_stands: int = 10
    target_standard: int = 0
    target_assisted: int = 0
    target_urgent: int = 0
    names_on_display: bool = False
    region: str = ""
    clock: Clock = "auto"
    languages: tuple[str, ...] = ()
    round_the_clock: bool = False
    hours: tuple[tuple[int, int, int], ...] = ()
    closed_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """One clinic location, with the head of its log.

    The business day ends at ``turns_at``. The clock next has work at ``next_tick_at``: the day turns, an absence ends, or
    the waiting patients get a new quote, half a minute after ``quoted_at``. Every display shows ``message``.
    """

    id: int
    organisation_id: int
    name: str
    time_zone: str
    language: str
    day_turns_at_minutes: int
    business_day: str
    turns_at: int
    next_tick_at: int
    quoted_at: int
    message: str | None
    epoch: str
    last_id: int
    last_event_at: int
    seq: int
    rules: Rules = field(default_factory=Rules)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the site's readers: its own first."""
        return tuple(dict.fromkeys((self.language, *self.rules.languages)))
