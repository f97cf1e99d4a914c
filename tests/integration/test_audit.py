"""The audit of a running server (sign-ins, refusals, reads), and the command that verifies its chains."""

from __future__ import annotations

import asyncio
import re
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.database import Database
from server.store.tables import audit, events
from tests.support.processes import end, running, wait_until
from tests.support.screens import sse, websocket
from tests.support.server import Server, command_line, environment, seed, serving, vault

pytestmark = pytest.mark.measured


def in_transaction(url: str, work: Callable[[AsyncConnection], Any]) -> Any:
    """Do work in one transaction of a database, in an event loop of its own."""

    async def do() -> Any:
        database = Database(url)
        try:
            async with database.write() as connection:
                return await work(connection)
        finally:
            await database.close()

    return asyncio.run(do())


def audit_rows(url: str) -> list[Any]:
    async def read(connection: AsyncConnection) -> Any:
        return (await connection.execute(select(audit).order_by(audit.c.chain_id, audit.c.n))).all()

    rows: list[Any] = in_transaction(url, read)
    return rows


def test_audit_records_sign_ins_refusals_and_reads(database_url: str, tmp_path: Path) -> None:
    env = environment(database_url)
    mine, foreign = seed(env, points=1, tickets=1), seed(env, points=1, tickets=1)
    names = [each["username"] for each in mine["staff"]]
    with serving(env, tmp_path) as server:
        _make_audited_requests(server, mine, foreign)
        patient = mine["tickets"][0]["token"]
        with server.client(patient) as phone:
            entry = {"entry_id": foreign["point_ids"][0] + 3}
            assert phone.post("/api/v1/commands/leave", json=entry).status_code == 404
            assert phone.post("/api/v1/commands/cancel", json=entry | {"reason": "no"}).status_code in (403, 422)
        wait_until(
            lambda: any(row.action == "leave" for row in audit_rows(database_url)), "the audit rows of the last second"
        )
        assert end(server.process) == 0, server.log.read_text()
    rows = audit_rows(database_url)
    known = {(row.action, row.actor.partition(":")[0], row.allowed, row.site_id) for row in rows}
    site, other = mine["site_id"], foreign["site_id"]
    assert known >= {
        ("process-began", "process", True, None),
        ("sign-in", "staff", True, None),
        ("sign-in", "nobody", False, None),
        ("read-board", "staff", True, site),
        ("follow-desk", "staff", True, site),
        ("read-board", "staff", False, other),
        ("follow-desk", "staff", False, other),
        ("call-next", "staff", False, other),
        ("add-queue", "staff", False, site),
        ("leave", "ticket", False, other),
        ("foreign-origin", "nobody", False, None),
        ("sign-out", "staff", True, None),
        ("process-ended", "process", True, None),
    }
    assert not any(row.action == "call-next" and row.allowed for row in rows), (
        "the site's log records each accepted command, the audit does not"
    )
    failed = [row for row in rows if row.action == "sign-in" and not row.allowed]
    assert sorted(row.subject.partition(":")[0] for row in failed) == ["", "staff"]
    requests = [row for row in rows if row.actor != "process"]
    assert {row.address for row in requests} == {vault().keyed_hash("address:127.0.0.1")}
    assert all(8 <= len(row.request_id) <= 64 for row in requests)
    assert any(row.request_id == "asked-for-by-me" for row in requests)
    everything = repr(rows)
    assert not any(word in everything for word in (*names, "wrong password", patient, "127.0.0.1", "nobody-of-that-name"))

    verified = command_line(env, "audit", "verify")
    assert verified.returncode == 0, verified.stdout
    assert "3 chains are whole, 0 are broken." in verified.stdout


