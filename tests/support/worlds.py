"""A clinic in memory, for tests without a database. It decides and applies commands, and keeps a log and rows.

`World` does the work of `server.execute` without I/O. Its rows equal the rows that `server.store.boards` saves. A board of
these rows is the reference for every follower of the log. `LogLoader` loads such boards for feeds.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

from hypothesis import strategies as st

from server.domain.board import Board, Changes, apply
from server.domain.commands import (
    AddDisplay,
    AddKiosk,
    AddPoint,
    AddProvider,
    AddQueue,
    AddService,
    AmendVisit,
    BreakPoint,
    BroadcastMessage,
    Call,
    CallNext,
    Cancel,
    ChangeDisplay,
    ChangePoint,
    ChangeProvider,
    ChangeQueue,
    ChangeService,
    ChangeSite,
    CloseDay,
    ClosePoint,
    Command,
    Complete,
    Hold,
    IssueTicket,
    Leave,
    Move,
    NoShow,
    OpenPoint,
    OpenQueue,
    PauseQueue,
    ReassignProvider,
    Recall,
    Remove,
    RenameDevice,
    RenewToken,
    Reopen,
    ReportDisplay,
    Reprioritise,
    Return,
    RevokeToken,
    RunningLate,
    StaffPoint,
    Start,
    SwapPoints,
    Tick,
    Transfer,
    Undo,
)
from server.domain.errors import NotFound, Refused
from server.domain.events import Event, Recorded, ServiceAdded, ServiceChanged, TicketIssued, VisitAmended
from server.domain.model import (
    Announcement,
    Counter,
    Entity,
    Entry,
    Need,
    Personal,
    Priority,
    Queue,
    Rules,
    Service,
    Site,
    State,
    Visit,
)
from server.domain.model.ids import IDS_PER_SITE
from server.domain.model.tickets import next_turn
from server.domain.rules import Patients, decide, overdue
from server.domain.views import Cell, DeskView, DisplayView, PointView, TicketView, View, draw

SITE_ID = 7
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = "2024-03-29"
START = 1_711_695_600_000_000  # 2024-03-29 08:00 in Berlin, two days before summer time begins
PRIORITIES: tuple[Priority, ...] = ("standard", "assisted", "urgent", "emergency")
Apply = Callable[[Board, Recorded, Changes], None]


def an_id(number: int) -> int:
    """Return the ``number``-th id of the site."""
    return SITE_ID * IDS_PER_SITE + number


def a_site(**changes: Any) -> Site:
    """Return a site in Berlin at the start of `DAY`, with ``changes``."""
    site = Site(
        id=SITE_ID,
        organisation_id=1,
        name="Clinic",
        time_zone="Europe/Berlin",
        language="de",
        day_turns_at_minutes=240,
        business_day=DAY,
        turns_at=next_turn(DAY, "Europe/Berlin", 240),
        next_tick_at=next_turn(DAY, "Europe/Berlin", 240),
        quoted_at=START,
        message=None,
        epoch="e1",
        last_id=0,
        last_event_at=START,
        seq=0,
        rules=Rules(names_on_display=True),
    )
    return replace(site, **changes)


def a_visit(identifier: int, **changes: Any) -> Visit:
    """Return a visit of `DAY` with a label made from its id, and with ``changes``."""
    visit = Visit(
        id=identifier,
        site_id=SITE_ID,
        business_day=DAY,
        label=f"V{identifier % IDS_PER_SITE:03d}",
        priority="standard",
        party_size=1,
        language="de",
        display_name=None,
        token_hash="",
        sealed=None,
        opened_at=START,
        seq=0,
    )
    return replace(visit, **changes)


def an_entry(identifier: int, visit_id: int, queue_id: int, state: State = "waiting", **changes: Any) -> Entry:
    """Return an entry of `DAY` with standard priority that joined at `START`, with ``changes``."""
    entry = Entry(
        id=identifier,
        site_id=SITE_ID,
        business_day=DAY,
        visit_id=visit_id,
        queue_id=queue_id,
        state=state,
        band=1,
        place=START,
        due_at=START,
        point_id=None,
        calls=0,
        since=START,
        called_at=None,
        absent_until=None,
        expect_from=None,
        expect_until=None,
        estimating=True,
        quoted_from=None,
        quoted_until=None,
        undo=None,
        seq=0,
    )
    return replace(entry, **changes)


def seal(personal: Personal, belongs_to: str) -> str:
    """Return a stand-in for ciphertext: bound to the record, and without readable text."""
    return base64.b64encode(json.dumps([belongs_to, asdict(personal)]).encode()).decode()


def open_sealed(record: Visit | Service) -> Personal:
    """Return the personal data that `seal` got. Assert that it was sealed for this record."""
    if record.sealed is None:
        return Personal()
    bound_to, personal = json.loads(base64.b64decode(record.sealed))
    assert bound_to == f"{type(record).__name__.lower()}:{record.id}"
    return Personal(**personal)


def row_key(record: Entity) -> tuple[type[Entity], object]:
    """Return the primary key of a record's row."""
    return type(record), (record.prefix, record.business_day) if isinstance(record, Counter) else record.id


