"""The points and the patients to come, from the board of a site."""

from __future__ import annotations

from server.domain.commands import BreakPoint, ClosePoint, Complete, OpenPoint, Start, Tick
from server.domain.model import Entry
from server.domain.ranking import Rank
from server.domain.rules.foreseeing import coming, points_of
from server.domain.waits import FUTURES, order_of
from server.domain.waits import OpenPoint as Playing
from tests.support.worlds import HOUR, MINUTE, SECOND, SITE_ID, World

LAST = order_of(2, 0)  # behind every patient


def clinic() -> tuple[World, int, int]:
    world = World()
    queue = world.queue()
    return world, queue, world.point(queue)


def serve(world: World, queue: int, point: int, lasts: int = 5 * MINUTE) -> Entry:
    if not world.board.waiting(queue):
        world.ticket(queue)
    entry = world.call(point)
    world.do(Start(entry_id=entry.id))
    world.do(Complete(entry_id=entry.id), after=lasts)
    return entry


def days(world: World, count: int, queue: int, point: int, late: int = 25 * MINUTE) -> None:
    """Play days on which the first patient comes at the same time, and waits ``late`` for the first call."""
    for _ in range(count):
        world.do(Tick(site_id=SITE_ID), after=world.board.site.turns_at - world.now + SECOND)
        world.now = world.board.site.turns_at - 20 * HOUR
        world.ticket(queue)
        world.now += late
        serve(world, queue, point)


def played(world: World) -> list[Playing]:
    return list(points_of(world.board, world.now, {}))


def middle(begins: tuple[int, ...]) -> int:
    return sorted(begins)[FUTURES // 2]


def test_point_begins_late_as_on_other_days() -> None:
    world, queue, point = clinic()
    days(world, 8, queue, point)
    world.do(Tick(site_id=SITE_ID), after=world.board.site.turns_at - world.now + SECOND)
    world.now = world.board.site.turns_at - 20 * HOUR
    first = world.ticket(queue)
    assert first.expect_from is not None
    assert 20 * MINUTE <= first.expect_from - world.now <= 30 * MINUTE
    [found] = played(world)
    assert 20 * MINUTE <= middle(found.begins) <= 30 * MINUTE


def test_point_on_a_break_comes_back_and_its_patients_keep_a_range() -> None:
    world, queue, point = clinic()
    serve(world, queue, point)
    world.do(BreakPoint(point_id=point))
    [found] = played(world)
    assert 5 * MINUTE <= middle(found.begins) <= HOUR
    entry = world.ticket(queue)
    assert entry.quoted_points == 0
    assert entry.expect_from is not None
    assert entry.expect_from > world.now + 2 * MINUTE, "nobody is told now while no point calls"


def test_closed_point_and_a_break_of_yesterday_are_not_expected() -> None:
    world, queue, point = clinic()
    serve(world, queue, point)
    world.do(ClosePoint(point_id=point))
    assert played(world) == []
    world.do(OpenPoint(point_id=point))
    world.do(BreakPoint(point_id=point))
    world.do(Tick(site_id=SITE_ID), after=24 * HOUR)
    assert played(world) == []


def test_free_point_pauses_as_long_as_usual() -> None:
    world, queue, point = clinic()
    for _ in range(12):
        world.ticket(queue)
    for _ in range(10):
        world.now += 3 * MINUTE
        serve(world, queue, point)
    [found] = played(world)
    assert found.idle == 0
    assert found.awaited
    third = world.ticket(queue)
    assert third.expect_from is not None
    assert third.expect_from - world.now >= 3 * 3 * MINUTE + 2 * 5 * MINUTE - 2 * MINUTE


def test_patients_who_pass_others_come_as_on_the_last_days() -> None:
    world, queue, point = clinic()
    world.now = world.board.site.turns_at - 20 * HOUR
    serve(world, queue, point)
    begun = world.now
    world.ticket(queue, "urgent", after=10 * MINUTE)
    assert coming(world.board, world.now, LAST) == []
    world.do(Tick(site_id=SITE_ID), after=world.board.site.turns_at - world.now + SECOND)
    world.now = begun + 24 * HOUR
    found = coming(world.board, world.now, LAST)
    assert len(found) == FUTURES
    [urgent] = found[0]
    assert urgent.kind == queue
    assert abs(urgent.after - 10 * MINUTE) <= 2 * SECOND
    assert urgent.order == order_of(1, world.now + urgent.after - 45 * MINUTE)
    assert coming(world.board, world.now, order_of(1, world.now - HOUR)) == [], "they do not pass those who came long before"


def test_order_is_that_of_ranks() -> None:
    ranks = [Rank(0, 5, 1), Rank(0, 9, 2), Rank(1, -3, 3), Rank(1, 4, 4)]
    assert ranks == sorted(ranks)
    orders = [order_of(each.band, each.place) for each in ranks]
    assert orders == sorted(orders)


def test_free_point_has_yet_to_notice_its_next_patient() -> None:
    world, queue, point = clinic()
    serve(world, queue, point)
    world.now += 10 * MINUTE
    [found] = played(world)
    assert found.noticing == 0
    world.ticket(queue)
    world.now += MINUTE
    [found] = played(world)
    assert found.noticing == MINUTE
    world.ticket(queue)
    serve(world, queue, point)
    [found] = played(world)
    assert found.noticing is None, "a patient waits since before the point was free"