def _make_audited_requests(server: Server, mine: Any, foreign: Any) -> None:
    with server.client() as guest:
        for username in (mine["staff"][0]["username"], "nobody-of-that-name"):
            body = {"username": username, "password": "wrong password"}
            assert guest.post("/api/v1/session", json=body).status_code == 401
    token = server.sign_in(mine, "receptionist")
    with server.client(token) as desk:
        assert desk.get(f"/api/v1/sites/{mine['site_id']}/board").status_code == 200
        board = f"/api/v1/sites/{foreign['site_id']}/board"
        assert desk.get(board, headers={"X-Request-ID": "asked-for-by-me"}).status_code == 404
        assert desk.post("/api/v1/commands/call-next", json={"point_id": foreign["point_ids"][0]}).status_code == 404
        assert desk.post("/api/v1/commands/call-next", json={"point_id": mine["point_ids"][0]}).status_code == 200
        queue = {"site_id": mine["site_id"], "name": "Own", "prefix": "X"}
        assert desk.post("/api/v1/commands/add-queue", json=queue).status_code == 403
        with sse(f"{server.url}/live/sites/{mine['site_id']}/desk", token) as screen:
            screen.wait(lambda each: each.cells)
        with websocket(f"{server.url}/live/sites/{foreign['site_id']}/desk", token) as screen:
            screen.wait(lambda each: each.ended)
        cookie = f"nowserving_access={token}"
        elsewhere = {"Authorization": "", "Origin": "https://elsewhere.example", "Cookie": cookie}
        assert desk.delete("/api/v1/session", headers=elsewhere).status_code == 403
        assert desk.delete("/api/v1/session").status_code == 204


def test_audit_records_a_locked_sign_in(sqlite_url: str, tmp_path: Path) -> None:
    """After five wrong passwords the server does not check even the right one. The audit records all six as refused."""
    env = environment(sqlite_url)
    member = seed(env, points=1, tickets=0)["staff"][0]
    with serving(env, tmp_path) as server, server.client() as guesser:

        def signs_in(password: str) -> int:
            body = {"username": member["username"], "password": password}
            return guesser.post("/api/v1/session", json=body).status_code

        assert [signs_in("a wrong password") for _ in range(5)] == [401] * 5
        assert signs_in(member["password"]) == 429
        wait_until(lambda: any(row.action == "sign-in-locked" for row in audit_rows(sqlite_url)), "the audit rows")
        tried = [row for row in audit_rows(sqlite_url) if row.actor != "process"]
    assert [row.action for row in tried] == ["sign-in"] * 5 + ["sign-in-locked"]
    assert {(row.actor, row.allowed) for row in tried} == {("nobody", False)}
    assert len({(row.subject, row.organisation_id) for row in tried}) == 1
    assert tried[0].subject.startswith("staff:")


def test_audit_records_password_changes(sqlite_url: str, tmp_path: Path) -> None:
    env = environment(sqlite_url)
    made = seed(env, points=1, tickets=0)
    member = next(each for each in made["staff"] if each["role"] == "receptionist")
    with serving(env, tmp_path) as server, server.client(server.sign_in(made, "receptionist")) as own:
        for old, status in (("not the old one", 403), (member["password"], 204)):
            body = {"old_password": old, "new_password": "entirely another one"}
            assert own.post("/api/v1/session/password", json=body).status_code == status
        wait_until(lambda: sum(row.action == "change-password" for row in audit_rows(sqlite_url)) == 2, "the audit rows")
        changed = [row for row in audit_rows(sqlite_url) if row.action == "change-password"]
    assert [row.allowed for row in changed] == [False, True]
    assert {(row.actor.partition(":")[0], row.organisation_id is None) for row in changed} == {("staff", False)}


