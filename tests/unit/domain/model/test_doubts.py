"""The doubt about a call from before an outage."""

from __future__ import annotations

from dataclasses import replace

from server.domain.model import Doubt, answered
from tests.support.worlds import an_entry


def test_first_answer_stays() -> None:
    assert answered(None, 9) is None
    assert answered((1, 5, None), 9) == (1, 5, 9)
    assert answered((1, 5, 9), 12) == (1, 5, 9)


def test_length_is_that_of_the_outage() -> None:
    assert Doubt(1, 5).length == 4


def test_call_is_missed_from_the_answer_on() -> None:
    entry = replace(an_entry(1, 2, 3, "called"), called_at=100)
    assert entry.missed_since(900) == 100
    assert replace(entry, doubt=(200, 800, None)).missed_since(900) == 900
    assert replace(entry, doubt=(200, 800, 850)).missed_since(900) == 850


def test_answered_doubt_is_not_open() -> None:
    entry = an_entry(1, 2, 3, "called")
    assert entry.open_doubt is None
    assert replace(entry, doubt=(200, 800, None)).open_doubt == Doubt(200, 800)
    assert replace(entry, doubt=(200, 800, 850)).open_doubt is None
