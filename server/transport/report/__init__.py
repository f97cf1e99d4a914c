"""The monthly report for managers: a PDF that typst sets, with the fonts of the poster.

All texts reach typst as data. A name with signs of its markup is text, in the report as everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import typst

from server.transport.poster import fonts_for
from server.transport.report.content import Content
from server.transport.report.words import words_of

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Report:
    """The content of a report: the answers of ``/insights`` for a month, and of ``/insights/third-next``."""

    answer: Mapping[str, Any]
    access: Mapping[str, Any]
    language: str


def pdf_of(report: Report) -> bytes:
    """Return a report as a PDF."""
    made = compiler_of(report).compile(format="pdf")
    assert isinstance(made, bytes)
    return made


def compiler_of(report: Report) -> typst.Compiler:
    """Return the compiler of a report, for any format of typst."""
    data = _data(report)
    names = {
        report.answer["name"],
        *(each["name"] or "" for part in ("services", "queues", "providers") for each in report.answer[part]),
    }
    return typst.Compiler(
        _FOLDER / "report.typ",
        root=_FOLDER,
        font_paths=fonts_for(*names),
        sys_inputs={"report": orjson.dumps(data).decode()},
    )


def _data(report: Report) -> dict[str, object]:
    answer, words = report.answer, words_of(report.language)
    return {
        "language": report.language,
        "rtl": words.rtl,
        "clinic": answer["name"],
        "title": words.text("report.title"),
        "month": words.month(answer["from"]),
        "span": words.text("span", **{"from": words.day(answer["from"]), "to": words.day(answer["to"])}),
        "definitions": words.text("report.definitions"),
        "empty": words.text("none"),
        "blocks": Content(answer, report.access, words).blocks(),
    }
