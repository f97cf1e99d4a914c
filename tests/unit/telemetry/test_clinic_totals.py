"""The totals of the clinics for the metrics: steps, waits until the first call, and promised times."""

from __future__ import annotations

from dataclasses import replace

from server.domain.board import Changes
from server.domain.commands import CallNext, Command, Complete, IssueTicket, NoShow, Recall, Return, Start, Undo
from server.telemetry.clinic_totals import PROMISES, STEPS, ClinicTotals
from tests.support.worlds import MINUTE, SECOND, World


class Counted(World):
    """A clinic with one room, whose commits are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.totals = ClinicTotals()
        self.line = self.queue("A")
        self.room = self.point(self.line)

    def commit(self, command: Command, after: int = SECOND) -> int:
        """Do a command and count its events; return the id of the entry of the last one."""
        events = self.do(command, after)
        self.totals.count(self.board, events)
        return int(getattr(events[-1].event, "entry_id", 0))

    def promise(self, entry_id: int, from_: int, until: int) -> None:
        """Give an entry a first quote: a range, in microseconds from now."""
        entry = self.board.entries[entry_id]
        self.rows[type(entry), entry.id] = quoted = replace(
            entry, quoted_from=self.now + from_, quoted_until=self.now + until
        )
        self.board.put(quoted, Changes())


def test_each_step_counts_once_and_an_undo_counts_apart() -> None:
    clinic = Counted()
    first = clinic.commit(IssueTicket(queue_id=clinic.line))
    assert clinic.commit(CallNext(point_id=clinic.room)) == first
    clinic.commit(Recall(entry_id=first), after=30 * SECOND)
    clinic.commit(NoShow(entry_id=first))
    clinic.commit(Undo(entry_id=first))
    clinic.commit(Start(entry_id=first))
    clinic.commit(Complete(entry_id=first))
    steps = {"issued": 1, "called": 1, "recalled": 1, "no-show": 1, "undone": 1, "started": 1, "served": 1}
    assert clinic.totals.steps == dict.fromkeys(STEPS.values(), 0) | steps


def test_wait_is_measured_at_the_first_call_alone() -> None:
    clinic = Counted()
    entry = clinic.commit(IssueTicket(queue_id=clinic.line))
    clinic.commit(CallNext(point_id=clinic.room), after=7 * MINUTE)
    clinic.commit(NoShow(entry_id=entry), after=5 * MINUTE)
    clinic.commit(Return(entry_id=entry), after=5 * MINUTE)
    clinic.commit(CallNext(point_id=clinic.room), after=5 * MINUTE)
    assert (clinic.totals.steps["called"], clinic.totals.waits.total) == (2, 420.0)
    assert dict(clinic.totals.waits.buckets())["600.0"] == dict(clinic.totals.waits.buckets())["+Inf"] == 1
    assert dict(clinic.totals.waits.buckets())["300.0"] == 0


def test_promise_is_judged_by_its_first_range() -> None:
    for until, outcome in ((3, "missed"), (20, "within"), (90, "early")):
        clinic = Counted()
        entry = clinic.commit(IssueTicket(queue_id=clinic.line))
        clinic.promise(entry, (until - 2) * MINUTE, until * MINUTE)
        clinic.commit(CallNext(point_id=clinic.room), after=19 * MINUTE)
        assert clinic.totals.promises == dict.fromkeys(PROMISES, 0) | {outcome: 1}


def test_test_patients_count_nowhere() -> None:
    clinic = Counted()
    entry = clinic.commit(IssueTicket(queue_id=clinic.line, trial=True))
    clinic.commit(CallNext(point_id=clinic.room))
    clinic.commit(Start(entry_id=entry))
    assert not any(clinic.totals.steps.values())
    assert clinic.totals.waits.buckets()[-1] == ("+Inf", 0)
