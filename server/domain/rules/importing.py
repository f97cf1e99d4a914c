"""The rule for taking over appointments of another system.

Rows stand for themselves: a refused row changes nothing, and the others go on. A row that was imported before changes only
what differs, so a file can be sent again. The other system has promised these times, so patients with two appointments at
one time are taken as they are. A freed time that no later row of the command takes goes to the waiting list. A row of a
later command finds it held.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from server.domain import plain_text
from server.domain.board import Board
from server.domain.calendar import After, Calendar
from server.domain.commands import ImportAppointments
from server.domain.commands.appointments import LENGTH, LOCAL_START
from server.domain.commands.bounds import DATE_OF_BIRTH, EMAIL, LANGUAGE, NAME, NOTES
from server.domain.commands.importing import ImportRow
from server.domain.errors import (
    AppointmentNotBooked,
    InvalidField,
    NotFound,
    NowServingError,
    Refused,
    SlotNotOffered,
    SlotTaken,
)
from server.domain.events import AppointmentAmended, AppointmentBooked, AppointmentsImported, Event, OfAppointment
from server.domain.free_time import Offer, Wanted
from server.domain.model import FIRST_EXTRA_LANE, Appointment, Provider, Service, languages, local_time
from server.domain.rules import booking
from server.domain.rules.lookups import find_provider, find_service, new_ids
from server.domain.rules.tickets import Patients, refuse_impossible_birth

OVERBOOKED = "import"
_LONGEST = 500
FOREIGN_ID = {"min_length": 1, "max_length": 80}
_BOUNDS: Mapping[str, Mapping[str, Any]] = {
    "foreign_id": FOREIGN_ID,
    "service": NAME,
    "provider": NAME,
    "local_start": LOCAL_START,
    "minutes": LENGTH,
    "name": NAME,
    "email": EMAIL,
    "date_of_birth": DATE_OF_BIRTH,
    "language": LANGUAGE,
    "note": NOTES,
}
May = Callable[[str], bool]


def import_rows(
    board: Board, command: ImportAppointments, now: int, may: May, calendar: Calendar, patients: Patients
) -> list[Event]:
    """Return the changes of the rows, in order, and last the event with what became of each row."""
    importer = _Importer(board, command, now, may, calendar, patients)
    events: list[Event] = []
    outcomes: dict[str, list[int]] = defaultdict(list)
    refused = []
    for row in command.rows:
        try:
            outcome, event = importer.take(row)
        except (Refused, NotFound, InvalidField) as error:
            refused.append((row.number, error.code, _word(error)))
            continue
        outcomes[outcome].append(row.number)
        if event is not None:
            events.append(event)
    numbers = {outcome: tuple(found) for outcome, found in outcomes.items()}
    return [*events, AppointmentsImported(**numbers, refused=tuple(refused))]


class _Importer:
    """Takes the rows of one command: each sees the time that the rows before it took."""

    def __init__(
        self, board: Board, command: ImportAppointments, now: int, may: May, calendar: Calendar, patients: Patients
    ) -> None:
        self._board = board
        self._anyway = command.anyway
        self._now = now
        self._may = may
        self._calendar = calendar
        self._patients = patients
        self._taken = After(calendar)
        self._known = {each.foreign_id: each for each in calendar.of_foreign_ids([row.foreign_id for row in command.rows])}
        self._seen: set[str] = set()
        self._ids = new_ids(board)
        services = [each for each in board.services.values() if not each.removed_at]
        self._services = _by_name((name, each.id) for each in services for name in self._names(each))
        providers = [each for each in board.providers.values() if not each.removed_at]
        self._providers = _by_name((each.name, each.id) for each in providers)

    def _names(self, service: Service) -> set[str]:
        true_name = self._patients.open_sealed(service).name
        return {service.public_name, *([true_name] if true_name else [])}

    def take(self, row: ImportRow) -> tuple[str, OfAppointment | None]:
        """Return what becomes of a row, and its event. Raises `Refused`, `NotFound` and `InvalidField`."""
        _refuse_unreadable(row)
        if row.foreign_id in self._seen:
            raise InvalidField(field="foreign_id", problem="an earlier row has the same id")
        self._seen.add(row.foreign_id)
        refuse_impossible_birth(self._board, row.date_of_birth, self._now)
        service_id = self._service(row.service)
        provider_id = None if row.provider is None else self._provider(row.provider)
        before = self._known.get(row.foreign_id)
        event: OfAppointment | None
        if before is None:
            outcome, event = "booked", self._book(row, service_id, provider_id)
        else:
            outcome, event = self._update(row, before, service_id, provider_id)
        if event is not None:
            self._taken.add(event.appointment)
        return outcome, event

    def _book(self, row: ImportRow, service_id: int, provider_id: int | None) -> OfAppointment:
        offer = self._offer(row.local_start, Wanted(service_id=service_id, provider_id=provider_id, minutes=row.minutes))
        token_hash = self._calendar.new_token_hash()
        made = booking.new_appointment(
            self._board, self._calendar, next(self._ids), service_id, offer, token_hash, self._now
        )
        booked = replace(
            made,
            foreign_id=row.foreign_id,
            language=languages.usual(row.language) if row.language else made.language,
            phone_hash=self._calendar.phone_hash(row.phone) if row.phone else None,
            overbooked=_reason(offer),
        )
        return AppointmentBooked(appointment=booked, personal=booking.personal_of(row))

    def _update(
        self, row: ImportRow, before: Appointment, service_id: int, provider_id: int | None
    ) -> tuple[str, OfAppointment | None]:
        """Return the change that makes a known appointment as the row is, if they differ."""
        if before.state != "booked":
            raise AppointmentNotBooked(appointment_id=before.id, state=before.state, local_start=before.local_start)
        known = self._patients.open_sealed(before)
        personal = known.corrected(booking.personal_of(row))
        after = replace(
            before,
            language=languages.usual(row.language) if row.language else before.language,
            phone_hash=self._calendar.phone_hash(personal.phone) if personal.phone else None,
        )
        changed = personal if personal != known else None
        wanted = Wanted(
            service_id=service_id,
            provider_id=before.provider_id if provider_id is None else provider_id,
            minutes=before.minutes if row.minutes is None else row.minutes,
            own=frozenset({before.id}),
        )
        at = (row.local_start, wanted.service_id, wanted.provider_id, wanted.minutes)
        if at != (before.local_start, before.service_id, before.provider_id, before.minutes):
            offer = self._offer(row.local_start, wanted)
            after = replace(after, service_id=service_id)
            moved = booking.moved(self._board, self._calendar, after, offer, _reason(offer))
            return "moved", replace(moved, personal=changed)
        if after == before and changed is None:
            return "unchanged", None
        return "amended", AppointmentAmended(appointment=after, personal=changed)

    def _offer(self, local_start: str, wanted: Wanted) -> Offer:
        """Return the free offer of a start; with ``anyway``, else the overbooked one."""
        if local_time.instant_of(local_start, self._board.site.time_zone, 0) < self._now:
            raise SlotNotOffered(local_start=local_start, reason="past")
        try:
            return booking.offer_for(self._board, self._taken, wanted, local_start, 0, self._now, None, self._may)
        except (SlotTaken, SlotNotOffered):
            if not self._anyway or wanted.provider_id is None:
                raise
        return booking.offer_for(self._board, self._taken, wanted, local_start, 0, self._now, OVERBOOKED, self._may)

    def _service(self, text: str) -> int:
        return find_service(self._board, _id_of(text, self._services, self._board.services)).id

    def _provider(self, text: str) -> int:
        return find_provider(self._board, _id_of(text, self._providers, self._board.providers)).id


def _by_name(names: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return the id of each name that one record alone has."""
    found: dict[str, set[int]] = defaultdict(set)
    for name, identifier in names:
        found[name].add(identifier)
    return {name: min(ids) for name, ids in found.items() if len(ids) == 1}


