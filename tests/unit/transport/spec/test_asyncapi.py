"""The AsyncAPI document against the code that sends and receives, and against the page for people."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from server.domain.commands import StaffPoint
from server.domain.views import ConfigurationView, DeskView, DisplayView, KioskView, PointView, TicketView, View, draw
from server.live import messages
from server.live.messages import FINAL, REASONS, Position
from server.transport.spec import asyncapi
from server.transport.streams import feedback, framing, routes, websocket
from tests.support.bookings import a_clinic, a_script, do_step, views_of
from tests.support.worlds import SECOND, World, a_day, open_sealed, perform, small_clinic
from tests.unit.transport.spec.test_openapi import Checker

DOCUMENT = asyncapi.document()
CHECKER = Checker(DOCUMENT)
PAGE = (Path(__file__).parents[4] / "docs" / "live-protocol.md").read_text()
AT = Position("e1", "desk1", 7)
SENT = {
    "snapshot": messages.snapshot(AT, b'{"a":{"n":1}}', 15, 1_711_695_600_000),
    "change": messages.change(AT, [("a", b'{"n":2}')], ["b"]),
    "heartbeat": messages.heartbeat(AT, 1_711_695_600_000, 4_000_000_000),
    "bye": messages.bye("drain"),
}
CODES = {value for name, value in vars(framing).items() if name.startswith("CLOSE_")}


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for part in value.values() for each in references(part)]
    return [each for part in value for each in references(part)] if isinstance(value, list) else []


def payload(kind: str) -> Any:
    return CHECKER.at(CHECKER.at(f"components/messages/{kind}")["payload"]["$ref"])


def test_document_is_sound() -> None:
    assert re.fullmatch(r"3\.0\.\d", DOCUMENT["asyncapi"])
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT
    used = set(references(DOCUMENT))
    for reference in used:
        assert CHECKER.at(reference)
    for kind in ("messages", "schemas"):
        assert {f"#/components/{kind}/{name}" for name in DOCUMENT["components"][kind]} <= used
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert all(each["$ref"].startswith(operation["channel"]["$ref"] + "/messages/") for each in operation["messages"])


def test_every_live_address_is_a_channel() -> None:
    served = {getattr(route, "path", "") for route in routes.ENDPOINTS.routes() if type(route).__name__ == "WebSocketRoute"}
    assert {re.sub(r":\w+\}", "}", path) for path in served} == {each["address"] for each in DOCUMENT["channels"].values()}
    for channel in DOCUMENT["channels"].values():
        assert set(channel["parameters"]) == set(re.findall(r"\{(\w+)\}", channel["address"]))


@pytest.mark.parametrize("kind", SENT)
def test_sent_message_matches_its_schema(kind: str) -> None:
    body = json.loads(SENT[kind].payload)
    assert CHECKER.problems(body, payload(kind)) == []
    assert set(body) == set(payload(kind)["properties"]) == set(payload(kind)["required"])
    assert CHECKER.at(f"components/messages/{kind}")["x-has-id"] == (SENT[kind].id is not None)
    framed = json.loads(websocket.framed(SENT[kind]))
    assert set(framed) - set(body) == ({"type", "id"} if SENT[kind].id else {"type"})
    for field in body:
        assert f"`{field}`" in PAGE, f"{kind} has {field}, and the page does not say so"


@pytest.mark.parametrize("kind", feedback.FRAMES)
@pytest.mark.parametrize(
    "change",
    [{}, {"seq": -1}, {"seq": "1"}, {"seq": None}, {"type": "other"}, {"more": 1}, {"muted": "no"}, {"version": "<"}],
)
def test_accepted_frame_matches_its_schema(kind: str, change: dict[str, Any]) -> None:
    body: dict[str, Any] = {"type": kind, "seq": 3} | change
    try:
        feedback.FRAMES[kind].model_validate(body)
        taken = True
    except ValidationError:
        taken = False
    assert (CHECKER.problems(body, payload(kind)) == []) == taken
    assert f'"type":"{kind}"' in PAGE


def test_document_and_page_have_every_close_code_and_reason() -> None:
    assert {int(code) for code in DOCUMENT["x-close-codes"]} == CODES
    assert all(3000 <= code <= 3999 for code in CODES)
    assert tuple(DOCUMENT["x-bye-reasons"]) == REASONS
    assert {reason for reason, each in DOCUMENT["x-bye-reasons"].items() if each["final"]} == FINAL
    assert tuple(payload("bye")["properties"]["reason"]["enum"]) == REASONS
    for reason in REASONS:
        assert re.search(rf"^\| `{reason}` \|.*\| {'no' if reason in FINAL else 'yes'}", PAGE, re.MULTILINE), reason
    assert {int(code) for code in re.findall(r"^\| (3\d{3}) \|", PAGE, re.MULTILINE)} == CODES


def test_page_names_every_address() -> None:
    for channel in DOCUMENT["channels"].values():
        assert f"| `{channel['address']}` |" in PAGE


def kinds_of_valid_cells(views: list[View], world: World) -> set[str]:
    """Return the kinds of cells that these views show. Assert that each is as described."""
    seen = set()
    for view in views:
        channel = DOCUMENT["channels"][view.kind]
        assert channel["x-shape"] == view.shape
        cells = draw(view, world.board)
        assert CHECKER.problems(cells, CHECKER.at(channel["x-cells"]["$ref"])) == []
        seen |= {f"{view.kind}.{key.partition(':')[0]}" for key in cells}
    return seen


def test_cells_match_their_schemas() -> None:
    seen: set[str] = set()
    for seed in range(3):
        world: World = small_clinic()
        for step in [("add-service", 1, SECOND), ("add-provider", 1, SECOND), ("add-kiosk", 1, SECOND), *a_day(seed, 120)]:
            perform(world, step)
            views: list[View] = [
                DeskView(open_sealed),
                ConfigurationView(open_sealed),
                DisplayView(),
                *map(TicketView, list(world.board.visits)[-2:]),
            ]
            views += [PointView(point_id, open_sealed) for point_id in world.board.points]
            views += map(KioskView, world.board.kiosks)
            seen |= kinds_of_valid_cells(views, world)
        clinic = a_clinic()
        clinic.do(StaffPoint(point_id=clinic.point_id, provider_id=clinic.providers[0]))
        own = (ConfigurationView(open_sealed), PointView(clinic.point_id, open_sealed))
        for step in a_script(seed, 80):
            do_step(clinic, step)
            seen |= kinds_of_valid_cells([*own, *views_of(clinic)], clinic)
    described = {
        f"{kind}.{re.sub('[^a-z]', '', name.partition(':')[0])}"
        for kind, channel in DOCUMENT["channels"].items()
        for part in ("properties", "patternProperties")
        for name in CHECKER.at(channel["x-cells"]["$ref"]).get(part, {})
    }
    assert seen == described
