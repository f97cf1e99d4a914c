"""Makes a message from the records, at the moment of sending: a new name of the site or a new number is in the message."""

from __future__ import annotations

from dataclasses import replace

from server import calendars, phones
from server.domain.flags import PATIENT_PUSH, Flags
from server.domain.messages import Way
from server.domain.model import Appointment, Visit, local_time
from server.domain.model.clocks import clock_of
from server.notifying import drafts, texts
from server.notifying.channels.channel import Message
from server.notifying.texts import Facts
from server.queries.messages import Subject
from server.store.notifications import Claimed
from server.vault import Vault

UNSUBSCRIBE_PATH = "/api/v1/unsubscribe/"
# A mail about these kinds has the appointment's entry for the patient's own calendar.
_WITH_CALENDAR = frozenset({"booked", "moved", "cancelled", "reminder"})


def reachable(subject: Subject, flags: Flags) -> Subject:
    """Return the subject of a message without the ways that a flag switches off at its site.

    A patient whose phone is left out is like one who has ended the subscription: messages go another way of the site.
    """
    if subject.subscription is None or flags.is_on(PATIENT_PUSH, subject.site.id):
        return subject
    return replace(subject, subscription=None)


def compose(row: Claimed, subject: Subject, vault: Vault, public_url: str, now: int) -> Message | None:
    """Return the message of a row; None if the patient has no address for it. ``now`` is in microseconds.

    Raises `KeyError` for a kind without texts.
    """
    site, record = subject.site, subject.record
    if record is None:
        return None
    personal = vault.open_personal(record)
    address = subject.address_of(personal, row.channel, vault)
    if address is None:
        return None
    token = personal.token
    page = f"/{'t' if isinstance(record, Visit) else 'a'}/{token}"
    if row.channel == "push" and isinstance(record, Visit) and subject.subscription is not None:
        page = subject.subscription.opened(vault)["page"]  # after a check-in it may be the page of the appointment
    link = public_url + page
    facts = _facts(subject, link, row.minutes)
    name = texts.template_of(row.kind, row.subject)
    wanted = (record.language, site.language)
    # A text that an older release has saved may have a placeholder that is gone: then the shipped text goes out.
    own = {tag: text for tag, text in subject.texts.get(name, {}).items() if drafts.broken(name, text) is None}
    calendar = None
    if row.channel == "email" and row.kind in _WITH_CALENDAR and isinstance(record, Appointment):
        calendar = calendars.of_patient(record, vault, now, site=site.name, provider=subject.provider, address=link)
    return Message(
        key=f"notification:{row.id}",
        to=phones.without_extension(address) if row.channel == "sms" else address,
        language=record.language,
        subject=texts.subject_for(name, wanted, site.name, own),
        text=(texts.sms_for if row.channel == "sms" else texts.text_for)(name, wanted, facts, own),
        not_after=row.not_after,
        link=link,
        calendar=calendar,
        kind=row.kind,
        unsubscribe=f"{public_url}{UNSUBSCRIBE_PATH}{token}" if row.channel == "email" else None,
    )


def other_way(row: Claimed, subject: Subject, vault: Vault) -> Way | None:
    """Return the first other way of the site on which the patient can be reached, or None."""
    ways = (way for way in subject.site.rules.message_ways if way != row.channel)
    return next(iter(subject.addresses(ways, vault)), None)


def next_way(row: Claimed, subject: Subject, vault: Vault) -> Way | None:
    """Return the first of the site's ways after that of the row on which the patient has an address, or None.

    A message goes from way to way in the order of the site, so none goes round in a circle.
    """
    ways = subject.site.rules.message_ways
    after = ways[ways.index(row.channel) + 1 :] if row.channel in ways else ()
    return next(iter(subject.addresses(after, vault)), None)


def _facts(subject: Subject, link: str, minutes: int | None) -> Facts:
    site, appointment = subject.site, subject.appointment
    until = None
    if appointment is not None and appointment.held_until is not None:
        until = local_time.local_of(appointment.held_until, site.time_zone).local[11:]
    return Facts(
        clinic=site.name,
        link=link,
        label="" if subject.visit is None else subject.visit.label,
        local_start=None if appointment is None else appointment.local_start,
        until=until,
        minutes=minutes,
        clock=clock_of(site),
    )
