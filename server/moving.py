"""The move of an installation to another database: refusals, the copy, and the verification of the copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from server.domain.errors import Unavailable
from server.queries.migrations import pending
from server.queries.verification import verify, verify_rows
from server.store import activity, copying
from server.store.copying import Digest
from server.store.database import Database
from server.store.migrate import migrate
from server.vault import Vault

Progress = Callable[[str], None]


class MoveFailed(Exception):
    """A move was not done. The message says why, and what to do. The original is as it was."""

    def __init__(self, **about: object) -> None:
        super().__init__((type(self).__doc__ or "").format_map(about))


class SourceIsOld(MoveFailed):
    """The database lacks migrations: run `nowserving migrate` first."""


class SourceInUse(MoveFailed):
    """Servers or workers use the database. Stop them all, and wait for {seconds} s: until then they count as running."""


class TargetUnavailable(MoveFailed):
    """The target cannot be reached: {problem}."""


class TargetNotEmpty(MoveFailed):
    """The target has tables already: {tables}. Name an empty database."""


class UnknownTables(MoveFailed):
    """The database has tables that this version does not know: {tables}."""


class CopyDiffers(MoveFailed):
    """The copy is not like the original: {problems}. The target stays unusable; the original is as it was."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A finished move: the number of tables and rows, and of whole chains."""

    tables: int
    rows: int
    chains: int


async def move(
    source: Database, target: Database, vault: Vault, say: Progress, *, silent_seconds: float, forced: bool = False
) -> Moved:
    """Copy ``source`` into the empty ``target``, verify the copy, and only then let servers use it.

    A target of an unfinished move is cleared first. A process that was heard in the last ``silent_seconds`` is running:
    with ``forced``, it does not matter, and its later changes are lost. Raises the errors above, and `Unavailable`.
    """
    if await pending(source):
        raise SourceIsOld()
    known = {each.name for each in copying.tables()} | copying.LEFT | {copying.VERSIONS}
    if unknown := await copying.names(source) - known:
        raise UnknownTables(tables=", ".join(sorted(unknown)))
    if not forced and await activity.is_used(source, round(silent_seconds * 1_000_000)):
        raise SourceInUse(seconds=round(silent_seconds))
    try:
        there = await copying.names(target)
    except Unavailable as error:
        raise TargetUnavailable(problem=error.__cause__ or "no answer") from error
    if there:
        if not await copying.is_unfinished(target):
            raise TargetNotEmpty(tables=", ".join(sorted(there)[:5]) + (", ..." if len(there) > 5 else ""))
        say("The target has an unfinished move: the copy begins again.")
        await copying.clear(target)
    await copying.mark(target)
    await migrate(target)
    revision = await copying.refuse_use(target)
    copied: dict[str, Digest] = {}
    async with source.read() as view:
        for table in copying.tables():
            copied[table.name] = await copying.copy(view, target, table)
            say(f"{table.name}: {copied[table.name].rows} rows")
    say("Every table is copied. The verification reads the copy.")
    chains = await _verify(source, target, vault, copied)
    await copying.allow_use(target, revision)
    return Moved(len(copied), sum(each.rows for each in copied.values()), chains)


async def _verify(source: Database, target: Database, vault: Vault, copied: dict[str, Digest]) -> int:
    """Compare the contents and follow the chains of the copy; return the number of whole chains. Raises `CopyDiffers`.

    A chain that is broken in the original is broken in the same way in the copy, which is no difference.
    """
    problems = []
    for table in copying.tables():
        found = await copying.digest_of(target, table)
        if found.rows != copied[table.name].rows:
            problems.append(f"{table.name} has {found.rows} rows, and not {copied[table.name].rows}")
        elif found != copied[table.name]:
            problems.append(f"{table.name} has other contents")
    chains, broken = await _broken(target, vault)
    if broken and not problems:
        _, before = await _broken(source, vault)
        problems += sorted(broken - before)
    if problems:
        raise CopyDiffers(problems="; ".join(problems[:5]))
    return chains


async def _broken(database: Database, vault: Vault) -> tuple[int, set[str]]:
    """Return the number of whole chains, and the problems of the others and of proven rows."""
    whole, problems = 0, set()
    async for each in verify(database, vault):
        if each.broken is None:
            whole += 1
        else:
            problems.add(f"{each.key}: {each.broken}")
    async for table in verify_rows(database, vault):
        problems |= {f"{table.table}: {problem}" for problem in table.problems}
    return whole, problems
