"""The facts of the domain that pages repeat in web/js and web/pages are those of the domain.

A fact is found by the name of its constant, or by its shape, in any module of the pages.
"""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest

from server.domain.commands import COMMANDS, Book, IssueTicket, RunningLate, bounds
from server.domain.errors import NowServingError
from server.domain.model import COMMANDS_OF_STEP, OPEN_STATES, UNDO_MICROSECONDS, Need, PointState, Priority, State
from server.domain.roles import ROLES
from server.domain.rules import decide
from tests.support.one_entry import board_with, on_entry
from tests.support.worlds import SECOND, START

WEB = Path(__file__).parents[2] / "web"
SOURCES = "\n".join(path.read_text() for path in sorted((WEB / "js").rglob("*.js")))
RECEPTION = "".join((WEB / path).read_text() for path in ("pages/reception.html", "markup/reception-dialogs.html"))


def literals(pattern: str) -> list[Any]:
    """Return every literal of the pages that a pattern captures. There is at least one."""
    found = re.findall(pattern, SOURCES, re.S)
    assert found, f"no page has {pattern}"
    return [json.loads(re.sub(r",(?=\s*[\]}])|(?<=\d)_(?=\d)", "", each)) for each in found]


def only(pattern: str) -> Any:
    """Return the one literal of the pages that a pattern captures."""
    (found,) = literals(pattern)
    return found


def test_undo_time_is_that_of_the_entry() -> None:
    assert only(r"const UNDO_MS = ([\d_]+);") == UNDO_MICROSECONDS // 1000


def test_undoable_commands_are_those_of_the_steps() -> None:
    commands = only(r"const UNDOABLE = new Set\((\[.*?\])\)")
    assert len(commands) == len(set(commands))
    assert set(commands) == {name for names in COMMANDS_OF_STEP.values() for name in names}


def test_shortest_reason_is_that_of_the_commands() -> None:
    assert set(literals(r"const SHORTEST\w* = (\d+);")) == {bounds.REASON["min_length"]}


def test_offered_minutes_of_lateness_are_allowed() -> None:
    limits = {item.name: item.metadata for item in fields(RunningLate)}["minutes"]
    for minutes in literals(r"const (?:LATE_|NEEDED_)?MINUTES = (\[[^\]]*\]);"):
        assert all(limits["ge"] <= each <= limits["le"] for each in minutes)


def test_commands_for_points_lead_to_all_states_of_points() -> None:
    states = only(r'(\{ "open-point": [^}]*\})')
    assert set(states) <= set(COMMANDS)
    assert sorted(states.values()) == sorted(get_args(PointState))


def test_refusals_that_reception_overrules_are_errors_of_the_domain() -> None:
    known = {kind().code for kind in _all_kinds(NowServingError)}
    confirmed_by = only(r"const CONFIRMED_BY = new Map\((\[\[.*?\]\])\)")
    assert {code for code, _ in confirmed_by} <= known
    assert {name for _, name in confirmed_by} <= {item.name for kind in (IssueTicket, Book) for item in fields(kind)}


def _all_kinds(kind: type[NowServingError]) -> set[type[NowServingError]]:
    return {kind}.union(*(_all_kinds(each) for each in kind.__subclasses__()))


def test_pages_of_roles_name_known_roles() -> None:
    assert {role for role, _ in only(r"const HOMES = new Map\((\[\[.*?\]\])\)")} <= set(ROLES)


def test_states_that_a_search_can_reopen_are_ended_states() -> None:
    for states in literals(r'(\["completed", [^\]]*\])'):
        for state in states:
            assert decide(board_with(state), on_entry(COMMANDS["reopen"]), START + SECOND)


def offered_steps() -> list[tuple[State, str]]:
    """Return the commands that the desk offers for an entry in each state."""
    found: list[tuple[State, str]] = []
    groups = dict(re.findall(r"const (\w+) = (\[[^\[\]]*\]);", SOURCES))
    for state, steps in re.findall(r'case "(\w+)":\s+return (\[.*?\]);', SOURCES):
        if state in get_args(State):
            spread = re.sub(r"\.\.\.(\w+)", lambda name: groups.get(name[1], name[0]), steps)
            found += [(state, name) for name in re.findall(r'"([\w-]+)"', spread) if name in COMMANDS]
    return found


def test_desk_offers_steps_in_each_open_state() -> None:
    assert {state for state, _ in offered_steps()} == {*OPEN_STATES, "no_show"}


@pytest.mark.parametrize(("state", "command"), offered_steps())
def test_offered_step_is_allowed_in_its_state(state: State, command: str) -> None:
    assert decide(board_with(state), on_entry(COMMANDS[command]), START + SECOND)


@pytest.mark.parametrize(("name", "values"), [("priority", get_args(Priority)), ("needs", get_args(Need))])
def test_choices_of_reception_are_all_values(name: str, values: tuple[str, ...]) -> None:
    chosen = re.findall(rf'<input type="\w+" name="{name}" value="(\w+)"', RECEPTION)
    assert set(chosen) == set(values)
    assert len(chosen) % len(values) == 0, "each dialog has every value once"


@pytest.mark.parametrize(
    ("field", "attribute", "bound"),
    [
        ("name", "maxlength", bounds.NAME["max_length"]),
        ("other", "maxlength", bounds.REASON["max_length"]),
        ("party_size", "min", bounds.PARTY["ge"]),
        ("party_size", "max", bounds.PARTY["le"]),
    ],
)
def test_limits_of_reception_are_those_of_the_commands(field: str, attribute: str, bound: int) -> None:
    inputs = re.findall(rf'<input [^>]*name="{field}"[^>]*>', RECEPTION)
    assert inputs
    assert {re.findall(rf'\b{attribute}="(\d+)"', each)[0] for each in inputs} == {str(bound)}