class World:
    """One site, its board, its log, and its rows."""

    def __init__(self, site: Site | None = None) -> None:
        self.first = site or a_site()
        self.board = Board(self.first)
        self.now = START
        self.log: list[Recorded] = []
        self.rows: dict[tuple[type[Entity], object], Entity] = {}

    def do(self, command: Command, after: int = SECOND, actor: str = "staff:1") -> list[Recorded]:
        """Do a command ``after`` this number of microseconds; return its events.

        If the business day has to turn by then, it turns first. Raises the refusals of `decide`.
        """
        self.now = max(self.now + after, self.board.site.last_event_at)
        begun, changes = len(self.log), Changes()
        try:
            if self.now >= self.board.site.next_tick_at and not isinstance(command, Tick):
                self._happen(overdue(self.board, self.now), "clock", changes)
            self._happen(
                decide(
                    self.board,
                    command,
                    self.now,
                    f"hash-{len(self.log)}",
                    patients=Patients(open_sealed, lambda _: self.board.visits.values()),
                ),
                actor,
                changes,
            )
        finally:
            self._save(changes)
        return self.log[begun:]

    def _happen(self, events: Sequence[Event], actor: str, changes: Changes) -> None:
        for event in events:
            if isinstance(event, TicketIssued | VisitAmended | ServiceAdded | ServiceChanged) and event.personal is not None:
                event = replace(event, personal=None, sealed=seal(event.personal, event.seals_for))
            self.log.append(Recorded(self.board.site.seq + 1, self.now, actor, event))
            apply(self.board, self.log[-1], changes)

    def _save(self, changes: Changes) -> None:
        """Save the changed rows. Assert each row's earlier state, on which the real update is conditional."""
        for before, after in changes.records.values():
            assert self.rows.get(row_key(after)) == before
            self.rows[row_key(after)] = after

    def loaded(self) -> Board:
        """Return the board that the rows of the business day give."""
        site = self.board.site
        rows = [row for row in self.rows.values() if getattr(row, "business_day", site.business_day) == site.business_day]
        return Board(site, rows)

    def renew(self, epoch: str) -> None:
        """Set another epoch, as the restore of a backup does."""
        self.board.site = replace(self.board.site, epoch=epoch)

    # Shortcuts for common commands

    def queue(self, prefix: str = "A", name: str | None = None) -> int:
        """Add a queue; return its id."""
        name = name or f"Service {len(self.board.queues) + 1}"
        self.do(AddQueue(site_id=SITE_ID, name=name, prefix=prefix))
        return max(self.board.queues)

    def point(self, *queue_ids: int) -> int:
        """Add a point that serves the queues; return its id."""
        self.do(AddPoint(site_id=SITE_ID, name=f"Room {len(self.board.points) + 1}", queue_ids=queue_ids))
        return max(self.board.points)

    def ticket(self, queue_id: int, priority: Priority = "standard", after: int = SECOND, **about: Any) -> Entry:
        """Issue a ticket; return its entry."""
        self.do(IssueTicket(queue_id=queue_id, priority=priority, **about), after)
        return self.board.entries[max(self.board.entries)]

    def call(self, point_id: int) -> Entry:
        """Call the next patient to a point; return the called entry."""
        self.do(CallNext(point_id=point_id))
        called = self.board.entry_at(point_id)
        assert called is not None
        return called

    def entry(self, entry: Entry) -> Entry:
        """Return the present state of an entry."""
        return self.board.entries[entry.id]

    def label(self, entry: Entry) -> str:
        """Return the ticket label of an entry."""
        return self.board.visits[entry.visit_id].label


