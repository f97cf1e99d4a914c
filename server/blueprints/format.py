"""The names in a set-up file, where they differ from those of the domain. Reading and writing share them."""

from __future__ import annotations

from dataclasses import fields

from server.domain.commands.blueprint import (
    DisplayPlan,
    KioskPlan,
    Plan,
    PointPlan,
    ProviderPlan,
    QueuePlan,
    ServicePlan,
)
from server.domain.model import Rules

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# The arrays of tables, in the order of a written file.
RECORDS: dict[str, type[Plan]] = {
    "services": ServicePlan,
    "providers": ProviderPlan,
    "queues": QueuePlan,
    "points": PointPlan,
    "displays": DisplayPlan,
    "kiosks": KioskPlan,
}

# The fields of the site and the rules that are in the table ``clinic``; the other rules are in the table ``rules``.
SITE_KEYS = {"name": "name", "time_zone": "time_zone", "language": "language", "day_turns_at_minutes": "day_turns_at"}
CLINIC_RULES = ("languages", "region", "clock", "names_on_display", "round_the_clock", "closed_on")
HOURS = "hours"  # a table of its own
MESSAGES = "messages"  # a table of tables: the own texts of each template, by language

# Durations whose name in the domain lacks the unit.
_MINUTES = frozenset(
    {
        *("head_start_urgent", "head_start_assisted", "booking_lead", "booking_grace", "return_lead"),
        *("target_standard", "target_assisted", "target_urgent"),
        *("check_in_from", "check_in_until", "cancel_until"),
    }
)

CLOCKS = frozenset({"day_turns_at_minutes", "quiet_from", "quiet_until"})  # the minutes of a day: 04:00 in a file


def key_of(rule: str) -> str:
    """Return the key of a field of the rules: its name, with the unit of a duration."""
    if rule == "reminders":
        return "reminders_hours"
    return f"{rule}_minutes" if rule in _MINUTES else rule


# The keys of the table ``rules``, each with its field.
RULES = {key_of(item.name): item.name for item in fields(Rules) if item.name not in (*CLINIC_RULES, HOURS)}


def clock(minutes: int) -> str:
    """Return a minute of the day as people write it: 480 as ``08:00``."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
