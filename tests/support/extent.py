"""The extent of a run: the share of each matrix and of each random property that it tries.

pytest tries everything. ``make test`` sets ``NOWSERVING_TEST_SAMPLE=1`` and tries a sample that changes every day. One seed
decides the sample: the date, or ``NOWSERVING_TEST_SEED`` to repeat a run. The first lines of pytest's output name the seed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from hypothesis import HealthCheck, seed, settings

Item = TypeVar("Item")
Test = TypeVar("Test", bound=Callable[..., Any])

WHOLE = os.environ.get("NOWSERVING_TEST_SAMPLE") != "1"
SEED = int(os.environ.get("NOWSERVING_TEST_SEED") or f"{datetime.now(UTC):%Y%m%d}")
ENGINES = ("sqlite", "mysql")
# A sample of a property tries a quarter of the examples, but at least this number.
LEAST_EXAMPLES = 10


def scaled(whole: int, sample: int) -> int:
    """Return ``whole`` in a run of everything, else ``sample``: a count of repeats or rounds."""
    return whole if WHOLE else sample


def sample(items: Sequence[Item], size: int, name: str) -> list[Item]:
    """Return all ``items`` in a run of everything, else ``size`` of them in order, selected by the seed and ``name``."""
    if WHOLE or size >= len(items):
        return list(items)
    chosen = sorted(random.Random(f"{SEED}:{name}").sample(range(len(items)), size))
    return [items[index] for index in chosen]


def engine_of(module: str) -> str:
    """Return the database engine on which a sample runs the tests of ``module`` that know both engines."""
    if os.environ.get("NOWSERVING_TEST_DATABASE_URL"):
        return "mysql"  # the run is about the server that the variable names
    return random.Random(f"{SEED}:{module}").choice(ENGINES)


def examples(count: int) -> Callable[[Test], Test]:
    """Make Hypothesis try ``count`` examples, the same on every run. A sample tries fewer, which change every day."""
    tried = settings(
        max_examples=count if WHOLE else max(count // 4, min(count, LEAST_EXAMPLES)),
        deadline=None,
        derandomize=WHOLE,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
    )

    def decorate(test: Test) -> Test:
        decorated: Test = tried(test if WHOLE else seed(SEED)(test))
        return decorated

    return decorate


def header() -> str:
    """Return the line that names the extent of this run."""
    if WHOLE:
        return "extent: everything"
    return f"extent: a sample by the seed {SEED}. NOWSERVING_TEST_SAMPLE=1 NOWSERVING_TEST_SEED={SEED} repeats it."
