"""The state of an installation: every result has a text, a remedy, and texts for the pages."""

from __future__ import annotations

import asyncio
import json
import math
import re
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tzdata import IANA_VERSION

from server.clock import SteadyClock
from server.domain.errors import Unavailable
from server.installation.certificates import CertificateFile, Validity, make
from server.queries import archives, backups, system
from server.queries.archives import Archived
from server.queries.system import PARTS, TEXTS, Check, Facts, Report, Watch, checks
from server.store.backups import VerifiedBackup
from server.store.binary_logs import BinaryLogs

LOCALES = Path(__file__).parents[3] / "web" / "locales" / "admin"
FACTS = Facts(bus_problem=None, encrypted=True, exposed=True, limited=True)
DAY = 86_400_000_000


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
    assert tuple(found) == PARTS
    asked = ("servers", "channels", "webhooks", "screens", "watchdog")
    assert {found[name].code for name in asked} == {"unread"}


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


DAY_SECONDS = 86_400


@pytest.mark.parametrize(
    ("found", "code", "state", "part"),
    [
        (Archived(), "archive_none", "ok", ""),
        (Archived(age_seconds=31.4), "archive_ok", "ok", "31 seconds"),
        (Archived(age_seconds=299), "archive_ok", "ok", ""),
        (Archived(age_seconds=301), "archive_late", "warning", "5 minutes"),
        (Archived(age_seconds=math.inf), "archive_empty", "warning", ""),
        (Archived(age_seconds=math.inf, problem="Input/output error"), "archive_unread", "warning", "Input/output error"),
        (Archived(logs=BinaryLogs({"log_bin": "OFF"}, None, "", 0)), "binlogs_none", "ok", ""),
        (Archived(logs=BinaryLogs({}, "log.1:4", "", 0)), "binlogs_endless", "ok", ""),
        (Archived(logs=BinaryLogs({}, "log.1:4", "", 30 * DAY_SECONDS)), "binlogs_ok", "ok", "30 days"),
        (Archived(logs=BinaryLogs({}, "log.1:4", "", DAY_SECONDS)), "binlogs_short", "warning", "24 hours"),
        (Archived(logs=BinaryLogs({}, None, "", 0)), "binlogs_stopped", "warning", ""),
        (Archived(logs=BinaryLogs({}, None, "GRANT X;", 0)), "binlogs_hidden", "unknown", ""),
        (Archived(logs=BinaryLogs({"binlog_format": "MIXED"}, "log.1:4", "", 0)), "binlogs_unusable", "warning", ""),
    ],
)
async def test_archive_is_judged_by_its_newest_record_and_binary_logs_by_their_settings(
    monkeypatch: pytest.MonkeyPatch, found: Archived, code: str, state: str, part: str
) -> None:
    async def look(*_: object) -> Archived:
        return found

    monkeypatch.setattr(archives, "look", look)
    check = await system._archive(Away(), FACTS)
    assert (check.name, check.code, check.state) == ("archive", code, state)
    assert part in check.text
    assert "{" not in check.text + check.remedy
    assert state == "ok" or check.remedy


def test_archive_is_unknown_without_the_database() -> None:
    assert listed()["archive"].code == "archive_unknown"


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


def test_fullest_disk_counts() -> None:
    reports = [Report(free=90, total=100), Report(free=5, total=100), Report()]
    assert system._disk(FACTS, reports).code == "disk_low"
    assert system._disk(FACTS, [*reports, Report(free=1, total=100)]).code == "disk_full"
    assert system._disk(FACTS, reports[:1]).code == "disk_ok"
    assert system._disk(FACTS, []).code == "disk_unknown"


def test_disk_of_a_folder_that_does_not_exist_yet_is_that_of_the_one_above(tmp_path: Path) -> None:
    facts = Facts(bus_problem=None, encrypted=True, exposed=True, limited=True, data_folder=tmp_path / "a" / "b")
    assert system._disk(facts, []).state != "unknown"


def test_reports_of_processes_add_up() -> None:
    assert system._audit([Report(lost=2), Report(lost=3)]).values == {"count": "5"}
    assert system._pool([Report(used=2, size=10), Report(used=4, size=5)]).values == {"used": "4", "size": "5"}
    assert system._pool([Report(used=5, size=5)]).code == "pool_full"


def test_report_of_another_version_is_read() -> None:
    row = {**Report(lost=1).row(), "new": 1}
    del row["used"]
    assert Report.of(row) == Report(lost=1)


def test_old_zone_data_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "tz_version", lambda: "2019c")
    assert listed()["zones"].state == "warning"


def test_zone_data_are_those_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "YEARS_OF_ZONES", 1_000)  # whatever the year is now
    assert listed()["zones"].text == f"The time zones are those of {IANA_VERSION}."


def of_certificate(file: CertificateFile | None) -> Check:
    """Return the check of a certificate."""
    return listed(replace(FACTS, certificate=file))["certificate"]


@pytest.mark.parametrize(
    ("days", "code", "state"),
    [
        (90, "certificate_ok", "ok"),
        (21.5, "certificate_ok", "ok"),
        (20.5, "certificate_soon", "warning"),
        (0.1, "certificate_soon", "warning"),
        (-1, "certificate_expired", "broken"),
    ],
)
def test_check_tells_when_a_certificate_ends(tmp_path: Path, days: float, code: str, state: str) -> None:
    public, _ = make(tmp_path, ["queue.example.org"], days)
    found = of_certificate(CertificateFile(public))
    assert (found.code, found.state) == (code, state)


def test_check_names_a_certificate_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    found = of_certificate(CertificateFile(missing))
    assert (found.code, found.state) == ("certificate_unread", "broken")
    assert str(missing) in found.text
    missing.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    assert of_certificate(CertificateFile(missing)).code == "certificate_unread"
    assert of_certificate(None).state == "ok"


def test_check_names_a_certificate_that_is_not_valid_yet() -> None:
    file = CertificateFile(Path("unread"))
    now = SteadyClock().now()
    file.found = Validity(now + DAY, now + 90 * DAY)
    found = of_certificate(file)
    assert (found.code, found.state) == ("certificate_early", "broken")


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
