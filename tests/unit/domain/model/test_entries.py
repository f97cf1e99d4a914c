"""Entries, and the steps that can be undone."""

from __future__ import annotations

from server.domain.commands import COMMANDS
from server.domain.events import EVENTS
from server.domain.model import COMMANDS_OF_STEP


def test_steps_are_events_and_their_causes_are_commands() -> None:
    assert set(COMMANDS_OF_STEP) <= set(EVENTS)
    assert {name for names in COMMANDS_OF_STEP.values() for name in names} <= set(COMMANDS)
