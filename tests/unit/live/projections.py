"""Shared by the tests of feeds and of projections: a loaded feed, and screens that follow a projection."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import orjson

from server.domain.board import Board
from server.domain.events import Recorded
from server.domain.views import draw
from server.live.feed import Feed
from server.live.projection import Projection
from tests.support.message_screen import Screen, digest
from tests.support.worlds import SITE_ID, LogLoader, World

HEARTBEAT = 15.0
NOW = 1_711_695_600_000


def cells_of(projection: Projection) -> dict[str, Any]:
    """Return the cells of a projection, as in the snapshot for a new screen."""
    cells = json.loads(projection.snapshot(HEARTBEAT, NOW).payload)["cells"]
    assert isinstance(cells, dict)
    return cells


def check_projection(projection: Projection, board: Board) -> None:
    """Assert that a projection holds the same cells and digest as a fresh one."""
    fresh = Projection(projection.view, board)
    assert cells_of(projection) == cells_of(fresh) == json.loads(orjson.dumps(draw(projection.view, board)))
    assert projection.digest == fresh.digest == digest(cells_of(projection))
    assert projection.position == replace(fresh.position, shape=projection.shape)


def catch_up(screen: Screen, projection: Projection) -> None:
    """Give a screen the message that a stream would send now."""
    if screen.position is None or not projection.can_resume(screen.position):
        screen.hear(projection.snapshot(HEARTBEAT, NOW))
    elif projection.changed_at > screen.position.seq:
        screen.hear(projection.change_since(screen.position.seq))


async def a_feed(world: World) -> tuple[Feed, LogLoader]:
    loader = LogLoader(world)
    feed = Feed(SITE_ID, loader)
    await feed.load()
    return feed, loader


def some_events(world: World, count: int = 3) -> list[Recorded]:
    begun = len(world.log)
    for _ in range(count):
        world.ticket(min(world.board.queues))
    return world.log[begun:]
