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


class ScheduleNotFound(NotFound):
    """There is no schedule with the id {schedule_id} that goes on."""


class ExceptionNotFound(NotFound):
    """There is no exception with the id {exception_id} today or later."""


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


class ChannelNotFound(NotFound):
    """No channel is set up here. Choose a mail server or an SMS provider first."""


class WebhookNotFound(NotFound):
    """There is no webhook with the id {webhook_id}."""


class MessageNotFound(NotFound):
    """There is no message with the id {message_id}."""


class MessageTextNotFound(NotFound):
    """There is no message text with the name {template}."""


class AddressNotFound(NotFound):
    """The clinic sends no messages to this patient by {way}: the clinic does not use this way, or has no address for it."""


class CalendarFeedNotFound(NotFound):
    """This calendar address does not exist or was revoked."""


class PairingNotFound(NotFound):
    """This pairing code is unknown or has expired. Show a new one on the screen."""


class PractitionerNotFound(NotFound):
    """There is no practitioner with the id {practitioner_id} in this organisation."""


class AppointmentNotFound(NotFound):
    """This appointment does not exist."""


class TicketNotFound(NotFound):
    """This ticket does not exist, or it is of an earlier day."""


class NothingRecorded(NotFound):
    """Nothing of this site was recorded up to this time. Choose a later one."""


class Refused(NowServingError):
    """The present state does not allow this command."""


class MessageNotRepeatable(Refused):
    """This message is {state}. Only a failed message, or one of unknown outcome, can be sent again."""


class MessageRepeated(Refused):
    """This message was sent again already. Look at its repeat."""


class MessageUnwanted(Refused):
    """The patient takes no more messages at this address. Ask for another address, or call."""


class MessageOutdated(Refused):
    """The appointment or the visit has moved on, so this message is not right any more. Call the patient if needed."""


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


class FeedbackNotWanted(Refused):
    """This clinic asks no question about this visit. The visit goes on, or the clinic does not ask at all."""


class FeedbackGiven(Refused):
    """An answer about this visit was given already. Each visit has one answer."""


class NoMessageWays(Refused):
    """This site sends no messages. An administrator chooses the ways to patients in the settings of the clinic."""


class NoDelayAnnounced(Refused):
    """No delay of this site is announced. There is nothing to withdraw."""


class PastNotPrepared(Refused):
    """The history of this day is being prepared. Try again in some minutes."""


class DayTooLarge(Refused):
    """This day has more than {most} patients, or very many steps. Choose a quieter day."""


class DateNotKept(Refused):
    """A past calendar begins on the business day {business_day} or later: the log has no calendar of earlier days."""


class ReplayBusy(Refused):
    """This server replays another day with changes now. Try again in {retry_after} s."""


class ReplayTooLong(Refused):
    """The replay of this day took too long. Choose a quieter day, or try again when the server is less busy."""


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


class RequestExpired(Refused):
    """This request was valid for a short time only, and the time is over. No ticket was issued."""


class JoiningIsOff(NotFound):
    """This clinic gives no tickets to phones. Please ask at the desk."""


class JoinedAlready(Refused):
    """This phone has the open ticket {label}."""


class JoinedTooOften(Refused):
    """This phone has had {limit} tickets within an hour. Please ask at the desk, or try again in {retry_after} s."""


class JoiningTooMany(Refused):
    """Many people have joined within an hour. Please ask at the desk, or try again in {retry_after} s."""


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


class PrefixFixed(Refused):
    """The queue {queue_name} keeps its letter {prefix}. Another letter needs a queue with another name."""


class InUse(Refused):
    """{name} is still in use: {by}."""


class AppointmentChanged(Refused):
    """This appointment has changed meanwhile: it is {state} for {local_start} now. Look at it again."""


class AppointmentNotBooked(Refused):
    """This appointment is {state}, not booked."""


class AlreadyCheckedIn(Refused):
    """This patient has already checked in and has the ticket {label}."""


