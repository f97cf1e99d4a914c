"""The commands of flags, which switch a capability for some sites."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from server.audit import OPERATOR
from server.cli.installation import (
    audited,
    demand_this_version,
    name_check,
    opened,
    read_keys,
    read_settings,
    run_to_end,
    shown_instant,
    with_database,
)
from server.cli.root import flag_commands
from server.domain.flags import FLAGS, MOST_SITES, Rule, Variant
from server.queries import flags
from server.queries.sites import all_ids
from server.store import flags as flag_rows
from server.store.database import Database

MOST_DAYS_OF_RULE = 366  # of a flag: a rule is for the time of a trial, not for ever


@flag_commands.command("list")
def list_flags(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """List the flags of this version, and the rules of the installation. Status 1 if this version cannot use a rule."""
    settings = read_settings(quiet=as_json)

    async def look(database: Database) -> tuple[list[flags.SetFlag], int]:
        await demand_this_version(database)
        return await flags.every(database), await database.now()

    found, now = run_to_end(with_database(settings, look))
    rules = {each.row.flag_key: each for each in found}
    if as_json:
        print(json.dumps({key: _shown_flag(key, rules.get(key), now) for key in sorted({*FLAGS, *rules})}))
    else:
        for key in sorted({*FLAGS, *rules}):
            shown = _shown_flag(key, rules.get(key), now)
            print(f"{key}: {shown['state']}")
            for name in ("rule", "reason", "author", "set_at", "until", "problem", "description", "affects", "remove_by"):
                if (value := shown[name]) is not None:
                    print(f"  {name.replace('_', ' ')}: {value}")
    if flags.problems_of(found):
        raise typer.Exit(1)


def _shown_flag(key: str, found: flags.SetFlag | None, now: int) -> dict[str, str | None]:
    """Return a flag and its rule for an operator. ``now`` is in microseconds."""
    flag = FLAGS.get(key)
    state = f"default {flag.default}" if flag is not None else "unknown to this version"
    if found is not None and found.problem is None:
        assert found.rule is not None
        state = found.rule.told() if found.counts(now) else f"{state} (the rule has expired)"
    row = None if found is None else found.row
    return {
        "state": state,
        "default": None if flag is None else flag.default,
        "rule": None if found is None else found.rule.told() if found.rule is not None else found.row.rule[:200],
        "default_then": None if row is None else row.default_variant,
        "reason": None if row is None else row.reason,
        "author": None if row is None else row.author,
        "set_at": None if row is None else shown_instant(row.set_at),
        "until": None if row is None else shown_instant(row.expires_at),
        "problem": None if found is None or found.problem is None else f"the row {found.problem}",
        "description": None if flag is None else flag.description,
        "affects": None if flag is None else flag.affects,
        "remove_by": None if flag is None else flag.remove_by,
    }


@flag_commands.command("set")
def set_flag(
    key: Annotated[str, typer.Argument(metavar="NAME", help="The flag: `nowserving flag list` lists them.")],
    variant: Annotated[Variant, typer.Argument(help="The variant at these sites; every other site has the other one.")],
    until: Annotated[str, typer.Option(help="The end of the rule: a day like 2027-03-31 (UTC), or a number of days: 30d.")],
    reason: Annotated[str, typer.Option(help="The reason, for the next reader.", callback=name_check(200))],
    sites: Annotated[str, typer.Option(help="Only these sites, by their numbers: 3,7.")] = "",
    percent: Annotated[int | None, typer.Option(help="Only this percentage of the sites.", min=0, max=100)] = None,
    exempt: Annotated[str, typer.Option("--except", help="Never these sites: 12.")] = "",
) -> None:
    """Set the rule of a flag, in place of a former rule. Running servers and workers follow within 15 seconds.

    With --sites and --percent, the variant is that of the sites of both. Without them, it is that of all sites.
    """
    flag = FLAGS.get(key)
    if flag is None:
        known = ", ".join(FLAGS) or "none"
        raise typer.BadParameter(f"{key[:60]} is no flag of this version: {known}", param_hint="NAME")
    chosen, never = _sites_of(sites, "--sites"), _sites_of(exempt, "--except")
    if chosen & never:
        raise typer.BadParameter("names sites of --sites", param_hint="--except")
    rule = Rule(variant, chosen, percent, never)
    settings = read_settings(quiet=True)
    keys = read_keys(settings)

    async def put() -> int:
        async with opened(settings) as database:
            await demand_this_version(database)
            unknown = (chosen | never) - set(await all_ids(database))
        if unknown:
            raise typer.BadParameter(f"no such site: {', '.join(map(str, sorted(unknown)))}", param_hint="--sites, --except")
        async with audited(settings, keys) as (database, _, audit):
            now = await database.now()
            row = flag_rows.FlagRow(
                flag_key=key,
                rule=json.dumps(rule.stored()),
                default_variant=flag.default,
                author=OPERATOR,
                reason=reason,
                set_at=now,
                expires_at=_end_of(until, now),
            )
            async with database.write() as connection:
                await flag_rows.put(connection, row)
            audit.note("set-flag", OPERATOR, subject=f"flag:{key}", detail=rule.told()[:120])
            return row.expires_at

    print(f"{key}: {rule.told()}, until {shown_instant(run_to_end(put()))}.")


@flag_commands.command("clear")
def clear_flag(key: Annotated[str, typer.Argument(metavar="NAME", help="The flag, also one of another version.")]) -> None:
    """Delete the rule of a flag: it has its default again. Running servers and workers follow within 15 seconds."""
    settings = read_settings(quiet=True)
    keys = read_keys(settings)

    async def clear() -> bool:
        async with opened(settings) as database:
            await demand_this_version(database)
            if all(each.row.flag_key != key for each in await flags.every(database)):
                return False
        async with audited(settings, keys) as (database, _, audit):
            async with database.write() as connection:
                cleared = await flag_rows.clear(connection, key)
            audit.note("clear-flag", OPERATOR, subject=f"flag:{key}"[:120])
            return cleared

    print(f"{key} has no rule any more." if run_to_end(clear()) else f"{key} has no rule: nothing to clear.")


def _sites_of(text: str, option: str) -> frozenset[int]:
    """Return the numbers of sites in an option like ``3,7``."""
    parts = [each.strip() for each in text.split(",") if each.strip()]
    if any(not (each.isascii() and each.isdecimal()) for each in parts):
        raise typer.BadParameter("is a list of the numbers of sites, like 3,7", param_hint=option)
    if len(parts) > MOST_SITES:
        raise typer.BadParameter(f"lists more than {MOST_SITES} sites: use --percent", param_hint=option)
    return frozenset(map(int, parts))


def _end_of(text: str, now: int) -> int:
    """Return the end of a rule in microseconds: the end of a day, or a number of days from ``now``."""
    wrong = typer.BadParameter("is a day like 2027-03-31, or a number of days like 30d", param_hint="--until")
    day = 86_400_000_000
    days, unit = text[:-1], text[-1:]
    if unit == "d" and days.isascii() and days.isdecimal():
        end = now + int(days[:6]) * day
    else:
        try:
            end = round(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) * 1_000_000 + day
        except ValueError:
            raise wrong from None
    if not now < end <= now + MOST_DAYS_OF_RULE * day:
        raise typer.BadParameter(f"is from now on, and at most {MOST_DAYS_OF_RULE} days ahead", param_hint="--until")
    return end
