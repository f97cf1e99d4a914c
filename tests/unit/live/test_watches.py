"""The watches of a feed: counted by screen, and missing until their rows are read."""

from __future__ import annotations

from server.domain.watching import Dates, Single, dates_from
from server.live.watches import Watches
from tests.support.bookings import a_clinic, next_date
from tests.unit.domain.rules.test_booking import FRIDAY

DAY = dates_from(FRIDAY, 1)


def test_watch_is_missing_until_its_rows_are_found() -> None:
    watches = Watches()
    watches.begin(DAY)
    asked = watches.missing()
    assert list(asked) == [DAY]
    watches.begin(DAY)
    watches.found(asked)
    assert not watches.is_missing(DAY)
    assert list(watches.all()) == [DAY]


def test_watch_that_begins_again_during_the_read_is_still_missing() -> None:
    watches = Watches()
    watches.begin(DAY)
    asked = watches.missing()
    watches.end(DAY, None)
    assert not watches.is_missing(DAY)
    watches.begin(DAY)
    watches.found(asked)
    assert watches.is_missing(DAY), "events between the two were not kept"


def test_board_keeps_what_any_screen_watches() -> None:
    clinic = a_clinic()
    watches, board = Watches(), clinic.board
    board.watching = watches.cover
    later = next_date(FRIDAY)
    single, day = Single(clinic.calendar.all()[0].id), Dates(later, later)
    watches.begin(single)
    watches.begin(day)
    watches.begin(day)
    one, two = clinic.calendar.all()[0], clinic.book(f"{later}T11:00")
    board.lend(one)
    watches.end(day, board)
    assert {one.id, two.id} <= board.appointments.keys()
    watches.end(day, board)
    assert one.id in board.appointments
    assert two.id not in board.appointments
    watches.end(single, board)
    assert not board.appointments
    assert list(watches.all()) == []
