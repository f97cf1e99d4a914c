"""Channels as an administrator sets them up, and as the directory gives them to the senders."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from server.audit import Audit
from server.domain.errors import ChannelNotFound, InvalidField
from server.notifying.channels.channel import ChannelRefused, Message
from server.notifying.channels.directory import Directory
from server.notifying.set_up import ChannelSetUp
from server.seeding import Seed, Seeder
from server.store.database import Database
from server.store.tables import audit, channels, sites
from server.vault import Vault
from tests.support.processes import free_port
from tests.support.providers import Infobip, JsonService, MailServer, Smsapi, serving
from tests.support.server import Server, environment, seed
from tests.support.server import serving as serving_pages

ACTOR = "staff:1"
URL = "https://clinic.example/"
SECRET = "a-token"


@pytest.fixture
async def organisation_id(setup: Seeder, database: Database) -> int:
    seeded = await setup.seed(points=1, tickets=0, displays=0)
    async with database.read() as connection:
        found = await connection.scalar(select(sites.c.organisation_id).where(sites.c.id == seeded["site_id"]))
    return int(found or 0)


@pytest.fixture
def set_up(database: Database, vault: Vault, kept: Audit) -> ChannelSetUp:
    return ChannelSetUp(database, vault, kept, URL, 60.0)


def _smsapi(port: int, token: str | None = SECRET) -> dict[str, Any]:
    return {"token": token, "sender": "Clinic", "address": f"http://127.0.0.1:{port}"}


async def _rows(database: Database) -> list[Any]:
    async with database.read() as connection:
        return list(await connection.execute(select(channels).order_by(channels.c.id)))


async def test_secret_is_sealed_kept_and_never_shown(set_up: ChannelSetUp, database: Database, organisation_id: int) -> None:
    api = Smsapi()
    async with serving(api.http) as http:
        shown = await set_up.put(organisation_id, "sms", "smsapi", _smsapi(http.port), actor=ACTOR)
        again = await set_up.put(
            organisation_id, "sms", "smsapi", _smsapi(http.port, None) | {"sender": "Practice"}, actor=ACTOR
        )
        tried = await set_up.try_out(organisation_id, "sms", "+4930901820", "fr", actor=ACTOR)
    assert SECRET not in repr((shown, again))
    assert (again.key_set, again.settings["sender"]) == (True, "Practice")
    assert tried.outcome == "accepted"
    assert api.accepted[0]["from"] == "Practice"
    assert "essai" in api.accepted[0]["message"]
    (row,) = await _rows(database)
    assert SECRET not in str(tuple(row))
    (listed,) = await set_up.listed(organisation_id)
    assert (listed.outcome, listed.honours_key) == ("accepted", True)


async def test_kept_secret_goes_to_no_other_server(set_up: ChannelSetUp, organisation_id: int) -> None:
    await set_up.put(organisation_id, "sms", "smsapi", _smsapi(1), actor=ACTOR)
    with pytest.raises(InvalidField) as raised:
        await set_up.put(organisation_id, "sms", "smsapi", _smsapi(2, None), actor=ACTOR)
    assert raised.value.details["field"] == "token"
    mail = {"host": "a.example", "port": 25, "security": "none", "sender": "x@a.example", "sender_name": "", "username": "x"}
    await set_up.put(organisation_id, "email", "smtp", mail | {"password": "p"}, actor=ACTOR)
    with pytest.raises(InvalidField):
        await set_up.put(organisation_id, "email", "smtp", mail | {"password": None, "host": "b.example"}, actor=ACTOR)


async def test_missing_secret_and_unknown_service_are_named(set_up: ChannelSetUp, organisation_id: int) -> None:
    for kind, settings, field in (
        ("smsapi", _smsapi(1, None), "token"),
        ("apprise", {"address": "json://127.0.0.1/without"}, "address"),
        ("apprise", {"address": "nothing://x/{to}"}, "address"),
        ("apprise", {"address": None}, "address"),
    ):
        with pytest.raises(InvalidField) as raised:
            await set_up.put(organisation_id, "sms", kind, settings, actor=ACTOR)
        assert raised.value.details["field"] == field
    assert await set_up.listed(organisation_id) == []


async def test_way_has_one_channel_and_a_replaced_one_forgets_its_settings(
    set_up: ChannelSetUp, database: Database, organisation_id: int
) -> None:
    await set_up.put(organisation_id, "sms", "smsapi", _smsapi(1), actor=ACTOR)
    infobip = {"api_key": "k", "sender": "Clinic", "address": "http://127.0.0.1:1", "idempotent": True}
    await set_up.put(organisation_id, "sms", "infobip", infobip, actor=ACTOR)
    assert [(each.way, each.kind) for each in await set_up.listed(organisation_id)] == [("sms", "infobip")]
    await set_up.remove(organisation_id, "sms", actor=ACTOR)
    with pytest.raises(ChannelNotFound):
        await set_up.remove(organisation_id, "sms", actor=ACTOR)
    rows = await _rows(database)
    assert [(row.enabled, row.enabled_way, row.sealed) for row in rows] == [(False, None, None)] * 2


async def test_concurrent_changes_leave_one_channel(set_up: ChannelSetUp, database: Database, organisation_id: int) -> None:
    apprise = {"address": "json://127.0.0.1:1/{to}"}
    changes = [
        set_up.put(organisation_id, "sms", *each, actor=ACTOR)
        for each in (("smsapi", _smsapi(1)), ("apprise", apprise)) * 3
    ]  # fmt: skip
    await asyncio.gather(*changes)
    assert sum(row.enabled for row in await _rows(database)) == 1


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({}, "accepted"),
        ({"security": "starttls"}, "no-encryption"),
        ({"host": "127.0.0.1", "port": None}, "no-connection"),
        ({"username": "desk"}, "credentials"),
    ],
)
async def test_trial_tells_the_cause(
    set_up: ChannelSetUp, database: Database, organisation_id: int, kept: Audit, change: dict[str, Any], outcome: str
) -> None:
    with MailServer() as server:
        settings = {"host": "127.0.0.1", "port": server.port, "security": "none", "sender": "desk@clinic.example"}
        settings |= {"sender_name": "", "username": "", "password": "x"} | change
        settings["port"] = settings["port"] or free_port()
        await set_up.put(organisation_id, "email", "smtp", settings, actor=ACTOR)
        tried = await set_up.try_out(organisation_id, "email", "nora@example.com", "en", actor=ACTOR)
    assert tried.outcome == outcome
    assert (tried.provider_id is not None) is (outcome == "accepted")
    assert (await _rows(database))[0].outcome == outcome
    await kept.stop()
    async with database.read() as connection:
        noted = [tuple(row) for row in await connection.execute(select(audit.c.action, audit.c.subject, audit.c.detail))]
    assert ("set-channel", "channel:email", "smtp") in noted
    assert ("try-channel", "channel:email", outcome) in noted
    assert "nora" not in str(noted)
    kept.start()


async def test_push_keeps_its_keys_over_changes(set_up: ChannelSetUp, organisation_id: int) -> None:
    one = await set_up.put(organisation_id, "push", "push", {"contact": "a@clinic.example"}, actor=ACTOR)
    other = await set_up.put(organisation_id, "push", "push", {"contact": "b@clinic.example"}, actor=ACTOR)
    assert one.settings["public_key"] == other.settings["public_key"]
    assert "private_key" not in repr(other)


def _message(key: str) -> Message:
    return Message(key, "+33612345678", "en", "Turn", "Your turn", 1)


async def test_directory_follows_a_change_and_lets_sent_messages_end(
    set_up: ChannelSetUp, database: Database, vault: Vault, organisation_id: int
) -> None:
    directory = Directory(database, vault, URL, kept_seconds=0)
    assert await directory.of(organisation_id, "sms") is None
    slow, fast = JsonService(), JsonService()
    async with serving(slow.http) as one, serving(fast.http) as other:
        await set_up.put(organisation_id, "sms", "apprise", {"address": f"json://127.0.0.1:{one.port}/{{to}}"}, actor=ACTOR)
        first = await directory.of(organisation_id, "sms")
        assert first is not None
        assert await directory.of(organisation_id, "sms") is first, "an unchanged channel stays open"
        sending = asyncio.create_task(first.send(_message("a")))
        await set_up.put(organisation_id, "sms", "smsapi", _smsapi(other.port), actor=ACTOR)
        second = await directory.of(organisation_id, "sms")
        assert second is not None
        assert second.name == "smsapi"
        await sending
    assert len(slow.accepted) == 1
    assert await directory.of(organisation_id + 1, "sms") is None
    await directory.close()


async def test_directory_answers_from_memory_for_a_time(
    set_up: ChannelSetUp, database: Database, vault: Vault, organisation_id: int
) -> None:
    directory = Directory(database, vault, URL, kept_seconds=3600)
    assert await directory.of(organisation_id, "sms") is None
    await set_up.put(organisation_id, "sms", "smsapi", _smsapi(1), actor=ACTOR)
    assert await directory.of(organisation_id, "sms") is None
    await directory.close()
    assert await directory.of(organisation_id, "sms") is not None
    await directory.close()


async def test_channel_notes_the_outcomes_of_its_messages(
    set_up: ChannelSetUp, database: Database, vault: Vault, organisation_id: int
) -> None:
    api = Smsapi()
    directory = Directory(database, vault, URL)
    async with serving(api.http) as http:
        await set_up.put(organisation_id, "sms", "smsapi", _smsapi(http.port), actor=ACTOR)
        channel = await directory.of(organisation_id, "sms")
        assert channel is not None
        await channel.send(_message("a"))
        (row,) = await _rows(database)
        assert row.outcome == "accepted"
        http.mood = 401
        with pytest.raises(ChannelRefused):
            await channel.send(_message("b"))
    (row,) = await _rows(database)
    assert row.outcome == "credentials"
    await directory.close()


async def test_receipts_come_with_the_secret_of_the_address(
    set_up: ChannelSetUp, database: Database, organisation_id: int
) -> None:
    api, other = Smsapi(), Infobip()
    async with serving(api.http) as one, serving(other.http) as two:
        await set_up.put(organisation_id, "sms", "smsapi", _smsapi(one.port), actor=ACTOR)
        await set_up.try_out(organisation_id, "sms", "+4930901820", "en", actor=ACTOR)
        infobip = {"api_key": "a-key", "sender": "Clinic", "address": f"http://127.0.0.1:{two.port}", "idempotent": False}
        await set_up.put(organisation_id, "sms", "infobip", infobip, actor=ACTOR)
        await set_up.try_out(organisation_id, "sms", "+4930901820", "en", actor=ACTOR)
    (form,), (sms,) = api.accepted, other.accepted
    secret = form["notify_url"].removeprefix("https://clinic.example/api/v1/receipts/")
    report = {"idx": form["idx"], "status": "404"}
    (receipt,) = await set_up.receive(secret, "smsapi", report)  # of a replaced channel
    assert (receipt.provider_id, receipt.arrival) == (form["idx"], "delivered")
    with pytest.raises(ChannelNotFound):
        await set_up.receive(secret, "infobip", {"results": []})
    with pytest.raises(ChannelNotFound):
        await set_up.receive(secret[:-1], "smsapi", report)
    second = sms["webhooks"]["delivery"]["url"].rpartition("/")[2]
    assert second != secret
    result = {"messageId": sms["destinations"][0]["messageId"], "status": {"groupId": 2, "id": 9}}
    (receipt,) = await set_up.receive(second, "infobip", {"results": [result]})
    assert receipt.arrival == "undelivered"
    assert [row.arrival for row in await _rows(database)] == ["delivered", "undelivered"]


# Over HTTP


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("channels")
    return environment(f"sqlite+aiosqlite:///{folder / 'x.db'}", NOWSERVING_PUBLIC_URL="https://clinic.example")


@pytest.fixture(scope="module")
def pages(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Seed]]:
    seeded = seed(env, points=1, tickets=0, displays=0)
    with serving_pages(env, tmp_path_factory.mktemp("server")) as server:
        yield server, seeded


def _admin(pages: tuple[Server, Seed]) -> httpx.Client:
    server, seeded = pages
    return server.client(server.sign_in(seeded, "admin"))


def test_provider_gets_the_answer_that_it_expects(pages: tuple[Server, Seed]) -> None:
    with _admin(pages) as admin:
        api = Smsapi()

        async def tried() -> dict[str, Any]:
            async with serving(api.http) as http:
                assert admin.put("/api/v1/channels/sms/smsapi", json=_smsapi(http.port)).status_code == 200
                answer = await asyncio.to_thread(
                    admin.post, "/api/v1/channels/sms/test", json={"to": "+4930901820", "language": "ar"}
                )
                body: dict[str, Any] = answer.json()
                return body

        body = asyncio.run(tried())
        (form,) = api.accepted
        assert body == {
            "outcome": "accepted",
            "message": "The provider has accepted the message.",
            "provider_id": form["idx"],
        }
        path = form["notify_url"].removeprefix("https://clinic.example")
        more = {"MsgId": "1", "status": "402", "idx": form["idx"], "donedate": "1", "username": "x", "to": "4930901820"}
        answer = admin.get(path, params=more)
        assert (answer.status_code, answer.text) == (200, "OK")
        (listed,) = admin.get("/api/v1/channels").json()["data"]
        assert (listed["arrival"], listed["outcome"]) == ("undelivered-for-now", "accepted")
        assert SECRET not in json.dumps(listed)


def test_wrong_settings_are_named(pages: tuple[Server, Seed]) -> None:
    with _admin(pages) as admin:
        for path, body, field in (
            ("email/smtp", {"host": "a b", "sender": "x@y.example"}, "host"),
            ("email/smtp", {"host": "a.example", "sender": "nobody"}, "sender"),
            ("sms/infobip", {"api_key": "k", "sender": "C", "address": "http://api.example"}, "address"),
            ("push/push", {"contact": "x"}, "contact"),
        ):
            answer = admin.put(f"/api/v1/channels/{path}", json=body)
            assert answer.status_code == 422, path
            assert answer.json()["error"]["details"]["fields"][0]["field"] == field
        assert admin.post("/api/v1/channels/sms/test", json={"to": "0170 1"}).json()["error"]["details"]["field"] == "to"
        assert admin.put("/api/v1/channels/push/apprise", json={"address": "json://x/{to}"}).status_code == 404
        assert admin.delete("/api/v1/channels/fax").status_code == 404
