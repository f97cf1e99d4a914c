"""The one write path: load, decide, save and append to the log in one commit, then publish.

Every change of every site goes through `Executor.execute`: from the API, the demo, a worker or the clock.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson
import structlog

from server import phones
from server.domain.affected import affected
from server.domain.board import Board, Changes, apply
from server.domain.commands import (
    AddDisplay,
    AddKiosk,
    AmendAppointment,
    AmendVisit,
    Book,
    BookSeries,
    ChangeSite,
    CheckIn,
    Command,
    HoldSlot,
    ImportAppointments,
    ImportRow,
    IssueTicket,
    JoinQueue,
    ReachMilestone,
    RenewToken,
    ReportDevice,
    SetUp,
    Tick,
)
from server.domain.errors import CommandIdReused, InvalidField, Unavailable
from server.domain.events import (
    AppointmentBooked,
    DayTurned,
    Event,
    OfAppointment,
    Recorded,
    ServiceAdded,
    ServiceChanged,
    TicketIssued,
    VisitAmended,
    shown,
)
from server.domain.model import Appointment, Site, Visit, tickets
from server.domain.ranking import is_served, lane
from server.domain.rules import Patients, decide, overdue, series_times
from server.store import answers, boards, busy_cells, event_log, patients, planned_messages, sites
from server.store.calendar import SiteCalendar
from server.store.database import Conflict, Database, Transaction
from server.store.planned_messages import Told
from server.turns import Standing, Turns
from server.vault import Vault, new_token

logger = structlog.get_logger(__name__)

_SEALING = TicketIssued | VisitAmended | OfAppointment | ServiceAdded | ServiceChanged  # events with personal data
Publish = Callable[[int, str, Sequence[Recorded]], None]
Count = Callable[[Board, Sequence[Recorded]], None]
ATTEMPTS = 3
BOARDS_KEPT = 256
_STAFF = frozenset({"staff", "kiosk", "display"})
_GUESTS = frozenset({"key", "ticket", "appointment", "phone"})


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a command. ``repeated`` is true for a repeat: the command had been done, and nothing was done now."""

    body: dict[str, Any]
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class _Done:
    """The results of a transaction, to keep and publish after its commit."""

    board: Board
    recorded: list[Recorded]
    body: dict[str, Any]
    told: Told


