"""The pages about security name every column, every item of the standard, and tests that exist."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from server.store.sealed import SEALED
from server.store.tables import metadata

ROOT = Path(__file__).resolve().parents[2]
SECURITY = (ROOT / "docs/security.md").read_text(encoding="utf-8")
ASVS = (ROOT / "docs/asvs.md").read_text(encoding="utf-8")
# The items of level 2 (with those of level 1) in OWASP ASVS 4.0.3, by section: a number of items, or the items themselves.
ITEMS: dict[str, int | tuple[int, ...]] = {
    **{"1.1": 7, "1.2": 4, "1.4": (1, 4, 5), "1.5": 4, "1.6": 4, "1.7": 2, "1.8": 2, "1.9": 2, "1.10": 1, "1.11": 2},
    **{"1.12": (2,), "1.14": 6, "2.1": 12, "2.2": 3, "2.3": 3, "2.4": 6, "2.5": 7, "2.6": 3, "2.7": 6, "2.8": 7, "2.9": 3},
    **{"2.10": 4, "3.1": 1, "3.2": 4, "3.3": 4, "3.4": 5, "3.5": 3, "3.7": 1, "4.1": (1, 2, 3, 5), "4.2": 2, "4.3": 3},
    **{"5.1": 5, "5.2": 8, "5.3": 10, "5.4": 3, "5.5": 4, "6.1": 3, "6.2": 6, "6.3": 2, "6.4": 2, "7.1": 4, "7.2": 2},
    **{"7.3": (1, 3, 4), "7.4": 3, "8.1": 4, "8.2": 3, "8.3": 8, "9.1": 3, "9.2": 4, "10.2": 2, "10.3": 3, "11.1": 8},
    **{"12.1": 3, "12.2": 1, "12.3": 6, "12.4": 2, "12.5": 2, "12.6": 1, "13.1": (1, 3, 4, 5), "13.2": (1, 2, 3, 5, 6)},
    **{"13.3": 2, "13.4": 2, "14.1": 4, "14.2": 6, "14.3": (2, 3), "14.4": 7, "14.5": 4},
}
Row = list[str]


def rows(text: str, heading: str) -> list[Row]:
    """Return the rows of all tables whose first column has this heading."""
    found: list[Row] = []
    inside = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif inside and not set(line) <= set("|- "):
            found.append(cells)
        elif cells[0] == heading:
            inside = True
    return found


def codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# Stored data

PERSONAL = rows(SECURITY, "columns")
OTHER = rows(SECURITY, "table")


def test_every_column_is_described_once() -> None:
    described = [each for row in PERSONAL for each in codes(row[0])]
    described += [f"{codes(table)[0]}.{column}" for table, columns in OTHER for column in codes(columns)]
    stored = {f"{table.name}.{column.name}" for table in metadata.tables.values() for column in table.columns}
    assert [name for name, count in Counter(described).items() if count > 1] == []
    assert set(described) - stored == set(), "docs/security.md describes columns that are not there"
    assert stored - set(described) == set(), "docs/security.md lacks columns: is their data personal or secret?"


def test_sealed_columns_have_the_encryption_key_and_hashes_a_hash() -> None:
    protection = {each: row[3] for row in PERSONAL for each in codes(row[0])}
    assert {name for name, how in protection.items() if how == "encryption key"} == {each.name for each in SEALED}
    stored = (f"{table.name}.{column.name}" for table in metadata.tables.values() for column in table.columns)
    for name in stored:
        if name.endswith("_hash"):
            assert "hash" in protection[name] or protection[name] == "argon2id", name


def test_personal_data_has_a_time_and_a_protection() -> None:
    assert PERSONAL
    assert all(len(row) == 4 and all(row) for row in PERSONAL)


# Threats

THREATS = rows(SECURITY, "threat")


@cache
def functions_of(path: str) -> frozenset[str]:
    """Return the names of the test functions of a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("row", THREATS, ids=lambda row: row[0])
def test_threat_has_a_measure_and_existing_tests(row: Row) -> None:
    _, measure, tests = row
    assert measure
    named = re.findall(r"`(tests/[\w/]+\.py)` \(([^)]*)\)", tests)
    assert named
    for path, functions in named:
        assert codes(functions)
        assert set(codes(functions)) <= functions_of(path), path


def test_threats_of_every_actor_are_listed() -> None:
    actors = re.findall(r"^### (.+)$", SECURITY.partition("## Threats")[2].partition("## Stored data")[0], re.MULTILINE)
    for word in ("Wi-Fi", "patient", "receptionist", "thief", "provider", "operator"):
        assert any(word in actor for actor in actors), word


# The standard

STANDARD = rows(ASVS, "item")


def test_every_item_of_level_two_is_compared_once() -> None:
    expected = [
        f"{section}.{number}"
        for section, items in ITEMS.items()
        for number in (range(1, items + 1) if isinstance(items, int) else items)
    ]
    assert [row[0] for row in STANDARD] == expected


@pytest.mark.parametrize("row", STANDARD, ids=lambda row: row[0])
def test_item_has_a_state_and_its_reason(row: Row) -> None:
    _, requirement, state, reason = row
    assert state in ("met", "not met", "n/a")
    assert requirement
    assert reason
    if state == "met":
        places = [each for each in codes(reason) if "/" in each or "." in each]
        assert any((ROOT / each).exists() for each in places), "name the code or the test"


def test_sums_of_the_comparison_are_right() -> None:
    counts = Counter(row[2] for row in STANDARD)
    found = re.search(r"Of (\d+) items, (\d+) are met, (\d+) are not, and (\d+) do not apply", ASVS)
    assert found
    assert [int(each) for each in found.groups()] == [len(STANDARD), counts["met"], counts["not met"], counts["n/a"]]


def test_the_page_of_reports_leads_here() -> None:
    assert "](docs/security.md)" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
