"""All errors of the product, as one tree.

A class states a fact. Its name in snake case is the stable ``code``, and its docstring is the message. Only the edge knows
the HTTP status of an error.
"""

from __future__ import annotations

import re


class NowServingError(Exception):
    """Something went wrong."""

    def __init__(self, **details: object) -> None:
        self.details = details
        super().__init__(self.message)

    @property
    def code(self) -> str:
        """The stable code that clients match."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()

    @property
    def message(self) -> str:
        """The message for people: the first line of the docstring, filled with the details."""
        first_line = (type(self).__doc__ or "").strip().splitlines()[0]
        return first_line.format_map(_Shown(self.details))


class _Shown(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"


class NotFound(NowServingError):
    """The record does not exist."""


class OrganisationNotFound(NotFound):
    """There is no organisation named {name}."""


class SiteNotFound(NotFound):
    """There is no site with the id {site_id}."""


class QueueNotFound(NotFound):
    """There is no queue with the id {queue_id}."""


class PointNotFound(NotFound):
    """There is no service point with the id {point_id}."""


class ServiceNotFound(NotFound):
    """There is no service with the id {service_id}."""


class ProviderNotFound(NotFound):
    """There is no provider with the id {provider_id}."""


class DeviceNotFound(NotFound):
    """There is no display or kiosk with the id {device_id}."""


class RecordNotFound(NotFound):
    """There is no service, provider, queue, point, display or kiosk with the id {record_id}."""


class EntryNotFound(NotFound):
    """There is no entry with the id {entry_id} in today's queues."""


class EntryUnknown(NotFound):
    """There is no entry with the id {entry_id}, neither today nor on an earlier day."""


class VisitUnknown(NotFound):
    """There is no visit with the id {visit_id}, neither today nor on an earlier day."""


class StaffNotFound(NotFound):
    """There is no member of staff with the id {staff_id}."""


class SessionNotFound(NotFound):
    """This session does not exist or has ended."""


class ApiKeyNotFound(NotFound):
    """There is no API key with the id {api_key_id}."""


class PairingNotFound(NotFound):
    """This pairing code is unknown or has expired. Show a new one on the screen."""


class TicketNotFound(NotFound):
    """This ticket does not exist, or it is of an earlier day."""


class Refused(NowServingError):
    """The present state does not allow this command."""


class EntryNotWaiting(Refused):
    """{label} is {state}, not waiting."""


class EntryNotCalled(Refused):
    """{label} is {state}, not called."""


class EntryNotServing(Refused):
    """{label} is {state}, not being served."""


class EntryNotOpen(Refused):
    """{label} is {state}. The command needs an entry that has not ended and is not on hold."""


class EntryNotHeld(Refused):
    """{label} is {state}. Only an entry on hold, a no-show, a called or a late patient can return."""


class EntryNotEnded(Refused):
    """{label} is {state}. Only an entry that has ended can be reopened."""


class EntryNotLeaving(Refused):
    """{label} is {state}. An entry can leave while it waits, is called or is on hold. A called entry cannot be cancelled."""


class NothingToUndo(Refused):
    """The last step of {label} can no longer be undone."""


class LaterStepDepends(Refused):
    """A later step of {label} depends on this one. Undo the later step first."""


class VisitGoesOn(Refused):
    """The visit of {label} continues in another queue."""


class QueueRemoved(Refused):
    """{label} cannot go back to {queue_name}: this queue has been removed. Transfer the patient, or issue a new ticket."""


class ProviderRemoved(Refused):
    """{label} waits for {provider_name}, but this provider has been removed. Issue a new ticket for somebody else."""


class PointRemoved(Refused):
    """{label} cannot go back to {point_name}: this point has been removed. Return or reopen the ticket instead."""


class NoNeighbour(Refused):
    """An entry can move only behind an entry that waits in the same queue with the same urgency."""


class PointNotOpen(Refused):
    """{point_name} is {state}. Open it first."""


class PointAlready(Refused):
    """{point_name} is already {state}."""


class QueueAlready(Refused):
    """The queue {queue_name} is already {state}."""


class QueueIsPaused(Refused):
    """The queue {queue_name} is paused and issues no tickets."""


class PointBusy(Refused):
    """{label} is {state} at {point_name}. Finish this patient first."""


class NobodyWaiting(Refused):
    """{point_name} has no waiting patient to call."""


class QueueNotServed(Refused):
    """{point_name} does not serve this queue."""


class EntryForAnother(Refused):
    """{label} waits for {provider_name}, and this provider is not at {point_name}."""


class NeedNotMet(Refused):
    """{point_name} cannot meet a need of {label}: {need}."""


class SiteClosed(Refused):
    """{site_name} is closed now."""


class QueueFull(Refused):
    """The queue {queue_name} is full: {capacity} patients are already waiting."""


class AlreadyQueued(Refused):
    """{label} looks like a ticket of the same patient and is {state} in {queue_name}. Confirm to issue a second ticket."""


class NamesNotShown(Refused):
    """The displays of {site_name} show no names. Allow names in the rules of the site first."""


class LanguageNotOffered(Refused):
    """{language} is no language of {site_name}. Add it to the languages of the site first."""


class NothingToReassign(Refused):
    """No patient waits for {provider_name}."""


class SameProvider(Refused):
    """The patients already wait for this provider."""


class SamePoint(Refused):
    """A point cannot swap rooms with itself."""


class StillInUse(Refused):
    """{name} is still in use: {by}."""


class TokenAlreadyRevoked(Refused):
    """{device_name} has no token."""


class NothingChanged(Refused):
    """Nothing to change: it is already set like this."""


class SameQueue(Refused):
    """The patient is already in this queue."""


class NothingDue(Refused):
    """Nothing to do yet: the clock has no work at this site."""


class NameTaken(Refused):
    """The name {name} is already in use."""


class UserNamesCollide(Refused):
    """Some user names differ in case, width or spaces alone, which count no more: {names}. {remedy}"""


class LastAdmin(Refused):
    """An organisation needs at least one administrator who can sign in."""


class CommandIdReused(NowServingError):
    """This idempotency key was already used with another body."""


class InvalidField(NowServingError):
    """{field}: {problem}."""


class NotSignedIn(NowServingError):
    """Sign in first."""


class SignInFailed(NotSignedIn):
    """The user name or the password is wrong."""


class NotAllowed(NowServingError):
    """You are not allowed to do this."""


class WrongPassword(NotAllowed):
    """The old password is wrong."""


class Unavailable(NowServingError):
    """The database cannot be reached. Try again in a few seconds; repeat a command with the same idempotency key."""
