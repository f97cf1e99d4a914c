"""What a command can come to, read from its rule, and how often that rule is read."""

from __future__ import annotations

import inspect
from collections import Counter

import pytest

from server.domain.commands import COMMANDS, CallNext, Command, Transfer
from server.domain.errors import NobodyWaiting, PointBusy, SameQueue
from server.domain.events import TicketCalled, TicketTransferred
from server.transport.spec.outcomes import Outcomes


def test_a_rule_names_what_its_branch_and_what_that_calls_name() -> None:
    outcomes = Outcomes()
    found = outcomes.of(CallNext)
    assert found is not None
    assert TicketCalled in found.events
    assert {PointBusy, NobodyWaiting} <= found.errors.keys()
    assert SameQueue not in found.errors
    other = outcomes.of(Transfer)
    assert other is not None
    assert TicketTransferred in other.events
    assert SameQueue in other.errors


def test_a_command_without_a_branch_has_no_outcome() -> None:
    assert Outcomes().of(Command) is None


def test_what_only_the_server_causes_is_told_in_no_answer() -> None:
    outcomes = Outcomes()
    assert outcomes.untold
    assert outcomes.untold.isdisjoint(outcomes.clock)


def test_each_module_is_read_once_whatever_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    read: Counter[object] = Counter()
    really = inspect.getsource

    def noted(of: object) -> str:
        read[of] += 1
        return really(of)  # type: ignore[arg-type]

    monkeypatch.setattr(inspect, "getsource", noted)
    outcomes = Outcomes()
    first = {command: outcomes.of(command) for command in COMMANDS.values()}
    assert outcomes.clock
    assert first == {command: outcomes.of(command) for command in COMMANDS.values()}
    assert read
    assert all(inspect.ismodule(each) for each in read), "a function is found in what was read of its module"
    assert set(read.values()) == {1}
