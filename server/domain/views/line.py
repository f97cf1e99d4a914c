"""The line of a queue, as every screen in public shows it: how many wait, and how long a newcomer waits."""

from __future__ import annotations

from typing import Annotated, TypedDict

from server.domain.board import Board
from server.domain.model import Queue
from server.domain.views.fields import Count, Described, Estimating
from server.domain.views.view import milliseconds


class Line(TypedDict):
    """The patients who wait in a queue."""

    waiting: Annotated[Count, Described("The number of waiting patients.")]
    expect_from: Annotated[
        int | None,
        Described(
            "The start of the expected time of the last waiting patient's call, in milliseconds since 1970. A newcomer can "
            "expect about the same. Null if nobody waits."
        ),
    ]
    expect_until: Annotated[int | None, Described("The end of this time, in milliseconds since 1970.")]
    estimating: Estimating


def line_of(board: Board, queue: Queue) -> Line:
    """Return the line of a queue."""
    waiting = board.waiting(queue.id)
    # A newcomer stands behind the last patient: the quote of the last patient is the nearest to the newcomer's.
    last = board.entries[waiting[-1].entry_id] if waiting else None
    return {
        "waiting": len(waiting),
        "expect_from": milliseconds(last.expect_from) if last else None,
        "expect_until": milliseconds(last.expect_until) if last else None,
        "estimating": last is not None and last.estimating,
    }
