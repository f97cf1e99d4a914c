"""Request bodies: the accepted ones, and the name of the wrong field in each refusal."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from starlette.requests import Request
from starlette.types import Message

from server.domain.commands import (
    COMMANDS,
    AddPoint,
    AddQueue,
    CallNext,
    Command,
    IssueTicket,
    Transfer,
)
from server.domain.model.ids import MAX_ID
from server.transport.http import bodies
from server.transport.http.bodies import MAX_BODY_BYTES, MODELS, Body, command_from, on_wire, read
from server.transport.http.errors import BodyTooLarge, InvalidBody, MalformedBody, UnsupportedMediaType
from tests.support.extent import examples
from tests.support.worlds import SITE_ID, an_id

# A body of each command with every field set, and which of them may be left out.
FULL: dict[str, dict[str, Any]] = {
    "issue-ticket": {
        "queue_id": an_id(1),
        "priority": "urgent",
        "party_size": 3,
        "language": "pt-BR",
        "provider_id": an_id(6),
        "needs": ["step_free", "chaperone"],
        "name": "Ada Lovelace",
        "phone": "+49 (30) 123-45",
        "email": "ada@example.org",
        "date_of_birth": "1985-12-10",
        "notes": "Comes with her daughter",
        "name_on_display": True,
        "overrule": True,
        "second_ticket": True,
        "valid_until": 1_800_000_000_000,
        "trial": True,
        "site_id": SITE_ID,
    },
    "call-next": {"point_id": an_id(2), "site_id": SITE_ID},
    "recall": {"entry_id": an_id(3), "site_id": SITE_ID},
    "start": {"entry_id": an_id(3), "site_id": SITE_ID},
    "complete": {"entry_id": an_id(3), "site_id": SITE_ID},
    "no-show": {"entry_id": an_id(3), "site_id": SITE_ID},
    "transfer": {"entry_id": an_id(3), "queue_id": an_id(1), "provider_id": an_id(6), "site_id": SITE_ID},
    "call": {"entry_id": an_id(3), "point_id": an_id(2), "site_id": SITE_ID},
    "hold": {"entry_id": an_id(3), "site_id": SITE_ID},
    "return": {"entry_id": an_id(3), "site_id": SITE_ID},
    "leave": {"entry_id": an_id(3), "site_id": SITE_ID},
    "cancel": {"entry_id": an_id(3), "reason": "asked for", "site_id": SITE_ID},
    "reprioritise": {"entry_id": an_id(3), "priority": "urgent", "reason": "feels worse", "site_id": SITE_ID},
    "move": {"entry_id": an_id(3), "behind_entry_id": an_id(4), "reason": "frail", "site_id": SITE_ID},
    "running-late": {"entry_id": an_id(3), "minutes": 10, "site_id": SITE_ID},
    "undo": {"entry_id": an_id(3), "site_id": SITE_ID},
    "reopen": {"entry_id": an_id(3), "site_id": SITE_ID},
    "open-point": {"point_id": an_id(2), "site_id": SITE_ID},
    "break-point": {"point_id": an_id(2), "site_id": SITE_ID},
    "close-point": {"point_id": an_id(2), "site_id": SITE_ID},
    "open-queue": {"queue_id": an_id(1), "site_id": SITE_ID},
    "pause-queue": {"queue_id": an_id(1), "site_id": SITE_ID},
    "broadcast-message": {"site_id": SITE_ID, "message": "Fire drill at noon"},
    "announce-delay": {"site_id": SITE_ID, "minutes": 30},
    "withdraw-delay": {"site_id": SITE_ID},
    "close-day": {"site_id": SITE_ID, "reason": "evening"},
    "amend-visit": {
        "entry_id": an_id(3),
        "name": "Ada Lovelace",
        "phone": "+49 30 901820",
        "party_size": 2,
        "language": "ar",
        "needs": ["interpreter"],
        "date_of_birth": "1985-12-10",
        "name_on_display": True,
        "second_ticket": True,
        "site_id": SITE_ID,
    },
    "staff-point": {"point_id": an_id(2), "provider_id": an_id(6), "site_id": SITE_ID},
    "swap-points": {"point_id": an_id(2), "with_point_id": an_id(7), "site_id": SITE_ID},
    "reassign-provider": {
        "provider_id": an_id(6),
        "to_provider_id": an_id(8),
        "reason": "ill today",
        "site_id": SITE_ID,
    },
    "change-site": {
        "site_id": SITE_ID,
        "name": "Clinic",
        "stranded": "cancel",
        "time_zone": "Europe/Berlin",
        "language": "de",
        "day_turns_at_minutes": 240,
        "head_start_urgent": 45,
        "head_start_assisted": 20,
        "booking_lead": 15,
        "booking_grace": 15,
        "return_lead": 15,
        "recalls_before_no_show": 1,
        "minutes_before_no_show": 3,
        "minutes_call_stands": 10,
        "target_standard": 30,
        "target_assisted": 20,
        "target_urgent": 10,
        "names_on_display": True,
        "region": "DE",
        "clock": "12",
        "languages": ["ar", "zh-Hant"],
        "round_the_clock": False,
        "joining": "presence",
        "joins_per_phone": 3,
        "joins_per_hour": 120,
        "phone_when_joining": "optional",
        "booking": "on",
        "check_in_from": 180,
        "check_in_until": 20,
        "cancel_until": 1440,
        "message_ways": ["push", "sms"],
        "reminders": [48, 2],
        "quiet_from": 1320,
        "quiet_until": 420,
        "feedback": "on",
        "hours": [[0, 480, 1020]],
        "closed_on": ["2026-12-25"],
    },
    "add-service": {"site_id": SITE_ID, "name": "Blood test", "public_name": "Laboratory", "names": {"ar": "مختبر"}},
    "change-service": {
        "service_id": an_id(9),
        "name": "Blood test",
        "public_name": "Laboratory",
        "names": {"ar": "مختبر", "es-419": "Laboratorio"},
        "position": 1,
        "site_id": SITE_ID,
    },
    "add-provider": {"site_id": SITE_ID, "name": "Dr. Ada"},
    "change-provider": {"provider_id": an_id(6), "name": "Dr. Ada", "position": 1, "site_id": SITE_ID},
    "add-queue": {
        "site_id": SITE_ID,
        "name": "Blood test",
        "prefix": "A",
        "service_id": an_id(9),
        "capacity": 30,
        "joins_anew": True,
        "names": {"fr": "Prise de sang"},
    },
    "change-queue": {
        "queue_id": an_id(1),
        "name": "Blood test",
        "service_id": an_id(9),
        "capacity": 30,
        "joins_anew": True,
        "names": {"fr": "Prise de sang"},
        "position": 1,
        "site_id": SITE_ID,
    },
    "add-point": {
        "site_id": SITE_ID,
        "name": "Room 1",
        "queue_ids": [an_id(1), an_id(5)],
        "unmet_needs": ["step_free"],
        "names": {"fr": "Salle 1"},
    },
    "change-point": {
        "point_id": an_id(2),
        "name": "Room 1",
        "queue_ids": [an_id(1), an_id(5)],
        "unmet_needs": ["step_free"],
        "names": {"fr": "Salle 1"},
        "position": 1,
        "site_id": SITE_ID,
    },
    "arrange": {"site_id": SITE_ID, "record_ids": [an_id(2), an_id(1)]},
    "add-display": {"site_id": SITE_ID, "name": "Hall"},
    "add-kiosk": {"site_id": SITE_ID, "name": "Door"},
    "rename-device": {"device_id": an_id(10), "name": "Foyer", "site_id": SITE_ID},
    "change-display": {"display_id": an_id(10), "queue_ids": [an_id(1)], "point_ids": [an_id(2)], "site_id": SITE_ID},
    "change-kiosk": {
        "kiosk_id": an_id(10),
        "queue_ids": [an_id(1)],
        "printing": "escpos",
        "low": True,
        "check_in": "birth",
        "place": "Main entrance",
        "site_id": SITE_ID,
    },
    "ask-help": {"kiosk_id": an_id(10), "site_id": SITE_ID},
    "answer-help": {"kiosk_id": an_id(10), "name": "Maria", "site_id": SITE_ID},
    "renew-token": {"device_id": an_id(10), "site_id": SITE_ID},
    "revoke-token": {"device_id": an_id(10), "site_id": SITE_ID},
    "remove": {"record_id": an_id(10), "site_id": SITE_ID},
    "hold-slot": {
        "site_id": SITE_ID,
        "service_id": an_id(11),
        "provider_id": an_id(6),
        "local_start": "2027-01-15T09:00",
        "fold": 1,
        "minutes": 30,
        "hold_token": "a7-held",
    },
    "release-slot": {"site_id": SITE_ID, "hold_token": "a7-held"},
    "book": {
        "site_id": SITE_ID,
        "service_id": an_id(11),
        "provider_id": an_id(6),
        "local_start": "2027-01-15T09:00",
        "fold": 0,
        "minutes": 30,
        "hold_token": "a7-held",
        "name": "Ada Lovelace",
        "phone": "+49 30 901820",
        "email": "ada@example.org",
        "date_of_birth": "1985-12-10",
        "language": "ar",
        "needs": ["interpreter"],
        "note": "Comes with her daughter",
        "overbook": "the specialist leaves",
        "anyway": True,
        "wants_earlier": True,
        "foreign_id": "his-4711",
    },
    "book-series": {
        "site_id": SITE_ID,
        "service_id": an_id(11),
        "provider_id": an_id(6),
        "local_start": "2027-01-15T09:00",
        "minutes": 30,
        "every_days": 7,
        "count": 6,
        "skip_taken": True,
        "name": "Ada Lovelace",
        "phone": "+49 30 901820",
        "email": "ada@example.org",
        "date_of_birth": "1985-12-10",
        "language": "ar",
        "needs": ["interpreter"],
        "note": "Comes with her daughter",
    },
    "reschedule": {
        "appointment_id": an_id(14),
        "version": 2,
        "local_start": "2027-01-16T09:00",
        "fold": 0,
        "minutes": 45,
        "provider_id": an_id(8),
        "overbook": "the specialist leaves",
        "site_id": SITE_ID,
    },
    "amend-appointment": {
        "appointment_id": an_id(14),
        "name": "Ada Lovelace",
        "phone": "+49 30 901820",
        "email": "ada@example.org",
        "date_of_birth": "1985-12-10",
        "language": "ar",
        "needs": ["interpreter"],
        "note": "Comes with her daughter",
        "wants_earlier": True,
        "site_id": SITE_ID,
    },
    "want-earlier": {"appointment_id": an_id(14), "wants": False, "site_id": SITE_ID},
    "cancel-appointment": {"appointment_id": an_id(14), "version": 2, "reason": "moved away", "site_id": SITE_ID},
    "check-in": {
        "appointment_id": an_id(14),
        "queue_id": an_id(1),
        "anyway": True,
        "valid_until": 1_800_000_000_000,
        "site_id": SITE_ID,
    },
    "appointment-no-show": {"appointment_id": an_id(14), "site_id": SITE_ID},
    "clear-unreached": {"subject_id": an_id(14), "told": False, "site_id": SITE_ID},
    "confirm": {"entry_id": an_id(3), "site_id": SITE_ID},
    "move-appointments": {
        "provider_id": an_id(6),
        "date": "2027-01-15",
        "reason": "ill today",
        "to_provider_id": an_id(8),
        "from": "09:00",
        "until": "12:00",
        "unplaced": "keep",
        "site_id": SITE_ID,
    },
    "accept-offer": {"appointment_id": an_id(14), "site_id": SITE_ID},
    "decline-offer": {"appointment_id": an_id(14), "site_id": SITE_ID},
    "link-practitioner": {"provider_id": an_id(6), "practitioner_id": 12, "site_id": SITE_ID},
    "add-schedule": {
        "site_id": SITE_ID,
        "provider_id": an_id(6),
        "service_ids": [an_id(11)],
        "weekday": 4,
        "from": "09:00",
        "until": "17:00",
        "slot_minutes": 15,
        "valid_from": "2026-12-01",
        "valid_until": "2027-11-30",
        "capacity": 2,
        "every_n_weeks": 2,
        "anchor_date": "2026-11-30",
        "point_id": an_id(2),
        "buffer_minutes": 5,
        "notice_minutes": 120,
        "days_ahead": 60,
        "opens_before": 240,
    },
    "change-schedule": {
        "schedule_id": an_id(12),
        "from_date": "2027-01-01",
        "service_ids": [an_id(11)],
        "weekday": 4,
        "from": "09:00",
        "until": "17:00",
        "slot_minutes": 15,
        "valid_until": "2027-11-30",
        "capacity": 2,
        "every_n_weeks": 2,
        "anchor_date": "2026-11-30",
        "point_id": an_id(2),
        "buffer_minutes": 5,
        "notice_minutes": 120,
        "days_ahead": 60,
        "opens_before": 240,
        "stranded": "keep",
        "site_id": SITE_ID,
    },
    "end-schedule": {
        "schedule_id": an_id(12),
        "last_date": "2027-01-01",
        "stranded": "cancel",
        "site_id": SITE_ID,
    },
    "add-exception": {
        "site_id": SITE_ID,
        "provider_id": an_id(6),
        "date": "2026-12-24",
        "kind": "extra",
        "from": "09:00",
        "until": "12:00",
        "reason": "Saturday clinic",
        "service_ids": [an_id(11)],
        "slot_minutes": 15,
        "capacity": 2,
        "point_id": an_id(2),
        "buffer_minutes": 5,
        "stranded": "keep",
    },
    "remove-exception": {"exception_id": an_id(13), "stranded": "cancel", "site_id": SITE_ID},
    "hide-checklist": {"site_id": SITE_ID},
    "end-trial": {"site_id": SITE_ID},
}
# What may be left out; ``site_id`` may wherever another id names the site.
OPTIONAL = {
    "hold-slot": {"provider_id", "fold", "minutes", "hold_token"},
    "book": set(FULL["book"]) - {"site_id", "service_id", "local_start", "name"},
    "book-series": {*("minutes", "skip_taken", "phone", "email", "date_of_birth", "language", "needs", "note")},
    "reschedule": {"fold", "minutes", "provider_id", "overbook"},
    "amend-appointment": set(FULL["amend-appointment"]) - {"appointment_id"},
    "cancel-appointment": {"reason"},
    "check-in": {"queue_id", "anyway", "valid_until"},
    "move-appointments": {"to_provider_id", "from", "until", "unplaced"},
    "link-practitioner": {"practitioner_id"},
    "add-schedule": {
        *("valid_until", "capacity", "every_n_weeks", "anchor_date", "point_id"),
        *("buffer_minutes", "notice_minutes", "days_ahead", "opens_before"),
    },
    "change-schedule": set(FULL["change-schedule"]) - {"schedule_id", "from_date"},
    "end-schedule": {"stranded"},
    "add-exception": set(FULL["add-exception"]) - {"site_id", "date", "kind", "reason"},
    "remove-exception": {"stranded"},
    "issue-ticket": set(FULL["issue-ticket"]) - {"queue_id"},
    "transfer": {"provider_id"},
    "reprioritise": {"reason"},
    "amend-visit": {"name", "phone", "party_size", "language", "needs", "date_of_birth", "name_on_display", "second_ticket"},
    "change-site": set(FULL["change-site"]) - {"site_id"},
    "add-service": {"names"},
    "change-service": {"name", "public_name", "position", "names"},
    "change-provider": {"name", "position"},
    "add-queue": {"service_id", "capacity", "joins_anew", "names"},
    "change-queue": {"name", "service_id", "capacity", "joins_anew", "position", "names"},
    "add-point": {"unmet_needs", "names"},
    "change-point": {"name", "queue_ids", "unmet_needs", "position", "names"},
    "change-display": {"queue_ids", "point_ids"},
    "change-kiosk": {"queue_ids", "printing", "low", "check_in", "place"},
    "clear-unreached": {"told"},
}
OF_SITES = {
    *("add-service", "add-provider", "add-queue", "add-point", "add-display", "add-kiosk"),
    *("announce-delay", "withdraw-delay"),
    *("change-site", "broadcast-message", "close-day", "hide-checklist", "end-trial", "arrange"),
    *("add-schedule", "add-exception", "hold-slot", "release-slot", "book", "book-series"),
}


# What must be there, and may be null: it says "first", or "no message".
NULLABLE = {
    ("move", "behind_entry_id"),
    ("broadcast-message", "message"),
    ("staff-point", "provider_id"),
    ("reassign-provider", "to_provider_id"),
}


# Lists that must have something in them.
FILLED = {("add-point", "queue_ids"), ("change-point", "queue_ids"), ("arrange", "record_ids")}
# What may be left out and is then something of its own, so that null would say nothing.
NEVER_NULL = {
    *(
        ("issue-ticket", field)
        for field in ("priority", "party_size", "needs", "name_on_display", "overrule", "second_ticket")
    ),
    ("amend-visit", "second_ticket"),
    *(("add-queue", field) for field in ("capacity", "joins_anew")),
    ("add-point", "unmet_needs"),
    *((name, field) for name in ("hold-slot", "reschedule") for field in ("fold",)),
    *(("book", field) for field in ("fold", "needs", "anyway", "wants_earlier")),
    *(("book-series", field) for field in ("skip_taken", "needs")),
    ("check-in", "anyway"),
    ("clear-unreached", "told"),
    *(("move-appointments", field) for field in ("from", "until", "unplaced")),
}


def is_optional(name: str, field: str) -> bool:
    if field == "site_id":
        return name not in OF_SITES
    return field in OPTIONAL.get(name, ())


JSON = (b"content-type", b"application/json")


def request(chunks: Iterable[bytes], headers: dict[str, str] | None = None) -> Request:
    """Return a real request whose body arrives in these pieces."""
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    arriving = iter(messages)

    async def receive() -> Message:
        return next(arriving)

    raw = [
        (name.encode(), value.encode()) for name, value in ({"content-type": "application/json"} | (headers or {})).items()
    ]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw}, receive)


async def parse(name: str, body: object) -> Command:
    """Return the command that a body gives; bytes are sent as they are, anything else as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return command_from(name, await read(request([raw]), MODELS[name]))


