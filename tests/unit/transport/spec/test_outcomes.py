"""The outcomes of commands, read from the rules, and how often a rule is read."""

from __future__ import annotations

import inspect
from collections import Counter

import pytest

from server.domain.commands import COMMANDS, CallNext, Command, SetUp, Transfer
from server.domain.errors import InUse, NobodyWaiting, NothingChanged, PointBusy, PrefixFixed, SameQueue
from server.domain.events import KioskChanged, QueueAdded, SiteChanged, TicketCalled, TicketTransferred
from server.transport.spec.outcomes import Outcomes


def test_outcome_has_the_classes_of_the_branch_and_of_the_functions_that_it_calls() -> None:
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


def test_outcome_has_the_classes_of_the_methods_of_a_rule() -> None:
    found = Outcomes().of(SetUp)
    assert found is not None
    assert {SiteChanged, QueueAdded, KioskChanged} <= found.events.keys()
    assert {NothingChanged, PrefixFixed, InUse} <= found.errors.keys()
    assert PointBusy not in found.errors


def test_command_without_a_branch_has_no_outcome() -> None:
    assert Outcomes().of(Command) is None


def test_events_of_internal_commands_are_in_no_answer() -> None:
    outcomes = Outcomes()
    assert outcomes.untold
    assert outcomes.untold.isdisjoint(outcomes.clock)


def test_each_module_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
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
