"""The timeline of one entry, from its closed intervals: joined, called, started and ended. Pure.

An interval is a state that the entry has left, with its length. Wait, walk and service are sums of intervals. An undone step
has no interval. Instants are microseconds of UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from server.domain.model import OPEN_STATES, State


@dataclass(frozen=True, slots=True)
class Interval:
    """A state that an entry has left. ``ended_by`` is the number of the event that ended it, in the site's log.

    ``doubted`` marks a call or a service across an outage: nobody knows how long it lasted.
    """

    ended_by: int
    state: State
    started_at: int
    ended_at: int
    point_id: int | None
    doubted: bool = False

    @property
    def length(self) -> int:
        """The length of the interval (microseconds)."""
        return self.ended_at - self.started_at


@dataclass(frozen=True, slots=True)
class Timeline:
    """The instants of an entry, and its sums.

    ``waited`` and ``served`` are sums of closed intervals. ``waited_for_call`` is the wait until the last call, None without
    a call. ``walks`` are the closed times from a call to the start that followed. ``calls`` are the instants of calls,
    without recalls. ``started_at`` is the last start, and ``ended_at`` is None while the entry is open. A doubted walk is
    left out, and an entry with a doubted service has no ``served``.
    """

    joined_at: int
    calls: tuple[int, ...]
    started_at: int | None
    ended_at: int | None
    waited: int
    waited_for_call: int | None
    walks: tuple[int, ...]
    served: int | None


def timeline(state: State, since: int, intervals: Iterable[Interval]) -> Timeline:
    """Return the timeline of an entry that has been in ``state`` since an instant. ``intervals`` may be in any order."""
    closed = sorted(intervals, key=lambda each: each.ended_by)
    steps = [*((each.state, each.started_at) for each in closed), (state, since)]
    waited = 0
    waited_for_call: int | None = None
    served: int | None = None
    walks: list[int] = []
    for interval, (following, _) in zip(closed, steps[1:], strict=True):
        match interval.state:
            case "waiting":
                waited += interval.length
                if following == "called":
                    waited_for_call = waited
            case "called" if following == "serving" and not interval.doubted:
                walks.append(interval.length)
            case "serving":
                served = (served or 0) + interval.length
    return Timeline(
        joined_at=steps[0][1],
        calls=tuple(at for each, at in steps if each == "called"),
        started_at=max((at for each, at in steps if each == "serving"), default=None),
        ended_at=None if state in OPEN_STATES else since,
        waited=waited,
        waited_for_call=waited_for_call,
        walks=tuple(walks),
        served=None if any(each.state == "serving" and each.doubted for each in closed) else served,
    )