async def refusal(name: str, body: object) -> InvalidBody:
    with pytest.raises(InvalidBody) as caught:
        await parse(name, body)
    return caught.value


def named(error: InvalidBody) -> set[str]:
    """Return the fields that a refusal names."""
    found = error.details["fields"]
    assert isinstance(found, list)
    assert all(each["message"] for each in found)
    assert error.message.startswith(found[0]["field"] + ": ")
    return {each["field"] for each in found}


def tupled(value: Any) -> Any:
    value = list(map(list, value.items())) if isinstance(value, dict) else value
    return tuple(tupled(each) for each in value) if isinstance(value, list) else value


def attribute(field: str) -> str:
    """Return the name in Python of a field of a body."""
    return "from_" if field == "from" else field


FIELDS = [(name, field) for name, body in FULL.items() for field in body]


def test_every_command_of_the_api_has_a_model_and_an_example_here() -> None:
    assert set(MODELS) == {name for name, kind in COMMANDS.items() if not kind.internal} == set(FULL)
    assert "tick" not in MODELS
    for name, body in FULL.items():
        assert set(MODELS[name].model_fields) == set(body)


@pytest.mark.parametrize("name", FULL)
async def test_full_body_becomes_the_command(name: str) -> None:
    command = await parse(name, FULL[name])
    assert type(command) is COMMANDS[name]
    for item in fields(command):  # type: ignore[arg-type]
        assert getattr(command, item.name) == tupled(FULL[name][on_wire(item.name)])


