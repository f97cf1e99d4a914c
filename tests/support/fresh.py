"""The views drawn fresh from the database's rows, as the reference for screens. No feed or stream takes part."""

from __future__ import annotations

import time

import orjson

from server.domain.board import Board
from server.domain.views import AppointmentView, Cell, DisplayView, KioskView, PointView, TicketView, View, draw
from tests.support.server import vault
from tests.support.viewer import Place, Viewer

CLOCK_SECONDS = 1.0


class Fresh:
    """The views of a board that was read from the rows at one number of the log.

    ``clock_ahead`` are the seconds by which a test has set the clock of the installation ahead.
    """

    def __init__(self, board: Board, clock_ahead: float = 0) -> None:
        self.board = board
        self._clock_ahead = clock_ahead
        self._drawn: dict[str, dict[str, Cell]] = {}

    def cells(self, view: View) -> dict[str, Cell]:
        """Return the cells of a view, drawn fresh."""
        if view.name not in self._drawn:
            self._drawn[view.name] = orjson.loads(orjson.dumps(draw(view, self.board)))
        return self._drawn[view.name]

    def allows(self, place: Place) -> bool:
        """Return whether the place still exists and its token still opens it."""
        match place.view:
            case PointView(point_id=point_id):
                return point_id in self.board.points and not self.board.points[point_id].removed_at
            case TicketView(visit_id=visit_id):
                return visit_id in self.board.visits
            case AppointmentView(appointment_id=appointment_id):
                return appointment_id in self.board.appointments
            case DisplayView():
                display = self.board.displays.get(place.subject or 0)
                token = place.token()
                return display is not None and not display.removed_at and display.token_hash == _hash_of(token or "")
            case KioskView():
                kiosk = self.board.kiosks.get(place.subject or 0)
                token = place.token()
                return kiosk is not None and not kiosk.removed_at and kiosk.token_hash == _hash_of(token or "")
        return True

    def compare(self, pending: dict[Viewer, str], slack_seconds: float) -> None:
        """Take each viewer off ``pending`` that equals this; note of the others what differs."""
        for viewer in list(pending):
            found = self.wrong_with(viewer, slack_seconds)
            if found is None:
                del pending[viewer]
            else:
                pending[viewer] = f"{viewer.place.view.name} by {viewer.transport}: {found}"

    def wrong_with(self, viewer: Viewer, slack_seconds: float) -> str | None:
        """Return the first error of a screen, or None. Its clock may be off by a second plus ``slack_seconds``."""
        if not self.allows(viewer.place):
            return None if viewer.over else "the server should have ended its stream"
        if viewer.over:
            return f"its stream was ended: {viewer.over}"
        if not viewer.live:
            return "not connected"
        if viewer.shown.epoch != self.board.site.epoch:
            return "it shows another epoch"
        cells = self.cells(viewer.place.view)
        if viewer.shown.cells != cells:
            keys = sorted(key for key in cells.keys() | viewer.shown.cells if cells.get(key) != viewer.shown.cells.get(key))
            return f"its cells at {viewer.shown.seq} differ from the rows at {self.board.site.seq}: {keys[:5]}"
        off = viewer.now() - time.time() - self._clock_ahead
        if abs(off) > CLOCK_SECONDS + slack_seconds:
            return f"its clock is {off:.1f} s off"
        return None


def _hash_of(token: str) -> str:
    return vault().keyed_hash(token)
