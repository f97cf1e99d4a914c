"""Clinics at several stages of a morning, for the tests of views."""

from __future__ import annotations

import json

from server.domain.commands import Complete, NoShow, Recall, Start, Transfer
from server.domain.model import Entry
from server.domain.views import ConfigurationView, DeskView, DisplayView, KioskView, TicketView, View, draw
from tests.support.worlds import World, open_sealed, small_clinic

DESK, DISPLAY = DeskView(open_sealed), DisplayView()


GIVEN, MIDDLE, FAMILY, PHONE = "Wilhelmina", "Quetzalcoatl", "Xanthopoulou", "+49 171 5550199"


def views_of(world: World) -> list[View]:
    """Return the desk, the configuration, the display, a kiosk and every ticket of a world."""
    kiosks = [KioskView(kiosk_id) for kiosk_id in [*world.board.kiosks, 0][:1]]
    tickets = (TicketView(visit_id) for visit_id in world.board.visits)
    return [DESK, ConfigurationView(open_sealed), DISPLAY, *kiosks, *tickets]


def text_of(view: View, world: World) -> str:
    """Return all cells of a view as text."""
    return json.dumps(draw(view, world.board), ensure_ascii=False)


def at_every_stage(consent: bool) -> list[tuple[str, World]]:
    """Return a world for each state, in which a patient with a unique name is in that state beside other patients."""
    found = []
    for stage in ("waiting", "called", "recalled", "serving", "completed", "no-show", "transferred"):
        world = small_clinic()
        first, second, _ = sorted(world.board.queues)
        point = min(world.board.points)
        entry = world.ticket(first, name=f"{GIVEN} {MIDDLE} {FAMILY}", phone=PHONE, name_on_display=consent, language="el")
        world.ticket(first)
        if stage != "waiting":
            world.call(point)
        if stage == "recalled":
            world.do(Recall(entry_id=entry.id))
        if stage in ("serving", "completed"):
            world.do(Start(entry_id=entry.id))
        if stage == "completed":
            world.do(Complete(entry_id=entry.id))
        if stage == "no-show":
            world.do(NoShow(entry_id=entry.id))
        if stage == "transferred":
            world.do(Transfer(entry_id=entry.id, queue_id=second))
        found.append((stage, world))
    return found


def a_morning() -> tuple[World, Entry, Entry, int]:
    """Return a world, its two waiting entries of one queue (the second is assisted), and a point that serves the queue."""
    world = small_clinic()
    queue_id, point = min(world.board.queues), min(world.board.points)
    first = world.ticket(queue_id, name="Ada Lovelace", name_on_display=True, party_size=2, language="en")
    second = world.ticket(queue_id, "assisted")
    return world, first, second, point
