"""Migrations first add: servers of the version before go on beside the new tables."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from server.store import migrate
from server.store.migrate import NewerTables, lacking

VERSIONS = Path(migrate.__file__).parent / "migrations/versions"
FIRST = "0037"  # the first one behind this rule
REMOVES = ("drop_", "rename_", "alter_column", "batch_alter_table")


def newest() -> list[Path]:
    return sorted(path for path in VERSIONS.glob("[0-9]*.py") if path.name[:4] >= FIRST)


def contracting(text: str) -> list[str]:
    """Return the calls of an upgrade that servers of the version before may not survive."""
    tree = ast.parse(text)
    if any(isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "CONTRACTS" for each in tree.body):
        return []  # a constant with the reason: nothing of the version before uses it
    [upgrade] = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == "upgrade"]
    found = []
    for call in (each for each in ast.walk(upgrade) if isinstance(each, ast.Call)):
        name = ast.unparse(call.func).removeprefix("op.")
        if ast.unparse(call.func).startswith("op.") and name.startswith(REMOVES):
            found.append(name)
        if name == "add_column":
            column = ast.unparse(call.args[1])
            if "nullable=False" in column and "server_default" not in column:
                found.append(f"{name} of a demanded column")
    return found


def test_upgrades_only_add_or_name_their_reason() -> None:
    assert {path.name: found for path in newest() if (found := contracting(path.read_text(encoding="utf-8")))} == {}


@pytest.mark.parametrize(
    ("line", "finds"),
    [
        ("op.drop_column('sites', 'x')", 1),
        ("op.rename_table('a', 'b')", 1),
        ("op.add_column('sites', sa.Column('x', sa.Integer(), nullable=False))", 1),
        ("op.add_column('sites', sa.Column('x', sa.Integer(), nullable=False, server_default='0'))", 0),
        ("op.create_table('later', sa.Column('x', sa.Integer(), nullable=False))", 0),
    ],
)
def test_an_upgrade_that_removes_would_be_found(line: str, finds: int) -> None:
    assert len(contracting(f"def upgrade():\n    {line}\n")) == finds
    assert contracting(f"CONTRACTS = 'nobody reads it since 0.2.0'\n\n\ndef upgrade():\n    {line}\n") == []


def test_tables_of_a_newer_version_are_named() -> None:
    assert lacking(lacking(None)[-1]) == []
    with pytest.raises(NewerTables, match=r"of a newer version \(migration 9999\)"):
        lacking("9999")
