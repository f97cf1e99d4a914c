"""Scratch databases of a backup or a restore: filled from a file, verified, and gone at the end."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import orjson
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from server.backups import tools
from server.backups.errors import BackupFailed
from server.backups.framing import Opener
from server.domain.errors import Unavailable
from server.queries.verification import verify, verify_rows
from server.store import scratch as store
from server.store.database import Database
from server.vault import Vault

TOLD = 3  # problems in the message of a refusal


@asynccontextmanager
async def scratch_of(database: Database) -> AsyncIterator[URL]:
    """Yield the URL of a new scratch database beside ``database``. Raises `BackupFailed`, `Unavailable`."""
    if database.embedded:
        folder = private_folder(database)
        try:
            yield database.url.set(database=str(folder / "scratch.db"))
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return
    try:
        url = await store.create_schema(database)
    except store.NoScratch as error:
        raise BackupFailed(no_scratch(error.database, database.url.username)) from None
    try:
        yield url
    finally:
        with suppress(Unavailable):  # the next backup drops it
            await store.drop_schema(database, url.database or "")


def no_scratch(database: str, account: str | None) -> str:
    """Return why no backup can be verified on this server, with the remedy."""
    name = store.schemas_of(database).replace("_", "\\_")
    return (
        "The account of the database may not create a scratch schema, in which backups are verified. As an administrator of "
        f"the database server: GRANT ALL ON `{name}%`.* TO '{account}'@'%';"
    )


def private_folder(database: Database) -> Path:
    """Return a new folder beside an embedded database, which only this user can open."""
    file = Path(database.url.database or "").absolute()
    folder = file.with_name(f".{file.name}-scratch-{secrets.token_hex(8)}")
    folder.mkdir(mode=0o700)
    return folder


async def sweep(database: Database) -> None:
    """Remove what killed backups and restores left beside the database. The caller holds the lease of backups."""
    if database.embedded:
        await asyncio.to_thread(_sweep_folders, Path(database.url.database or ""))
        return
    for name in await store.forgotten_schemas(database):
        await store.drop_schema(database, name)


def _sweep_folders(file: Path) -> None:
    for each in store.files_of(file.absolute().parent, f".{file.name}-scratch-"):
        shutil.rmtree(each, ignore_errors=True)


def fill(url: URL, content: Iterable[bytes], check: tools.Check) -> None:
    """Fill an empty scratch database with the content of a backup. Raises `BackupFailed`, `OSError`."""

    def checked() -> Iterable[bytes]:
        for each in content:
            check()
            yield each

    if url.get_backend_name() != "sqlite":
        tools.load(url, checked())
        return
    with open(os.open(url.database or "", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        for each in checked():
            file.write(each)


async def demand_same_rows(scratch: Database, opened: Opener) -> None:
    """Compare the filled scratch with what the backup says of itself. Raises `BackupFailed`."""
    try:
        async with scratch.read() as connection:
            found = await connection.run_sync(store.table_counts)
            whole = "ok"
            if scratch.embedded:
                whole = str((await connection.exec_driver_sql("PRAGMA quick_check(1)")).scalar_one())
    except (Unavailable, DBAPIError) as error:
        raise BackupFailed(f"The restored database cannot be read: {error.__cause__ or error}") from error
    if whole != "ok":
        raise BackupFailed(f"The restored database is damaged: {whole.splitlines()[-1]}")
    names = sorted(found.keys() | opened.rows.keys())
    wrong = [each for each in names if found.get(each) != opened.rows.get(each)]
    if wrong:
        told = ", ".join(f"{each}: {found.get(each, 0)} of {opened.rows.get(each, 0)}" for each in wrong[:TOLD])
        raise BackupFailed(f"The restored database has other numbers of rows than the backed up one: {told}")


async def demand_whole_chains(scratch: Database, vault: Vault) -> dict[str, tuple[int, str]]:
    """Verify every chain and every proven row; return the heads of the sites' logs. Raises `BackupFailed`."""
    heads: dict[str, tuple[int, str]] = {}
    problems: list[str] = []
    try:
        async for chain in verify(scratch, vault):
            if chain.broken is not None:
                problems.append(f"{chain.chain} is broken after {chain.links} links: {chain.broken}")
            elif chain.key.startswith("site:"):
                heads[chain.key.removeprefix("site:")] = (chain.links, chain.head)
        async for table in verify_rows(scratch, vault):
            problems += [f"{table.table}: {each}" for each in table.problems]
    except (Unavailable, DBAPIError) as error:
        raise BackupFailed(f"The restored database cannot be read: {error.__cause__ or error}") from error
    if problems:
        more = f"; and {len(problems) - TOLD} more" if len(problems) > TOLD else ""
        raise BackupFailed(
            f"The content does not verify: {'; '.join(problems[:TOLD])}{more}. "
            "`nowserving audit verify` lists all. Somebody changed the database behind the server."
        )
    return heads


def heads_as_text(heads: dict[str, tuple[int, str]]) -> str:
    """Return heads as the record of a backup stores them."""
    return orjson.dumps(heads).decode()