class AlsoBooked(Refused):
    """This phone number already has an appointment at {local_start}. Confirm to book another one."""


class HasAppointment(Refused):
    """This phone number has an appointment today at {local_start}. Check the patient in, or confirm to issue a ticket."""


class HoldExpired(Refused):
    """The time was kept for ten minutes, and they are over. Choose a time again."""


class ForeignIdTaken(Refused):
    """The id {foreign_id} belongs to the appointment at {local_start}, which is {state}. Use another id."""


class HoldNotExtended(Refused):
    """The time has already been kept longer once. Book it, or choose a time again."""


class TooManyWebhooks(Refused):
    """There are {most} webhooks already. Remove one first."""


class TooManyHolds(Refused):
    """Too many times are kept from this address. Book one of them, or wait {retry_after} s."""


class SeriesTaken(Refused):
    """{count} of the times are not free; the first is {local_start}. Skip them, or choose another time."""


class NotPlaced(Refused):
    """{count} appointments have no free provider at their time; the first is at {local_start}."""


class NothingToMove(Refused):
    """{provider_name} has no appointments then."""


class OfferOver(Refused):
    """The earlier time is no longer offered. Your appointment stays as it was."""


class PractitionerBusy(Refused):
    """{count} appointments collide with appointments of the same person at another site; the first is at {local_start}."""


class TooEarly(Refused):
    """This is possible from {local_from} on. Come back then, or ask at the desk."""


class TooLate(Refused):
    """This was possible until {local_until}. Ask at the desk."""


class NoQueueForService(Refused):
    """No queue belongs to {service_name}. Give the service a queue first."""


class BookingIsOff(NotFound):
    """This clinic does not book appointments here. Please call the clinic."""


class SlotTaken(Refused):
    """The time {local_start} is taken: {reason}."""


class SlotNotOffered(Refused):
    """The time {local_start} is not offered: {reason}."""


class CheckInNotNow(Refused):
    """The check-in for this appointment is open from {local_from} to {local_until}."""


class CheckInRefused(Refused):
    """The check-in is not possible here. Please go to the desk."""


class HelpNotAsked(Refused):
    """Nobody at {kiosk_name} waits for help: a colleague has answered already."""


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
    """An organisation needs at least one administrator who can sign in. Make a colleague administrator first."""


class PushNotOffered(Refused):
    """This clinic does not send messages to phones. The page shows your turn."""


class CommandIdReused(NowServingError):
    """This idempotency key was already used with another body."""


class InvalidField(NowServingError):
    """{field}: {problem}."""


class PhoneNumberNeeded(InvalidField):
    """This clinic needs a phone number. Type your number and try again."""


class NoSuchLocalTime(InvalidField):
    """{local} does not exist in {zone}: the clocks go forward then. The first time after it is {offered}."""


class OrganisationNotNamed(InvalidField):
    """The file names no organisation, and the installation has {organisations}. Add the key organisation to it."""


class SiteNotNamed(InvalidField):
    """Name one site by its number: {sites}."""


class NotSignedIn(NowServingError):
    """Sign in first."""


class SignInFailed(NotSignedIn):
    """The user name or the password is wrong."""


class NotAllowed(NowServingError):
    """You are not allowed to do this."""


class JoinCodeNeeded(NotAllowed):
    """Joining needs the code on the clinic's screen. Type or scan the code that the screen shows now."""


class JoinCodeOld(JoinCodeNeeded):
    """This code was shown earlier. Please use the code on the screen now."""


class JoinCodeWrong(JoinCodeNeeded):
    """This is not the code on the screen. Please check it, and type it again."""


class WrongPassword(NotAllowed):
    """The old password is wrong."""


class Unavailable(NowServingError):
    """The database cannot be reached. Try again in a few seconds; repeat a command with the same idempotency key."""


class Busy(Unavailable):
    """Too many commands wait at this site. Nothing was changed. Repeat it with its idempotency key in {retry_after} s."""