def test_audit_distinguishes_the_changes_of_an_administrator(sqlite_url: str, tmp_path: Path) -> None:
    """A new administrator, a new role, a password, a key, and a look at the list are different actions, with a subject."""
    env = environment(sqlite_url, NOWSERVING_NEW_PASSWORD="a rare passphrase of mine")
    made = seed(env, points=1, tickets=0)
    organisation = f"Seeded {made['staff'][0]['username'].rpartition('-')[2]}"
    assert command_line(env, "user", "eva", "--role", "admin", "--organisation", organisation).returncode == 0
    with serving(env, tmp_path) as server, server.client(server.sign_in(made, "admin")) as admin:
        own = admin.get("/api/v1/session").json()["user"]["id"]
        eva = next(each["id"] for each in admin.get("/api/v1/staff").json()["data"] if each["username"] == "eva")
        new = {"username": "beatrix", "password": "a rare passphrase of hers", "role": "clinician"}
        bea = admin.post("/api/v1/staff", json=new).json()["id"]
        assert admin.post("/api/v1/staff", json=new).status_code == 409
        with server.client() as other:
            assert other.post("/api/v1/session", json={key: new[key] for key in ("username", "password")}).is_success
        admin.patch(f"/api/v1/staff/{bea}", json={"role": "admin"}).raise_for_status()
        admin.patch(f"/api/v1/staff/{bea}", json={"active": False}).raise_for_status()
        admin.patch(f"/api/v1/staff/{bea}", json={"password": "quite another passphrase"}).raise_for_status()
        assert admin.patch("/api/v1/staff/999", json={"role": "admin"}).status_code == 404
        key = admin.post("/api/v1/api-keys", json={"name": "Lab", "site_id": made["site_id"]}).json()
        admin.delete(f"/api/v1/api-keys/{key['id']}").raise_for_status()
        assert admin.delete(f"/api/v1/api-keys/{key['id']}").status_code == 404
        admin.get("/api/v1/api-keys").raise_for_status()
        with server.client(server.sign_in(made, "clinician")) as clinician:
            theirs = clinician.get("/api/v1/session").json()["user"]["id"]
            assert clinician.post("/api/v1/staff", json=new).status_code == 403
            session_id = admin.get("/api/v1/sessions", params={"staff_id": theirs}).json()["data"][0]["id"]
            admin.delete(f"/api/v1/sessions/{session_id}").raise_for_status()
            assert admin.delete(f"/api/v1/sessions/{'0' * 32}").status_code == 404
        wait_until(
            lambda: any(row.action == "end-session" and not row.allowed for row in audit_rows(sqlite_url)), "the audit rows"
        )
        told = admin.get("/api/v1/audit").json()["data"]
    by = f"staff:{own}"
    found = {(row["action"], row["actor"], row["subject"], row["allowed"], row["detail"]) for row in told}
    assert found >= {
        ("add-staff", "operator", f"staff:{eva}", True, "role: admin"),
        ("list-staff", by, "", True, None),
        ("add-staff", by, f"staff:{bea}", True, "role: clinician"),
        ("add-staff", by, "", False, "role: clinician"),
        ("change-role", by, f"staff:{bea}", True, "role: clinician -> admin"),
        ("end-sessions", by, f"staff:{bea}", True, "sessions: 1"),
        ("change-active", by, f"staff:{bea}", True, "active: True -> False"),
        ("set-password", by, f"staff:{bea}", True, None),
        ("change-staff", by, "staff:999", False, "role: admin"),
        ("add-api-key", by, f"api-key:{key['id']}", True, f"site: {made['site_id']}"),
        ("revoke-api-key", by, f"api-key:{key['id']}", True, None),
        ("revoke-api-key", by, f"api-key:{key['id']}", False, None),
        ("list-api-keys", by, "", True, None),
        ("add-staff", f"staff:{theirs}", "", False, None),
        ("list-sessions", by, f"staff:{theirs}", True, None),
        ("end-session", by, f"staff:{theirs}", True, None),
        ("end-session", by, "", False, None),
    }
    everything = repr(audit_rows(sqlite_url))
    assert not any(secret in everything for secret in (new["password"], "quite another", key["key"], "beatrix"))
    assert command_line(env, "audit", "verify").returncode == 0


def test_audit_verify_demands_the_heads_of_its_file(sqlite_url: str, tmp_path: Path) -> None:
    """An older state of the database is whole in itself. The file outside has the later heads."""
    env = environment(sqlite_url)
    seed(env, points=1, tickets=1)
    kept, database = tmp_path / "heads.json", tmp_path / "nowserving.db"
    with closing(sqlite3.connect(database)) as connection, closing(sqlite3.connect(tmp_path / "older.db")) as older:
        connection.backup(older)
    seed(env, points=1, tickets=1)
    assert command_line(env, "audit", "verify", "--kept", str(kept)).returncode == 0
    assert command_line(env, "audit", "verify", "--kept", str(kept)).returncode == 0
    for extra in ("-wal", "-shm"):
        database.with_name(database.name + extra).unlink(missing_ok=True)
    (tmp_path / "older.db").replace(database)
    assert command_line(env, "audit", "verify").returncode == 0
    broken = command_line(env, "audit", "verify", "--kept", str(kept))
    assert broken.returncode == 1
    assert "site:2: BROKEN after 0 links: it is missing: its head is known" in broken.stdout
    kept.write_text("[1]")
    assert command_line(env, "audit", "verify", "--kept", str(kept)).returncode == 2