@pytest.mark.parametrize("name", FULL)
async def test_required_fields_are_enough(name: str) -> None:
    least = {field: value for field, value in FULL[name].items() if not is_optional(name, field)}
    command = await parse(name, least)
    assert command.site_id == SITE_ID
    if isinstance(command, IssueTicket):
        assert command == IssueTicket(queue_id=an_id(1))


@pytest.mark.parametrize(("name", "field"), FIELDS)
async def test_missing_field_is_named(name: str, field: str) -> None:
    body = {key: value for key, value in FULL[name].items() if key != field}
    if is_optional(name, field):
        assert (await parse(name, body)).site_id == SITE_ID
    else:
        assert named(await refusal(name, body)) == {field}


@pytest.mark.parametrize("name", FULL)
@pytest.mark.parametrize("extra", ["x", "Site_id", "site_id ", "__proto__", "internal", "", "\x00", "id", "token"])
async def test_unknown_field_is_named(name: str, extra: str) -> None:
    """A name without the form of a field is not repeated: it may be a value in the wrong place."""
    expected = {"x": "x", "internal": "internal", "id": "id", "token": "token"}.get(extra, "(unknown)")
    assert named(await refusal(name, {**FULL[name], extra: 1})) == {expected}


@pytest.mark.parametrize(("name", "field"), FIELDS)
async def test_value_of_another_type_is_refused_and_not_converted(name: str, field: str) -> None:
    right = FULL[name][field]
    wrong: list[Any] = [[[]], {"a": 1}, 1.5, [right], {"value": right}, *([] if isinstance(right, dict) else [{}])]
    if not (isinstance(right, list) and (name, field) not in FILLED):
        wrong.append([])
    if not isinstance(right, str):
        wrong += ["", "x", str(right), "1", "true", "null"]
    if not isinstance(right, bool):
        wrong += [True, False]
    if isinstance(right, bool) or not isinstance(right, int):
        wrong += [0, 1, an_id(1)]
    if isinstance(right, int):
        wrong += [float(right), -1.0]
    if not ((name, field) in NULLABLE or (is_optional(name, field) and (name, field) not in NEVER_NULL)):
        wrong.append(None)
    for value in wrong:
        if isinstance(right, list) and value == [right[0]]:
            continue
        error = await refusal(name, {**FULL[name], field: value})
        assert {each.split(".")[0] for each in named(error)} == {field}, value


