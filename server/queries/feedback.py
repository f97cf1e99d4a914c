"""What is known of a visit that a patient tells about, and the answers of a site by week."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import false, func, select

from server.queries.reader import Reader
from server.store import sites
from server.store.feedback import seals_for
from server.store.tables import entries, feedback, visits
from server.vault import Vault

LEAST = 5  # answers: fewer could be traced to their patients
SCORES = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class AskedVisit:
    """A visit, and whether its clinic wants to know how it was: the last stage is completed."""

    site_id: int
    day: str
    wanted: bool


@dataclass(frozen=True, slots=True)
class Week:
    """The answers about the visits of a week, which begins on the Monday ``first_day``.

    Of fewer than `LEAST` answers, nothing else is told: ``answers`` and ``scores`` are None. ``scores`` are the numbers of
    answers from 1 to 5. The texts are in the order of the alphabet.
    """

    first_day: str
    answers: int | None
    scores: tuple[int, ...] | None
    texts: tuple[str, ...]


async def visit(database: Reader, visit_id: int) -> AskedVisit | None:
    """Return a visit, or None. Raises `Unavailable`."""
    of_visit = select(visits.c.site_id, visits.c.business_day, func.coalesce(visits.c.trial, false()).label("trial"))
    of_entries = select(entries.c.state, entries.c.seq, entries.c.id).where(entries.c.visit_id == visit_id)
    async with database.read() as connection:
        row = (await connection.execute(of_visit.where(visits.c.id == visit_id))).one_or_none()
        if row is None:
            return None
        stages = [tuple(each) for each in await connection.execute(of_entries)]
        site = await connection.run_sync(sites.load, row.site_id)
    is_open = any(state in ("waiting", "called", "serving", "held") for state, _, _ in stages)
    last = max(stages, key=lambda each: (each[1], each[2]), default=None)
    ended = last is not None and last[0] == "completed" and not is_open
    return AskedVisit(row.site_id, row.business_day, ended and site.rules.feedback == "on" and not row.trial)


async def was_given(database: Reader, visit_hash: str) -> bool:
    """Return whether there is an answer about a visit. Raises `Unavailable`."""
    async with database.read() as connection:
        found = await connection.scalar(select(feedback.c.score).where(feedback.c.visit_hash == visit_hash))
    return found is not None


async def weeks(database: Reader, vault: Vault, site_id: int, first: str, last: str) -> list[Week]:
    """Return the weeks that lie between two days (both included) and are over, without those that have no answer.

    Fixed weeks keep a patient from being found by the difference of two spans. Raises `SiteNotFound`, `Unavailable`.
    """
    columns = feedback.c.visit_hash, feedback.c.day, feedback.c.score, feedback.c.sealed
    found = select(*columns).where(feedback.c.site_id == site_id, feedback.c.day >= first, feedback.c.day <= last)
    async with database.read() as connection:
        site = await connection.run_sync(sites.load, site_id)
        rows = [tuple(row) for row in await connection.execute(found)]
    over = min(_monday(site.business_day), _monday((date.fromisoformat(last) + timedelta(days=1)).isoformat()))
    by_week: dict[str, list[tuple[str, int, str | None]]] = {}
    for visit_hash, day, score, sealed in rows:
        if first <= (monday := _monday(day)) < over:
            by_week.setdefault(monday, []).append((visit_hash, score, sealed))
    return [_week(vault, monday, answers) for monday, answers in sorted(by_week.items())]


def _week(vault: Vault, monday: str, answers: list[tuple[str, int, str | None]]) -> Week:
    if len(answers) < LEAST:
        return Week(monday, None, None, ())
    scores = tuple(sum(score == each for _, score, _ in answers) for each in SCORES)
    return Week(monday, len(answers), scores, tuple(sorted(_texts(vault, answers))))


def _texts(vault: Vault, answers: list[tuple[str, int, str | None]]) -> Iterable[str]:
    for visit_hash, _, sealed in answers:
        if sealed is not None:
            yield vault.open(sealed, seals_for(visit_hash)).decode()


def _monday(day: str) -> str:
    found = date.fromisoformat(day)
    return (found - timedelta(days=found.weekday())).isoformat()
