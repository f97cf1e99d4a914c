"""The state of an installation: every result has a text, a remedy, and texts for the pages."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tzdata import IANA_VERSION

from server.clock import SteadyClock
from server.domain.errors import Unavailable
from server.queries import backups, system
from server.queries.system import TEXTS, Check, Facts, Watch, checks
from server.store.backups import VerifiedBackup

LOCALES = Path(__file__).parents[3] / "web" / "locales" / "admin"
FACTS = Facts(bus_problem=None, encrypted=True, exposed=True, limited=True)


class Away:
    """A database that cannot be reached."""

    def __init__(self) -> None:
        self.clock = SteadyClock()

    @asynccontextmanager
    async def read(self) -> Any:
        raise Unavailable()
        yield

    async def now(self) -> int:
        raise Unavailable() from OSError("no route")


def listed(facts: Facts = FACTS) -> dict[str, Check]:
    return {each.name: each for each in asyncio.run(checks(Away(), facts))}


@pytest.mark.parametrize("language", ["en", "es", "fr", "ar"])
def test_every_result_has_texts_on_the_page(language: str) -> None:
    words = json.loads((LOCALES / f"{language}.json").read_text())
    for code, (text, remedy) in TEXTS.items():
        keys = [f"admin.check.{code}", *([f"admin.check.{code}.remedy"] if remedy else [])]
        for key, own in zip(keys, (text, remedy), strict=False):
            assert key in words
            assert set(re.findall(r"\{(\w+)\}", words[key])) <= set(re.findall(r"\{(\w+)\}", own)), key


def test_result_that_needs_a_person_has_a_remedy() -> None:
    for each in listed(Facts(bus_problem=None, encrypted=False, exposed=True, limited=False)).values():
        if each.state in ("warning", "broken"):
            assert each.remedy, each.name


def test_missing_database_is_broken_and_hides_no_other_check() -> None:
    found = listed()
    assert found["database"].state == "broken"
    assert "no route" in found["database"].text
    assert found["tables"].state == "unknown"
    assert list(found) == [
        *("version", "database", "tables", "clock", "bus", "workers", "backup", "zones", "encryption", "limits"),
    ]


def test_backup_is_unknown_without_the_database() -> None:
    assert listed()["backup"].state == "unknown"


@pytest.mark.parametrize(
    ("hours", "exposed", "code", "state"),
    [
        (None, False, "backup_never", "unknown"),
        (None, True, "backup_never", "warning"),
        (1, True, "backup_ok", "ok"),
        (27, True, "backup_old", "warning"),
    ],
)
async def test_backup_is_judged_by_its_age(
    monkeypatch: pytest.MonkeyPatch, hours: int | None, exposed: bool, code: str, state: str
) -> None:
    database = Away()

    async def newest(_: object) -> VerifiedBackup | None:
        made_at = database.clock.now() - (hours or 0) * 3_600_000_000
        return None if hours is None else VerifiedBackup("x", made_at, made_at, 2_000_000, 812, 5, "{}")

    monkeypatch.setattr(backups, "newest", newest)
    found = await system._backup(database, Facts(bus_problem=None, encrypted=True, exposed=exposed, limited=True))
    assert (found.code, found.state) == (code, state)
    assert "{" not in found.text


@pytest.mark.parametrize(("exposed", "state"), [(True, "warning"), (False, "ok")])
def test_missing_protection_is_a_warning_in_production(exposed: bool, state: str) -> None:
    found = listed(Facts(bus_problem=None, encrypted=False, exposed=exposed, limited=False))
    assert (found["encryption"].state, found["limits"].state) == (state, state)


def test_lost_bus_is_broken_with_its_reason() -> None:
    async def problem() -> str:
        return "no answer within 2 s"

    found = listed(Facts(bus_problem=problem, encrypted=True, exposed=True, limited=True))
    assert found["bus"].state == "broken"
    assert "no answer within 2 s" in found["bus"].text


def test_old_zone_data_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "tz_version", lambda: "2019c")
    assert listed()["zones"].state == "warning"


def test_zone_data_are_those_of_the_package() -> None:
    assert listed()["zones"].text == f"The time zones are those of {IANA_VERSION}."


def test_start_of_a_result_stays_until_the_result_changes() -> None:
    watch = Watch(Away(), Facts(bus_problem=None, encrypted=False, exposed=True, limited=True))

    async def look(*, encrypted: bool) -> dict[str, tuple[str, int]]:
        return {each.name: (each.code, since) for each, since in await watch.checks(encrypted=encrypted)}

    first = asyncio.run(look(encrypted=False))
    assert asyncio.run(look(encrypted=False)) == first
    later = asyncio.run(look(encrypted=True))
    assert later["encryption"][0] == "encryption_ok"
    assert later["encryption"][1] >= first["encryption"][1]
    assert later["clock"] == first["clock"]
