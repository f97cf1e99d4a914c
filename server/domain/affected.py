"""What a change does to people and screens, so that a page can list them before a person confirms the change.

The answer compares two boards: before the change and after it. It therefore covers every command, also a new one.
Appointments of other days are on no board: there it compares the rows that the change wrote.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from server.domain.board import Board, Changes, open_entries
from server.domain.model import Appointment, Display, Entry, Kiosk, hours
from server.domain.ranking import is_served, lane
from server.domain.views import DisplayView

Kind = Literal[
    "ended",
    "expiring",
    "unserved",
    "other_point",
    "other_provider",
    "expire_at_turn",
    "day_turn",
    "closed",
    "calls_unseen",
    "names_shown",
    "names_hidden",
    "language_lost",
    "appointment_moved",
    "appointment_cancelled",
    "no_tickets",
    "full",
    "queues_without_point",
    "screens_dark",
]
# The kinds in the order of a list for people: patients first.
KINDS: dict[Kind, str] = {
    "ended": "The patient's ticket ends now.",
    "expiring": "The ticket ends with the next step, because the business day is over.",
    "unserved": "No open point may call the waiting patient any more.",
    "other_point": "The point of the called patient has another name now.",
    "other_provider": "The patient waits for another clinician, or for any.",
    "expire_at_turn": "The ticket ends when the day turns. Before the change it carried over.",
    "day_turn": "The ticket ends at another time, because the day turns at another time.",
    "closed": "The patient is here while the site counts as closed.",
    "calls_unseen": "No display shows the patient's call any more.",
    "names_shown": "Displays begin to show the patient's short name.",
    "names_hidden": "Displays cease to show the patient's short name.",
    "language_lost": "The patient reads a language that the site no longer offers.",
    "appointment_moved": "The patient's appointment is at another time, or with another clinician.",
    "appointment_cancelled": "The patient's appointment is cancelled.",
    "no_tickets": "The queue issues no tickets any more.",
    "full": "The queue is full.",
    "queues_without_point": "No open point serves the queue any more.",
    "screens_dark": "The display or kiosk is signed out.",
}
MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Affected:
    """The people or records that a change affects in one way: their number, and the labels or names of the first five.

    Patients have the label of their ticket, queues and devices their name. Appointments have the local time at which they
    would have begun (``2027-01-15T09:00``). `KINDS` has the meaning of each kind.
    """

    kind: Kind
    count: int
    first: tuple[str, ...]


def affected(before: Board, after: Board, now: int, changes: Changes) -> list[Affected]:
    """Return the people and screens that are worse off, or simply elsewhere, after a change at ``now`` (microseconds).

    ``changes`` are the rows that the change wrote.
    """
    patients = dict(_patients(before, after, now))
    records = dict([*_appointments(changes), *_records(before, after)])
    found = []
    for kind in KINDS:
        names = [after.visits[entry.visit_id].label for entry in patients.get(kind, ())] or list(records.get(kind, ()))
        if names:
            found.append(Affected(kind, len(names), tuple(names[:MOST_NAMED])))
    return found


def _patients(before: Board, after: Board, now: int) -> Iterator[tuple[Kind, list[Entry]]]:
    open_before = open_entries(before)
    still = open_entries(after)
    pairs = [(before.entries[entry.id], entry) for entry in still if entry.id in before.entries]
    here = [entry for _, entry in pairs]
    staying = {entry.visit_id for entry in still}
    yield "ended", [entry for entry in open_before if entry.visit_id not in staying]
    waiting = [entry for old, entry in pairs if old.state == entry.state == "waiting"]
    yield "unserved", [entry for entry in waiting if _served(before, entry) and not _served(after, entry)]
    called = [entry for old, entry in pairs if old.state == entry.state == "called" and old.point_id == entry.point_id]
    yield "other_point", [entry for entry in called if _point_name(before, entry) != _point_name(after, entry)]
    yield "other_provider", [entry for old, entry in pairs if old.provider_id != entry.provider_id]
    yield from _by_the_clock(before, after, here, now)
    yield "calls_unseen", [entry for entry in called if _seen(before, entry) and not _seen(after, entry)]
    if before.site.rules.names_on_display != after.site.rules.names_on_display:
        kind: Kind = "names_shown" if after.site.rules.names_on_display else "names_hidden"
        yield kind, [entry for entry in here if after.visits[entry.visit_id].display_name is not None]
    lost = set(before.site.languages) - set(after.site.languages)
    yield "language_lost", [entry for entry in here if after.visits[entry.visit_id].language in lost]


def _by_the_clock(before: Board, after: Board, here: list[Entry], now: int) -> Iterator[tuple[Kind, list[Entry]]]:
    was, site = before.site, after.site
    if not site.rules.round_the_clock:
        if was.rules.round_the_clock:
            yield "expire_at_turn", here
        if was.turns_at != site.turns_at and was.business_day == site.business_day:
            yield ("expiring" if site.turns_at <= now else "day_turn"), here
    if hours.is_open(now, was.time_zone, was.rules) and not hours.is_open(now, site.time_zone, site.rules):
        yield "closed", here


def _appointments(changes: Changes) -> Iterator[tuple[Kind, list[str]]]:
    pairs = [
        (was, each)
        for was, each in changes.records.values()
        if isinstance(was, Appointment) and isinstance(each, Appointment) and was.state == "booked"
    ]
    pairs.sort(key=lambda pair: (pair[0].starts_at, pair[0].id))
    elsewhere = [
        (was, each) for was, each in pairs if (was.starts_at, was.provider_id) != (each.starts_at, each.provider_id)
    ]
    yield "appointment_moved", [was.local_start for was, each in elsewhere if each.state == "booked"]
    yield "appointment_cancelled", [was.local_start for was, each in pairs if each.state == "cancelled"]


def _records(before: Board, after: Board) -> Iterator[tuple[Kind, list[str]]]:
    queues = [(old, after.queues[key]) for key, old in before.queues.items() if not after.queues[key].removed_at]
    yield "no_tickets", [queue.name for old, queue in queues if queue.paused and not old.paused]
    yield "full", [queue.name for _, queue in queues if _full(after, queue.id) and not _full(before, queue.id)]
    yield (
        "queues_without_point",
        [queue.name for _, queue in queues if _has_point(before, queue.id) and not _has_point(after, queue.id)],
    )
    devices: list[Display | Kiosk] = [*before.displays.values(), *before.kiosks.values()]
    yield (
        "screens_dark",
        [
            device.name
            for device in devices
            if device.token_hash is not None and after.known_device(device.id).token_hash != device.token_hash
        ],
    )


def _served(board: Board, entry: Entry) -> bool:
    """Return whether an open point may call a waiting entry."""
    return is_served(board, lane(board.entries[entry.id], board.visits[entry.visit_id]))


def _point_name(board: Board, entry: Entry) -> tuple[str, object]:
    assert entry.point_id is not None, "a called entry has a point"
    point = board.points[entry.point_id]
    return point.name, point.names


def _seen(board: Board, entry: Entry) -> bool:
    """Return whether a paired display shows the call of an entry."""
    paired = (display.id for display in board.displays.values() if display.token_hash is not None)
    return any(DisplayView(each).cell(board, f"entry:{entry.id}") is not None for each in paired)


def _full(board: Board, queue_id: int) -> bool:
    queue = board.queues[queue_id]
    return 0 < queue.capacity <= len(board.waiting(queue_id))


def _has_point(board: Board, queue_id: int) -> bool:
    return any(point.state == "open" and queue_id in point.queue_ids for point in board.points.values())
