"""The time machine: past screens from checkpoints and the log equal the screens that a follower had."""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_right
from collections import Counter
from dataclasses import asdict
from datetime import date, timedelta

import pytest
from sqlalchemy import delete, insert, select, update

from server.domain.board import Board, Changes, apply
from server.domain.commands import Hold, Undo
from server.domain.errors import DateNotKept, DayTooLarge, DeviceNotFound, NothingRecorded, PastNotPrepared, PointNotFound
from server.domain.events import DayTurned, SiteChanged, StepUndone, TicketIssued, TicketTransferred
from server.domain.model import Personal
from server.domain.model.local_time import MINUTE
from server.domain.model.tickets import business_day, next_turn
from server.domain.views import CalendarView, DeskView, draw
from server.domain.what_if import Changed
from server.housekeeping import keep_checkpoints
from server.queries import past
from server.queries.past import Past, Screen, prepare
from server.queries.replaying import replayed
from server.store import checkpoints, retention
from server.store.database import Database
from server.store.tables import appointments, events, sites
from server.store.tables import checkpoints as table
from server.vault import Vault
from tests.support.past_days import Watched, store
from tests.support.worlds import HOUR, SITE_ID, World, a_day, a_site, facts, open_sealed, small_clinic


def screen_of(name: str) -> tuple[Screen, bool]:
    """Return the screen of a view's name, and whether its reader sees names."""
    kind, _, identifier = name.partition(":")
    if name == "desk:staff":
        return Screen("desk"), False
    return Screen(kind, int(identifier) if identifier else None), True


