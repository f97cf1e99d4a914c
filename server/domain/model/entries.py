"""An entry: one stage of a visit in one queue. Also the calls that displays announce, and the ticket numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from server.domain.model.doubts import Doubt, DoubtMark
from server.domain.model.told import Told, ToldMark
from server.domain.model.unreached import Mark

State = Literal[
    "waiting", "called", "serving", "completed", "no_show", "held", "transferred", "left", "cancelled", "expired"
]
OPEN_STATES: frozenset[State] = frozenset({"waiting", "called", "serving", "held"})
BUSY_STATES: frozenset[State] = frozenset({"called", "serving"})

UNDO_MICROSECONDS = 60_000_000  # how long a step can be undone
# The steps that can be undone, by the name of their event, with the commands that cause them. The right to one of these
# commands is the right to undo the step.
COMMANDS_OF_STEP: dict[str, tuple[str, ...]] = {
    "ticket-issued": ("check-in",),
    "ticket-called": ("call-next", "call"),
    "service-started": ("start",),
    "service-completed": ("complete",),
    "no-show-recorded": ("no-show",),
    "ticket-transferred": ("transfer",),
    "entry-held": ("hold", "running-late"),
    "entry-returned": ("return", "running-late"),
    "entry-left": ("leave",),
    "entry-cancelled": ("cancel",),
    "entry-reprioritised": ("reprioritise",),
    "entry-moved": ("move",),
    "patient-running-late": ("running-late",),
    "entry-reopened": ("reopen",),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One stage of a visit in one queue. ``since`` is the time at which it entered its present state.

    - ``absent_until`` is set while the patient is late. The entry keeps its place, and points pass over it. Steps keep it,
      until its time comes, the service begins, or the patient is here.
    - ``held_until`` is set while a called patient needs more time. The entry is on hold, and returns by itself at this time.
    - ``away_since`` is set for an entry on hold or a no-show: the time of the call that the patient missed, or of the hold.
      ``away`` is the length of all such absences that have ended, ``delay`` what they added to ``due_at`` (microseconds).
    - ``expect_from`` and ``expect_until`` are the present quote: the range in which the patient will be called. The quote is
      a guess while ``estimating`` is set. ``quoted_from`` and ``quoted_until`` are the first quote.
    - ``called_at`` is the time of the last call, ``first_called_at`` that of the first, ``announced_at`` that of the last
      call or recall.
    - ``undo`` describes the last step if it can be undone: the fields ``step`` (name of its event), ``at``, ``seq``,
      ``priority`` and ``back_to`` (the fields of the entry before it), and ``duration`` if it ended a service.
    - ``unreached`` is set while a message about the present state has not reached the patient.
    - ``doubt`` is set on a call or a service that began before an outage: see `Doubt`.
    - ``told`` is the last word to the patient about the wait: see `Told`. None stands for the first quote.
    - ``leave_until`` is the instant before which the call is unlikely: the patient may leave until then. ``quoted_leave`` is
      the first such promise, which statistics compare with the call.
    """

    id: int
    site_id: int
    business_day: str
    visit_id: int
    queue_id: int
    state: State
    band: int
    place: int
    due_at: int
    point_id: int | None
    calls: int
    since: int
    called_at: int | None
    absent_until: int | None
    expect_from: int | None
    expect_until: int | None
    estimating: bool
    quoted_from: int | None
    quoted_until: int | None
    undo: dict[str, Any] | None
    seq: int
    provider_id: int | None = None
    moved: bool = False
    quoted_ahead: int | None = None
    quoted_points: int | None = None
    first_called_at: int | None = None
    held_until: int | None = None
    away_since: int | None = None
    away: int = 0
    delay: int = 0
    announced_at: int | None = None
    unreached: Mark | None = None
    doubt: DoubtMark | None = None
    told: ToldMark | None = None
    leave_until: int | None = None
    quoted_leave: int | None = None

    @property
    def last_told(self) -> Told | None:
        """The last word about the wait, or None: then the first quote stands."""
        return Told(*self.told) if self.told else None

    @property
    def open_doubt(self) -> Doubt | None:
        """The doubt that staff have not answered, or None."""
        return None if self.doubt is None or self.doubt[2] is not None else Doubt(*self.doubt)

    def missed_since(self, now: int) -> int | None:
        """Return the instant from which a called patient misses the call. An outage is not the fault of the patient.

        It is the call; after an outage the answer of the staff, or ``now`` without one.
        """
        if self.doubt is None:
            return self.called_at
        return now if self.doubt[2] is None else self.doubt[2]

    @property
    def back_at(self) -> int | None:
        """The time at which an absent patient is expected, or None: of an entry that waits or is on hold."""
        return (self.held_until or self.absent_until) if self.state in ("waiting", "held") else None


@dataclass(frozen=True, slots=True)
class Announcement:
    """A call or recall as a display shows and speaks it, or the withdrawal of one."""

    id: int
    site_id: int
    business_day: str
    entry_id: int
    point_id: int
    label: str
    kind: Literal["call", "recall", "withdrawn"]
    at: int
    seq: int


@dataclass(frozen=True, slots=True)
class Counter:
    """The last ticket number issued under one prefix on one business day."""

    site_id: int
    prefix: str
    business_day: str
    last: int
    seq: int
