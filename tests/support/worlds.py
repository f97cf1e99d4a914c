"""A clinic in memory, for tests without a database. It decides and applies commands, and keeps a log and rows.

`World` does the work of `server.execute` without I/O. Its rows equal the rows that `server.store.boards` saves. A board of
these rows is the reference for every follower of the log. `LogLoader` loads such boards for feeds.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

from hypothesis import strategies as st

from server.domain import free_time
from server.domain.board import Board, Changes, apply
from server.domain.calendar import NoCalendar
from server.domain.commands import (
    AcceptOffer,
    AddDisplay,
    AddException,
    AddKiosk,
    AddPoint,
    AddProvider,
    AddQueue,
    AddSchedule,
    AddService,
    AmendAppointment,
    AmendVisit,
    AnnounceDelay,
    AnswerHelp,
    AppointmentNoShow,
    Arrange,
    AskHelp,
    Book,
    BookForVisitor,
    BookSeries,
    BreakPoint,
    BroadcastMessage,
    Call,
    CallNext,
    Cancel,
    CancelAppointment,
    ChangeDisplay,
    ChangeKiosk,
    ChangePoint,
    ChangeProvider,
    ChangeQueue,
    ChangeSchedule,
    ChangeService,
    ChangeSite,
    CheckIn,
    ClearUnreached,
    CloseDay,
    ClosePoint,
    Command,
    Complete,
    Confirm,
    DeclineOffer,
    EndSchedule,
    EndTrial,
    HideChecklist,
    Hold,
    HoldForVisitor,
    HoldSlot,
    ImportAppointments,
    ImportRow,
    IssueTicket,
    JoinQueue,
    Leave,
    LinkPractitioner,
    Move,
    MoveAppointments,
    NoShow,
    NoteMessage,
    NoteOutage,
    OpenPoint,
    OpenQueue,
    PauseQueue,
    ReachMilestone,
    ReassignProvider,
    Recall,
    ReleaseSlot,
    Remove,
    RemoveException,
    RenameDevice,
    RenewToken,
    Reopen,
    ReportDevice,
    Reprioritise,
    Reschedule,
    Return,
    RevokeToken,
    Rezone,
    RunningLate,
    StaffPoint,
    Start,
    SwapPoints,
    Tick,
    Transfer,
    Undo,
    WantEarlier,
    WithdrawDelay,
)
from server.domain.commands.schedules import Stranded
from server.domain.errors import NowServingError
from server.domain.events import Event, OfAppointment, Recorded, ServiceAdded, ServiceChanged, TicketIssued, VisitAmended
from server.domain.free_time import Wanted
from server.domain.messages import Kind
from server.domain.model import (
    TAKING,
    Announcement,
    Appointment,
    AppointmentState,
    BusyCell,
    Counter,
    Entity,
    Entry,
    Milestone,
    Need,
    Personal,
    Priority,
    Problem,
    Queue,
    Rules,
    Schedule,
    ScheduleException,
    Service,
    Site,
    State,
    Visit,
    cells_of,
    local_time,
)
from server.domain.model.ids import IDS_PER_SITE
from server.domain.model.tickets import next_turn
from server.domain.rules import Patients, decide, overdue
from server.domain.rules.messages import PlannedMessage, waiting
from server.domain.views import Cell, ConfigurationView, DeskView, DisplayView, KioskView, PointView, TicketView, View, draw
from server.domain.watching import Watch
from server.transport.http.bodies import on_wire

SITE_ID = 7
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = "2024-03-29"
START = 1_711_695_600_000_000  # 2024-03-29 08:00 in Berlin, two days before summer time begins
# Of the site's clock around `DAY`: summer time begins on 2024-03-31 at 01:00 UTC.
OFFSETS = [{"since": 1_711_508_400_000, "minutes": 60}, {"since": 1_711_846_800_000, "minutes": 120}]
PRIORITIES: tuple[Priority, ...] = ("standard", "assisted", "urgent", "emergency")
SEALING = TicketIssued | VisitAmended | OfAppointment | ServiceAdded | ServiceChanged  # events with personal data
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


def open_sealed(record: Visit | Appointment | Service) -> Personal:
    """Return the personal data that `seal` got. Assert that it was sealed for this record."""
    if record.sealed is None:
        return Personal()
    bound_to, personal = json.loads(base64.b64decode(record.sealed))
    assert bound_to == f"{type(record).__name__.lower()}:{record.id}"
    return Personal(**personal)


def row_key(record: Entity) -> tuple[type[Entity], object]:
    """Return the primary key of a record's row."""
    return type(record), (record.prefix, record.business_day) if isinstance(record, Counter) else record.id


