"""Events survive the log and the bus, without personal data."""

from __future__ import annotations

from dataclasses import fields, replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.events import (
    EVENTS,
    Event,
    OfAppointment,
    Recorded,
    ServiceAdded,
    ServiceChanged,
    TicketIssued,
    VisitAmended,
    body_of,
    event_from,
    shown,
)
from tests.support.any_event import PERSONAL, any_event, any_of
from tests.support.extent import examples

SEALING = (TicketIssued, VisitAmended, OfAppointment, ServiceAdded, ServiceChanged)


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS.keys())
def test_event_is_the_same_after_the_log(kind: type[Event]) -> None:
    @examples(30)
    @given(any_of(kind))
    def check(event: Event) -> None:
        body = orjson.loads(orjson.dumps(body_of(event)))
        sealed = getattr(event, "sealed", None)
        again = event_from(event.name_on_wire(), body, sealed)
        assert again == (replace(event, personal=None) if isinstance(event, SEALING) else event)
        assert type(again) is kind
        assert hash(again) is not None  # frozen at every level: no list inside

    check()


@examples(100)
@given(any_event())
def test_body_has_no_personal_data(event: Event) -> None:
    body = body_of(event)
    assert not {"personal", "sealed"} & set(body)
    if isinstance(event, SEALING) and getattr(event, "display_name", None) != PERSONAL.name:
        text = orjson.dumps(body).decode()
        assert not any(secret in text for secret in (PERSONAL.name or "", PERSONAL.phone or "", PERSONAL.token or ""))


@examples(100)
@given(any_event(), st.integers(1, 10**9), st.integers(0, 2**53 - 1))
def test_shown_event_has_no_internal_fields(event: Event, seq: int, at: int) -> None:
    body = shown(Recorded(seq, at, "staff:1", event))
    assert (body["seq"], body["at"], body["type"]) == (seq, at // 1000, event.name_on_wire())
    assert not Event.kept_inside & set(body)
    expected = {item.name for item in fields(event)} - Event.kept_inside  # type: ignore[arg-type]
    assert set(body) == {"seq", "at", "type"} | expected


def test_event_of_another_version_is_refused() -> None:
    with pytest.raises(KeyError):
        event_from("clock-stopped", {}, None)
    with pytest.raises(TypeError):
        event_from("day-turned", {"business_day": "2024-01-01"}, None)
    with pytest.raises(TypeError):
        event_from("day-turned", {"business_day": "2024-01-01", "next_turn_at": 1, "more": 2}, None)
