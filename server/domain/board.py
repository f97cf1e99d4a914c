"""What is known of one site now: the state that commands are decided on and that screens are drawn from.

The board is a function of the log: `apply` is the only thing that changes it, one event at a time. Loading a site's rows
gives the same board as applying its log (tested for every event), so every process may keep one and follow the log.

It holds what the present business day needs. An entry that has ended stays until the day turns.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from server.domain.events import (
    AbsenceEnded,
    DayClosed,
    DayTurned,
    DeviceRenamed,
    DisplayAdded,
    DisplayReported,
    EntryCancelled,
    EntryExpired,
    EntryHeld,
    EntryLeft,
    EntryMoved,
    EntryReopened,
    EntryReprioritised,
    EntryReturned,
    KioskAdded,
    MessageBroadcast,
    NoShowRecorded,
    PatientRunningLate,
    PointAdded,
    PointBreakBegan,
    PointChanged,
    PointClosed,
    PointOpened,
    PointsSwapped,
    PointStaffed,
    ProviderAdded,
    ProviderChanged,
    ProviderReassigned,
    QueueAdded,
    QueueChanged,
    QueueOpened,
    QueuePaused,
    Recorded,
    RecordRemoved,
    ServiceAdded,
    ServiceChanged,
    ServiceCompleted,
    ServiceStarted,
    SiteChanged,
    StepUndone,
    TicketCalled,
    TicketIssued,
    TicketRecalled,
    TicketTransferred,
    TokenRenewed,
    TokenRevoked,
    VisitAmended,
    WaitsQuoted,
)
from server.domain.model.entities import (
    BUSY_STATES,
    OPEN_STATES,
    Announcement,
    Counter,
    Display,
    Entity,
    Entry,
    Kiosk,
    Point,
    Provider,
    Queue,
    Removable,
    Service,
    Site,
    State,
    Visit,
)
from server.domain.model.ids import IDS_PER_SITE
from server.domain.ranking import Lane, Rank, lane, rank
from server.domain.waits import History

ANNOUNCEMENTS_KEPT = 10
REQUOTE_MICROSECONDS = 30_000_000
ANNOUNCEMENT_KEPT_MICROSECONDS = 120_000_000


@dataclass(slots=True)
class Changes:
    """What applying events did: each record that is new or other, before and after, and the keys that views may redraw.

    A record that only leaves the board, at the day's turn, is not among them: its row stays as it is.
    """

    records: dict[tuple[type[Entity], int | str], tuple[Entity | None, Entity]] = field(default_factory=dict)
    # Entries whose last step was taken back, and the number of the event that was it: its interval never ended.
    undone: dict[int, int] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)


class Board:
    """One site's present state, with the indexes that make "who is next" and "how many ahead" cheap."""

    __slots__ = (
        "_absent",
        "_busy",
        "_lane_of",
        "_lanes",
        "_shelves",
        "_stages",
        "_ticket",
        "_waiting",
        "announcements",
        "counters",
        "displays",
        "entries",
        "kiosks",
        "moves",
        "points",
        "providers",
        "queues",
        "services",
        "site",
        "visits",
    )

    def __init__(self, site: Site, records: Iterable[Entity] = ()) -> None:
        self.site = site
        self.services: dict[int, Service] = {}
        self.providers: dict[int, Provider] = {}
        self.queues: dict[int, Queue] = {}
        self.points: dict[int, Point] = {}
        self.displays: dict[int, Display] = {}
        self.kiosks: dict[int, Kiosk] = {}
        self.visits: dict[int, Visit] = {}
        self.entries: dict[int, Entry] = {}
        self.announcements: dict[int, Announcement] = {}
        self.counters: dict[str, Counter] = {}
        self._shelves: dict[type[Entity], dict[Any, Any]] = {
            Service: self.services,
            Provider: self.providers,
            Queue: self.queues,
            Point: self.points,
            Display: self.displays,
            Kiosk: self.kiosks,
            Visit: self.visits,
            Entry: self.entries,
            Announcement: self.announcements,
            Counter: self.counters,
        }
        self._waiting: dict[int, list[Rank]] = {}  # queue -> ranks in order
        self._lanes: dict[Lane, list[Rank]] = {}  # the same ranks by who may serve them; no empty ones
        self._lane_of: dict[int, Lane] = {}  # entry -> the lane it waits in
        self._absent: dict[int, int] = {}  # entry -> until when it is passed over
        self._busy: dict[int, int] = {}  # point -> the entry that is called to it or served at it
        self._stages: dict[int, list[int]] = {}  # visit -> its entries
        self._ticket: dict[str, int] = {}  # the hash of a ticket's token -> the visit that it opens
        self.moves = 0  # how often anybody has joined a line or left one: as long as it stays, so does everybody's place
        changes = Changes()
        # Visits before entries: what a patient needs says in which lane they wait.
        for record in sorted(records, key=lambda each: (isinstance(each, Entry), getattr(each, "id", 0))):
            self._put(record, changes)
        self._prune_announcements(changes)

    def waiting(self, queue_id: int) -> list[Rank]:
        """Return the ranks of those waiting in a queue, first to last. Not to be changed by the caller."""
        return self._waiting.get(queue_id, [])

    def lanes(self) -> dict[Lane, list[Rank]]:
        """Return the ranks of those waiting in each lane, first to last. Not to be changed by the caller."""
        return self._lanes

    def entry_at(self, point_id: int) -> Entry | None:
        """Return the entry called to or served at a point, or None."""
        entry_id = self._busy.get(point_id)
        return None if entry_id is None else self.entries[entry_id]

    def latest_entry(self, visit_id: int) -> Entry | None:
        """Return the visit's present stage, or its last; None when the visit is not of this day.

        The last is the one that ended last: a stage that was taken back with its transfer is younger, and was over before.
        """
        stages = [self.entries[entry_id] for entry_id in self._stages.get(visit_id, ())]
        return max(stages, key=lambda entry: (entry.state in OPEN_STATES, entry.seq, entry.id), default=None)

    def absent(self) -> dict[int, int]:
        """Return the waiting entries that are passed over, each with until when. Not to be changed by the caller."""
        return self._absent

    @property
    def anybody_waiting(self) -> bool:
        """Whether anybody waits at this site, here or coming later."""
        return bool(self._absent) or any(self._waiting.values())

    def visit_of(self, token_hash: str) -> Visit | None:
        """Return the visit whose ticket has a token with this hash, or None."""
        visit_id = self._ticket.get(token_hash)
        return None if visit_id is None else self.visits[visit_id]

    def removable(self, record_id: int) -> Removable | None:
        """Return the service, provider, queue, point, display or kiosk with this id, removed or not; or None."""
        for kind in (Service, Provider, Queue, Point, Display, Kiosk):
            if record_id in self._shelves[kind]:
                return self._shelves[kind][record_id]  # type: ignore[no-any-return]
        return None

    def device(self, device_id: int) -> Display | Kiosk | None:
        """Return the display or the kiosk with this id, or None."""
        return self.displays.get(device_id) or self.kiosks.get(device_id)

    def records(self) -> list[Entity]:
        """Return every record, in no promised order."""
        return [record for shelf in self._shelves.values() for record in shelf.values()]

    # Changing: only `apply` does.

    def _put(self, record: Entity, changes: Changes) -> None:
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
            self._ticket[record.token_hash] = record.id
        if not isinstance(record, Counter):
            changes.keys.add(key_of(record))

    def _drop(self, record: Entity, changes: Changes) -> None:
        shelf, key = self._place_of(record)
        del shelf[key]
        if isinstance(record, Entry):
            self._stages[record.visit_id].remove(record.id)
            if not self._stages[record.visit_id]:
                del self._stages[record.visit_id]
            self._absent.pop(record.id, None)
        elif isinstance(record, Visit):
            self._ticket.pop(record.token_hash, None)
        if not isinstance(record, Counter):
            changes.keys.add(key_of(record))

    def _place_of(self, record: Entity) -> tuple[dict[Any, Any], int | str]:
        return self._shelves[type(record)], record.prefix if isinstance(record, Counter) else record.id

    def _index(self, before: Entry | None, after: Entry, changes: Changes) -> None:
        """Keep the indexes true, and name what they say of: the queue's order, the point's guest."""
        if before is not None and _in_line(before):
            self.moves += 1
            self._leave_line(before)
            changes.keys.add(f"queue:{before.queue_id}")
        if _in_line(after):
            self.moves += 1
            joined = self._lane_of[after.id] = lane(after, self.visits[after.visit_id])
            insort(self._waiting.setdefault(after.queue_id, []), rank(after))
            insort(self._lanes.setdefault(joined, []), rank(after))
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
        if before is None:
            self._stages.setdefault(after.visit_id, []).append(after.id)

    def _leave_line(self, entry: Entry) -> None:
        left = self._lane_of.pop(entry.id)
        for ranks in (self._waiting[entry.queue_id], self._lanes[left]):
            del ranks[bisect_left(ranks, rank(entry))]
        if not self._lanes[left]:
            del self._lanes[left]

    def _prune_announcements(self, changes: Changes) -> None:
        """Keep the last ten, and every one less than two minutes older than the newest."""
        if len(self.announcements) <= ANNOUNCEMENTS_KEPT:
            return
        ordered = sorted(self.announcements)
        horizon = self.announcements[ordered[-1]].at - ANNOUNCEMENT_KEPT_MICROSECONDS
        for identifier in ordered[:-ANNOUNCEMENTS_KEPT]:
            if self.announcements[identifier].at <= horizon:
                self._drop(self.announcements[identifier], changes)

    def _known_device(self, device_id: int) -> Display | Kiosk:
        device = self.device(device_id)
        assert device is not None, "decided on a device that is there"
        return device

    def _took(self, identifier: int) -> None:
        """Remember that an id of this site is used up."""
        self.site = replace(self.site, last_id=max(self.site.last_id, identifier - self.site.id * IDS_PER_SITE))

    def _step(self, entry_id: int, recorded: Recorded, changes: Changes, state: State | None = None, **new: Any) -> Entry:
        """Change an entry by one step that can be taken back: to ``state`` at the event's instant, and ``new`` fields."""
        before = self.entries[entry_id]
        if state is not None:
            new |= {"state": state, "since": recorded.at, "absent_until": None}
        undo = {
            "step": recorded.event.name_on_wire(),
            "at": recorded.at,
            "seq": recorded.seq,
            "priority": self.visits[before.visit_id].priority,
            "back_to": {name: getattr(before, name) for name in _RESTORED},
        }
        if before.state in BUSY_STATES and state in _FREEING:
            undo["duration"] = self._record_duration(before, recorded, changes)
        after = replace(before, undo=undo, seq=recorded.seq, **new)
        self._put(after, changes)
        return after

    def _record_duration(self, entry: Entry, recorded: Recorded, changes: Changes) -> int:
        """Remember how long a patient kept a point; return it (microseconds)."""
        queue = self.queues[entry.queue_id]
        duration = recorded.at - (entry.called_at or entry.since)
        durations = History(queue.durations).record(duration).durations
        self._put(replace(queue, durations=durations, seq=recorded.seq), changes)
        return duration

    def _undo(self, event: StepUndone, recorded: Recorded, changes: Changes) -> None:
        entry = self.entries[event.entry_id]
        undo = entry.undo
        assert undo is not None, "decided on an entry that can be undone"
        later = self.latest_entry(entry.visit_id)
        if later is not None and later.id != entry.id:  # the stage that a transfer began ends before this one goes on
            self._put(replace(later, state="cancelled", since=recorded.at, undo=None, seq=recorded.seq), changes)
        visit = self.visits[entry.visit_id]
        if visit.priority != undo["priority"]:
            self._put(replace(visit, priority=undo["priority"], seq=recorded.seq), changes)
        if "duration" in undo:
            queue = self.queues[entry.queue_id]
            durations = list(queue.durations)
            if undo["duration"] in durations:  # it may have been forgotten since
                durations.reverse()
                durations.remove(undo["duration"])
                durations.reverse()
            self._put(replace(queue, durations=tuple(durations), seq=recorded.seq), changes)
        self._put(replace(entry, **undo["back_to"], undo=None, seq=recorded.seq), changes)
        changes.undone[entry.id] = undo["seq"]
        if event.announcement_id is not None and event.point_id is not None:
            self._announce(recorded, event.announcement_id, entry.id, event.point_id, event.label, "withdrawn", changes)

    def _announce(
        self,
        recorded: Recorded,
        identifier: int,
        entry_id: int,
        point_id: int,
        label: str,
        kind: Literal["call", "recall", "withdrawn"],
        changes: Changes,
    ) -> None:
        self._put(
            Announcement(
                id=identifier,
                site_id=self.site.id,
                business_day=self.site.business_day,
                entry_id=entry_id,
                point_id=point_id,
                label=label,
                kind=kind,
                at=recorded.at,
                seq=recorded.seq,
            ),
            changes,
        )
        self._took(identifier)
        self._prune_announcements(changes)


