"""Bringing a site to a blueprint: all of it or nothing, once, and without stranding anybody."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given

from server.domain.commands import AddDisplay, AddSchedule, Book, ChangeQueue, CloseDay, Command, Remove, SetUp
from server.domain.commands.blueprint import Blueprint, DisplayPlan, PointPlan, QueuePlan, normal
from server.domain.errors import InUse, InvalidField, NotFound, NothingChanged, NowServingError, PrefixFixed, Refused
from server.domain.rules.differences import differences
from server.domain.rules.set_up import blueprint_of
from tests.support.blueprints import A_BLUEPRINT, blueprints
from tests.support.extent import examples
from tests.support.whole_clinic import whole_clinic
from tests.support.worlds import SITE_ID, Step, World, command_of, facts, open_sealed, scripts, small_clinic


def as_it_is(world: World) -> Blueprint:
    return blueprint_of(world.board, open_sealed)


def set_up(blueprint: Blueprint, *, remove: bool = True) -> SetUp:
    return SetUp(site_id=SITE_ID, blueprint=blueprint, remove=remove)


def refusal(world: World, command: Command) -> NowServingError:
    """Return the refusal of a command. Assert that the board does not change."""
    before = facts(world.board)
    with pytest.raises(NowServingError) as caught:
        world.do(command, 0)
    assert facts(world.board) == before
    return caught.value


def built(blueprint: Blueprint) -> World:
    world = World()
    world.do(set_up(blueprint))
    return world


def test_a_fresh_site_becomes_the_blueprint() -> None:
    world = built(A_BLUEPRINT)
    assert as_it_is(world) == A_BLUEPRINT
    assert world.loaded().points == world.board.points
    [service] = world.board.services.values()
    assert service.public_name == "Blood"
    assert open_sealed(service).name == "HIV test"
    assert {display.token_hash for display in world.board.displays.values()} == {None}
    assert {kiosk.token_hash for kiosk in world.board.kiosks.values()} == {None}
    assert {point.state for point in world.board.points.values()} == {"open"}


def test_events_are_those_of_the_commands_for_single_records() -> None:
    world = World()
    names = [each.event.name_on_wire() for each in world.do(set_up(A_BLUEPRINT))]
    assert names == [
        "site-changed",
        "service-added",
        *("provider-added",) * 2,
        *("queue-added",) * 2,
        *("point-added",) * 2,
        *("display-added", "display-added", "display-changed", "kiosk-added", "kiosk-changed"),
    ]


def test_a_second_time_changes_nothing() -> None:
    assert isinstance(refusal(built(A_BLUEPRINT), set_up(A_BLUEPRINT)), NothingChanged)


def test_only_what_differs_changes() -> None:
    world = built(A_BLUEPRINT)
    blood, x_ray = A_BLUEPRINT.queues
    events = world.do(set_up(replace(A_BLUEPRINT, queues=(replace(blood, capacity=40), x_ray))))
    assert [each.event.name_on_wire() for each in events] == ["queue-changed"]
    kept = next(queue for queue in world.board.queues.values() if queue.name == "Blood")
    assert (kept.capacity, kept.names) == (40, blood.names)


def test_a_queue_can_leave_its_service() -> None:
    world = built(A_BLUEPRINT)
    blood, x_ray = A_BLUEPRINT.queues
    after = replace(A_BLUEPRINT, services=(), queues=(replace(blood, service=None, capacity=1), x_ray))
    world.do(set_up(after))
    assert as_it_is(world) == after


def test_a_closed_day_lists_its_appointments_and_cancels_them_when_asked() -> None:
    world = built(replace(A_BLUEPRINT, rules=replace(A_BLUEPRINT.rules, closed_on=())))
    service_id, provider_id, day = min(world.board.services), min(world.board.providers), "2024-04-05"
    world.do(
        AddSchedule(
            site_id=SITE_ID,
            provider_id=provider_id,
            service_ids=(service_id,),
            weekday=4,
            from_="09:00",
            until="12:00",
            slot_minutes=15,
            valid_from=day,
        )
    )
    world.do(Book(site_id=SITE_ID, service_id=service_id, provider_id=provider_id, local_start=f"{day}T09:00", name="Ada"))
    closing = replace(A_BLUEPRINT, rules=replace(A_BLUEPRINT.rules, closed_on=(day,)))
    command = set_up(closing, remove=False)
    error = refusal(world, command)
    assert isinstance(error, InUse)
    assert (error.details["count"], error.details["by"]) == (1, f"{day}T09:00")
    events = world.do(replace(command, stranded="cancel"))
    assert [each.event.name_on_wire() for each in events] == ["site-changed", "appointment-cancelled"]
    assert [each.state for each in world.calendar.all()] == ["cancelled"]
    assert isinstance(refusal(world, replace(command, stranded="cancel")), NothingChanged)


def test_records_that_the_blueprint_lacks_stay_without_remove() -> None:
    world = whole_clinic()
    before = as_it_is(world)
    world.do(
        set_up(replace(A_BLUEPRINT, queues=(QueuePlan(name="Forms", prefix="C"),), points=(), displays=()), remove=False)
    )
    after = as_it_is(world)
    assert {plan.name for plan in before.queues} | {"Forms"} == {plan.name for plan in after.queues}
    assert {plan.name for plan in before.points} == {plan.name for plan in after.points}
    world.do(set_up(A_BLUEPRINT))
    assert as_it_is(world) == A_BLUEPRINT


def test_the_order_of_the_blueprint_is_the_order_of_the_screens() -> None:
    world = built(A_BLUEPRINT)
    blood, x_ray = A_BLUEPRINT.queues
    forms = QueuePlan(name="Forms", prefix="C")
    after = replace(A_BLUEPRINT, queues=(x_ray, forms, blood))
    world.do(set_up(after))
    assert as_it_is(world) == after
    assert isinstance(refusal(world, set_up(after)), NothingChanged)


def test_a_removal_that_strands_people_is_refused_and_changes_nothing() -> None:
    world = built(A_BLUEPRINT)
    blood = next(queue.id for queue in world.board.queues.values() if queue.name == "Blood")
    world.ticket(blood)
    without = replace(
        A_BLUEPRINT,
        rules=replace(A_BLUEPRINT.rules, target_standard=5),
        queues=A_BLUEPRINT.queues[1:],
        points=(PointPlan(name="Room 2", queues=("X-ray",)),),
        displays=(DisplayPlan(name="Hall"),),
    )
    error = refusal(world, set_up(without))
    assert isinstance(error, InUse)
    assert "A001" in error.message
    world.do(CloseDay(site_id=SITE_ID, reason="the day is over"))
    world.do(set_up(without))
    assert as_it_is(world) == without


def test_a_removed_queue_with_the_same_name_stays_removed() -> None:
    world = built(A_BLUEPRINT)
    display = next(each.id for each in world.board.displays.values() if each.name == "Hall")
    world.do(Remove(record_id=display))
    world.do(set_up(A_BLUEPRINT))
    assert as_it_is(world).displays == tuple(sorted(A_BLUEPRINT.displays, key=lambda plan: plan.name == "Hall"))
    assert world.board.displays[display].removed_at


def test_a_letter_cannot_change() -> None:
    world = built(A_BLUEPRINT)
    queues = (replace(A_BLUEPRINT.queues[0], prefix="Z"), A_BLUEPRINT.queues[1])
    error = refusal(world, set_up(replace(A_BLUEPRINT, queues=queues)))
    assert isinstance(error, PrefixFixed)
    assert error.details["prefix"] == "A"


def test_a_blueprint_that_contradicts_itself_is_refused() -> None:
    error = refusal(World(), set_up(replace(A_BLUEPRINT, queues=())))
    assert isinstance(error, InvalidField)
    assert error.details["field"] == "points.0.queues.0"


def test_bad_hours_are_refused() -> None:
    rules = replace(A_BLUEPRINT.rules, hours=((0, 600, 540),))
    assert isinstance(refusal(World(), set_up(replace(A_BLUEPRINT, rules=rules))), InvalidField)


def test_names_in_a_language_that_is_no_longer_offered_are_left_out() -> None:
    world = built(A_BLUEPRINT)
    fewer = replace(A_BLUEPRINT.rules, languages=("ar",))
    world.do(set_up(replace(as_it_is(world), rules=fewer, services=(), queues=(), points=(), displays=()), remove=False))
    after = as_it_is(world)
    assert after.queues[0].names == (("ar", "الدم"),)
    assert isinstance(refusal(world, set_up(after)), NothingChanged)
    world.do(set_up(A_BLUEPRINT))
    assert as_it_is(world) == A_BLUEPRINT


def test_changes_by_hand_between_two_set_ups_are_brought_back() -> None:
    world = built(A_BLUEPRINT)
    queue = next(iter(world.board.queues.values()))
    world.do(ChangeQueue(queue_id=queue.id, name="Another", position=7))
    world.do(AddDisplay(site_id=SITE_ID, name="Attic"))
    world.do(set_up(A_BLUEPRINT))
    assert as_it_is(world) == A_BLUEPRINT


@examples(60)
@given(blueprints(), blueprints())
def test_any_blueprint_follows_any_other(one: Blueprint, other: Blueprint) -> None:
    world = World()
    for blueprint in (one, other):
        if differences(as_it_is(world), blueprint):
            world.do(set_up(blueprint))
        after = as_it_is(world)
        assert replace(after, displays=(), kiosks=()) == replace(normal(blueprint), displays=(), kiosks=())
        assert set(after.displays) == set(normal(blueprint).displays)
        assert set(after.kiosks) == set(normal(blueprint).kiosks)
        assert differences(after, blueprint) == []
        assert isinstance(refusal(world, set_up(blueprint)), NothingChanged)
        assert world.loaded().queues == world.board.queues


@examples(60)
@given(scripts(40))
def test_the_set_up_of_any_site_changes_nothing_there_and_builds_an_equal_site(script: list[Step]) -> None:
    world = small_clinic()
    for action, about, pause in script:
        try:
            world.do(command_of(world, action, about), pause)
        except (NotFound, Refused, InvalidField):
            pass
    blueprint = as_it_is(world)
    assert isinstance(refusal(world, set_up(blueprint)), NothingChanged)
    # A name of a removed record may be in use again, but never twice: every blueprint of a site can be built.
    fresh = World()
    assume(differences(as_it_is(fresh), blueprint))
    fresh.do(set_up(blueprint))
    assert differences(as_it_is(fresh), blueprint) == []
