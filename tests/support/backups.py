"""Backups as tests make them: in this process, and with their content changed by somebody who has the keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from server.backups.archive import records_of, sections_of
from server.backups.framing import Opener, Sealer
from server.backups.making import Made, make
from server.backups.restoring import Restored, Wanted, restore
from server.backups.tools import Stop
from server.queries.verification import verify, verify_rows
from server.store.database import Database
from server.vault import Vault
from tests.support.vaults import VAULT

PATIENCE = 1_000_000  # microseconds


async def make_backup(database: Database, folder: Path, vault: Vault = VAULT, holder: str = "test") -> Made:
    """Make a backup, and record it."""
    return await make(database, vault, folder, holder, Stop())


async def restore_backup(
    database: Database, file: Path, vault: Vault = VAULT, *, replace: bool = True, **more: object
) -> Restored:
    """Restore a backup in place of the tables of ``database``."""
    name = Path(database.url.database or "").name if replace else None
    wanted = Wanted(file, name, patience=PATIENCE, **more)  # type: ignore[arg-type]
    return await restore(database, vault, wanted, Stop(), lambda _: None)


async def problems_of(database: Database, vault: Vault = VAULT) -> list[str]:
    """Return the problems of every chain and every proven row."""
    found = [f"{each.chain}: {each.broken}" async for each in verify(database, vault) if each.broken is not None]
    return found + [problem async for table in verify_rows(database, vault) for problem in table.problems]


def sealed_again(file: Path, change: Callable[[bytes], bytes], vault: Vault = VAULT) -> Path:
    """Return a copy of a backup with changed content, sealed by somebody who has the keys."""
    copy = file.with_name(f"again-{file.name}")
    with file.open("rb") as given, copy.open("wb") as written:
        opened = Opener(given, vault, file.name)
        content = b"".join(opened.content())
        sealer = Sealer(written, vault, opened.facts)
        sealer.write(change(content))
        sealer.end(opened.rows, opened.binlog)
    return copy


def archived_until(folder: Path, vault: Vault) -> int:
    """Return the instant of the last record of an archive (microseconds), or 0."""
    last = 0
    for section in sections_of(folder, vault)[-1:]:
        for at, _ in records_of(section.changes, vault):
            last = at
    return last