ZERO_REMOVES = {("change-schedule", "point_id")}


@pytest.mark.parametrize(
    ("name", "field"), [each for each in FIELDS if each[1].endswith("_id") and isinstance(FULL[each[0]][each[1]], int)]
)
async def test_ids_are_positive_and_fit_the_numbers_of_a_browser(name: str, field: str) -> None:
    body = {key: value for key, value in FULL[name].items() if key != "site_id" or name in OF_SITES or field == key}
    none = set() if (name, field) in ZERO_REMOVES else {0}
    for value in (*none, -1, MAX_ID + 1, 2**63, 2**64, 10**30, -(2**63), -(10**30)):
        assert named(await refusal(name, {**body, field: value})) == {field}
    for value in (1, MAX_ID):
        model = MODELS[name]
        assert getattr(await read(request([json.dumps({**body, field: value}).encode()]), model), field) == value


BAD_STARTS = ["", "2027-01-15", "2027-01-15 09:00", "2027-01-15T09:00:00", "2027-01-15T09:00Z", "2027-1-15T9:00"]
MANY_NAMES = {f"x-{n}": "x" for n in range(21)}
BOUNDS: list[tuple[str, str, list[Any], list[Any]]] = [
    ("issue-ticket", "party_size", [1, 20], [0, -1, 21, 10**30]),
    ("issue-ticket", "priority", ["standard", "assisted", "urgent", "emergency"], ["", "Urgent", "vip", "standard "]),
    (
        "issue-ticket",
        "language",
        ["de", "gsw", "pt-BR", "ZH-hant", "es-419", None],
        ["", "d", "a language", "de-de-de", "de_DE", "de-", "de\n", " de", "de-DE-x"],
    ),
    (
        "issue-ticket",
        "phone",
        ["12345", "+491711234567", "(030) 123-45", "030/901820", "555.123.4567", "030 1 ext 3", "٠١٢٣٤٥", "9" * 40, None],
        ["", "1" * 41, "abcde", "12345\n", "12345 "],
    ),
    ("issue-ticket", "name", ["A", "x" * 80, "Søren Åström", "李小龍", None], ["", "x" * 81]),
    ("cancel", "reason", ["abc", "x" * 200], ["", "ab", "x" * 201]),
    ("reprioritise", "reason", ["abc", "x" * 200, None], ["", "ab", "x" * 201]),
    ("move", "reason", ["abc", "x" * 200], ["", "ab", "x" * 201]),
    ("announce-delay", "minutes", [5, 240], [4, 241, None, 5.5]),
    ("close-day", "reason", ["abc", "x" * 200], ["", "ab", "x" * 201]),
    ("broadcast-message", "message", ["A", "x" * 200, None], ["", "x" * 201]),
    ("running-late", "minutes", [0, 1, 240], [-1, 241, 10**30]),
    ("issue-ticket", "needs", [[], ["step_free"], ["chaperone"] * 4], [["chaperone"] * 5, ["stairs"], [1], ["Step_free"]]),
    ("issue-ticket", "email", ["a@b.org", None], ["", "a", "@b", "a@", "a b@c.org", "a@b\n", "a@b@c", "x" * 65 + "@b.org"]),
    (
        "issue-ticket",
        "date_of_birth",
        ["1985-12-10", "2024-02-29", None],
        ["", "1985", "1985-02-30", "10.12.1985", "1885-01-01", "2023-02-29"],
    ),
    ("issue-ticket", "notes", ["A", "x" * 500, None], ["", "x" * 501]),
    ("amend-visit", "name", ["", "A", "x" * 80, None], ["x" * 81]),
    ("amend-visit", "phone", ["", "12345", "+" + "1" * 24, None], ["1" * 41, "call me"]),
    ("amend-visit", "date_of_birth", ["", "1985-12-10", None], ["1985-02-30", "10.12.1985", " "]),
    ("change-site", "region", ["", "DE", "EG", None], ["de", "DEU", "D"]),
    ("amend-visit", "party_size", [1, 20, None], [0, 21]),
    ("amend-visit", "language", ["de", "zh-Hant", None], ["", "d"]),
    ("amend-visit", "needs", [[], ["interpreter"], None], [["interpreter"] * 5, ["x"]]),
    ("reassign-provider", "reason", ["abc", "x" * 200], ["", "ab", "x" * 201]),
    ("change-site", "name", ["A", "x" * 80, None], ["", "x" * 81]),
    ("change-site", "time_zone", ["UTC", "x" * 64, None], ["", "x" * 65]),
    ("change-site", "language", ["de", "zh-Hant", None], ["", "d"]),
    ("change-site", "clock", ["auto", "12", "24", None], ["", "13", 12]),
    ("change-site", "languages", [[], ["ar", "es-419"], ["ar"] * 20, None], [["ar"] * 21, ["a"], ["ar\n"], "ar", [None]]),
    *(
        (
            f"{verb}-{kind}",
            "names",
            [{}, {"ar": "x" * 80}, None],
            [
                {"ar": ""},
                {"ar": "x" * 81},
                {"a": "x"},
                {"ar": " x"},
                ["x"],
                MANY_NAMES,
            ],
        )
        for verb in ("add", "change")
        for kind in ("service", "queue", "point")
    ),
    ("change-site", "day_turns_at_minutes", [0, 1439, None], [-1, 1440]),
    *(
        ("change-site", field, [0, 240, None], [-1, 241])
        for field in (
            *("head_start_urgent", "head_start_assisted", "booking_lead", "booking_grace", "return_lead"),
            *("target_standard", "target_assisted", "target_urgent"),
        )
    ),
    ("change-site", "recalls_before_no_show", [0, 10, None], [-1, 11]),
    ("change-site", "minutes_before_no_show", [0, 60, None], [-1, 61]),
    ("change-site", "minutes_call_stands", [1, 240, None], [0, 241]),
    ("change-site", "check_in_from", [0, 1440, None], [-1, 1441]),
    ("change-site", "check_in_until", [0, 240, None], [-1, 241]),
    ("change-site", "cancel_until", [0, 10_080, None], [-1, 10_081]),
    ("change-site", "message_ways", [[], ["sms", "email", "push"], None], [["fax"], ["sms"] * 4, "sms"]),
    ("change-site", "reminders", [[], [1, 336], [24] * 4, None], [[0], [337], [24] * 5, ["24"], 24]),
    ("change-site", "quiet_from", [0, 1439, None], [-1, 1440]),
    ("change-site", "quiet_until", [0, 1439, None], [-1, 1440, "08:00"]),
    ("change-site", "joins_per_phone", [1, 10, None], [0, 11]),
    ("change-site", "joins_per_hour", [1, 1000, None], [0, 1001]),
    (
        "change-site",
        "hours",
        [[], [[0, 1, 2]], [[0, 1, 2]] * 50, None],
        [
            [[0, 1]],
            [[0, 1, 2]] * 51,
            [["0", 1, 2]],
            [[-1, 1, 2]],
            [[0, 1, 1441]],
            [[0, -(2**70), 2]],
            [[2**70, 1, 2]],
        ],
    ),
    ("change-site", "closed_on", [[], ["2026-12-25"] * 100, None], [["2026-12-25"] * 101, [1]]),
    *(
        (name, field, ["A", "x" * 80], ["", "x" * 81])
        for name in ("add-service", "change-service")
        for field in ("name", "public_name")
    ),
    *((name, "name", ["A", "x" * 80], ["", "x" * 81]) for name in ("add-provider", "change-provider", "change-queue")),
    *((name, "name", ["A", "x" * 80], ["", "x" * 81]) for name in ("change-point", "add-kiosk", "rename-device")),
    *((f"change-{kind}", "position", [0, 1000, None], [-1, 1001]) for kind in ("service", "provider", "queue", "point")),
    ("add-queue", "capacity", [0, 10_000], [-1, 10_001]),
    ("change-queue", "capacity", [0, 10_000, None], [-1, 10_001]),
    ("add-point", "unmet_needs", [[], ["step_free"]], [["step_free"] * 5, ["x"]]),
    ("change-point", "unmet_needs", [[], ["step_free"], None], [["step_free"] * 5, ["x"]]),
    ("change-point", "queue_ids", [[an_id(1)], [an_id(1)] * 50, None], [[], [an_id(1)] * 51, ["1"]]),
    *(
        ("change-display", field, [[], [an_id(1)] * 200, None], [[an_id(1)] * 201, ["1"]])
        for field in ("queue_ids", "point_ids")
    ),
    ("issue-ticket", "valid_until", [0, 2**53 - 1, None], [-1, 2**53, "1"]),
    ("change-kiosk", "queue_ids", [[], [an_id(1)] * 200, None], [[an_id(1)] * 201, ["1"]]),
    ("change-kiosk", "place", ["", "x" * 80, None], ["x" * 81]),
    ("answer-help", "name", ["A", "x" * 80], ["", "x" * 81]),
    *(
        (name, field, good if name.startswith("add") else [*good, None], bad)
        for name in ("add-schedule", "change-schedule")
        for field, good, bad in (
            ("service_ids", [[an_id(1)], [an_id(1)] * 50], [[], [an_id(1)] * 51, ["1"]]),
            ("weekday", [0, 6], [-1, 7, "1"]),
            ("from", ["00:00", "23:55"], ["24:00", "9:00", "09:60", "", "09:00\n"]),
            ("until", ["00:05", "24:00"], ["24:05", "25:00", "9:00", ""]),
            ("slot_minutes", [5, 720], [0, 4, 725]),
            ("capacity", [1, 50], [0, 51]),
            ("every_n_weeks", [1, 52], [0, 53]),
            ("buffer_minutes", [0, 240], [-1, 241]),
            ("notice_minutes", [0, 43_200], [-1, 43_201]),
            ("days_ahead", [0, 730], [-1, 731]),
            ("opens_before", [0, 43_200], [-1, 43_201]),
        )
    ),
    *(
        (name, "local_start", ["2027-01-15T09:00"], BAD_STARTS)
        for name in ("hold-slot", "book", "book-series", "reschedule")
    ),
    *((name, "fold", [0, 1], [-1, 2]) for name in ("hold-slot", "book", "reschedule")),
    *((name, "minutes", [5, 720, None], [0, 4, 721]) for name in ("hold-slot", "book", "book-series", "reschedule")),
    *((name, "hold_token", ["x", "x" * 80], ["", "x" * 81]) for name in ("hold-slot", "release-slot", "book")),
    *((name, "name", ["A", "x" * 80], ["", "x" * 81]) for name in ("book", "book-series", "amend-appointment")),
    *(
        (name, field, right, wrong)
        for name in ("book", "book-series", "amend-appointment")
        for field, right, wrong in (
            ("phone", ["1", "+49 30 901820", "1" * 40, None], ["x", "1" * 41]),
            ("email", ["a@b", None], ["a", "a@", "@b", "a b@c"]),
            ("date_of_birth", ["1985-12-10", None], ["1985-02-30", "1785-12-10", "10.12.1985"]),
            ("language", ["ar", "zh-Hant", None], ["", "x" * 40, "de_DE"]),
            ("needs", [[], ["interpreter"]], [["x"], ["interpreter"] * 5]),
            ("note", ["x", "x" * 500, None], ["x" * 501]),
        )
    ),
    *((name, "overbook", ["abc", "x" * 200, None], ["", "ab", "x" * 201]) for name in ("book", "reschedule")),
    ("book", "foreign_id", ["x", "x" * 80, None], ["", "x" * 81]),
    ("book-series", "every_days", [1, 92], [0, 93]),
    ("book-series", "count", [2, 60], [1, 61]),
    *((name, "version", [1, 1_000_000], [0, 1_000_001]) for name in ("reschedule", "cancel-appointment")),
    ("cancel-appointment", "reason", ["abc", "x" * 200, None], ["", "ab", "x" * 201]),
    ("check-in", "valid_until", [0, 2**53 - 1, None], [-1, 2**53, "1"]),
    ("move-appointments", "date", ["2027-01-15"], ["2027-02-30", "2027-1-1", ""]),
    ("move-appointments", "reason", ["abc", "x" * 200], ["", "ab", "x" * 201]),
    ("move-appointments", "from", ["00:00", "23:59"], ["24:00", "9:00", ""]),
    ("move-appointments", "until", ["00:01", "24:00"], ["24:01", "9:00", ""]),
    ("move-appointments", "unplaced", ["refuse", "keep", "cancel"], ["", "drop"]),
    ("add-schedule", "valid_from", ["2026-12-01"], ["2026-02-30", "2026-1-1", "", "2126-12-01"]),
    *(
        (name, field, ["2027-12-01", None], ["2027-02-30", "2027-1-1", ""])
        for name in ("add-schedule", "change-schedule")
        for field in ("valid_until", "anchor_date")
        if (name, field) != ("change-schedule", "valid_until")
    ),
    ("change-schedule", "valid_until", ["2027-12-01", "", None], ["2027-02-30", " ", "1.12.2027"]),
    ("change-schedule", "point_id", [0, 1, MAX_ID, None], [-1, MAX_ID + 1, "0"]),
    ("change-schedule", "from_date", ["2027-12-01"], ["2027-02-30", "", None]),
    ("end-schedule", "last_date", ["2027-12-01"], ["2027-02-30", "", None]),
    ("add-exception", "date", ["2027-12-01"], ["2027-02-30", "", None]),
    ("add-exception", "kind", ["closed", "extra"], ["", "open", None]),
    ("add-exception", "from", ["00:00", "23:55"], ["24:00", "9:00", None]),
    ("add-exception", "until", ["00:05", "24:00"], ["24:05", "9:00", None]),
    ("add-exception", "reason", ["abc", "x" * 200], ["ab", "x" * 201]),
    ("add-exception", "service_ids", [[an_id(1)], None], [[], [an_id(1)] * 51]),
    ("add-exception", "slot_minutes", [5, 720, None], [4, 725]),
    ("add-exception", "capacity", [1, 50], [0, 51, None]),
    ("add-exception", "buffer_minutes", [0, 240], [-1, 241]),
    *(
        (name, "stranded", ["keep", "cancel", None], ["", "move"])
        for name in ("change-schedule", "end-schedule", "add-exception", "remove-exception")
    ),
    ("arrange", "record_ids", [[an_id(1)], [an_id(1)] * 200], [[], [an_id(1)] * 201, ["1"], [None], [[1]]]),
    ("add-queue", "name", ["A", "x" * 80], ["", "x" * 81]),
    ("add-queue", "prefix", list("AMZ"), ["", "a", "AA", "1", "Ä", "A ", "A\n", "-"]),
    ("add-point", "queue_ids", [[an_id(1)], [an_id(1)] * 50], [[], [an_id(1)] * 51, ["1"], [None], [True], [1.0], [[1]]]),
    ("add-point", "name", ["A", "x" * 80], ["", "x" * 81]),
    ("add-display", "name", ["A", "x" * 80], ["", "x" * 81]),
]


