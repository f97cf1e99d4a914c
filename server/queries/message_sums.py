"""The messages, the attendance and the answers of business days: kept sums of days long past, and the rows of the others.

A receipt or an answer can still come after the day. So the sums of a day are kept when it is `FINAL_AFTER_DAYS` old, and
what comes later changes no figure of that day. Younger days are read from their rows for each report.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import astuple, dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import func, null, select

from server.domain.model import Site
from server.domain.model.tickets import begin_of, next_turn
from server.queries import message_figures
from server.queries.day_sums import first_gap, first_kept, following, kept_between, last_kept
from server.queries.feedback import SCORES
from server.queries.message_figures import Attendance, MessageFigures, MessageReport
from server.queries.reader import Reader
from server.store import daily_sums as store
from server.store import sites
from server.store.daily_sums import PARTS, Kept
from server.store.tables import feedback

_OUTCOMES = len(MessageFigures.__dataclass_fields__) - 2
FINAL_AFTER_DAYS = 8  # the receipts of providers have come, and the link to the questions has ended


@dataclass(slots=True)
class MessageSums:
    """The sums of some days: messages by kind, way and outcome; appointments and missed ones; answers by day and score."""

    messages: defaultdict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0] * _OUTCOMES))
    reminded: list[int] = field(default_factory=lambda: [0, 0])
    not_reminded: list[int] = field(default_factory=lambda: [0, 0])
    scores: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, report: MessageReport) -> None:
        """Add the figures of some days."""
        for figures in report.messages:
            kind, way, *outcomes = astuple(figures)
            _add(self.messages[kind, way], outcomes)
        _add(self.reminded, astuple(report.reminded))
        _add(self.not_reminded, astuple(report.not_reminded))

    def add_plain(self, plain: dict[str, Any]) -> None:
        """Add the sums of the plain form of one day."""
        for kind, way, *outcomes in plain["messages"]:
            _add(self.messages[kind, way], outcomes)
        _add(self.reminded, plain["reminded"])
        _add(self.not_reminded, plain["not_reminded"])
        for day, scores in plain["scores"]:
            self.scores[day].update(dict(zip(SCORES, scores, strict=True)))

    def plain(self) -> dict[str, Any]:
        """Return the plain form, which `add_plain` reads."""
        return {
            "messages": [[*key, *outcomes] for key, outcomes in sorted(self.messages.items())],
            "reminded": self.reminded,
            "not_reminded": self.not_reminded,
            "scores": [[day, [scores[score] for score in SCORES]] for day, scores in sorted(self.scores.items())],
        }

    def report(self) -> MessageReport:
        """Return the figures of the messages and of the attendance."""
        messages = [MessageFigures(kind, way, *outcomes) for (kind, way), outcomes in sorted(self.messages.items())]  # type: ignore[arg-type]
        return MessageReport(messages, Attendance(*self.reminded), Attendance(*self.not_reminded))


async def between(database: Reader, site: Site, first: str, last: str) -> MessageSums:
    """Return the sums of the business days from ``first`` to ``last``. Raises `Unavailable`."""
    found = MessageSums()
    async with database.read() as connection:
        read = await kept_between(connection, site, "messages", first, last)
    kept = await asyncio.to_thread(read, lambda _, plain: found.add_plain(plain))
    for begin, end in _runs(first, last, kept):
        await _read(database, site, begin, end, found)
    return found


async def next_kept(database: Reader, site_id: int) -> Kept | None:
    """Count the first day long past whose sums are not kept yet, if those of its visits are; None if there is no such day.

    Raises `SiteNotFound`, `Unavailable`.
    """
    async with database.read() as connection:
        site = await connection.run_sync(sites.load, site_id)
        last = {part: await last_kept(connection, site, part) for part in PARTS}
        if last["visits"] is None or await store.of_newer_version(connection, site_id):
            return None
        begin = await first_kept(connection, site)
        gap = None if begin is None else await first_gap(connection, site, "messages", begin)
        day = gap or (following(last["messages"]) if last["messages"] else begin)
    if day is None or day > last["visits"] or following(day, FINAL_AFTER_DAYS) > site.business_day:
        return None
    found = MessageSums()
    await _read(database, site, day, day, found)
    return store.kept(site, "messages", day, 0, found.plain())


async def _read(database: Reader, site: Site, first: str, last: str, found: MessageSums) -> None:
    zone, turn = site.time_zone, site.day_turns_at_minutes
    found.add(await message_figures.between(database, site.id, begin_of(first, zone, turn), next_turn(last, zone, turn)))
    table = feedback.c
    answers = (
        select(table.day, table.score, func.count())
        .where(table.site_id == site.id, table.day >= first, table.day <= last)
        .group_by(table.day, table.score)
        .order_by(null())  # else MariaDB sorts the groups
    )
    async with database.read() as connection:
        for day, score, answered in await connection.execute(answers):
            found.scores[day][score] += answered


def _add(sums: list[int], more: Collection[int]) -> None:
    sums[:] = [mine + other for mine, other in zip(sums, more, strict=True)]


def _runs(first: str, last: str, without: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the first and the last day of each run of days that are not among those ``without``."""
    begin: str | None = None
    day = first
    while day <= last:
        if day in without:
            if begin is not None:
                yield begin, following(day, -1)
            begin = None
        elif begin is None:
            begin = day
        day = following(day)
    if begin is not None:
        yield begin, last


def weeks(scores: dict[str, Counter[int]], first: str, last: str, business_day: str) -> dict[str, Counter[int]]:
    """Return the answers by week, by its Monday: whole weeks between two days that are over."""
    over = min(_monday(business_day), _monday(following(last)))
    found: dict[str, Counter[int]] = {}
    for day, of_day in sorted(scores.items()):
        if first <= (monday := _monday(day)) < over and of_day.total():
            found.setdefault(monday, Counter()).update(of_day)
    return found


def _monday(day: str) -> str:
    found = date.fromisoformat(day)
    return (found - timedelta(days=found.weekday())).isoformat()
