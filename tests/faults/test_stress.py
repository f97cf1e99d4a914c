"""The short form of the stress run: each kind of fault once, in the order of the seed. ``make stress`` is the long form."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.installation import database_server
from tests.faults.stress import CLOCK_FAULTS, FAULTS, Figures, stress
from tests.support import databases

pytestmark = pytest.mark.long

SEED = 4
SCREENS = 24


async def test_every_screen_shows_the_truth_again_after_each_fault(tmp_path: Path) -> None:
    figures = Figures()
    chance = random.Random(SEED)
    with database_server(tmp_path) as (server, clock), databases.fresh_database(server) as url:
        wrongs, cable = await stress(
            url, tmp_path, chance, figures, seconds=None, servers=2, screens=SCREENS, clock=clock, say=print
        )
    print(f"seed {SEED}; {cable}", *figures.lines(), sep="\n")
    assert wrongs == []
    expected = set(FAULTS) if clock is not None else set(FAULTS) - CLOCK_FAULTS
    assert set(figures.faults) == expected, "a kind of fault did not happen"
    assert figures.checks > SCREENS * len(FAULTS)
    assert len({name.partition(" ")[0] for name in figures.viewers}) == 6, "a view had no screen"
    assert len(figures.commands) > 25
    assert figures.announced > 20
    assert figures.calls > 20
    assert figures.paused > 0, "no server noticed a stalled reader"