class Executor:
    """Does commands on the sites of one database.

    Calls ``publish(site_id, epoch, events)`` after each commit and never before. It must not block or raise. ``count``
    gets the same events, with the site's board after them: it must not change the board. ``turns`` is the queue of the
    commands of each site.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        publish: Publish,
        count: Count = lambda *_: None,
        turns: Turns | None = None,
    ) -> None:
        self._database = database
        self._vault = vault
        self._publish = publish
        self._count = count
        self._boards: OrderedDict[int, Board] = OrderedDict()
        self._told: dict[int, Told] = {}  # only saves statements: rows of messages are unique
        self.turns = turns or Turns()

    @property
    def vault(self) -> Vault:
        """The keys of this installation."""
        return self._vault

    @property
    def site_ids(self) -> list[int]:
        """The sites whose commands this process did last, at most `BOARDS_KEPT`."""
        return list(self._boards)

    async def execute(
        self, command: Command, *, actor: str, command_id: str, may: Callable[[str], bool] = lambda _: True
    ) -> Answer:
        """Do ``command`` for ``actor`` (``staff:3``), at most once for each ``command_id`` of its site.

        ``may`` returns whether the actor may do a command of that name; undo needs this. A repeat with the same body
        gets the recorded answer. Raises `CommandIdReused` for another body, and `NotFound` or `Refused` when the command
        cannot be done; then nothing has changed. Raises `Busy` when too many commands wait at the site: nothing has changed
        either. After any other `Unavailable`, the command may have been done: a repeat tells.
        """
        fingerprint = self._fingerprint(command, actor)
        async with self.turns.turn(command.site_id, standing(command, actor)):
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    return await self._attempt(command, actor, command_id, fingerprint, may)
                except (Unavailable, Conflict) as error:
                    # A deadlock, a lost connection, or a stale board. Start again, with the look-up of the answer.
                    logger.warning("command failed", command=command.name_on_wire(), attempt=attempt, error=repr(error))
                    if attempt == ATTEMPTS:
                        raise Unavailable() from error
                    await asyncio.sleep(0.05 * attempt)
        raise AssertionError("unreachable")

    async def preview(self, command: Command, *, actor: str, may: Callable[[str], bool] = lambda _: True) -> dict[str, Any]:
        """Return the answer that `execute` would give now, without a token, marked ``preview``. Nothing changes.

        ``affects`` in it lists the people and screens that the command would affect: see `server.domain.affected`.

        Takes no lock. Raises the errors of `execute`, except `CommandIdReused`.
        """

        now = await self._database.now()
        async with self._database.read() as connection:
            return await connection.run_sync(self._preview, command, actor, may, now)

    def _preview(
        self, connection: Transaction, command: Command, actor: str, may: Callable[[str], bool], now: int
    ) -> dict[str, Any]:
        board = boards.of_site(connection, command.site_id)
        now = self._database.clock.at_site(command.site_id, now, board.site.last_event_at)
        calendar = SiteCalendar(connection, command.site_id, self._vault)
        recorded: list[Recorded] = []
        changes = Changes()
        command = _with_known_phones(command, board.site)

        def happen(events: Sequence[Event], who: str) -> None:
            for event in events:
                recorded.append(Recorded(board.site.seq + 1, now, who, self._sealed(event, {})))
                _apply(board, recorded[-1], changes, calendar)

        happen(overdue(board, now, calendar), "clock")
        before = Board(board.site, board.records())
        open_ones = Patients(self._vault.open_personal, lambda _: board.visits.values())
        happen(decide(board, command, now, "", may, open_ones, calendar), actor)
        affects = [asdict(each) for each in affected(before, board, now, changes)]
        return _answer(command, board, recorded, {}) | {"preview": True, "affects": affects}

    async def _attempt(
        self, command: Command, actor: str, command_id: str, fingerprint: str, may: Callable[[str], bool]
    ) -> Answer:
        try:
            done = await self._database.transact(
                lambda connection: self._do(connection, command, actor, command_id, fingerprint, may)
            )
        except (Unavailable, Conflict):
            self._boards.pop(command.site_id, None)  # the kept board may be stale: load it again
            raise
        if isinstance(done, Answer):
            return done
        self._keep(done.board, done.told)
        self._publish(command.site_id, done.board.site.epoch, done.recorded)
        self._count(done.board, done.recorded)
        return Answer(done.body)

    def _do(
        self,
        connection: Transaction,
        command: Command,
        actor: str,
        command_id: str,
        fingerprint: str,
        may: Callable[[str], bool],
    ) -> Answer | _Done:
        """Do the work of one transaction; for a repeat, return the recorded answer."""
        site_id = command.site_id
        site, now, link = sites.lock(connection, site_id, self._database.clock, embedded=self._database.embedded)
        earlier = answers.find(connection, site_id, command_id)
        if earlier is not None:
            if earlier.body_hash != fingerprint:
                raise CommandIdReused()
            return Answer(orjson.loads(self._vault.open(earlier.answer, f"answer:{site_id}")), repeated=True)
        board = self._boards[site_id] = self._board(connection, site)
        command = _with_known_phones(command, site)
        calendar = SiteCalendar(connection, site_id, self._vault)
        token = _token_for(command)
        token_hash = calendar.token_hash(token) if token else ""
        changes = Changes()
        recorded: list[Recorded] = []
        found_by: dict[int, list[patients.SearchRow]] = {}
        amended: list[int] = []

        def happen(events: Sequence[Event], actor: str) -> None:
            # From here on the board is ahead of the commit, so no other command may use it until then.
            self._boards.pop(site_id, None)
            for event in events:
                if isinstance(event, TicketIssued | VisitAmended) and event.personal is not None:
                    found_by[event.visit_id] = patients.rows(self._vault, board.site, event.visit_id, event.personal)
                    if isinstance(event, VisitAmended):
                        amended.append(event.visit_id)
                recorded.append(Recorded(board.site.seq + 1, now, actor, self._sealed(event, calendar.tokens)))
                _apply(board, recorded[-1], changes, calendar)

        if now >= site.next_tick_at and not isinstance(command, Tick) and (due := overdue(board, now, calendar)):
            happen(due, "clock")

        def namesakes(name: str) -> list[Visit]:
            ids = patients.of_name(connection, self._vault, board.site, name)
            return [board.visits[visit_id] for visit_id in ids if visit_id in board.visits]

        known = Patients(self._vault.open_personal, namesakes)
        happen(decide(board, command, now, token_hash, may, known, calendar), actor)
        body = _answer(command, board, recorded, calendar.tokens)
        rows = event_log.chained(self._vault, site_id, link.chain, command_id, recorded)
        after = sites.linked(self._vault, site, link, board.site, rows[-1]["hash"])
        boards.save(connection, site, board, changes, actor, after)
        busy_cells.save(connection, changes, now)
        happened = [each.event for each in recorded]
        told = self._told.get(site_id, frozenset())
        told = planned_messages.save(connection, site, board, happened, changes, calendar, self._vault, now, told)
        if any(isinstance(each.event, DayTurned) for each in recorded):
            today = board.site
            begin = tickets.begin_of(today.business_day, today.time_zone, today.day_turns_at_minutes)
            busy_cells.forget_past(connection, site_id, begin)
        event_log.append(connection, recorded, rows)
        patients.forget(connection, amended)
        patients.remember(connection, [row for rows in found_by.values() for row in rows])
        sealed = self._vault.seal(orjson.dumps(body), f"answer:{site_id}")
        answers.record(connection, site_id, command_id, fingerprint, sealed, now)
        return _Done(board, recorded, body, told)

    def _fingerprint(self, command: Command, actor: str) -> str:
        """Return the keyed hash of the command and its actor: a repeat has the same, anything else another.

        The database stores it, and the command can hold personal data: without the key, nobody can guess names from it.
        """
        body = {"command": command.name_on_wire(), "actor": actor, **asdict(command)}  # type: ignore[call-overload]
        return self._vault.keyed_hash(f"command:{orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode()}")

    def _sealed(self, event: Event, tokens: Mapping[str, str]) -> Event:
        """Return the event with its personal data encrypted. No later step sees it in clear.

        ``tokens`` are the tokens of this command by their hash: a patient's token is sealed with the patient's data.
        """
        if isinstance(event, OfAppointment) and event.personal is None:
            return self._resealed(event)
        if not isinstance(event, _SEALING) or event.personal is None:
            return event
        token = tokens.get(event.token_hash) if isinstance(event, TicketIssued | OfAppointment) else None
        personal = event.personal if token is None else replace(event.personal, token=token)
        return replace(event, personal=None, sealed=self._vault.seal_personal(personal, event.seals_for))

    def _resealed(self, event: OfAppointment) -> Event:
        """Return an event with its patient's data sealed by the first key: a kept board may have an older ciphertext."""
        if event.sealed is None or event.sealed.startswith(f"{self._vault.first_key}."):
            return event
        personal = self._vault.open(event.sealed, event.seals_for)
        return replace(event, sealed=self._vault.seal(personal, event.seals_for))

    def _board(self, connection: Transaction, site: Site) -> Board:
        """Return the site's board at the locked row's ``seq``: the kept board, updated from the log, or a new one."""
        board = self._boards.get(site.id)
        if board is not None and board.site.epoch == site.epoch and board.site.seq <= site.seq:
            if board.site.seq < site.seq:
                for each in event_log.since(connection, site.id, board.site.seq):
                    apply(board, each, Changes())
            if board.site == site:
                return board
        return boards.load(connection, site)

    def _keep(self, board: Board, told: Told) -> None:
        self._boards[board.site.id] = board
        self._told[board.site.id] = told
        self._boards.move_to_end(board.site.id)
        while len(self._boards) > BOARDS_KEPT:
            site_id, _ = self._boards.popitem(last=False)
            self._told.pop(site_id, None)


