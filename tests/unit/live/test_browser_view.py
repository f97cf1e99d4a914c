"""The browser's half of the law: `web/js/live/view.js` applies the server's messages and shows the same cells."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest

from server.domain.board import Changes, apply
from server.domain.views import DeskView, DisplayView, PointView, TicketView, View, draw
from server.live.messages import Message, heartbeat
from server.live.projection import Projection
from tests.support.processes import program
from tests.support.worlds import SECOND, World, a_day, open_sealed, perform, small_clinic

ROOT = Path(__file__).parents[3]
REPLAY = ROOT / "tests" / "web" / "replay.mjs"


def recorded(seed: int, size: int) -> list[dict[str, Any]]:
    """Return the messages to screens of every kind during a day, each with the cells that the screen must then show."""
    world: World = small_clinic()
    world.ticket(min(world.board.queues), name='Łukasz "Lou" O\'Neill 診療所 😀\u2028\x7f')
    views: list[View] = [DeskView(open_sealed), DisplayView(), TicketView(min(world.board.visits))]
    views += [PointView(point_id, open_sealed) for point_id in world.board.points]
    board = copy.deepcopy(world.board)  # as in a process that follows events only
    projections = {view.name: Projection(view, board) for view in views}
    messages: dict[str, list[dict[str, Any]]] = {name: [] for name in projections}
    shown = dict.fromkeys(projections, 0)

    def write(name: str, message: Message) -> None:
        projection = projections[name]
        cells = orjson.loads(orjson.dumps(draw(projection.view, board)))
        text = message.payload.decode()
        messages[name].append({"type": message.kind, "text": text, "cells": cells, "sum": projection.digest})
        shown[name] = projection.seq

    for name, projection in projections.items():
        write(name, projection.snapshot(15.0, 1))
    for index, step in enumerate([("add-service", 1, SECOND), ("add-provider", 1, SECOND), *a_day(seed, size)]):
        changes = Changes()
        for event in perform(world, step):
            apply(board, event, changes)
        for turn, (name, projection) in enumerate(projections.items()):
            projection.follow(board, changes.keys)
            # Some screens get a change late, and some resume with a snapshot.
            if (index + turn) % 3 == 0:
                write(name, projection.change_since(shown[name]))
            if (index + turn) % 7 == 0:
                write(name, projection.change_since(shown[name]))  # a repeat is harmless
            if (index + turn) % 11 == 0:
                write(name, projection.snapshot(15.0, index))
            if shown[name] == projection.seq:
                write(name, heartbeat(projection.position, index, projection.digest))
    return [{"name": f"day {seed}, {name}", "messages": each} for name, each in messages.items()]


def replay(folder: Path, recordings: list[dict[str, Any]]) -> dict[str, Any]:
    path = folder / "recordings.json"
    path.write_text(json.dumps(recordings))
    done = subprocess.run(
        [program("node", "nodejs"), str(REPLAY), str(path)], capture_output=True, text=True, timeout=120, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_browser_shows_the_cells_of_the_server(tmp_path: Path) -> None:
    recordings = [each for seed in range(3) for each in recorded(seed, 150)]
    found = replay(tmp_path, recordings)
    assert found["problems"] == []
    assert found["steps"] == sum(len(each["messages"]) for each in recordings) > 2000


@pytest.mark.parametrize(
    ("what", "spoil"),
    [
        ("other cells", lambda text: text.replace('"del":["', '"del":["x')),
        ("digest", lambda text: text.replace('"state":"waiting"', '"state":"waitinG"')),
        ("the heartbeat's digest", lambda text: text.replace('"digest":', '"digest":1')),
    ],
)
def test_replay_reports_a_difference(tmp_path: Path, what: str, spoil: Any) -> None:
    recordings = recorded(2, 60)
    for each in recordings:
        for message in each["messages"]:
            message["text"] = spoil(message["text"])
    assert any(what in problem for problem in replay(tmp_path, recordings)["problems"])
