"""What each screen shows, and what it never does."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.board import Board
from server.domain.commands import (
    CallNext,
    Complete,
    IssueTicket,
    NoShow,
    Recall,
    Remove,
    RunningLate,
    Start,
    Tick,
    Transfer,
)
from server.domain.model import Entry, Visit
from server.domain.ranking import rank
from server.domain.roles import Onlooker
from server.domain.views import NEXT_UP, DeskView, DisplayView, PointView, TicketView, View, draw
from tests.support.worlds import HOUR, SECOND, SITE_ID, Step, World, examples, open_sealed, perform, scripts, small_clinic

DESK, DISPLAY = DeskView(open_sealed), DisplayView()
GIVEN, MIDDLE, FAMILY, PHONE = "Wilhelmina", "Quetzalcoatl", "Xanthopoulou", "+49 171 5550199"


def views_of(world: World) -> list[View]:
    return [DESK, DISPLAY, *(TicketView(visit_id) for visit_id in world.board.visits)]


def text_of(view: View, world: World) -> str:
    return json.dumps(draw(view, world.board), ensure_ascii=False)


def at_every_stage(consent: bool) -> list[tuple[str, World]]:
    """Return worlds in which a patient with a name that cannot be missed is in each state, with others around."""
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


@pytest.mark.parametrize(("stage", "world"), at_every_stage(consent=False))
def test_without_consent_no_name_leaves_the_desk(stage: str, world: World) -> None:
    for view in views_of(world):
        if view is not DESK:
            text = text_of(view, world)
            assert not any(word in text for word in (GIVEN, MIDDLE, FAMILY, PHONE)), stage


@pytest.mark.parametrize(("stage", "world"), at_every_stage(consent=True))
def test_with_consent_the_display_shows_given_name_and_initial_and_only_while_called(stage: str, world: World) -> None:
    text = text_of(DISPLAY, world)
    assert not any(word in text for word in (MIDDLE, FAMILY, PHONE))
    assert text.count(GIVEN) == (1 if stage in ("called", "recalled") else 0)
    assert text.count(f'"{GIVEN} X."') == text.count(GIVEN)
    for view in views_of(world):
        if view.kind == "ticket":
            assert not any(word in text_of(view, world) for word in (GIVEN, MIDDLE, FAMILY, PHONE))


@pytest.mark.parametrize(("stage", "world"), at_every_stage(consent=False))
def test_the_desk_shows_the_whole_name_but_no_telephone(stage: str, world: World) -> None:
    text = text_of(DESK, world)
    assert text.count(f'"{GIVEN} {MIDDLE} {FAMILY}"') == (0 if stage == "completed" else 1)
    assert PHONE not in text


@pytest.mark.parametrize(("stage", "world"), at_every_stage(consent=True))
def test_a_desk_tells_names_to_the_floor_alone_and_needs_to_staff(stage: str, world: World) -> None:
    """And nothing else differs: who looks on sees the same places, states and waits."""
    floor = draw(DESK, world.board)
    for onlooker, hidden in (("staff", {"name"}), ("system", {"name", "needs"})):
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


@examples(60)
@given(scripts(30), st.booleans())
def test_nothing_kept_inside_is_shown_anywhere(script: list[Step], consent: bool) -> None:
    world = small_clinic()
    world.do(IssueTicket(queue_id=min(world.board.queues), name=f"{GIVEN} {FAMILY}", name_on_display=consent, phone=PHONE))
    for step in script:
        perform(world, step)
    secrets = {visit.token_hash for visit in world.board.visits.values()}
    secrets |= {device.token_hash for device in world.board.displays.values() if device.token_hash}
    secrets |= {visit.sealed for visit in world.board.visits.values() if visit.sealed}
    for view in views_of(world):
        text = text_of(view, world)
        assert not [secret for secret in secrets if f'"{secret}"' in text]
        assert FAMILY not in text or view is DESK
        assert PHONE not in text


@examples(60)
@given(scripts(30))
def test_a_ticket_reveals_nothing_of_any_other_patient(script: list[Step]) -> None:
    """Were everyone else another person, with another label, language or party, the page would be the same."""
    world = small_clinic()
    for step in script:
        perform(world, step)
    for visit_id in list(world.board.visits)[:4]:
        view = TicketView(visit_id)
        records = [
            replace(record, label="Z999", language="xx", party_size=19, display_name="Other O.", sealed=None)
            if isinstance(record, Visit) and record.id != visit_id
            else record
            for record in world.board.records()
        ]
        assert draw(view, Board(world.board.site, records)) == draw(view, world.board)


def floats_in(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [found for key, each in value.items() for found in [*floats_in(key), *floats_in(each)]]
    if isinstance(value, list):
        return [found for each in value for found in floats_in(each)]
    return [] if value is None or isinstance(value, str | int) else [value]


@examples(60)
@given(scripts(40))
def test_cells_hold_what_a_browser_writes_the_same(script: list[Step]) -> None:
    """No floats, no integer that a browser cannot hold, no key that it would re-order: the digest needs that."""
    world = small_clinic()
    for step in script:
        perform(world, step)
    for view in views_of(world):
        for cell in draw(view, world.board).values():
            assert floats_in(cell) == []
            assert not any(key.isdigit() for key in cell)
            for number in _integers_in(cell):
                assert abs(number) < 2**53


def _integers_in(value: Any) -> list[int]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [found for each in value for found in _integers_in(each)]
    return [value] if isinstance(value, int) else []


@examples(60)
@given(scripts(40))
def test_keys_and_cells_fit(script: list[Step]) -> None:
    """Every key a view names is drawn by `cell`, or it has no such cell now; touching what is not shown gives nothing."""
    world = small_clinic()
    for step in script:
        perform(world, step)
    everything = {f"{kind}:{number}" for kind in ("entry", "announcement") for number in (1, 999)}
    for view in views_of(world):
        keys = list(view.keys(world.board))
        assert len(keys) == len(set(keys))
        assert set(draw(view, world.board)) <= set(keys)
        if view.kind != "ticket":
            assert all(view.cell(world.board, key) is None for key in everything)
            assert view.cell(world.board, "moon:1") is None


def test_names_of_views_tell_them_apart() -> None:
    onlookers = [DeskView(open_sealed, each) for each in get_args(Onlooker)]
    views: list[View] = [*onlookers, DISPLAY, TicketView(1), TicketView(2)]
    names = ["desk", "desk:staff", "desk:system", "display", "ticket:1", "ticket:2"]
    assert [view.name for view in views] == names
    assert len({view.shape for view in (DESK, DISPLAY, TicketView(1))}) == 3
    assert all("." not in view.shape for view in (DESK, DISPLAY, TicketView(1)))  # a position is cut at dots


# Cell by cell


def a_morning() -> tuple[World, Entry, Entry, int]:
    world = small_clinic()
    queue_id, point = min(world.board.queues), min(world.board.points)
    first = world.ticket(queue_id, name="Ada Lovelace", name_on_display=True, party_size=2, language="en")
    second = world.ticket(queue_id, "assisted")
    return world, first, second, point


def test_the_displays_cells() -> None:
    world, first, second, point = a_morning()
    called = world.call(point)
    assert called.id == second.id
    world.do(Start(entry_id=second.id))
    world.do(Complete(entry_id=second.id))
    called = world.call(point)
    cells = draw(DISPLAY, world.board)
    assert cells["site"] == {
        "name": "Clinic",
        "time_zone": "Europe/Berlin",
        "language": "de",
        "business_day": "2024-03-29",
        "message": None,
    }
    assert cells[f"point:{point}"] == {"name": "Room 1"}
    assert cells[f"queue:{first.queue_id}"] == {
        "name": "Service 1",
        "prefix": "A",
        "position": 0,
        "waiting": 0,
        "next": [],
        "expect_from": None,
        "expect_until": None,
        "estimating": False,
    }
    assert cells[f"entry:{first.id}"] == {
        "label": "A001",
        "point": point,
        "at": world.now // 1000,
        "calls": 1,
        "name": "Ada L.",
        "language": "en",
    }
    announcements = [cell for key, cell in cells.items() if key.startswith("announcement:")]
    assert [(cell["label"], cell["kind"]) for cell in announcements] == [("A002", "call"), ("A001", "call")]
    assert announcements[-1] == {
        "entry": first.id,
        "label": "A001",
        "point": point,
        "kind": "call",
        "at": world.now // 1000,
    }
    world.do(Recall(entry_id=first.id))
    cells = draw(DISPLAY, world.board)
    assert cells[f"entry:{first.id}"]["calls"] == 2
    assert [cell["kind"] for key, cell in cells.items() if key.startswith("announcement:")] == ["call", "call", "recall"]
    assert f"entry:{second.id}" not in cells


def test_the_display_shows_the_next_few() -> None:
    world = small_clinic()
    queue_id = min(world.board.queues)
    for _ in range(NEXT_UP + 3):
        world.ticket(queue_id)
    urgent = world.ticket(queue_id, "urgent")
    cell = DISPLAY.cell(world.board, f"queue:{queue_id}")
    assert cell is not None
    assert cell["waiting"] == NEXT_UP + 4
    assert cell["next"] == [world.label(urgent), "A001", "A002", "A003", "A004"]


def test_the_display_tells_how_long_the_last_in_line_waits() -> None:
    """Whoever comes now stands behind the last; whoever is late is passed over, and tells nothing of it."""
    world = small_clinic()
    queue_id = min(world.board.queues)
    entries = [world.ticket(queue_id) for _ in range(3)]
    world.do(RunningLate(entry_id=entries[2].id, minutes=60))
    world.do(Tick(site_id=SITE_ID), after=40 * SECOND)
    cell, last = DISPLAY.cell(world.board, f"queue:{queue_id}"), world.board.entries[entries[1].id]
    assert cell is not None
    assert last.expect_from is not None
    assert last.expect_until is not None
    assert (cell["expect_from"], cell["expect_until"]) == (last.expect_from // 1000, last.expect_until // 1000)
    assert cell["estimating"] is True
    assert cell["waiting"] == 2


def test_the_desk_says_who_is_next_at_a_point_and_why() -> None:
    world, first, second, point = a_morning()
    other = max(world.board.points)
    cells = draw(DESK, world.board)
    assert cells[f"point:{point}"]["next"] == {"entry": second.id, "why": "head_start", "before": "A001", "minutes": 20}
    assert cells[f"point:{other}"]["next"] is None
    world.call(point)
    assert draw(DESK, world.board)[f"point:{point}"]["next"]["entry"] == first.id, "whom it would call once it is free"


def test_the_desks_cells() -> None:
    world, first, second, point = a_morning()
    world.call(point)
    cells = draw(DESK, world.board)
    assert cells[f"queue:{first.queue_id}"] == {
        "name": "Service 1",
        "prefix": "A",
        "position": 0,
        "paused": False,
        "service": None,
        "capacity": None,
        "joins_anew": False,
    }
    assert cells[f"point:{point}"] == {
        "name": "Room 1",
        "queues": list(world.board.points[point].queue_ids),
        "position": 0,
        "state": "open",
        "entry": second.id,
        "provider": None,
        "unmet_needs": [],
        "next": {"entry": first.id, "why": "only", "before": None, "minutes": 0},
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
        "expect_from": 1711695660000,
        "expect_until": 1711695720000,
        "undo": None,
        "undo_until": None,
        "name": "Ada Lovelace",
        "party": 2,
        "language": "en",
        "needs": [],
        "moved": False,
        "wait_target": None,
        "no_show_from": None,
    }
    assert cells[f"entry:{second.id}"]["state"] == "called"
    assert cells[f"entry:{second.id}"]["undo"] == "ticket-called"
    assert cells[f"entry:{second.id}"]["undo_until"] == world.now // 1000 + 60_000
    assert cells[f"entry:{second.id}"]["name"] is None


def test_the_desk_shows_what_is_open_and_todays_no_shows() -> None:
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


def test_a_tickets_cell_through_the_day() -> None:
    world, first, _, point = a_morning()
    view = TicketView(first.visit_id)
    cell = view.cell(world.board, "ticket")
    assert cell == {
        "entry": first.id,
        "label": "A001",
        "state": "waiting",
        "queue": "Service 1",
        "service": None,
        "provider": None,
        "point": None,
        "since": first.since // 1000,
        "calls": 0,
        "absent_until": None,
        "expect_from": 1711695660000,
        "expect_until": 1711695720000,
        "estimating": True,
        "party": 2,
        "language": "en",
        "site": "Clinic",
        "time_zone": "Europe/Berlin",
    }
    assert view.cell(world.board, "ahead") == {"count": 1}
    world.do(NoShow(entry_id=world.call(point).id))
    cells = draw(view, world.board)
    assert (cells["ticket"]["state"], cells["ahead"]) == ("waiting", {"count": 0})
    world.do(CallNext(point_id=point))
    cells = draw(view, world.board)
    assert (cells["ticket"]["state"], cells["ticket"]["point"], cells["ticket"]["calls"]) == ("called", "Room 1", 1)
    assert "ahead" not in cells
    world.do(Tick(site_id=SITE_ID), after=20 * HOUR)
    assert draw(view, world.board) == {"ticket": {"state": "expired"}}


def test_a_ticket_follows_its_visit_to_the_next_queue() -> None:
    world, first, _, _ = a_morning()
    world.do(Transfer(entry_id=first.id, queue_id=sorted(world.board.queues)[1]))
    cell = TicketView(first.visit_id).cell(world.board, "ticket")
    assert cell is not None
    assert (cell["label"], cell["queue"], cell["state"]) == ("A001", "Service 2", "waiting")


def test_a_ticket_of_nobody_is_expired() -> None:
    assert draw(TicketView(1), small_clinic().board) == {"ticket": {"state": "expired"}}


# A room's console


def test_a_console_shows_its_guest_who_is_next_for_it_and_its_own_day() -> None:
    world = small_clinic()
    blood, x_ray, forms = sorted(world.board.queues)
    mine, other = sorted(world.board.points)  # blood and X-ray; X-ray and forms
    console = PointView(mine, open_sealed)
    first = world.ticket(blood, name="Ada Lovelace", needs=("interpreter",), language="el")
    shared = world.ticket(x_ray, name="Grace Hopper")
    world.ticket(forms, name="Nobody of Ours")
    cells = draw(console, world.board)
    assert set(cells) == {"site", "point", "next", "day"}, "nobody is in"
    assert [each["entry"] for each in cells["next"]["first"]] == [first.id, shared.id]
    assert cells["next"]["waiting"] == 2
    assert cells["next"]["first"][0] | {"joined": 0} == {
        "entry": first.id, "label": world.label(first), "name": "Ada Lovelace", "queue": "Service 1",
        "priority": "standard", "needs": ["interpreter"], "language": "el", "party": 1, "joined": 0,
    }  # fmt: skip
    assert "Nobody of Ours" not in json.dumps(cells)
    world.call(mine)
    world.do(Start(entry_id=first.id))
    cells = draw(console, world.board)
    assert (cells["guest"]["entry"], cells["guest"]["state"]) == (first.id, "serving")
    assert cells["day"] == {"served": 0, "no_shows": 0}
    world.do(Complete(entry_id=first.id))
    world.call(mine)
    world.do(NoShow(entry_id=shared.id))
    sent_on = world.ticket(blood)
    world.call(mine)
    world.do(Start(entry_id=sent_on.id))
    world.do(Transfer(entry_id=sent_on.id, queue_id=forms))
    moved = world.ticket(blood)
    world.call(mine)
    world.do(Transfer(entry_id=moved.id, queue_id=forms))  # called, and not served
    cells = draw(console, world.board)
    assert cells["day"] == {"served": 2, "no_shows": 1}
    assert draw(PointView(other, open_sealed), world.board)["day"] == {"served": 0, "no_shows": 0}
    world.do(Tick(site_id=SITE_ID), 24 * HOUR)
    assert draw(console, world.board)["day"] == {"served": 0, "no_shows": 0}


def test_a_console_agrees_with_call_next() -> None:
    world = small_clinic()
    mine = min(world.board.points)
    for queue_id in sorted(world.board.queues) * 3:
        world.ticket(queue_id)
    while first := draw(PointView(mine, open_sealed), world.board)["next"]["first"]:
        called = world.call(mine)
        assert called.id == first[0]["entry"]
        world.do(NoShow(entry_id=called.id))


def test_a_point_that_was_taken_away_has_no_console() -> None:
    world = small_clinic()
    point_id = max(world.board.points)
    world.do(Remove(record_id=point_id))
    assert set(draw(PointView(point_id, open_sealed), world.board)) == {"site"}
