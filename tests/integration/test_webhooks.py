"""Webhooks: real receivers get the events of a log, in order and at least once, whatever the receiver or a server does."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import func, select, update

from server.audit import Audit
from server.domain.commands import BroadcastMessage, CallNext, Complete, Start
from server.domain.errors import InvalidField, TooManyWebhooks, WebhookNotFound
from server.execute import Executor
from server.notifying.webhooks import deliverer as module
from server.notifying.webhooks.deliverer import LEASE, OFF_AFTER_MICROSECONDS, Deliverer, Limits
from server.notifying.webhooks.delivery import Outcome, deliver
from server.notifying.webhooks.set_up import MOST_WEBHOOKS, WebhookSetUp
from server.queries import circuits
from server.queries.webhooks import OPENS_AFTER
from server.seeding import Seed, Seeder
from server.store import leases
from server.store.database import Database
from server.store.tables import audit, events, organisations, sites, webhook_sites, webhooks
from server.vault import Vault
from tests.support import history, server
from tests.support.loop_time import let_pass
from tests.support.processes import end, free_port, running, wait_until
from tests.support.providers import serving
from tests.support.webhook_receiver import Receiver, receiving, receiving_in_thread

T = TypeVar("T")
ACTOR = "staff:1"
SECOND = 1_000_000
PATIENT = Limits(call=60.0, lease=120.0)


@pytest.fixture
async def seeded(setup: Seeder) -> Seed:
    return await setup.seed(points=1, tickets=0, displays=0)


@pytest.fixture
async def organisation_id(seeded: Seed, database: Database) -> int:
    async with database.read() as connection:
        return int(await connection.scalar(select(sites.c.organisation_id).where(sites.c.id == seeded["site_id"])) or 0)


@pytest.fixture
def set_up(database: Database, vault: Vault, kept: Audit) -> WebhookSetUp:
    return WebhookSetUp(database, vault, kept, 60.0)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def deliverer(database: Database, vault: Vault) -> Deliverer:
    return Deliverer(database, vault, PATIENT)


async def _connect(set_up: WebhookSetUp, organisation_id: int, receiver: Receiver) -> int:
    webhook_id, secret = await set_up.add(organisation_id, receiver.url, actor=ACTOR)
    receiver.secrets.append(secret)
    return webhook_id


async def _deliver(deliverer: Deliverer) -> None:
    """Deliver until nothing waits any more, or every wait is in the future."""
    while await deliverer.look():
        await deliverer.settle()


async def _not_answered(receiver: Receiver, work: Coroutine[Any, Any, T]) -> T:
    """Do work that calls a receiver which never answers; the time limit passes as soon as it has the request."""
    asked, task = len(receiver.http.requests), asyncio.create_task(work)
    await _until(lambda: len(receiver.http.requests) > asked)
    let_pass(PATIENT.call)
    return await task


async def _until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not reached():  # noqa: ASYNC110 (the receiver has no event for this)
            await asyncio.sleep(0.02)


async def _last(database: Database, site_id: int) -> int:
    async with database.read() as connection:
        return int(await connection.scalar(select(sites.c.seq).where(sites.c.id == site_id)) or 0)


async def _places(database: Database) -> list[Any]:
    async with database.read() as connection:
        return list(await connection.execute(select(webhook_sites).order_by(webhook_sites.c.webhook_id)))


async def _change(database: Database, **values: Any) -> None:
    async with database.write() as connection:
        await connection.execute(update(webhook_sites).values(**values))


async def _work(setup: Seeder, seeded: Seed, patients: int = 2) -> None:
    """Serve patients at the only point of a site."""
    (point,) = seeded["point_ids"]
    for _ in range(patients):
        await setup.ticket(seeded["queue_ids"][0], name="Nora Canary", phone="+49 171 5550199")
        entry_id = (await setup.do(CallNext(point_id=point)))["entry"]["id"]
        await setup.do(Start(entry_id=entry_id))
        await setup.do(Complete(entry_id=entry_id))


# Order, numbers and names


async def test_receiver_gets_exactly_the_events_of_the_log_in_order(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, deliverer: Deliverer,
    database: Database,
) -> None:  # fmt: skip
    before = await _last(database, seeded["site_id"])
    await _connect(set_up, organisation_id, receiver)
    await _work(setup, seeded, 15)  # more events than one turn has
    await _deliver(deliverer)
    last = await _last(database, seeded["site_id"])
    assert last - before > 50
    assert receiver.numbers == list(range(before + 1, last + 1))
    epoch = json.loads(receiver.bodies[0])["epoch"]
    assert receiver.ids == [f"{seeded['site_id']}-{epoch}-{number}" for number in receiver.numbers]
    async with database.read() as connection:
        types = list(await connection.scalars(select(events.c.type).where(events.c.seq > before).order_by(events.c.seq)))
    assert [each["type"] for each in receiver.events] == types
    await _deliver(deliverer)
    assert len(receiver.events) == last - before
    issued = next(each for each in receiver.events if each["type"] == "ticket-issued")
    assert issued["data"]["label"] == "A001"
    assert issued["data"]["queue_id"] == seeded["queue_ids"][0]
    assert not [body for body in receiver.bodies if b"Canary" in body or b"5550199" in body]


async def test_new_site_is_delivered_from_its_first_event(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, deliverer: Deliverer,
    database: Database,
) -> None:  # fmt: skip
    await _connect(set_up, organisation_id, receiver)
    async with database.read() as connection:
        name = await connection.scalar(select(organisations.c.name).where(organisations.c.id == organisation_id))
    other = await setup.site(str(name), "Second site")
    await setup.do(BroadcastMessage(site_id=other.id, message="Wilhelmina is late"))
    await setup.do(BroadcastMessage(site_id=seeded["site_id"], message="Wilhelmina is late"))
    await _deliver(deliverer)
    assert (other.id, 1) in {(each["site_id"], each["number"]) for each in receiver.events}
    assert {each["site_id"] for each in receiver.events} == {other.id, seeded["site_id"]}
    assert not [body for body in receiver.bodies if b"Wilhelmina" in body]


async def test_webhook_of_another_organisation_gets_nothing(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, deliverer: Deliverer
) -> None:
    foreign = await setup.site("Another organisation", "Elsewhere")
    await _connect(set_up, foreign.organisation_id, receiver)
    await _work(setup, seeded, 1)
    await _deliver(deliverer)
    assert receiver.events == []
    assert [each.url for each in await set_up.listed(foreign.organisation_id)] == [receiver.url]
    assert await set_up.listed(organisation_id) == []
    (place,) = (await set_up.listed(foreign.organisation_id))[0].sites
    assert place.site_id == foreign.id


async def test_log_that_lost_its_end_is_delivered_from_there_under_its_new_epoch(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, deliverer: Deliverer,
    database: Database,
) -> None:  # fmt: skip
    await _connect(set_up, organisation_id, receiver)
    backup = await history.dump(database, seeded["site_id"])
    first = await _last(database, seeded["site_id"]) + 1
    await _work(setup, seeded, 1)
    await _deliver(deliverer)
    await history.load(database, backup)
    await _deliver(deliverer)
    setup = Seeder(database, Executor(database, server.vault(), publish=lambda *_: None))
    await setup.do(BroadcastMessage(site_id=seeded["site_id"], message="We open at ten"))
    await _deliver(deliverer)
    old, *_, new = receiver.events
    assert (old["number"], new["number"]) == (first, first)
    assert (old["type"], new["type"]) == ("ticket-issued", "message-broadcast")
    assert old["epoch"] != new["epoch"]


# Failures


@pytest.mark.parametrize(
    ("mood", "error"),
    [(500, "error"), (400, "refused"), (302, "redirect"), ("hangs", "no-answer"), ("drops", "broken"), ("busy", "busy")],
)
async def test_failed_event_waits_longer_each_time_and_comes_first_afterwards(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, deliverer: Deliverer,
    database: Database, mood: Any, error: str,
) -> None:  # fmt: skip
    webhook_id = await _connect(set_up, organisation_id, receiver)
    await _work(setup, seeded, 1)
    before = (await _places(database))[0].number
    receiver.http.mood = mood
    waits = []
    for _ in range(3):
        began = await database.now()
        await (_not_answered(receiver, _deliver(deliverer)) if mood == "hangs" else _deliver(deliverer))
        (place,) = await _places(database)
        waits.append(((place.next_at - await database.now()) / SECOND, (place.next_at - began) / SECOND))
        await _change(database, next_at=0)
    least = 7 if mood == "busy" else 5  # the receiver's own wish
    for (from_end, from_begin), wait in zip(waits, (5, 10, 20), strict=True):
        assert from_end - 2 <= max(wait, least) <= from_begin + 2
    assert (place.error, place.failures, place.number, place.off_at) == (error, 3, before, None)
    assert len({each.headers["webhook-id"] for each in receiver.http.requests}) == 1
    (shown,) = await set_up.listed(organisation_id)
    assert (shown.id, shown.state, shown.sites[0].error) == (webhook_id, "on", error)
    receiver.http.mood = "accepts"
    taken = len(receiver.events)  # one that drops the connection has taken the event before
    await _deliver(deliverer)
    assert receiver.numbers[taken:] == list(range(before + 1, place.number + 1 + len(receiver.events) - taken))
    (place,) = await _places(database)
    assert (place.error, place.failures, place.failing_since) == (None, 0, None)
    assert place.number == await _last(database, seeded["site_id"])


async def test_unreachable_receiver_is_named(set_up: WebhookSetUp, organisation_id: int) -> None:
    webhook_id, _ = await set_up.add(organisation_id, f"http://127.0.0.1:{free_port()}/", actor=ACTOR)
    assert await set_up.try_out(organisation_id, webhook_id, actor=ACTOR) == "no-connection"


async def test_webhook_that_hangs_delays_no_other_one(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, database: Database,
    vault: Vault,
) -> None:  # fmt: skip
    async with receiving() as slow:
        slow.http.mood = "hangs"
        await _connect(set_up, organisation_id, slow)
        await _connect(set_up, organisation_id, receiver)
        await _work(setup, seeded, 15)
        deliverer = Deliverer(database, vault, PATIENT)  # the slow one hangs through the whole test
        running = asyncio.create_task(deliverer.run())
        last = await _last(database, seeded["site_id"])
        await _until(lambda: receiver.numbers[-1:] == [last])
        assert len(slow.http.requests) == 1  # one request at a time
        deliverer.stop()
        await running
    assert receiver.numbers == sorted(set(receiver.numbers))


async def test_webhook_is_switched_off_after_three_days_of_failures_and_on_again_by_a_person(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, deliverer: Deliverer,
    database: Database,
) -> None:  # fmt: skip
    webhook_id = await _connect(set_up, organisation_id, receiver)
    await _work(setup, seeded, 1)
    receiver.http.mood = 500
    await _deliver(deliverer)
    almost = await database.now() - OFF_AFTER_MICROSECONDS + 60 * SECOND
    await _change(database, failing_since=almost, next_at=0, failures=80)
    await _deliver(deliverer)
    (place,) = await _places(database)
    assert place.off_at is None
    assert place.next_at - await database.now() <= 3600 * SECOND
    await _change(database, failing_since=almost - 60 * SECOND, next_at=0)
    await _deliver(deliverer)
    (place,) = await _places(database)
    assert (place.off_at is not None, place.next_at) == (True, None)
    receiver.http.mood = "accepts"
    asked = len(receiver.http.requests)
    await _deliver(deliverer)
    assert len(receiver.http.requests) == asked
    (shown,) = await set_up.listed(organisation_id)
    assert shown.sites[0].off_at is not None
    await set_up.change(organisation_id, webhook_id, receiver.url, True, actor=ACTOR)
    await _deliver(deliverer)
    assert receiver.numbers == list(range(place.number + 1, await _last(database, seeded["site_id"]) + 1))


async def test_answer_of_410_switches_off_at_once(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, deliverer: Deliverer
) -> None:
    webhook_id = await _connect(set_up, organisation_id, receiver)
    await _work(setup, seeded, 1)
    receiver.http.mood = 410
    await _deliver(deliverer)
    await _deliver(deliverer)
    assert len(receiver.http.requests) == 1
    (shown,) = await set_up.listed(organisation_id)
    assert shown.state == "gone"
    receiver.http.mood = "accepts"
    await set_up.change(organisation_id, webhook_id, receiver.url, True, actor=ACTOR)
    await _deliver(deliverer)
    assert receiver.events


async def test_webhook_that_is_off_goes_on_where_it_was(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, deliverer: Deliverer
) -> None:
    webhook_id = await _connect(set_up, organisation_id, receiver)
    await _work(setup, seeded, 1)
    await _deliver(deliverer)
    await set_up.change(organisation_id, webhook_id, receiver.url, False, actor=ACTOR)
    await _work(setup, seeded, 1)
    seen = len(receiver.events)
    await _deliver(deliverer)
    assert len(receiver.events) == seen
    await set_up.change(organisation_id, webhook_id, receiver.url, True, actor=ACTOR)
    await _deliver(deliverer)
    assert receiver.numbers == list(range(receiver.numbers[0], receiver.numbers[0] + len(receiver.events)))
    assert len(receiver.events) > seen


# Changes by administrators


async def test_replay_repeats_and_skips(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, deliverer: Deliverer,
    database: Database,
) -> None:  # fmt: skip
    webhook_id = await _connect(set_up, organisation_id, receiver)
    await _work(setup, seeded, 2)
    await _deliver(deliverer)
    site_id, last = seeded["site_id"], await _last(database, seeded["site_id"])
    first_time = dict(zip(receiver.ids, receiver.bodies, strict=True))
    receiver.ids.clear()
    receiver.bodies.clear()
    await set_up.replay(organisation_id, webhook_id, site_id, last - 2, actor=ACTOR)
    await _deliver(deliverer)
    assert [int(each.rpartition("-")[2]) for each in receiver.ids] == [last - 2, last - 1, last]
    assert dict(zip(receiver.ids, receiver.bodies, strict=True)).items() <= first_time.items()  # not a byte differs
    receiver.http.mood = 500
    await _work(setup, seeded, 1)
    await _deliver(deliverer)
    receiver.http.mood = "accepts"
    receiver.events.clear()
    await set_up.replay(organisation_id, webhook_id, site_id, last + 3, actor=ACTOR)
    await _deliver(deliverer)
    assert receiver.numbers == list(range(last + 3, await _last(database, site_id) + 1))
    for wrong_site, number in ((site_id, await _last(database, site_id) + 2), (site_id + 999, 1)):
        with pytest.raises(InvalidField):
            await set_up.replay(organisation_id, webhook_id, wrong_site, number, actor=ACTOR)


async def test_replay_wins_over_a_delivery_under_way(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, deliverer: Deliverer,
    database: Database,
) -> None:  # fmt: skip
    webhook_id = await _connect(set_up, organisation_id, receiver)
    await _work(setup, seeded, 1)
    site_id = seeded["site_id"]
    first = (await _places(database))[0].number + 1
    await _deliver(deliverer)
    await _work(setup, seeded, 1)
    receiver.http.mood, asked = "hangs", len(receiver.http.requests)
    await deliverer.look()
    await _until(lambda: len(receiver.http.requests) > asked)
    await set_up.replay(organisation_id, webhook_id, site_id, first, actor=ACTOR)
    receiver.http.mood = "accepts"
    let_pass(PATIENT.call)
    await deliverer.settle()
    (place,) = await _places(database)
    assert (place.number, place.failures, place.error) == (first - 1, 0, None)


async def test_new_secret_and_the_former_one_both_verify(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, deliverer: Deliverer,
    database: Database,
) -> None:  # fmt: skip
    webhook_id = await _connect(set_up, organisation_id, receiver)
    renewed = await set_up.renew_secret(organisation_id, webhook_id, actor=ACTOR)
    async with database.read() as connection:
        (sealed,) = await connection.scalars(select(webhooks.c.sealed))
    (former,) = receiver.secrets
    assert former != renewed
    assert "whsec" not in sealed
    for secrets in ([former], [renewed]):
        receiver.secrets[:] = secrets
        await _work(setup, seeded, 1)
        taken = len(receiver.events)
        await _deliver(deliverer)
        assert len(receiver.events) > taken
    (shown,) = await set_up.listed(organisation_id)
    assert shown.former_secret_until is not None
    assert renewed not in repr(shown)


async def test_secret_under_a_lost_key_is_named_and_renewed(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, database: Database,
    kept: Audit,
) -> None:  # fmt: skip
    webhook_id = await _connect(set_up, organisation_id, receiver)
    await _work(setup, seeded, 1)
    other = Vault([b"z" * 32], "another secret key")
    later = WebhookSetUp(database, other, kept, 60.0)
    deliverer = Deliverer(database, other, PATIENT)
    await _deliver(deliverer)
    (shown,) = await later.listed(organisation_id)
    assert shown.sites[0].error == await later.try_out(organisation_id, webhook_id, actor=ACTOR) == "no-secret"
    receiver.secrets[:] = [await later.renew_secret(organisation_id, webhook_id, actor=ACTOR)]
    await later.change(organisation_id, webhook_id, receiver.url, True, actor=ACTOR)
    await _deliver(deliverer)
    assert receiver.numbers[-1] == await _last(database, seeded["site_id"])


async def test_test_event_has_an_outcome_and_moves_nothing(
    organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, database: Database
) -> None:
    webhook_id = await _connect(set_up, organisation_id, receiver)
    before = await _places(database)
    assert await set_up.try_out(organisation_id, webhook_id, actor=ACTOR) == "delivered"
    assert [each["type"] for each in receiver.events] == ["test"]
    for mood, outcome in (("hangs", "no-answer"), (410, "gone"), (500, "error")):
        receiver.http.mood = mood  # type: ignore[assignment]
        trying = set_up.try_out(organisation_id, webhook_id, actor=ACTOR)
        assert await (_not_answered(receiver, trying) if mood == "hangs" else trying) == outcome
    assert await _places(database) == before


async def test_removed_webhook_gets_nothing_and_foreign_ids_are_unknown(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, deliverer: Deliverer,
    database: Database,
) -> None:  # fmt: skip
    webhook_id = await _connect(set_up, organisation_id, receiver)
    foreign = (await setup.site("Another organisation", "Elsewhere")).organisation_id
    for refused in (
        set_up.change(foreign, webhook_id, receiver.url, True, actor=ACTOR),
        set_up.renew_secret(foreign, webhook_id, actor=ACTOR),
        set_up.replay(foreign, webhook_id, seeded["site_id"], 1, actor=ACTOR),
        set_up.try_out(foreign, webhook_id, actor=ACTOR),
        set_up.remove(foreign, webhook_id, actor=ACTOR),
    ):
        with pytest.raises(WebhookNotFound):
            await refused
    await set_up.remove(organisation_id, webhook_id, actor=ACTOR)
    with pytest.raises(WebhookNotFound):
        await set_up.remove(organisation_id, webhook_id, actor=ACTOR)
    await _work(setup, seeded, 1)
    await _deliver(deliverer)
    assert (receiver.events, await _places(database)) == ([], [])


async def test_wrong_addresses_and_too_many_webhooks_are_refused(set_up: WebhookSetUp, organisation_id: int) -> None:
    for url in ("https://clinic.example:99999/", "https://user:word@clinic.example/"):
        with pytest.raises(InvalidField):
            await set_up.add(organisation_id, url, actor=ACTOR)
    made = await asyncio.gather(
        *(set_up.add(organisation_id, "https://clinic.example/", actor=ACTOR) for _ in range(MOST_WEBHOOKS + 2)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, TooManyWebhooks) for each in made) == 2


async def test_audit_names_what_administrators_did(
    seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, kept: Audit, database: Database
) -> None:
    webhook_id = await _connect(set_up, organisation_id, receiver)
    await set_up.try_out(organisation_id, webhook_id, actor=ACTOR)
    await set_up.renew_secret(organisation_id, webhook_id, actor=ACTOR)
    await set_up.replay(organisation_id, webhook_id, seeded["site_id"], 1, actor=ACTOR)
    await set_up.change(organisation_id, webhook_id, receiver.url, False, actor=ACTOR)
    await set_up.remove(organisation_id, webhook_id, actor=ACTOR)
    await kept.stop()
    async with database.read() as connection:
        rows = list(await connection.execute(select(audit.c.action, audit.c.subject, audit.c.detail).order_by(audit.c.n)))
    assert [row.action for row in rows if "webhook" in row.action] == [
        "add-webhook", "try-webhook", "renew-webhook-secret", "replay-webhook", "change-webhook", "remove-webhook",
    ]  # fmt: skip
    assert {row.subject for row in rows if "webhook" in row.action} == {f"webhook:{webhook_id}"}
    assert "whsec" not in json.dumps([tuple(row) for row in rows])
    assert receiver.url not in json.dumps([tuple(row) for row in rows])


# Several processes


# A receiver that is away


async def _connect_three_sites(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, database: Database
) -> list[int]:
    """Let an organisation have three sites, each with an event for its webhook; return their ids."""
    await _connect(set_up, organisation_id, receiver)
    async with database.read() as connection:
        name = str(await connection.scalar(select(organisations.c.name).where(organisations.c.id == organisation_id)))
    ids = [seeded["site_id"], *[(await setup.site(name, f"Site {number}")).id for number in (2, 3)]]
    for site_id in ids:
        await setup.do(BroadcastMessage(site_id=site_id, message="Good morning"))
    return ids


async def _open_webhooks(database: Database) -> list[str]:
    return [each.name for each in await circuits.listed(database)]


async def test_unreachable_receiver_gets_one_trial_for_all_sites_and_then_every_event(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, deliverer: Deliverer, database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    receiver = Receiver()
    receiver.http.port = free_port()
    ids = await _connect_three_sites(setup, seeded, organisation_id, set_up, receiver, database)
    calls: list[str] = []
    monkeypatch.setattr(module, "deliver", _counted(calls))
    for calls_so_far in (3, 4, 5):
        await _deliver(deliverer)
        assert len(calls) == calls_so_far, "three sites in a row have failed, and from then on one tries for all"
        places = await _places(database)
        assert {place.error for place in places} == {"no-connection"}
        if calls_so_far > 3:
            assert len({place.next_at for place in places}) == 1, "all wait for the same trial"
            assert sorted(place.failures for place in places)[:2] == [1, 1], "no failure without a call"
        await _change(database, next_at=0)
        if calls_so_far == 3:
            await _change_place(database, ids[0], failures=OPENS_AFTER)
    assert len(await _open_webhooks(database)) == 1
    await setup.do(BroadcastMessage(site_id=ids[1], message="Good evening"))
    async with serving(receiver.http, port=receiver.http.port):
        await _deliver(deliverer)
    assert {each["site_id"] for each in receiver.events} == set(ids)
    for site_id in ids:
        numbers = [each["number"] for each in receiver.events if each["site_id"] == site_id]
        assert numbers == list(range(numbers[0], await _last(database, site_id) + 1))
    assert {(place.error, place.failures) for place in await _places(database)} == {(None, 0)}
    assert await _open_webhooks(database) == []


async def test_event_that_a_receiver_cannot_take_stops_no_other_site(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, deliverer: Deliverer,
    database: Database,
) -> None:  # fmt: skip
    ids = await _connect_three_sites(setup, seeded, organisation_id, set_up, receiver, database)
    accept = receiver.http.accept
    receiver.http.accept = lambda request: (
        (503, {}) if json.loads(request.body)["site_id"] == ids[0] else accept(request)
    )  # fmt: skip
    for _ in range(OPENS_AFTER + 1):
        await _deliver(deliverer)
        await _change(database, next_at=0)
    assert {each["site_id"] for each in receiver.events} == set(ids[1:])
    await setup.do(BroadcastMessage(site_id=ids[2], message="Good evening"))
    await _deliver(deliverer)
    assert receiver.numbers[-1] == await _last(database, ids[2])


def _counted(calls: list[str]) -> Callable[..., Coroutine[Any, Any, Outcome]]:
    async def counted(calling: Any, url: str, secrets: Any, message_id: str, *about: Any, **more: Any) -> Outcome:
        calls.append(message_id)
        return await deliver(calling, url, secrets, message_id, *about, **more)

    return counted


async def _change_place(database: Database, site_id: int, **values: Any) -> None:
    async with database.write() as connection:
        await connection.execute(update(webhook_sites).where(webhook_sites.c.site_id == site_id).values(**values))


async def test_two_deliverers_at_once_send_each_event_once(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, database: Database,
    vault: Vault,
) -> None:  # fmt: skip
    await _connect(set_up, organisation_id, receiver)
    await _work(setup, seeded, 10)
    several = [Deliverer(database, vault, PATIENT) for _ in range(3)]
    running = [asyncio.create_task(each.run()) for each in several]
    last = await _last(database, seeded["site_id"])
    await _until(lambda: receiver.numbers[-1:] == [last])
    for each in several:
        each.stop()
    await asyncio.gather(*running)
    assert receiver.numbers == list(range(receiver.numbers[0], last + 1))


async def test_lost_lease_ends_the_calls(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, deliverer: Deliverer,
    database: Database,
) -> None:  # fmt: skip
    await _connect(set_up, organisation_id, receiver)
    await _work(setup, seeded, 1)
    now = await database.now()
    async with database.write() as connection:
        assert await leases.take(connection, LEASE, "another process", now, 8 * SECOND)
    assert not await deliverer.look()
    assert receiver.events == []
    async with database.write() as connection:
        await leases.finish(connection, LEASE, "another process", await database.now())
    await _deliver(deliverer)
    assert receiver.events


async def test_stop_leaves_the_lease_and_cuts_a_call_that_hangs(
    setup: Seeder, seeded: Seed, organisation_id: int, set_up: WebhookSetUp, receiver: Receiver, database: Database,
    vault: Vault, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("server.notifying.webhooks.deliverer.STOP_SECONDS", 0.2)
    await _connect(set_up, organisation_id, receiver)
    await _work(setup, seeded, 1)
    receiver.http.mood = "hangs"
    first = Deliverer(database, vault)
    running = asyncio.create_task(first.run())
    await _until(lambda: bool(receiver.http.requests))
    first.stop()
    await running
    receiver.http.mood = "accepts"
    receiver.events.clear()
    second = Deliverer(database, vault, PATIENT)
    await _deliver(second)
    async with database.read() as connection:
        count = await connection.scalar(select(func.count()).select_from(webhook_sites).where(webhook_sites.c.failures > 0))
    assert count == 0
    assert receiver.numbers[-1] == await _last(database, seeded["site_id"])


# Real processes


async def _set_up_at(url: str, seeded: Seed, receiver: Receiver) -> None:
    database, vault = Database(url), server.vault()
    async with database.read() as connection:
        organisation_id = await connection.scalar(select(sites.c.organisation_id).where(sites.c.id == seeded["site_id"]))
    await _connect(WebhookSetUp(database, vault, Audit(database, vault, "test:1")), int(organisation_id or 0), receiver)
    await database.close()


async def _work_at(url: str, seeded: Seed, patients: int) -> int:
    """Serve patients; return the number of the last event."""
    database = Database(url)
    setup = Seeder(database, Executor(database, server.vault(), publish=lambda *_: None))
    await _work(setup, seeded, patients)
    last = await _last(database, seeded["site_id"])
    await database.close()
    return last


@pytest.mark.long
def test_killed_server_repeats_the_event_under_way_and_loses_none(sqlite_url: str, tmp_path: Path) -> None:
    env = server.environment(sqlite_url)
    seeded = server.seed(env, points=1, tickets=0, displays=0)
    with receiving_in_thread() as receiver:
        asyncio.run(_set_up_at(sqlite_url, seeded, receiver))
        with server.serving(env, tmp_path) as first:
            done = asyncio.run(_work_at(sqlite_url, seeded, 1))
            wait_until(lambda: receiver.numbers[-1:] == [done], "the first events")
            receiver.http.mood, asked = "hangs", len(receiver.http.requests)
            last = asyncio.run(_work_at(sqlite_url, seeded, 3))
            wait_until(lambda: len(receiver.http.requests) > asked, "a call that hangs")
            assert end(first.process, signal.SIGKILL) == -signal.SIGKILL
        receiver.http.mood = "accepts"
        with server.serving(env, tmp_path) as second:
            wait_until(lambda: receiver.numbers[-1:] == [last], "the last event")
            assert end(second.process) == 0
    begin = receiver.numbers[0]
    repeated = done + 1  # taken before the kill, and again afterwards
    assert receiver.numbers == [*range(begin, repeated + 1), *range(repeated, last + 1)]
    assert receiver.bodies[done - begin + 1] == receiver.bodies[done - begin + 2]


@pytest.mark.long
def test_workers_deliver_for_servers_with_redis(mysql_url: str, redis_url: str, tmp_path: Path) -> None:
    env = server.environment(mysql_url, redis_url, NOWSERVING_RECORDING_PATH=str(tmp_path / "sent.jsonl"))
    seeded = server.seed(env, points=1, tickets=0, displays=0)
    log = tmp_path / "worker.log"
    with receiving_in_thread() as receiver:
        asyncio.run(_set_up_at(mysql_url, seeded, receiver))
        with running([sys.executable, "-m", "server.cli", "worker", "--concurrency", "2"], log, env) as worker:
            last = asyncio.run(_work_at(mysql_url, seeded, 5))
            wait_until(lambda: receiver.numbers[-1:] == [last], "the last event")
            assert end(worker) == 0
    assert receiver.numbers == list(range(receiver.numbers[0], last + 1))
    assert receiver.url not in log.read_text()
