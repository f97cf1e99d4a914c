"""The totals of the clinics for the metrics: patients by step, waits, and promised times.

Each event is committed by one process, and only that process counts it: the sum over all processes is the truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from server.domain.board import Board
from server.domain.events import (
    EntryCancelled,
    EntryExpired,
    EntryLeft,
    Event,
    NoShowRecorded,
    Recorded,
    ServiceCompleted,
    ServiceStarted,
    StepUndone,
    TicketCalled,
    TicketIssued,
    TicketRecalled,
    TicketTransferred,
)
from server.domain.model import Entry
from server.telemetry.histogram import Histogram

STEPS: Mapping[type[Event], str] = {
    TicketIssued: "issued",
    TicketCalled: "called",
    TicketRecalled: "recalled",
    ServiceStarted: "started",
    ServiceCompleted: "served",
    NoShowRecorded: "no-show",
    TicketTransferred: "transferred",
    EntryLeft: "left",
    EntryCancelled: "cancelled",
    EntryExpired: "expired",
    StepUndone: "undone",
}
PROMISES = ("early", "within", "missed")
WAIT_BOUNDS = (60, 300, 600, 900, 1200, 1800, 2700, 3600, 5400, 7200, 10_800)  # seconds
SECOND = 1_000_000


class ClinicTotals:
    """Counts what the commands of this process changed, since it began. Test patients count nowhere."""

    def __init__(self) -> None:
        self.steps: Counter[str] = Counter(dict.fromkeys(STEPS.values(), 0))
        self.promises: Counter[str] = Counter(dict.fromkeys(PROMISES, 0))
        self.waits = Histogram(WAIT_BOUNDS)

    def count(self, board: Board, events: Sequence[Recorded]) -> None:
        """Count the events of one commit. ``board`` is the site's board after them."""
        for recorded in events:
            name = STEPS.get(type(recorded.event))
            if name is None:
                continue
            entry = board.entries.get(getattr(recorded.event, "entry_id", 0))
            visit = None if entry is None else board.visits.get(entry.visit_id)
            if visit is not None and visit.trial:
                continue
            self.steps[name] += 1
            if entry is not None and isinstance(recorded.event, TicketCalled):
                self._count_call(entry, recorded)

    def _count_call(self, entry: Entry, recorded: Recorded) -> None:
        """Count the first call of a patient in a queue: the wait, and whether the call came in the promised range."""
        if entry.first_called_at != recorded.at:
            return
        if entry.undo is not None and entry.undo["seq"] == recorded.seq:
            self.waits.observe((recorded.at - entry.undo["back_to"]["since"]) / SECOND)
        if entry.quoted_from is None or entry.quoted_until is None:
            return
        if recorded.at > entry.quoted_until:
            self.promises["missed"] += 1
        else:
            self.promises["early" if recorded.at < entry.quoted_from else "within"] += 1
