"""The extent of a run: the share of each matrix and of each random property that it tries.

pytest tries everything. ``make test`` sets ``NOWSERVING_TEST_EXTENT=sample`` and tries a sample that changes every day. One
seed decides the sample: the date, or ``NOWSERVING_TEST_SEED`` to repeat a run. The first lines of pytest's output name the
seed. ``NOWSERVING_TEST_EXTENT=rest`` tries what the sample of the same seed left out: tests of which a sample tries only a
part are tried whole, and all other tests on the other database engine alone. The rest also has the tests that are marked
``rest``, which no sample tries.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, seed, settings

Item = TypeVar("Item")
Test = TypeVar("Test", bound=Callable[..., Any])

EXTENTS = ("everything", "sample", "rest")
EXTENT = os.environ.get("NOWSERVING_TEST_EXTENT") or "everything"
if EXTENT not in EXTENTS:
    raise pytest.UsageError(f"NOWSERVING_TEST_EXTENT is {EXTENT!r}; use one of {', '.join(EXTENTS)}")
# Matrices and properties are tried whole.
WHOLE = EXTENT != "sample"
SEED = int(os.environ.get("NOWSERVING_TEST_SEED") or f"{datetime.now(UTC):%Y%m%d}")
# The workers of a run start one after the other: midnight may come between them, and all have to collect the same tests.
os.environ.setdefault("NOWSERVING_TEST_SEED", str(SEED))
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


def left_out(item: pytest.Item) -> bool:
    """Return whether this run leaves out ``item``.

    It does so with a test of the other engine, one that the sample tried whole, or, as a sample, one for the rest.
    """
    if EXTENT == "everything" or not isinstance(item, pytest.Function):
        return False
    if item.get_closest_marker("rest") is not None:
        return EXTENT == "sample"
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    engines = {each for each in parameters if isinstance(each, str) and each in ENGINES}
    tried = not engines or engine_of(item.path.name) in engines
    if EXTENT == "sample":
        return not tried
    return tried and not has_samples(item.module)


def has_samples(module: ModuleType) -> bool:
    """Return whether a sample tries only a part of some test of ``module``: whether it imports from here or all of this."""
    here = sys.modules[__name__]
    return any(each is here or getattr(each, "__module__", None) == __name__ for each in vars(module).values())


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
    if EXTENT == "everything":
        return "extent: everything"
    extent = "a sample" if EXTENT == "sample" else "what a sample leaves out,"
    return f"extent: {extent} by the seed {SEED}. NOWSERVING_TEST_EXTENT={EXTENT} NOWSERVING_TEST_SEED={SEED} repeats it."
