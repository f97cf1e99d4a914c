"""The form of language tags, their usual case, and the choice of a language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from server.domain.commands import IssueTicket
from server.domain.model import languages
from server.transport.http import bodies
from server.transport.voice import VOICES

CASES = json.loads((Path(__file__).resolve().parents[3] / "support" / "language_cases.json").read_text())

# A tag as people type it, and as it is stored. The most are examples of RFC 5646, appendix A, and its irregular tags.
TAGS = {
    "zh-Hant": "zh-Hant",
    "es-419": "es-419",
    "pt-BR": "pt-BR",
    "EN-gb": "en-GB",
    "fil": "fil",
    "ZH-HANT-tw": "zh-Hant-TW",
    "zh-cmn-Hans-CN": "zh-cmn-Hans-CN",
    "sr-latn-rs": "sr-Latn-RS",
    "sl-rozaj-biske": "sl-rozaj-biske",
    "de-CH-1901": "de-CH-1901",
    "hy-Latn-IT-arevela": "hy-Latn-IT-arevela",
    "de-CH-x-phonebk": "de-CH-x-phonebk",
    "en-US-u-islamcal": "en-US-u-islamcal",
    "zh-CN-A-MYEXT-X-PRIVATE": "zh-CN-a-myext-x-private",
    "X-Whatever": "x-whatever",
    "I-KLINGON": "i-klingon",
    "sgn-be-fr": "sgn-BE-FR",
    "en-gb-oed": "en-GB-oed",
    "zh-min-nan": "zh-min-nan",
    f"de-Latn-DE-{'abcdefgh-' * 2}abcdef": f"de-Latn-DE-{'abcdefgh-' * 2}abcdef",  # the longest
}
WRONG = ("", "d", "de_DE", "german language", "german", "de-", "-de", "de--DE", "i-elvish", "de-419-DE", "a-DE", "x", "de-u",
         "de-x-", "\u0434\u0435", "de\n", "en-abcdefghi", f"de-Latn-DE-{'abcdefgh-' * 2}abcdefg")  # fmt: skip


def issued(language: str) -> Any:
    return bodies.MODELS["issue-ticket"].model_validate({"queue_id": 1, "language": language})


@pytest.mark.parametrize(("typed", "stored"), TAGS.items())
def test_well_formed_tag_is_accepted_and_stored_in_its_usual_case(typed: str, stored: str) -> None:
    assert issued(typed).language == typed
    assert languages.is_tag(typed)
    assert languages.usual(typed) == stored
    assert languages.usual(stored) == stored


@pytest.mark.parametrize("tag", WRONG)
def test_other_text_is_refused(tag: str) -> None:
    assert not languages.is_tag(tag)
    with pytest.raises(ValueError, match="language"):
        issued(tag)


def test_region_is_the_country_of_a_tag() -> None:
    tags = ("en-GB", "zh-Hant-TW", "es-419", "de", "de-u-co-ph", "x-de")
    assert [languages.region_of(each) for each in tags] == ["GB", "TW", "", "", "", ""]


@pytest.mark.parametrize("case", CASES, ids=lambda case: ",".join(case["wanted"]))
def test_best_supported_language_is_found(case: dict[str, Any]) -> None:
    assert languages.lookup(case["wanted"], case.get("supported", VOICES)) == case["found"]


def test_name_is_in_the_best_language_or_the_main_one() -> None:
    names = (("es", "Sala 1"), ("es-419", "Consultorio 1"))
    assert languages.name_in(["es-419", "es"], names, "Room 1") == "Consultorio 1"
    assert languages.name_in(["es-MX"], names, "Room 1") == "Sala 1"
    assert languages.name_in(["fr"], names, "Room 1") == "Room 1"


def test_bound_of_the_command_is_that_of_the_column() -> None:
    assert IssueTicket.__dataclass_fields__["language"].metadata["max_length"] == languages.LONGEST