def test_audit_verify_names_the_broken_chain(database_url: str) -> None:
    env = environment(database_url)
    one, other = seed(env, points=2, tickets=3), seed(env, points=1, tickets=1)
    assert command_line(env, "audit", "verify").returncode == 0

    async def tamper(connection: AsyncConnection) -> None:
        await connection.execute(
            update(events).where(events.c.site_id == one["site_id"], events.c.seq == 5).values(actor="staff:9")
        )

    in_transaction(database_url, tamper)
    broken = command_line(env, "audit", "verify")
    assert broken.returncode == 1
    assert f"site {one['site_id']}: BROKEN after 4 links: event 5 is not what was written" in broken.stdout
    assert f"site {other['site_id']}: " in broken.stdout
    assert "1 chains are whole, 1 are broken." in broken.stdout
    assert command_line(env, "audit", "verify", "--site", str(one["site_id"])).returncode == 1
    assert command_line(env, "audit", "verify", "--site", str(other["site_id"])).returncode == 0


def test_audit_verify_checks_one_site_against_a_kept_head(sqlite_url: str) -> None:
    env = environment(sqlite_url)
    site_id = str(seed(env, points=1, tickets=1)["site_id"])
    whole = command_line(env, "audit", "verify", "--site", site_id)
    assert whole.returncode == 0
    kept = re.search(r"the head is (\S+)", whole.stdout)
    assert kept is not None
    for through, status in ((kept[1], 0), (f"2:{'0' * 64}", 1), ("2:abc", 2)):
        told = command_line(env, "audit", "verify", "--site", site_id, "--through", through)
        assert told.returncode == status, told.stdout
    assert command_line(env, "audit", "verify", "--through", kept[1]).returncode == 2
    unknown = command_line(env, "audit", "verify", "--site", "99")
    assert (unknown.returncode, "there is no such site" in unknown.stdout) == (1, True)


def test_audit_verify_passes_while_commands_run(database_url: str, tmp_path: Path) -> None:
    """The verification of a growing log does not report a new event as a breach."""
    env = environment(database_url)
    seeded = seed(env, points=2, tickets=60)
    with serving(env, tmp_path) as server, server.client(server.sign_in(seeded, "receptionist")) as desk:
        log = tmp_path / "verify.log"
        command = [sys.executable, "-m", "server.cli", "audit", "verify"]
        done = 0
        with running(command, log, dict(env)) as process:
            while process.poll() is None:
                point = seeded["point_ids"][done % 2]
                entry = desk.post("/api/v1/commands/call-next", json={"point_id": point}).json().get("entry")
                for step in ("start", "complete") if entry else ():
                    desk.post(f"/api/v1/commands/{step}", json={"entry_id": entry["id"]}).raise_for_status()
                    done += 1
        assert process.returncode == 0, log.read_text()
    assert done > 0


@pytest.mark.parametrize("number", [1, 2])
def test_killed_server_leaves_a_whole_chain(sqlite_url: str, tmp_path: Path, number: int) -> None:
    """The rows written before the kill verify. The command names the number of a row that is deleted later."""
    env = environment(sqlite_url)
    seeded = seed(env, points=1, tickets=1)
    with serving(env, tmp_path) as server:
        server.sign_in(seeded, "admin")
        wait_until(lambda: len(audit_rows(sqlite_url)) == 2, "the audit rows")
        end(server.process, signal.SIGKILL)
    assert command_line(env, "audit", "verify").returncode == 0

    async def take_out(connection: AsyncConnection) -> None:
        await connection.execute(delete(audit).where(audit.c.n == number))

    in_transaction(sqlite_url, take_out)
    broken = command_line(env, "audit", "verify")
    assert broken.returncode == 1
    assert f"row {number} is missing" in broken.stdout


def test_refusal_for_an_impossible_site_id_is_recorded_without_site(sqlite_url: str, tmp_path: Path) -> None:
    """A path can contain an id that no site can have: the audit records the refusal, and its list can still be read."""
    env = environment(sqlite_url)
    seeded = seed(env, points=1, tickets=0)
    with serving(env, tmp_path) as server, server.client(server.sign_in(seeded, "admin")) as admin:
        for path in ("/api/v1/entries/1", "/api/v1/sites/9999999999999999/board", "/api/v1/sites/77/board"):
            assert admin.get(path).status_code == 404
        wait_until(lambda: len([row for row in audit_rows(sqlite_url) if not row.allowed]) == 3, "the audit rows")
        told = admin.get("/api/v1/audit").json()["data"]
    refused = {(row["subject"], row["site_id"]) for row in told if not row["allowed"]}
    assert refused == {("entry:1", None), ("", None), ("", 77)}