def standing(command: Command, actor: str) -> Standing:
    """Return the standing of a command in the queue of its site.

    Kiosks and screens count as staff: a patient in front of a kiosk waits three seconds for the ticket. Other systems count
    as guests, because a program can send any number of commands. The server itself is any actor that no client can be.
    """
    kind = actor.partition(":")[0]
    if isinstance(command, ReportDevice | ReachMilestone) or kind not in _STAFF | _GUESTS:
        return Standing.SERVER
    return Standing.STAFF if kind in _STAFF else Standing.GUEST


def _with_known_phones(command: Command, site: Site) -> Command:
    """Return the command with its phone number as it is stored. Raises `InvalidField` for another text or region."""
    region = command.region if isinstance(command, ChangeSite) else None
    if isinstance(command, SetUp):
        region = command.blueprint.rules.region
    if region and region not in phones.REGIONS:
        raise InvalidField(field="region", problem=f"no phone numbers are known of the region {region}")
    if isinstance(command, IssueTicket | JoinQueue | AmendVisit | Book | BookSeries | AmendAppointment) and command.phone:
        return replace(command, phone=phones.read(command.phone, site))
    if isinstance(command, ImportAppointments):
        return replace(command, rows=tuple(_with_known_phone(row, site) for row in command.rows))
    return command


