"""Texts that clinics write themselves."""

from __future__ import annotations

import pytest

from server.domain.errors import InvalidField
from server.domain.messages import LONGEST_TEXT
from server.notifying import sms
from server.notifying.drafts import (
    LONGEST_LINK,
    SAMPLE_TOKEN,
    broken,
    checked,
    most_parts,
    preview,
    problem_of,
)
from server.notifying.texts import TEXTS, Facts, sms_for
from server.store.tables import message_texts
from server.vault import new_token

FACTS = Facts(clinic="Riverside Clinic", link="https://clinic.example/a/x", label="A012", local_start="2026-07-01T09:00")
TWO_PARTS = 306  # of the GSM alphabet


@pytest.mark.parametrize("name", TEXTS)
def test_every_shipped_text_could_be_a_clinics_own(name: str) -> None:
    for language, text in TEXTS[name].items():
        assert checked(name, language, text) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "{clinic}: {date} {time} {link} {name}",
            "{name} is no placeholder of this text. Use {clinic}, {date}, {link}, {time}",
        ),
        ("{date} {time} {link} {label}", "{label} is no placeholder"),
        ("{date} {time} {link.host}", "{link.host} is no placeholder"),
        ("{date} {time} {link!r}", "{link!r} is no placeholder"),
        ("{date} {time:>9} {link}", "{time:>9} is no placeholder"),
        ("{date} {time} {link} {}", "{} is no placeholder"),
        ("{date} {time} {link} {0}", "{0} is no placeholder"),
        ("{date} {time} {link", "a brace has no partner"),
        ("{date} {time} {link} }", "a brace has no partner"),
        ("{clinic}: {date}", "{link}, {time} is missing"),
        ("", "{date}, {link}, {time} is missing"),
        ("{date} {time} {link} " + "long " * 60, "an SMS of this text can need 3 parts"),
        ("{date} {time} {link} " + "ê " * 40, "an SMS of this text can need 3 parts"),
    ],
)
def test_text_that_no_message_could_be_made_of_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidField) as refused:
        checked("reminder", "en", text)
    assert words in refused.value.message
    assert refused.value.details["field"] == "text"


@pytest.mark.parametrize("text", ["Your hiv  TEST {date}", "{date}: HIV-Test.", "HIV test"])
def test_true_name_of_a_service_is_refused(text: str) -> None:
    found = problem_of("reminder", "en", f"{text} {{date}} {{time}} {{link}}", secret_names=["Blood count", "HIV test"])
    assert found is not None
    assert (found.code, found.value) == ("secret", "HIV test")
    assert "must not tell" in found.told("reminder")
    assert problem_of("reminder", "en", "HIV tester {date} {time} {link}", secret_names=["HIV test", "..."]) is None


def test_longest_text_is_counted_to_the_character() -> None:
    """The link has 92 characters, the label 6. One more character is one part too many."""
    known = len("  ") + LONGEST_LINK + len("Z99999")
    full = "{label} {link} " + "x" * (TWO_PARTS - known)
    assert most_parts("called", "en", full) == 2
    assert problem_of("called", "en", full) is None
    found = problem_of("called", "en", f"{full}x")
    assert found is not None
    assert (found.code, found.value) == ("long", "3")
    assert len(full) < LONGEST_TEXT == message_texts.c.text.type.length  # type: ignore[attr-defined]


def test_long_address_of_an_installation_counts_as_it_is() -> None:
    text = "{label} {link} " + "x" * 150
    assert problem_of("called", "en", text) is None
    assert problem_of("called", "en", text, f"https://{'long.' * 30}example") is not None


def test_one_character_outside_the_alphabet_is_counted_with_every_month() -> None:
    """The French name of August has a character outside the GSM alphabet: the short date keeps the text in two parts."""
    text = "{clinic}: le {date} à {time}, à bientôt. {link}".replace("ô", "o") + "." * 120
    assert problem_of("reminder", "fr", text) is None
    august = Facts(clinic="C", link="x" * LONGEST_LINK, local_start="2026-08-26T09:00")
    assert sms.encoding_of(sms_for("reminder", ["fr"], august, {"fr": text})) == "gsm-7"


def test_clinics_name_does_not_count_because_it_becomes_shorter() -> None:
    text = "{clinic} {clinic} {label} {link} " + "x" * 150
    assert problem_of("called", "en", text) is None
    long = Facts(clinic="Universitätsklinikum Ñuñoa, Ambulatório " * 2, link="x" * LONGEST_LINK, label="A012")
    assert sms.parts(sms_for("called", ["en"], long, {"en": text})) <= 2


def test_preview_has_the_sms_the_mail_and_the_count() -> None:
    found = preview("reminder", "fr", "À bientôt le {date}, {time}\u202f: {link}", FACTS)
    assert found.text == "À bientôt le mer. 1 juil., 09:00\u202f: https://clinic.example/a/x"
    assert found.sms == "À bientôt le mer. 1 juil., 09:00 : https://clinic.example/a/x"
    assert (found.encoding, found.units, found.parts, found.most_parts) == ("ucs-2", len(found.sms), 1, 2)
    assert found.subject == "Rappel de votre rendez-vous \u00b7 Riverside Clinic"
    braces = preview("called", "en", "{label} {{€}} {link}", FACTS)
    assert braces.sms == "A012 {€} https://clinic.example/a/x"
    assert braces.units == len(braces.sms) + 3


def test_shipped_placeholders_are_whole() -> None:
    assert [broken(name, text) for name, texts in TEXTS.items() for text in texts.values() if broken(name, text)] == []


def test_sample_link_is_as_long_as_a_real_one() -> None:
    assert len(SAMPLE_TOKEN) == len(new_token(123, ""))
