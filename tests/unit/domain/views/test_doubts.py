"""The question "Still valid?" in the cells of each view, and the end of a call at the begin of an outage."""

from __future__ import annotations

from typing import Any

from server.domain.commands import Confirm, NoteOutage, Recall, Start
from server.domain.model import Entry
from server.domain.views import TICKET, DeskView, DisplayView, PointView, TicketView
from tests.support.one_entry import three_waiting
from tests.support.worlds import MINUTE, SITE_ID, World, facts, open_sealed

STANDS = 10 * MINUTE


def after_outage() -> tuple[World, Entry, int]:
    """Return a clinic with a called patient after an outage, and the begin of the outage."""
    world, _ = three_waiting()
    entry = world.call(min(world.board.points))
    world.now += MINUTE
    began = world.now
    world.do(NoteOutage(site_id=SITE_ID, offline_from=began, offline_until=began + 30 * MINUTE), after=30 * MINUTE)
    return world, entry, began


def cells(world: World, entry: Entry) -> list[dict[str, Any]]:
    """Return the cells of the desk, the room, the patient and the display about a patient."""
    key = f"entry:{entry.id}"
    drawn = [
        DeskView(open_sealed).cell(world.board, key),
        PointView(min(world.board.points), open_sealed).cell(world.board, "guest"),
        TicketView(entry.visit_id).cell(world.board, TICKET),
        DisplayView().cell(world.board, key),
    ]
    return [dict(cell) for cell in drawn if cell is not None]


def test_every_screen_of_the_patient_knows_the_outage() -> None:
    world, entry, began = after_outage()
    outage = {"offline_from": began // 1000, "offline_until": world.now // 1000}
    desk, room, ticket, display = cells(world, entry)
    assert [each["doubt"] for each in (desk, room, ticket)] == [outage] * 3
    assert display["in_doubt"]
    # The call stood until the servers were gone.
    assert [each["stands_until"] for each in (desk, room, display)] == [began // 1000] * 3
    assert facts(world.loaded()) == facts(world.board)


def test_confirmed_call_stands_again_from_the_answer() -> None:
    world, entry, _ = after_outage()
    world.do(Confirm(entry_id=entry.id))
    desk, room, ticket, display = cells(world, entry)
    assert [each["doubt"] for each in (desk, room, ticket)] == [None] * 3
    assert not display["in_doubt"]
    assert display["stands_until"] == (world.now + STANDS) // 1000
    world.do(Recall(entry_id=entry.id), after=4 * MINUTE)
    assert cells(world, entry)[-1]["stands_until"] == (world.now + STANDS) // 1000


def test_started_service_has_no_question() -> None:
    world, entry, _ = after_outage()
    world.do(Start(entry_id=entry.id))
    desk, room, ticket = cells(world, entry)
    assert [each["doubt"] for each in (desk, room, ticket)] == [None] * 3
