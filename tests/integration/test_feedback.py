"""The question to a patient after the visit: planned once, answered once, and shown without names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, select

from server.domain.commands import CallNext, ChangeSite, Complete, Reopen, Start
from server.domain.errors import FeedbackGiven, FeedbackNotWanted
from server.notifying.feedback import PatientFeedback
from server.queries import feedback as queries
from server.queries import sites
from server.queries.feedback import Week
from server.seeding import Seed, Seeder
from server.store.database import Database
from server.store.feedback import seals_for
from server.store.retention import forget
from server.store.sealed import SEALED
from server.store.tables import feedback, notifications
from server.vault import Vault
from tests.support.refusals import refused
from tests.support.server import Server, environment, seed, serving

PHONE = "+49 170 0000001"
TEXT = "The plants are lovely"


@dataclass
class Clinic:
    """A site that asks its patients how their visit was."""

    setup: Seeder
    database: Database
    vault: Vault
    seeded: Seed

    async def last_week(self) -> date:
        """Return the Monday of the week before the site's day, which begins some hours after midnight."""
        today = date.fromisoformat((await sites.find(self.database, self.seeded["site_id"])).business_day)
        return today - timedelta(days=7 + today.weekday())

    async def served(self, *, complete: bool = True) -> tuple[int, int]:
        """Serve a patient; return the ids of the visit and the entry."""
        await self.setup.ticket(self.seeded["queue_ids"][0], phone=PHONE)
        called = await self.setup.do(CallNext(point_id=self.seeded["point_ids"][0]))
        entry_id, visit_id = called["entry"]["id"], called["entry"]["visit_id"]
        await self.setup.do(Start(entry_id=entry_id))
        if complete:
            await self.setup.do(Complete(entry_id=entry_id))
        return visit_id, entry_id

    async def questions(self) -> list[Any]:
        async with self.database.read() as connection:
            found = select(notifications).where(notifications.c.kind == "feedback").order_by(notifications.c.id)
            return list(await connection.execute(found))

    @property
    def answers(self) -> PatientFeedback:
        return PatientFeedback(self.database, self.vault)


@pytest.fixture
async def clinic(setup: Seeder, database: Database, vault: Vault) -> Clinic:
    seeded = await setup.seed(points=1, tickets=0, displays=0)
    rules = {"message_ways": ("sms",), "quiet_from": 0, "quiet_until": 0, "feedback": "on"}
    await setup.do(ChangeSite(site_id=seeded["site_id"], **rules))  # type: ignore[arg-type]
    return Clinic(setup, database, vault, seeded)


async def test_each_visit_is_asked_once_also_after_it_was_reopened(clinic: Clinic) -> None:
    visit_id, entry_id = await clinic.served()
    [question] = await clinic.questions()
    assert (question.subject, question.state, question.channel) == (f"visit:{visit_id}", "due", "sms")
    await clinic.setup.do(Reopen(entry_id=entry_id))
    await clinic.setup.do(CallNext(point_id=clinic.seeded["point_ids"][0]))
    await clinic.setup.do(Start(entry_id=entry_id))
    await clinic.setup.do(Complete(entry_id=entry_id))
    assert [row.id for row in await clinic.questions()] == [question.id]


async def test_answer_is_wanted_after_the_visit_and_counts_once(clinic: Clinic) -> None:
    visit_id, entry_id = await clinic.served(complete=False)
    assert not await clinic.answers.is_wanted(visit_id)
    with pytest.raises(FeedbackNotWanted):
        await clinic.answers.give(visit_id, 5, None)
    await clinic.setup.do(Complete(entry_id=entry_id))
    assert await clinic.answers.is_wanted(visit_id)
    await clinic.answers.give(visit_id, 4, TEXT)
    assert not await clinic.answers.is_wanted(visit_id)
    with pytest.raises(FeedbackGiven):
        await clinic.answers.give(visit_id, 1, None)
    await clinic.setup.do(ChangeSite(site_id=clinic.seeded["site_id"], feedback="off"))
    second, _ = await clinic.served()
    assert not await clinic.answers.is_wanted(second)
    with pytest.raises(FeedbackNotWanted):
        await clinic.answers.give(second, 3, None)
    assert not await clinic.answers.is_wanted(10**9)


async def test_stored_answer_names_no_visit_and_its_text_is_sealed(clinic: Clinic) -> None:
    visit_id, _ = await clinic.served()
    await clinic.answers.give(visit_id, 4, TEXT)
    async with clinic.database.read() as connection:
        [row] = [each._mapping for each in await connection.execute(select(feedback))]
    assert str(visit_id) not in str(dict(row))
    assert TEXT not in str(dict(row))
    [sealed] = [each for each in SEALED if each.name == "feedback.sealed"]
    assert clinic.vault.open(row["sealed"], seals_for(row["visit_hash"])).decode() == TEXT
    assert sealed.key == [feedback.c.visit_hash]


