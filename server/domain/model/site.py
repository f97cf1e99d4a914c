"""A site and its rules.

Instants are integers: microseconds of UTC since 1970. Each record has a table with the same columns. Its ``seq`` is the
number of the event that last changed it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from server.domain.model.local_time import MINUTE

Clock = Literal["auto", "12", "24"]
Joining = Literal["off", "presence", "anywhere"]
PhoneWhenJoining = Literal["none", "optional", "required"]
Booking = Literal["off", "on"]
Feedback = Literal["off", "on"]
Way = Literal["sms", "email", "push"]

# The rules that a site had before the product knew them. Stored rules without these names have these values.
BEFORE: dict[str, Any] = {"joining": "off"}
Milestone = Literal[
    "screen-paired", "poster-printed", "colleague-added", "ticket-issued", "ticket-called", "checklist-hidden"
]


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

    With ``joining``, patients may join a queue with their own phone. ``presence`` needs the code on a screen of the site,
    ``anywhere`` needs none. One phone gets at most ``joins_per_phone`` tickets in an hour, all phones together
    ``joins_per_hour``. ``phone_when_joining`` says whether the page asks for a phone number.

    A patient with an appointment counts as joined ``booking_lead`` before it, however early the check-in; from
    ``booking_grace`` after it on, at the check-in. Patients check in from ``check_in_from`` before the appointment until
    ``check_in_until`` after it; staff may do it later. A cancellation later than ``cancel_until`` before it is late. With
    ``booking``, patients book on the site's page.

    A message to a patient goes the first of the ``message_ways`` that reaches the patient; without ways, the site sends
    none. ``reminders`` go out so many hours before an appointment. No message goes out in the quiet hours, from
    ``quiet_from`` until ``quiet_until`` (minutes after local midnight; equal: none), except those of a call. With
    ``feedback``, patients are asked after their visit how it was.
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
    joining: Joining = "presence"
    joins_per_phone: int = 3
    joins_per_hour: int = 120
    phone_when_joining: PhoneWhenJoining = "none"
    booking: Booking = "off"
    check_in_from: int = 120
    check_in_until: int = 15
    cancel_until: int = 120
    message_ways: tuple[Way, ...] = ()
    reminders: tuple[int, ...] = (72, 24)
    quiet_from: int = 1260
    quiet_until: int = 480
    feedback: Feedback = "off"
    hours: tuple[tuple[int, int, int], ...] = ()
    closed_on: tuple[str, ...] = ()

    def check_in_time(self, starts_at: int) -> tuple[int, int]:
        """Return the first and the last instant at which a patient checks in for ``starts_at`` (microseconds)."""
        return starts_at - self.check_in_from * MINUTE, starts_at + self.check_in_until * MINUTE

    def in_time_until(self, starts_at: int) -> int:
        """Return the last instant at which a change of an appointment at ``starts_at`` is not late (microseconds)."""
        return starts_at - self.cancel_until * MINUTE


@dataclass(frozen=True, slots=True)
class Site:
    """One clinic location, with the head of its log.

    The business day ends at ``turns_at``. The clock next has work at ``next_tick_at``: the day turns, an absence ends, or
    the waiting patients get a new quote, half a minute after ``quoted_at``. Every display shows ``message``. ``milestones``
    are the first steps of a new clinic that somebody has done, in the order in which they happened.

    The site is late by ``late_minutes`` (0: not announced), since the event ``late_number`` at ``late_since``.
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
    milestones: tuple[Milestone, ...] = ()
    late_minutes: int = 0
    late_since: int | None = None
    late_number: int = 0

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the site's readers: its own first."""
        return tuple(dict.fromkeys((self.language, *self.rules.languages)))
