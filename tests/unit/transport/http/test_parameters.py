"""Query parameters: taken as they are, or refused by name."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from starlette.requests import Request

from server.domain.errors import InvalidField
from server.transport.http import parameters

ID = 7_000_000_001


def asking(query: str) -> Request:
    return Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": query.encode()})


def test_what_is_not_given_is_not_there() -> None:
    request = asking("other=1")
    assert parameters.day(request, "day") is None
    assert parameters.of_site(request, "queue_id", 7) is None
    assert parameters.choice(request, "state", ("waiting",)) is None
    assert parameters.label(request, "label") is None


def test_what_is_right_is_taken() -> None:
    request = asking(f"day=2024-02-29&queue_id={ID}&state=waiting&label=A012&from=2024-01-01&to=2025-02-03")
    assert parameters.day(request, "day") == "2024-02-29"
    assert parameters.of_site(request, "queue_id", 7) == ID
    assert parameters.choice(request, "state", ("waiting",)) == "waiting"
    assert parameters.label(request, "label") == "A012"
    assert parameters.days(request, "from", "to", 400) == ("2024-01-01", "2025-02-03")


@pytest.mark.parametrize(
    "text", ["2023-02-29", "2024-2-9", "20240229", "2024-W09-4", "0000-01-01", "", "today", "2024-02-29T00:00", "٢٠٢٤-٠٢-٢٩"]
)
def test_no_day(text: str) -> None:
    with pytest.raises(InvalidField) as refused:
        parameters.day(asking(f"day={quote(text)}"), "day")
    assert refused.value.details["field"] == "day"


@pytest.mark.parametrize("text", ["0", "7", "8000000001", "-1", "x", "", "7000000001.0", "9" * 30, "1" * 5_000])
def test_no_id_of_the_site(text: str) -> None:
    with pytest.raises(InvalidField) as refused:
        parameters.of_site(asking(f"queue_id={text}"), "queue_id", 7)
    assert refused.value.details["field"] == "queue_id"


@pytest.mark.parametrize("text", ["", "Waiting", "waiting ", "nonsense"])
def test_none_of_the_words(text: str) -> None:
    with pytest.raises(InvalidField):
        parameters.choice(asking(f"state={quote(text)}"), "state", ("waiting", "called"))


@pytest.mark.parametrize("text", ["", "A 12", "A012'--", "a" * 13, "Ä012", "A012\n"])
def test_no_label(text: str) -> None:
    with pytest.raises(InvalidField):
        parameters.label(asking(f"label={quote(text)}"), "label")


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
def test_days_are_both_given_in_order_and_not_too_many(query: str, field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        parameters.days(asking(query), "from", "to", 400)
    assert refused.value.details["field"] == field
