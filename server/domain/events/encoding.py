"""Events as JSON-ready values: in the log and on the bus, and in answers of the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from server.domain.events.event import Event, Recorded
from server.domain.model import Appointment, Rules, Schedule, ScheduleException
from server.domain.model.site import BEFORE

# The fields of events that are whole records, and the fields that the board gives such a record: a body lacks them.
RECORDS: dict[str, type[Any]] = {
    "rules": Rules,
    "appointment": Appointment,
    "schedule": Schedule,
    "exception": ScheduleException,
}
GIVEN: dict[str, Any] = {"seq": 0, "business_day": None, "sealed": None}


# The fields of events with instants (microseconds) that answers show.
_INSTANTS = frozenset(
    {
        *("starts_at", "ends_at", "booked_at", "held_until", "freed_from", "earlier_since", "was_starts_at", "booked_for"),
        *("offline_from", "offline_until"),
    }
)


def body_of(event: Event) -> dict[str, Any]:
    """Return the event's fields as JSON-ready values, without ``personal`` and ``sealed``."""
    body: dict[str, Any] = {}
    for item in fields(event):  # type: ignore[arg-type]
        if item.name not in ("personal", "sealed"):
            body[item.name] = _listed(getattr(event, item.name))
    return body


def decode(kind: type[Event], body: Mapping[str, Any], sealed: str | None) -> Event:
    """Return an event of a kind from its body and its sealed part. Raises `TypeError` for missing or unknown fields."""
    values = {key: _record(key, value) if isinstance(value, dict) else _tupled(value) for key, value in body.items()}
    if sealed is not None:
        values["sealed"] = sealed
    return kind(**values)


def shown(recorded: Recorded) -> dict[str, Any]:
    """Return an event as the API shows it: instants in milliseconds, without internal fields."""
    return {
        "seq": recorded.seq,
        "at": recorded.at // 1000,
        "type": recorded.event.name_on_wire(),
        **_shown(body_of(recorded.event)),
    }


def _shown(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _shown(value) if isinstance(value, dict) else value // 1000 if key in _INSTANTS and value is not None else value
        for key, value in values.items()
        if key not in Event.kept_inside
    }


def _listed(value: Any) -> Any:
    if isinstance(value, Rules | Appointment | Schedule | ScheduleException):
        return {key: _listed(each) for key, each in asdict(value).items() if key not in GIVEN}
    return [_listed(each) for each in value] if isinstance(value, tuple) else value


def _record(name: str, values: Mapping[str, Any]) -> Any:
    kind = RECORDS[name]
    before = BEFORE if kind is Rules else {each.name: GIVEN[each.name] for each in fields(kind) if each.name in GIVEN}
    return kind(**{key: _tupled(each) for key, each in {**before, **values}.items()})


def _tupled(value: Any) -> Any:
    return tuple(_tupled(each) for each in value) if isinstance(value, list) else value
