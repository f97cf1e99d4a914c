"""Where the edge notes what is audited: each query that shows data, and everything that somebody was refused.

A command that was done is in its site's log, and is not noted again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Protocol

from server.audit import NOBODY, Audit
from server.domain.commands import COMMANDS, Command
from server.domain.errors import NotAllowed, NotFound
from server.queries.identity import StaffMember

# Queries that show no patient's data: what is not named here is noted.
IMPERSONAL = frozenset({"read-sites", "read-site", "read-statistics"})


class _Audited(Protocol):
    audit: Audit


class _Caller(Protocol):
    @property
    def actor(self) -> str: ...


def judged(
    permit: Callable[[Any, Any, str, int | None], Awaitable[None]],
) -> Callable[[Any, Any, str, int | None], Awaitable[None]]:
    """Note what a method ``permit(self, staff, action, site_id)`` of the gate lets through, and what it refuses."""

    @wraps(permit)
    async def judge(gate: _Audited, staff: Any, action: str, site_id: int | None) -> None:
        about: dict[str, Any] = {"site_id": site_id, "organisation_id": staff.organisation_id}
        try:
            await permit(gate, staff, action, site_id)
        except (NotAllowed, NotFound):
            gate.audit.note(action, staff.actor, **about, allowed=False)
            raise
        if action not in COMMANDS and action not in IMPERSONAL:
            gate.audit.note(action, staff.actor, **about)

    return judge


def judged_bearer(
    permit: Callable[[Any, Any, Command], Awaitable[None]],
) -> Callable[[Any, Any, Command], Awaitable[None]]:
    """Note what a method ``permit(self, caller, command)`` refuses to who is no staff; for staff, `judged` does."""

    @wraps(permit)
    async def judge(gate: _Audited, caller: _Caller, command: Command) -> None:
        try:
            await permit(gate, caller, command)
        except (NotAllowed, NotFound):
            if not hasattr(caller, "organisation_id"):
                gate.audit.note(command.name_on_wire(), caller.actor, site_id=command.site_id, allowed=False)
            raise

    return judge


def signing_in(audit: Audit, member: StaffMember | None, *, allowed: bool, action: str = "sign-in") -> None:
    """Note that somebody tried to sign in with a user name, ``member``'s or nobody's, and whether they were let in."""
    actor = f"staff:{member.id}" if member else NOBODY
    audit.note(
        action,
        actor if allowed else NOBODY,
        subject=actor if member else "",
        organisation_id=member.organisation_id if member else None,
        allowed=allowed,
    )
