"""The quotes that patients get."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain.board import Board, Changes, board
from server.domain.commands import BreakPoint, Complete, IssueTicket, RunningLate, Start, Tick, Undo
from server.domain.errors import NothingDue
from server.domain.events import Recorded, TicketIssued, WaitsQuoted
from server.domain.model import Entry
from server.domain.ranking import Lane, Rank
from server.domain.rules import decide, quoting
from server.domain.rules.quoting import AT_ONCE, Outlook, requote
from server.domain.waits import Quote
from tests.support.counting import calls_of
from tests.support.extent import scaled
from tests.support.whole_clinic import BLOOD, ONE, whole_clinic
from tests.support.worlds import MINUTE, SECOND, SITE_ID, Step, World, a_site, facts, perform, small_clinic


def test_patient_gets_a_quote_with_the_ticket_and_new_ones_by_the_clock() -> None:
    """The first quote is kept. The clock gives new quotes at most every half minute, if they differ."""
    world = World()
    queue = world.queue()
    point = world.point(queue)
    entries = [world.ticket(queue) for _ in range(4)]
    quotes = [(entry.expect_from, entry.expect_until) for entry in entries]
    assert all(begin is not None and end is not None and world.now - MINUTE < begin < end for begin, end in quotes)
    assert quotes == sorted(quotes)
    assert all((entry.quoted_from, entry.quoted_until) == quote for entry, quote in zip(entries, quotes, strict=True))
    world.do(Tick(site_id=SITE_ID), after=30 * SECOND)
    with pytest.raises(NothingDue):
        world.do(Tick(site_id=SITE_ID), after=29 * SECOND)
    world.do(BreakPoint(point_id=point))
    world.do(Tick(site_id=SITE_ID), after=30 * SECOND)
    last = world.entry(entries[-1])
    assert (last.expect_from, last.expect_until) == (None, None), "no quote while no point is open"
    assert (last.quoted_from, last.quoted_until) == quotes[-1]


def test_late_patient_is_not_expected_early() -> None:
    world = World()
    queue = world.queue()
    world.point(queue)
    entry = world.ticket(queue)
    world.do(RunningLate(entry_id=entry.id, minutes=60))
    world.do(Tick(site_id=SITE_ID), after=30 * SECOND)
    expected = world.entry(entry).expect_from
    assert expected is not None
    assert expected >= world.now + 59 * MINUTE


def test_duration_of_a_service_is_recorded_and_undo_removes_it() -> None:
    world = World()
    queue = world.queue()
    point = world.point(queue)
    first, second = world.ticket(queue), world.ticket(queue)
    world.call(point)
    world.do(Start(entry_id=first.id), after=MINUTE)
    world.do(Complete(entry_id=first.id), after=9 * MINUTE)
    assert world.board.queues[queue].durations == (10 * MINUTE,)
    world.do(Undo(entry_id=first.id))
    assert world.board.queues[queue].durations == ()
    world.do(Complete(entry_id=first.id), after=0)
    world.call(point)
    world.do(Undo(entry_id=second.id))  # an undone call is not a service
    assert len(world.board.queues[queue].durations) == 1
    assert facts(world.loaded()) == facts(world.board)


def test_first_quote_is_kept_with_its_inputs_and_the_first_call() -> None:
    world = whole_clinic()
    first = world.ticket(BLOOD)
    second = world.ticket(BLOOD)
    assert [(each.quoted_ahead, each.quoted_points) for each in (first, second)] == [(0, 2), (1, 2)]
    wheelchair = world.ticket(BLOOD, needs=("step_free",))
    assert (wheelchair.quoted_ahead, wheelchair.quoted_points) == (2, 1)
    world.call(ONE)
    called_at = world.now
    assert world.entry(first).first_called_at == called_at
    world.do(Undo(entry_id=first.id))
    assert world.entry(first).first_called_at is None
    assert a_site().rules.names_on_display


# Long lines


def long_line(count: int) -> tuple[World, list[Entry]]:
    """Return a clinic whose five points serve two queues, with ``count`` patients who joined in turn."""
    world = World()
    blood, x_ray = world.queue("A"), world.queue("B")
    for queue_ids in ((blood,), (blood,), (blood, x_ray), (x_ray,), (x_ray,)):
        world.point(*queue_ids)
    return world, [world.ticket((blood, x_ray)[index % 2]) for index in range(count)]


def quotes_by_clock(world: World) -> list[WaitsQuoted]:
    """Tick until the whole line is quoted; return the events."""
    events: list[WaitsQuoted] = []
    while not events or events[-1].more:
        recorded, *_ = world.do(Tick(site_id=SITE_ID), after=0 if events else 30 * SECOND)
        assert isinstance(recorded.event, WaitsQuoted)
        events.append(recorded.event)
    return events


def ranges(world: World, entries: Sequence[Entry]) -> list[tuple[int | None, int | None]]:
    return [(each.expect_from, each.expect_until) for each in map(world.entry, entries)]


def test_clock_quotes_a_long_line_in_parts_as_it_would_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts are short, cover everybody, and give the same quotes as one pass: also for an absent patient."""
    world, entries = long_line(250)
    world.do(RunningLate(entry_id=entries[120].id, minutes=20))
    parts = quotes_by_clock(world)
    assert len(parts) == 250 // AT_ONCE + 1
    assert all(len(each.quotes) <= AT_ONCE for each in parts)
    in_parts = ranges(world, entries)
    assert all(begin is not None for begin, _ in in_parts)
    monkeypatch.setattr(quoting, "AT_ONCE", 1000)
    again = Board(world.board.site, world.board.records())
    assert requote(again, world.now).quotes == (), "one pass finds the same quotes"
    assert facts(world.loaded()) == facts(world.board)


