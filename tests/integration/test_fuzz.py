"""The short form of ``python -m tests.fuzz``: a few examples of each operation. A sample calls some of the operations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.seeding import Seed
from server.transport.spec import openapi
from tests.fuzz.fuzzing import REFUSED, ROLES, Fuzzer, House, served
from tests.support.extent import sample, scaled
from tests.support.server import Server, environment, seed, serving

SAMPLE = 60  # operations
SECONDS = 900  # only ends a run that hangs: a quiet machine needs a minute


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def env(folder: Path) -> dict[str, str]:
    return environment(f"sqlite+aiosqlite:///{folder / 'x.db'}")


@pytest.fixture(scope="module")
def seeded(env: dict[str, str]) -> Seed:
    return seed(env, points=6, tickets=12, displays=3)


@pytest.fixture(scope="module")
def server(env: dict[str, str], seeded: Seed, folder: Path) -> Iterator[Server]:
    with serving(env, folder) as server:
        yield server


@pytest.fixture(scope="module")
def house(server: Server, seeded: Seed) -> Iterator[House]:
    house = House(server.url, seeded)
    yield house
    house.close()


def test_document_describes_every_answer(server: Server, house: House) -> None:
    fuzzer = Fuzzer(house, seed=7)
    fuzzer.only(set(sample([each.label for each in fuzzer.operations], SAMPLE, __name__)).__contains__)
    report = fuzzer.run(examples=scaled(10, 6), rounds=1, seconds=SECONDS)
    text = "\n".join(report.lines())
    assert not report.findings, text
    assert not report.out_of_time, text
    assert "Traceback" not in server.log.read_text()
    # A few examples do not reach every operation, but a run that reaches few of them proves little.
    assert len(report.never_done()) < len(report.answers) / scaled(4, 2), text
    assert {role for counter in report.answers.values() for role, _ in counter} == set(ROLES)
    assert not [label for label in REFUSED if label in report.answers and report.done(label)], text
    streams = {re.sub(r":\w+\}", "}", f"GET {each.path}") for module in openapi.MODULES for each in module if each.stream}
    assert set(report.left_out) == streams
    assert set(report.answers).isdisjoint(streams)


@pytest.mark.parametrize("change", ["status", "content type", "body", "body refused"])
def test_undocumented_answer_is_found(house: House, change: str) -> None:
    """The fuzzer reports an answer that differs from a changed document."""
    document = served(house.url)
    sites = document["paths"]["/api/v1/sites"]["get"]["responses"]
    good, refused = sites["200"]["content"], {"properties": {"error": {"required": ["nonsense"]}}}
    if change == "status":
        del sites["401"]
    elif change == "content type":
        sites["200"]["content"] = {"text/csv": good["application/json"]}
    elif change == "body":
        good["application/json"]["schema"] = {"type": "array"}
    else:
        sites["401"] = {"description": "No.", "content": {"application/json": {"schema": refused}}}
    fuzzer = Fuzzer(house, seed=7, document=document)
    fuzzer.only("GET /api/v1/sites".__eq__)  # without the addresses below it
    report = fuzzer.run(examples=20, rounds=1, seconds=SECONDS)
    assert {label for label, _ in report.findings} == {"GET /api/v1/sites"}
