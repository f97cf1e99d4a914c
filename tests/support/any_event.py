"""Strategies for events of every kind."""

from __future__ import annotations

from dataclasses import replace
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from server.domain.events import EVENTS, Event
from server.domain.model import Appointment, Personal, Rules, Schedule, ScheduleException

PERSONAL = Personal(name="Wilhelmina Xanthopoulou", phone="+49 171 5550199", token="7-secret")


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for values of a field with this type."""
    if hint is int:
        return st.integers(0, 2**53 - 1)
    if hint is str:
        return st.text(max_size=20)
    if hint is Rules:
        return st.builds(Rules, hours=st.just(((0, 480, 1020),)), closed_on=st.just(("2026-12-25",)))
    if hint in (Appointment, Schedule, ScheduleException):
        return st.builds(hint, **{name: values_of(each) for name, each in get_type_hints(hint).items()}).map(_unplaced)
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
    if get_origin(hint) in (UnionType, Union):
        return st.one_of([st.none() if part is type(None) else values_of(part) for part in get_args(hint)])
    raise AssertionError(f"no strategy for {hint}")


def _unplaced(record: Any) -> Any:
    """Return a record as an event has it: without its place in the log, its day and its ciphertext."""
    given = {"seq": 0, "business_day": None, "sealed": None}
    return replace(record, **{name: value for name, value in given.items() if hasattr(record, name)})


def any_event() -> st.SearchStrategy[Event]:
    """Return a strategy for events of every kind."""
    return st.one_of([any_of(kind) for kind in EVENTS.values()])


def any_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    """Return a strategy for events of one kind."""
    return st.builds(kind, **{name: values_of(hint) for name, hint in get_type_hints(kind).items() if name != "kept_inside"})
