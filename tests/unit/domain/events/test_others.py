"""The entries that an event changes besides the one it names."""

from __future__ import annotations

from hypothesis import given

from server.domain.board import Board, Changes, apply
from server.domain.commands import AddProvider, ChangeSite, Move, ReassignProvider, Tick
from server.domain.events import Event, OfAppointment, Recorded, WaitsExplained, WaitsQuoted, others
from server.domain.model import Entry
from tests.support.extent import examples
from tests.support.worlds import HOUR, SITE_ID, Step, perform, scripts, small_clinic


def appointments_of(event: Event) -> set[int | None]:
    """Return the appointments that an event is about."""
    if isinstance(event, OfAppointment):
        return {event.appointment_id, event.appointment.offered_to}
    return {getattr(event, "appointment_id", None)}


def apply_and_check(follower: Board, recorded: Recorded) -> None:
    """Apply an event, and assert that it changes only entries of the visits that it names; quotes and words do not count."""
    visits = {entry.id: entry.visit_id for entry in follower.entries.values()}
    changes = Changes()
    apply(follower, recorded, changes)
    if isinstance(recorded.event, WaitsQuoted | WaitsExplained):
        return
    touched = {new.id: new.visit_id for _, new in changes.records.values() if isinstance(new, Entry)}
    visits |= touched
    own = getattr(recorded.event, "entry_id", None)
    entry_ids = {*others(recorded.event), *([own] if own else ())} - appointments_of(recorded.event)
    named = {visits[entry_id] for entry_id in entry_ids}
    assert set(touched.values()) == named, recorded


@given(scripts())
@examples(60)
def test_event_names_every_entry_that_it_changes(script: list[Step]) -> None:
    world = small_clinic()
    follower = Board(world.board.site, world.board.records())
    for step in script:
        for recorded in perform(world, step):
            apply_and_check(follower, recorded)


def test_events_on_several_entries_name_each_of_them() -> None:
    """A provider's list is reassigned, a move pushes neighbours, and open entries are carried into a new day."""
    world = small_clinic()
    follower = Board(world.board.site, world.board.records())
    queue_id = next(iter(world.board.queues))
    provider_id = world.do(AddProvider(site_id=SITE_ID, name="Ada"))[-1].event.provider_id  # type: ignore[attr-defined]
    entries = [world.ticket(queue_id, after=0, provider_id=provider_id).id for _ in range(4)]
    world.do(ChangeSite(site_id=SITE_ID, round_the_clock=True))
    world.do(ReassignProvider(provider_id=provider_id, to_provider_id=None, reason="ill today"))
    world.do(Move(entry_id=entries[3], behind_entry_id=entries[0], reason="a test"))
    world.do(Tick(site_id=SITE_ID), after=21 * HOUR)
    named: dict[str, set[int]] = {}
    for recorded in world.log[follower.site.seq :]:
        apply_and_check(follower, recorded)
        named.setdefault(recorded.event.name_on_wire(), set()).update(others(recorded.event))
    assert named["provider-reassigned"] == named["day-turned"] == set(entries)
    assert named["entry-moved"] == set(entries[1:3])
    assert {name for name, entry_ids in named.items() if entry_ids} == {"provider-reassigned", "day-turned", "entry-moved"}
