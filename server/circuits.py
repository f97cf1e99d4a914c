"""Circuits: a dependency that keeps failing is not called for a while, so that nobody waits for it in vain.

    closed --failures in a row--> open --the pause ends--> half-open --its one trial--> closed | open

There is no I/O here, and no clock: each caller gives the present instant, in seconds of any steady clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["closed", "half-open", "open"]
VALUES: dict[State, int] = {"closed": 0, "half-open": 1, "open": 2}  # of the metrics
LONGEST_WISH_SECONDS = 3600.0  # of a provider that asks for a pause itself


@dataclass(frozen=True, slots=True)
class Pace:
    """When a circuit opens, and for how long. Times are in seconds.

    It opens when ``failures`` in a row lasted for ``lasting``: many calls at once of which some succeed never open it. The
    pause before a trial is at least ``pause``. It grows with the outage up to ``longest``. A trial without a result, because
    its process died, ends after ``trial``.
    """

    failures: int = 5
    lasting: float = 10.0
    pause: float = 30.0
    longest: float = 300.0
    trial: float = 30.0


class Circuit:
    """The circuit before one dependency."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._failures = 0  # in a row
        self._failing_since = 0.0
        self._trying = False
        self.opened_at: float | None = None
        self.next_at = 0.0  # of the next trial, while the circuit is not closed
        self.openings = 0

    def state(self, now: float) -> State:
        """Return the state at ``now``."""
        if self.opened_at is None:
            return "closed"
        return "half-open" if self._trying or now >= self.next_at else "open"

    def admits(self, now: float) -> bool:
        """Return whether a call may begin. While the circuit is not closed, a call that may begin is the one trial."""
        if self.opened_at is None:
            return True
        if now < self.next_at:
            return False
        self._trying, self.next_at = True, now + self._pace.trial
        return True

    def succeeded(self) -> None:
        """Close the circuit: the dependency has answered."""
        self._failures = 0
        self._trying = False
        self.opened_at = None

    def failed(self, now: float, wish: float = 0.0) -> None:
        """Count a failure. ``wish`` is the pause that the dependency itself asked for.

        A late failure of a call that began before the opening changes nothing.
        """
        if self.opened_at is None:
            if not self._failures:
                self._failing_since = now
            self._failures += 1
            if self._failures < self._pace.failures or now - self._failing_since < self._pace.lasting:
                return
            self.opened_at = now
            self.openings += 1
        elif not self._trying:
            return
        self._trying = False
        grown = min(max(self._pace.pause, now - self.opened_at), self._pace.longest)
        self.next_at = now + max(grown, min(wish, LONGEST_WISH_SECONDS))

    def give_back(self, now: float) -> bool:
        """End a trial whose call does not take place, so that another call can be the trial; return whether there is one."""
        if self.opened_at is None or not self._trying:
            return False
        self._trying, self.next_at = False, now
        return True

    def follow(self, opened_at: float | None, next_at: float = 0.0) -> None:
        """Take over the state that another process has found."""
        if opened_at is None and self.opened_at is not None:
            self.succeeded()
        elif opened_at is not None:
            self.opened_at, self.next_at, self._trying = opened_at, next_at, False