class RowCalendar(NoCalendar):
    """The calendar of one site in memory, read from its rows: `server.store.calendar` without a database."""

    def __init__(self, rows: Mapping[tuple[type[Entity], object], Entity]) -> None:
        self._rows = rows
        self._tokens = 0

    def all(self) -> list[Appointment]:
        """Return every appointment, in order."""
        found = [row for row in self._rows.values() if isinstance(row, Appointment)]
        return sorted(found, key=lambda each: (each.starts_at, each.id))

    def cells(self) -> list[BusyCell]:
        """Return the busy cells of all appointments. Assert that no two take the same time."""
        cells = [cell for each in self.all() for cell in cells_of(each)]
        lasting = [cell[:3] for cell in cells if cell.held_until is None]
        assert len(set(lasting)) == len(lasting)
        return cells

    def busy(self, resource_ids: Collection[int], from_cell: int, until_cell: int) -> list[BusyCell]:
        return [each for each in self.cells() if each.resource_id in resource_ids and from_cell <= each.cell < until_cell]

    def between(self, from_: int, until: int, provider_ids: Iterable[int] | None = None) -> list[Appointment]:
        wanted = None if provider_ids is None else set(provider_ids)
        span = [each for each in self.all() if from_ <= each.starts_at < until and each.state in TAKING]
        return [each for each in span if wanted is None or each.provider_id in wanted]

    def appointment(self, appointment_id: int) -> Appointment | None:
        return next((each for each in self.all() if each.id == appointment_id), None)

    def with_token(self, token_hash: str) -> Appointment | None:
        return next((each for each in self.all() if each.token_hash == token_hash), None)

    def of_phone(self, phone_hash: str, from_: int, until: int) -> list[Appointment]:
        span = self.between(from_, until)
        return [each for each in span if each.state == "booked" and each.phone_hash == phone_hash]

    def holds(self, held_by: str, held_from: str, now: int) -> list[Appointment]:
        mine = [each for each in self.all() if held_by == each.held_by or held_from == each.held_from]
        return [each for each in mine if each.state == "held" and each.takes_time(now)]

    def wanting_earlier(self, provider_id: int, after: int) -> list[Appointment]:
        found = [each for each in self.all() if each.provider_id == provider_id and each.starts_at > after]
        wanting = [each for each in found if each.state == "booked" and each.earlier_since is not None]
        return sorted(wanting, key=lambda each: (each.earlier_since or 0, each.id))

    def of_foreign_ids(self, foreign_ids: Collection[str]) -> list[Appointment]:
        return [each for each in self.all() if each.foreign_id in foreign_ids]

    def offers_to(self, appointment_id: int) -> list[Appointment]:
        return [each for each in self.all() if each.offered_to == appointment_id]

    def offers_of(self, provider_id: int, starts_at: int) -> list[Appointment]:
        offers = [each for each in self.all() if each.offered_to is not None and each.starts_at == starts_at]
        return [each for each in offers if each.provider_id == provider_id]

    def outdated(self, zone: str, tz_version: str, now: int, limit: int, *, latest_first: bool = False) -> list[Appointment]:
        later = [each for each in self.all() if each.starts_at > now and each.takes_time(now)]
        found = [each for each in later if (each.zone, each.tz_version) != (zone, tz_version)]
        return (found[::-1] if latest_first else found)[:limit]

    def token_hash(self, token: str) -> str:
        return token

    def new_token_hash(self) -> str:
        self._tokens += 1
        return f"series-{self._tokens}"

    def phone_hash(self, phone: str) -> str:
        return f"phone:{phone}"

    def has_practitioner(self, practitioner_id: int) -> bool:
        return practitioner_id < IDS_PER_SITE

    def tz_version(self) -> str:
        return local_time.tz_version()


