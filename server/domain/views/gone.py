"""The patient who was called to a point and is gone: staff see why the point is free."""

from __future__ import annotations

from typing import Annotated, TypedDict

from server.domain.board import Board
from server.domain.model import Point, State
from server.domain.views.fields import AbsentUntil, Described
from server.domain.views.view import milliseconds


class Gone(TypedDict):
    """A called patient who left, or who needs more time."""

    label: str
    state: Annotated[State, Described(enum=("left", "held"))]
    absent_until: AbsentUntil


def gone_from(board: Board, point: Point) -> Gone | None:
    """Return the patient whose going freed the point, or None: the point has called again, or this patient is back."""
    last = board.last_announced(point.id)
    if last is None or last.kind != "withdrawn":
        return None
    entry = board.entries[last.entry_id]
    if entry.point_id != point.id or not (entry.state == "left" or entry.held_until is not None):
        return None
    return {"label": last.label, "state": entry.state, "absent_until": milliseconds(entry.back_at)}
