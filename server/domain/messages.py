"""The kinds of messages to patients, and the states of their subjects in which a message is still right.

The planning of messages and their sending share this table. A message belongs to one version of its subject; a message
about an older version is withdrawn.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal
from urllib.parse import urlsplit

from server.domain.model import Appointment, AppointmentState, Personal, State, Visit

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
Arrival = Literal["delivered", "undelivered", "undelivered-for-now"]  # what a provider's receipt says
MessageState = Literal[
    "due",
    "claimed",
    "sending",
    "sent",
    "failed",
    "unknown",
    "withdrawn",
    "expired",
    "suppressed",
    "skipped",
]

# The states of a message that may still go out, and of one that may come back after other settings of its site.
OPEN: frozenset[MessageState] = frozenset({"due", "claimed"})
REVIVABLE: frozenset[MessageState] = frozenset({"withdrawn", "skipped"})

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


def address_for(personal: Personal, way: Way, subscription: str | None = None) -> str | None:
    """Return the address of a patient for a way, or None. For ``push`` it is the subscription of the patient's phone."""
    match way:
        case "sms":
            return personal.phone
        case "email":
            return personal.email
    return subscription


def way_to(personal: Personal, ways: Sequence[Way], *, subscribed: bool = False) -> Way | None:
    """Return the first of a site's ways for which the patient has an address, or None.

    ``subscribed`` says whether a phone of the patient has a push subscription.
    """
    subscription = "" if subscribed else None
    return next((way for way in ways if address_for(personal, way, subscription) is not None), None)


def subscriber_of(record: Visit | Appointment) -> int:
    """Return the id under which the push subscription for a record is kept.

    A visit that came by an appointment has the appointment's: the phone that subscribed then rings for the ticket too.
    """
    return (record.appointment_id or record.id) if isinstance(record, Visit) else record.id


def masked(address: str, way: Way) -> str:
    """Return an address as a list may show it.

    Of a phone number these are the last two digits, of a mail address the first letter and the domain, of a push
    subscription the host of the push service.
    """
    if way == "push":
        return urlsplit(json.loads(address)["endpoint"]).hostname or ""
    if way == "email":
        name, _, domain = address.partition("@")
        return f"{name[:1]}…@{domain}"
    digits = address.partition(";")[0]  # without an extension
    return f"…{digits[-2:]}"
