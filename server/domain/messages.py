"""The kinds of messages to patients, and the states of their subjects in which a message is still right.

The planning of messages and their sending share this table. A message belongs to one version of its subject; a message
about an older version is withdrawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from server.domain.model import AppointmentState, State

Kind = Literal[
    "booked",
    "moved",
    "cancelled",
    "reminder",
    "almost-your-turn",
    "called",
    "no-show",
    "running-late",
    "freed-time",
    "feedback",
]
Way = Literal["sms", "email", "push"]  # how a message reaches its patient

ALMOST_YOUR_TURN: Kind = "almost-your-turn"

# By kind: the states of an appointment in which a message about it may go out.
OF_APPOINTMENTS: Mapping[Kind, frozenset[AppointmentState]] = {
    "booked": frozenset({"booked"}),
    "moved": frozenset({"booked"}),
    "cancelled": frozenset({"cancelled"}),
    "reminder": frozenset({"booked"}),
    "no-show": frozenset({"no_show"}),
    "running-late": frozenset({"booked"}),
    "freed-time": frozenset({"held"}),
    "feedback": frozenset({"fulfilled"}),
}

# By kind: the states of an entry in which a message about it may go out.
OF_ENTRIES: Mapping[Kind, frozenset[State]] = {
    "almost-your-turn": frozenset({"waiting"}),
    "called": frozenset({"called"}),
    "no-show": frozenset({"no_show"}),
    "running-late": frozenset({"waiting"}),
    "feedback": frozenset({"completed"}),
}
