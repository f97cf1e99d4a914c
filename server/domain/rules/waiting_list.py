"""The waiting list: a time that becomes free is offered to the patients who asked for an earlier one, one after the other.

An offer is a hold of ten minutes for one booked appointment of the same provider and service. The patient's own time stays
until the patient accepts. Who does not answer is passed over, and is not asked again for the same time.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from server.domain import free_time
from server.domain.board import Board
from server.domain.calendar import After, Calendar
from server.domain.commands import AcceptOffer, DeclineOffer, DropHold, PassOffer
from server.domain.errors import NothingDue, OfferOver, SlotNotOffered, SlotTaken
from server.domain.events import AppointmentAmended, AppointmentBooked, AppointmentHeld, Event, HoldReleased, OfAppointment
from server.domain.free_time import Wanted
from server.domain.model import Appointment
from server.domain.model.local_time import MINUTE
from server.domain.rules.booking import HOLD_MINUTES, find_appointment, moved, new_appointment
from server.domain.rules.lookups import new_ids
from server.domain.rules.unreached import offer_over

LEAST_AHEAD = 60 * MINUTE  # a patient needs the time to read the offer, and to come


def with_offers(board: Board, events: list[Event], now: int, calendar: Calendar) -> list[Event]:
    """Return ``events`` behind those that offer the times which they made free: the answer is about the last event."""
    return [*offers(board, events, now, calendar), *events]


def offers(board: Board, events: list[Event], now: int, calendar: Calendar) -> list[Event]:
    """Return the events that offer the times which ``events`` made free."""
    ahead = After(calendar)
    freed: list[Appointment] = []
    used = set()
    for event in events:
        if isinstance(event, OfAppointment):
            used.add(event.appointment_id)
            ahead.add(event.appointment)
            if isinstance(event, AppointmentAmended | AppointmentBooked):
                continue  # they free no time, and an import has many of them
            before = calendar.appointment(event.appointment_id)
            if before is not None and before.takes_time(now) and not _still_takes(before, event.appointment):
                freed.append(before)
    ids = (each for each in new_ids(board) if each not in used)
    offered: list[AppointmentHeld] = []
    for each in freed:
        busy = {one.appointment.offered_to for one in offered}
        offer = _next_offer(board, each, now, calendar, ahead, next(ids), busy)
        if offer is not None:
            ahead.add(offer.appointment)
            offered.append(offer)
    return [*offered]


def accept(board: Board, command: AcceptOffer, now: int, calendar: Calendar) -> list[Event]:
    mine = find_appointment(board, calendar, command.appointment_id)
    hold = _offer_to(mine, now, calendar)
    offer = free_time.Offer(
        provider_id=hold.provider_id,
        resource_id=hold.resource_id,
        point_id=hold.point_id,
        local_start=hold.local_start,
        fold=hold.fold,
        starts_at=hold.starts_at,
        ends_at=hold.starts_at + mine.minutes * MINUTE,
        minutes=mine.minutes,
        buffer_minutes=hold.buffer_minutes,
        lane=hold.lane,
    )
    accepted = moved(board, calendar, mine, offer)
    accepted = replace(accepted, appointment=replace(accepted.appointment, earlier_since=None))
    return [HoldReleased(appointment=hold.without_time(now, "expired")), accepted]


def decline(board: Board, command: DeclineOffer, now: int, calendar: Calendar) -> list[Event]:
    mine = find_appointment(board, calendar, command.appointment_id)
    hold = _offer_to(mine, now, calendar)
    return [*offer_over(mine), HoldReleased(appointment=hold.without_time(now, "expired"))]


def pass_on(command: PassOffer, now: int, calendar: Calendar) -> list[Event]:
    """Return the events that end an offer which nobody answered. Raises `NothingDue` if it has ended, or still stands."""
    hold = calendar.appointment(command.appointment_id)
    if hold is None or hold.state != "held" or hold.offered_to is None or now < (hold.held_until or 0):
        raise NothingDue(site_id=command.site_id)
    asking = calendar.appointment(hold.offered_to)
    return [*offer_over(asking), HoldReleased(appointment=hold.without_time(now, "expired"))]


def drop_hold(command: DropHold, now: int, calendar: Calendar) -> list[Event]:
    """Return the events that end a hold or an offer before its time. Raises `NothingDue` if it takes no time any more."""
    hold = calendar.appointment(command.appointment_id)
    if hold is None or hold.state != "held" or not hold.takes_time(now):
        raise NothingDue(site_id=command.site_id)
    asking = None if hold.offered_to is None else calendar.appointment(hold.offered_to)
    return [*offer_over(asking), HoldReleased(appointment=hold.without_time(now, "expired"))]


def _offer_to(mine: Appointment, now: int, calendar: Calendar) -> Appointment:
    for each in calendar.offers_to(mine.id):
        if each.takes_time(now):
            return each
    raise OfferOver(appointment_id=mine.id)


def _still_takes(before: Appointment, after: Appointment) -> bool:
    """Return whether an appointment still takes the begin of the time that it took."""
    return (
        after.state in ("held", "booked", "checked_in")
        and after.resource_id == before.resource_id
        and after.starts_at <= before.starts_at < after.ends_at
    )


def _next_offer(
    board: Board,
    freed: Appointment,
    now: int,
    calendar: Calendar,
    ahead: After,
    identifier: int,
    busy: Collection[int | None],
) -> AppointmentHeld | None:
    """Return the offer of a free time to the first patient on the waiting list who fits and has not had this offer.

    A patient has one offer at a time: two would keep two times from all others. ``busy`` are the appointments with an offer
    of the same command.
    """
    if freed.starts_at < now + LEAST_AHEAD or freed.overbooked is not None:
        return None
    wanting = calendar.wanting_earlier(freed.provider_id, freed.starts_at)
    asked = {each.offered_to for each in calendar.offers_of(freed.provider_id, freed.starts_at)} if wanting else set()
    for one in wanting:
        each = ahead.latest(one)
        if each.id in asked or each.id in busy or each.id in (freed.id, freed.offered_to) or each.state != "booked":
            continue
        # The same command may have moved the appointment of the patient who asked.
        if not each.wants_earlier or each.provider_id != freed.provider_id or each.starts_at <= freed.starts_at:
            continue
        if any(ahead.latest(offer).takes_time(now) for offer in calendar.offers_to(each.id)):
            continue
        wanted = Wanted(service_id=each.service_id, provider_id=freed.provider_id, minutes=each.minutes, for_patient=True)
        try:
            [offer] = free_time.offers_at(board, ahead, wanted, freed.local_start, freed.fold, now)
        except (SlotTaken, SlotNotOffered):
            continue
        held = new_appointment(board, calendar, identifier, each.service_id, offer, calendar.new_token_hash(), now)
        held = replace(held, state="held", held_until=now + round(HOLD_MINUTES * MINUTE), offered_to=each.id)
        return AppointmentHeld(appointment=held)
    return None