def test_other_processes_leave_a_line_to_the_process_that_quotes_it() -> None:
    """The others wait five seconds. The process that has begun goes on at once."""
    world, _ = long_line(100)
    (first,) = world.do(Tick(site_id=SITE_ID), after=30 * SECOND)
    assert isinstance(first.event, WaitsQuoted)
    assert first.event.more
    other = world.loaded()
    assert other.site.next_tick_at == world.now + 5 * SECOND
    with pytest.raises(NothingDue):
        decide(other, Tick(site_id=SITE_ID), world.now)
    assert decide(other, Tick(site_id=SITE_ID), world.now + 5 * SECOND)
    (last,) = world.do(Tick(site_id=SITE_ID), after=0)
    assert isinstance(last.event, WaitsQuoted)
    assert not last.event.more
    assert world.board.site.next_tick_at == world.now + 30 * SECOND


@pytest.mark.parametrize("quoted", [True, False], ids=["after a tick", "before any tick"])
def test_newcomer_in_a_long_line_gets_nearly_the_exact_quote(quoted: bool) -> None:
    """It differs by a twentieth of the wait at most, also after calls that the last tick did not know."""
    world, _ = long_line(120)
    if quoted:
        quotes_by_clock(world)
    queues = sorted(world.board.queues)
    for each in range(12):
        queue_id = queues[each % 2]
        if each < 5:
            world.call(sorted(world.board.points)[each])
        exact = exact_quote(world, queue_id)
        if not quoted:
            world.board.outlook = None  # another process than that of the last ticket
        newcomer = world.ticket(queue_id)
        assert newcomer.expect_from is not None
        assert newcomer.expect_until is not None
        assert 20 * abs(newcomer.expect_from - exact.expect_from) <= exact.expect_from - world.now
        assert 20 * abs(newcomer.expect_until - exact.expect_until) <= exact.expect_until - world.now


def exact_quote(world: World, queue_id: int) -> Quote:
    """Return the quote of a newcomer by the present state."""
    rank = Rank(1, world.now, 10**12)
    world.board.quoted = None
    quote = quoting._exact_quote(world.board, rank, Lane(queue_id), world.now)
    assert quote is not None
    return quote


@pytest.mark.parametrize("kept", [True, False], ids=["with kept futures", "without"])
def test_newcomers_in_a_long_line_are_quoted_in_their_order(kept: bool) -> None:
    world, _ = long_line(40)
    quotes_by_clock(world)
    queue_id = min(world.board.queues)
    joined = []
    for _ in range(30):
        if not kept:
            world.board.outlook = None
        joined.append(world.ticket(queue_id))
    quotes = [(each.expect_from or 0, each.expect_until or 0) for each in joined]
    assert quotes == sorted(quotes)
    assert quotes[-1][0] - quotes[0][0] >= 30 * MINUTE, "thirty patients take three points more than half an hour"


