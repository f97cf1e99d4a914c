"""Events as JSON-ready values: in the log and on the bus, and in answers of the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from server.domain.events.event import Event, Recorded
from server.domain.model import Rules


def body_of(event: Event) -> dict[str, Any]:
    """Return the event's fields as JSON-ready values, without ``personal`` and ``sealed``."""
    body: dict[str, Any] = {}
    for item in fields(event):  # type: ignore[arg-type]
        if item.name not in ("personal", "sealed"):
            body[item.name] = _listed(getattr(event, item.name))
    return body


def decode(kind: type[Event], body: Mapping[str, Any], sealed: str | None) -> Event:
    """Return an event of a kind from its body and its sealed part. Raises `TypeError` for missing or unknown fields."""
    values = {key: _tupled(value) for key, value in body.items()}
    if sealed is not None:
        values["sealed"] = sealed
    return kind(**values)


def shown(recorded: Recorded) -> dict[str, Any]:
    """Return an event as the API shows it: instants in milliseconds, without internal fields."""
    return {
        "seq": recorded.seq,
        "at": recorded.at // 1000,
        "type": recorded.event.name_on_wire(),
        **{key: value for key, value in body_of(recorded.event).items() if key not in Event.kept_inside},
    }


def _listed(value: Any) -> Any:
    if isinstance(value, Rules):
        return {key: _listed(each) for key, each in asdict(value).items()}
    return [_listed(each) for each in value] if isinstance(value, tuple) else value


def _tupled(value: Any) -> Any:
    if isinstance(value, dict):
        return Rules(**{key: _tupled(each) for key, each in value.items()})
    return tuple(_tupled(each) for each in value) if isinstance(value, list) else value
