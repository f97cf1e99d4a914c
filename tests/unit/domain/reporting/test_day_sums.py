"""The sums of a day. `tests/integration/test_daily_sums.py` compares them with plain counts of random days."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from server.domain import ranking
from server.domain.commands import Call, Complete, Move, Start
from server.domain.events import TicketCalled
from server.domain.model import local_time
from server.domain.reporting.coarse import code
from server.domain.reporting.day_sums import (
    NUMBERS,
    REASONS,
    SPANS,
    Contact,
    Day,
    Seen,
    Standing,
    hour_of,
    reason_of,
    sums_of,
)
from server.domain.reporting.statistics import Stage
from server.domain.reporting.timeline import Interval
from tests.support.worlds import HOUR, MINUTE, START, World, small_clinic

BERLIN = "Europe/Berlin"
A_DAY = Day(START - 4 * HOUR, START + 20 * HOUR, BERLIN, None, {5: [Standing(START - 4 * HOUR, True, 9)]}, {})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A012: the only one waiting", "in_order"),
        ("A012 before B003: waiting longer", "in_order"),
        ("A012 before B003: the earlier ticket", "in_order"),
        ("A012 before B003: emergency", "emergency"),
        ("A012 before B003: moved by staff", "moved"),
        ("A012 before B003: has an appointment", "booked"),
        ("A012 before B003: urgent, 45 min head start", "urgent"),
        ("A012 before B003: assisted, 20 min head start", "assisted"),
        ("A012 before B003: standard, 20 min head start", "other"),
        ("A012 before B003: B003 returned after 5 min away: 5 min later", "returned"),
        ("A012 before B003: B003 returned after 1 min away: in the old place", "returned"),
        ("A012: called by name", "by_name"),
        ("A012 before B003: a text of a later version", "other"),
        ("", "other"),
    ],
)
def test_kind_of_a_reason(text: str, reason: str) -> None:
    assert reason_of(text) == reason
    assert reason in REASONS


def reasons(world: World) -> list[str]:
    return [reason_of(each.event.reason) for each in world.log if isinstance(each.event, TicketCalled)]


def test_reasons_of_the_ranking_are_known() -> None:
    world = small_clinic()
    queue, (point, _) = min(world.board.queues), sorted(world.board.points)
    first, second = world.ticket(queue), world.ticket(queue)
    world.ticket(queue, "urgent")
    world.ticket(queue, "emergency")
    told = []
    for _ in range(3):
        entry = ranking.next_for(world.board, world.board.points[point])
        assert entry is not None
        told.append(reason_of(ranking.reason(world.board, entry, world.board.points[point])))
        world.do(Call(entry_id=entry.id, point_id=point))
        world.do(Start(entry_id=entry.id))
        world.do(Complete(entry_id=entry.id))
    assert told == ["emergency", "urgent", "in_order"]
    third = world.ticket(queue)
    world.do(Move(entry_id=third.id, behind_entry_id=None, reason="a bus"))
    entry = ranking.next_for(world.board, world.board.points[point])
    assert entry is not None
    assert entry.id == third.id
    assert reason_of(ranking.reason(world.board, entry, world.board.points[point])) == "moved"
    assert {first.id, second.id} & set(world.board.entries)
    assert set(reasons(world)) == {"by_name"}


def test_second_of_two_equal_hours_is_another_hour() -> None:
    first, second = local_time.instants_of("2024-10-27", BERLIN, 150)
    assert (hour_of(first, BERLIN), hour_of(second, BERLIN)) == (2, 26)
    assert hour_of(second + HOUR, BERLIN) == 3


def a_patient(number: int, *, joined: int, called: int, booked: bool = False) -> Seen:
    """Return a patient who joined and was called after some minutes, then walked 1 and was served 10 minutes at point 5."""
    at = START + joined * MINUTE
    calls, starts = START + called * MINUTE, START + (called + 1) * MINUTE
    end = starts + 10 * MINUTE
    steps = (
        Interval(10 * number, "waiting", at, calls, 5),
        Interval(10 * number + 1, "called", calls, starts, 5),
        Interval(10 * number + 2, "serving", starts, end, 5),
    )
    return Seen(Stage(number, "2024-03-29", 1, "completed", end, at, None, calls, steps), 3, 5, booked)


def test_a_call_that_passes_others_counts_with_its_reason() -> None:
    patients = [a_patient(1, joined=0, called=40), a_patient(2, joined=5, called=20), a_patient(3, joined=6, called=60)]
    day = Day(A_DAY.begin, A_DAY.end, BERLIN, None, A_DAY.points, {10: "in_order", 20: "urgent", 30: "in_order"})
    made = sums_of(day, patients, ())
    assert dict(made.calls) == {(1, 9, "urgent"): [1, 1, 1], (1, 9, "in_order"): [2, 0, 0]}


def test_a_point_is_open_from_its_first_call_to_its_last_patient_without_its_breaks() -> None:
    points = {5: [Standing(A_DAY.begin, True, 9), *(Standing(START + at * MINUTE, at == 30, 9) for at in (25, 30))]}
    day = Day(A_DAY.begin, A_DAY.end, BERLIN, None, points, {})
    made = sums_of(day, [a_patient(1, joined=0, called=10), a_patient(2, joined=0, called=40)], ())
    assert made.points[5] == [2, (41 - 5) * MINUTE, 22 * MINUTE]  # from minute 10 to 51, with a break of five
    assert made.opened == {8: 36 * MINUTE}


def test_appointments_count_by_their_outcome() -> None:
    """Twenty booked, two cancelled in time, one too late, three missed: three of eighteen."""

    def booked(state: str, *, late: bool = False, came: bool = False) -> Contact:
        return Contact(1, 9, state, START + HOUR, START - 72 * HOUR, late, came)  # type: ignore[arg-type]

    contacts = [booked("cancelled"), booked("cancelled"), booked("cancelled", late=True), *[booked("no_show")] * 3]
    contacts += [*[booked("fulfilled", came=True)] * 12, booked("cancelled", came=True), booked("expired", came=True)]
    contacts += [booked("held"), booked("expired")]  # times that a visitor kept for a moment
    made = sums_of(A_DAY, [], contacts)
    ((key, sums),) = made.appointments.items()
    assert (key, sums.numbers, set(sums.lead)) == ((1, 9, 9), [20, 2, 1, 3, 14, 0], {3})


def test_present_waits_count_up_to_now() -> None:
    waiting = Seen(Stage(1, "2024-03-29", 1, "waiting", START, START, None, None, ()), None, None, False)
    day = Day(A_DAY.begin, A_DAY.end, BERLIN, START + 10 * MINUTE, {}, {})
    held = (Interval(1, "waiting", START, START + 5 * MINUTE, None), Interval(2, "held", START, START + 8 * MINUTE, None))
    returned = Stage(2, "2024-03-29", 1, "waiting", START + 8 * MINUTE, START, None, None, held)
    ((_, cell),) = sums_of(day, [waiting, Seen(returned, None, None, False)], ()).cells.items()
    assert list(cell.spans["still"]) == [code(10 * MINUTE), code(7 * MINUTE)]
    assert not cell.spans["wait"]


def test_calls_before_the_time_to_leave_are_counted() -> None:
    """Of three called patients with such a promise, one was called before it; a fourth still waits."""
    patients = [a_patient(number, joined=0, called=30) for number in range(4)]
    told = [29, 30, 31, None]
    seen = [
        replace(each, stage=replace(each.stage, leave_until=None if leave is None else START + leave * MINUTE))
        for each, leave in zip(patients, told, strict=True)
    ]
    waiting = Stage(9, "2024-03-29", 1, "waiting", START, START, None, None, (), START + HOUR)
    sums = sums_of(A_DAY, [*seen, Seen(waiting, 9, None, False)], ())
    numbers = [sum(column) for column in zip(*(cell.numbers for cell in sums.cells.values()), strict=True)]
    assert (numbers[NUMBERS.index("leaves")], numbers[NUMBERS.index("before_leave")]) == (3, 1)


def test_plain_form_is_plain() -> None:
    contact = Contact(1, 9, "booked", START, START, False, False)
    plain = sums_of(A_DAY, [a_patient(1, joined=0, called=10, booked=True)], [contact]).plain()
    assert json.loads(json.dumps(plain)) == plain
    ((queue_id, provider_id, hour, numbers, *spans),) = plain["cells"]
    assert (queue_id, provider_id, hour, len(numbers), len(spans)) == (1, 9, 8, len(NUMBERS), len(SPANS))
    assert spans == ["", bytes([code(10 * MINUTE)]).hex(), "", "06", bytes([code(10 * MINUTE)]).hex(), ""]
    assert plain["appointments"] == [[1, 9, 8, [1, 0, 0, 0, 0, 1], "00"]]