def test_newcomer_with_a_head_start_gets_the_quote_of_the_patient_behind() -> None:
    world, entries = long_line(60)
    quotes_by_clock(world)
    behind = world.entry(entries[0])
    urgent = world.ticket(behind.queue_id, "urgent")
    assert urgent.expect_from is not None
    assert behind.expect_from is not None
    assert abs(urgent.expect_from - behind.expect_from) <= MINUTE


def calls_for_a_quote(world: World) -> int:
    """Return the number of calls of Python and C functions that decide one more ticket."""
    command = IssueTicket(queue_id=min(world.board.queues))
    return calls_of(lambda: decide(world.board, command, world.now, "hash"))


def test_newcomer_costs_no_more_in_a_long_line_than_in_a_short_one() -> None:
    """Twice the cost at 40 is allowed. `loadtests/bench_tickets.py` measures the whole command, at 1,000 waiting."""
    short, long = long_line(40)[0], long_line(400)[0]
    assert calls_for_a_quote(long) <= 2 * calls_for_a_quote(short)


def test_newcomer_looks_at_no_patient_who_waits_already(monkeypatch: pytest.MonkeyPatch) -> None:
    world, _ = long_line(200)
    quotes_by_clock(world)
    queue_id = min(world.board.queues)
    world.ticket(queue_id)

    def whole_line(*_: object) -> list[int]:
        raise AssertionError("a look at the whole line")

    monkeypatch.setattr(Outlook, "_untaken", whole_line)
    for priority in ("standard", "urgent", "emergency"):
        world.ticket(queue_id, priority)
    world.call(min(world.board.points))
    assert world.ticket(queue_id).expect_from is not None


# Many tickets, the clock, and every step that changes a rank, a lane or a place in the line.
LINE = (
    *("issue",) * 12,
    *("tick",) * 6,
    *("call", "start", "complete", "call-one", "no-show"),
    *("reprioritise", "move", "running-late", "here-again", "hold", "return", "transfer", "undo", "undo", "reopen"),
    *("amend", "reassign", "leave", "cancel", "open-point", "join", "night"),
)


def a_busy_day(seed: int, pauses: Sequence[int] = (0, SECOND, 40 * SECOND)) -> list[Step]:
    """Return a script of a hundred steps at a line."""
    chance = random.Random(seed)
    return [(chance.choice(LINE), chance.randrange(1000), chance.choice(pauses)) for _ in range(100)]


@settings(max_examples=scaled(40, 12), deadline=None)
@given(st.integers(0, 2**32).map(a_busy_day), st.sampled_from([1, 3, 64]), st.sampled_from([2, 1024]))
def test_random_days_have_the_log_of_the_naive_computation(script: list[Step], at_once: int, joins_kept: int) -> None:
    """Every line counts as long. The naive computation looks at the whole line for each ticket, and at all labels."""

    def log(*, naive: bool) -> list[Recorded]:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(quoting, "EXACT", 1)
            patched.setattr(quoting, "AT_ONCE", at_once)
            patched.setattr(board, "JOINS_KEPT", joins_kept)
            if naive:
                patched.setattr(Outlook, "_joined", Outlook._untaken)
                patched.setattr(
                    Board, "has_label", lambda self, label: label in {visit.label for visit in self.visits.values()}
                )
            world = small_clinic()
            for step in script:
                perform(world, step)
            return world.log

    assert log(naive=False) == log(naive=True)


@settings(max_examples=scaled(40, 12), deadline=None)
@given(st.integers(0, 2**32).map(lambda seed: a_busy_day(seed, (0, 0, 0, 40 * SECOND))))
def test_newcomers_of_one_instant_get_the_quotes_of_the_present_state(script: list[Step]) -> None:
    """Every line counts as short. After each step some process has no kept futures."""

    def log(*, kept: bool) -> list[Recorded]:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(quoting, "EXACT", 1000)
            world = small_clinic()
            for step in script:
                if not kept:
                    world.board.quoted = None
                perform(world, step)
            return world.log

    assert log(kept=True) == log(kept=False)


def calls_for_the_next(world: World, queue_id: int) -> int:
    world.ticket(queue_id, after=SECOND)
    return calls_for_a_quote(world)


