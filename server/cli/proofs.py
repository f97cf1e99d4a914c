"""The commands about proofs and keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from server.cli.installation import maintenance, read_keys, read_settings, run_to_end, vault_of, with_database
from server.cli.root import app, audit_commands, key_commands
from server.installation.keys import random_key
from server.queries.replaying import verify_time
from server.queries.sites import all_ids
from server.queries.verification import verify, verify_rows
from server.store import sealed
from server.store.chain import START
from server.store.database import Database
from server.store.proofs import prove_all


@app.command("verify")
def verify_times(
    site: Annotated[int | None, typer.Option(help="Verify only this site. The default is every site.")] = None,
) -> None:
    """Rebuild the busy time of appointments from each site's log, and compare. Servers may run. Status 1 if they differ."""

    async def work(database: Database) -> int:
        broken = 0
        for site_id in [site] if site is not None else await all_ids(database):
            found = await verify_time(database, site_id)
            print(f"site {site_id}: {found.cells} busy cells are right, {len(found.problems)} are wrong")
            for problem in found.problems:
                print(f"site {site_id}: BROKEN: {problem}")
            broken += len(found.problems)
        return broken

    if run_to_end(with_database(read_settings(), work)):
        raise typer.Exit(1)


@audit_commands.command("verify")
def verify_audit(
    site: Annotated[int | None, typer.Option(help="Verify only this site's log. The default is every chain.")] = None,
    through: Annotated[
        str | None, typer.Option(help="With --site: a head from an earlier run, which must still be part of the log.")
    ] = None,
    kept: Annotated[
        Path | None,
        typer.Option(help="A file outside the database. All kept heads must still be there; then it keeps the new ones."),
    ] = None,
) -> None:
    """Verify every hash chain and every proven row. Servers may run. Status 1 if something is broken."""
    number, _, link = (through or "").partition(":")
    if through is not None and (site is None or not number.isdecimal() or len(link) != len(START)):
        raise typer.BadParameter("needs --site, and a head like 812:3fa9...", param_hint="--through")
    if kept is not None and site is not None:
        raise typer.BadParameter("is about every chain: leave --site out", param_hint="--kept")
    settings = read_settings()
    vault = vault_of(read_keys(settings))
    earlier = _kept_heads(kept)
    heads: dict[str, tuple[int, str]] = {}

    async def follow(database: Database) -> tuple[int, int]:
        whole = broken = 0
        async for each in verify(database, vault, site, (int(number), link) if number else None, earlier):
            if each.broken is None:
                whole += 1
                heads[each.key] = (each.links, each.head)
                print(f"{each.chain}: {each.links} links are whole, the head is {each.links}:{each.head}")
            else:
                broken += 1
                print(f"{each.chain}: BROKEN after {each.links} links: {each.broken}")
        if site is None:
            async for table in verify_rows(database, vault):
                print(f"{table.table}: {table.rows} right")
                for problem in table.problems:
                    broken += 1
                    print(f"{table.table}: BROKEN: {problem}")
        return whole, broken

    whole, broken = run_to_end(with_database(settings, follow))
    print(f"{whole} chains are whole, {broken} are broken.")
    if broken:
        raise typer.Exit(1)
    if kept is not None:
        fresh = kept.with_name(f"{kept.name}.new")
        fresh.write_text(json.dumps(heads, indent=1))
        fresh.replace(kept)


def _kept_heads(file: Path | None) -> dict[str, tuple[int, str]]:
    """Return the heads that an earlier verification kept in ``file``, by the key of their chain."""
    if file is None or not file.exists():
        return {}
    try:
        return {str(key): (int(number), str(link)) for key, (number, link) in json.loads(file.read_text()).items()}
    except (ValueError, TypeError, AttributeError):
        raise typer.BadParameter(f"{file} has no heads of an earlier verification", param_hint="--kept") from None


@audit_commands.command("prove")
def prove_rows() -> None:
    """Prove the rows from the time before proofs. Changes until now stay unnoticed: run it once, after the migration."""
    settings = read_settings()
    keys = read_keys(settings)

    async def work() -> int:
        async with maintenance(settings, keys, "prove-rows") as (database, vault):
            return await prove_all(database, vault)

    print(f"{run_to_end(work())} rows have a proof now.")


@key_commands.command("new")
def new_key() -> None:
    """Print a new encryption key, for NOWSERVING_ENCRYPTION_KEYS or the key file."""
    print(random_key())


@key_commands.command("check")
def check_keys() -> None:
    """Print the number of rows that each key encrypts. Status 1 if no configured key decrypts some of them."""
    settings = read_settings()
    vault = vault_of(read_keys(settings))

    async def count(database: Database) -> dict[str, dict[str, int]]:
        return {each.name: await sealed.count(database, each) for each in sealed.SEALED}

    counts = run_to_end(with_database(settings, count))
    unknown = sorted({key for each in counts.values() for key in each} - set(vault.keys))
    for key in (*vault.keys, *unknown):
        what = "unknown" if key in unknown else "seals" if key == vault.first_key else "opens only"
        rows = ", ".join(f"{name} {each[key]}" for name, each in counts.items() if key in each)
        print(f"{key} ({what}): {rows or 'nothing'}")
    if unknown:
        raise typer.Exit(1)


@key_commands.command("rotate")
def rotate_keys() -> None:
    """Encrypt all personal data again with the first key. Servers may run. A stopped run can start again."""
    settings = read_settings()
    keys = read_keys(settings)

    async def rotate() -> bool:
        opened = True
        async with maintenance(settings, keys, "rotate-keys") as (database, vault):
            for each in sealed.SEALED:
                result = await sealed.reseal(database, vault, each)
                left = f"; no configured key opens {result.closed}" if result.closed else ""
                print(f"{each.name}: {result.done} rows resealed{left}")
                opened = opened and not result.closed
        return opened

    if not run_to_end(rotate()):
        raise typer.Exit(1)
