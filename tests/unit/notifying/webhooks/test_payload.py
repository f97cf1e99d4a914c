"""The payloads of webhooks: every event has one, and no text of a person gets into it."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.board import Board, Changes, apply
from server.domain.commands import CallNext, Complete, IssueTicket, Start
from server.domain.events import (
    EVENTS,
    AppointmentMoved,
    Event,
    ExceptionAdded,
    OfAppointment,
    Recorded,
    ScheduleAdded,
    StepUndone,
    TicketCalled,
    WaitsExplained,
    WaitsQuoted,
)
from server.domain.model import Appointment, Schedule, ScheduleException
from server.notifying.webhooks.payload import (
    FIELDS,
    OF_APPOINTMENT,
    OF_EXCEPTION,
    OF_SCHEDULE,
    STATES,
    data_of,
    name_of,
    payload,
    trial,
)
from tests.support.any_event import any_of
from tests.support.extent import examples
from tests.support.worlds import a_day, perform, small_clinic

CANARY = "Wilhelmina"
# Texts of the product's own: labels, days, and the names of steps and records.
OWN_TEXTS = {"label", "step", "kind", "business_day", "valid_from", "valid_until", "date", "anchor_date"}
ENVELOPE = {"type", "timestamp", "site_id", "epoch", "number", "data"}


def _with_canaries(record: Any) -> Any:
    """Return an event or a record whose texts are canaries, except those of `OWN_TEXTS`."""
    hints = get_type_hints(type(record))
    values: dict[str, Any] = {}
    for each in fields(record):
        value = getattr(record, each.name)
        if isinstance(value, Appointment | Schedule | ScheduleException):
            values[each.name] = _with_canaries(value)
        elif _is_text(hints[each.name]) and each.name not in OWN_TEXTS:
            values[each.name] = CANARY
        elif each.name in ("names", "reason"):
            values[each.name] = ((CANARY, CANARY),) if each.name == "names" else CANARY
    return replace(record, **values)


def _is_text(hint: Any) -> bool:
    return hint is str or (get_origin(hint) is not Literal and str in get_args(hint) and get_origin(hint) is not tuple)


def _read(event: Event, seq: int = 7) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(payload(3, "e1", Recorded(seq, 1_796_029_200_000_000, "staff:1", event)))
    return read


def test_every_event_has_its_row() -> None:
    assert set(FIELDS) == set(EVENTS.values())
    assert set(STATES) <= set(FIELDS)


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS)
@given(data=st.data())
@examples(2)
def test_no_text_of_a_person_gets_into_a_payload(kind: type[Event], data: st.DataObject) -> None:
    event = _with_canaries(data.draw(any_of(kind)))
    read = _read(event)
    assert read.keys() == ENVELOPE
    assert (read["type"], read["site_id"], read["number"]) == (kind.name_on_wire(), 3, 7)
    assert CANARY not in json.dumps(read)
    assert "staff:1" not in json.dumps(read)


def test_payload_of_a_call() -> None:
    called = TicketCalled(entry_id=12, point_id=5, announcement_id=9, label="A012", reason="A012 before B003: assisted")
    assert _read(called) == {
        "type": "ticket-called",
        "timestamp": "2026-11-30T09:00:00.000000Z",
        "site_id": 3,
        "epoch": "e1",
        "number": 7,
        "data": {"entry_id": 12, "label": "A012", "point_id": 5, "state": "called"},
    }


@given(event=any_of(AppointmentMoved))
def test_appointment_has_its_times_in_iso_8601(event: AppointmentMoved) -> None:
    event = replace(
        event,
        was_starts_at=1_796_029_200_000_000,
        appointment=replace(event.appointment, id=40, starts_at=1_796_032_800_000_000, visit_id=None),
    )
    data = _read(event)["data"]
    assert (data["appointment_id"], data["visit_id"]) == (40, None)
    assert data["starts_at"] == "2026-11-30T10:00:00.000000Z"
    assert data["was_starts_at"] == "2026-11-30T09:00:00.000000Z"


def test_state_is_that_of_the_board_after_the_event() -> None:
    board, seen = Board(small_clinic().first), set()
    world = small_clinic()
    point = next(iter(world.board.points.values()))
    world.do(IssueTicket(queue_id=point.queue_ids[0]))
    (called, *_) = (each.event for each in world.do(CallNext(point_id=point.id)))
    assert isinstance(called, TicketCalled)
    world.do(Start(entry_id=called.entry_id))
    world.do(Complete(entry_id=called.entry_id))
    for step in a_day(1, 400):
        perform(world, step)
    for recorded in world.log:
        apply(board, recorded, Changes())
        data = data_of(recorded.event)
        if isinstance(recorded.event, OfAppointment):
            appointment = board.appointments.get(recorded.event.appointment_id)
            assert appointment is None or data["state"] == appointment.state
        elif "state" in data:
            entry = board.entries[data["entry_id"]]
            assert (data["state"], data["label"]) == (entry.state, board.visits[entry.visit_id].label)
            seen.add(data["state"])
    assert {"waiting", "called", "serving", "completed"} <= seen


def test_undone_step_names_the_step_and_no_state() -> None:
    undone = StepUndone(entry_id=12, label="A012", step="ticket-called", point_id=5, announcement_id=9)
    data = _read(undone)["data"]
    assert data["step"] == "ticket-called"
    assert "state" not in data


def test_names_of_an_event_and_of_a_test() -> None:
    assert name_of(3, "5f3a90c1", 7) == "3-5f3a90c1-7"
    assert json.loads(trial(1_796_029_200_000_000)) == {
        "type": "test",
        "timestamp": "2026-11-30T09:00:00.000000Z",
        "data": {},
    }


def test_documentation_lists_the_fields_of_every_event() -> None:
    text = (Path(__file__).resolve().parents[4] / "docs/webhooks.md").read_text(encoding="utf-8")
    documented: dict[str, set[str]] = {}
    rows = re.findall(r"^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \| (.+) \|$", text.partition("## The events")[2], re.MULTILINE)
    for events, data in rows:
        for name in re.findall("`([a-z-]+)`", events):
            listed = set(re.findall("`([a-z_]+)`", data))
            documented[name] = listed | (documented["appointment-booked"] if data.startswith("the same") else set())
    assert documented == {kind.name_on_wire(): _fields_of(kind) for kind in FIELDS}


def _fields_of(kind: type[Event]) -> set[str]:
    """Return the names in the data of an event."""
    if issubclass(kind, OfAppointment):
        return {"appointment_id", *OF_APPOINTMENT, *FIELDS[kind]}
    records: dict[type[Event], set[str]] = {
        ScheduleAdded: {"schedule_id", *OF_SCHEDULE},
        ExceptionAdded: {"exception_id", *OF_EXCEPTION},
        WaitsExplained: {"moves", "entry_id", "cause", "point_id", "leaves", "leave_until", "late", "queue_id", "minutes"},
        WaitsQuoted: {"quotes", "entry_id", "expect_from", "expect_until", "estimating"},
    }
    return records.get(kind, {*FIELDS[kind], *({"state"} if kind in STATES else ())})
