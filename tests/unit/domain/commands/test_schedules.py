"""The commands of schedules name the site that they lock."""

from __future__ import annotations

import pytest

from server.domain.commands import ChangeSchedule, Command, EndSchedule, RemoveException
from tests.support.worlds import SITE_ID, an_id


@pytest.mark.parametrize(
    "command",
    [
        ChangeSchedule(schedule_id=an_id(5), from_date="2024-04-01"),
        EndSchedule(schedule_id=an_id(5), last_date="2024-04-01"),
        RemoveException(exception_id=an_id(5)),
    ],
)
def test_a_command_on_a_schedule_locks_its_site(command: Command) -> None:
    assert command.site_id == SITE_ID