@pytest.mark.parametrize(("name", "field", "good", "bad"), BOUNDS, ids=[f"{each[0]}-{each[1]}" for each in BOUNDS])
async def test_values_within_the_bounds_are_accepted_and_others_refused(
    name: str, field: str, good: list[Any], bad: list[Any]
) -> None:
    for value in good:
        command = await parse(name, {**FULL[name], field: value})
        assert getattr(command, attribute(field)) == tupled(value)
    for value in bad:
        error = await refusal(name, {**FULL[name], field: value})
        assert {each.split(".")[0] for each in named(error)} == {field}, value


def test_every_bound_of_a_command_is_tested_above() -> None:
    bounded = {(name, on_wire(item.name)) for name in FULL for item in fields(COMMANDS[name]) if item.metadata}  # type: ignore[arg-type]
    assert bounded <= {(name, field) for name, field, _, _ in BOUNDS}


TEXTS = [(name, field) for name, field in FIELDS if isinstance(FULL[name][field], str) and field != "priority"]


@pytest.mark.parametrize(("name", "field"), TEXTS)
async def test_control_characters_and_outer_spaces_are_refused(name: str, field: str) -> None:
    for code in (*range(32), 127):
        for text in (f"A{chr(code)}b", chr(code), f"{chr(code)}A", f"A{chr(code)}"):
            assert named(await refusal(name, {**FULL[name], field: text})) == {field}, code
    for text in (" A", "A ", "\u00a0A", "A\u2003", " ", "\u3000"):
        assert named(await refusal(name, {**FULL[name], field: text})) == {field}, text


