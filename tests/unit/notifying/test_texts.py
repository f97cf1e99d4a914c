"""The texts of messages."""

from __future__ import annotations

from dataclasses import replace
from string import Formatter
from typing import get_args

import pytest

from server.domain.messages import MISSED_CALL, TEMPLATES
from server.domain.model.clocks import Hours
from server.notifying import sms
from server.notifying.texts import (
    PLACEHOLDERS,
    SUBJECTS,
    TEXTS,
    Facts,
    sms_for,
    subject_for,
    template_of,
    text_for,
)
from server.vault import new_token

ARABIC = "مستشفى الضفة التعليمي للعيادات الخارجية التخصصية"
LANGUAGES = ("en", "es", "fr", "ar")
BASE = "https://queue.outpatients.riverside-university-hospitals.org"
LINK = f"{BASE}/a/{new_token(12_345, 'a')}"
FACTS = Facts(clinic="Riverside Clinic", link="https://clinic.example/a/x", label="A012", local_start="2026-07-01T09:00")
# Each weekday, and the last days of each month, so that every name of a day or a month occurs with two digits.
DAYS = tuple(f"2028-{month:02}-{day}" for month in range(1, 13) for day in ((28,) if month > 1 else range(22, 29)))
LONGEST = "Universitätsklinikum Ñuñoa, Ambulatório de Especialidades e Análises Clínicas Nº 2"


def test_text_has_the_label_and_the_link() -> None:
    text = text_for("almost-your-turn", ["fr"], FACTS)
    assert text.startswith("A012\u202f: votre tour approche")
    assert text.endswith("https://clinic.example/a/x")


def test_language_falls_back_to_its_base_then_to_the_site_then_to_english() -> None:
    spanish, english = (text_for("reminder", [tag], FACTS) for tag in ("es", "en"))
    assert text_for("reminder", ["es-419", "en"], FACTS) == spanish
    assert text_for("reminder", ["zh-Hant", "es-MX"], FACTS) == spanish
    assert text_for("reminder", ["zh-Hant", "tlh"], FACTS) == english


def test_text_has_the_wall_clock_of_the_clinic() -> None:
    """The browser that booked was in UTC; the record has the local time of the clinic in Berlin."""
    assert "Wed 1 Jul at 09:00" in text_for("booked", ["en"], FACTS)
    assert "mer. 1 juil. à 09:00" in text_for("booked", ["fr"], FACTS)
    assert "mié, 1 jul a las 9:00" in text_for("booked", ["es"], FACTS)
    assert "الأربعاء، 1 يوليو 09:00" in text_for("booked", ["ar"], FACTS)


def test_twelve_hour_clock_and_the_end_of_an_offer() -> None:
    facts = Facts(clinic="C", link="x", local_start="2026-07-01T15:30", until="14:05", clock="12")
    assert "at 3:30 pm. Take it by 2:05 pm" in text_for("freed-time", ["en"], facts)


def test_every_kind_has_a_text_and_a_title_in_all_languages() -> None:
    assert set(TEXTS) == set(SUBJECTS) == set(PLACEHOLDERS) == set(TEMPLATES)
    for texts in (*TEXTS.values(), *SUBJECTS.values()):
        assert tuple(texts) == LANGUAGES


def test_no_show_at_a_call_has_a_template_of_its_own() -> None:
    assert template_of("no-show", "entry:7") == MISSED_CALL
    assert template_of("no-show", "appointment:7") == "no-show"
    assert template_of("called", "entry:7") == "called"


def test_french_has_its_narrow_spaces_and_an_sms_has_plain_ones() -> None:
    for texts in (*TEXTS.values(), *SUBJECTS.values()):
        french = texts["fr"].replace("{link}", "")
        for index, each in enumerate(french):
            assert each not in ":;?!" or french[index - 1] == "\u202f", french
    assert sms.encoding_of(sms_for("booked", ["fr"], FACTS)) == "gsm-7"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize(
    "clinic", ["Riverside Clinic", LONGEST, ARABIC, "医院" * 40], ids=["usual", "accents", "arabic", "chinese"]
)
def test_every_sms_has_at_most_two_parts(language: str, name: str, clinic: str) -> None:
    assert len(BASE) == 60
    timed = "date" in PLACEHOLDERS[name].needed
    for clock in get_args(Hours):
        for day in DAYS if timed else DAYS[:1]:
            start = f"{day}T23:58"
            facts = Facts(
                clinic=clinic, link=LINK, label="Z99999", local_start=start, until="22:58", minutes=240, clock=clock
            )
            made = sms_for(name, [language], facts)
            assert sms.parts(made) <= 2, made
            assert made.endswith(LINK)
            assert not timed or str(int(day[-2:])) in made
            if clinic == "Riverside Clinic" and language != "ar" and "label" not in PLACEHOLDERS[name].known:
                assert made.startswith("Riverside Clinic"), "a usual name is whole"


def test_usual_sms_has_the_whole_name_and_the_long_date() -> None:
    facts = replace(FACTS, until="10:05", minutes=20)
    for language in LANGUAGES:
        for name in TEXTS:
            assert sms_for(name, [language], facts) == sms.plain(text_for(name, [language], facts))


def test_name_with_accents_loses_them_before_it_loses_letters() -> None:
    facts = Facts(clinic="Clínica São João", link=LINK, local_start="2026-07-04T09:00")
    assert sms_for("reminder", ["es"], facts).startswith("Clinica Sao Joao: le recordamos")


def test_own_text_comes_before_the_shipped_one() -> None:
    own = {"en": "See you {date}, {time} {{*}} {link}", "de": "Bis {date}, {time}: {link}"}
    assert text_for("reminder", ["en"], FACTS, own).endswith("09:00 {*} https://clinic.example/a/x")
    assert text_for("reminder", ["de"], FACTS, own).startswith("Bis Mi., 1. Juli, 09:00")
    assert "Wed 1 Jul" in text_for("reminder", ["tlh"], FACTS, {"tlh": "{date} {time} {link}"})
    assert text_for("reminder", ["fr"], FACTS, own).startswith("Riverside Clinic\u202f: rappel")


def test_title_names_the_clinic() -> None:
    assert subject_for("reminder", ["en"], "Riverside Clinic") == "Reminder of your appointment · Riverside Clinic"


def test_texts_name_no_service_provider_or_point() -> None:
    shipped = [text for texts in TEXTS.values() for text in texts.values()]
    fields = {part[1] for text in shipped for part in Formatter().parse(text) if part[1]}
    assert fields <= {"clinic", "label", "date", "time", "until", "minutes", "link"}


def test_title_has_the_language_of_the_text_or_is_the_clinic_alone() -> None:
    own = {"de": "Bis {date}, {time}: {link}", "es-MX": "Nos vemos {date}, {time}: {link}"}
    assert subject_for("reminder", ["de", "fr"], "Praxis", own) == "Praxis"
    assert subject_for("reminder", ["es-MX"], "Praxis", own) == "Recordatorio de su cita \u00b7 Praxis"
    assert subject_for("reminder", ["de", "fr"], "Praxis").startswith("Rappel de votre rendez-vous")
