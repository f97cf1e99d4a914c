"""The content of the report: what it shows of an answer, and what it leaves out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from server.transport.report.content import Content, _step
from server.transport.report.words import LANGUAGES, words_of
from tests.support.insights import answer, few, free_times, group

Block = dict[str, Any]


def blocks_of(language: str = "en", **changes: Any) -> list[Block]:
    return Content(answer(**changes), free_times(), words_of(language)).blocks()


def tiles_of(blocks: list[Block]) -> dict[str, str]:
    return {tile["name"]: tile["value"] for block in blocks if block["kind"] == "tiles" for tile in block["tiles"]}


def charts_of(blocks: list[Block]) -> list[Block]:
    return [block for block in blocks if block["kind"] == "chart"]


def test_median_and_90th_percentile_come_first() -> None:
    blocks = blocks_of()
    assert [block["kind"] for block in blocks[:3]] == ["note", "card", "tiles"]
    assert [(tile["name"], tile["value"]) for tile in blocks[2]["tiles"][:2]] == [
        ("Wait: median", "12 min"),
        ("Wait: 90th percentile", "25 min"),
    ]


def test_missed_appointments_are_out_of_those_expected() -> None:
    tiles = tiles_of(blocks_of())
    assert tiles["Missed"] == "3 of 18 (17%)"
    assert tiles["Cancelled late"] == "1 of 18 (6%)"
    assert tiles["Out of order"] == "40 of 390 (10%)"


def test_each_name_of_a_figure_has_its_definition_at_the_end() -> None:
    *blocks, last = blocks_of()
    assert last["kind"] == "definitions"
    defined = {row["name"] for row in last["rows"]}
    columns = {head for block in blocks if block["kind"] == "table" for head in block["columns"][1:]}
    for name in (*tiles_of(blocks), *columns, *(line["name"] for chart in charts_of(blocks) for line in chart["series"])):
        parts = name.split(": ") if name not in defined else [name]
        assert all(part.lower() in {each.lower() for each in defined} or part.startswith("Score") for part in parts), name


def test_doubled_hour_has_a_mark_and_a_note() -> None:
    blocks = blocks_of()
    heat = next(block for block in blocks if block["kind"] == "heat")
    assert heat["columns"] == ["Weekday", "08", "09", "02", "02*"]
    assert "02 came twice" in blocks[0]["text"]


def test_small_group_of_the_heat_map_has_no_number_and_no_shade() -> None:
    heat = next(block for block in blocks_of() if block["kind"] == "heat")
    assert heat["rows"][1]["cells"][3] == {"text": "<5", "level": 0}
    assert heat["rows"][0]["cells"][0] == {"text": "40", "level": 4}
    assert heat["rows"][0]["cells"][1] == {"text": "", "level": 0}


def test_hidden_figures_draw_nothing() -> None:
    hidden = {**group(), "wait": few("count", "median_seconds", "p90_seconds")}
    days = [{"business_day": "2026-10-01"} | hidden, {"business_day": "2026-10-02"} | group()]
    waits = charts_of(blocks_of(days=days))[0]
    assert [line["values"] for line in waits["series"]] == [[None, 12.0], [None, 25.0]]
    assert len(charts_of(blocks_of(days=days[:1]))) == len(charts_of(blocks_of())) - 1, (
        "a chart without a number is left out"
    )


def test_parts_without_figures_are_left_out() -> None:
    blocks = blocks_of(messages=None, feedback={"weeks": [], "answers": 0, "scores": [0] * 5}, heat=[], points=[])
    cards = [block["text"] for block in blocks if block["kind"] == "card"]
    assert cards == [
        "Waits",
        "Arrivals and capacity",
        "Promises",
        "No-shows and late cancellations",
        "Access to appointments",
        "Walk and service",
        "Fairness",
    ]


def test_days_that_are_not_counted_yet_are_named() -> None:
    some = {"days": 2, "first": "2026-10-01", "last": "2026-10-09"}  # days in between are counted
    text = "2 days between 1 Oct and 9 Oct are still being counted and are not included."
    assert blocks_of(missing=some, clock_changes=[])[0] == {"kind": "note", "text": text}
    one = {"days": 1, "first": "2026-10-04", "last": "2026-10-04"}
    text = "1 day (4 Oct) is still being counted and is not included."
    assert blocks_of(missing=one, clock_changes=[])[0] == {"kind": "note", "text": text}


@pytest.mark.parametrize(("most", "step"), [(1, 1), (5, 1), (6, 2), (25, 5), (26, 10), (100, 20), (101, 50), (4000, 1000)])
def test_axis_has_few_round_marks(most: float, step: float) -> None:
    assert _step(most) == step


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_missing_or_has_a_placeholder_left(language: str) -> None:
    text = json.dumps(blocks_of(language), ensure_ascii=False)
    assert "{" not in "".join(part for part in text.split('"') if not set(part) & set("[]:,")), language
    assert "insights." not in text
