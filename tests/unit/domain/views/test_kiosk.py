"""The view of a kiosk: public names and numbers only, of the queues that it offers."""

from __future__ import annotations

import json

from server.domain.commands import (
    AnswerHelp,
    AskHelp,
    ChangeKiosk,
    ChangePoint,
    ChangeQueue,
    ChangeSite,
    PauseQueue,
    Remove,
    RunningLate,
)
from server.domain.views import KioskView, draw
from tests.support.whole_clinic import BLOOD, DOOR, TWO, X_RAY, whole_clinic
from tests.support.worlds import SITE_ID, World

VIEW = KioskView(DOOR)


def queues_of(world: World) -> set[int]:
    return {int(key.partition(":")[2]) for key in draw(VIEW, world.board) if key.startswith("queue:")}


def test_kiosk_offers_every_queue_or_the_chosen_ones() -> None:
    world = whole_clinic()
    assert queues_of(world) == {BLOOD, X_RAY}
    world.do(ChangeKiosk(kiosk_id=DOOR, queue_ids=(X_RAY,)))
    assert queues_of(world) == {X_RAY}
    world.do(ChangePoint(point_id=TWO, queue_ids=(BLOOD,)))
    world.do(Remove(record_id=X_RAY))
    assert queues_of(world) == {BLOOD}, "without the last chosen queue the kiosk offers all"


def test_queue_is_paused_or_full_with_its_line() -> None:
    world = whole_clinic()
    world.do(ChangeQueue(queue_id=BLOOD, capacity=2))
    first, _ = world.ticket(BLOOD), world.ticket(BLOOD)
    cell = draw(VIEW, world.board)[f"queue:{BLOOD}"]
    assert (cell["waiting"], cell["full"], cell["paused"]) == (2, True, False)
    world.do(RunningLate(entry_id=first.id, minutes=10))  # an absent patient keeps the place
    cell = draw(VIEW, world.board)[f"queue:{BLOOD}"]
    assert (cell["waiting"], cell["full"]) == (1, True)
    world.do(PauseQueue(queue_id=BLOOD))
    assert draw(VIEW, world.board)[f"queue:{BLOOD}"]["paused"]


def test_site_cell_has_languages_hours_and_the_coming_closed_days() -> None:
    world = whole_clinic()
    days = ("2020-01-01", world.board.site.business_day)
    world.do(ChangeSite(site_id=SITE_ID, languages=("ar",), hours=((0, 480, 1020),), closed_on=days))
    cell = draw(VIEW, world.board)["site"]
    assert cell["languages"] == [world.board.site.language, "ar"]
    assert cell["hours"] == [{"day": 0, "begin": 480, "until": 1020}]
    assert cell["closed_on"] == [world.board.site.business_day]


def test_kiosk_shows_its_settings_and_who_answered() -> None:
    world = whole_clinic()
    world.do(ChangeKiosk(kiosk_id=DOOR, printing="escpos", low=True, check_in="birth", place="Main entrance"))
    world.do(AskHelp(kiosk_id=DOOR))
    cell = draw(VIEW, world.board)[f"kiosk:{DOOR}"]
    assert cell["help_asked"] == world.now // 1000
    assert cell["help_by"] is None
    world.do(AnswerHelp(kiosk_id=DOOR, name="Maria"))
    assert draw(VIEW, world.board)[f"kiosk:{DOOR}"] == {
        "name": "Door", "place": "Main entrance", "printing": "escpos", "low": True, "check_in": "birth",
        "help_asked": cell["help_asked"], "help_by": "Maria",
    }  # fmt: skip


def test_view_shows_neither_patients_nor_true_names() -> None:
    world = whole_clinic()
    world.ticket(BLOOD, name="Ada Lovelace", name_on_display=True)
    text = json.dumps(draw(VIEW, world.board))
    assert "Ada" not in text
    assert "HIV" not in text
    assert "A001" not in text
