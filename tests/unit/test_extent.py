"""The extents of a run: a sample and its rest try everything together."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# One module with samples, one with both engines alone, one with neither, and one that no sample tries.
MODULES = SAMPLED, ENGINES, PLAIN, REST = (
    "tests/integration/test_never_twice.py",
    "tests/integration/test_busy_cells.py",
    "tests/unit/test_words.py",
    "tests/integration/test_fault_day.py",
)


def collected(extent: str) -> set[str]:
    """Return the ids of the tests that a run of ``extent`` tries in the modules."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "--no-header", *MODULES],
        env=os.environ | {"NOWSERVING_TEST_EXTENT": extent, "NOWSERVING_TEST_SEED": "7"},
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    ids = {line for line in ran.stdout.splitlines() if "::" in line}
    assert ids, ran.stdout
    return ids


@pytest.fixture(scope="module")
def tests() -> dict[str, set[str]]:
    extents = ("everything", "sample", "rest")
    with ThreadPoolExecutor() as pool:
        return dict(zip(extents, pool.map(collected, extents), strict=True))


def of(ids: set[str], module: str) -> set[str]:
    return {each for each in ids if each.startswith(module)}


def test_sample_and_rest_are_everything(tests: dict[str, set[str]]) -> None:
    assert tests["sample"] | tests["rest"] == tests["everything"]


def test_rest_tries_a_module_with_samples_whole(tests: dict[str, set[str]]) -> None:
    assert of(tests["rest"], SAMPLED) == of(tests["everything"], SAMPLED)


def test_rest_tries_the_other_engine_of_a_module_without_samples(tests: dict[str, set[str]]) -> None:
    sample, rest = of(tests["sample"], ENGINES), of(tests["rest"], ENGINES)
    assert sample
    assert rest
    assert not sample & rest


def test_rest_leaves_out_what_a_sample_tries_whole(tests: dict[str, set[str]]) -> None:
    assert of(tests["sample"], PLAIN)
    assert not of(tests["rest"], PLAIN)


def test_no_sample_tries_a_test_for_the_rest(tests: dict[str, set[str]]) -> None:
    assert not of(tests["sample"], REST)
    assert of(tests["rest"], REST) == of(tests["everything"], REST)
    assert of(tests["rest"], REST)


def test_unknown_extent_is_refused() -> None:
    env = os.environ | {"NOWSERVING_TEST_EXTENT": "half"}
    command = [sys.executable, "-c", "import tests.support.extent"]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "NOWSERVING_TEST_EXTENT is 'half'; use one of everything, sample, rest" in done.stderr
