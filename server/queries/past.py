"""The time machine: a screen of a site as it was at any instant, from the log.

A past board is the nearest earlier checkpoint and the events after it. Its cells come from the functions that draw the live
screens, so they equal those that a follower had at the same number of the log. The names in them are those that the log
still has: retention deletes them there.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from server.domain.board import Board, Changes, apply
from server.domain.errors import DateNotKept, DayTooLarge, DeviceNotFound, NothingRecorded, PastNotPrepared, PointNotFound
from server.domain.events import (
    AppointmentMoved,
    AppointmentRezoned,
    DayTurned,
    OfAppointment,
    Recorded,
    SiteChanged,
    TicketIssued,
    WaitsExplained,
    WaitsQuoted,
)
from server.domain.model import Appointment, Personal, Service, Site, Visit, local_time
from server.domain.model.tickets import begin_of
from server.domain.roles import Onlooker
from server.domain.views import CalendarView, Cell, DeskView, DisplayView, KioskView, OpenSealed, PointView, View, draw
from server.domain.watching import Dates
from server.domain.what_if import Changed, Compared
from server.queries.reader import Reader
from server.queries.replaying import before_the_first_event
from server.queries.what_if import EventRow, Replays
from server.store import checkpoints, event_log, sites
from server.store.checkpoints import Checkpoint
from server.store.database import Database
from server.store.tables import appointments, events
from server.vault import Vault

MayGoOn = Callable[[], Awaitable[bool]]

MOST_REPLAYED = 60_000  # events for one answer; housekeeping prepares more of them
MOST_OF_DAY = 30_000  # events of a day that is replayed with changes
MOST_SCANNED = 200_000  # events after a past calendar among which its moved appointments are looked for
MOST_QUOTES = 10_000  # events with quotes and words on such a day, at most: the clock quotes twice a minute
MOST_PATIENTS = 600  # of such a day
_FARTHEST_ZONE = 26 * 3_600_000_000  # microseconds between the same local times of two zones, at most
BATCH = 100  # events between two pauses, in which the process serves other requests
BEFORE = 10  # events that the answer lists before the instant
KEPT_EVERY = 500  # events; a step back in the same day then needs a part of the day only
BOARDS_KEPT = 24
KEPT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Screen:
    """A screen of a site: ``kind`` is `desk`, `calendar`, `display`, `kiosk` or `point`.

    A display without an id shows all calls. A calendar shows ``days`` days from ``date`` on; without a date, from the
    local date of the instant on.
    """

    kind: str
    id: int | None = None
    name: str = ""
    date: str | None = None
    days: int = 1


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of the log. ``label`` is the ticket that it is about. ``at`` in microseconds."""

    seq: int
    at: int
    type: str
    label: str | None


@dataclass(frozen=True, slots=True)
class Followed:
    """An event, and the cells of the screen that it changed or removed."""

    happened: Happened
    set: Mapping[str, Cell]
    gone: Sequence[str]


@dataclass(frozen=True, slots=True)
class Moment:
    """A screen at a number of its site's log. Instants are microseconds.

    ``site`` is the site at that number: its business day began at ``begins_at``. ``last`` is the number of the last event
    of the whole log. ``screens`` are those of that moment.
    """

    site: Site
    begins_at: int
    last: int
    cells: Mapping[str, Cell]
    before: Sequence[Happened]
    following: Sequence[Followed]
    screens: Sequence[Screen]


