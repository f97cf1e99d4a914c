"""What a role may do, as one table."""

from __future__ import annotations

from typing import Literal

Role = Literal["admin", "manager", "receptionist", "clinician"]
ROLES: tuple[Role, ...] = ("admin", "manager", "receptionist", "clinician")
PATIENT = "patient"  # whoever has a ticket's token: for that ticket alone
KIOSK = "kiosk"  # a tablet at the door, by its own token
INTEGRATION = "integration"  # another system, by its API key

# The reader of a desk: staff who call patients by name, other staff, or another system.
Onlooker = Literal["floor", "staff", "system"]

_RECEPTION = frozenset({"admin", "receptionist"})
_FLOOR = frozenset({"admin", "receptionist", "clinician"})
_ADMIN = frozenset({"admin"})
_STAFF = frozenset(ROLES)
_FIGURES = frozenset({"admin", "manager"})
_OTHER_SYSTEMS = frozenset({INTEGRATION})

# Commands and queries by name; a name that is missing here is allowed to nobody.
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
    "close-day": _RECEPTION,
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
    "renew-token": _ADMIN,
    "revoke-token": _ADMIN,
    "remove": _ADMIN,
    # A ticket although the site is closed or the queue full.
    "overrule-limits": _RECEPTION,
    "read-sites": _STAFF | _OTHER_SYSTEMS,
    "read-board": _STAFF | _OTHER_SYSTEMS,
    "read-site": _STAFF,
    "read-entries": _STAFF,
    "read-history": _FLOOR,
    "read-personal": _FLOOR,  # what patients told of themselves, with an entry, a visit or on a desk
    "read-marks": _STAFF,  # patients' needs, and what a service really is
    "read-slip": _RECEPTION,  # the ticket to print again, with its token
    "read-actors": _RECEPTION,  # by name, with a history
    "find-patients": _RECEPTION,
    "read-audit": _ADMIN,
    "read-statistics": _FIGURES,
    "read-day": _FIGURES | _RECEPTION,
    "follow-point": _FLOOR,
    "follow-desk": _FLOOR | {"manager"},
    "manage-staff": _ADMIN,
    "manage-api-keys": _ADMIN,
    "pair-devices": _ADMIN,
}


def may(role: str, action: str) -> bool:
    """Return whether ``role`` may do ``action``, a command's or a query's name."""
    return role in MAY.get(action, frozenset())


def roles_that_may(action: str) -> list[str]:
    """Return the roles of staff, and of another system, that may do ``action``."""
    return [role for role in (*ROLES, INTEGRATION) if may(role, action)]


def allowed(role: str) -> list[str]:
    """Return all that ``role`` may do, by name, in the order of the alphabet."""
    return sorted(action for action, by in MAY.items() if role in by)


def onlooker(role: str) -> Onlooker:
    """Return as whom ``role`` looks at a desk."""
    if may(role, "read-personal"):
        return "floor"
    return "staff" if may(role, "read-marks") else "system"
