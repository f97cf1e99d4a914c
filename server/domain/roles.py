"""The rights of each role, as one table."""

from __future__ import annotations

from typing import Literal

Role = Literal["admin", "manager", "receptionist", "clinician"]
ROLES: tuple[Role, ...] = ("admin", "manager", "receptionist", "clinician")
PATIENT = "patient"  # the owner of a ticket's token, for this ticket only
KIOSK = "kiosk"  # a tablet at the door, with its own token
INTEGRATION = "integration"  # another system, with its API key

# The reader of a desk: staff who call patients by name, other staff, or another system.
Onlooker = Literal["floor", "staff", "system"]

_RECEPTION = frozenset({"admin", "receptionist"})
_FLOOR = frozenset({"admin", "receptionist", "clinician"})
_ADMIN = frozenset({"admin"})
_STAFF = frozenset(ROLES)
_FIGURES = frozenset({"admin", "manager"})
_OTHER_SYSTEMS = frozenset({INTEGRATION})
_BOOKING = _FLOOR | _OTHER_SYSTEMS

# Commands and queries by name. A name that is missing here is allowed to no role.
MAY: dict[str, frozenset[str]] = {
    "issue-ticket": _RECEPTION | {KIOSK} | _OTHER_SYSTEMS,
    "call-next": _FLOOR,
    "call": _FLOOR,
    "recall": _FLOOR,
    "start": _FLOOR,
    "complete": _FLOOR,
    "no-show": _FLOOR,
    "transfer": _FLOOR,
    "hold": _FLOOR,
    "return": _FLOOR,
    "leave": _RECEPTION | {PATIENT} | _OTHER_SYSTEMS,
    "cancel": _RECEPTION | _OTHER_SYSTEMS,
    "reprioritise": _RECEPTION,
    "move": _RECEPTION,
    "running-late": _RECEPTION | {PATIENT} | _OTHER_SYSTEMS,
    "undo": _FLOOR,
    "reopen": _RECEPTION,
    "open-point": _FLOOR,
    "break-point": _FLOOR,
    "close-point": _FLOOR,
    "open-queue": _RECEPTION,
    "pause-queue": _RECEPTION,
    "broadcast-message": _RECEPTION,
    "announce-delay": _RECEPTION | {"manager"},
    "withdraw-delay": _RECEPTION | {"manager"},
    "close-day": _RECEPTION,
    "end-trial": _RECEPTION,  # and begin one, with tickets of test patients
    "amend-visit": _RECEPTION,
    "staff-point": _FLOOR,
    "swap-points": _RECEPTION,
    "reassign-provider": _RECEPTION,
    "change-site": _ADMIN,
    "add-service": _ADMIN,
    "change-service": _ADMIN,
    "add-provider": _ADMIN,
    "change-provider": _ADMIN,
    "add-queue": _ADMIN,
    "change-queue": _ADMIN,
    "add-point": _ADMIN,
    "change-point": _ADMIN,
    "add-display": _ADMIN,
    "add-kiosk": _ADMIN,
    "rename-device": _ADMIN,
    "change-display": _ADMIN,
    "change-kiosk": _ADMIN,
    "ask-help": _ADMIN | {KIOSK},
    "answer-help": _FLOOR,
    "renew-token": _ADMIN,
    "revoke-token": _ADMIN,
    "add-schedule": _ADMIN,
    "change-schedule": _ADMIN,
    "end-schedule": _ADMIN,
    "add-exception": _RECEPTION,
    "remove-exception": _RECEPTION,
    "arrange": _ADMIN,
    "remove": _ADMIN,
    "hide-checklist": _ADMIN,
    "hold-slot": _BOOKING,
    "release-slot": _BOOKING,
    "book": _BOOKING,
    "book-series": _BOOKING,
    "reschedule": _BOOKING | {PATIENT},
    "amend-appointment": _BOOKING,
    "want-earlier": _BOOKING | {PATIENT},
    "cancel-appointment": _BOOKING | {PATIENT},
    "check-in": _BOOKING | {PATIENT, KIOSK},
    "accept-offer": _BOOKING | {PATIENT},
    "decline-offer": _BOOKING | {PATIENT},
    "appointment-no-show": _FLOOR,
    "clear-unreached": _FLOOR,
    "confirm": _FLOOR,
    "move-appointments": _RECEPTION,
    "import-appointments": _ADMIN,
    "link-practitioner": _ADMIN,
    "overbook": _RECEPTION,  # book a time that is not free, with a reason
    # Issue a ticket although the site is closed or the queue full.
    "overrule-limits": _RECEPTION,
    "read-sites": _STAFF | _OTHER_SYSTEMS,
    "read-appointments": _STAFF | _OTHER_SYSTEMS,
    "read-slots": _STAFF | _OTHER_SYSTEMS,
    "read-board": _STAFF | _OTHER_SYSTEMS,
    "read-site": _STAFF,
    "read-entries": _STAFF,
    "read-history": _FLOOR,
    "read-personal": _FLOOR,  # patients' personal data: of an entry, of a visit, or on a desk
    "read-marks": _STAFF,  # patients' needs, and the true names of services
    "read-slip": _RECEPTION,  # a ticket to reprint, with its token
    "read-actors": _RECEPTION,  # the names of actors in a history
    "find-patients": _RECEPTION,
    "read-audit": _ADMIN,
    "read-statistics": _FIGURES,
    "replay-days": _FIGURES,  # past screens, with names for the roles that read personal data
    "read-day": _FIGURES | _RECEPTION,
    "follow-point": _FLOOR,
    "follow-desk": _FLOOR | {"manager"},
    "follow-calendar": _FLOOR | {"manager"},
    "follow-configuration": _ADMIN,
    "add-site": _ADMIN,
    "read-system": _ADMIN,
    "manage-staff": _ADMIN,
    "manage-practitioners": _ADMIN,
    "manage-api-keys": _ADMIN,
    "manage-calendar-feeds": _FIGURES,
    "manage-channels": _ADMIN,
    "read-messages": _RECEPTION | {"manager"},  # with masked addresses
    "resend-message": _RECEPTION | {"manager"},
    "edit-message-texts": _FIGURES,
    "mail-reports": _FIGURES,  # of months, to addresses outside of the clinic too
    "read-contact": _FLOOR,  # masked addresses, and whether they take messages
    "change-contact": _FLOOR,
    "pair-devices": _ADMIN,
    "print-poster": _ADMIN,
}


def may(role: str, action: str) -> bool:
    """Return whether ``role`` may do ``action``, the name of a command or query."""
    return role in MAY.get(action, frozenset())


def roles_that_may(action: str) -> list[str]:
    """Return the roles of staff, and of another system, that may do ``action``."""
    return [role for role in (*ROLES, INTEGRATION) if may(role, action)]


def allowed(role: str) -> list[str]:
    """Return the names of all actions that ``role`` may do, sorted."""
    return sorted(action for action, by in MAY.items() if role in by)


def onlooker(role: str) -> Onlooker:
    """Return the kind of onlooker that ``role`` is at a desk."""
    if may(role, "read-personal"):
        return "floor"
    return "staff" if may(role, "read-marks") else "system"
