"""The state of one site: the rules decide on it, and the views draw it.

The board is a function of the log. Only `apply` changes it, one event at a time. The rows of a site give the same board as
its log (tested for every event), so each process may keep a board and follow the log.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from server.domain.model import (
    BUSY_STATES,
    OPEN_STATES,
    Announcement,
    Appointment,
    Counter,
    Display,
    Entity,
    Entry,
    Habits,
    Kiosk,
    Point,
    Provider,
    Queue,
    Removable,
    Schedule,
    ScheduleException,
    Service,
    Site,
    State,
    Visit,
)
from server.domain.model.ids import IDS_PER_SITE
from server.domain.ranking import Lane, Rank, lane, rank

ANNOUNCEMENTS_KEPT = 10
ANNOUNCEMENT_KEPT_MICROSECONDS = 120_000_000
# The ends that free a point, if the entry was at one.
_FREEING: frozenset[State] = frozenset({"completed", "no_show", "transferred", "left"})
JOINS_KEPT = 1024  # at least; the kept futures of a line are at most a minute old


@dataclass(slots=True)
class Changes:
    """The effects of applied events.

    ``records`` has each new or changed record, before and after. A record that only leaves the board when the day turns is
    not included: its row stays as it is. ``undone`` maps an entry to the number of the event that was undone: the interval
    that this event ended goes on. ``keys`` are the keys of changed records; views may have to redraw them.
    """

    records: dict[tuple[type[Entity], int | str], tuple[Entity | None, Entity]] = field(default_factory=dict)
    undone: dict[int, int] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)


class Board:
    """The present state of one site, with indexes for the waiting order, the busy points and the tickets.

    The board holds the records of the present business day. An entry that has ended stays until the day turns.
    """

    __slots__ = (
        "_absent",
        "_busy",
        "_freed",
        "_habits",
        "_joins",
        "_joins_before",
        "_labels",
        "_lane_of",
        "_lanes",
        "_last_announced",
        "_returning",
        "_shelves",
        "_stages",
        "_ticket",
        "_waiting",
        "announcements",
        "appointments",
        "counters",
        "displays",
        "entries",
        "exceptions",
        "kiosks",
        "moves",
        "outlook",
        "points",
        "providers",
        "queues",
        "quoted",
        "requoting",
        "schedules",
        "services",
        "site",
        "unquoted",
        "visits",
        "watching",
    )

    def __init__(self, site: Site, records: Iterable[Entity] = ()) -> None:
        self.site = site
        self.services: dict[int, Service] = {}
        self.providers: dict[int, Provider] = {}
        self.queues: dict[int, Queue] = {}
        self.points: dict[int, Point] = {}
        self.displays: dict[int, Display] = {}
        self.kiosks: dict[int, Kiosk] = {}
        self.schedules: dict[int, Schedule] = {}
        self.exceptions: dict[int, ScheduleException] = {}
        self.appointments: dict[int, Appointment] = {}
        self.visits: dict[int, Visit] = {}
        self.entries: dict[int, Entry] = {}
        self.announcements: dict[int, Announcement] = {}
        self.counters: dict[str, Counter] = {}
        self._habits: dict[int, Habits] = {}  # at most one
        self._shelves: dict[type[Entity], dict[Any, Any]] = {
            Service: self.services,
            Provider: self.providers,
            Queue: self.queues,
            Point: self.points,
            Display: self.displays,
            Kiosk: self.kiosks,
            Schedule: self.schedules,
            ScheduleException: self.exceptions,
            Appointment: self.appointments,
            Visit: self.visits,
            Entry: self.entries,
            Announcement: self.announcements,
            Counter: self.counters,
            Habits: self._habits,
        }
        self._waiting: dict[int, list[Rank]] = {}  # queue -> ranks in order
        self._lanes: dict[Lane, list[Rank]] = {}  # the same ranks by lane; no empty lists
        self._lane_of: dict[int, Lane] = {}  # entry -> the lane it waits in
        self._absent: dict[int, int] = {}  # entry -> end of its absence
        self._returning: dict[int, int] = {}  # entry on hold -> the time at which it returns by itself
        self._busy: dict[int, int] = {}  # point -> the entry called to it or served at it
        self._freed: dict[int, list[tuple[int, int]]] = {}  # point -> (end, entry) of its ended entries, in order
        self._last_announced: dict[int, int] = {}  # point -> its last announcement, while the board keeps it
        self._stages: dict[int, list[int]] = {}  # visit -> its entries
        self._ticket: dict[str, int] = {}  # hash of a ticket's token -> its visit
        self._labels: dict[str, int] = {}  # label -> the number of visits that have it
        self._joins: list[int] = []  # entries that joined a lane or changed their rank, in this order: the latest ones
        self._joins_before = 0  # how many there were before these
        # The futures of the line, kept between decisions for speed. They are no part of the state.
        self.outlook: object | None = None  # of the whole line, for newcomers
        self.quoted: object | None = None  # of a short line, for the newcomers of the next seconds
        self.requoting: object | None = None  # of a line that the clock has quoted in part
        # Appointments besides those of the day, which the screens of this process show. It is no part of the state either.
        self.watching: Callable[[Appointment], bool] | None = None
        self.unquoted = False  # newcomers get no quote: nobody reads those of a day that is replayed
        self.moves = 0  # how often an entry joined or left a lane; while it stays the same, so does every place
        changes = Changes()
        # Visits before entries: the needs of a visit decide the lane of its entries.
        for record in sorted(records, key=lambda each: (isinstance(each, Entry), getattr(each, "id", 0))):
            self.put(record, changes)
        self.prune_announcements(changes)

    def waiting(self, queue_id: int) -> list[Rank]:
        """Return the ranks of the entries waiting in a queue, in order. Do not change the list."""
        return self._waiting.get(queue_id, [])

    def lanes(self) -> dict[Lane, list[Rank]]:
        """Return the ranks of the entries waiting in each lane, in order. Do not change the lists."""
        return self._lanes

    def lane_of(self, entry_id: int) -> Lane | None:
        """Return the lane in which an entry waits, or None if it cannot be called now."""
        return self._lane_of.get(entry_id)

    @property
    def joins(self) -> int:
        """How often an entry has joined a lane or changed its rank: the position of `joined_since`."""
        return self._joins_before + len(self._joins)

    def joined_since(self, position: int) -> list[int] | None:
        """Return the entries that have joined a lane or changed their rank since a position of `joins`; some may have left.

        None if too many have: the board keeps only the latest ones.
        """
        return None if position < self._joins_before else self._joins[position - self._joins_before :]

    def has_label(self, label: str) -> bool:
        """Return whether a visit of the board has this label."""
        return label in self._labels

    def entry_at(self, point_id: int) -> Entry | None:
        """Return the entry called to or served at a point, or None."""
        entry_id = self._busy.get(point_id)
        return None if entry_id is None else self.entries[entry_id]

    def freed_at(self, point_id: int, until: int) -> int | None:
        """Return when an entry last ended at a point today, at the instant ``until`` or before. None if none did."""
        ends = self._freed.get(point_id, ())
        at = bisect_left(ends, (until + 1, 0))
        return ends[at - 1][0] if at else None

    @property
    def habits(self) -> Habits | None:
        """The habits of the site's staff, or None before the first one is known."""
        return next(iter(self._habits.values()), None)

    def last_announced(self, point_id: int) -> Announcement | None:
        """Return the last announcement of a point, or None if there is none, or ten points have announced since."""
        identifier = self._last_announced.get(point_id)
        return None if identifier is None else self.announcements[identifier]

    def latest_entry(self, visit_id: int) -> Entry | None:
        """Return the entry of the visit's open stage, or of the stage that ended last. None if the visit is not of this day.

        A stage that an undone transfer had begun has a higher id, but ended earlier. The end decides.
        """
        stages = [self.entries[entry_id] for entry_id in self._stages.get(visit_id, ())]
        return max(stages, key=lambda entry: (entry.state in OPEN_STATES, entry.seq, entry.id), default=None)

    def stages(self, visit_id: int) -> int:
        """Return the number of stages that a visit has had today."""
        return len(self._stages.get(visit_id, ()))

    def absent(self) -> dict[int, int]:
        """Return the absent entries, each with the end of its absence. Do not change the dictionary."""
        return self._absent

    def is_full(self, queue: Queue) -> bool:
        """Return whether a queue is at its capacity. Absent patients keep their places."""
        if not queue.capacity:
            return False
        coming = sum(self.entries[entry_id].queue_id == queue.id for entry_id in self._absent)
        return len(self.waiting(queue.id)) + coming >= queue.capacity

    def returning(self) -> dict[int, int]:
        """Return the entries on hold that return by themselves, each with the time. Do not change the dictionary."""
        return self._returning

    @property
    def anybody_waiting(self) -> bool:
        """Whether any entry waits at this site, present or absent."""
        return bool(self._absent) or any(self._waiting.values())

    def visit_of(self, token_hash: str) -> Visit | None:
        """Return the visit whose ticket token has this hash, or None."""
        visit_id = self._ticket.get(token_hash)
        return None if visit_id is None else self.visits[visit_id]

    def appointments_of_the_day(self) -> list[Appointment]:
        """Return the appointments of the present day. ``appointments`` of a followed board also has those of other days."""
        return [each for each in self.appointments.values() if each.business_day == self.site.business_day]

    def keeps(self, appointment: Appointment) -> bool:
        """Return whether the board keeps an appointment: it is of the present day, or watched."""
        today = appointment.business_day == self.site.business_day
        return today or (self.watching is not None and self.watching(appointment))

    def removable(self, record_id: int) -> Removable | None:
        """Return the service, provider, queue, point, display or kiosk with this id, or None. It may be removed already."""
        for kind in (Service, Provider, Queue, Point, Display, Kiosk):
            if record_id in self._shelves[kind]:
                return self._shelves[kind][record_id]  # type: ignore[no-any-return]
        return None

    def device(self, device_id: int) -> Display | Kiosk | None:
        """Return the display or the kiosk with this id, or None."""
        return self.displays.get(device_id) or self.kiosks.get(device_id)

    def records(self) -> list[Entity]:
        """Return every record, in any order."""
        return [record for shelf in self._shelves.values() for record in shelf.values()]

    def lend(self, appointment: Appointment) -> None:
        """Put an appointment of another day on the board, for the events of one command. They put it off again."""
        self.appointments.setdefault(appointment.id, appointment)

    def take_back(self, appointments: Iterable[Appointment]) -> None:
        """Take lent appointments off the board, unless it keeps them."""
        for appointment in appointments:
            if not self.keeps(appointment):
                self.appointments.pop(appointment.id, None)

    # Only the functions behind `apply` call the methods below.

    def put(self, record: Entity, changes: Changes) -> None:
        """Add a record, or replace the one with the same id."""
        shelf, key = self._place_of(record)
        before = shelf.get(key)
        name = (type(record), key)
        changes.records[name] = (changes.records[name][0] if name in changes.records else before, record)
        shelf[key] = record
        if isinstance(record, Entry):
            self._index(before if isinstance(before, Entry) else None, record, changes)
        elif isinstance(record, Visit):
            if isinstance(before, Visit):
                self._ticket.pop(before.token_hash, None)
                self._forget_label(before.label)
            self._ticket[record.token_hash] = record.id
            self._labels[record.label] = self._labels.get(record.label, 0) + 1
        elif isinstance(record, Announcement):
            self._last_announced[record.point_id] = max(record.id, self._last_announced.get(record.point_id, 0))
        if not isinstance(record, Counter | Habits):
            changes.keys.add(key_of(record))

    def drop(self, record: Entity, changes: Changes) -> None:
        """Remove a record from the board. Its row stays."""
        shelf, key = self._place_of(record)
        del shelf[key]
        if isinstance(record, Entry):
            self._stages[record.visit_id].remove(record.id)
            if not self._stages[record.visit_id]:
                del self._stages[record.visit_id]
            self._absent.pop(record.id, None)
            self._returning.pop(record.id, None)
            if _ended_at_point(record):
                self._freed[record.point_id].remove((record.since, record.id))  # type: ignore[index]
        elif isinstance(record, Visit):
            self._ticket.pop(record.token_hash, None)
            self._forget_label(record.label)
        elif isinstance(record, Announcement) and self._last_announced.get(record.point_id) == record.id:
            del self._last_announced[record.point_id]
        if not isinstance(record, Counter):
            changes.keys.add(key_of(record))

    def _place_of(self, record: Entity) -> tuple[dict[Any, Any], int | str]:
        return self._shelves[type(record)], record.prefix if isinstance(record, Counter) else record.id

    def _index(self, before: Entry | None, after: Entry, changes: Changes) -> None:
        """Update the indexes of entries, and mark the queues and points that show them as changed."""
        if before is not None and _in_line(before):
            self.moves += 1
            self._leave_line(before)
            changes.keys.add(f"queue:{before.queue_id}")
        if _in_line(after):
            self.moves += 1
            joined = self._lane_of[after.id] = lane(after, self.visits[after.visit_id])
            insort(self._waiting.setdefault(after.queue_id, []), rank(after))
            insort(self._lanes.setdefault(joined, []), rank(after))
            if before is None or not _in_line(before) or rank(before) != rank(after):
                self._note_join(after.id)
            changes.keys.add(f"queue:{after.queue_id}")
        if before is not None and before.state in BUSY_STATES and before.point_id is not None:
            self._busy.pop(before.point_id, None)
            changes.keys.add(f"point:{before.point_id}")
        if after.state in BUSY_STATES and after.point_id is not None:
            self._busy[after.point_id] = after.id
            changes.keys.add(f"point:{after.point_id}")
        if after.state == "waiting" and after.absent_until is not None:
            self._absent[after.id] = after.absent_until
        else:
            self._absent.pop(after.id, None)
        if after.held_until is not None:
            self._returning[after.id] = after.held_until
        else:
            self._returning.pop(after.id, None)
        if before is not None and _ended_at_point(before):
            self._freed[before.point_id].remove((before.since, before.id))  # type: ignore[index]
        if _ended_at_point(after):
            insort(self._freed.setdefault(after.point_id, []), (after.since, after.id))  # type: ignore[arg-type]
        if before is None:
            self._stages.setdefault(after.visit_id, []).append(after.id)

    def _note_join(self, entry_id: int) -> None:
        self._joins.append(entry_id)
        if len(self._joins) >= 2 * JOINS_KEPT:
            self._joins_before += JOINS_KEPT
            del self._joins[:JOINS_KEPT]

    def _forget_label(self, label: str) -> None:
        self._labels[label] -= 1
        if not self._labels[label]:
            del self._labels[label]

    def _leave_line(self, entry: Entry) -> None:
        left = self._lane_of.pop(entry.id)
        for ranks in (self._waiting[entry.queue_id], self._lanes[left]):
            del ranks[bisect_left(ranks, rank(entry))]
        if not self._lanes[left]:
            del self._lanes[left]

    def prune_announcements(self, changes: Changes) -> None:
        """Keep the last ten announcements, and those less than two minutes older than the newest one."""
        if len(self.announcements) <= ANNOUNCEMENTS_KEPT:
            return
        ordered = sorted(self.announcements)
        horizon = self.announcements[ordered[-1]].at - ANNOUNCEMENT_KEPT_MICROSECONDS
        for identifier in ordered[:-ANNOUNCEMENTS_KEPT]:
            if self.announcements[identifier].at <= horizon:
                self.drop(self.announcements[identifier], changes)

    def known_device(self, device_id: int) -> Display | Kiosk:
        """Return the display or kiosk with this id, which exists."""
        device = self.device(device_id)
        assert device is not None, "a rule has checked that the device exists"
        return device

    def use_id(self, identifier: int) -> None:
        """Record that an id of this site is in use: the next id is higher."""
        self.site = replace(self.site, last_id=max(self.site.last_id, identifier - self.site.id * IDS_PER_SITE))


def _in_line(entry: Entry) -> bool:
    """Return whether an entry can be called next: it waits, and the patient is not absent."""
    return entry.state == "waiting" and entry.absent_until is None


def _ended_at_point(entry: Entry) -> bool:
    """Return whether the end of an entry has freed a point."""
    return entry.point_id is not None and entry.state in _FREEING


def key_of(record: Entity) -> str:
    """Return the key by which views know a record: ``entry:812``."""
    assert not isinstance(record, Counter | Habits), "no view shows a counter or the habits"
    if isinstance(record, ScheduleException):
        return f"exception:{record.id}"
    return f"{type(record).__name__.lower()}:{record.id}"


def open_entries(board: Board) -> list[Entry]:
    """Return the entries that are waiting, called, being served or on hold, by id."""
    return [board.entries[key] for key in sorted(board.entries) if board.entries[key].state in OPEN_STATES]
