"""The CSV's cells and columns."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from server.domain.reporting.statistics import Statistics
from server.transport.api.statistics import COLUMNS, _flat, neutral


@pytest.mark.parametrize("text", ["=1+1", "+49", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "=", '=HYPERLINK("http://x")'])
def test_formula_gets_an_apostrophe(text: str) -> None:
    assert neutral(text) == "'" + text


@pytest.mark.parametrize("text", ["", "Blood test", "X-ray", "A=1", "1+1", "'=1", " =1"])
def test_other_texts_are_unchanged(text: str) -> None:
    assert neutral(text) == text


def test_every_figure_has_a_column() -> None:
    figures = _flat(asdict(Statistics("UTC", {}).report().whole.total))
    assert ["business_day", "queue_id", "queue", "service", *figures] == COLUMNS