def _id_of(text: str, by_name: Mapping[str, int], records: Mapping[int, Service] | Mapping[int, Provider]) -> int:
    """Return the id that a text names: a name first, since a name may be a number. 0: it names nothing."""
    if text in by_name:
        return by_name[text]
    return int(text) if text.isascii() and text.isdigit() and int(text) in records else 0


def _refuse_unreadable(row: ImportRow) -> None:
    """Raise `InvalidField` for the first field of a row that breaks its bounds."""
    if row.wrong is not None:
        raise InvalidField(field=row.wrong, problem="this value cannot be read")
    for name, bounds in _BOUNDS.items():
        value = getattr(row, name)
        if value is not None and not _fits(value, bounds):
            raise InvalidField(field=name, problem="this value is not possible")
    try:
        date.fromisoformat(row.date_of_birth or "2000-01-01")
    except ValueError:
        raise InvalidField(field="date_of_birth", problem="this day does not exist") from None


def _fits(value: str | int, bounds: Mapping[str, Any]) -> bool:
    if isinstance(value, int):
        return value in range(bounds["ge"], bounds["le"] + 1)
    try:
        plain_text.checked(value)
    except ValueError:
        return False
    length = range(bounds.get("min_length", 0), bounds.get("max_length", _LONGEST) + 1)
    return len(value) in length and re.search(bounds.get("pattern", ""), value) is not None


def _reason(offer: Offer) -> str | None:
    return OVERBOOKED if offer.lane >= FIRST_EXTRA_LANE else None


def _word(error: NowServingError) -> str:
    """Return the word that says more than the code: the field, the rule or the state behind a refusal."""
    return next((str(error.details[name]) for name in ("field", "reason", "state") if name in error.details), "")
