"""The hash chains on each database engine: whole without tampering, broken after any change behind the server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from server.audit import BATCH, Audit
from server.domain.commands import CallNext, ChangeSite, IssueTicket, Start
from server.identity.hashing import Hashing
from server.identity.staff import StaffAccounts
from server.queries import verification
from server.queries.verification import Verified, verify, verify_rows
from server.seeding import Seed, Seeder
from server.store import audit as rows
from server.store import proofs
from server.store.audit import Chain
from server.store.chain import START, follow
from server.store.database import Database
from server.store.retention import forget
from server.store.sealed import SEALED, reseal
from server.store.tables import audit, audit_chains, census, events, sites, staff, visits
from server.vault import Vault
from tests.support.vaults import VAULT

PERSON: dict[str, Any] = {"name": "Zoë Ångström", "phone": "+49 30 901820", "name_on_display": True}


async def verified_chains(database: Database, site_id: int | None = None) -> list[Verified]:
    return [each async for each in verify(database, VAULT, site_id)]


async def seed_with_events(setup: Seeder) -> Seed:
    """Seed a site with one called patient, so that its log has events."""
    seed = await setup.seed(points=1, tickets=2, displays=1)
    await setup.do(ChangeSite(site_id=seed["site_id"], names_on_display=True))
    await setup.do(IssueTicket(queue_id=seed["queue_ids"][0], **PERSON))
    called = (await setup.do(CallNext(point_id=seed["point_ids"][0])))["entry"]["id"]
    await setup.do(Start(entry_id=called))
    return seed


def test_link_is_the_documented_hash() -> None:
    """The test computes the hash as the decision record describes, without code of the server."""
    import hashlib
    import json

    recorded = ('Zoë \u2028 \\ " \n \x1f \U0001f600', 7, None, True, 2**53, "", '{"a":[1]}')
    text = json.dumps([START, *recorded], separators=(",", ":"), ensure_ascii=False)
    assert follow(START, *recorded) == hashlib.sha256(text.encode()).hexdigest()
    assert follow(START, "ab", "c") != follow(START, "a", "bc")


async def test_log_is_a_whole_chain(setup: Seeder, database: Database) -> None:
    one, other = await seed_with_events(setup), await seed_with_events(setup)
    verified = await verified_chains(database)
    assert [each.chain for each in verified] == [f"site {each['site_id']}" for each in (one, other)]
    assert [each.broken for each in verified] == [None, None]
    async with database.read() as connection:
        heads = {row.id: row.chain for row in await connection.execute(select(sites.c.id, sites.c.chain))}
        last = await connection.scalar(select(events.c.hash).order_by(events.c.site_id.desc(), events.c.seq.desc()).limit(1))
        count = await connection.scalar(select(func.count()).select_from(events))
    assert [each.head for each in verified] == [heads[one["site_id"]], heads[other["site_id"]]]
    assert heads[other["site_id"]] == last
    assert sum(each.links for each in verified) == count


async def test_chain_of_a_site_without_events_is_whole(setup: Seeder, database: Database) -> None:
    site = await setup.site("Org", "New")
    assert await verified_chains(database) == [Verified(f"site {site.id}", 0, START)]
    assert (await verified_chains(database, site.id + 1))[0].broken == "there is no such site"


async def test_verification_reads_a_log_in_batches(
    setup: Seeder, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = await seed_with_events(setup)
    monkeypatch.setattr(verification, "BATCH", 3)
    assert [each.broken for each in await verified_chains(database)] == [None]
    async with database.write() as connection:
        await connection.execute(update(events).where(events.c.seq == 8).values(actor="staff:666"))
    (broken,) = await verified_chains(database, seed["site_id"])
    assert (broken.links, broken.broken) == (
        7,
        "event 8 is not what was written there, or does not follow the one before it",
    )


CHANGES: dict[str, dict[str, Any]] = {
    "body": {"body": '{"queue_id":1}'},
    "actor": {"actor": "staff:666"},
    "type": {"type": "queue-added"},
    "at": {"at": 1},
    "command": {"command_id": "another"},
    "hash": {"hash": "f" * 64},
}


@pytest.mark.parametrize("what", CHANGES)
async def test_changed_event_breaks_the_chain(setup: Seeder, database: Database, what: str) -> None:
    seed = await seed_with_events(setup)
    other = await seed_with_events(setup)
    async with database.write() as connection:
        mine = (events.c.site_id == seed["site_id"], events.c.seq == 4)
        await connection.execute(update(events).where(*mine).values(CHANGES[what]))
    broken, whole = await verified_chains(database)
    assert whole == Verified(f"site {other['site_id']}", whole.links, whole.head)
    assert (broken.chain, broken.links) == (f"site {seed['site_id']}", 3)
    assert broken.broken is not None
    assert broken.broken.startswith("event 4 is not what was written there")


async def test_event_changed_with_its_hash_has_no_proof(setup: Seeder, database: Database) -> None:
    seed = await seed_with_events(setup)
    async with database.write() as connection:
        row = (await connection.execute(select(events).where(events.c.seq == 4))).one()
        before = await connection.scalar(select(events.c.hash).where(events.c.seq == 3))
        assert before is not None
        forged = follow(before, seed["site_id"], 4, row.at, row.type, "staff:666", row.command_id, row.body)
        await connection.execute(update(events).where(events.c.seq == 4).values(actor="staff:666", hash=forged))
    (broken,) = await verified_chains(database)
    assert (broken.links, (broken.broken or "")[:7]) == (3, "event 4"), "its proof is missing"


async def test_deleted_event_breaks_the_chain(setup: Seeder, database: Database) -> None:
    seed = await seed_with_events(setup)
    async with database.write() as connection:
        await connection.execute(delete(events).where(events.c.seq == 5))
    (broken,) = await verified_chains(database, seed["site_id"])
    assert (broken.links, broken.broken) == (4, "event 5 is missing")


async def test_deleted_last_event_breaks_the_chain(setup: Seeder, database: Database) -> None:
    (whole,) = await _seed_and_verify(setup, database)
    async with database.write() as connection:
        await connection.execute(delete(events).where(events.c.seq == whole.links))
    (broken,) = await verified_chains(database)
    assert (broken.links, broken.broken) == (whole.links - 1, f"event {whole.links} is missing")
    async with database.write() as connection:  # and set the number in the site's row back to match
        await connection.execute(update(sites).values(seq=whole.links - 1))
    (broken,) = await verified_chains(database)
    assert broken.broken == f"event {whole.links - 1} is not the head that was recorded"


async def test_appended_event_breaks_the_chain(setup: Seeder, database: Database) -> None:
    (whole,) = await _seed_and_verify(setup, database)
    async with database.write() as connection:
        row = (await connection.execute(select(events).where(events.c.seq == whole.links))).one()._mapping
        values = {**row, "seq": whole.links + 1}
        link = [values[name] for name in ("site_id", "seq", "at", "type", "actor", "command_id", "body")]
        await connection.execute(events.insert().values({**values, "hash": follow(whole.head, *link)}))
    (broken,) = await verified_chains(database)
    assert broken.broken == f"event {whole.links + 1} is beyond the head, {whole.links}"


async def test_swapped_events_break_the_chain(setup: Seeder, database: Database) -> None:
    await seed_with_events(setup)
    async with database.write() as connection:
        for old, new in ((4, 999), (5, 4), (999, 5)):
            await connection.execute(update(events).where(events.c.seq == old).values(seq=new))
    (broken,) = await verified_chains(database)
    assert (broken.links, (broken.broken or "")[:7]) == (3, "event 4")


async def test_rewritten_chain_does_not_match_a_kept_head(setup: Seeder, database: Database) -> None:
    """A chain rewritten from one link to its head is whole in itself, and does not match a head kept elsewhere."""
    seed = await seed_with_events(setup)
    (kept,) = await verified_chains(database)
    async with database.write() as connection:
        head = START
        for row in (await connection.execute(select(events).order_by(events.c.seq))).all():
            actor = "staff:666" if row.seq == 4 else row.actor
            link = (seed["site_id"], row.seq, row.at, row.type, actor, row.command_id, row.body)
            head = follow(head, *link)
            await connection.execute(update(events).where(events.c.seq == row.seq).values(actor=actor, hash=head))
        await connection.execute(update(sites).values(chain=head))
    forged = "the head was not written by this installation: the chain was cut or rewritten"
    assert [each.broken for each in await verified_chains(database)] == [
        "event 4 has another ciphertext, display name or entry than was written there"
    ]
    async with database.write() as connection:  # as if the attacker had the secret key
        await connection.execute(update(events).values(proof=None))
    await proofs.prove_all(database, VAULT)
    assert [each.broken for each in await verified_chains(database)] == [forged]
    async with database.write() as connection:
        await proofs.prove(connection, VAULT, sites, seed["site_id"])
    for through, problem in (
        ((kept.links, kept.head), f"event {kept.links} is not what it was: the chain was rewritten"),
        ((kept.links + 1, kept.head), f"event {kept.links + 1} is missing: the chain was longer once"),
        ((kept.links, head), None),
    ):
        assert [each.broken async for each in verify(database, VAULT, seed["site_id"], through)] == [problem]


async def test_deleted_site_row_is_reported(setup: Seeder, database: Database) -> None:
    seed = await seed_with_events(setup)
    async with database.write() as connection:
        await connection.execute(delete(sites))
    assert await verified_chains(database) == [Verified(f"site {seed['site_id']}", 0, START, "there is no such site")]


async def test_erasing_personal_data_keeps_the_chain_whole(setup: Seeder, database: Database) -> None:
    """Links cover neither sealed data nor display names. The chain stays whole after their deletion."""
    await seed_with_events(setup)
    async with database.read() as connection:
        bodies = list(await connection.scalars(select(events.c.body)))
        shown = list(await connection.scalars(select(events.c.display_name).where(events.c.display_name.is_not(None))))
        assert shown == list(
            await connection.scalars(select(visits.c.display_name).where(visits.c.display_name.is_not(None)))
        )
    assert len(shown) == 1
    assert not any(word in body for body in bodies for word in ("Zo", "ngstr", "901820"))
    async with database.write() as connection:
        await connection.execute(update(events).values(at=events.c.at - 40 * 86_400_000_000))
    cleared = await forget(database, VAULT, 30)
    assert cleared.events == 3
    async with database.write() as connection:
        await connection.execute(update(events).values(at=events.c.at + 40 * 86_400_000_000))
    assert [each.broken for each in await verified_chains(database)] == [None]


async def _seed_and_verify(setup: Seeder, database: Database) -> list[Verified]:
    await seed_with_events(setup)
    whole = await verified_chains(database)
    assert [each.broken for each in whole] == [None]
    return whole


OUTSIDE: dict[str, dict[str, Any]] = {
    "ciphertext": {"sealed": "01234567.AAAA"},
    "ciphertext removed": {"sealed": None},
    "display name": {"display_name": "Mallory M."},
    "display name removed": {"display_name": None},
    "entry": {"entry_id": 7},
    "entry removed": {"entry_id": None},
    "proof": {"proof": "f" * 64},
    "proof removed": {"proof": None},
}


@pytest.mark.parametrize("what", OUTSIDE)
async def test_change_outside_the_chain_is_noticed(setup: Seeder, database: Database, what: str) -> None:
    """Retention and rotation change these values with a new proof. An attacker without the key has none."""
    await seed_with_events(setup)
    async with database.write() as connection:
        named = (await connection.scalars(select(events.c.seq).where(events.c.display_name.is_not(None)))).one()
        await connection.execute(update(events).where(events.c.seq == named).values(OUTSIDE[what]))
    (broken,) = await verified_chains(database)
    assert broken.links == named - 1
    assert (broken.broken or "").startswith(f"event {named} has ")


async def test_ciphertext_of_another_event_is_noticed(setup: Seeder, database: Database) -> None:
    """Not even a ciphertext and its proof may move."""
    await seed_with_events(setup)
    async with database.write() as connection:
        rows = (await connection.execute(select(events).where(events.c.sealed.is_not(None)).order_by(events.c.seq))).all()
        moved = {"sealed": rows[1].sealed, "proof": rows[1].proof}
        await connection.execute(update(events).where(events.c.seq == rows[0].seq).values(moved))
    assert [each.links for each in await verified_chains(database)] == [rows[0].seq - 1]


async def test_change_stays_visible_after_rotation_retention_and_commands(setup: Seeder, database: Database) -> None:
    """No later work of the server gives a changed row a right proof."""
    seed = await seed_with_events(setup)
    async with database.write() as connection:
        await connection.execute(update(events).where(events.c.seq == 3).values(entry_id=7))
        await connection.execute(update(sites).values(organisation_id=77))
    setup.executor._boards.clear()
    await setup.do(IssueTicket(queue_id=seed["queue_ids"][0]))
    for each in SEALED:
        await reseal(database, Vault([b"n" * 32, b"k" * 32], "the tests' secret key"), each)
    (broken,) = await verified_chains(database)
    assert broken.links == 2
    async with database.write() as connection:
        row = (await connection.execute(select(sites))).one()
    assert row.proof != proofs.proof(VAULT, sites, row._mapping)


async def problems(database: Database) -> list[str]:
    """Return the problems of all proven rows."""
    return [f"{each.table}: {one}" async for each in verify_rows(database, VAULT) for one in each.problems]


async def test_removed_site_is_missed(setup: Seeder, database: Database) -> None:
    for _ in range(2):
        seed = await seed_with_events(setup)
    assert await problems(database) == []
    async with database.write() as connection:
        await connection.execute(delete(sites).where(sites.c.id == seed["site_id"]))
        await connection.execute(delete(events).where(events.c.site_id == seed["site_id"]))
    assert [each.broken for each in await verified_chains(database)] == [None]
    assert await problems(database) == ["the counts: sites: 1 rows are there, 2 were added"]
    async with database.write() as connection:  # also with the number set back to match
        await connection.execute(update(census).where(census.c.name == "sites").values(added=1))
    assert await problems(database) == ["census: row sites is not what this installation wrote"]


STAFF_CHANGES: dict[str, dict[str, Any]] = {
    "role": {"role": "admin"},
    "password": {"password_hash": "$argon2id$another"},
    "active": {"active": False},
    "name": {"username": "mallory"},
    "organisation": {"organisation_id": 77},
    "proof": {"proof": None},
}


@pytest.mark.parametrize("what", STAFF_CHANGES)
async def test_changed_account_is_noticed(setup: Seeder, database: Database, what: str) -> None:
    await setup.seed(points=1, tickets=0, displays=0)
    accounts = StaffAccounts(database, VAULT, Hashing())
    async with database.write() as connection:
        member = (await connection.execute(select(staff).where(staff.c.role == "clinician"))).one()
        await connection.execute(update(staff).where(staff.c.id == member.id).values(STAFF_CHANGES[what]))
    (problem,) = await problems(database)
    assert problem.startswith(f"staff: row {member.id} ")
    if what != "organisation":
        await accounts.change(member.organisation_id, member.id, actor="operator", role="manager")
    assert await problems(database) == [problem], "a later change by the server does not hide it"


async def test_changes_by_the_server_keep_accounts_right(setup: Seeder, database: Database) -> None:
    seed = await setup.seed(points=1, tickets=0, displays=0)
    site = (await verified_chains(database))[0]
    async with database.read() as connection:
        member = (await connection.execute(select(staff).where(staff.c.role == "clinician"))).one()
    accounts = StaffAccounts(database, VAULT, Hashing())
    for change in ({"role": "manager"}, {"active": False}, {"password": "quite another passphrase"}):
        await accounts.change(member.organisation_id, member.id, actor="operator", **change)
    assert await problems(database) == []
    assert site.broken is None
    async with database.write() as connection:
        await connection.execute(delete(staff).where(staff.c.id == member.id))
    assert await problems(database) == [f"the counts: staff: {len(seed['staff']) - 1} rows are there, 4 were added"]


# The audit: one chain for each process


@pytest.fixture
def process(database: Database, vault: Vault) -> Audit:
    return Audit(database, vault, "clinic:1")


async def test_process_writes_its_audit_as_one_chain(process: Audit, database: Database) -> None:
    process.start()
    for number in range(BATCH + 5):
        process.note("read-board", f"staff:{number}", site_id=7, organisation_id=3)
    process.note("read-board", "staff:1", site_id=8, organisation_id=3, allowed=False)
    await process.stop()
    assert (process.waiting, process.lost) == (0, 0)
    async with database.read() as connection:
        noted = (await connection.execute(select(audit).order_by(audit.c.n))).all()
    assert [row.n for row in noted] == list(range(1, BATCH + 9))
    assert (noted[0].action, noted[0].subject, noted[0].actor) == ("process-began", "clinic:1", "process")
    assert noted[-1].action == "process-ended"
    assert [(row.actor, row.allowed, row.site_id) for row in noted[-3:-1]] == [("staff:104", True, 7), ("staff:1", False, 8)]
    assert await verified_chains(database) == [Verified("process chain 1 (clinic:1)", BATCH + 8, noted[-1].hash)]


async def test_each_process_begins_its_own_chain(process: Audit, database: Database, vault: Vault) -> None:
    other = Audit(database, vault, "clinic:2")
    for each in (process, other):
        each.start()
    await asyncio.gather(process.stop(), other.stop())
    verified = await verified_chains(database)
    assert {each.chain.partition(" (")[0] for each in verified} == {"process chain 1", "process chain 2"}
    assert {each.chain.partition(" (")[2] for each in verified} == {"clinic:1)", "clinic:2)"}
    assert all(each.broken is None and each.links == 2 for each in verified)


TAMPERED: dict[str, tuple[Any, int, str]] = {
    "changed": (update(audit).where(audit.c.n == 3).values(allowed=False), 2, "row 3 is not what was written there"),
    "moved": (update(audit).where(audit.c.n == 3).values(site_id=None), 2, "row 3 is not what was written there"),
    "taken out": (delete(audit).where(audit.c.n == 3), 2, "row 3 is missing"),
    "cut off": (delete(audit).where(audit.c.n == 5), 4, "row 5 is missing"),
    "turned back": (update(audit_chains).values(n=4), 4, "row 4 is not the head that was recorded"),
    "headless": (delete(audit_chains), 0, "it has rows and no head"),
}


@pytest.mark.parametrize("how", TAMPERED)
async def test_tampered_process_chain_is_broken(process: Audit, database: Database, how: str) -> None:
    process.start()
    for number in range(3):
        process.note("read-board", f"staff:{number}", site_id=7)
    await process.stop()
    statement, links, problem = TAMPERED[how]
    async with database.write() as connection:
        await connection.execute(statement)
    (broken,) = await verified_chains(database)
    assert broken.links == links
    assert (broken.broken or "").startswith(problem)


async def test_deleted_process_chain_is_missing(database: Database, vault: Vault) -> None:
    for number in range(3):
        process = Audit(database, vault, f"clinic:{number}")
        process.start()
        await process.stop()
    async with database.write() as connection:
        await connection.execute(delete(audit).where(audit.c.chain_id == 2))
        await connection.execute(delete(audit_chains).where(audit_chains.c.id == 2))
    assert [each.broken for each in await verified_chains(database)] == [None, "it is missing", None]


async def test_full_audit_queue_does_not_block_and_records_the_loss(database: Database, vault: Vault) -> None:
    process = Audit(database, vault, "clinic:1", capacity=10)
    process.start()
    for _ in range(15):
        process.note("read-board", "staff:1")
    assert (process.waiting, process.lost) == (10, 6)
    await process.stop()  # the queue has no room for the final row either
    async with database.read() as connection:
        noted = (await connection.execute(select(audit.c.action, audit.c.subject).order_by(audit.c.n))).all()
    assert [tuple(row) for row in noted[-2:]] == [("read-board", ""), ("rows-lost", "rows:7")]
    assert [each.broken for each in await verified_chains(database)] == [None]


async def test_commit_with_a_lost_answer_is_not_written_twice(process: Audit, database: Database) -> None:
    process.start()
    process.note("read-board", "staff:1")
    await _wait_until_written(process)
    chain = process._chain
    assert chain == Chain(1, 2, chain.hash if chain else "")
    process.note("read-board", "staff:2")
    process._batch = [process._queue.pop()]
    async with database.write() as connection:  # committed, but the process does not learn of it
        await rows.append(connection, VAULT, chain, process._batch)
    await process.stop()
    async with database.read() as connection:
        actors = list(await connection.scalars(select(audit.c.actor).order_by(audit.c.n)))
    assert actors == ["process", "staff:1", "staff:2", "process"]
    assert [each.broken for each in await verified_chains(database)] == [None]


async def test_process_leaves_a_chain_that_another_process_wrote(process: Audit, database: Database) -> None:
    process.start()
    await _wait_until_written(process)
    async with database.write() as connection:
        await connection.execute(update(audit_chains).values(n=7))
    process.note("read-board", "staff:1")
    await process.stop()
    broken, whole = await verified_chains(database)
    assert broken.broken == "row 2 is missing"
    assert (whole.broken, whole.links) == (None, 3), "with a row about the change"


async def _wait_until_written(process: Audit) -> None:
    for _ in range(3_000):
        if not process.waiting:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the rows were not written")


async def test_rows_cut_from_the_end_with_their_head_are_noticed(process: Audit, database: Database) -> None:
    """The attacker sets the head back to an earlier row, and cannot make its proof."""
    process.start()
    for number in range(3):
        process.note("read-board", f"staff:{number}", site_id=7)
    await process.stop()
    async with database.write() as connection:
        kept = (await connection.execute(select(audit).where(audit.c.n == 3))).one()
        await connection.execute(delete(audit).where(audit.c.n > 3))
        await connection.execute(update(audit_chains).values(n=3, hash=kept.hash))
    (broken,) = await verified_chains(database)
    assert (broken.links, broken.broken) == (
        3,
        "the head was not written by this installation: the chain was cut or rewritten",
    )


async def test_removed_last_chain_is_missed(database: Database) -> None:
    for number in range(2):
        process = Audit(database, VAULT, f"clinic:{number}")
        process.start()
        await process.stop()
    assert await problems(database) == []
    async with database.write() as connection:
        await connection.execute(delete(audit).where(audit.c.chain_id == 2))
        await connection.execute(delete(audit_chains).where(audit_chains.c.id == 2))
    assert [each.broken for each in await verified_chains(database)] == [None]
    assert await problems(database) == ["the counts: audit_chains: 1 rows are there, 2 were added"]


async def test_process_notices_that_its_chain_was_cut(process: Audit, database: Database) -> None:
    """Even with an earlier head and its right proof: the process has the later head in memory."""
    process.start()
    await process._write()
    async with database.read() as connection:
        earlier = (await connection.execute(select(audit_chains))).one()
    process.note("read-board", "staff:666")
    await process._write()
    async with database.write() as connection:
        await connection.execute(delete(audit).where(audit.c.n > earlier.n))
        await connection.execute(update(audit_chains).values(n=earlier.n, hash=earlier.hash, proof=earlier.proof))
    assert [each.broken for each in await verified_chains(database)] == [None], "an older state as it was"
    process.note("read-board", "staff:1")
    await process.stop()
    cut, later = await verified_chains(database)
    assert cut.broken == f"row {earlier.n + 1} is missing: the chain was longer once"
    assert later.broken is None
