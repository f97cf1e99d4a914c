"""Reading a set-up file: what it may say, and the line and the remedy of each mistake."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from server.blueprints import BadClinicFile, read
from server.blueprints.format import CLINIC_RULES, HOURS, RECORDS, RULES, SITE_KEYS, WEEKDAYS
from server.domain.commands.blueprint import Blueprint
from server.domain.model import Rules
from tests.support.blueprints import A_BLUEPRINT

TEXT = """\
organisation = "Riverside Health"

[clinic]
name = "Riverside Clinic"
time_zone = "Europe/Berlin"
languages = ["ar", "es"]
closed_on = [2026-12-25]

[hours]
mon = ["08:00-12:00", "13:00-17:00"]
fri = ["8:00 \u2013 12:00"]

[rules]
target_standard_minutes = 30

[[services]]
name = "Blood"
true_name = "HIV test"
names = { es = "Sangre" }

[[providers]]
name = "Dr. Ada"
[[providers]]
name = "Dr. Bose"

[[queues]]
name = "Blood"
prefix = "A"
service = "Blood"
capacity = 30
names = { ar = "الدم", es = "Sangre" }

[[queues]]
name = "X-ray"
prefix = "B"
joins_anew = true

[[points]]
name = "Room 1"
queues = ["Blood"]
names = { es = "Sala 1" }

[[points]]
name = "Room 2"
queues = [
  "X-ray",
  "Blood",
]
unmet_needs = ["step_free"]

[[displays]]
name = "Hall"
[[displays]]
name = "Upstairs"
queues = ["X-ray"]
points = ["Room 2"]