# What frees a point, and says how long patients keep it. The day's turn ends forgotten guests, which says nothing.
_FREEING: frozenset[State] = frozenset({"completed", "no_show", "transferred"})
# What a step may change of an entry, and undoing it restores.
_RESTORED = (
    *("state", "point_id", "since", "calls", "called_at", "first_called_at"),
    *("band", "place", "due_at", "moved", "absent_until"),
)


def _in_line(entry: Entry) -> bool:
    """Return whether an entry can be called as the next: it waits, and the patient is here."""
    return entry.state == "waiting" and entry.absent_until is None


def key_of(record: Entity) -> str:
    """Return the key by which views know a record: ``entry:812``."""
    assert not isinstance(record, Counter), "no view shows a counter"
    return f"{type(record).__name__.lower()}:{record.id}"


def apply(board: Board, recorded: Recorded, changes: Changes) -> None:
    """Change the board by one event of its site's log, adding to ``changes`` what that did.

    Events come in the order of their numbers, without a gap; `ValueError` otherwise, and the board is as it was.
    """
    if recorded.seq != board.site.seq + 1:
        raise ValueError(f"event {recorded.seq} cannot follow {board.site.seq}")
    site_id, day, seq, at = board.site.id, board.site.business_day, recorded.seq, recorded.at
    match recorded.event:
        case SiteChanged() as event:
            board.site = replace(
                board.site,
                name=event.name,
                time_zone=event.time_zone,
                language=event.language,
                day_turns_at_minutes=event.day_turns_at_minutes,
                turns_at=event.next_turn_at,
                rules=event.rules,
            )
            # Its zone, its rules and its name are in the cells of entries, too.
            changes.keys.update(("site", *map(key_of, board.entries.values())))
        case ServiceAdded() as event:
            service = Service(event.service_id, site_id, event.public_name, event.position, event.sealed, seq)
            board._put(service, changes)
            board._took(event.service_id)
        case ServiceChanged() as event:
            service = board.services[event.service_id]
            sealed = event.sealed or service.sealed
            service = replace(service, public_name=event.public_name, position=event.position, sealed=sealed, seq=seq)
            board._put(service, changes)
        case ProviderAdded() as event:
            board._put(Provider(event.provider_id, site_id, event.name, event.position, seq), changes)
            board._took(event.provider_id)
        case ProviderChanged() as event:
            provider = board.providers[event.provider_id]
            board._put(replace(provider, name=event.name, position=event.position, seq=seq), changes)
        case ProviderReassigned() as event:
            for entry_id in event.entry_ids:
                board._put(replace(board.entries[entry_id], provider_id=event.to_provider_id, seq=seq), changes)
        case QueueAdded() as event:
            queue = Queue(event.queue_id, site_id, event.name, event.prefix, event.position, False, (), seq)
            queue = replace(queue, service_id=event.service_id, capacity=event.capacity, joins_anew=event.joins_anew)
            board._put(queue, changes)
            board._took(event.queue_id)
        case QueueChanged() as event:
            queue = replace(
                board.queues[event.queue_id],
                name=event.name,
                service_id=event.service_id,
                capacity=event.capacity,
                joins_anew=event.joins_anew,
                position=event.position,
                seq=seq,
            )
            board._put(queue, changes)
        case PointAdded() as event:
            point = Point(event.point_id, site_id, event.name, event.queue_ids, event.position, "open", seq)
            board._put(replace(point, unmet_needs=event.unmet_needs), changes)
            board._took(event.point_id)
        case PointChanged() as event:
            point = replace(
                board.points[event.point_id],
                name=event.name,
                queue_ids=event.queue_ids,
                unmet_needs=event.unmet_needs,
                position=event.position,
                seq=seq,
            )
            board._put(point, changes)
        case PointStaffed() as event:
            board._put(replace(board.points[event.point_id], provider_id=event.provider_id, seq=seq), changes)
        case PointsSwapped() as event:
            one, other = board.points[event.point_id], board.points[event.with_point_id]
            for room, team in ((one, other), (other, one)):
                room = replace(room, provider_id=team.provider_id, queue_ids=team.queue_ids, state=team.state, seq=seq)
                board._put(room, changes)
        case DisplayAdded() as event:
            board._put(Display(event.display_id, site_id, event.name, event.token_hash, seq), changes)
            board._took(event.display_id)
        case KioskAdded() as event:
            board._put(Kiosk(event.kiosk_id, site_id, event.name, event.token_hash, seq), changes)
            board._took(event.kiosk_id)
        case DeviceRenamed() as event:
            board._put(replace(board._known_device(event.device_id), name=event.name, seq=seq), changes)
        case TokenRenewed() as event:
            board._put(replace(board._known_device(event.device_id), token_hash=event.token_hash, seq=seq), changes)
        case TokenRevoked() as event:
            board._put(replace(board._known_device(event.device_id), token_hash=None, seq=seq), changes)
        case DisplayReported() as event:
            display = board.displays[event.display_id]
            display = replace(
                display,
                connected=event.connected,
                since=at if event.connected != display.connected else display.since,
                muted=event.muted,
                version=event.version,
                lag=event.lag,
                heard_by=event.heard_by,
                seq=seq,
            )
            board._put(display, changes)
        case RecordRemoved() as event:
            removed = board.removable(event.record_id)
            assert removed is not None, "decided on a record that is there"
            gone: dict[str, Any] = {"removed_at": at, "seq": seq}
            if isinstance(removed, Point):
                gone |= {"state": "closed", "provider_id": None}
            if isinstance(removed, Display | Kiosk):
                gone["token_hash"] = None
            board._put(replace(removed, **gone), changes)
        case VisitAmended() as event:
            visit = board.visits[event.visit_id]
            visit = replace(visit, party_size=event.party_size, language=event.language, needs=event.needs, seq=seq)
            if event.sealed is not None:
                visit = replace(visit, sealed=event.sealed, display_name=event.display_name)
            board._put(visit, changes)
            # The needs say which points may call the entry: it is put in its line anew.
            board._put(replace(board.entries[event.entry_id], seq=seq), changes)
        case TicketIssued() as event:
            if not board.anybody_waiting:  # whoever comes first has been quoted just now
                board.site = replace(board.site, quoted_at=at)
            visit = Visit(
                id=event.visit_id,
                site_id=site_id,
                business_day=day,
                label=event.label,
                priority=event.priority,
                party_size=event.party_size,
                language=event.language,
                display_name=event.display_name,
                token_hash=event.token_hash,
                sealed=event.sealed,
                opened_at=at,
                seq=seq,
                needs=event.needs,
            )
            board._put(visit, changes)
            board._put(_new_entry(event.entry_id, visit.id, board.site, event, recorded), changes)
            board._put(Counter(site_id, event.prefix, day, event.number, seq), changes)
            board._took(max(event.visit_id, event.entry_id))
        case TicketCalled() as event:
            entry = board.entries[event.entry_id]
            called = {"calls": entry.calls + 1, "called_at": at, "first_called_at": entry.first_called_at or at}
            board._step(event.entry_id, recorded, changes, "called", point_id=event.point_id, **called)
            board._announce(recorded, event.announcement_id, event.entry_id, event.point_id, event.label, "call", changes)
        case TicketRecalled() as event:
            entry = board.entries[event.entry_id]
            board._put(replace(entry, calls=entry.calls + 1, seq=seq), changes)
            board._announce(recorded, event.announcement_id, event.entry_id, event.point_id, event.label, "recall", changes)
        case ServiceStarted() as event:
            board._step(event.entry_id, recorded, changes, "serving")
        case ServiceCompleted() as event:
            board._step(event.entry_id, recorded, changes, "completed")
        case NoShowRecorded() as event:
            board._step(event.entry_id, recorded, changes, "no_show")
        case TicketTransferred() as event:
            ended = board._step(event.entry_id, recorded, changes, "transferred")
            board._put(_new_entry(event.new_entry_id, ended.visit_id, board.site, event, recorded), changes)
            board._took(event.new_entry_id)
        case WaitsQuoted() as event:
            for entry_id, expect_from, expect_until, estimating in event.quotes:
                board._put(
                    _quoted(board.entries[entry_id], expect_from, expect_until, estimating, seq),
                    changes,
                )
            board.site = replace(board.site, quoted_at=at)
        case EntryHeld() as event:
            board._step(event.entry_id, recorded, changes, "held")
        case EntryReturned() as event:
            board._step(event.entry_id, recorded, changes, "waiting", place=event.place, due_at=event.due_at)
        case EntryLeft() as event:
            board._step(event.entry_id, recorded, changes, "left")
        case EntryCancelled() as event:
            board._step(event.entry_id, recorded, changes, "cancelled")
        case EntryReprioritised() as event:
            entry = board._step(event.entry_id, recorded, changes, band=event.band, place=event.place, moved=False)
            board._put(replace(board.visits[entry.visit_id], priority=event.priority, seq=seq), changes)
        case EntryMoved() as event:
            board._step(event.entry_id, recorded, changes, place=event.place, moved=True)
            for entry_id, place in event.pushed:
                board._put(replace(board.entries[entry_id], place=place, moved=True, seq=seq), changes)
        case PatientRunningLate() as event:
            board._step(event.entry_id, recorded, changes, absent_until=event.absent_until)
        case AbsenceEnded() as event:
            board._put(replace(board.entries[event.entry_id], absent_until=None, undo=None, seq=seq), changes)
        case StepUndone() as event:
            board._undo(event, recorded, changes)
        case EntryReopened() as event:
            board._step(event.entry_id, recorded, changes, "waiting")
        case PointOpened() as event:
            board._put(replace(board.points[event.point_id], state="open", seq=seq), changes)
        case PointBreakBegan() as event:
            board._put(replace(board.points[event.point_id], state="on_break", seq=seq), changes)
        case PointClosed() as event:
            board._put(replace(board.points[event.point_id], state="closed", seq=seq), changes)
        case QueueOpened() as event:
            board._put(replace(board.queues[event.queue_id], paused=False, seq=seq), changes)
        case QueuePaused() as event:
            board._put(replace(board.queues[event.queue_id], paused=True, seq=seq), changes)
        case MessageBroadcast() as event:
            board.site = replace(board.site, message=event.message)
            changes.keys.add("site")
        case DayClosed():
            pass  # what it ended has been ended by events of its own
        case EntryExpired() as event:
            board._step(event.entry_id, recorded, changes, "expired")
        case DayTurned() as event:
            board.site = replace(board.site, business_day=event.business_day, turns_at=event.next_turn_at)
            carried = set(event.carried)
            visits = {board.entries[entry_id].visit_id for entry_id in carried}
            for record in board.records():
                if (isinstance(record, Entry) and record.id in carried) or (
                    isinstance(record, Visit) and record.id in visits
                ):
                    board._put(replace(record, business_day=event.business_day, seq=seq), changes)
                elif isinstance(record, Visit | Entry | Announcement | Counter):
                    board._drop(record, changes)
            changes.keys.add("site")
        case unknown:
            raise ValueError(f"no rule for {type(unknown).__name__}")
    tick_at = min([board.site.turns_at, *board.absent().values()])
    if board.anybody_waiting:
        tick_at = min(tick_at, board.site.quoted_at + REQUOTE_MICROSECONDS)
    board.site = replace(board.site, seq=seq, last_event_at=at, next_tick_at=tick_at)


