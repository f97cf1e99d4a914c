"""A clinic with one record of each kind, for the tests of rules and views."""

from __future__ import annotations

import pytest

from server.domain.commands import AddDisplay, AddKiosk, AddPoint, AddProvider, AddQueue, AddService, Command
from server.domain.errors import NowServingError
from server.domain.rules import decide
from tests.support.worlds import SITE_ID, World, an_id, facts

# The ids in the order of the commands below.
SERVICE, BLOOD, X_RAY, ONE, TWO, ADA, BOSE, HALL, DOOR = (an_id(number) for number in range(1, 10))
NOBODY = an_id(999)


def whole_clinic() -> World:
    """Return a clinic with one record of each kind, and two queues, points and providers to compare."""
    world = World()
    for command in (
        AddService(site_id=SITE_ID, name="HIV test", public_name="Blood"),
        AddQueue(site_id=SITE_ID, name="Blood", prefix="A", service_id=SERVICE),
        AddQueue(site_id=SITE_ID, name="X-ray", prefix="B"),
        AddPoint(site_id=SITE_ID, name="Room 1", queue_ids=(BLOOD,)),
        AddPoint(site_id=SITE_ID, name="Room 2", queue_ids=(BLOOD, X_RAY), unmet_needs=("step_free",)),
        AddProvider(site_id=SITE_ID, name="Dr. Ada"),
        AddProvider(site_id=SITE_ID, name="Dr. Bose"),
        AddDisplay(site_id=SITE_ID, name="Hall"),
        AddKiosk(site_id=SITE_ID, name="Door"),
    ):
        world.do(command)
    return world


def refusal(world: World, command: Command) -> NowServingError:
    """Return the refusal of a command. Assert that the board does not change."""
    before = facts(world.board)
    with pytest.raises(NowServingError) as caught:
        decide(world.board, command, world.now, "hash")
    assert facts(world.board) == before
    return caught.value
