"""The view of reception."""

from __future__ import annotations

from typing import cast

import pytest

from server.domain.commands import ChangeSite, Recall
from server.domain.ranking import rank
from server.domain.roles import Onlooker
from server.domain.views import Cell, DeskView, draw
from tests.support.mornings import DESK, FAMILY, GIVEN, MIDDLE, PHONE, a_morning, at_every_stage, text_of
from tests.support.whole_clinic import BLOOD, ONE, whole_clinic
from tests.support.worlds import MINUTE, SITE_ID, World, open_sealed


@pytest.mark.parametrize(("stage", "world"), at_every_stage(consent=False))
def test_desk_shows_the_whole_name_and_no_phone_number(stage: str, world: World) -> None:
    text = text_of(DESK, world)
    assert text.count(f'"{GIVEN} {MIDDLE} {FAMILY}"') == (0 if stage == "completed" else 1)
    assert PHONE not in text


@pytest.mark.parametrize(("stage", "world"), at_every_stage(consent=True))
def test_desk_shows_names_to_the_floor_and_needs_to_staff(stage: str, world: World) -> None:
    """Nothing else differs: all onlookers see the same places, states and waits."""
    floor = draw(DESK, world.board)
    for onlooker, hidden in (
        ("staff", {"name", "name_on_display", "born"}),
        ("system", {"name", "name_on_display", "born", "needs"}),
    ):
        view = DeskView(open_sealed, cast("Onlooker", onlooker))
        assert not any(word in text_of(view, world) for word in (GIVEN, MIDDLE, FAMILY, PHONE)), stage
        cells = draw(view, world.board)
        assert cells.keys() == floor.keys()
        for key, cell in cells.items():
            nothing = {
                "entry": dict.fromkeys(hidden),
                "service": {"name": None} if onlooker == "system" else {},
            }.get(key.partition(":")[0], {})
            assert cell == dict(floor[key]) | nothing


def test_desk_shows_the_next_entry_of_a_point_and_the_reason() -> None:
    world, first, second, point = a_morning()
    other = max(world.board.points)
    cells = draw(DESK, world.board)
    assert cells[f"point:{point}"]["next"] == {"entry": second.id, "why": "head_start", "before": "A001", "minutes": 20}
    assert cells[f"point:{other}"]["next"] is None
    world.call(point)
    assert draw(DESK, world.board)[f"point:{point}"]["next"]["entry"] == first.id, "the next one once it is free"


def test_cells_of_the_desk() -> None:
    world, first, second, point = a_morning()
    world.call(point)
    cells = draw(DESK, world.board)
    assert cells[f"queue:{first.queue_id}"] == {
        "name": "Service 1",
        "names": {},
        "prefix": "A",
        "position": 0,
        "paused": False,
        "service": None,
        "capacity": None,
        "joins_anew": False,
    }
    assert cells[f"point:{point}"] == {
        "name": "Room 1",
        "names": {},
        "queues": list(world.board.points[point].queue_ids),
        "position": 0,
        "state": "open",
        "entry": second.id,
        "provider": None,
        "unmet_needs": [],
        "next": {"entry": first.id, "why": "only", "before": None, "minutes": 0},
        "gone": None,
    }
    assert cells["site"]["names_on_display"] is True
    waiting = world.entry(first)
    assert cells[f"entry:{first.id}"] == {
        "label": "A001",
        "state": "waiting",
        "queue": first.queue_id,
        "provider": None,
        "point": None,
        "rank": list(rank(waiting)),
        "priority": "standard",
        "joined": waiting.due_at // 1000,
        "since": waiting.since // 1000,
        "calls": 0,
        "absent_until": None,
        "away": 0,
        "delay": 0,
        "expect_from": 1711695600000,
        "expect_until": 1711695660000,
        "undo": None,
        "undo_until": None,
        "name": "Ada Lovelace",
        "name_on_display": True,
        "born": None,
        "party": 2,
        "language": "en",
        "needs": [],
        "by_phone": False,
        "moved": False,
        "wait_target": None,
        "no_show_from": None,
        "stands_until": None,
        "unreached": None,
        "doubt": None,
        "trial": False,
    }
    assert cells[f"entry:{second.id}"]["state"] == "called"
    assert cells[f"entry:{second.id}"]["undo"] == "ticket-called"
    assert cells[f"entry:{second.id}"]["undo_until"] == world.now // 1000 + 60_000
    assert cells[f"entry:{second.id}"]["name"] is None


def test_desk_shows_open_entries_and_the_no_shows_of_today() -> None:
    for stage, world in at_every_stage(consent=False):
        states = [cell["state"] for key, cell in draw(DESK, world.board).items() if key.startswith("entry:")]
        expected = {
            "waiting": ["waiting", "waiting"],
            "called": ["called", "waiting"],
            "recalled": ["called", "waiting"],
            "serving": ["serving", "waiting"],
            "completed": ["waiting"],
            "no-show": ["no_show", "waiting"],
            "transferred": ["waiting", "waiting"],
        }[stage]
        assert states == expected, stage


def test_desk_shows_when_a_no_show_is_possible_and_when_a_wait_exceeds_its_target() -> None:
    world = whole_clinic()
    world.do(ChangeSite(site_id=SITE_ID, recalls_before_no_show=1, minutes_before_no_show=2, target_standard=15))
    entry = world.ticket(BLOOD)

    def cell() -> Cell:
        return draw(DeskView(open_sealed), world.board)[f"entry:{entry.id}"]

    assert cell()["wait_target"] == (entry.due_at + 15 * MINUTE) // 1000
    world.call(ONE)
    called_at = world.now
    assert cell()["no_show_from"] is None
    world.do(Recall(entry_id=entry.id))
    assert cell()["no_show_from"] == (called_at + 2 * MINUTE) // 1000
    world.do(ChangeSite(site_id=SITE_ID, target_standard=0))
    assert cell()["wait_target"] is None