def _new_entry(
    identifier: int, visit_id: int, site: Site, event: TicketIssued | TicketTransferred, recorded: Recorded
) -> Entry:
    return Entry(
        id=identifier,
        site_id=site.id,
        business_day=site.business_day,
        visit_id=visit_id,
        queue_id=event.queue_id,
        state="waiting",
        band=event.band,
        place=event.place,
        due_at=event.due_at,
        point_id=None,
        calls=0,
        since=recorded.at,
        called_at=None,
        absent_until=None,
        expect_from=event.expect_from,
        expect_until=event.expect_until,
        estimating=event.estimating,
        quoted_from=event.expect_from,
        quoted_until=event.expect_until,
        undo=None,
        seq=recorded.seq,
        provider_id=event.provider_id,
        moved=isinstance(event, TicketTransferred) and event.moved,
        quoted_ahead=event.quoted_ahead,
        quoted_points=event.quoted_points,
    )


def _quoted(entry: Entry, expect_from: int | None, expect_until: int | None, estimating: bool, seq: int) -> Entry:
    """Return an entry with a new quote; its first one is kept, to be held against the truth."""
    first = entry.quoted_from is None
    return replace(
        entry,
        expect_from=expect_from,
        expect_until=expect_until,
        estimating=estimating,
        quoted_from=expect_from if first else entry.quoted_from,
        quoted_until=expect_until if first else entry.quoted_until,
        seq=seq,
    )


def open_entries(board: Board) -> list[Entry]:
    """Return the entries that are waiting, called, being served or held, by id."""
    return [board.entries[key] for key in sorted(board.entries) if board.entries[key].state in OPEN_STATES]
