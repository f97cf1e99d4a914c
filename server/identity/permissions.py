"""Permissions: whether a caller may do an action. The audit notes refusals, and each query that shows personal data.

A command that was done is in its site's log, so the audit does not note it again.
"""

from __future__ import annotations

from server.audit import Audit
from server.domain import roles
from server.domain.commands import COMMANDS, Command
from server.domain.commands.command import OnKiosk
from server.domain.errors import AppointmentNotFound, EntryNotFound, NotAllowed, NotFound, SiteNotFound
from server.domain.model.ids import MAX_ID, site_of
from server.identity.callers import Bearer, Integration, Staff
from server.queries.identity import Identities

# The use case of such an action notes its outcome, with what changed or was shown. A refusal for the role is noted here.
NOTED_BY_THEMSELVES = frozenset(
    {
        *("add-staff", "change-staff", "end-sessions", "remove-second-factor", "add-api-key", "revoke-api-key"),
        *("make-invitation", "revoke-invitation", "make-reset-link", "add-practitioner"),
        *("add-calendar-feed", "revoke-calendar-feed", "resend-message", "change-contact"),
        *("set-message-text", "reset-message-text", "replay-days"),
        *("mail-report", "subscribe-report", "end-report"),
    }
)
# Queries that show no patient's data. The audit notes every query that is missing here.
IMPERSONAL = frozenset(
    {
        *(
            "read-sites",
            "read-site",
            "read-statistics",
            "replay-with-changes",
            "print-poster",
            "list-practitioners",
            "read-slots",
        ),
        "edit-message-texts",  # to list and preview them
    }
)


class Permissions:
    """Checks the actions of callers, and notes them in the audit. One for each process."""

    def __init__(self, identities: Identities, audit: Audit) -> None:
        self._identities = identities
        self._audit = audit
        self._organisations: dict[int, int] = {}  # by site: a site never changes its organisation

    async def check_action(
        self, staff: Staff | Integration, action: str, site_id: int | None, doing: str | None = None
    ) -> None:
        """Raise unless ``staff`` may do ``action`` (at ``site_id``): `NotAllowed`, `SiteNotFound`.

        `SiteNotFound` also hides a site of another organisation. ``doing`` is the name in the audit, where several
        operations need one right: ``list-staff`` and ``add-staff`` need ``manage-staff``.
        """
        noted = doing or action
        try:
            await self._check_action(staff, action, site_id)
        except (NotAllowed, NotFound):
            self._note(staff, noted, site_id, allowed=False)
            raise
        if action not in COMMANDS and noted not in IMPERSONAL | NOTED_BY_THEMSELVES:
            self._note(staff, noted, site_id)

    async def check_command(self, caller: Staff | Integration | Bearer, command: Command) -> None:
        """Raise unless ``caller`` may do ``command``: `NotAllowed`, `SiteNotFound`.

        For a patient, `EntryNotFound` hides every entry of another visit, and `AppointmentNotFound` every other appointment.
        """
        if not isinstance(caller, Bearer):
            await self.check_action(caller, command.name_on_wire(), command.site_id)
            return
        try:
            await self._check_bearer(caller, command)
        except (NotAllowed, NotFound):
            self._audit.note(command.name_on_wire(), caller.actor, site_id=command.site_id, allowed=False)
            raise

    async def _check_action(self, staff: Staff | Integration, action: str, site_id: int | None) -> None:
        if not roles.may(staff.role, action):
            raise NotAllowed(action=action, role=staff.role)
        if site_id is None:
            return
        elsewhere = isinstance(staff, Integration) and staff.site_id not in (None, site_id)
        if elsewhere or await self._organisation_of(site_id) != staff.organisation_id:
            raise SiteNotFound(site_id=site_id)

    async def _check_bearer(self, bearer: Bearer, command: Command) -> None:
        name = command.name_on_wire()
        if bearer.kind == "kiosk":
            if not roles.may(bearer.role, name):
                raise NotAllowed(action=name, role=bearer.role)
            if command.site_id != site_of(bearer.id):
                raise SiteNotFound(site_id=command.site_id)
            if isinstance(command, OnKiosk) and command.kiosk_id != bearer.id:
                raise NotAllowed(action=name, role=bearer.role)
            return
        # The token of an appointment also opens its ticket after the check-in: the page of the appointment becomes that one.
        of_appointment = bearer.kind == "appointment" and hasattr(command, "appointment_id")
        subject = "appointment_id" if of_appointment else "entry_id"
        subject_id = getattr(command, subject, None)
        if subject_id is None or not roles.may(bearer.role, name):
            raise NotAllowed(action=name, role=bearer.role)
        if subject == "appointment_id":
            if subject_id != bearer.id:
                raise AppointmentNotFound(appointment_id=subject_id)
            return
        own = bearer.id if bearer.kind == "ticket" else await self._identities.visit_of_appointment(bearer.id)
        if own is None or await self._identities.visit_of(subject_id) != own:
            raise EntryNotFound(entry_id=subject_id)

    async def _organisation_of(self, site_id: int) -> int | None:
        if site_id > MAX_ID:  # no column could hold it
            return None
        known = self._organisations.get(site_id)
        if known is None:
            known = await self._identities.organisation_of(site_id)
            if known is not None:
                self._organisations[site_id] = known
        return known

    def _note(self, staff: Staff | Integration, action: str, site_id: int | None, *, allowed: bool = True) -> None:
        organisation_id = staff.organisation_id
        self._audit.note(action, staff.actor, site_id=site_id, organisation_id=organisation_id, allowed=allowed)
