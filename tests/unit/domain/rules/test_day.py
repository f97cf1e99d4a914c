"""Rules of the business day and of the clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.domain.commands import (
    BroadcastMessage,
    CallNext,
    ChangeSite,
    CloseDay,
    Complete,
    Hold,
    Start,
    Tick,
    Transfer,
    Undo,
)
from server.domain.errors import Refused
from server.domain.events import DayTurned, EntryExpired
from server.domain.model import OPEN_STATES, Entry, State
from server.domain.model.tickets import next_turn
from server.domain.rules import turn_of_day
from server.domain.views import TicketView, draw
from tests.support.one_entry import ENTRY, STATES, board_with, three_waiting, unchanged_by
from tests.support.whole_clinic import BLOOD, ONE, X_RAY, refusal, whole_clinic
from tests.support.worlds import DAY, HOUR, MINUTE, SECOND, SITE_ID, START, facts, small_clinic


@pytest.mark.parametrize("state", STATES)
def test_turn_of_the_day_expires_open_entries_only(state: State) -> None:
    """Open entries expire, each by an event of its own; ended entries stay; before the turn the clock has no work."""
    board = board_with(state)
    board.site = replace(board.site, quoted_at=board.site.turns_at - 1)  # the quotes of all waiting entries are fresh
    refused = unchanged_by(board, Tick(site_id=SITE_ID), board.site.turns_at - 1)
    assert isinstance(refused, Refused)
    assert refused.code == "nothing_due"
    outcome = unchanged_by(board, Tick(site_id=SITE_ID), board.site.turns_at)
    expired = [EntryExpired(entry_id=ENTRY, label="A001", was=state)] if state in OPEN_STATES else []  # type: ignore[arg-type]
    turned = DayTurned(business_day="2024-03-30", next_turn_at=next_turn("2024-03-30", "Europe/Berlin", 240))
    assert outcome == [*expired, turned]


def test_turn_of_the_day_expires_open_entries_in_order_and_restarts_numbers() -> None:
    world = small_clinic()
    queue_id = min(world.board.queues)
    entries = [world.ticket(queue_id) for _ in range(4)]
    first, second = sorted(world.board.points)
    served = world.call(first)
    world.do(Start(entry_id=served.id))
    world.do(Complete(entry_id=served.id))
    world.call(first)
    events = [each.event for each in world.do(Tick(site_id=SITE_ID), after=20 * HOUR)]
    assert [event.name_on_wire() for event in events] == ["entry-expired"] * 3 + ["day-turned"]
    expired = [event for event in events if isinstance(event, EntryExpired)]
    assert [(event.entry_id, event.was) for event in expired] == [
        (entries[1].id, "called"),
        (entries[2].id, "waiting"),
        (entries[3].id, "waiting"),
    ]
    assert world.label(world.ticket(queue_id)) == "A001"
    assert world.call(first).state == "called"
    with pytest.raises(Refused):
        world.do(Tick(site_id=SITE_ID))
    with pytest.raises(Refused):
        world.do(CallNext(point_id=second))


def test_turn_of_the_day_skips_missed_days() -> None:
    board = board_with("waiting")
    events = turn_of_day(board, START + 10 * 24 * HOUR)
    turned = events[-1]
    assert isinstance(turned, DayTurned)
    assert turned.business_day == "2024-04-08"
    assert turned.next_turn_at == next_turn("2024-04-08", "Europe/Berlin", 240)
    assert turned.next_turn_at > START + 10 * 24 * HOUR


def test_day_never_goes_back() -> None:
    """A clock that runs backwards, or an hour that repeats, turns nothing."""
    board = board_with("waiting")
    outcome = unchanged_by(board, Tick(site_id=SITE_ID), START - 48 * HOUR)
    assert isinstance(outcome, Refused)
    assert outcome.code == "nothing_due"


def test_close_day_cancels_open_entries_with_the_reason() -> None:
    world, entry = three_waiting()
    world.call(min(world.board.points))
    world.do(Hold(entry_id=entry.id))
    happened = [each.event for each in world.do(CloseDay(site_id=SITE_ID, reason="fire alarm"))]
    assert [event.name_on_wire() for event in happened] == [*["entry-cancelled"] * 3, "day-closed"]
    assert not [each for each in world.board.entries.values() if each.state in OPEN_STATES]
    assert {event.reason for event in happened} == {"fire alarm"}  # type: ignore[attr-defined]


def test_broadcast_message_stays_until_it_is_removed() -> None:
    world, _ = three_waiting()
    world.do(BroadcastMessage(site_id=SITE_ID, message="Fire drill at noon"))
    assert world.board.site.message == "Fire drill at noon"
    world.do(BroadcastMessage(site_id=SITE_ID, message=None))
    assert world.board.site.message is None


def test_round_the_clock_site_carries_open_entries_into_the_new_day() -> None:
    world = whole_clinic()
    world.do(ChangeSite(site_id=SITE_ID, round_the_clock=True))
    waiting, called, done = (world.ticket(BLOOD) for _ in range(3))
    held = world.ticket(BLOOD)
    world.do(Hold(entry_id=held.id))
    world.do(Transfer(entry_id=done.id, queue_id=X_RAY))
    assert world.call(ONE).id == waiting.id
    (turned,) = world.do(Tick(site_id=SITE_ID), after=21 * HOUR)
    assert world.board.site.business_day == "2024-03-30"
    entries = world.board.entries
    assert {entry.state for entry in entries.values()} == {"called", "waiting", "held"}
    assert done.id not in entries, "a stage that had ended stays behind"
    assert set(turned.event.carried) == set(entries)  # type: ignore[attr-defined]
    assert {entry.business_day for entry in entries.values()} == {"2024-03-30"}
    assert world.board.entry_at(ONE) == world.entry(waiting)
    assert draw(TicketView(called.visit_id), world.board)["ticket"]["label"] == "A002"
    assert facts(world.loaded()) == facts(world.board)
    # Numbers restart, but no open ticket's label is issued a second time.
    labels = [world.label(world.ticket(BLOOD)) for _ in range(3)]
    assert labels == ["A005", "A006", "A007"]
    assert facts(world.loaded()) == facts(world.board)


def test_carried_label_is_not_issued_again_by_a_site_that_closes_at_night_from_now_on() -> None:
    world = whole_clinic()
    world.do(ChangeSite(site_id=SITE_ID, round_the_clock=True))
    carried = world.ticket(BLOOD)
    world.do(Tick(site_id=SITE_ID), after=21 * HOUR)
    world.do(ChangeSite(site_id=SITE_ID, round_the_clock=False))
    assert (world.label(world.entry(carried)), world.label(world.ticket(BLOOD))) == ("A001", "A002")


def test_other_sites_expire_open_entries() -> None:
    world = whole_clinic()
    entry = world.ticket(BLOOD)
    world.do(Tick(site_id=SITE_ID), after=21 * HOUR)
    rows = [row for row in world.rows.values() if isinstance(row, Entry)]
    assert [(row.id, row.state, row.business_day) for row in rows] == [(entry.id, "expired", DAY)]


def test_transfer_before_the_turn_cannot_be_undone_after_it() -> None:
    world = whole_clinic()
    world.do(ChangeSite(site_id=SITE_ID, round_the_clock=True))
    entry = world.ticket(BLOOD, after=19 * HOUR + 59 * MINUTE)
    world.do(Transfer(entry_id=entry.id, queue_id=X_RAY), after=40 * SECOND)
    world.do(Tick(site_id=SITE_ID), after=15 * SECOND)
    assert refusal(world, Undo(entry_id=entry.id)).code == "entry_not_found"