def small_clinic() -> World:
    """Return a world with three queues, two of which share a prefix, two points and a display."""
    world = World()
    blood, x_ray, forms = world.queue("A"), world.queue("B"), world.queue("A")
    world.point(blood, x_ray)
    world.point(x_ray, forms)
    world.do(AddDisplay(site_id=SITE_ID, name="Hall"))
    return world


# Random days. A script is a list of steps. Each step is an action, a number that selects its object, and a pause before it.

Step = tuple[str, int, int]
ACTIONS = (
    *("issue",) * 9,
    *("call",) * 8,
    *("recall",) * 3,
    *("start",) * 5,
    *("complete",) * 5,
    *("no-show", "transfer", "transfer", "add-queue", "add-point", "add-display", "tick", "night"),
    *("call-one", "hold", "hold", "return", "return", "leave", "cancel", "reprioritise", "reprioritise"),
    *("move", "move", "move", "running-late", "running-late", "here-again", "undo", "undo", "undo", "undo", "reopen"),
    *("open-point", "open-point", "break-point", "close-point", "open-queue", "open-queue", "pause-queue", "message"),
    "close-day",
    *("amend", "amend", "staff", "staff", "swap", "reassign", "reassign", "change-site", "add-service", "change-service"),
    *("add-provider", "change-provider", "change-queue", "change-point", "add-kiosk", "rename", "renew", "revoke"),
    *("change-display", "report", "report", "no-show", "no-show", "renew", "revoke"),
    *("remove", "remove", "open-point"),
)
PAUSES = (0, 0, SECOND, 20 * SECOND, 3 * MINUTE, 50 * MINUTE)
steps = st.tuples(st.sampled_from(ACTIONS), st.integers(0, 999), st.sampled_from(PAUSES))


def a_day(seed: int, size: int) -> list[Step]:
    """Return a script of ``size`` steps. The same seed gives the same script."""
    chance = random.Random(seed)
    return [(chance.choice(ACTIONS), chance.randrange(1000), chance.choice(PAUSES)) for _ in range(size)]


def scripts(size: int = 40) -> st.SearchStrategy[list[Step]]:
    """Return a strategy for scripts: mostly of ``size`` random steps, else shorter ones that Hypothesis composes."""
    full = st.integers(0, 2**32).map(lambda seed: a_day(seed, size))
    return st.one_of(st.lists(steps, max_size=size), full, full, full)


WANTED: dict[str, tuple[State, ...]] = {
    "recall": ("called",),
    "start": ("called",),
    "no-show": ("called",),
    "complete": ("serving",),
    "call-one": ("waiting",),
    "hold": ("waiting", "called"),
    "return": ("held", "no_show"),
    "leave": ("waiting", "called", "held"),
    "cancel": ("waiting", "held"),
    "reprioritise": ("waiting",),
    "move": ("waiting",),
    "running-late": ("waiting", "called", "held"),
    "here-again": ("waiting", "held"),
    "reopen": ("completed", "left", "cancelled", "no_show"),
    "amend": ("waiting", "held", "called"),
}
NEEDS: tuple[Need, ...] = get_args(Need)


def wire_body(command: Command) -> dict[str, Any]:
    """Return the body of a request for this command."""
    body: dict[str, Any] = asdict(command)  # type: ignore[call-overload]
    if body.get("names") is not None:
        body["names"] = dict(body["names"])
    return body


