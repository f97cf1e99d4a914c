"""The figures for managers as CSV: a table, and a second file with the definition of each of its columns.

The definitions are the texts of the page (``web/locales/insights``), so the page and the export cannot differ.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast, get_args

from server.installation.places import web_folder
from server.transport.api.statistics import neutral
from server.transport.http.files import file_answer

View = Literal[
    "sites",
    "services",
    "queues",
    "providers",
    "hours",
    "weekdays",
    "days",
    "heat",
    "points",
    "fairness",
    "messages",
    "feedback",
    "third-next",
]
VIEWS: tuple[View, ...] = tuple(each for each in get_args(View) if each != "sites")  # of one site
ZIPPED = file_answer("Two CSV files in UTF-8: the table, and the definition of each column.", "application/zip")
FEW, BESIDE = "<5", "hidden"
_BOUNDS = ("from_local", "from_offset", "until_local", "until_offset")
_STAMP = (1980, 1, 1, 0, 0, 0)  # the same figures give the same file
_BOM = "\ufeff"  # spreadsheets take a file with it for UTF-8

# The definition of each column of a group, by its name in the file.
_TIMES = ("wait", "still", "gave_up", "walk", "service")
_GROUP: dict[str, str] = {
    "entries": "entries",
    "tickets": "tickets",
    "served": "served",
    "no_shows": "no_shows",
    "left": "left",
    "cancelled": "cancelled",
    "expired": "expired",
    "transferred": "transferred",
    "open": "open",
    "walk_ins": "walk_ins",
    "walk_in_no_shows": "walk_in_no_shows",
    "walk_in_left": "walk_in_left",
    **{
        f"{name}_{figure}": of
        for name in _TIMES
        for figure, of in (("count", name), ("median_seconds", "median"), ("p90_seconds", "p90"))
    },
    "promises": "promises",
    "promises_held": "held",
    "promises_early": "early",
    "promises_late_median_seconds": "late_by",
    "promises_late_p90_seconds": "late_by",
    "leaves": "leaves",
    "leaves_before": "before_leave",
    "appointments_booked": "booked",
    "appointments_cancelled_early": "cancelled_early",
    "appointments_cancelled_late": "cancelled_late",
    "appointments_missed": "missed",
    "appointments_expected": "expected",
    "appointments_kept": "kept",
    "appointments_to_come": "to_come",
    "lead_count": "lead",
    "lead_median_days": "lead",
    "lead_p90_days": "lead",
    "open_seconds": "open_seconds",
}
# The place of each column of a group in the answer.
_FOUND: dict[str, tuple[str, ...]] = {
    **{name: ("entries", name) for name in list(_GROUP)[1:9]},
    "entries": ("entries", "count"),
    "walk_ins": ("walk_ins", "count"),
    "walk_in_no_shows": ("walk_ins", "no_shows"),
    "walk_in_left": ("walk_ins", "left"),
    **{f"{name}_{figure}": (name, figure) for name in _TIMES for figure in ("count", "median_seconds", "p90_seconds")},
    "promises": ("promises", "count"),
    **{
        f"promises_{figure}": ("promises", figure) for figure in ("held", "early", "late_median_seconds", "late_p90_seconds")
    },
    "leaves": ("leaves", "count"),
    "leaves_before": ("leaves", "before"),
    **{
        f"appointments_{figure}": ("appointments", figure)
        for figure in ("booked", "cancelled_early", "cancelled_late", "missed", "expected", "kept", "to_come")
    },
    **{f"lead_{figure}": ("lead", figure) for figure in ("count", "median_days", "p90_days")},
    "open_seconds": ("open_seconds",),
}
_MESSAGE = (
    *("open", "sent", "delivered", "undelivered", "unknown", "failed", "suppressed", "expired", "withdrawn", "skipped"),
)
# By view: the columns that name a line, each with its definition, and further columns with theirs.
_NAMED: dict[View, dict[str, str]] = {
    "sites": {"site_id": "", "name": "", "time_zone": ""},
    "services": {"service_id": "", "name": ""},
    "queues": {"queue_id": "", "name": "", "service_id": ""},
    "providers": {"provider_id": "", "name": ""},
    "hours": {"hour": "hour", "second": "second_hour", "days": "business_day"},
    "weekdays": {"weekday": "weekday", "days": "business_day"},
    "days": {"business_day": "business_day"},
    "heat": {
        "weekday": "weekday",
        "hour": "hour",
        "second": "second_hour",
        "entries": "heat",
        "open_seconds": "open_seconds",
    },
    "points": {
        "point_id": "",
        "name": "",
        "calls": "calls",
        "open_seconds": "open_seconds",
        "busy_seconds": "busy_seconds",
    },
    "fairness": {"reason": "out_of_order", "calls": "calls", "passing": "passing", "passed": "passed"},
    "messages": {"kind": "", "way": "", **{name: f"message_{name}" for name in _MESSAGE}},
    "feedback": {"week": "", "answers": "answers", **{f"score_{score}": "scores" for score in range(1, 6)}},
    "third-next": {
        "service_id": "",
        "service": "",
        "provider_id": "",
        "provider": "",
        "free": "third_next",
        "third_local": "third_next",
        "third_offset": "third_next",
        "third_days": "third_next",
    },
}
OF_GROUPS: frozenset[View] = frozenset({"sites", "services", "queues", "providers", "hours", "weekdays", "days"})


def archive(view: View, answer: Any, available: Any, language: str) -> bytes:
    """Return the zip of a view of an answer; ``available`` is that of the third next appointments, for its view."""
    columns = [*_BOUNDS, *_NAMED[view], *(_GROUP if view in OF_GROUPS else ())]
    lines = [_bounds(answer, each) | each for each in _lines(view, answer, available)]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as folder:
        for name, names, rows in (
            (f"{view}.csv", columns, [[line.get(column) for column in columns] for line in lines]),
            ("definitions.csv", ["column", "definition"], _definitions(view, answer, language)),
        ):
            folder.writestr(zipfile.ZipInfo(name, _STAMP), _csv(names, rows), zipfile.ZIP_DEFLATED)
    return made.getvalue()


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([neutral(cell) if isinstance(cell, str) else _cell(cell) for cell in row] for row in rows)
    return (_BOM + text.getvalue()).encode()


def _cell(value: Any) -> Any:
    return "" if value is None else int(value) if isinstance(value, bool) else value


def _bounds(answer: Mapping[str, Any], line: Mapping[str, Any]) -> dict[str, Any]:
    """Return the local begin and end of a line: of its business day, or of the period."""
    if "begins_local" in line:
        values = (line["begins_local"], line["offset"], line["ends_local"], line["end_offset"])
    else:
        values = answer["begins_local"], answer["offset_from"], answer["ends_local"], answer["offset_to"]
    begin, offset, end, end_offset = values
    return dict(zip(_BOUNDS, (begin, _utc(offset), end, _utc(end_offset)), strict=True))


def _utc(offset: str) -> str:
    """Return an offset that no spreadsheet takes for a formula."""
    return f"UTC{offset}"


def _lines(view: View, answer: Mapping[str, Any], available: Any) -> Iterator[dict[str, Any]]:
    match view:
        case "heat" | "points":
            for each in answer[view]:
                yield _plain_line(each)
        case "fairness":
            for each in answer["fairness"]["reasons"]:
                yield _plain_line(each)
        case "messages":
            for each in (answer["messages"] or {"kinds": []})["kinds"]:
                yield _plain_line(each)
        case "feedback":
            for each in (answer["feedback"] or {"weeks": []})["weeks"]:
                scores = each["scores"] or [FEW] * 5
                answers = FEW if each["answers"] is None else each["answers"]
                by_score = {f"score_{score}": count for score, count in enumerate(scores, 1)}
                yield {"week": each["first_day"], "answers": answers} | by_score
        case "third-next":
            for service in available["services"]:
                of_service = {"service_id": service["service_id"], "service": service["name"]}
                for each in (service, *service["providers"]):
                    of_provider = {"provider_id": each.get("provider_id"), "provider": each["name"]}
                    yield of_service | (of_provider if each is not service else {}) | _third(each)
        case _:
            for each in answer[view]:
                yield dict(each) | _of_group(each)


def _third(each: Mapping[str, Any]) -> dict[str, Any]:
    third = each["third"] or {"local_start": None, "offset": None, "days": None}
    return {
        "free": each["free"],
        "third_local": third["local_start"],
        "third_offset": third["offset"] and _utc(third["offset"]),
        "third_days": third["days"],
    }


def _plain_line(each: Any) -> dict[str, Any]:
    """Return a line whose numbers are hidden together: each is null then."""
    values = asdict(each) if is_dataclass(each) and not isinstance(each, type) else dict(each)
    mark = _mark(values.pop("hidden"))
    return {name: mark if value is None and mark else value for name, value in values.items()}


def _of_group(each: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column, (family, *figure) in _FOUND.items():
        values = each[family]
        if not figure:
            found[column] = values
            continue
        mark = _mark(values.hidden)
        found[column] = mark or getattr(values, figure[0])
    return found


def _mark(hidden: str | None) -> str | None:
    return {"few": FEW, "beside": BESIDE}.get(hidden or "")


def _definitions(view: View, answer: Mapping[str, Any], language: str) -> Iterator[tuple[str, str]]:
    texts = definitions(language)
    of_columns = _NAMED[view] | (_GROUP if view in OF_GROUPS else {})
    for column, name in of_columns.items():
        if name:
            yield column, texts[name]
    if view == "fairness":
        for reason in answer["fairness"]["reasons"]:
            yield reason.reason, texts[f"reason_{reason.reason}"]
    yield FEW, texts["few"]
    yield BESIDE, texts["beside"]
    if answer["missing"] is not None:
        yield f"{answer['missing']['first']} - {answer['missing']['last']}", texts["missing_days"]


@cache
def definitions(language: str) -> Mapping[str, str]:
    """Return the definitions of the figures in a language, by their names."""
    file = Path(web_folder() / "locales" / "insights" / f"{language}.json")
    texts = cast(dict[str, str], json.loads(file.read_text(encoding="utf-8")))
    before = "insights.define."
    return {key.removeprefix(before): text for key, text in texts.items() if key.startswith(before)}


def used_definitions() -> set[str]:
    """Return the names of the definitions that an export can have."""
    found = {*_GROUP.values(), *(name for named in _NAMED.values() for name in named.values() if name)}
    return found | {"few", "beside", "missing_days"}
