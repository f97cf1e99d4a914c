"""The events: their names, and that they survive the log and the bus without what is personal."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain import events
from server.domain.board import Board, Changes, apply
from server.domain.commands import AddProvider, ChangeSite, Move, ReassignProvider, Tick
from server.domain.events import (
    EVENTS,
    Event,
    Recorded,
    ServiceAdded,
    ServiceChanged,
    TicketIssued,
    VisitAmended,
    WaitsQuoted,
    body_of,
    event_from,
    others,
    shown,
)
from server.domain.model import Entry, Personal, Rules
from tests.support.worlds import HOUR, SITE_ID, Step, examples, perform, scripts, small_clinic

SEALING = (TicketIssued, VisitAmended, ServiceAdded, ServiceChanged)
PERSONAL = Personal(name="Wilhelmina Xanthopoulou", phone="+49 171 5550199", token="7-secret")


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for what a field may hold."""
    if hint is int:
        return st.integers(0, 2**53 - 1)
    if hint is str:
        return st.text(max_size=20)
    if hint is Rules:
        return st.builds(Rules, hours=st.just(((0, 480, 1020),)), closed_on=st.just(("2026-12-25",)))
    if hint is Personal:
        return st.just(PERSONAL)
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if hint is bool:
        return st.booleans()
    if get_origin(hint) is tuple and Ellipsis not in get_args(hint):
        return st.tuples(*(values_of(part) for part in get_args(hint)))
    if get_origin(hint) is tuple:
        return st.lists(values_of(get_args(hint)[0]), max_size=5).map(tuple)
    if get_origin(hint) is UnionType:
        return st.one_of([st.none() if part is type(None) else values_of(part) for part in get_args(hint)])
    raise AssertionError(f"teach this test what {hint} may hold")


def any_event() -> st.SearchStrategy[Event]:
    """Return a strategy for every kind of event."""
    return st.one_of([any_of(kind) for kind in EVENTS.values()])


def any_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    return st.builds(kind, **{name: values_of(hint) for name, hint in get_type_hints(kind).items() if name != "kept_inside"})


def test_every_event_is_listed_under_its_name() -> None:
    written = {
        kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event) and is_dataclass(kind)
    }
    assert set(EVENTS.values()) == written
    assert all(kind.name_on_wire() == name for name, kind in EVENTS.items())
    assert "ticket-called" in EVENTS
    assert "no-show-recorded" in EVENTS


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS.keys())
def test_an_event_comes_back_from_the_log_as_it_was(kind: type[Event]) -> None:
    @examples(30)
    @given(any_of(kind))
    def check(event: Event) -> None:
        body = orjson.loads(orjson.dumps(body_of(event)))
        sealed = getattr(event, "sealed", None)
        again = event_from(event.name_on_wire(), body, sealed)
        assert again == (replace(event, personal=None) if isinstance(event, SEALING) else event)
        assert type(again) is kind
        assert hash(again) is not None  # frozen through and through: no list inside

    check()


@examples(100)
@given(any_event())
def test_nothing_personal_is_in_a_body(event: Event) -> None:
    body = body_of(event)
    assert not {"personal", "sealed"} & set(body)
    if isinstance(event, SEALING) and getattr(event, "display_name", None) != PERSONAL.name:
        text = orjson.dumps(body).decode()
        assert not any(secret in text for secret in (PERSONAL.name or "", PERSONAL.phone or "", PERSONAL.token or ""))


@examples(100)
@given(any_event(), st.integers(1, 10**9), st.integers(0, 2**53 - 1))
def test_what_a_caller_sees(event: Event, seq: int, at: int) -> None:
    body = shown(Recorded(seq, at, "staff:1", event))
    assert (body["seq"], body["at"], body["type"]) == (seq, at // 1000, event.name_on_wire())
    assert not Event.kept_inside & set(body)
    expected = {item.name for item in fields(event)} - Event.kept_inside  # type: ignore[arg-type]
    assert set(body) == {"seq", "at", "type"} | expected


def test_what_is_kept_inside_exists() -> None:
    """A slip of the pen there would show what must not be shown."""
    names = {item.name for kind in EVENTS.values() for item in fields(kind)}  # type: ignore[arg-type]
    assert names >= Event.kept_inside
    assert Event.kept_inside >= {"sealed", "personal", "token_hash"}


def test_no_field_is_called_as_what_shown_adds() -> None:
    for kind in EVENTS.values():
        assert not {"seq", "at", "type"} & {item.name for item in fields(kind)}  # type: ignore[arg-type]


def test_an_event_of_another_version_is_refused() -> None:
    with pytest.raises(KeyError):
        event_from("clock-stopped", {}, None)
    with pytest.raises(TypeError):
        event_from("day-turned", {"business_day": "2024-01-01"}, None)
    with pytest.raises(TypeError):
        event_from("day-turned", {"business_day": "2024-01-01", "next_turn_at": 1, "more": 2}, None)


def hear(follower: Board, recorded: Recorded) -> None:
    """Apply an event; assert that no entry changed but those of the visits that it names. New quotes alone are no step."""
    visits = {entry.id: entry.visit_id for entry in follower.entries.values()}
    changes = Changes()
    apply(follower, recorded, changes)
    if isinstance(recorded.event, WaitsQuoted):
        return
    touched = {new.id: new.visit_id for _, new in changes.records.values() if isinstance(new, Entry)}
    visits |= touched
    own = getattr(recorded.event, "entry_id", None)
    named = {visits[entry_id] for entry_id in (*others(recorded.event), *([own] if own else ()))}
    assert set(touched.values()) == named, recorded


@given(scripts())
@examples(60)
def test_an_event_tells_whose_history_it_belongs_to(script: list[Step]) -> None:
    world = small_clinic()
    follower = Board(world.board.site, world.board.records())
    for step in script:
        for recorded in perform(world, step):
            hear(follower, recorded)


def test_an_event_of_many_tells_of_each() -> None:
    """A doctor's list given to another, neighbours pushed by a move, who is open carried into a new day."""
    world = small_clinic()
    follower = Board(world.board.site, world.board.records())
    queue_id = next(iter(world.board.queues))
    ill = world.do(AddProvider(site_id=SITE_ID, name="Ada"))[-1].event.provider_id  # type: ignore[attr-defined]
    entries = [world.ticket(queue_id, after=0, provider_id=ill).id for _ in range(4)]
    world.do(ChangeSite(site_id=SITE_ID, round_the_clock=True))
    world.do(ReassignProvider(provider_id=ill, to_provider_id=None, reason="ill today"))
    world.do(Move(entry_id=entries[3], behind_entry_id=entries[0], reason="a test"))
    world.do(Tick(site_id=SITE_ID), after=21 * HOUR)
    told: dict[str, set[int]] = {}
    for recorded in world.log[follower.site.seq :]:
        hear(follower, recorded)
        told.setdefault(recorded.event.name_on_wire(), set()).update(others(recorded.event))
    assert told["provider-reassigned"] == told["day-turned"] == set(entries)
    assert told["entry-moved"] == set(entries[1:3])
    assert {name for name, entry_ids in told.items() if entry_ids} == {"provider-reassigned", "day-turned", "entry-moved"}
