"""Rules for joining a queue with a patient's own phone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from server.domain.board import Board
from server.domain.commands import ChangeQueue, ChangeSite, JoinQueue, Leave, PauseQueue, Remove
from server.domain.errors import (
    JoinCodeNeeded,
    JoinedAlready,
    JoinedTooOften,
    JoiningIsOff,
    JoiningTooMany,
    PhoneNumberNeeded,
    QueueFull,
    QueueIsPaused,
    QueueNotFound,
    SiteClosed,
)
from server.domain.events import SiteChanged, TicketIssued
from server.domain.events.encoding import body_of, decode
from server.domain.model import Rules, Site
from server.domain.rules.joining import may_join_now, open_visit_of, refuse, room_in
from server.domain.views import DeskView, draw
from tests.support.worlds import HOUR, MINUTE, SECOND, SITE_ID, START, World, a_site, open_sealed, small_clinic

PHONE = "phone 1"


def a_clinic(**rules: Any) -> World:
    world = small_clinic()
    world.do(ChangeSite(site_id=SITE_ID, **({"joins_per_hour": 50} | rules)))
    return world


def queue_of(world: World) -> int:
    return min(world.board.queues)


def joins(world: World, browser: str = PHONE, after: int = SECOND, **about: Any) -> TicketIssued:
    wish: dict[str, Any] = {"queue_id": queue_of(world), "present": True} | about
    (recorded,) = world.do(JoinQueue(joined_from=browser, **wish), after, "phone:1")
    assert isinstance(recorded.event, TicketIssued)
    return recorded.event


def leaves(world: World, issued: TicketIssued) -> None:
    world.do(Leave(entry_id=issued.entry_id))


def test_joining_issues_a_standard_ticket_that_names_the_phone() -> None:
    world = a_clinic()
    issued = joins(world, language="ar", phone="+49 30 1")
    assert (issued.label, issued.priority, issued.party_size, issued.language) == ("A001", "standard", 1, "ar")
    visit = world.board.visits[issued.visit_id]
    assert visit.joined_from == PHONE
    assert open_sealed(visit).phone is None, "the site does not ask for a number"
    cell = draw(DeskView(open_sealed), world.board)[f"entry:{issued.entry_id}"]
    assert cell["by_phone"] is True
    assert PHONE not in repr(draw(DeskView(open_sealed), world.board)), "no screen has the name of the phone"


def test_ticket_of_the_desk_is_by_nobodys_phone() -> None:
    world = a_clinic()
    entry = world.ticket(queue_of(world))
    assert world.board.visits[entry.visit_id].joined_from is None
    assert draw(DeskView(open_sealed), world.board)[f"entry:{entry.id}"]["by_phone"] is False


def test_new_sites_need_presence_and_stored_rules_without_a_value_are_off() -> None:
    assert Rules().joining == "presence"
    event = small_clinic().do(ChangeSite(site_id=SITE_ID, joins_per_phone=2))[0].event
    body = body_of(event)
    del body["rules"]["joining"]
    old = decode(SiteChanged, body, None)
    assert isinstance(old, SiteChanged)
    assert (old.rules.joining, old.rules.joins_per_phone) == ("off", 2)


def test_joining_that_is_off_gives_no_ticket() -> None:
    world = a_clinic(joining="off")
    with pytest.raises(JoiningIsOff):
        joins(world)
    assert not may_join_now(world.board, world.now)


def test_presence_needs_a_code_and_anywhere_needs_none() -> None:
    with pytest.raises(JoinCodeNeeded):
        joins(a_clinic(joining="presence"), present=False)
    assert joins(a_clinic(joining="anywhere"), present=False).label == "A001"


@pytest.mark.parametrize(
    ("rule", "given", "kept"),
    [
        ("none", "+49 30 1", None),
        ("optional", None, None),
        ("optional", "+49 30 1", "+49 30 1"),
        ("required", "+49 30 1", "+49 30 1"),
    ],
)
def test_phone_number_is_kept_where_the_site_asks_for_it(rule: Any, given: str | None, kept: str | None) -> None:
    world = a_clinic(phone_when_joining=rule)
    issued = joins(world, phone=given) if given else joins(world)
    assert open_sealed(world.board.visits[issued.visit_id]).phone == kept


def test_missing_phone_number_is_refused_where_the_site_needs_it() -> None:
    world = a_clinic(phone_when_joining="required")
    for missing in (None, ""):
        with pytest.raises(PhoneNumberNeeded):
            world.do(JoinQueue(queue_id=queue_of(world), joined_from=PHONE, present=True, phone=missing))


def test_phone_with_an_open_ticket_is_named_this_ticket() -> None:
    world = a_clinic()
    issued = joins(world)
    with pytest.raises(JoinedAlready) as joined:
        joins(world, queue_id=max(world.board.queues))
    assert joined.value.details == {"visit_id": issued.visit_id, "label": "A001"}
    assert open_visit_of(world.board, "phone 2") is None
    leaves(world, issued)
    assert open_visit_of(world.board, PHONE) is None
    assert joins(world).label == "A002"


def test_phone_has_its_tickets_of_an_hour_and_then_one_more_for_each_that_is_an_hour_old() -> None:
    world = a_clinic(joins_per_phone=2)
    leaves(world, joins(world))
    first_at = world.now - SECOND
    leaves(world, joins(world, after=20 * MINUTE))
    with pytest.raises(JoinedTooOften) as refused:
        joins(world, after=10 * MINUTE)
    assert refused.value.details == {"limit": 2, "retry_after": (first_at + HOUR - world.now) // SECOND}
    assert joins(world, "phone 2", after=0)
    with pytest.raises(JoinedTooOften):
        joins(world, after=first_at + HOUR - world.now - 1)
    assert joins(world, after=1).label == "A004"


def test_lower_limit_counts_the_tickets_that_the_phone_has_had() -> None:
    world = a_clinic(joins_per_phone=3)
    for _ in range(3):
        leaves(world, joins(world, after=MINUTE))
    third_at = world.now - SECOND
    world.do(ChangeSite(site_id=SITE_ID, joins_per_phone=1))
    with pytest.raises(JoinedTooOften) as refused:
        joins(world)
    assert refused.value.details["retry_after"] == (third_at + HOUR - world.now) // SECOND


def test_site_gives_phones_no_more_tickets_than_its_limit_and_the_desk_goes_on() -> None:
    world = a_clinic(joins_per_hour=3)
    for number in range(3):
        joins(world, f"phone {number}")
    with pytest.raises(JoiningTooMany):
        joins(world, "phone 9")
    assert world.ticket(queue_of(world)).state == "waiting"
    assert joins(world, "phone 9", after=HOUR).label == "A005"


def test_paused_full_and_removed_queues_and_a_closed_site_give_no_ticket() -> None:
    world = a_clinic()
    queue_id = queue_of(world)
    world.do(ChangeQueue(queue_id=queue_id, capacity=1))
    assert room_in(world.board, world.board.queues[queue_id]) == "open"
    joins(world)
    assert room_in(world.board, world.board.queues[queue_id]) == "full"
    with pytest.raises(QueueFull):
        joins(world, "phone 2")
    world.do(PauseQueue(queue_id=queue_id))
    assert room_in(world.board, world.board.queues[queue_id]) == "paused"
    with pytest.raises(QueueIsPaused):
        joins(world, "phone 2")
    world.do(ChangeSite(site_id=SITE_ID, hours=((0, 0, 60),)))
    with pytest.raises(SiteClosed):
        joins(world, "phone 2", queue_id=max(world.board.queues))
    assert not may_join_now(world.board, world.now)
    with pytest.raises(QueueNotFound):
        joins(world, "phone 2", queue_id=queue_id + 999)


def test_site_without_queues_has_nothing_to_join() -> None:
    site: Site = replace(a_site(), rules=Rules(joining="anywhere"))
    assert not may_join_now(Board(site), START)
    world = World(site)
    queue_id = world.queue()
    assert may_join_now(world.board, world.now)
    world.do(Remove(record_id=queue_id))
    assert not may_join_now(world.board, world.now)


def test_check_before_the_command_refuses_the_same() -> None:
    world = a_clinic()
    command = JoinQueue(queue_id=queue_of(world), joined_from=PHONE, present=False)
    with pytest.raises(JoinCodeNeeded):
        refuse(world.board, command, world.now)
    refuse(world.board, replace(command, present=True), world.now)
    assert world.board.visits == {}