def command_of(world: World, action: str, about: int) -> Command:
    """Return the command of a step in this world. The world may refuse it."""
    board = world.board
    queues, points, entries = list(board.queues) or [an_id(1)], list(board.points) or [an_id(2)], list(board.entries)
    queue_id, point_id = queues[about % len(queues)], points[about % len(points)]
    wanted = WANTED.get(action, ())
    fitting = [entry.id for entry in board.entries.values() if entry.state in wanted]
    if action == "undo":
        fitting = [entry.id for entry in board.entries.values() if entry.undo is not None][-4:]
    pool = fitting if fitting and about % 5 else entries or [an_id(3)]
    entry_id = pool[about % len(pool)]
    services, providers = list(board.services) or [an_id(4)], list(board.providers)
    service_id, provider_id = services[about % len(services)], (providers or [an_id(5)])[about % (len(providers) or 1)]
    devices = [*board.displays, *board.kiosks] or [an_id(6)]
    device_id = devices[about % len(devices)]
    named = provider_id if providers and about % 3 == 0 else None
    needs: tuple[Need, ...] = (NEEDS[about % 4],) if about % 5 == 0 else ()
    names = tuple((tag, f"{tag} {about % 4}") for tag in board.site.languages) if about % 3 else None
    match action:
        case "amend":
            name = (None, "Nora Canary", "")[about % 3]
            language = ("en", "de")[about % 2]
            return AmendVisit(entry_id=entry_id, party_size=1 + about % 4, needs=needs, language=language, name=name)
        case "staff":
            return StaffPoint(point_id=point_id, provider_id=provider_id if about % 4 else None)
        case "swap":
            return SwapPoints(point_id=point_id, with_point_id=points[about // 7 % len(points)])
        case "reassign":
            to_provider_id = providers[about // 7 % len(providers)] if providers and about % 3 else None
            waited_for = [
                entry.provider_id for entry in board.entries.values() if entry.provider_id and entry.state == "waiting"
            ]
            provider_id = (waited_for or [provider_id])[about % (len(waited_for) or 1)]
            return ReassignProvider(provider_id=provider_id, to_provider_id=to_provider_id, reason="ill today")
        case "change-site":
            return ChangeSite(
                site_id=SITE_ID,
                name=f"Clinic {about % 3}",
                head_start_assisted=about % 40,
                target_standard=about % 30,
                names_on_display=about % 2 == 0,
                round_the_clock=about % 3 == 0,
                time_zone=("Europe/Berlin", "America/New_York")[about % 5 == 0],
                hours=((), ((about % 7, 0, 1440),))[about % 6 == 0],
                languages=((), ("ar", "zh-Hant"))[about % 2],
                clock=("auto", "12")[about % 2],
            )
        case "add-service":
            return AddService(site_id=SITE_ID, name=f"Secret {about % 9}", public_name=f"Service {about % 9}")
        case "change-service":
            return ChangeService(
                service_id=service_id, public_name=f"Other {about % 9}", name=(None, "True")[about % 2], names=names
            )
        case "add-provider":
            return AddProvider(site_id=SITE_ID, name=f"Dr. {about % 9}")
        case "change-provider":
            return ChangeProvider(provider_id=provider_id, name=f"Prof. {about % 9}", position=about % 5)
        case "change-queue":
            service = service_id if board.services and about % 2 else None
            capacity = (None, 0, 30)[about % 3]
            return ChangeQueue(
                queue_id=queue_id, name=f"Line {about % 9}", service_id=service, capacity=capacity, names=names
            )
        case "change-point":
            return ChangePoint(
                point_id=point_id, name=f"Desk {about % 9}", unmet_needs=needs, queue_ids=(queue_id,), names=names
            )
        case "add-kiosk":
            return AddKiosk(site_id=SITE_ID, name=f"Kiosk {about % 9}")
        case "report":
            displays = list(board.displays) or [an_id(6)]
            return ReportDisplay(
                display_id=displays[about // 3 % len(displays)],
                heard_by=f"p{about // 2 % 2}",
                connected=(True, True, False, None)[about // 2 % 4],
                muted=(None, True, False)[about % 3],
                version=(None, "1")[about // 7 % 2],
                lag=(None, 0, 10)[about % 3],
            )
        case "change-display":
            shown = list(board.displays) or [an_id(6)]
            chosen_queues, chosen_points = ((), (queue_id,), None)[about % 3], ((point_id,), (), None)[about // 3 % 3]
            return ChangeDisplay(display_id=shown[about % len(shown)], queue_ids=chosen_queues, point_ids=chosen_points)
        case "rename":
            return RenameDevice(device_id=device_id, name=f"Screen {about % 9}")
        case "renew":
            return RenewToken(device_id=device_id)
        case "revoke":
            return RevokeToken(device_id=device_id)
        case "remove":
            pools = (board.services, board.providers, board.queues, board.points, board.displays, board.kiosks)
            records = list(pools[about % 6]) or [an_id(9)]
            return Remove(record_id=records[about // 6 % len(records)])
        case "issue":
            return IssueTicket(
                queue_id=queue_id,
                provider_id=named,
                needs=needs,
                overrule=about % 11 == 0,
                priority=PRIORITIES[about % 7 % 4],
                party_size=1 + about % 3,
                language=("en", None)[about % 2],
                name=(None, "Ada Lovelace", "Grace")[about % 3],
                phone=(None, "+49 30 1234567")[about % 2],
                name_on_display=about % 4 == 0,
                second_ticket=True,
            )
        case "call":
            return CallNext(point_id=point_id)
        case "recall":
            return Recall(entry_id=entry_id)
        case "start":
            return Start(entry_id=entry_id)
        case "complete":
            return Complete(entry_id=entry_id)
        case "no-show":
            return NoShow(entry_id=entry_id)
        case "transfer":
            return Transfer(entry_id=entry_id, queue_id=queue_id, provider_id=named)
        case "call-one":
            return Call(entry_id=entry_id, point_id=point_id)
        case "hold":
            return Hold(entry_id=entry_id)
        case "return":
            return Return(entry_id=entry_id)
        case "leave":
            return Leave(entry_id=entry_id)
        case "cancel":
            return Cancel(entry_id=entry_id, reason="asked for")
        case "reprioritise":
            return Reprioritise(entry_id=entry_id, priority=PRIORITIES[about // 3 % 4])
        case "move":
            behind = pool[about // 11 % len(pool)]
            return Move(entry_id=entry_id, behind_entry_id=(behind, None)[about % 3 == 0], reason="frail")
        case "running-late" | "here-again":
            return RunningLate(entry_id=entry_id, minutes=0 if action == "here-again" else 1 + about % 60)
        case "undo":
            return Undo(entry_id=entry_id)
        case "reopen":
            return Reopen(entry_id=entry_id)
        case "open-point":
            return OpenPoint(point_id=point_id)
        case "break-point":
            return BreakPoint(point_id=point_id)
        case "close-point":
            return ClosePoint(point_id=point_id)
        case "open-queue":
            return OpenQueue(queue_id=queue_id)
        case "pause-queue":
            return PauseQueue(queue_id=queue_id)
        case "message":
            return BroadcastMessage(site_id=SITE_ID, message=(None, "Fire drill at noon")[about % 2])
        case "close-day":
            return CloseDay(site_id=SITE_ID, reason="evening")
        case "add-queue":
            return AddQueue(site_id=SITE_ID, name=f"Queue {about % 20}", prefix="ABC"[about % 3])
        case "add-point":
            chosen = {queue_id, queues[about // 7 % len(queues)]}
            return AddPoint(site_id=SITE_ID, name=f"Point {about % 20}", queue_ids=tuple(sorted(chosen)))
        case "add-display":
            return AddDisplay(site_id=SITE_ID, name=f"Display {about % 20}")
    return Tick(site_id=SITE_ID)


def perform(world: World, step: Step) -> list[Recorded]:
    """Do one step; return its events, none if it was refused."""
    action, about, pause = step
    begun = len(world.log)
    if action == "night":
        pause = 20 * HOUR
    with suppress(Refused, NotFound):
        world.do(command_of(world, action, about), pause)
    return world.log[begun:]


# Following the log


def facts(board: Board) -> dict[str, Any]:
    """Return all facts of a board, to compare two boards."""
    return {
        "site": board.site,
        "records": {row_key(record): record for record in board.records()},
        "waiting": {queue_id: board.waiting(queue_id) for queue_id in board.queues},
        "lanes": dict(board.lanes()),
        "absent": board.absent(),
        "guests": {point_id: board.entry_at(point_id) for point_id in board.points},
        "tickets": board._ticket,
        "latest": {visit_id: board.latest_entry(visit_id) for visit_id in board.visits},
        "announcements": sorted(record.id for record in board.records() if isinstance(record, Announcement)),
    }


class Follower:
    """A process that follows the log alone: it keeps a board, and updates the touched cells of its views."""

    def __init__(self, site: Site, apply: Apply = apply) -> None:
        self.board = Board(site)
        self._apply = apply
        self.views: dict[str, tuple[View, dict[str, Cell]]] = {}
        for view in (DeskView(open_sealed), DisplayView()):
            self.watch(view)

    def watch(self, view: View) -> None:
        """Start to keep the cells of a view."""
        self.views.setdefault(view.name, (view, draw(view, self.board)))

    def hear(self, events: Iterable[Recorded]) -> None:
        """Apply events to the board, then update every touched cell."""
        changes = Changes()
        for event in events:
            self._apply(self.board, event, changes)
        for view, cells in self.views.values():
            for key in set(view.touched(self.board, changes.keys)):
                content = view.cell(self.board, key)
                if content is None:
                    cells.pop(key, None)
                else:
                    cells[key] = content

    def shown(self) -> dict[str, dict[str, Cell]]:
        """Return the cells of every view."""
        return {name: cells for name, (_, cells) in self.views.items()}


def drawn(follower: Follower, board: Board) -> dict[str, dict[str, Cell]]:
    """Return the cells of the follower's views, drawn fresh from a board."""
    return {name: draw(view, board) for name, (view, _) in follower.views.items()}


TICKETS_WATCHED = 5
DISPLAYS_WATCHED = 2


def follow(world: World, follower: Follower, events: Sequence[Recorded]) -> None:
    """Give events to a follower. Afterwards it also watches the first point and displays, and the first few tickets."""
    follower.hear(events)
    if not any(name.startswith("point:") for name in follower.views) and world.board.points:
        follower.watch(PointView(min(world.board.points), open_sealed))
    for display_id in sorted(world.board.displays)[:DISPLAYS_WATCHED]:
        follower.watch(DisplayView(display_id))
    for visit_id in sorted(world.board.visits)[:TICKETS_WATCHED]:
        if len(follower.views) < 5 + 2 * TICKETS_WATCHED:
            follower.watch(TicketView(visit_id))


def queue_of(world: World, index: int) -> Queue:
    """Return the world's ``index``-th queue."""
    return world.board.queues[sorted(world.board.queues)[index]]


# The loader for feeds


@dataclass(frozen=True)
class Head:
    """The last number of a log, and its epoch."""

    seq: int
    epoch: str


class LogLoader:
    """A replacement of `server.queries.boards.Boards` that reads worlds in memory, and counts its calls.

    While ``gate`` is not set, `board` and `heads` do not return. If ``error`` is set, every call raises it.
    """

    def __init__(self, *worlds: World) -> None:
        self.worlds = {world.board.site.id: world for world in worlds}
        self.boards_read = 0
        self.logs_read = 0
        self.heads_read = 0
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def board(self, site_id: int) -> Board:
        """Read the present board, and return it when the gate is open."""
        self.boards_read += 1
        board = self.worlds[site_id].loaded() if self.error is None else None
        await self.gate.wait()
        if self.error is not None or board is None:
            raise self.error or AssertionError("the error was reset while the board was read")
        return board

    async def since(self, site_id: int, seq: int) -> list[Recorded]:
        """Read the log after ``seq``."""
        self.logs_read += 1
        if self.error is not None:
            raise self.error
        return self.worlds[site_id].log[seq:]

    async def renew_epoch(self, site_id: int, epoch: str) -> None:
        """Give a site another epoch if its present one is ``epoch``."""
        if self.error is not None:
            raise self.error
        world = self.worlds[site_id]
        if world.board.site.epoch == epoch:
            world.renew(f"{epoch}+")

    async def heads(self, site_ids: Iterable[int]) -> dict[int, Head]:
        """Read the heads of logs."""
        self.heads_read += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return {site_id: head_of(self.worlds[site_id]) for site_id in site_ids if site_id in self.worlds}


def head_of(world: World) -> Head:
    """Return the head of a world's log."""
    return Head(world.board.site.seq, world.board.site.epoch)
