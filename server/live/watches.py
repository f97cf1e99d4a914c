"""The appointments that the screens of one feed watch, and of which watches the rows are on the board."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from server.domain.board import Board
from server.domain.model import Appointment
from server.domain.watching import Single, Watch


class Watches:
    """Counts the screens of each watch. A new watch is ``missing`` until its rows have been put on the board."""

    def __init__(self) -> None:
        self._screens: Counter[Watch] = Counter()
        self._missing: dict[Watch, object] = {}  # each with a mark of its own: a watch may end and begin again

    def begin(self, watch: Watch) -> None:
        """Count one more screen."""
        self._screens[watch] += 1
        if self._screens[watch] == 1:
            self._missing[watch] = object()

    def end(self, watch: Watch, board: Board | None) -> None:
        """Count one screen less. After the last one, the board no longer keeps what nobody else watches."""
        self._screens[watch] -= 1
        if self._screens[watch]:
            return
        del self._screens[watch]
        self._missing.pop(watch, None)
        if board is None:
            return
        board.take_back([each for each in board.appointments.values() if watch.covers(each)])

    def cover(self, appointment: Appointment) -> bool:
        """Return whether any screen watches an appointment."""
        if Single(appointment.id) in self._screens or Single(appointment.offered_to or 0) in self._screens:
            return True
        return any(watch.covers(appointment) for watch in self._screens if not isinstance(watch, Single))

    def missing(self) -> Mapping[Watch, object]:
        """Return the watches whose rows are not on the board yet, for `found`."""
        return dict(self._missing)

    def all(self) -> Mapping[Watch, object]:
        """Return every watch, for `found`."""
        return {watch: self._missing.get(watch) for watch in self._screens}

    def found(self, asked: Mapping[Watch, object]) -> None:
        """The rows of the ``asked`` watches are on the board. A watch that has begun again since is still missing."""
        for watch, mark in asked.items():
            if mark is not None and self._missing.get(watch) is mark:
                del self._missing[watch]

    def is_missing(self, watch: Watch) -> bool:
        """Return whether the rows of a watch are not on the board yet."""
        return watch in self._missing