async def test_several_wrong_fields_are_all_named() -> None:
    error = await refusal("issue-ticket", {"queue_id": "1", "party_size": 0, "name": "", "colour": "red"})
    assert named(error) == {"queue_id", "party_size", "name", "colour"}


async def test_wrong_value_is_not_repeated_in_the_answer() -> None:
    """A mistyped name or number is still personal data: an answer, and so a log, does not repeat it."""
    for field, value in (("name", "Xanthopoulou\x07"), ("phone", "call Xanthopoulou"), ("language", "Xanthopoulou")):
        error = await refusal("issue-ticket", {"queue_id": an_id(1), field: value})
        assert "Xanthopoulou" not in error.message + json.dumps(error.details)


MALFORMED: list[bytes] = [
    b"",
    b" ",
    b"{",
    b'{"queue_id":}',
    b'{"queue_id":1,}',
    b"{'queue_id':1}",
    b'{"queue_id":01}',
    b'{"queue_id":+1}',
    b'{"queue_id":.5}',
    b'{"queue_id":1}{"queue_id":1}',
    b'{"queue_id":1}x',
    b'{"queue_id":NaN}',
    b'{"queue_id":Infinity}',
    b'{"queue_id":-Infinity}',
    b'{"queue_id":1e999}',
    b'{"queue_id":1,"name":"\\ud800"}',
    b'{"queue_id":1,"name":"\\udc00\\ud800"}',
    b'{"queue_id":1,"\\ud800":1}',
    b'{"queue_id":1,"name":"\xed\xa0\x80"}',  # a lone surrogate in bytes
    b'{"queue_id":1,"name":"\xff"}',
    b'{"queue_id":1,"name":"a\x00b"}',  # a bare control character
    b'{"queue_id":1,"name":"a\nb"}',
    b"\xef\xbb\xbf{}",
    '{"queue_id":1}'.encode("utf-16"),
    b"[" * 3000 + b"]" * 3000,
    b'{"queue_id":' + b"9" * 5000 + b"}",
]


