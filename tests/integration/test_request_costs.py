"""The database statements of a request: the look-up of its session and the statements of its command, nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import event
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from server.app import build_app
from server.domain.commands import IssueTicket, RevokeToken
from server.domain.errors import NotAllowed, NotSignedIn, TicketNotFound
from server.domain.views import DisplayView
from server.execute import Executor
from server.seeding import Seed, Seeder
from server.settings import Settings
from server.store.database import Database
from server.transport.context import Context
from tests.support.server import KEYS, vault


@asynccontextmanager
async def running(database: Database) -> AsyncIterator[tuple[Context, httpx.AsyncClient]]:
    """Run an application in this process on a database, with rate limits, without its periodic tasks."""
    url = SecretStr(database.url.render_as_string(hide_password=False))
    app: Starlette = build_app(Settings(database_url=url), KEYS)
    context: Context = app.state.context
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            yield context, client
    finally:
        await database_of(context).close()


def database_of(context: Context) -> Database:
    """Return the database of an application, which endpoints see as a `Reader`."""
    assert isinstance(context.database, Database)
    return context.database


@contextmanager
def counted_statements(context: Context) -> Iterator[list[str]]:
    """Collect the statements that are sent to the database."""
    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    engine = database_of(context).engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
async def seeded(database: Database) -> Seed:
    return await Seeder(database, Executor(database, vault(), publish=lambda *_: None)).seed(points=1, tickets=2, displays=1)


async def sign_in(client: httpx.AsyncClient, seeded: Seed, role: str) -> dict[str, str]:
    member = next(each for each in seeded["staff"] if each["role"] == role)
    body = {"username": member["username"], "password": member["password"]}
    answer = await client.post("/api/v1/session", json=body)
    client.cookies.clear()
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def test_request_adds_one_look_up_to_its_command(database: Database, seeded: Seed) -> None:
    body = {"queue_id": seeded["queue_ids"][0]}
    command = IssueTicket(queue_id=body["queue_id"])
    async with running(database) as (context, client):
        staff = await sign_in(client, seeded, "receptionist")
        admin = await sign_in(client, seeded, "admin")
        made = await client.post("/api/v1/api-keys", json={"name": "x"}, headers=admin)
        for number, headers in enumerate((staff, {"Authorization": f"Bearer {made.json()['key']}"})):
            for _ in range(2):  # fills the caches: the site's organisation, and the use of the key
                await client.post("/api/v1/commands/issue-ticket", json=body, headers=headers)
            with counted_statements(context) as own:
                await context.executor.execute(command, actor="staff:1", command_id=f"alone-{number}")
            with counted_statements(context) as all_statements:
                answer = await client.post("/api/v1/commands/issue-ticket", json=body, headers=headers)
            assert answer.status_code == 200, answer.text
            assert "x-ratelimit-remaining" in answer.headers
            look_up = all_statements[: len(all_statements) - len(own)]
            assert len([each for each in look_up if each.startswith("SELECT")]) == 1, look_up
            assert len(look_up) == (2 if database.embedded else 1), look_up  # SQLite's begin of the read, and the read


async def test_command_of_a_patient_costs_two_look_ups(database: Database, seeded: Seed) -> None:
    """The look-ups find the ticket of the token, and the entry."""
    body = {"entry_id": seeded["queue_ids"][0] + 40}
    headers = {"Authorization": f"Bearer {seeded['tickets'][0]['token']}"}
    async with running(database) as (context, client):
        with counted_statements(context) as statements:
            answer = await client.post("/api/v1/commands/leave", json=body, headers=headers)
    assert answer.status_code == 404
    assert len([each for each in statements if each.startswith("SELECT")]) == 2, statements


async def test_access_to_a_followed_site_costs_no_statement(database: Database, seeded: Seed) -> None:
    """The board confirms displays and tickets. Only the database may refuse one."""
    display, ticket = seeded["displays"][0], seeded["tickets"][0]["token"]

    def asking(token: str) -> HTTPConnection:
        return HTTPConnection({"type": "http", "headers": [(b"authorization", f"Bearer {token}".encode())]})

    async with running(database) as (context, _):
        gate, hub = context.gate, context.hub
        stream = await hub.enrol(seeded["site_id"], DisplayView(), None, address="", token="the first")
        with counted_statements(context) as statements:
            known = await gate.display(asking(display["token"]), display["id"], hub.board)
            visit = await gate.ticket(ticket, hub.board)
        assert statements == []
        assert known == await gate.display(asking(display["token"]), display["id"])
        assert visit == await gate.ticket(ticket)
        with counted_statements(context) as statements:
            with pytest.raises(TicketNotFound):
                await gate.ticket(ticket[:-1] + "x", hub.board)
            with pytest.raises(NotAllowed):
                await gate.display(asking(display["token"]), display["id"] + 1, hub.board)
        assert len([each for each in statements if each.startswith("SELECT")]) == 2, statements
        revoke = RevokeToken(device_id=display["id"])
        await context.executor.execute(revoke, actor="staff:1", command_id="revoked")
        with pytest.raises(NotSignedIn):
            await gate.display(asking(display["token"]), display["id"], hub.board)
        hub.leave(stream)
