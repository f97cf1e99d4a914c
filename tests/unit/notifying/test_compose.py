"""Messages, made from the records at the moment of sending."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.domain.messages import ALMOST_YOUR_TURN
from server.domain.model import Personal, Visit
from server.notifying.compose import compose
from server.queries.messages import Subject
from server.store.notifications import Claimed
from tests.support.vaults import VAULT

ROW = Claimed(7, 1, ALMOST_YOUR_TURN, 2, "sms", 12, None, 99, 0)
KNOWN = Personal(name="Nora", phone="+4930901820;ext=3", email="nora@example.org", token="1-secret")


def _subject(personal: Personal = KNOWN, language: str = "fr") -> Subject:
    sealed = VAULT.seal_personal(personal, "visit:12")
    visit = Visit(12, 1, "2026-01-01", "A012", "standard", 1, language, "N.", "hash", sealed, 0, 0)
    return Subject(3, "es", visit, None)


def test_message_has_label_and_link_and_no_name() -> None:
    message = compose(ROW, _subject(), VAULT, "https://clinic.example")
    assert message is not None
    assert message.key == "notification:7"
    assert message.text == (
        "A012 : c'est bientôt votre tour. Merci de revenir en salle d'attente. https://clinic.example/t/1-secret"
    )
    assert (message.subject, message.not_after) == ("Bientôt votre tour", 99)
    assert message.link == "https://clinic.example/t/1-secret"


def test_language_without_texts_falls_back_to_that_of_the_site() -> None:
    message = compose(ROW, _subject(language="tlh"), VAULT, "")
    assert message is not None
    assert message.subject == "Casi es su turno"


@pytest.mark.parametrize(("way", "address"), [("sms", "+4930901820"), ("email", "nora@example.org")])
def test_way_decides_the_address(way: str, address: str) -> None:
    message = compose(replace(ROW, channel=way), _subject(), VAULT, "")
    assert message is not None
    assert message.to == address


@pytest.mark.parametrize("way", ["sms", "email"])
def test_patient_without_an_address_gets_no_message(way: str) -> None:
    assert compose(replace(ROW, channel=way), _subject(Personal(name="Nora")), VAULT, "") is None


def test_deleted_record_gets_no_message() -> None:
    assert compose(ROW, Subject(3, "es", None, None), VAULT, "") is None


def test_kind_without_texts_is_an_error() -> None:
    with pytest.raises(KeyError):
        compose(replace(ROW, kind="feedback"), _subject(), VAULT, "")
