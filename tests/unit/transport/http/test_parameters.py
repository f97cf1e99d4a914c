"""Query parameters: right values are read, wrong values are refused by name."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from starlette.requests import Request

from server.domain.errors import InvalidField
from server.transport.http import parameters

ID = 7_000_000_001
DAY = parameters.Day("day", "A day.")
QUEUE = parameters.IdOfSite("queue_id", "A queue.")
STATE = parameters.Choice("state", "A state.", ("waiting", "called"))
LABEL = parameters.Label("label", "A label.")
PERIOD = parameters.Days(parameters.Day("from", "The first day."), parameters.Day("to", "The last day."), 400)


def asking(query: str) -> Request:
    return Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": query.encode()})


def test_absent_parameter_is_none() -> None:
    request = asking("other=1")
    assert DAY.read(request) is None
    assert QUEUE.read(request, 7) is None
    assert STATE.read(request) is None
    assert LABEL.read(request) is None


def test_right_value_is_read() -> None:
    request = asking(f"day=2024-02-29&queue_id={ID}&state=waiting&label=A012&from=2024-01-01&to=2025-02-03")
    assert DAY.read(request) == "2024-02-29"
    assert QUEUE.read(request, 7) == ID
    assert STATE.read(request) == "waiting"
    assert LABEL.read(request) == "A012"
    assert PERIOD.read(request) == ("2024-01-01", "2025-02-03")


@pytest.mark.parametrize(
    "text", ["2023-02-29", "2024-2-9", "20240229", "2024-W09-4", "0000-01-01", "", "today", "2024-02-29T00:00", "٢٠٢٤-٠٢-٢٩"]
)
def test_text_that_is_not_a_day_is_refused(text: str) -> None:
    with pytest.raises(InvalidField) as refused:
        DAY.read(asking(f"day={quote(text)}"))
    assert refused.value.details["field"] == "day"


@pytest.mark.parametrize("text", ["0", "7", "8000000001", "-1", "x", "", "7000000001.0", "9" * 30, "1" * 5_000])
def test_id_of_another_site_is_refused(text: str) -> None:
    with pytest.raises(InvalidField) as refused:
        QUEUE.read(asking(f"queue_id={text}"), 7)
    assert refused.value.details["field"] == "queue_id"


@pytest.mark.parametrize("text", ["", "Waiting", "waiting ", "nonsense"])
def test_unknown_word_is_refused(text: str) -> None:
    with pytest.raises(InvalidField):
        STATE.read(asking(f"state={quote(text)}"))


@pytest.mark.parametrize("text", ["", "A 12", "A012'--", "a" * 13, "Ä012", "A012\n"])
def test_text_that_is_not_a_label_is_refused(text: str) -> None:
    with pytest.raises(InvalidField):
        LABEL.read(asking(f"label={quote(text)}"))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "from"),
        ("from=2024-01-01", "to"),
        ("to=2024-01-01", "from"),
        ("from=2024-01-02&to=2024-01-01", "to"),
        ("from=2024-01-01&to=2025-02-04", "to"),
        ("from=nonsense&to=2024-01-01", "from"),
    ],
)
def test_period_that_is_incomplete_reversed_or_too_long_is_refused(query: str, field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        PERIOD.read(asking(query))
    assert refused.value.details["field"] == field


INSTANT = parameters.InstantWithOffset("at", "An instant.")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-30T10:42:10+01:00", 1_796_031_730),
        ("2026-11-30T09:42:10Z", 1_796_031_730),
        ("2026-10-25T02:30+02:00", 1_792_888_200),
        ("2026-10-25T02:30+01:00", 1_792_891_800),
    ],
)
def test_instant_has_an_offset(text: str, seconds: int) -> None:
    assert INSTANT.read(asking(f"at={quote(text)}")) == seconds * 1_000_000
    assert re.fullmatch(INSTANT.schema()["pattern"], text)


@pytest.mark.parametrize(
    "text", ["2026-11-30T10:42:10", "2026-11-30", "10:42", "2026-13-30T10:42Z", "0001-01-01T00:00+23:59", ""]
)
def test_instant_without_an_offset_is_refused(text: str) -> None:
    with pytest.raises(InvalidField):
        INSTANT.read(asking(f"at={quote(text)}"))
