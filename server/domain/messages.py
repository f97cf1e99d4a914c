"""The kinds of messages to patients, and the states of their subjects in which a message is still right.

The planning of messages and their sending share this table. A message belongs to one version of its subject; a message
about an older version is withdrawn.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal, get_args
from urllib.parse import urlsplit

from server.domain.model import Appointment, AppointmentState, Personal, Problem, State, UnreachedKind, Visit

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
MISSED_CALL = "missed-call"  # the template of a no-show at a call; the kind has another one for appointments
LONGEST_TEXT = 600  # characters of a clinic's own text: more than two parts, which escaped braces may need
TEMPLATES: tuple[str, ...] = (*get_args(Kind), MISSED_CALL)  # the names of the texts
Way = Literal["sms", "email", "push"]  # how a message reaches its patient
OptOutSource = Literal["patient", "staff", "provider", "reply"]  # who stopped the messages to an address
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

OPTED_OUT = "opted-out"  # the reason of a message whose address takes no more messages
STOPPABLE: tuple[Way, ...] = ("sms", "email")  # ways whose addresses can stop messages. A subscription to push just ends

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

# The kinds about which staff can still do something when a message does not arrive.
UNREACHED_KINDS: frozenset[Kind] = frozenset(get_args(UnreachedKind))
_PROBLEMS: Mapping[str, Problem] = {
    "address": "address",
    "no-address": "no-address",
    "opted-out": "opted-out",
    "unsubscribed": "opted-out",
}


def problem_of(state: MessageState, reason: str | None, receipt: Arrival | None) -> Problem | None:
    """Return why a message has not reached its patient, or None if it may have, or may still go out."""
    match state:
        case "failed" | "suppressed":
            return _PROBLEMS.get(reason or "", "not-sent")
        case "expired":
            return "too-late"
        case "unknown":
            return "perhaps"
    return "undelivered" if state == "sent" and receipt == "undelivered" else None


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


def opt_out_name(address: str, way: Way) -> str:
    """Return the name under whose keyed hash an opt-out is stored: the same for each spelling of an address."""
    if way == "email":
        return f"{way}:{address.strip().casefold()}"
    number = address.partition(";")[0]  # without an extension
    return f"{way}:{''.join(each for each in number if each.isdecimal())}"