async def give(clinic: Clinic, day: str, *scores: int) -> None:
    """Store answers about visits of a day; the texts are those of the scores."""
    async with clinic.database.write() as connection:
        for index, score in enumerate(scores):
            visit_hash = f"{day}-{index}"
            sealed = clinic.vault.seal(f"text {score}".encode(), seals_for(visit_hash))
            row = {"visit_hash": visit_hash, "site_id": clinic.seeded["site_id"], "day": day, "score": score}
            await connection.execute(insert(feedback), row | {"sealed": sealed})


async def test_week_of_fewer_than_five_answers_shows_none_of_them(clinic: Clinic) -> None:
    last_week = await clinic.last_week()
    monday, before = last_week.isoformat(), (last_week - timedelta(days=7)).isoformat()
    await give(clinic, before, 1, 2, 3, 4)
    await give(clinic, monday, 5, 5, 4)
    await give(clinic, (last_week + timedelta(days=6)).isoformat(), 1, 5)
    span = (last_week - timedelta(days=30)).isoformat(), (last_week + timedelta(days=20)).isoformat()
    found = await queries.weeks(clinic.database, clinic.vault, clinic.seeded["site_id"], *span)
    texts = ("text 1", "text 4", "text 5", "text 5", "text 5")
    assert found == [Week(before, None, None, ()), Week(monday, 5, (1, 0, 0, 1, 3), texts)]


async def test_difference_of_two_spans_reveals_no_answer(clinic: Clinic) -> None:
    """Only whole weeks count, and only those that are over."""
    site_id, monday = clinic.seeded["site_id"], await clinic.last_week()
    await give(clinic, monday.isoformat(), 1, 2, 3, 4, 5)
    await give(clinic, (monday + timedelta(days=7)).isoformat(), 1, 2, 3, 4, 5)  # this week

    async def asked(first: Any, last: Any) -> list[str]:
        found = await queries.weeks(clinic.database, clinic.vault, site_id, first.isoformat(), last.isoformat())
        return [each.first_day for each in found]

    assert await asked(monday, monday + timedelta(days=20)) == [monday.isoformat()]
    assert await asked(monday, monday + timedelta(days=6)) == [monday.isoformat()]
    assert await asked(monday, monday + timedelta(days=5)) == []
    assert await asked(monday + timedelta(days=1), monday + timedelta(days=6)) == []


async def test_retention_deletes_the_texts_and_keeps_the_scores(clinic: Clinic) -> None:
    await give(clinic, "2026-01-05", 1, 2)
    await give(clinic, datetime.now(UTC).date().isoformat(), 3)
    assert (await forget(clinic.database, clinic.vault, 30)).opinions == 2
    async with clinic.database.read() as connection:
        rows = list(await connection.execute(select(feedback.c.score, feedback.c.sealed).order_by(feedback.c.score)))
    assert [(score, sealed is None) for score, sealed in rows] == [(1, True), (2, True), (3, False)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Seed]]:
    folder = tmp_path_factory.mktemp("feedback")
    env = environment(f"sqlite+aiosqlite:///{folder / 'x.db'}")
    seeded = seed(env, points=1, tickets=0, displays=0)
    with serving(env, folder) as server:
        yield server, seeded


def test_api_asks_by_the_tickets_token_and_refuses_bad_answers(server: tuple[Server, Seed]) -> None:
    running, seeded = server
    with running.client(running.sign_in(seeded, "admin")) as admin:

        def do(name: str, **body: Any) -> dict[str, Any]:
            answer = admin.post(f"/api/v1/commands/{name}", json=body)
            assert answer.status_code == 200, answer.text
            done: dict[str, Any] = answer.json()
            return done

        do("change-site", site_id=seeded["site_id"], feedback="on")
        token = do("issue-ticket", queue_id=seeded["queue_ids"][0])["token"]
        address = f"{running.url}/api/v1/tickets/{token}/feedback"
        assert httpx.get(address).json() == {"wanted": False}
        refused(httpx.put(address, json={"score": 5}), 409, "feedback_not_wanted")
        entry_id = do("call-next", point_id=seeded["point_ids"][0])["entry"]["id"]
        do("start", entry_id=entry_id)
        do("complete", entry_id=entry_id)
        assert httpx.get(address).json() == {"wanted": True}
        for wrong in ({"score": 0}, {"score": 6}, {"score": "5"}, {}, {"score": 5, "text": "x" * 501},
                      {"score": 5, "text": "a\u202eb"}, {"score": 5, "name": "Ada"}):  # fmt: skip
            refused(httpx.put(address, json=wrong), 422, "invalid_body")
        taken = httpx.put(address, json={"score": 5, "text": TEXT})
        assert (taken.status_code, taken.content) == (204, b"")
        refused(httpx.put(address, json={"score": 1}), 409, "feedback_given")
        assert httpx.get(address).json() == {"wanted": False}
        unknown = f"{running.url}/api/v1/tickets/{token[:-2]}AA/feedback"
        refused(httpx.get(unknown), 404, "ticket_not_found")
        refused(httpx.put(unknown, json={"score": 5}), 404, "ticket_not_found")
        figures = admin.get(f"/api/v1/sites/{seeded['site_id']}/feedback?from=2026-01-01&to=2026-12-31")
        assert figures.json()["weeks"] == [], "the present week is not over"