class Past:
    """The past of the sites of one database. It keeps some boards for a short time: people step to and fro in one day."""

    def __init__(self, database: Reader, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._kept: OrderedDict[tuple[int, str, int], tuple[float, Board]] = OrderedDict()
        self._turn = asyncio.Lock()  # one replay at a time: other requests come first
        self._replays = Replays()

    async def moment(
        self,
        site_id: int,
        screen: Screen,
        *,
        at: int | None = None,
        number: int | None = None,
        following: int = 0,
        with_names: bool = False,
        before_change: bool = False,
    ) -> Moment:
        """Return a screen ``at`` an instant (microseconds) or at a number of the log, and so many events after it.

        ``before_change``: as it was before the last event up to then that changed this screen.

        Raises `SiteNotFound`, `NothingRecorded`, `PastNotPrepared`, `Unavailable`; `DeviceNotFound` or `PointNotFound` if
        the site did not have the screen then; `DateNotKept` for a calendar of an earlier day.
        """
        async with self._turn:
            if before_change:
                at, number = None, await self._before_change(site_id, screen, at, number, with_names=with_names)
            site, board = await self._board(site_id, at, number)
            opened = _Opened(self._vault, with_names=with_names)
            view = _view(board, screen, at, opened, with_names=with_names)
            async with self._database.read() as connection:
                coming = await connection.run_sync(_coming, site, board, view, opened, following)
                before = await connection.run_sync(_before, board, BEFORE)
            cells = draw(view, board)
            then, screens = board.site, _screens(board)
            begins_at = begin_of(then.business_day, then.time_zone, then.day_turns_at_minutes)
            followed = await _follow(board, view, dict(cells), coming)
        return Moment(then, begins_at, site.seq, cells, before, followed, screens)

    async def _before_change(
        self, site_id: int, screen: Screen, at: int | None, number: int | None, *, with_names: bool
    ) -> int:
        """Return the number before the last event up to a moment that changed a screen; 1 if there is none."""
        site, board = await self._board(site_id, at, number)
        opened = _Opened(self._vault, with_names=with_names)
        view = _view(board, screen, at, opened, with_names=with_names)
        until = board.site.seq
        while until > 1:
            begin = max(1, until - BATCH)
            _, board = await self._board(site_id, None, begin)
            async with self._database.read() as connection:
                coming = await connection.run_sync(_coming, site, board, view, opened, until - begin)
            followed = await _follow(board, view, dict(draw(view, board)), coming)
            for each in reversed(followed):
                if each.set or each.gone:
                    return max(1, each.happened.seq - 1)
            until = begin
        return 1

    async def board(self, site_id: int, *, at: int | None = None, number: int | None = None) -> Board:
        """Return the board of a past instant or number. Its sealed data are marks. Raises as `moment` does."""
        async with self._turn:
            return (await self._board(site_id, at, number))[1]

    async def what_if(self, site_id: int, business_day: str, changed: Changed) -> Compared:
        """Return the waits of a business day, of its replay without a change, and of its replay with changes.

        Raises `SiteNotFound`, `NothingRecorded`, `PastNotPrepared`, `DayTooLarge`, `ReplayBusy`, `ReplayTooLong`,
        `Unavailable`.
        """
        async with self._turn:
            begin, ends_at = await self._day(site_id, business_day)
        return await self._replays.compared(begin, self._log_of(begin, business_day), ends_at, changed)

    async def _day(self, site_id: int, business_day: str) -> tuple[Board, int]:
        """Return the board at the begin of a business day, and the day's end as far as it is known (microseconds)."""
        async with self._database.read() as connection:
            site = await connection.run_sync(sites.load, site_id)
            begin = begin_of(business_day, site.time_zone, site.day_turns_at_minutes)
            number = max(1, await connection.run_sync(_number_at, site, begin - 1))
            earlier = max(1, await connection.run_sync(_number_at, site, begin - _FARTHEST_ZONE))
        _, board = await self._board(site_id, None, number)
        if board.site.business_day == business_day and earlier < number:  # the site had another time zone then
            _, board = await self._board(site_id, None, earlier)
        if board.site.business_day > business_day:  # before the first day
            raise NothingRecorded()
        while board.site.business_day != business_day:
            async with self._database.read() as connection:
                batch = await connection.run_sync(event_log.marked_since, site_id, board.site.seq, BATCH)
            for each in batch:  # until the turn into this day
                apply(board, each, Changes())
                if board.site.business_day >= business_day:
                    break
            if not batch or board.site.business_day > business_day:  # the site had no such day
                raise NothingRecorded()
        async with self._database.read() as connection:
            turned = await connection.run_sync(_turned_after, site_id, board.site.seq, MOST_OF_DAY + MOST_QUOTES)
        return board, max(site.last_event_at, begin) + 1 if turned is None else turned

    async def _log_of(self, begin: Board, business_day: str) -> AsyncIterator[list[EventRow]]:
        """Yield the events of a day in batches, without personal data. Raises `DayTooLarge`."""
        site_id, seq = begin.site.id, begin.site.seq
        count = patients = 0
        while True:
            async with self._database.read() as connection:
                batch = await connection.run_sync(_rows_since, site_id, seq, BATCH)
            rows: list[EventRow] = []
            for row in batch:
                if row.type == _TURN:
                    yield rows
                    return
                rows.append((row.at, row.type, row.body))
                seq = row.seq
                patients += row.type == _ISSUED
            count += len(rows)
            if count > MOST_OF_DAY or patients > MOST_PATIENTS:
                raise DayTooLarge(most=MOST_PATIENTS)
            if not rows:
                return
            yield rows

    async def _board(self, site_id: int, at: int | None, number: int | None) -> tuple[Site, Board]:
        async with self._database.read() as connection:
            site = await connection.run_sync(sites.load, site_id)
            if number is None:
                number = await connection.run_sync(_number_at, site, at or 0)
            if not 1 <= number <= site.seq:
                raise NothingRecorded()
            board = self._recall(site, number)
            if board is None or number - board.site.seq > KEPT_EVERY:
                stored = await connection.run_sync(_start, self._vault, site, number)
                if board is None or stored.site.seq > board.site.seq:
                    board = stored
        if number - board.site.seq > MOST_REPLAYED:
            raise PastNotPrepared()
        while board.site.seq < number:
            async with self._database.read() as connection:
                limit = min(BATCH, number - board.site.seq)
                batch = await connection.run_sync(event_log.marked_since, site_id, board.site.seq, limit)
            if not batch:
                raise NothingRecorded()  # the log has lost its end meanwhile
            for each in batch:
                apply(board, each, Changes())
                if each.seq % KEPT_EVERY == 0:
                    self._keep(site, board)
        self._keep(site, board)
        return site, board

    def _recall(self, site: Site, number: int) -> Board | None:
        """Return a copy of the nearest kept board up to a number, or None."""
        oldest = time.monotonic() - KEPT_SECONDS
        for key in [key for key, (kept_at, _) in self._kept.items() if kept_at < oldest]:
            del self._kept[key]
        mine = [key for key in self._kept if key[:2] == (site.id, site.epoch) and key[2] <= number]
        if not mine:
            return None
        return _copy(self._kept[max(mine, key=lambda key: key[2])][1])

    def _keep(self, site: Site, board: Board) -> None:
        key = (site.id, site.epoch, board.site.seq)
        if key not in self._kept:
            self._kept[key] = (time.monotonic(), _copy(board))
        while len(self._kept) > BOARDS_KEPT:
            self._kept.popitem(last=False)


async def prepare(
    database: Database, vault: Vault, site_id: int, pause_seconds: float = 0.0, may_go_on: MayGoOn | None = None
) -> int:
    """Save the checkpoints of the turns since the last one, and return how many.

    It stops when ``may_go_on``, which it asks after each one, says no. Raises `SiteNotFound`, `Unavailable`. It may be
    stopped at any point, and begins again at the last saved one.
    """
    async with database.read() as connection:
        site = await connection.run_sync(sites.load, site_id)
        found = await connection.run_sync(checkpoints.nearest, vault, site_id)
        board = found.board if found is not None else await connection.run_sync(_origin, site)
    saved = 0
    if found is None:
        await _save(database, vault, board, 0)
        saved += 1
    while board.site.business_day != site.business_day:
        async with database.read() as connection:
            batch = await connection.run_sync(event_log.marked_since, site_id, board.site.seq, BATCH)
        for each in batch:
            apply(board, each, Changes())
            if isinstance(each.event, DayTurned):
                await _save(database, vault, board, each.at)
                saved += 1
                if may_go_on is not None and not await may_go_on():
                    return saved
        if not batch:
            break
        await asyncio.sleep(pause_seconds)
    return saved


async def _save(database: Database, vault: Vault, board: Board, at: int) -> None:
    async with database.write() as connection:
        await checkpoints.put(connection, vault, board, at)


def _start(connection: Connection, vault: Vault, site: Site, number: int) -> Board:
    """Return the board from which to replay up to a number."""
    found: Checkpoint | None = checkpoints.nearest(connection, vault, site.id, seq=number)
    if found is not None:
        return checkpoints.with_display_names(connection, found.board)
    if number > MOST_REPLAYED:
        raise PastNotPrepared()
    return _origin(connection, site)


def _origin(connection: Connection, site: Site) -> Board:
    """Return a site as it was created, for one that is older than checkpoints.

    Its name, zone and rules are those of the first change of its settings, or of today if there was none.
    """
    first = event_log.since(connection, site.id, 0, 1)
    changed = (
        select(*(events.c[name] for name in ("seq", "at", "actor")), *event_log.EVENT)
        .where(events.c.site_id == site.id, events.c.type == SiteChanged.name_on_wire())
        .order_by(events.c.seq)
        .limit(1)
    )
    row = connection.execute(changed).one_or_none()
    told = None if row is None else event_log.event_of(row)
    if isinstance(told, SiteChanged):
        site = replace(
            site,
            name=told.name,
            time_zone=told.time_zone,
            language=told.language,
            day_turns_at_minutes=told.day_turns_at_minutes,
        )
    rules = told.rules if isinstance(told, SiteChanged) else site.rules
    begun = before_the_first_event(site, first[0].at if first else site.last_event_at)
    # A site from the time before the list of first steps has it hidden, without an event.
    hidden = site.milestones[:1] == ("checklist-hidden",)
    return Board(
        replace(
            begun,
            rules=rules,
            milestones=("checklist-hidden",) if hidden else (),
            late_minutes=0,
            late_since=None,
            late_number=0,
        )
    )


def _number_at(connection: Connection, site: Site, at: int) -> int:
    """Return the number of a site's last event at or before an instant; 0 if there is none."""
    if at >= site.last_event_at:
        return site.seq
    low, high = 0, site.seq
    while low < high:  # the instants of a log never decrease
        middle = (low + high + 1) // 2
        found = connection.scalar(select(events.c.at).where(events.c.site_id == site.id, events.c.seq == middle))
        if found is not None and found <= at:
            low = middle
        else:
            high = middle - 1
    return low


def _copy(board: Board) -> Board:
    return Board(board.site, board.records())


class _Opened:
    """Opens the sealed data of a past board, whose records have marks: an `OpenSealed`.

    Without names it opens the true names of services only.
    """

    def __init__(self, vault: Vault, *, with_names: bool) -> None:
        self.sealed: Mapping[int, str] = {}  # by the numbers of events
        self._vault = vault
        self._with_names = with_names
        self._known: dict[tuple[type[Any], int, str], Personal] = {}

    def __call__(self, record: Visit | Service | Appointment) -> Personal:
        if record.sealed is None or not (self._with_names or isinstance(record, Service)):
            return Personal()
        key = (type(record), record.id, record.sealed)
        if key not in self._known:
            sealed = self.sealed.get(checkpoints.seq_of(record.sealed))
            self._known[key] = self._vault.open_personal(replace(record, sealed=sealed))
        return self._known[key]


def _rows_since(connection: Connection, site_id: int, seq: int, limit: int) -> Sequence[Row[*tuple[Any, ...]]]:
    return connection.execute(_UNQUOTED, {"site_id": site_id, "seq": seq, "limit": limit}).all()


def _turned_after(connection: Connection, site_id: int, seq: int, most: int) -> int | None:
    """Return the instant of the next turn of the day among the next ``most`` events, or None."""
    return connection.scalar(_NEXT_TURN, {"site_id": site_id, "seq": seq, "until": seq + most})


_TURN, _ISSUED = (kind.name_on_wire() for kind in (DayTurned, TicketIssued))
_ABOUT_WAITS = [kind.name_on_wire() for kind in (WaitsQuoted, WaitsExplained)]
_OF_SITE = (events.c.site_id == bindparam("site_id"), events.c.seq > bindparam("seq"))
# Without quotes and their words: a replay has none, and a long line has thousands of them a day.
_UNQUOTED = (
    select(events.c.seq, events.c.at, events.c.type, events.c.body)
    .where(*_OF_SITE, events.c.type.not_in(_ABOUT_WAITS))
    .order_by(events.c.seq)
    .limit(bindparam("limit"))
)
_SITED = select(appointments.c.id).where(
    appointments.c.site_id == bindparam("site_id"), appointments.c.starts_at.between(bindparam("begin"), bindparam("until"))
)
_MOVES = (
    select(events.c.seq, *event_log.EVENT)
    .where(*_OF_SITE, events.c.seq <= bindparam("until"))
    .where(events.c.type.in_([kind.name_on_wire() for kind in (AppointmentMoved, AppointmentRezoned)]))
)
_NEXT_TURN = (
    select(events.c.at)
    .where(*_OF_SITE, events.c.seq <= bindparam("until"), events.c.type == _TURN)
    .order_by(events.c.seq)
    .limit(1)
)


def _view(board: Board, screen: Screen, at: int | None, open_sealed: OpenSealed, *, with_names: bool) -> View:
    """Return the view of a screen. Raises `DeviceNotFound`, `PointNotFound`, `DateNotKept`."""
    onlooker: Onlooker = "floor" if with_names else "staff"
    if screen.kind == "point":
        point = board.points.get(screen.id or 0)
        if point is None or point.removed_at:
            raise PointNotFound(point_id=screen.id)
        return PointView(point.id, open_sealed)
    if screen.kind == "display":
        display = board.displays.get(screen.id or 0)
        if screen.id is not None and (display is None or display.removed_at):
            raise DeviceNotFound(device_id=screen.id)
        return DisplayView(screen.id)
    if screen.kind == "kiosk":
        kiosk = board.kiosks.get(screen.id or 0)
        if kiosk is None or kiosk.removed_at:
            raise DeviceNotFound(device_id=screen.id)
        return KioskView(kiosk.id)
    if screen.kind == "calendar":
        here = local_time.local_of(board.site.last_event_at if at is None else at, board.site.time_zone).local[:10]
        date = screen.date or max(here, board.site.business_day)
        if date < board.site.business_day:
            raise DateNotKept(business_day=board.site.business_day)
        return CalendarView(date, screen.days, open_sealed, onlooker)
    return DeskView(open_sealed, onlooker)


def _coming(connection: Connection, site: Site, board: Board, view: View, opened: _Opened, limit: int) -> Sequence[Recorded]:
    """Return the next events after a board, which gets what its view reads besides: appointments and sealed data."""
    if isinstance(view, CalendarView):
        _lend_appointments(connection, site, board, view.watch)
    coming = event_log.marked_since(connection, site.id, board.site.seq, limit)
    if not isinstance(view, DisplayView | KioskView):  # they open nothing
        numbers = checkpoints.marks_of(board) | {each.seq for each in coming}
        opened.sealed = checkpoints.sealed_of(connection, site.id, numbers)
    return coming


def _lend_appointments(connection: Connection, site: Site, board: Board, watch: Dates) -> None:
    """Put the appointments of later days, as they were at the board's number, on a board, and let it keep them.

    Each event of an appointment has the whole appointment. Those that are in these days now, and those that were moved
    out of them later, may have been in them. Raises `PastNotPrepared` if very many events lie between.
    """
    board.watching = watch.covers
    begin, until = watch.instants()
    ids = set(connection.scalars(_SITED, {"site_id": site.id, "begin": begin, "until": until}))
    last = _number_at(connection, site, until)
    if last - board.site.seq > MOST_SCANNED:
        raise PastNotPrepared()
    moves = {"site_id": site.id, "seq": board.site.seq, "until": last}
    for row in connection.execute(_MOVES, moves):
        event = event_log.event_of(row)
        if isinstance(event, AppointmentMoved | AppointmentRezoned):
            ids.add(event.appointment_id)
    then = Board(board.site)
    then.watching = lambda _: True
    for recorded in event_log.marked_of_appointments(connection, site.id, ids - {*board.appointments}, board.site.seq):
        apply(then, replace(recorded, seq=then.site.seq + 1), Changes())
        event = recorded.event
        if isinstance(event, OfAppointment) and event.appointment_id in then.appointments:
            kept = then.appointments[event.appointment_id]
            then.appointments[event.appointment_id] = replace(kept, seq=recorded.seq)
    for appointment in then.appointments.values():
        if watch.covers(appointment):
            board.lend(appointment)


def _screens(board: Board) -> list[Screen]:
    displays = [Screen("display", each.id, each.name) for each in board.displays.values() if not each.removed_at]
    in_order = sorted(board.points.values(), key=lambda each: (each.position, each.id))
    points = [Screen("point", each.id, each.name) for each in in_order if not each.removed_at]
    kiosks = [Screen("kiosk", each.id, each.name) for each in board.kiosks.values() if not each.removed_at]
    return [Screen("desk"), Screen("calendar"), Screen("display"), *displays, *points, *kiosks]


async def _follow(board: Board, view: View, cells: dict[str, Cell], coming: Iterable[Recorded]) -> list[Followed]:
    """Apply events to a board; return each with the cells that it changed. ``cells`` are those before them."""
    found = []
    for index, each in enumerate(coming):
        if index % 10 == 9:
            await asyncio.sleep(0)
        changes = Changes()
        apply(board, each, changes)
        changed: dict[str, Cell] = {}
        gone: list[str] = []
        for key in sorted(set(view.touched(board, changes.keys))):
            content = view.cell(board, key)
            if content is None:
                if cells.pop(key, None) is not None:
                    gone.append(key)
            elif cells.get(key) != content:
                cells[key] = changed[key] = content
        found.append(Followed(_happened(board, each), changed, gone))
    return found


def _before(connection: Connection, board: Board, most: int) -> list[Happened]:
    """Return the last events of a board, in order."""
    last = board.site.seq
    found = event_log.marked_since(connection, board.site.id, max(0, last - most), min(most, last))
    return [_happened(board, each) for each in found]


def _happened(board: Board, recorded: Recorded) -> Happened:
    event = recorded.event
    entry = board.entries.get(getattr(event, "entry_id", 0))
    visit = board.visits.get(entry.visit_id if entry is not None else getattr(event, "visit_id", 0))
    return Happened(recorded.seq, recorded.at, event.name_on_wire(), None if visit is None else visit.label)
