"""Everything the product can refuse, as one tree.

The class states the fact, its snake-case name is the stable ``code``, its docstring is the message. Which HTTP status a
branch of the tree becomes is decided at the edge (`server.transport.http.errors`), never here.
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
        """The stable word that clients match on."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()

    @property
    def message(self) -> str:
        """One sentence for people: the docstring's first line, filled with the details."""
        first_line = (type(self).__doc__ or "").strip().splitlines()[0]
        return first_line.format_map(_Shown(self.details))


class _Shown(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"


class NotFound(NowServingError):
    """There is no such thing."""


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
    """There is nothing with the id {record_id} that could be taken away."""


class EntryNotFound(NotFound):
    """There is no entry with the id {entry_id} in today's queues."""


class EntryUnknown(NotFound):
    """There is no entry with the id {entry_id}, today or before."""


class VisitUnknown(NotFound):
    """There is no visit with the id {visit_id}, today or before."""


class StaffNotFound(NotFound):
    """There is no member of staff with the id {staff_id}."""


class SessionNotFound(NotFound):
    """There is no such session, or it has ended."""


class ApiKeyNotFound(NotFound):
    """There is no API key with the id {api_key_id}."""


class PairingNotFound(NotFound):
    """Nothing waits to be paired by this, or its time is over."""


class TicketNotFound(NotFound):
    """This ticket does not exist, or its day is over."""


class Refused(NowServingError):
    """The present state does not allow this."""


class EntryNotWaiting(Refused):
    """{label} is {state}, not waiting."""


class EntryNotCalled(Refused):
    """{label} is {state}, not called."""


class EntryNotServing(Refused):
    """{label} is {state}, not being served."""


class EntryNotOpen(Refused):
    """{label} is {state}: that has ended, or is on hold."""


class EntryNotHeld(Refused):
    """{label} is {state}: only who is on hold or did not come can return."""


class EntryNotEnded(Refused):
    """{label} is {state}: there is nothing to reopen."""


class EntryNotLeaving(Refused):
    """{label} is {state}: only who waits or is on hold can leave or be cancelled."""


class NothingToUndo(Refused):
    """The last step of {label} can no longer be taken back."""


class LaterStepDepends(Refused):
    """{label} has gone on since: take the later step back first."""


class VisitGoesOn(Refused):
    """The patient with {label} is in another queue now."""


class NoNeighbour(Refused):
    """An entry moves only behind one that waits in the same queue with the same urgency."""


class PointNotOpen(Refused):
    """{point_name} is {state}: open it first."""


class PointAlready(Refused):
    """{point_name} is {state} already."""


class QueueAlready(Refused):
    """The queue {queue_name} is {state} already."""


class QueueIsPaused(Refused):
    """The queue {queue_name} gives no tickets now."""


class PointBusy(Refused):
    """{point_name} still has {label}, who is {state}: finish with them first."""


class NobodyWaiting(Refused):
    """Nobody is waiting whom {point_name} could call."""


class QueueNotServed(Refused):
    """{point_name} does not serve this queue."""


class EntryForAnother(Refused):
    """{label} waits for {provider_name}, who is not at {point_name}."""


class NeedNotMet(Refused):
    """{point_name} cannot meet what {label} needs: {need}."""


class SiteClosed(Refused):
    """{site_name} is closed now."""


class QueueFull(Refused):
    """The queue {queue_name} is full: {capacity} wait already."""


class NothingToReassign(Refused):
    """Nobody waits for {provider_name}."""


class SameProvider(Refused):
    """They wait for this provider already."""


class SamePoint(Refused):
    """A point cannot change rooms with itself."""


class StillInUse(Refused):
    """{name} is still in use: {by}."""


class TokenAlreadyRevoked(Refused):
    """{device_name} has no token."""


class NothingChanged(Refused):
    """All of this is so already."""


class SameQueue(Refused):
    """The patient is already in this queue."""


class NothingDue(Refused):
    """Nothing is due at this site yet."""


class NameTaken(Refused):
    """The name {name} is already in use."""


class LastAdmin(Refused):
    """An organisation keeps at least one administrator who may sign in."""


class CommandIdReused(NowServingError):
    """This idempotency key was used before, with another body."""


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
    """The database cannot be reached. Nothing was changed unless a retry says so; try again shortly."""
