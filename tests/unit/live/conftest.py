"""Tests of handed-off connections run on both event loops, in real time. All others run in simulated time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

from tests.unit.live.simulated_time import SimulatedTimeLoop

BOTH = frozenset({"test_handoff.py"})


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Return the event loops on which a test runs."""
    if item.path.name in BOTH:
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"simulated": SimulatedTimeLoop}
