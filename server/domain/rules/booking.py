"""Rules for appointments: hold, book, move, cancel, and what the clock does to them.

`server.domain.free_time` alone decides which times are free, for staff as for patients. An overbooking is a deliberate
exception: it has a reason, a right of its own, and lanes of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from server.domain import free_time
from server.domain.board import Board
from server.domain.calendar import After, Calendar, Times
from server.domain.commands import (
    AmendAppointment,
    AppointmentNoShow,
    Book,
    BookForVisitor,
    BookSeries,
    CancelAppointment,
    HoldForVisitor,
    HoldSlot,
    MoveAppointments,
    ReleaseSlot,
    Reschedule,
    WantEarlier,
)
from server.domain.commands.importing import ImportRow
from server.domain.errors import (
    AlsoBooked,
    AppointmentChanged,
    AppointmentNotBooked,
    AppointmentNotFound,
    BookingIsOff,
    ForeignIdTaken,
    HoldExpired,
    HoldNotExtended,
    InvalidField,
    NotAllowed,
    NothingChanged,
    NothingDue,
    NothingToMove,
    NotPlaced,
    PhoneNumberNeeded,
    SeriesTaken,
    SlotNotOffered,
    SlotTaken,
    TooEarly,
    TooLate,
    TooManyHolds,
)
from server.domain.events import (
    AppointmentAmended,
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentHeld,
    AppointmentMissed,
    AppointmentMoved,
    AppointmentRezoned,
    Event,
    HoldReleased,
)
from server.domain.free_time import Offer, Wanted
from server.domain.model import (
    CELL,
    FIRST_EXTRA_LANE,
    STEP_MINUTES,
    Appointment,
    EndedBy,
    Personal,
    languages,
    local_time,
)
from server.domain.model.local_time import MINUTE
from server.domain.rules.lookups import each_once, find_provider, find_service, new_ids
from server.domain.rules.tickets import Patients, refuse_impossible_birth

HOLD_MINUTES = 10
HOLDS_PER_ADDRESS = 3
REZONED_AT_ONCE = 200
May = Callable[[str], bool]


def hold(board: Board, command: HoldSlot, now: int, token_hash: str, calendar: Calendar) -> list[Event]:
    visitor = command if isinstance(command, HoldForVisitor) else None
    if visitor is not None and board.site.rules.booking == "off":
        raise BookingIsOff()
    if command.hold_token is not None:
        return [_held_longer(command.hold_token, now, calendar)]
    find_service(board, command.service_id)
    released: list[Event] = []
    own: frozenset[int] = frozenset()
    if visitor is not None:
        holds = calendar.holds(visitor.held_by, visitor.held_from, now)
        before = [each for each in holds if each.held_by == visitor.held_by]
        others = [each for each in holds if each.held_by != visitor.held_by]
        if len(others) >= HOLDS_PER_ADDRESS:
            first_over = min(each.held_until or now for each in others)
            raise TooManyHolds(retry_after=max(1, (first_over - now) // 1_000_000))
        # A visitor keeps one time: the next choice gives the earlier one back.
        released = [HoldReleased(appointment=each.without_time(now, "expired")) for each in before]
        own = frozenset(each.id for each in before)
    wanted = Wanted(
        service_id=command.service_id,
        provider_id=command.provider_id,
        minutes=command.minutes,
        for_patient=visitor is not None,
        own=own,
    )
    offer = _choose(board, calendar, wanted, command.local_start, command.fold, now)
    held = replace(
        new_appointment(board, calendar, next(new_ids(board)), command.service_id, offer, token_hash, now),
        state="held",
        held_until=now + HOLD_MINUTES * MINUTE,
        held_by=visitor.held_by if visitor is not None else None,
        held_from=visitor.held_from if visitor is not None else None,
    )
    return [*released, AppointmentHeld(appointment=held)]


def _held_longer(hold_token: str, now: int, calendar: Calendar) -> Event:
    held = _hold_of(hold_token, now, calendar)
    if held.extended:
        raise HoldNotExtended(appointment_id=held.id)
    return AppointmentHeld(appointment=replace(held, extended=True, held_until=now + HOLD_MINUTES * MINUTE))


def release(board: Board, command: ReleaseSlot, now: int, calendar: Calendar) -> list[Event]:
    held = _hold_of(command.hold_token, now, calendar)
    return [HoldReleased(appointment=held.without_time(now, "expired"))]


def book(board: Board, command: Book, now: int, token_hash: str, may: May, calendar: Calendar) -> list[Event]:
    for_patient = isinstance(command, BookForVisitor)
    if for_patient:
        _refuse_visitor(board, command)
    find_service(board, command.service_id)
    refuse_impossible_birth(board, command.date_of_birth, now)
    held = None if command.hold_token is None else _hold_of(command.hold_token, now, calendar)
    offer = offer_for(
        board,
        calendar,
        Wanted(
            service_id=command.service_id,
            provider_id=command.provider_id if held is None or command.provider_id is not None else held.provider_id,
            minutes=command.minutes if held is None or command.minutes is not None else held.minutes,
            for_patient=for_patient,
            own=frozenset() if held is None else frozenset({held.id}),
        ),
        command.local_start,
        command.fold,
        now,
        command.overbook,
        may,
    )
    if command.foreign_id is not None:
        _refuse_taken_foreign_id(calendar, command.foreign_id)
    phone_hash = calendar.phone_hash(command.phone) if command.phone else None
    # Only staff hear of another appointment: a stranger could learn from it who has one.
    if phone_hash is not None and not command.anyway and not for_patient:
        _refuse_also_booked(calendar, phone_hash, offer)
    booked = replace(
        new_appointment(
            board,
            calendar,
            next(new_ids(board)) if held is None else held.id,
            command.service_id,
            offer,
            token_hash if held is None else held.token_hash,
            now,
        ),
        language=languages.usual(command.language) if command.language else board.site.language,
        needs=each_once(command.needs),
        phone_hash=phone_hash,
        overbooked=command.overbook,
        earlier_since=now if command.wants_earlier else None,
        foreign_id=command.foreign_id,
    )
    return [AppointmentBooked(appointment=booked, personal=personal_of(command))]


def series_times(command: BookSeries) -> list[str]:
    """Return the local times of a series, in order. Raises `InvalidField`."""
    first = local_time.parse(command.local_start)
    try:
        times = [first + timedelta(days=command.every_days * index) for index in range(command.count)]
    except OverflowError:
        raise InvalidField(field="count", problem=f"the last one is after the year {local_time.LAST_YEAR}") from None
    return [f"{each:%Y-%m-%dT%H:%M}" for each in times]


def book_series(board: Board, command: BookSeries, now: int, token_hash: str, calendar: Calendar) -> list[Event]:
    find_service(board, command.service_id)
    refuse_impossible_birth(board, command.date_of_birth, now)
    wanted = Wanted(service_id=command.service_id, provider_id=command.provider_id, minutes=command.minutes)
    offers: list[Offer] = []
    refused: list[SlotTaken | SlotNotOffered] = []
    for local_start in series_times(command):
        try:
            offers.append(_choose(board, calendar, wanted, local_start, 0, now))
        except (SlotTaken, SlotNotOffered) as error:
            refused.append(error)
    if refused and not (command.skip_taken and offers):
        times = [str(each.details["local_start"]) for each in refused]
        raise SeriesTaken(count=len(times), local_start=times[0], first=times[:5], reason=refused[0].details["reason"])
    ids = new_ids(board)
    booked: list[Appointment] = []
    for offer in offers:
        token = token_hash if not booked else calendar.new_token_hash()
        appointment = new_appointment(board, calendar, next(ids), command.service_id, offer, token, now)
        booked.append(appointment)
    language = languages.usual(command.language) if command.language else board.site.language
    phone_hash = calendar.phone_hash(command.phone) if command.phone else None
    return [
        AppointmentBooked(
            appointment=replace(
                each, language=language, needs=each_once(command.needs), phone_hash=phone_hash, series_id=booked[0].id
            ),
            personal=personal_of(command),
        )
        for each in booked
    ]


def reschedule(board: Board, command: Reschedule, now: int, may: May, calendar: Calendar) -> list[Event]:
    before = find_appointment(board, calendar, command.appointment_id)
    _refuse_stale(before, command.version)
    for_patient = not may("book")
    if for_patient:
        _refuse_too_late(board, before, now)
    wanted = Wanted(
        service_id=before.service_id,
        provider_id=before.provider_id if command.provider_id is None else command.provider_id,
        minutes=before.minutes if command.minutes is None else command.minutes,
        for_patient=for_patient,
        own=frozenset({before.id}),
    )
    offer = offer_for(board, calendar, wanted, command.local_start, command.fold, now, command.overbook, may)
    same = (before.starts_at, before.provider_id, before.minutes)
    if same == (offer.starts_at, offer.provider_id, offer.minutes):
        raise NothingChanged(appointment_id=before.id)
    return [moved(board, calendar, before, offer, command.overbook)]


def amend(board: Board, command: AmendAppointment, now: int, calendar: Calendar, patients: Patients) -> list[Event]:
    before = find_appointment(board, calendar, command.appointment_id)
    refuse_impossible_birth(board, command.date_of_birth, now)
    known = patients.open_sealed(before)
    personal = known.corrected(personal_of(command))
    after = replace(
        before,
        language=before.language if command.language is None else languages.usual(command.language),
        needs=before.needs if command.needs is None else each_once(command.needs),
        phone_hash=calendar.phone_hash(personal.phone) if personal.phone else None,
        earlier_since=_earlier_since(before, command.wants_earlier, now),
    )
    if (personal, after) == (known, before):
        raise NothingChanged(appointment_id=before.id)
    return [AppointmentAmended(appointment=after, personal=personal if personal != known else None)]


def want_earlier(board: Board, command: WantEarlier, now: int, calendar: Calendar) -> list[Event]:
    before = find_appointment(board, calendar, command.appointment_id)
    if before.wants_earlier == command.wants:
        raise NothingChanged(appointment_id=before.id)
    return [AppointmentAmended(appointment=replace(before, earlier_since=_earlier_since(before, command.wants, now)))]


def cancel(board: Board, command: CancelAppointment, now: int, may: May, calendar: Calendar) -> list[Event]:
    before = find_appointment(board, calendar, command.appointment_id)
    _refuse_stale(before, command.version)
    by_patient = not may("book")
    if by_patient and now >= before.starts_at:
        raise TooLate(appointment_id=before.id, local_until=before.local_start)
    late = now > board.site.rules.in_time_until(before.starts_at)
    return [cancelled(before, now, "patient" if by_patient else "staff", late=late, reason=command.reason)]


def cancelled(
    before: Appointment, now: int, by: EndedBy, *, late: bool = False, reason: str | None = None
) -> AppointmentCancelled:
    """Return the event that cancels an appointment, whose time is free from ``now`` on."""
    after = replace(before.without_time(now, "cancelled"), version=before.version + 1, ended_by=by, late=late)
    return AppointmentCancelled(appointment=after, reason=reason)


def no_show(board: Board, command: AppointmentNoShow, now: int, calendar: Calendar) -> list[Event]:
    before = find_appointment(board, calendar, command.appointment_id)
    if now < before.starts_at:
        raise TooEarly(appointment_id=before.id, local_from=before.local_start)
    return [missed(before, now, "staff")]


def missed(before: Appointment, now: int, by: EndedBy) -> AppointmentMissed:
    """Return the event that records a patient who did not come. The rest of the time is free from ``now`` on."""
    after = replace(before.without_time(now, "no_show"), version=before.version + 1, ended_by=by)
    return AppointmentMissed(appointment=after)


def move_list(board: Board, command: MoveAppointments, now: int, calendar: Calendar) -> list[Event]:
    provider = board.providers.get(command.provider_id) or find_provider(board, command.provider_id)
    if command.to_provider_id is not None:
        find_provider(board, command.to_provider_id)
        if command.to_provider_id == provider.id:
            raise InvalidField(field="to_provider_id", problem="the appointments are with this provider already")
    begin, end = _span(board, command)
    moving = [
        each
        for each in calendar.between(max(begin, now), end, [provider.id])
        if each.state == "booked" and each.provider_id == provider.id
    ]
    if not moving:
        raise NothingToMove(provider_id=provider.id, provider_name=provider.name)
    events: list[Event] = []
    left: list[Appointment] = []
    taken = After(calendar)
    for before in moving:
        wanted = Wanted(service_id=before.service_id, provider_id=command.to_provider_id, minutes=before.minutes)
        try:
            offers = free_time.offers_at(board, taken, wanted, before.local_start, before.fold, now)
            offers = [each for each in offers if each.provider_id != provider.id]
        except (SlotTaken, SlotNotOffered):
            offers = []
        if not offers:
            left.append(before)
            continue
        move = moved(board, calendar, before, _least_booked(board, taken, offers))
        taken.add(move.appointment)
        events.append(move)
    if left and (command.unplaced == "refuse" or (command.unplaced == "keep" and not events)):
        first = [each.local_start for each in left[:5]]
        raise NotPlaced(count=len(left), local_start=first[0], first=first)
    if command.unplaced == "cancel":
        events += [cancelled(each, now, "staff", reason=command.reason) for each in left]
    return events


def rezone(board: Board, now: int, calendar: Calendar) -> list[Event]:
    """Return the events that give future appointments the instants of the present zone data.

    An appointment that would then share its time with another one gets a lane of its own and is marked: a person decides.
    All of them leave their present time at once. Those of the next command still take theirs, so the last appointments
    go first when the times become later.
    """
    zone, version = board.site.time_zone, calendar.tz_version()

    def derived(*, latest_first: bool) -> list[tuple[Appointment, Appointment]]:
        found = calendar.outdated(zone, version, now, REZONED_AT_ONCE, latest_first=latest_first)
        return [(each, _derived(each, zone, version)) for each in found]

    pairs = derived(latest_first=False)
    if not pairs:
        raise NothingDue(site_id=board.site.id)
    if any(after.starts_at > before.starts_at for before, after in pairs):
        pairs = derived(latest_first=True)
    taken = After(calendar)
    for before, after in pairs:
        if after.starts_at != before.starts_at:
            taken.add(replace(before, freed_from=before.starts_at))
    events: list[Event] = []
    for before, after in pairs:
        if after.starts_at != before.starts_at:
            if free_time.free_lane(taken, after, now, range(before.lane, before.lane + 1)) is None:
                extra = free_time.free_lane(taken, after, now, range(FIRST_EXTRA_LANE, 2 * FIRST_EXTRA_LANE))
                assert extra is not None, "a hundred appointments cannot collide at one time"
                after = replace(after, lane=extra, collides=True)
            taken.add(after)
        rezoned = AppointmentRezoned(appointment=after, was_starts_at=before.starts_at, was_local_start=before.local_start)
        events.append(rezoned)
    return events


def _derived(before: Appointment, zone: str, version: str) -> Appointment:
    """Return an appointment with the instants of its local time by other zone data, in the same lane."""
    starts_at = local_time.first_instant(before.local_start[:10], zone, local_time.minutes_of(before.local_start[11:]))
    if before.fold and local_time.is_ambiguous(before.local_start, zone):
        starts_at = local_time.instant_of(before.local_start, zone, before.fold)
    local = local_time.local_of(starts_at, zone)
    return replace(
        before,
        zone=zone,
        starts_at=starts_at,
        ends_at=starts_at + before.minutes * MINUTE,
        tz_version=version,
        local_start=local.local,
        fold=local.fold,
        version=before.version + (local.local != before.local_start),
    )


def find_appointment(board: Board, calendar: Calendar, appointment_id: int) -> Appointment:
    """Return a booked appointment. Raises `AppointmentNotFound` and `AppointmentNotBooked`."""
    found = board.appointments.get(appointment_id) or calendar.appointment(appointment_id)
    if found is None or found.state == "held":
        raise AppointmentNotFound(appointment_id=appointment_id)
    if found.state != "booked":
        raise AppointmentNotBooked(appointment_id=found.id, state=found.state, local_start=found.local_start)
    return found


def _earlier_since(before: Appointment, wants: bool | None, now: int) -> int | None:
    """Return since when a patient asks for an earlier time. Who asks again keeps the place on the list."""
    if wants is None:
        return before.earlier_since
    return (before.earlier_since or now) if wants else None


def _refuse_visitor(board: Board, command: Book) -> None:
    if board.site.rules.booking == "off":
        raise BookingIsOff()
    if not command.phone and not command.email:
        raise PhoneNumberNeeded(field="phone", problem="the clinic needs a phone number or an address for messages")


def _refuse_stale(appointment: Appointment, version: int) -> None:
    if appointment.version != version:
        raise AppointmentChanged(
            appointment_id=appointment.id,
            version=appointment.version,
            state=appointment.state,
            local_start=appointment.local_start,
        )


def _refuse_too_late(board: Board, appointment: Appointment, now: int) -> None:
    """Raise `TooLate` for a patient who wants to change an appointment that is about to begin."""
    until = board.site.rules.in_time_until(appointment.starts_at)
    if now > until:
        raise TooLate(appointment_id=appointment.id, local_until=local_time.local_of(until, appointment.zone).local)


def _refuse_taken_foreign_id(calendar: Calendar, foreign_id: str) -> None:
    """Raise `ForeignIdTaken` if an appointment of the site has this id of another system, in whatever state."""
    for each in calendar.of_foreign_ids([foreign_id]):
        raise ForeignIdTaken(appointment_id=each.id, foreign_id=foreign_id, local_start=each.local_start, state=each.state)


def _refuse_also_booked(calendar: Calendar, phone_hash: str, offer: Offer) -> None:
    """Raise `AlsoBooked` if the phone number has an appointment at this time already."""
    longest = 12 * 60 * MINUTE
    for each in calendar.of_phone(phone_hash, offer.starts_at - longest, offer.ends_at):
        if each.ends_at > offer.starts_at:
            raise AlsoBooked(appointment_id=each.id, local_start=each.local_start, provider_id=each.provider_id)


def _hold_of(hold_token: str, now: int, calendar: Calendar) -> Appointment:
    held = calendar.with_token(calendar.token_hash(hold_token))
    if held is None or not (held.state == "held" and now < (held.held_until or 0)):
        raise HoldExpired()
    return held


def offer_for(
    board: Board,
    calendar: Times,
    wanted: Wanted,
    local_start: str,
    fold: int,
    now: int,
    overbook: str | None,
    may: May,
) -> Offer:
    """Return the offer that a booking takes: the free one, or with a reason an overbooked one."""
    if overbook is None:
        return _choose(board, calendar, wanted, local_start, fold, now)
    if not may("overbook"):
        raise NotAllowed(action="overbook")
    if wanted.provider_id is None:
        raise InvalidField(field="provider_id", problem="an overbooked time needs a provider")
    provider = find_provider(board, wanted.provider_id)
    zone = board.site.time_zone
    starts_at = local_time.instant_of(local_start, zone, fold)
    if starts_at < now:
        raise SlotNotOffered(local_start=local_start, reason="past")
    minutes = wanted.minutes or free_time.usual_minutes(board, provider.id, local_start) or 3 * STEP_MINUTES
    if minutes % STEP_MINUTES or starts_at % CELL:
        raise InvalidField(field="local_start", problem=f"starts and lengths are multiples of {STEP_MINUTES} minutes")
    offer = Offer(
        provider_id=provider.id,
        resource_id=provider.resource_id,
        point_id=None,
        local_start=local_start,
        fold=fold,
        starts_at=starts_at,
        ends_at=starts_at + minutes * MINUTE,
        minutes=minutes,
        buffer_minutes=0,
        lane=FIRST_EXTRA_LANE,
    )
    lanes = range(FIRST_EXTRA_LANE, 2 * FIRST_EXTRA_LANE)
    lane = free_time.free_lane(calendar, offer, now, lanes, wanted.own)
    if lane is None:
        raise SlotTaken(local_start=local_start, reason="booked")
    return offer._replace(lane=lane)


def _choose(board: Board, calendar: Times, wanted: Wanted, local_start: str, fold: int, now: int) -> Offer:
    """Return the offer of the provider with the fewest appointments that day, then the smallest id."""
    return _least_booked(board, calendar, free_time.offers_at(board, calendar, wanted, local_start, fold, now))


def _least_booked(board: Board, calendar: Times, offers: Sequence[Offer]) -> Offer:
    if len(offers) == 1:
        return offers[0]
    zone, day = board.site.time_zone, offers[0].local_start[:10]
    begin, end = local_time.first_instant(day, zone), local_time.first_instant(day, zone, 24 * 60)
    booked: dict[int, int] = {}
    for each in calendar.between(begin, end, [offer.provider_id for offer in offers]):
        booked[each.provider_id] = booked.get(each.provider_id, 0) + 1
    return min(offers, key=lambda offer: (booked.get(offer.provider_id, 0), offer.provider_id))


def new_appointment(
    board: Board, calendar: Calendar, identifier: int, service_id: int, offer: Offer, token_hash: str, now: int
) -> Appointment:
    """Return a new booked appointment in the time of an offer. Nothing is known of the patient yet."""
    return Appointment(
        id=identifier,
        site_id=board.site.id,
        business_day=None,
        service_id=service_id,
        provider_id=offer.provider_id,
        resource_id=offer.resource_id,
        point_id=offer.point_id,
        state="booked",
        local_start=offer.local_start,
        fold=offer.fold,
        zone=board.site.time_zone,
        minutes=offer.minutes,
        buffer_minutes=offer.buffer_minutes,
        starts_at=offer.starts_at,
        ends_at=offer.ends_at,
        tz_version=calendar.tz_version(),
        lane=offer.lane,
        version=1,
        token_hash=token_hash,
        sealed=None,
        language=board.site.language,
        booked_at=now,
        seq=0,
    )


def moved(
    board: Board, calendar: Calendar, before: Appointment, offer: Offer, overbook: str | None = None
) -> AppointmentMoved:
    """Return the event that gives an appointment the time of an offer; ``overbook`` is the reason if it is not free."""
    after = replace(
        before,
        provider_id=offer.provider_id,
        resource_id=offer.resource_id,
        point_id=offer.point_id,
        local_start=offer.local_start,
        fold=offer.fold,
        zone=board.site.time_zone,
        minutes=offer.minutes,
        buffer_minutes=offer.buffer_minutes,
        starts_at=offer.starts_at,
        ends_at=offer.ends_at,
        tz_version=calendar.tz_version(),
        lane=offer.lane,
        version=before.version + 1,
        overbooked=overbook,
        collides=False,
    )
    return AppointmentMoved(
        appointment=after,
        was_local_start=before.local_start,
        was_starts_at=before.starts_at,
        was_provider_id=before.provider_id,
    )


def personal_of(given: Book | BookSeries | AmendAppointment | ImportRow) -> Personal:
    """Return the personal data that somebody gave for an appointment."""
    return Personal(
        name=given.name,
        phone=given.phone,
        email=given.email,
        date_of_birth=given.date_of_birth,
        notes=given.note,
    )


def _span(board: Board, command: MoveAppointments) -> tuple[int, int]:
    """Return the first and the last instant of the times of day on the command's date."""
    day, zone = local_time.date_of(command.date, "date").isoformat(), board.site.time_zone
    begin = local_time.first_instant(day, zone, local_time.minutes_of(command.from_))
    return begin, local_time.last_instant(day, zone, local_time.minutes_of(command.until))