[[kiosks]]
name = "Door"
place = "Main entrance"
printing = "escpos"
low = true
check_in = "code"
"""


def refused(text: str) -> list[str]:
    with pytest.raises(BadClinicFile) as caught:
        read(text)
    return caught.value.listed("clinic.toml:").splitlines()


def test_a_file_gives_a_blueprint() -> None:
    file = read(TEXT)
    assert file.organisation == "Riverside Health"
    assert file.blueprint == A_BLUEPRINT


def test_a_small_file_is_enough() -> None:
    file = read('clinic = { name = "A", time_zone = "Europe/Madrid" }')
    assert file.organisation is None
    assert file.blueprint == Blueprint(name="A", time_zone="Europe/Madrid", language="en", rules=Rules(region="ES"))


def test_every_rule_has_a_key() -> None:
    assert {item.name for item in fields(Rules)} == {*CLINIC_RULES, HOURS, *RULES.values()}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("[clinic]", "[clinic", "3: this is not TOML: "),
        ("capacity = 30", "capcity = 30", "30: the key capcity is unknown. Did you mean capacity?"),
        ("[[kiosks]]", "[[tablets]]", "58: the key tablets is unknown. The keys here are organisation, clinic, hours"),
        ("capacity = 30", 'capacity = "30"', "30: capacity: a whole number is needed, not '30'"),
        ("capacity = 30", "capacity = true", "30: capacity: a whole number is needed, not 'True'"),
        ("capacity = 30", "capacity = -1", "30: capacity: -1 is not from 0 to 10000"),
        ('prefix = "A"', 'prefix = "a"', "28: prefix: 'a' is not one capital letter from A to Z"),
        ('prefix = "A"', "", "26: prefix is missing in this table of queues"),
        (
            'service = "Blood"',
            'service = "Bload"',
            "29: there is no service named Bload. Add it, or name one of these: Blood",
        ),
        ('  "Blood",', '  "Bloat",', "47: there is no queue named Bloat. Add it, or name one of these: Blood, X-ray"),
        ('points = ["Room 2"]', 'points = ["Attic"]', "56: there is no point named Attic."),
        ('name = "Upstairs"', 'name = "Hall"', "54: two displays have the name Hall: give one another name"),
        ('"08:00-12:00"', '"08:00-noon"', '10: mon: 08:00-noon is not a range like "08:00-12:00"'),
        ('"13:00-17:00"', '"11:00-17:00"', "10: mon: 11:00-17:00 begins before the range in front of it ends"),
        ('"13:00-17:00"', '"17:00-13:00"', "10: mon: 17:00-13:00 must end after its beginning, and by 24:00"),
        ("fri = [", "friday = [", "11: the key friday is unknown. Did you mean fri?"),
        ("2026-12-25", '"2026-02-30"', "7: closed_on: 2026-02-30 is not a day like 2026-12-25"),
        ("Europe/Berlin", "Europe/Belrin", "5: there is no time zone Europe/Belrin."),
        ('time_zone = "Europe/Berlin"', "", "3: time_zone is missing in the table clinic"),
        ('["ar", "es"]', '["ar", "spanish!"]', "6: spanish! is no language tag."),
        ('names = { es = "Sala 1" }', 'names = { fr = "Salle 1" }', "41: fr is no language of Riverside Clinic: add it"),
        ('["step_free"]', '["lift"]', "49: unmet_needs: 'lift' is none of 'fetch_in_person'"),
        ('queues = ["Blood"]', "queues = []", "40: queues: the list needs 1 to 50 elements"),
        ('queues = ["Blood"]', 'queues = "Blood"', '40: queues: a list is needed: ["one", "another"]'),
        ('[[kiosks]]\nname = "Door"', "[kiosks]", "58: kiosks are tables: write [[kiosks]]"),
        ('name = "Door"', 'name = " Door"', "59: name: the text must not begin or end with a space"),
        (
            'languages = ["ar", "es"]',
            'languages = ["ar", "es"]\nregion = "XX"',
            "7: region: no phone numbers are known of XX.",
        ),
        ('languages = ["ar", "es"]', 'languages = ["ar", "es"]\nday_turns_at = 4', '7: day_turns_at is a time like "04:00"'),
    ],
)
def test_each_mistake_has_its_line_and_a_remedy(before: str, after: str, expected: str) -> None:
    assert before in TEXT
    [found] = refused(TEXT.replace(before, after, 1))
    assert found.startswith(f"clinic.toml:{expected}")


def test_all_mistakes_are_listed_in_the_order_of_the_lines() -> None:
    found = refused(TEXT.replace('prefix = "B"', 'prefix = "bb"').replace("mon = [", "mond = ["))
    assert [each.split(":")[1] for each in found] == ["10", "35"]


def test_every_key_is_documented_with_its_default() -> None:
    sections: dict[str, set[str]] = {}
    page = (Path(__file__).resolve().parents[3] / "docs/set-up-files.md").read_text(encoding="utf-8")
    for section in re.split(r"^### ", page, flags=re.MULTILINE)[1:]:
        title = section.splitlines()[0].strip("`[]")
        sections[title] = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
        for key, default in re.findall(r"^\| `(\w+)` \| .* \| `(\d+)` \|$", section, re.MULTILINE):
            kind = Rules if title == "rules" else RECORDS[title]
            [item] = [each for each in fields(kind) if each.name == RULES.get(key, key)]
            assert item.default == int(default), key
    assert sections.pop("hours") == sections.pop("messages.<kind>") == set()
    assert all(f"`{day}`" in page for day in WEEKDAYS)
    assert sections.pop("clinic") == {*SITE_KEYS.values(), *CLINIC_RULES}
    assert sections.pop("rules") == set(RULES)
    assert sections == {kind: {item.name for item in fields(plan)} for kind, plan in RECORDS.items()}


def test_the_documented_file_can_be_read() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/set-up-files.md").read_text(encoding="utf-8")
    example, texts = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert read(example).blueprint.points[0].queues == ("Blood tests",)
    assert [each[:2] for each in read(example + texts).texts] == [("reminder", "de"), ("reminder", "en")]


def test_wrong_texts_of_messages_have_their_lines() -> None:
    text = TEXT + '\n[messages]\nfax = {}\ncalled = 3\n[messages.reminder]\n"not a tag" = "x"\nen = "long"\nde = ""\n'
    with pytest.raises(BadClinicFile) as refusal:
        read(text, lambda template, language, written: f"{template} {language} {written}")
    lines = text.splitlines()
    found = {lines[each.line - 1]: each.text for each in refusal.value.problems}
    assert found["fax = {}"].startswith("the key fax is unknown")
    assert found["called = 3"] == 'called is a table: called = { en = "..." }'
    assert found['"not a tag" = "x"'].startswith("not a tag is no language tag")
    assert found['en = "long"'] == "en: reminder en long"
    assert found['de = ""'].startswith("de: the text has 0 characters")
