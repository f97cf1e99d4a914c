"""A clinic's own texts of messages: written, tried and reset by its managers, and sent to its patients."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from server.audit import Audit
from server.domain.commands import ChangeSite
from server.domain.errors import InvalidField, MessageTextNotFound
from server.domain.model import Site
from server.notifying.own_texts import OwnTexts, TextShown
from server.notifying.texts import TEXTS
from server.queries import message_texts, sites
from server.seeding import Seeder
from server.store.database import Database
from server.store.tables import audit
from tests.support.processes import wait_until
from tests.support.refusals import refused
from tests.support.server import environment, seed, serving

ACTOR = "staff:1"
URL = "https://clinic.example"
OWN = "Bonjour de {clinic}\u202f: {date}, {time}. {link}"


@pytest.fixture
def own(database: Database, kept: Audit) -> OwnTexts:
    return OwnTexts(database, kept, URL)


@pytest.fixture
async def site(setup: Seeder, database: Database) -> Site:
    seeded = await setup.seed(points=1, tickets=0, displays=0)
    await setup.do(ChangeSite(site_id=seeded["site_id"], languages=("de",)))
    return await sites.find(database, seeded["site_id"])


async def shown(own: OwnTexts, site: Site, name: str, language: str) -> TextShown:
    (template,) = [each for each in await own.listed(site.id) if each.name == name]
    return next(each for each in template.texts if each.language == language)


async def test_own_text_replaces_the_shipped_one_until_its_reset(own: OwnTexts, site: Site, database: Database) -> None:
    before = await shown(own, site, "reminder", "fr")
    assert (before.shipped, before.own, before.changed_at) == (TEXTS["reminder"]["fr"], None, None)
    await own.put(site, "reminder", "FR", OWN, actor=ACTOR)
    await own.put(site, "reminder", "fr", f"{OWN}!", actor=ACTOR)
    after = await shown(own, site, "reminder", "fr")
    assert (after.own, (after.changed_at or 0) > 0) == (f"{OWN}!", True)
    async with database.read() as connection:
        assert await message_texts.of_sites(connection, {site.id, 77}) == {site.id: {"reminder": {"fr": f"{OWN}!"}}, 77: {}}
    await own.reset(site, "reminder", "fr", actor=ACTOR)
    await own.reset(site, "reminder", "fr", actor=ACTOR)
    assert await shown(own, site, "reminder", "fr") == before


async def test_language_of_the_clinic_without_shipped_texts_can_have_its_own(own: OwnTexts, site: Site) -> None:
    assert await shown(own, site, "called", "de") == TextShown("de", None, None, None)
    await own.put(site, "called", "de", "{label}: Sie sind dran. {link}", actor=ACTOR)
    assert (await shown(own, site, "called", "de")).own == "{label}: Sie sind dran. {link}"
    for language in ("pl", "not a tag", ""):
        with pytest.raises(InvalidField) as raised:
            await own.put(site, "called", language, "{label} {link}", actor=ACTOR)
        assert raised.value.details["field"] == "language"


async def test_wrong_texts_and_unknown_templates_are_refused(own: OwnTexts, site: Site) -> None:
    for text in ("{label", "{label} {name}", "no placeholder", "{label} {link} " + "x" * 260):
        with pytest.raises(InvalidField) as raised:
            await own.put(site, "called", "en", text, actor=ACTOR)
        assert raised.value.details["field"] == "text"
    for change in (own.put(site, "fax", "en", "x", actor=ACTOR), own.reset(site, "fax", "en", actor=ACTOR)):
        with pytest.raises(MessageTextNotFound):
            await change
    assert (await shown(own, site, "called", "en")).own is None


async def test_two_first_texts_at_once_leave_one(own: OwnTexts, site: Site, database: Database) -> None:
    texts = [f"{{label}} {number}" for number in range(6)]
    await asyncio.gather(*(own.put(site, "called", "en", each, actor=ACTOR) for each in texts))
    (found,) = await message_texts.of_site(database, site.id)
    assert found.text in texts


async def test_changes_are_in_the_audit(own: OwnTexts, site: Site, database: Database, kept: Audit) -> None:
    await own.put(site, "called", "en", "{label}!", actor=ACTOR)
    await own.reset(site, "called", "en", actor=ACTOR)
    await kept.stop()
    async with database.read() as connection:
        columns = select(audit.c.action, audit.c.subject, audit.c.actor, audit.c.site_id)
        noted = (await connection.execute(columns.where(audit.c.site_id == site.id).order_by(audit.c.n))).all()
    assert [tuple(each) for each in noted] == [
        (action, "text:called:en", ACTOR, site.id) for action in ("set-message-text", "reset-message-text")
    ]


async def test_draft_shows_its_message_or_its_problem(own: OwnTexts, site: Site) -> None:
    found = await own.tried(site, "reminder", "fr", OWN)
    assert found.problem is None
    assert found.message is not None
    assert found.message.sms.startswith(f"Bonjour de {site.name} : ")
    assert found.message.sms.endswith("/a/123-0123456789abcdefghijkl")
    long = await own.tried(site, "reminder", "fr", OWN + "x" * 250)
    assert (long.problem is not None and long.problem.code, long.message is not None) == ("long", True)
    broken = await own.tried(site, "reminder", "fr", "{label}")
    assert (broken.problem is not None and broken.problem.value, broken.message) == ("{label}", None)


def test_managers_text_reaches_the_patient(sqlite_url: str, tmp_path: Path) -> None:
    sent = tmp_path / "sent.jsonl"
    env = environment(sqlite_url, NOWSERVING_RECORDING_PATH=str(sent))
    seeded = seed(env, points=1, tickets=0, displays=0)
    site_id = seeded["site_id"]
    with (
        serving(env, tmp_path) as server,
        server.client(server.sign_in(seeded, "admin")) as admin,
        server.client(server.sign_in(seeded, "manager")) as manager,
        server.client(server.sign_in(seeded, "receptionist")) as receptionist,
    ):

        def do(command: str, **body: Any) -> Any:
            answer = admin.post(f"/api/v1/commands/{command}", json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

        address = f"/api/v1/sites/{site_id}/message-texts"
        text = {"text": "{label} : encore deux personnes. {link}"}
        refused(receptionist.get(address), 403, "not_allowed")
        refused(receptionist.put(f"{address}/almost-your-turn/fr", json=text), 403, "not_allowed")
        refused(manager.put(f"{address}/fax/fr", json=text), 404, "message_text_not_found")
        refused(manager.put(f"{address}/called/pl", json=text), 422, "invalid_field")
        refused(manager.put(f"{address}/called/fr", json={"text": "x" * 601}), 422, "invalid_body")
        refused(manager.put(f"{address}/called/fr", json={"text": "a\u0000b"}), 422, "invalid_body")
        tried = manager.post(f"{address}/almost-your-turn/fr/preview", json=text).json()
        assert (tried["problem"], tried["message"]["parts"]) == (None, 1)
        do("add-service", site_id=site_id, name="Consultation VIH", public_name="Consultation")
        secret = {"text": "{label}: consultation VIH. {link}"}
        assert manager.post(f"{address}/called/fr/preview", json=secret).json()["problem"]["code"] == "secret"
        assert "true name" in refused(manager.put(f"{address}/called/fr", json=secret), 422, "invalid_field")["message"]
        assert manager.put(f"{address}/almost-your-turn/fr", json=text).status_code == 204
        listed = {each["name"]: each for each in manager.get(address).json()["data"]}
        (french,) = [each for each in listed["almost-your-turn"]["texts"] if each["language"] == "fr"]
        assert french["own"] == text["text"]
        do("change-site", site_id=site_id, message_ways=["sms"])
        do("issue-ticket", queue_id=seeded["queue_ids"][0], phone="+49 170 0000067", language="fr")
        wait_until(lambda: sent.exists() and sent.read_text().count("\n") == 1, "the message")
        (message,) = [json.loads(line) for line in sent.read_text().splitlines()]
        assert message["text"].startswith("A001 : encore deux personnes. http")
        assert manager.delete(f"{address}/almost-your-turn/fr").status_code == 204
        assert manager.delete(f"{address}/almost-your-turn/fr").status_code == 204
        do("issue-ticket", queue_id=seeded["queue_ids"][0], phone="+49 170 0000068", language="fr")
        wait_until(lambda: sent.read_text().count("\n") == 2, "the message with the shipped text")
        assert "votre tour approche" in sent.read_text()
