"""Whatever reception or a room can be refused has words of its own: nobody there reads a code, or a server's sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from server.domain.model import AT_POINT, COMMANDS_OF_STEP, Cause
from server.domain.ranking import WhyNext
from server.identity.errors import (
    PASSWORD_REFUSALS,
    USER_NAME_REFUSALS,
    CodeWrong,
    OwnPasswordWrong,
    SecondFactorFailed,
    SecondFactorNotBegun,
    SecondFactorOff,
    SignInBusy,
    SignInExpired,
    SignInLocked,
)
from tests.support.documents import api_document

LOCALES = Path(__file__).parents[2] / "web" / "locales"
# The common texts, and those of the appointments, which reception loads with the first appointment.
WORDS: dict[str, Any] = {
    key: text
    for folder in (LOCALES, LOCALES / "appointments")
    for key, text in json.loads((folder / "en.json").read_text()).items()
}
# What the two screens send: every step of the day, and what reception does to queues, points and providers.
SENT = {
    *(name for names in COMMANDS_OF_STEP.values() for name in names),
    *("issue-ticket", "recall", "undo", "open-point", "break-point", "close-point", "staff-point", "reassign-provider"),
    *("open-queue", "pause-queue", "broadcast-message", "amend-visit", "add-display", "change-display", "revoke-token"),
    *("book", "reschedule", "cancel-appointment", "amend-appointment", "appointment-no-show", "hold-slot", "release-slot"),
    "move-appointments",
}
# In answer to these a dialog says so.
SAID_BY_DIALOGS = {"issue-ticket", "add-display", "hold-slot", "release-slot"}


def resolved(made: Any) -> Any:
    """Return a part of the document, with what it refers to in its place."""
    while isinstance(made, dict) and "$ref" in made:
        found: Any = api_document()
        for name in made["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        made = found
    return made


def refusals(path: str) -> set[str]:
    """Return the codes that what is posted there may be refused with, in the API's own description."""
    responses = api_document()["paths"][path]["post"]["responses"]
    found: set[str] = set()
    for status in {"404", "409", "422"} & set(responses):  # of the others, sign-in and the machine, every page speaks
        schema = resolved(responses[status])["content"]["application/json"]["schema"]
        found |= set(schema["properties"]["error"]["properties"]["code"]["enum"])
    return found


@pytest.mark.parametrize("path", ["/api/v1/pairings/{pairing}", *(f"/api/v1/commands/{each}" for each in sorted(SENT))])
def test_every_refusal_has_words(path: str) -> None:
    codes = refusals(path)
    assert codes, "the document says what it may answer"
    assert {code for code in codes if f"error.{code}" not in WORDS} == set()


def test_every_step_says_that_it_is_done() -> None:
    assert {name for name in SENT - SAID_BY_DIALOGS if f"done.{name}" not in WORDS} == set()


def test_every_reason_to_be_next_has_words() -> None:
    assert {why for why in WhyNext.__args__ if f"reason.{why}" not in WORDS} == set()  # type: ignore[attr-defined]


@pytest.mark.parametrize("language", ["en", "es", "fr", "ar"])
def test_refusals_of_sign_in_and_of_new_staff_have_words(language: str) -> None:
    words = json.loads((LOCALES / f"{language}.json").read_text())
    second_factor = (SecondFactorFailed, SignInExpired, OwnPasswordWrong, CodeWrong, SecondFactorNotBegun, SecondFactorOff)
    kinds = (SignInBusy, SignInLocked, *second_factor, *USER_NAME_REFUSALS, *PASSWORD_REFUSALS)
    codes = {kind().code for kind in kinds}
    assert {code for code in codes if f"error.{code}" not in words} == set()


@pytest.mark.parametrize("file", sorted(LOCALES.rglob("*.json")), ids=lambda file: str(file.relative_to(LOCALES)))
def test_no_text_has_two_versions(file: Path) -> None:
    """JSON keeps the last of two equal keys, so that a merge of two changes can hide one of them."""

    def checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        assert sorted(keys) == sorted(set(keys))
        return dict(pairs)

    assert json.loads(file.read_text(), object_pairs_hook=checked)


@pytest.mark.parametrize("language", ["en", "es", "fr", "ar"])
def test_every_cause_of_a_moved_range_has_a_sentence(language: str) -> None:
    words = json.loads((LOCALES / "ticket" / f"{language}.json").read_text())
    keys = {f"ticket.moved.{cause}" for cause in get_args(Cause)} | {f"ticket.moved.{cause}.going_on" for cause in AT_POINT}
    keys |= {"ticket.moved.late_start.doctor", "ticket.moved.late_start.going_on.doctor"}
    assert {key for key in words if key.startswith("ticket.moved.")} == keys