def test_newcomers_of_a_rush_continue_from_the_quote_of_the_last() -> None:
    world, _ = long_line(5)
    queue_id, other = sorted(world.board.queues)

    def fresh() -> int:
        def decided() -> None:
            world.board.quoted = None
            decide(world.board, IssueTicket(queue_id=queue_id), world.now, "hash")

        return calls_of(decided)

    assert 3 * calls_for_the_next(world, other) < fresh()
    world.call(min(world.board.points))
    kept = world.board.quoted
    decide(world.board, IssueTicket(queue_id=queue_id), world.now, "hash")
    assert world.board.quoted is not kept, "after a call the present state is another one"
    kept = world.board.quoted
    decide(world.board, IssueTicket(queue_id=queue_id), world.now + 9 * SECOND, "hash")
    assert world.board.quoted is kept
    decide(world.board, IssueTicket(queue_id=queue_id), world.now + 11 * SECOND, "hash")
    assert world.board.quoted is not kept, "after ten seconds, too"
    kept = world.board.quoted
    decide(world.board, IssueTicket(queue_id=queue_id, priority="urgent"), world.now + 12 * SECOND, "hash", lambda _: True)
    assert world.board.quoted is kept, "an urgent patient takes another place in the line"


def another_process(world: World) -> Board:
    """Return the board of a process that has kept nothing."""
    return Board(world.board.site, world.board.records())


def test_process_without_kept_futures_continues_from_the_last_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not play the line: that would hold its commands for long."""
    world, _ = long_line(200)
    quotes_by_clock(world)
    command = IssueTicket(queue_id=min(world.board.queues))
    (kept,) = decide(world.board, command, world.now, "hash")
    other = another_process(world)
    with monkeypatch.context() as patched:
        patched.setattr(quoting, "Outlook", type("Outlook", (), {}))
        (continued,) = decide(other, command, world.now, "hash")
    assert isinstance(kept, TicketIssued)
    assert isinstance(continued, TicketIssued)
    assert (kept.expect_from, kept.expect_until) != (None, None)
    # The plays of neighbours differ by the luck of their draws.
    for mine, its in ((continued.expect_from, kept.expect_from), (continued.expect_until, kept.expect_until)):
        assert abs((mine or 0) - (its or 0)) * 50 <= (its or 0) - world.now
    assert other.outlook is None


def test_process_without_kept_futures_plays_a_line_whose_quotes_do_not_tell() -> None:
    """Its last patients have no quotes, or quotes out of order, or are few."""
    world, entries = long_line(60)
    quotes_by_clock(world)
    command = IssueTicket(queue_id=entries[0].queue_id)
    last = [each for each in entries if each.queue_id == command.queue_id][-5]
    moved, unknown = another_process(world), another_process(world)
    early = replace(world.entry(last), expect_from=world.now)
    moved.put(early, Changes())
    unknown.put(replace(early, expect_from=None, expect_until=None), Changes())
    few, _ = long_line(4 * quoting.LAST - 2)
    for each in (moved, unknown, another_process(few)):
        decide(each, IssueTicket(queue_id=min(each.queues)), world.now, "hash")
        assert each.outlook is not None, "the line has been played"


def test_look_at_the_waits_is_the_quote_that_the_ticket_gets() -> None:
    """Before a patient joins a short line, the page shows the range that the ticket will have."""
    world = whole_clinic()
    for number in range(8):
        queue_id = sorted(world.board.queues)[number % len(world.board.queues)]
        looked = quoting.newcomers_quotes(world.board, world.now + SECOND)
        entry = world.ticket(queue_id)
        quote = looked[queue_id]
        seen = (None, None) if quote is None else (quote.expect_from, quote.expect_until)
        assert seen == (entry.expect_from, entry.expect_until)


def test_look_at_a_long_line_costs_one_look_at_its_last_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    world = whole_clinic()
    for _ in range(quoting.EXACT + 2):
        last = world.ticket(BLOOD)
    with monkeypatch.context() as patched:
        patched.setattr(quoting, "Outlook", None)
        looked = quoting.newcomers_quotes(world.board, world.now)
    quote = looked[BLOOD]
    assert quote is not None
    assert quote.expect_until == last.expect_until
    for point_id in world.board.points:
        if world.board.points[point_id].state == "open":
            world.do(BreakPoint(point_id=point_id))
    assert set(quoting.newcomers_quotes(world.board, world.now).values()) == {None}
