"""The CSV's cells and columns."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from server.domain.reporting.statistics import Statistics
from server.transport.api.statistics import COLUMNS, _flat, neutral

BEGINNINGS = "=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"
BEFORE = ("", " ", "\u00a0", "\u3000 ", "\u200d", "\u200c\u3164", "\u2800")


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("sign", BEGINNINGS)
def test_formula_gets_an_apostrophe(sign: str, before: str) -> None:
    """Also after spaces and characters that show nothing, which a spreadsheet may skip."""
    for text in (sign, f"{sign}1+1", f'{sign}HYPERLINK("http://x")'):
        assert neutral(before + text) == f"'{before}{text}"


@pytest.mark.parametrize("text", ["\tx", "\rx", "\nx", "\t=1", "\t"])
def test_break_at_the_beginning_gets_an_apostrophe(text: str) -> None:
    assert neutral(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Blood test", "X-ray", "A=1", "1+1", "'=1", "\u65e5\uff1d"])
def test_other_texts_are_unchanged(text: str) -> None:
    assert neutral(text) == text


def test_every_figure_has_a_column() -> None:
    figures = _flat(asdict(Statistics("UTC", {}).report().whole.total))
    assert ["business_day", "queue_id", "queue", "service", *figures] == COLUMNS