def _assert_past_days_are_final(changes: Changes, today: str) -> None:
    """Assert that no entry or visit of an earlier day changed, or came to be: the statistics keep the sums of such days."""
    for before, after in changes.records.values():
        if isinstance(after, Visit | Entry):
            first = before if isinstance(before, Visit | Entry) else after
            assert today <= first.business_day <= after.business_day


class World:
    """One site, its board, its log, and its rows."""

    def __init__(self, site: Site | None = None) -> None:
        self.first = site or a_site()
        self.board = Board(self.first)
        self.now = START
        self.log: list[Recorded] = []
        self.rows: dict[tuple[type[Entity], object], Entity] = {}
        self.calendar = RowCalendar(self.rows)

    def do(self, command: Command, after: int = SECOND, actor: str = "staff:1") -> list[Recorded]:
        """Do a command ``after`` this number of microseconds; return its events.

        If the business day has to turn by then, it turns first. Raises the refusals of `decide`.
        """
        self.now = max(self.now + after, self.board.site.last_event_at)
        begun, changes, today = len(self.log), Changes(), self.board.site.business_day
        try:
            if self.now >= self.board.site.next_tick_at and not isinstance(command, Tick):
                self._happen(overdue(self.board, self.now, self.calendar), "clock", changes)
            self._happen(
                decide(
                    self.board,
                    command,
                    self.now,
                    f"hash-{len(self.log)}",
                    patients=Patients(open_sealed, lambda _: self.board.visits.values()),
                    calendar=self.calendar,
                ),
                actor,
                changes,
            )
        finally:
            self._save(changes)
            _assert_past_days_are_final(changes, today)
        return self.log[begun:]

    def _happen(self, events: Sequence[Event], actor: str, changes: Changes) -> None:
        for event in events:
            if isinstance(event, SEALING) and event.personal is not None:
                event = replace(event, personal=None, sealed=seal(event.personal, event.seals_for))
            if isinstance(event, OfAppointment):
                before = self.rows.get((Appointment, event.appointment_id))
                if isinstance(before, Appointment) and (Appointment, before.id) not in changes.records:
                    self.board.lend(before)
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
        today = site.business_day
        rows = [
            row
            for row in self.rows.values()
            if getattr(row, "business_day", today) == today
            and not (isinstance(row, ScheduleException) and (row.removed_at or row.date < today))
            and not (isinstance(row, Schedule) and row.valid_until is not None and row.valid_until < today)
        ]
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
    *("issue",) * 8,
    "join",
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
    *("change-kiosk", "ask-help", "ask-help", "answer-help", "add-kiosk"),
    *("change-display", "report", "report", "report", "no-show", "no-show", "renew", "revoke"),
    *("remove", "remove", "open-point", "arrange", "milestone", "milestone", "hide", "end-trial", "swap"),
    *("add-schedule", "add-schedule", "add-schedule", "change-schedule", "end-schedule", "add-provider", "add-service"),
    *("add-exception", "add-exception", "remove-exception", "link"),
    *("change-site", "rezone", "rezone", "change-site", "rezone", "rezone"),
    *("book",) * 14,
    *("check-in",) * 8,
    *("hold-slot",) * 6,
    *("release-slot",) * 4,
    *("import", "import", "import"),
    *("series", "reschedule", "reschedule", "reschedule"),
    *("amend-appointment", "amend-appointment", "cancel-appointment", "cancel-appointment"),
    *("appointment-no-show", "appointment-no-show", "move-appointments", "move-appointments"),
    *("want-earlier", "want-earlier", "accept-offer", "decline-offer"),
    *("delay", "delay", "delay", "on-time"),
    *("note-message",) * 6,
    *("clear-unreached",) * 3,
    *("note-outage",) * 2,
    *("confirm",) * 3,
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
BOOKING: dict[str, tuple[AppointmentState, ...]] = {
    "release-slot": ("held",),
    **dict.fromkeys(("want-earlier", "accept-offer", "decline-offer"), ("booked",)),
    "reschedule": ("booked",),
    "amend-appointment": ("booked",),
    "cancel-appointment": ("booked",),
    "check-in": ("booked", "no_show"),
    "appointment-no-show": ("booked",),
}