def a_random_day(seed: int, size: int, world: World | None = None) -> Watched:
    watched = Watched(world or small_clinic())
    watched.hear()
    watched.live(a_day(seed, size // 2))
    world = watched.world
    entry = world.ticket(world.queue("Z"), overrule=True)
    world.do(Hold(entry_id=entry.id))
    world.do(Undo(entry_id=entry.id))
    watched.hear()
    watched.live(a_day(seed + 1000, size // 2))
    return watched


def random_days() -> Watched:
    """Return the first random world whose log has several turns of the day."""
    worlds = (a_random_day(seed, 300) for seed in range(3, 30))
    return next(each for each in worlds if sum(isinstance(one.event, DayTurned) for one in each.world.log) > 1)


@pytest.mark.parametrize(("seed", "times"), [(3, 1_000), (4, 100)])
async def test_screens_at_random_instants_equal_those_of_a_follower(
    database: Database, vault: Vault, seed: int, times: int
) -> None:
    """Across turns of the day, undone steps and changes of the settings, before and after the checkpoints are made."""
    watched = a_random_day(seed, 500)
    log = await store(database, vault, watched.world)
    kinds = {type(each.event) for each in log}
    assert {DayTurned, StepUndone, SiteChanged} <= kinds
    await equals_the_follower(Past(database, vault), watched, seed, times // 10)
    assert await prepare(database, vault, SITE_ID) == sum(isinstance(each.event, DayTurned) for each in log)
    await equals_the_follower(Past(database, vault), watched, seed + 100, times)


async def equals_the_follower(machine: Past, watched: Watched, seed: int, times: int) -> None:
    chance = random.Random(seed)
    log = watched.world.log
    instants = [each.at for each in log]
    seen: set[str] = set()
    for _ in range(times):
        at = chance.choice((chance.randrange(instants[0], instants[-1] + HOUR), chance.choice(instants)))
        number = bisect_right(instants, at)
        name = chance.choice(sorted(watched.shown[number]))
        if name == "configuration":
            continue
        screen, with_names = screen_of(name)
        following = chance.choice((0, 0, 7))
        try:
            moment = await machine.moment(SITE_ID, screen, at=at, with_names=with_names, following=following)
        except (DeviceNotFound, PointNotFound):
            assert f"{name}" not in {f"{each.kind}:{each.id}" for each in (await present(machine, at))}
            continue
        seen.add(name.partition(":")[0])
        assert moment.site.seq == number
        assert moment.cells == watched.shown[number][name]
        cells = dict(moment.cells)
        for each in moment.following:
            cells |= each.set
            for key in each.gone:
                del cells[key]
            assert cells == watched.shown[each.happened.seq][name]
        assert [each.seq for each in moment.before] == list(range(max(1, number - past.BEFORE + 1), number + 1))
    assert seen == {"desk", "display", "kiosk", "point"}


async def save_appointments(database: Database, board: Board) -> None:
    """Store the rows of all appointments, as a server keeps them."""
    async with database.write() as connection:
        for each in board.appointments.values():
            await connection.execute(insert(appointments).values(**asdict(each)))


@pytest.mark.parametrize("seed", [7, 8])
async def test_calendars_at_random_numbers_equal_those_of_a_follower(database: Database, vault: Vault, seed: int) -> None:
    """Of the present and of later days, with appointments that were moved, cancelled and checked in since then."""
    watched = a_random_day(seed, 500)
    log = await store(database, vault, watched.world)
    last = Board(watched.world.first)
    last.watching = lambda _: True
    replayed(last, watched.world.log)
    await save_appointments(database, last)
    await prepare(database, vault, SITE_ID)
    machine, chance, found = Past(database, vault), random.Random(seed), 0
    for _ in range(40):
        number = chance.randrange(1, log[-1].seq + 1)
        board = Board(watched.world.first)
        board.watching = lambda _: True
        replayed(board, watched.world.log, number)
        first = (date.fromisoformat(board.site.business_day) + timedelta(days=chance.randrange(4))).isoformat()
        days = chance.choice((1, 7))
        screen = Screen("calendar", date=first, days=days)
        moment = await machine.moment(SITE_ID, screen, number=number, with_names=True, following=5)
        expected = draw(CalendarView(first, days, open_sealed), board)
        assert moment.cells == expected, (number, first)
        found += sum(key.startswith("appointment:") for key in expected)
        cells = dict(moment.cells)
        for each in moment.following:
            cells |= each.set
            for key in each.gone:
                del cells[key]
        ahead = Board(watched.world.first)
        ahead.watching = lambda _: True
        replayed(ahead, watched.world.log, number + len(moment.following))
        assert cells == draw(CalendarView(first, days, open_sealed), ahead)
    assert found > 10


async def test_step_back_goes_before_the_last_change_of_the_screen(database: Database, vault: Vault) -> None:
    watched = a_random_day(3, 300)
    log = await store(database, vault, watched.world)
    machine, chance, steps = Past(database, vault), random.Random(1), Counter[int]()
    for _ in range(40):
        number = chance.randrange(2, log[-1].seq + 1)
        name = chance.choice(sorted(set(watched.shown[number]) - {"configuration"}))
        screen, with_names = screen_of(name)
        shown = watched.shown[number][name]
        try:
            moment = await machine.moment(SITE_ID, screen, number=number, with_names=with_names, before_change=True)
        except (DeviceNotFound, PointNotFound):  # it did not exist before, or does not any more
            continue
        earlier = (each for each in range(number - 1, 0, -1) if watched.shown[each].get(name, {}) != shown)
        assert moment.site.seq == next(earlier, 1)
        steps[number - moment.site.seq] += 1
    assert len(steps) > 2


async def test_calendar_of_an_earlier_day_is_refused(database: Database, vault: Vault) -> None:
    watched = random_days()
    log = await store(database, vault, watched.world)
    machine, last = Past(database, vault), log[-1].seq
    with pytest.raises(DateNotKept):
        await machine.moment(SITE_ID, Screen("calendar", date="2001-01-01"), number=last)
    moment = await machine.moment(SITE_ID, Screen("calendar"), at=log[-1].at)
    assert [key for key in moment.cells if key.startswith("day:")] == [f"day:{moment.site.business_day}"]
    with pytest.raises(DeviceNotFound):
        await machine.moment(SITE_ID, Screen("kiosk", 1), number=last)


async def present(machine: Past, at: int) -> list[Screen]:
    return list((await machine.moment(SITE_ID, Screen("desk"), at=at)).screens)


async def test_doubled_hour_has_two_instants(database: Database, vault: Vault) -> None:
    """On 25 October 2026 the clock of Berlin shows 02:30 twice. Each instant has its own screen."""
    first = 1_792_888_200_000_000  # 2026-10-25T02:30+02:00
    begin = first - 5 * MINUTE
    day = business_day(begin, "Europe/Berlin", 240)
    turn = next_turn(day, "Europe/Berlin", 240)
    site = a_site(business_day=day, turns_at=turn, next_tick_at=turn, quoted_at=begin, last_event_at=begin)
    world = World(site)
    world.now = begin
    queue_id = world.queue()
    world.ticket(queue_id, after=MINUTE)
    world.ticket(queue_id, after=HOUR)
    watched = Watched(world)
    watched.hear()
    await store(database, vault, world)
    machine = Past(database, vault)
    waiting = []
    for at in (first, first + HOUR):
        moment = await machine.moment(SITE_ID, Screen("desk"), at=at, with_names=True)
        assert moment.cells == watched.shown[moment.site.seq]["desk"]
        waiting.append(sum(key.startswith("entry:") for key in moment.cells))
    assert waiting == [1, 2]


async def test_restored_history_is_the_one_that_is_shown(database: Database, vault: Vault) -> None:
    """After a restore the log has other events under the same numbers: kept boards and checkpoints do not count."""
    watched = a_random_day(5, 150)
    log = await store(database, vault, watched.world)
    machine = Past(database, vault)
    await prepare(database, vault, SITE_ID)
    last = log[-1].seq
    before = await machine.moment(SITE_ID, Screen("desk"), number=last, with_names=True)
    assert before.cells == watched.shown[last]["desk"]
    other = a_random_day(6, 150)
    async with database.write() as connection:
        await connection.execute(delete(events))
        await connection.execute(delete(sites))
    other.world.renew("restored")
    async with database.write() as connection:
        await connection.exec_driver_sql("DELETE FROM organisations")
        await connection.execute(delete(table).where(table.c.seq == 0))
    await store(database, vault, other.world)
    for number in (1, len(other.world.log) // 2, len(other.world.log)):
        moment = await machine.moment(SITE_ID, Screen("desk"), number=number, with_names=True)
        assert moment.cells == other.shown[number]["desk"]


async def test_checkpoints_equal_the_log_and_hold_nothing_personal(database: Database, vault: Vault) -> None:
    watched = random_days()
    log = await store(database, vault, watched.world)
    assert await prepare(database, vault, SITE_ID) > 1
    assert await prepare(database, vault, SITE_ID) == 0
    async with database.read() as connection:
        rows = (await connection.execute(select(table).order_by(table.c.seq))).all()
    names = [open_sealed(each).name for each in watched.world.board.visits.values()]
    for row in rows:
        plain = vault.open(row.sealed, checkpoints.bound_to(row.site_id, row.seq, row.hash))
        board = checkpoints.decoded(plain)
        expected = replayed(Board(watched.world.first), watched.world.log, row.seq)
        assert board.site == expected.site
        assert {each.id for each in board.entries.values()} == set(expected.entries)
        again = checkpoints.decoded(checkpoints.encoded(board))
        assert facts(again) == facts(board)
        for name in filter(None, names):
            assert name.encode() not in plain
        for token in (each.token_hash for each in expected.visits.values()):
            assert token.encode() not in plain
    assert rows[-1].business_day == watched.world.board.site.business_day
    assert [row.seq for row in rows[1:]] == [each.seq for each in log if isinstance(each.event, DayTurned)]


async def test_housekeeping_saves_checkpoints_and_goes_on_where_it_stopped(database: Database, vault: Vault) -> None:
    watched = random_days()
    log = await store(database, vault, watched.world)
    turns = sum(isinstance(each.event, DayTurned) for each in log)
    assert turns > 1

    async def never() -> bool:
        return False

    assert await prepare(database, vault, SITE_ID, may_go_on=never) == 1
    task = asyncio.create_task(keep_checkpoints(database, vault, "process-1"))
    async with asyncio.timeout(30):
        while True:
            async with database.read() as connection:
                if not await checkpoints.unprepared(connection):
                    break
            await asyncio.sleep(0.02)
    task.cancel()
    async with database.read() as connection:
        assert len((await connection.execute(select(table))).all()) == 1 + turns


async def test_each_day_is_replayed_with_changes(database: Database, vault: Vault) -> None:
    """A day has the stages that began on it. A day that the site did not have is refused."""
    watched = random_days()
    log = await store(database, vault, watched.world)
    board, began = Board(watched.world.first), Counter[str]()
    for each in watched.world.log:
        apply(board, each, Changes())
        if isinstance(each.event, TicketIssued | TicketTransferred):
            began[board.site.business_day] += 1
    machine = Past(database, vault)
    assert len(began) > 1
    for day, stages in began.items():
        found = await machine.what_if(SITE_ID, day, Changed(rules={"head_start_urgent": 0}))
        if day != watched.world.first.business_day:  # the first event of the log is the start
            assert found.rows.real.called + found.rows.real.waiting == stages
        assert found.rows.control.called + found.rows.control.waiting > 0
    for missing in ("2001-01-01", "2126-01-01"):
        with pytest.raises(NothingRecorded):
            await machine.what_if(SITE_ID, missing, Changed())
    assert log


async def test_day_with_very_many_patients_is_refused(
    database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = a_random_day(3, 100)
    await store(database, vault, watched.world)
    monkeypatch.setattr(past, "MOST_PATIENTS", 2)
    with pytest.raises(DayTooLarge):
        await Past(database, vault).what_if(SITE_ID, watched.world.first.business_day, Changed())


async def test_wrong_checkpoint_is_not_read(database: Database, vault: Vault) -> None:
    """A changed row, another history, and another layout: the log alone decides, and the row is made again."""
    watched = random_days()
    log = await store(database, vault, watched.world)
    await prepare(database, vault, SITE_ID)
    last = log[-1].seq
    for wrong in ({"sealed": "x" * 40}, {"hash": "0" * 64}, {"layout": checkpoints.LAYOUT - 1}):
        async with database.write() as connection:
            await connection.execute(update(table).where(table.c.seq > 0).values(**wrong))
        moment = await Past(database, vault).moment(SITE_ID, Screen("desk"), number=last, with_names=True)
        assert moment.cells == watched.shown[last]["desk"]
    async with database.read() as connection:
        assert await checkpoints.unprepared(connection) == [SITE_ID]
    assert await prepare(database, vault, SITE_ID) > 1
    async with database.read() as connection:
        assert await checkpoints.unprepared(connection) == []


async def test_site_from_before_checkpoints(database: Database, vault: Vault) -> None:
    """Its first state is derived: from the first change of its settings, else from its row."""
    watched = random_days()
    log = await store(database, vault, watched.world, created=False)
    assert await prepare(database, vault, SITE_ID) == 1 + sum(isinstance(each.event, DayTurned) for each in log)
    changed = next(each for each in log if isinstance(each.event, SiteChanged))
    assert isinstance(changed.event, SiteChanged)
    moment = await Past(database, vault).moment(SITE_ID, Screen("desk"), number=changed.seq - 1, with_names=True)
    assert moment.cells["site"]["name"] == changed.event.name
    last = await Past(database, vault).moment(SITE_ID, Screen("desk"), number=log[-1].seq, with_names=True)
    assert last.cells == watched.shown[log[-1].seq]["desk"]


async def test_retention_takes_the_names_from_the_past(database: Database, vault: Vault) -> None:
    world = small_clinic()
    queue_id = world.queue("Q")
    world.ticket(queue_id, name="Ada Lovelace", name_on_display=True)
    point_id = world.point(queue_id)
    world.call(point_id)
    log = await store(database, vault, world)
    machine = Past(database, vault)

    async def shown(*, with_names: bool) -> list[str | None]:
        last = log[-1].seq
        desk = await machine.moment(SITE_ID, Screen("desk"), with_names=with_names, number=last)
        room = await machine.moment(SITE_ID, Screen("point", point_id), with_names=with_names, number=last)
        return [
            next(cell["name"] for key, cell in desk.cells.items() if key.startswith("entry:")),
            room.cells["guest"]["name"],
        ]

    assert await shown(with_names=True) == ["Ada Lovelace", "Ada Lovelace"]
    assert await shown(with_names=False) == [None, None]
    await retention.forget(database, vault, 1)
    assert await shown(with_names=True) == [None, None]
    display = await Past(database, vault).moment(SITE_ID, Screen("display"), number=log[-1].seq)
    assert [cell["name"] for key, cell in display.cells.items() if key.startswith("entry:")] == [None]


async def test_times_without_a_board_are_refused(database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = a_random_day(3, 60)
    log = await store(database, vault, watched.world)
    machine = Past(database, vault)
    for wrong in ({"at": log[0].at - 1}, {"number": 0}, {"number": log[-1].seq + 1}):
        with pytest.raises(NothingRecorded):
            await machine.board(SITE_ID, **wrong)
    monkeypatch.setattr(past, "MOST_REPLAYED", 10)
    with pytest.raises(PastNotPrepared):
        await Past(database, vault).board(SITE_ID, number=log[-1].seq)


async def test_past_board_is_the_board_of_the_log(database: Database, vault: Vault) -> None:
    """Also for the kept boards, on the way back and forward."""
    watched = a_random_day(3, 200)
    log = await store(database, vault, watched.world)
    machine = Past(database, vault)
    chance = random.Random(1)
    for _ in range(30):
        number = chance.randrange(1, log[-1].seq + 1)
        board = await machine.board(SITE_ID, number=number)
        expected = replayed(Board(watched.world.first), watched.world.log, number)
        assert board.site == expected.site
        assert facts(board)["waiting"] == facts(expected)["waiting"]
        assert set(draw(DeskView(lambda _: Personal()), board)) == set(draw(DeskView(open_sealed), expected))
