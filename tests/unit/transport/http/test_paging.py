"""Cursors: a list accepts only its own."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from server.domain.errors import InvalidField
from server.queries.keyset import Key, Page
from server.transport.http import paging
from server.transport.http.paging import Cursors
from server.vault import Vault
from tests.support.extent import examples

VAULT = Vault([b"k" * 32], "the tests' secret key")
CURSORS = Cursors(VAULT, "sites:1", (str, int))
KEYS = st.tuples(st.text(max_size=20), st.integers(0, 2**53 - 1))


def asking(query: str) -> Request:
    return Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": query.encode()})


@given(KEYS)
@examples(100)
def test_cursor_is_read_as_it_was_written(key: Key) -> None:
    cursor = CURSORS.write(key)
    assert CURSORS.read(cursor) == key
    assert set(cursor) <= set(string.ascii_letters + string.digits + "-_."), "it goes into an address as it is"


@given(KEYS, st.integers(0, 200), st.characters())
@examples(300)
def test_changed_cursor_is_refused(key: Key, place: int, other: str) -> None:
    cursor = CURSORS.write(key)
    place %= len(cursor)
    changed = cursor[:place] + other + cursor[place + 1 :]
    if changed == cursor:
        return
    with pytest.raises(InvalidField) as refused:
        CURSORS.read(changed)
    assert refused.value.details["field"] == "after"


@pytest.mark.parametrize(
    "cursor", ["", ".", "nonsense", "W10.", "a" * 10_000, "\N{SNOWMAN}.\N{SNOWMAN}", "WzFd.é", "." * 50]
)
def test_text_that_is_not_a_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidField):
        CURSORS.read(cursor)


def test_cursor_is_valid_for_its_own_list_and_installation_only() -> None:
    cursor = CURSORS.write(("Clinic", 7))
    for other in (Cursors(VAULT, "sites:2", (str, int)), Cursors(Vault([b"k" * 32], "another"), "sites:1", (str, int))):
        with pytest.raises(InvalidField):
            other.read(cursor)


@pytest.mark.parametrize("key", [(), (1,), (1, 2), ("a", "b"), ("a", True), ("a", 1, 1)])
def test_signed_key_of_another_shape_is_refused(key: Any) -> None:
    with pytest.raises(InvalidField):
        CURSORS.read(CURSORS.write(key))


def test_signed_text_that_is_not_json_is_refused() -> None:
    text = "bm90IEpTT04"  # it says "not JSON"
    with pytest.raises(InvalidField):
        CURSORS.read(f"{text}.{CURSORS._signature(text)}")


def test_request_names_the_size_and_the_cursor() -> None:
    assert paging.asked(asking(""), CURSORS) == (50, None)
    assert paging.asked(asking("page_size=200"), CURSORS) == (200, None)
    assert paging.asked(asking(f"page_size=1&after={CURSORS.write(('x', 1))}"), CURSORS) == (1, ("x", 1))


@pytest.mark.parametrize("size", ["0", "201", "-1", "1.0", "", "x", "٣", "1e2", " 5", "9" * 40])
def test_page_size_out_of_bounds_is_refused(size: str) -> None:
    with pytest.raises(InvalidField) as refused:
        paging.asked(asking(f"page_size={size}"), CURSORS)
    assert refused.value.details["field"] == "page_size"


def test_page_has_the_cursor_of_the_next_one() -> None:
    more: Any = paging.answer(Page(["row"], ("x", 1), 10_000, True), 1, CURSORS)
    assert more["data"] == ["row"]
    assert CURSORS.read(more["pagination"].pop("next")) == ("x", 1)
    assert more["pagination"] == {"page_size": 1, "total": 10_000, "total_is_capped": True}
    assert paging.answer(Page([], None, 0, False), 50, CURSORS)["pagination"]["next"] is None