@pytest.mark.parametrize("raw", MALFORMED, ids=lambda raw: repr(raw[:40]))
async def test_body_that_is_not_json_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedBody) as caught:
        await parse("issue-ticket", raw)
    assert caught.value.code == "malformed_body"
    assert caught.value.details["problem"]


@pytest.mark.parametrize("raw", [b"null", b"1", b"true", b'"x"', b"[]", b"[{}]", b'[["queue_id",1]]'])
async def test_body_that_is_not_an_object_is_invalid(raw: bytes) -> None:
    assert named(await refusal("issue-ticket", raw)) == {"body"}


async def test_deep_nesting_is_refused_without_recursion() -> None:
    for depth in (50, 300, 900):
        raw = b'{"queue_id":' + b"[" * depth + b"]" * depth + b"}"
        with pytest.raises((InvalidBody, MalformedBody)):
            await parse("issue-ticket", raw)
        raw = b'{"queue_id":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
        with pytest.raises((InvalidBody, MalformedBody)):
            await parse("issue-ticket", raw)


async def test_last_value_of_a_repeated_key_counts() -> None:
    """As in a browser's JSON.parse."""
    raw = b'{"queue_id":%d,"queue_id":%d}' % (an_id(1), an_id(2))
    assert await parse("issue-ticket", raw) == IssueTicket(queue_id=an_id(2))
    assert named(await refusal("issue-ticket", b'{"queue_id":%d,"queue_id":"x"}' % an_id(1))) == {"queue_id"}


async def test_escapes_and_spaces_of_json_do_not_change_the_value() -> None:
    raw = b'\n\t{ "queue_id" : %d , "name" : "\\u0041da \\ud83d\\ude00" }\r\n' % an_id(1)
    assert await parse("issue-ticket", raw) == IssueTicket(queue_id=an_id(1), name="Ada \N{GRINNING FACE}")


junk: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@examples(500)
@given(st.sampled_from(list(FULL)), st.booleans(), st.data())
async def test_any_json_is_refused_by_name_or_becomes_a_command(name: str, on_top: bool, data: st.DataObject) -> None:
    """Only errors of the tree are raised, and each field of a command has its declared type."""
    mess = data.draw(st.dictionaries(st.sampled_from([*FULL[name], "x"]), junk, max_size=3 if on_top else 9))
    body = {**FULL[name], **mess} if on_top else mess
    refused: InvalidBody | None = None
    try:
        command = await parse(name, body)
    except InvalidBody as error:
        refused = error
    if refused is not None:
        assert {each.split(".")[0] for each in named(refused)} <= {*body, *FULL[name]}
    else:
        assert type(command) is COMMANDS[name]
        assert not any(isinstance(getattr(command, attribute(field)), float | list | dict) for field in FULL[name])


@examples(150)
@given(st.binary(max_size=40))
async def test_any_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises((InvalidBody, MalformedBody)):
        await parse("issue-ticket", raw)


# The site


@pytest.mark.parametrize("name", [name for name in FULL if name not in OF_SITES])
async def test_site_that_differs_from_the_site_of_the_ids_is_refused(name: str) -> None:
    error = await refusal(name, {**FULL[name], "site_id": SITE_ID + 1})
    assert named(error) == {"site_id"}
    assert "another site" in error.message
    assert error.code == "invalid_body"


