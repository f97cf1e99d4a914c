"""The monthly report as a PDF and as pictures."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typst

from server.transport.poster import fonts_for
from server.transport.report import Report, compiler_of, pdf_of
from server.transport.report.words import LANGUAGES, words_of
from tests.support.insights import answer, free_times
from tests.unit.transport.test_poster import glyphs_of, objects_of


def a_report(language: str = "en", changes: dict[str, Any] | None = None) -> Report:
    return Report(answer(**(changes or {})), free_times(), language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_report_has_pages_of_a4_with_all_fonts_inside(language: str) -> None:
    content = objects_of(pdf_of(a_report(language)))
    boxes = re.findall(rb"/MediaBox ?\[ ?0 0 ([\d.]+) ([\d.]+)", content)
    assert 4 <= len(boxes) <= 8
    assert all(tuple(map(float, each)) == pytest.approx((595.28, 841.89), abs=0.1) for each in boxes)
    names = {each.partition(b"+")[2] for each in re.findall(rb"/FontName ?/([A-Z]{6}\+[\w-]+)", content)}
    assert all(name.startswith((b"Inter", b"NotoSansArabic")) for name in names), names
    assert len(re.findall(rb"/FontFile[23]? \d", content)) >= len(names)


def test_arabic_letters_are_joined() -> None:
    """The glyphs on the first page are those of the joined title."""

    def shaped(text: str) -> set[str]:
        about = '#set text(font: "Noto Sans Arabic", weight: 700, lang: "ar", size: 14pt)\n#sys.inputs.text'
        made = typst.Compiler(about.encode(), font_paths=fonts_for(text), sys_inputs={"text": text}).compile(format="svg")
        assert isinstance(made, bytes)
        return glyphs_of(made.decode())

    title = words_of("ar").text("card.waits")
    pages = compiler_of(a_report("ar")).compile(format="svg")
    assert isinstance(pages, list)
    assert shaped(title) <= glyphs_of(pages[0].decode())
    assert shaped(title) - shaped("\u200c".join(title)), "the joined forms are glyphs of their own"


@pytest.mark.parametrize("name", ['#panic("no")', "$x^2$ *bold* @ref <tag> [b] \\ // no", "]#set page(width: 1pt)["])
def test_markup_in_a_name_stays_text(name: str) -> None:
    assert re.search(rb"/MediaBox ?\[ ?0 0 595", objects_of(pdf_of(a_report(changes={"name": name}))))


def test_month_without_patients_is_a_report_too() -> None:
    nothing: dict[str, Any] = {
        part: [] for part in ("services", "queues", "providers", "hours", "weekdays", "days", "heat", "points")
    }
    assert pdf_of(a_report(changes=nothing)).startswith(b"%PDF")
