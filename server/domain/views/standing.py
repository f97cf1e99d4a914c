"""How long a call stands: a room may call a patient and forget the call, and a screen must not show it for ever."""

from __future__ import annotations

from typing import Annotated

from server.domain.board import Board
from server.domain.model import Entry
from server.domain.model.local_time import MINUTE
from server.domain.views.fields import Described
from server.domain.views.view import milliseconds

StandsUntil = Annotated[
    int | None,
    Described(
        "The end of the time for which the last call or recall stands, in milliseconds since 1970. Afterwards displays show "
        "it as a past call, and staff decide: recall, no-show or return. Null if not called. No call outlasts an outage "
        "until staff confirm it."
    ),
]


def stands_until(board: Board, entry: Entry) -> int | None:
    """Return the end of the time for which a call stands, as it is on the wire. None if the entry is not called.

    The cell holds an instant, and the screen compares it with its clock. A restart of the server therefore changes nothing.
    """
    if entry.state != "called":
        return None
    announced_at = entry.announced_at or entry.called_at or entry.since
    lasts = board.site.rules.minutes_call_stands * MINUTE
    if entry.doubt is None:
        return milliseconds(announced_at + lasts)
    offline_from, _, answered_at = entry.doubt
    return milliseconds(offline_from if answered_at is None else max(announced_at, answered_at) + lasts)
