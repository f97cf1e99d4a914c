"""The flags of an installation: the rules in its database, and the copy of a process, which answers without a query."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import ProgrammingError

from server.domain.flags import (
    FLAGS,
    BadRule,
    EvaluationContext,
    EvaluationDetails,
    Flag,
    Override,
    Rule,
    evaluate,
    read_rule,
)
from server.queries.reader import Reader
from server.store import flags
from server.store.flags import FlagRow

logger = structlog.get_logger(__name__)


class BadFlags(Exception):
    """Rows that this version cannot use. No client sees this: such a server or worker does not start."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        lines = [f"The flag row `{key}` {why} Run `nowserving flag clear {key}`." for key, why in problems.items()]
        super().__init__("\n".join(lines))


@dataclass(frozen=True, slots=True)
class SetFlag:
    """A row with its rule, or with the ``problem`` for which this version cannot use it."""

    row: FlagRow
    rule: Rule | None
    problem: str | None

    def counts(self, now: int) -> bool:
        """Return whether the rule is in force at ``now`` (microseconds)."""
        return self.problem is None and now < self.row.expires_at


async def every(database: Reader) -> list[SetFlag]:
    """Return the rows of all flags; none on tables of an older version. Raises `Unavailable`."""
    async with database.read() as connection:
        try:
            return [_read(each) for each in await flags.every(connection)]
        except ProgrammingError:  # MySQL has no such table yet
            return []


def problems_of(found: Iterable[SetFlag]) -> dict[str, str]:
    """Return the problems of unusable rows, by the keys of their flags."""
    return {each.row.flag_key: each.problem for each in found if each.problem is not None}


async def demand_usable(database: Reader) -> list[SetFlag]:
    """Return the rows of all flags. Raises `BadFlags` if this version cannot use one of them, and `Unavailable`."""
    found = await every(database)
    if problems := problems_of(found):
        raise BadFlags(problems)
    return found


def _read(row: FlagRow) -> SetFlag:
    if row.flag_key not in FLAGS:
        return SetFlag(row, None, "names no flag of this version.")
    try:
        return SetFlag(row, read_rule(json.loads(row.rule)), None)
    except BadRule as error:
        return SetFlag(row, None, f"has a rule that {error}.")
    except ValueError:
        return SetFlag(row, None, "has a rule that is no JSON.")


class KeptFlags:
    """The flags as this process last read them. While the database is away, the last rules stay in force.

    ``now`` returns the present instant in microseconds. Before the first `update`, every flag has its default.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._found: list[SetFlag] = []
        self._overrides: dict[str, Override] = {}

    async def begin(self, database: Reader) -> None:
        """Read the rows at the start of a process. Raises `BadFlags` and `Unavailable`."""
        self._take(await demand_usable(database))

    async def update(self, database: Reader) -> None:
        """Read the rows again. One that cannot be used gives its flag the default. Raises `Unavailable`."""
        self._take(await every(database))

    def _take(self, found: list[SetFlag]) -> None:
        if found == self._found:
            return
        self._found = found
        self._overrides = {
            each.row.flag_key: Override(each.rule, each.row.expires_at) for each in found if each.row.flag_key in FLAGS
        }
        rules = {each.row.flag_key: each.rule.told() for each in found if each.rule is not None}
        logger.info("flags changed", rules=rules, unusable=problems_of(found))

    def is_on(self, flag: Flag, site_id: int) -> bool:
        """Return whether ``flag`` is on at a site."""
        return self.evaluate(flag, EvaluationContext.of_site(site_id)).value

    def evaluate(self, flag: Flag, context: EvaluationContext) -> EvaluationDetails:
        """Return the variant of ``flag`` in a context, with the reason."""
        override = self._overrides.get(flag.key)
        return evaluate(flag, override, context, 0 if override is None else self._now())

    def overridden(self) -> dict[str, bool]:
        """Return for each declared flag whether a rule is in force."""
        now = self._now()
        keys = {each.row.flag_key for each in self._found if each.counts(now)}
        return {key: key in keys for key in FLAGS}