async def test_site_is_optional_next_to_ids() -> None:
    assert (await parse("call-next", {"point_id": an_id(2), "site_id": None})) == CallNext(point_id=an_id(2))
    assert (await parse("transfer", {"entry_id": an_id(3), "queue_id": an_id(1)})) == Transfer(
        entry_id=an_id(3), queue_id=an_id(1)
    )
    assert (await parse("add-queue", {"site_id": 3, "name": "X", "prefix": "A"})) == AddQueue(
        site_id=3, name="X", prefix="A"
    )


async def test_list_becomes_a_tuple() -> None:
    command = await parse("add-point", FULL["add-point"])
    assert isinstance(command, AddPoint)
    assert command.queue_ids == (an_id(1), an_id(5))
    assert hash(command) == hash(command)


# Size


def padded(size: int) -> bytes:
    body = json.dumps(FULL["call-next"]).encode()
    return body + b" " * (size - len(body))


async def test_body_at_the_limit_is_read() -> None:
    model = MODELS["call-next"]
    raw = padded(MAX_BODY_BYTES)
    assert await read(request([raw]), model)
    assert await read(request([raw], {"content-length": str(len(raw))}), model)
    assert await read(request([raw[at : at + 1000] for at in range(0, len(raw), 1000)]), model)


async def test_body_of_one_byte_more_is_too_large() -> None:
    model = MODELS["call-next"]
    raw = padded(MAX_BODY_BYTES + 1)
    for sent in (request([raw]), request([raw[:-1], raw[-1:]]), request([raw], {"content-length": "5"})):
        with pytest.raises(BodyTooLarge) as caught:
            await read(sent, model)
        assert caught.value.details == {"limit": MAX_BODY_BYTES}


async def test_declared_size_is_refused_before_the_body_is_read() -> None:
    async def receive() -> Message:
        raise AssertionError("nothing is to be read")

    headers = [JSON, (b"content-length", str(MAX_BODY_BYTES + 1).encode())]
    sent = Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)
    with pytest.raises(BodyTooLarge):
        await read(sent, MODELS["call-next"])


async def test_endless_body_is_cut() -> None:
    received = 0

    async def receive() -> Message:
        nonlocal received
        received += 1
        return {"type": "http.request", "body": b" " * 1024, "more_body": True}

    with pytest.raises(BodyTooLarge):
        await read(Request({"type": "http", "method": "POST", "path": "/", "headers": [JSON]}, receive), MODELS["call-next"])
    assert received <= MAX_BODY_BYTES // 1024 + 2


@pytest.mark.parametrize("length", ["-1", "x", "1e9", "", "0x10", "٩" * 3])
async def test_malformed_length_is_ignored(length: str) -> None:
    headers = [JSON, (b"content-length", length.encode("utf-8"))]
    messages = iter([{"type": "http.request", "body": json.dumps(FULL["call-next"]).encode(), "more_body": False}])

    async def receive() -> Message:
        return next(messages)

    sent = Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)
    assert await read(sent, MODELS["call-next"])


# Any model


async def test_read_accepts_any_model() -> None:
    class Login(Body):
        username: str

    assert (await read(request([b'{"username":"ada"}']), Login)).username == "ada"
    with pytest.raises(InvalidBody) as caught:
        await read(request([b'{"username":"ada","remember":true}']), Login)
    assert named(caught.value) == {"remember"}


def test_models_are_documented_by_their_commands() -> None:
    for name, model in MODELS.items():
        assert issubclass(model, BaseModel)
        assert model.__doc__ == COMMANDS[name].__doc__
        schema = model.model_json_schema()
        assert schema["additionalProperties"] is False
        assert schema["title"] == COMMANDS[name].__name__


@pytest.mark.parametrize("value", [10**30, 2**64, 2**53, 0, -5])
async def test_ids_in_a_list_have_the_bounds_of_ids(value: int) -> None:
    with pytest.raises(InvalidBody):
        await read_json("add-point", {"site_id": SITE_ID, "name": "Room", "queue_ids": [value]})


@pytest.mark.parametrize("character", ["\u0085", "\u009b", "\u202e", "\u2028", "\u200b", "\ufeff"])
async def test_invisible_characters_are_refused(character: str) -> None:
    """A name that reverses the text, or looks like another name, would be visible on a public screen."""
    with pytest.raises(InvalidBody):
        await read_json("issue-ticket", {"queue_id": an_id(1), "name": f"A{character}b"})


async def test_joiners_are_accepted_in_names() -> None:
    await read_json("issue-ticket", {"queue_id": an_id(1), "name": "\u0646\u0627\u0632\u200c\u0646\u06cc\u0646"})


async def read_json(name: str, body: dict[str, object]) -> Body:
    raw = json.dumps(body).encode()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": raw, "more_body": False}

    return await read(Request({"type": "http", "headers": [JSON]}, receive), MODELS[name])


@pytest.mark.parametrize(
    "kind",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"'],
)
async def test_json_is_read_as_json(kind: str) -> None:
    assert await read(request([b'{"point_id": 1}'], {"content-type": kind}), MODELS["call-next"])


@pytest.mark.parametrize(
    "kind",
    [
        "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=application/json", "*/*",
        "text/plain; application/json", "application/json, text/plain", "application/json; charset=utf-16",
        "application/jsonx",
    ],
)  # fmt: skip
async def test_body_of_another_media_type_is_refused(kind: str) -> None:
    """A form of another site can send most of these without a question to this server."""
    with pytest.raises(UnsupportedMediaType):
        await read(request([b'{"point_id": 1}'], {"content-type": kind}), MODELS["call-next"])


@pytest.mark.parametrize("name", sorted(MODELS))
async def test_text_without_a_visible_character_is_refused_in_every_field(name: str) -> None:
    """Joiners, fillers, an empty pattern of Braille, and private use draw nothing."""
    texts = [key for key, field in MODELS[name].model_fields.items() if bodies.is_plain(field)]
    for key in texts:
        for nothing in ("\u200d", "\u200c\u200d", "\u3164", "\u2800\u2800\u2800", "\ue000", "\U000f0000"):
            with pytest.raises(InvalidBody, match=key):
                await read_json(name, FULL[name] | {key: nothing})
