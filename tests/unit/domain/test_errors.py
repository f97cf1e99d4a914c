"""The tree of errors: stable codes, whole sentences."""

from __future__ import annotations

import re
import string

import pytest

from server.domain import errors
from server.domain.errors import EntryNotCalled, InvalidField, NotFound, NowServingError, PointBusy, Refused, SiteNotFound

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, NowServingError)]


@pytest.mark.parametrize("kind", KINDS)
def test_error_has_a_code_and_a_sentence(kind: type[NowServingError]) -> None:
    error = kind()
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
    assert kind.__doc__
    assert kind.__doc__ != NowServingError.__doc__ or kind is NowServingError
    assert str(error) == error.message
    assert error.details == {}


def test_codes_are_unique() -> None:
    assert len({kind().code for kind in KINDS}) == len(KINDS) > 20


@pytest.mark.parametrize("kind", KINDS)
def test_message_contains_its_details(kind: type[NowServingError]) -> None:
    names = [name for _, name, _, _ in string.Formatter().parse(kind.__doc__ or "") if name]
    details = {name: f"<{name}>" for name in names}
    message = kind(**details).message
    assert all(detail in message for detail in details.values())
    assert "{" not in message
    assert "?" in kind().message or not names  # a missing detail is shown as "?"


def test_code_and_message_of_known_errors() -> None:
    assert EntryNotCalled(entry_id=1, state="held").code == "entry_not_called"
    assert EntryNotCalled(entry_id=1, label="A001", state="held").message == "A001 is held, not called."
    assert SiteNotFound(site_id=7).message == "There is no site with the id 7."
    busy = PointBusy(point_id=3, point_name="Room 1", label="A001", state="called")
    assert busy.message == "A001 is called at Room 1. Finish this patient first."
    assert busy.details == {"point_id": 3, "point_name": "Room 1", "label": "A001", "state": "called"}


def test_detail_is_not_read_as_a_pattern() -> None:
    assert InvalidField(field="{secret}", problem="{0.__class__}").message == "{secret}: {0.__class__}."


def test_errors_form_a_tree() -> None:
    assert issubclass(SiteNotFound, NotFound)
    assert issubclass(PointBusy, Refused)
    assert not issubclass(NotFound, Refused)