def _with_known_phone(row: ImportRow, site: Site) -> ImportRow:
    """Return a row with its phone number as it is stored, or marked: one unreadable number refuses its row alone."""
    try:
        return replace(row, phone=phones.read(row.phone, site)) if row.phone else row
    except InvalidField:
        return replace(row, phone=None, wrong=row.wrong or "phone")


def _token_for(command: Command) -> str | None:
    match command:
        case IssueTicket() | JoinQueue() | CheckIn():
            return new_token(command.site_id)
        case HoldSlot() | Book() | BookSeries():
            return new_token(command.site_id, "a")
        case AddDisplay() | AddKiosk() | RenewToken():
            return new_token(command.site_id, "d")
    return None


def _apply(board: Board, recorded: Recorded, changes: Changes, calendar: SiteCalendar) -> None:
    """Apply an event. An appointment of another day is on the board for it: its row changes from what was read."""
    if isinstance(recorded.event, OfAppointment):
        before = calendar.read.get(recorded.event.appointment_id)
        if before is not None and (Appointment, before.id) not in changes.records:
            board.lend(before)
    apply(board, recorded, changes)


def _answer(command: Command, board: Board, recorded: Sequence[Recorded], tokens: Mapping[str, str]) -> dict[str, Any]:
    """Return the answer for the caller: the log's number, the events, what they made, and its token.

    Appointments that the turn of the day brought or ended are left out: the caller may be a patient or a kiosk.
    """
    told = [each for each in recorded if each.actor != "clock" or not isinstance(each.event, OfAppointment)]
    answer: dict[str, Any] = {"seq": board.site.seq, "events": [shown(each) for each in told]}
    event = recorded[-1].event
    entry_id = getattr(event, "new_entry_id", None) or getattr(event, "entry_id", None)
    entry = board.entries.get(entry_id) if entry_id else None
    if entry is not None:
        answer["entry"] = {
            "id": entry.id,
            "visit_id": entry.visit_id,
            "label": board.visits[entry.visit_id].label,
            "state": entry.state,
            "queue_id": entry.queue_id,
            "point_id": entry.point_id,
            "served": is_served(board, lane(entry, board.visits[entry.visit_id])),
        }
    made = [each.event for each in recorded if isinstance(each.event, OfAppointment)]
    if isinstance(event, OfAppointment):
        answer["appointment"] = _summary(event.appointment)
    elif isinstance(event, TicketIssued) and event.appointment_id is not None:
        answer["appointment"] = _summary(board.appointments[event.appointment_id])
    if isinstance(command, BookSeries):
        booked = [each for each in made if isinstance(each, AppointmentBooked)]
        answer["appointments"] = [_summary(each.appointment) for each in booked]
        answer["tokens"] = [tokens[each.token_hash] for each in booked if each.token_hash in tokens]  # a preview makes none
        answer["skipped"] = sorted(set(series_times(command)) - {each.appointment.local_start for each in booked})
    token = tokens.get(getattr(event, "token_hash", None) or "")
    if token is not None:
        answer["token"] = token
    if isinstance(event, TicketIssued):
        from_, until = event.expect_from, event.expect_until
        answer["quote"] = {
            "ahead": event.quoted_ahead,
            "expect_from": None if from_ is None else from_ // 1000,
            "expect_until": None if until is None else until // 1000,
            "estimating": event.estimating,
        }
    return answer


def _summary(appointment: Appointment) -> dict[str, Any]:
    """Return what the answer of a command tells of an appointment. Instants are milliseconds."""
    return {
        "id": appointment.id,
        "version": appointment.version,
        "state": appointment.state,
        "service_id": appointment.service_id,
        "provider_id": appointment.provider_id,
        "local_start": appointment.local_start,
        "fold": appointment.fold,
        "starts_at": appointment.starts_at // 1000,
        "ends_at": appointment.ends_at // 1000,
        "minutes": appointment.minutes,
        "held_until": None if appointment.held_until is None else appointment.held_until // 1000,
    }