def wire_body(command: Command) -> dict[str, Any]:
    """Return the body of a request for this command."""
    values = asdict(command)  # type: ignore[call-overload]
    body: dict[str, Any] = {on_wire(name): value for name, value in values.items()}
    if body.get("names") is not None:
        body["names"] = dict(body["names"])
    return body


def almost_next(board: Board) -> list[PlannedMessage]:
    """Return the messages "almost your turn" that a site with this board would plan, if it sent messages."""
    site = replace(board.site, rules=replace(board.site.rules, message_ways=("sms",)))
    return waiting(Board(site, board.records()), site.last_event_at)


def command_of(world: World, action: str, about: int) -> Command:
    """Return the command of a step in this world. The world may refuse it."""
    if booking := booking_command_of(world, action, about) or command_about_message_of(world, action, about):
        return booking
    if action in ("note-outage", "confirm"):
        return command_about_outage_of(world, action, about)
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
    kiosks = list(board.kiosks) or [an_id(6)]
    kiosk_id = kiosks[about // 4 % len(kiosks)]
    present = [provider.id for provider in board.providers.values() if not provider.removed_at]
    named = present[about % len(present)] if present and about % 3 == 0 else None
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
                joining=("anywhere", "presence", "off")[about % 3],
                phone_when_joining=("none", "required")[about // 3 % 2],
                booking=("on", "off")[about % 4 == 0],
                check_in_from=(120, 1440)[about % 2],
                message_ways=((), ("sms", "email"))[about % 2],
                reminders=((), (24,), (2, 48))[about % 3],
                quiet_from=(1260, 0)[about % 2],
                quiet_until=(480, 0)[about % 3 == 0],
                feedback=("on", "off")[about % 3 == 0],
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
            return ReportDevice(
                device_id=devices[about // 3 % len(devices)],
                heard_by=f"p{about // 2 % 2}",
                connected=(True, True, False, None)[about // 2 % 4],
                muted=(None, True, False)[about % 3],
                version=(None, "1")[about // 7 % 2],
                lag=(None, 0, 10)[about % 3],
                printer=(None, "ready", "no_paper")[about // 5 % 3],
            )
        case "change-kiosk":
            return ChangeKiosk(
                kiosk_id=kiosk_id,
                queue_ids=((), (queue_id,), None)[about % 3],
                printing=(None, "browser", "escpos", "none")[about // 3 % 4],
                low=(None, True, False)[about % 3],
                check_in=(None, "off", "code", "birth")[about % 4],
                place=(None, "", "Main door")[about // 2 % 3],
            )
        case "ask-help":
            return AskHelp(kiosk_id=kiosk_id)
        case "answer-help":
            asking = [kiosk.id for kiosk in board.kiosks.values() if kiosk.calls_for_help and not kiosk.removed_at]
            return AnswerHelp(kiosk_id=(asking or [kiosk_id])[0], name="Maria")
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
        case "arrange":
            shelves = (board.services, board.providers, board.queues, board.points)
            kept = [each for each in shelves[about % 4] if not shelves[about % 4][each].removed_at] or [an_id(9)]
            return Arrange(site_id=SITE_ID, record_ids=tuple(kept[about // 4 % len(kept) :][::-1]))
        case "remove":
            pools = (board.services, board.providers, board.queues, board.points, board.displays, board.kiosks)
            records = list(pools[about % 6]) or [an_id(9)]
            return Remove(record_id=records[about // 6 % len(records)])
        case "milestone":
            milestones = get_args(Milestone)
            return ReachMilestone(site_id=SITE_ID, milestone=milestones[about % len(milestones)])
        case "hide":
            return HideChecklist(site_id=SITE_ID)
        case "end-trial":
            return EndTrial(site_id=SITE_ID)
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
                phone=(None, "+49301234567")[about % 2],
                name_on_display=about % 4 == 0,
                second_ticket=True,
                trial=about % 13 == 0,
            )
        case "join":
            return JoinQueue(queue_id=queue_id, joined_from=f"phone {about % 7}", present=True, phone="+49301234567")
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
        case "delay":
            return AnnounceDelay(site_id=SITE_ID, minutes=5 + about % 236)
        case "on-time":
            return WithdrawDelay(site_id=SITE_ID)
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


def local_date(world: World, days: int = 0) -> str:
    """Return the local date of a site, some days from now."""
    return local_time.local_of(world.now + days * 24 * HOUR, world.board.site.time_zone).local[:10]


def free_start(world: World, wanted: Wanted, about: int, days: int = 3) -> str:
    """Return the local time of a free start, mostly a soon one; without any, or now and then, of some start."""
    found = free_time.slots(world.board, world.calendar, wanted, local_date(world), local_date(world, days), world.now, 60)
    if not found or about % 9 == 0:
        return f"{local_date(world, about % 3)}T{about % 24:02}:{about % 4 * 15:02}"
    return found[about // 3 % len(found) if about % 3 == 0 else about // 3 % min(len(found), 6)].local_start


def booking_command_of(world: World, action: str, about: int) -> Command | None:
    """Return the command of a step that concerns schedules or appointments, or None for other steps."""
    board, calendar = world.board, world.calendar
    providers = [each.id for each in board.providers.values() if not each.removed_at] or [an_id(5)]
    services = [each.id for each in board.services.values() if not each.removed_at] or [an_id(4)]
    provider_id, service_id = providers[about % len(providers)], services[about // 2 % len(services)]
    schedules, points = list(board.schedules) or [an_id(8)], list(board.points) or [an_id(2)]
    if about % 8 and board.schedules and action != "add-schedule":  # mostly a provider with hours, and one of its services
        scheduled = board.schedules[schedules[about % len(schedules)]]
        provider_id, service_id = scheduled.provider_id, scheduled.service_ids[-1]
    booked = [each for each in calendar.all() if each.state in BOOKING.get(action, ())]
    if about % 4:  # mostly one of today
        booked = [each for each in booked if each.business_day == board.site.business_day] or booked
    if action == "release-slot":
        booked = [each for each in booked if each.takes_time(world.now)] or booked
    chosen = booked[about // 3 % min(len(booked), 5)] if booked else None
    appointment_id = chosen.id if chosen is not None and about % 17 else an_id(3)
    version = chosen.version - (about % 13 == 0) if chosen is not None else 1
    wanted = Wanted(service_id=service_id, provider_id=(provider_id, None)[about % 2])
    phone = (None, "+49301234567", "+49307654321")[about % 3]
    overbook = "urgent" if about % 10 == 0 else None
    match action:
        case "add-schedule":
            return AddSchedule(
                site_id=SITE_ID,
                provider_id=provider_id,
                service_ids=tuple(sorted({service_id, services[0]})),
                weekday=(4 + about % 4) % 7,  # from the Friday on which each world begins
                from_=("00:00", "06:00", "09:00")[about // 3 % 3],
                until=("24:00", "18:30")[about // 2 % 2],
                slot_minutes=(15, 30, 20)[about // 4 % 3],
                valid_from="2024-03-01",
                capacity=(1, 3)[about % 5 == 0],
                point_id=points[about % len(points)] if about % 5 == 1 else None,
                buffer_minutes=(0, 5)[about % 4 == 1],
                notice_minutes=(0, 60)[about % 4 == 2],
            )
        case "change-schedule":
            return ChangeSchedule(
                schedule_id=schedules[about % len(schedules)],
                from_date=local_date(world, about % 2),
                until="17:00",
                slot_minutes=(15, 30)[about // 2 % 2],
                valid_until=(None, "", local_date(world, 5))[about // 5 % 3],
                point_id=(None, 0, points[about % len(points)])[about // 7 % 3],
                stranded=("cancel", "keep")[about // 3 % 2],
            )
        case "end-schedule":
            last_date = local_date(world, about % 3 - 1)
            stranded: Stranded = ("cancel", "keep")[about // 3 % 2]
            return EndSchedule(schedule_id=schedules[about % len(schedules)], last_date=last_date, stranded=stranded)
        case "add-exception":
            return AddException(
                site_id=SITE_ID,
                provider_id=(provider_id, None)[about % 6 == 0],
                date=local_date(world, about % 3),
                kind=("closed", "extra")[about % 2],
                from_="12:00",
                until=("13:00", "24:00")[about // 2 % 2],
                reason="training",
                service_ids=(service_id,),
                slot_minutes=15,
                stranded=("cancel", "keep")[about // 3 % 2],
            )
        case "remove-exception":
            exceptions = list(board.exceptions) or [an_id(8)]
            return RemoveException(exception_id=exceptions[about % len(exceptions)], stranded="cancel")
        case "link":
            practitioner_id = (None, 1, 2)[about % 3]
            return LinkPractitioner(provider_id=provider_id, practitioner_id=practitioner_id)
        case "rezone":
            return Rezone(site_id=SITE_ID)
        case "hold-slot":
            token = calendar.all()[-1].token_hash if about % 4 == 0 and calendar.all() else None
            local_start = free_start(world, wanted, about)
            if about % 2:
                return HoldSlot(
                    site_id=SITE_ID,
                    service_id=service_id,
                    provider_id=wanted.provider_id,
                    local_start=local_start,
                    hold_token=token,
                )
            return HoldForVisitor(
                site_id=SITE_ID,
                service_id=service_id,
                provider_id=wanted.provider_id,
                local_start=local_start,
                held_by=f"visitor {about % 3}",
                held_from=f"address {about % 2}",
            )
        case "release-slot":
            return ReleaseSlot(site_id=SITE_ID, hold_token=chosen.token_hash if chosen else "none")
        case "book":
            held = [each for each in calendar.all() if each.state == "held" and each.takes_time(world.now)]
            if held and about % 3 == 0:
                kept = held[about % len(held)]
                return Book(
                    site_id=SITE_ID,
                    service_id=kept.service_id,
                    local_start=kept.local_start,
                    fold=kept.fold,
                    hold_token=kept.token_hash,
                    name="Ada Lovelace",
                )
            return (Book, BookForVisitor)[about % 7 == 0](
                site_id=SITE_ID,
                service_id=service_id,
                provider_id=wanted.provider_id,
                local_start=free_start(world, wanted, about),
                minutes=(None, None, 45)[about % 3],
                name=("Ada Lovelace", "Grace")[about % 2],
                phone=phone,
                email="ada@example.org" if about % 7 == 0 else None,
                note=(None, "asks for a chair")[about % 2],
                needs=(NEEDS[about % 4],) if about % 5 == 0 else (),
                language=(None, "en")[about % 2],
                overbook=overbook if about % 7 else None,
                anyway=about % 4 == 0,
            )
        case "import":
            return ImportAppointments(
                site_id=SITE_ID,
                rows=tuple(
                    ImportRow(
                        number=row,
                        foreign_id=f"T-{about % 7 + row}",
                        service=str(service_id) if about % 9 else "unknown",
                        provider=str(provider_id) if (about + row) % 3 else None,
                        local_start=free_start(world, wanted, about + 3 * row),
                        minutes=(None, 30)[(about + row) % 2],
                        name=("Ada Lovelace", "Grace")[about % 2],
                        phone=phone,
                    )
                    for row in range(1, 2 + about % 3)
                ),
                anyway=about % 5 == 0,
            )
        case "series":
            return BookSeries(
                site_id=SITE_ID,
                service_id=service_id,
                provider_id=provider_id,
                local_start=free_start(world, replace(wanted, provider_id=provider_id), about),
                every_days=(7, 1)[about % 2],
                count=2 + about % 3,
                skip_taken=about % 4 != 0,
                name="Grace",
                phone=phone,
            )
        case "reschedule":
            keeps = about % 3 == 0
            to = replace(wanted, service_id=chosen.service_id if chosen else service_id)
            return Reschedule(
                appointment_id=appointment_id,
                version=max(1, version),
                local_start=free_start(world, to, about),
                provider_id=None if keeps else provider_id,
                minutes=(None, None, 20)[about // 2 % 3],
                overbook=overbook,
            )
        case "amend-appointment":
            return AmendAppointment(
                appointment_id=appointment_id,
                name=(None, "Nora Canary")[about % 2],
                phone=(None, "", "+49307654321")[about % 3],
                needs=((), (NEEDS[about % 4],), None)[about % 3],
                wants_earlier=(None, True, False)[about // 2 % 3],
            )
        case "cancel-appointment":
            reason = (None, "moved away")[about % 2]
            wished = [early for early, late in _pairs(booked, world.now) if late.wants_earlier]
            if wished and about % 2:  # mostly a time that a later patient asked for
                chosen = wished[about // 3 % len(wished)]
                appointment_id, version = chosen.id, chosen.version
            return CancelAppointment(appointment_id=appointment_id, version=max(1, version), reason=reason)
        case "check-in":
            queues = list(board.queues) or [an_id(1)]
            queue_id = queues[about // 2 % len(queues)] if about % 3 else None
            return CheckIn(appointment_id=appointment_id, queue_id=queue_id, anyway=about % 4 != 0)
        case "want-earlier":
            later = [late.id for _, late in _pairs(booked, world.now) if not late.wants_earlier]
            if later and about % 4:  # mostly one whose provider has an earlier appointment
                return WantEarlier(appointment_id=later[about // 3 % len(later)], wants=True)
            return WantEarlier(appointment_id=appointment_id, wants=about % 3 != 0)
        case "accept-offer" | "decline-offer":
            asked = [
                each.offered_to for each in calendar.all() if each.offered_to is not None and each.takes_time(world.now)
            ]
            kind = AcceptOffer if action == "accept-offer" else DeclineOffer
            return kind(appointment_id=asked[about % len(asked)] if asked else appointment_id)
        case "appointment-no-show":
            over = [each for each in calendar.all() if each.state == "booked" and each.starts_at <= world.now]
            return AppointmentNoShow(appointment_id=over[about % len(over)].id if over else appointment_id)
        case "move-appointments":
            coming = [each for each in calendar.all() if each.state == "booked" and each.starts_at > world.now]
            one = coming[about % len(coming)] if coming and about % 4 else None
            return MoveAppointments(
                provider_id=one.provider_id if one else provider_id,
                date=one.local_start[:10] if one else local_date(world, about % 3),
                reason="ill today",
                to_provider_id=(None, providers[about // 2 % len(providers)])[about % 3 == 0],
                unplaced=("keep", "cancel", "refuse")[about // 3 % 3],
            )
    return None


def command_about_message_of(world: World, action: str, about: int) -> Command | None:
    """Return the command of a step about a message that did not reach its patient, or None for any other step."""
    entries = [each for each in world.board.entries.values() if each.state in ("waiting", "called")]
    booked = [each for each in world.calendar.all() if each.state in ("booked", "cancelled") or each.offered_to]
    if action == "clear-unreached":
        of_appointments = [each.id for each in world.calendar.all() if each.unreached]
        marked = [each.id for each in world.board.entries.values() if each.unreached] + of_appointments
        marked = of_appointments if of_appointments and about % 2 else marked
        subject_id = marked[about % len(marked)] if marked and about % 7 else an_id(3)
        return ClearUnreached(subject_id=subject_id, told=about % 3 != 0)
    if action != "note-message":
        return None
    problem: Problem | None = (None, "address", "undelivered", "perhaps", "no-address", "too-late")[about % 6]
    at = world.now - (about % 2) * MINUTE
    kind: Kind
    if entries and (about % 3 or not booked):
        entry = entries[about // 3 % len(entries)]
        kind = "called" if entry.state == "called" else "almost-your-turn"
        return NoteMessage(subject_id=entry.id, version=entry.calls, kind=kind, way="sms", problem=problem, at=at)
    if not booked:
        return NoteMessage(subject_id=an_id(3), version=1, kind="booked", way="sms", problem=problem, at=at)
    one = booked[about // 3 % len(booked)]
    kinds: tuple[Kind, ...] = ("booked", "moved", "reminder")
    kind = "freed-time" if one.offered_to else "cancelled" if one.state == "cancelled" else kinds[about // 5 % 3]
    return NoteMessage(subject_id=one.id, version=one.version, kind=kind, way="email", problem=problem, at=at)


def command_about_outage_of(world: World, action: str, about: int) -> Command:
    """Return the command of a step about calls and services from before an outage."""
    if action == "note-outage":  # the servers start so many minutes from now on: else no call would be old enough
        until = world.now + (about % 20) * MINUTE
        return NoteOutage(site_id=SITE_ID, offline_from=world.now, offline_until=until)
    doubtful = [each.id for each in world.board.entries.values() if each.open_doubt] or list(world.board.entries)
    return Confirm(entry_id=doubtful[about % len(doubtful)] if doubtful and about % 7 else an_id(3))


def _pairs(booked: list[Appointment], now: int) -> list[tuple[Appointment, Appointment]]:
    """Return pairs of an appointment and a later one that its time fits, with the same provider: it may be offered."""
    coming = [each for each in booked if each.starts_at > now + 2 * HOUR and each.overbooked is None]
    return [
        (early, late)
        for early in coming
        for late in coming
        if early.starts_at < late.starts_at and early.provider_id == late.provider_id and late.minutes <= early.minutes
    ]


def perform(world: World, step: Step) -> list[Recorded]:
    """Do one step; return its events, none if it was refused."""
    action, about, pause = step
    begun = len(world.log)
    if action == "night":
        pause = 20 * HOUR
    with suppress(NowServingError):
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
        for view in (DeskView(open_sealed), ConfigurationView(open_sealed), DisplayView()):
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
KIOSKS_WATCHED = 2


def follow(world: World, follower: Follower, events: Sequence[Recorded]) -> None:
    """Give events to a follower. Afterwards it also watches the first point and devices, and the first few tickets."""
    follower.hear(events)
    if not any(name.startswith("point:") for name in follower.views) and world.board.points:
        follower.watch(PointView(min(world.board.points), open_sealed))
    for display_id in sorted(world.board.displays)[:DISPLAYS_WATCHED]:
        follower.watch(DisplayView(display_id))
    for kiosk_id in sorted(world.board.kiosks)[:KIOSKS_WATCHED]:
        follower.watch(KioskView(kiosk_id))
    for visit_id in sorted(world.board.visits)[:TICKETS_WATCHED]:
        if len(follower.views) < 7 + 2 * TICKETS_WATCHED:
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

    While ``gate`` is not set, `board`, `appointments` and `heads` do not return. If ``error`` is set, every call raises it.
    """

    def __init__(self, *worlds: World) -> None:
        self.worlds = {world.board.site.id: world for world in worlds}
        self.boards_read = 0
        self.appointments_read = 0
        self.logs_read = 0
        self.heads_read = 0
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def board(self, site_id: int, watched: Collection[Watch] = ()) -> Board:
        """Read the present board, and return it when the gate is open."""
        self.boards_read += 1
        board = self.worlds[site_id].loaded() if self.error is None else None
        appointments = self._watched(site_id, watched)[1] if watched else ()
        await self.gate.wait()
        if self.error is not None or board is None:
            raise self.error or AssertionError("the error was reset while the board was read")
        for each in appointments:
            board.lend(each)
        return board

    async def appointments(self, site_id: int, watched: Collection[Watch]) -> tuple[Head, list[Appointment]]:
        """Read the present rows of watched appointments, and return them when the gate is open."""
        self.appointments_read += 1
        found = self._watched(site_id, watched)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return found

    def _watched(self, site_id: int, watched: Collection[Watch]) -> tuple[Head, list[Appointment]]:
        world = self.worlds[site_id]
        rows = [row for row in world.rows.values() if isinstance(row, Appointment)]
        return head_of(world), [row for row in rows if any(watch.covers(row) for watch in watched)]

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
