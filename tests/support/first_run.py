"""The begin of an installation: its printed address, and administrators whose organisation has no clinic yet."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from server.identity.hashing import Hashing
from server.identity.staff import StaffAccounts
from server.provisioning import create_site
from server.seeding import Seed
from server.store import sites
from server.store.database import Database
from tests.support.passwords import quick_passwords
from tests.support.server import Server, vault

PASSWORD = "river candle ninety moss"
ADDRESS = re.compile(r"http://\S+/welcome#code=[A-Z0-9]{4}-[A-Z0-9]{4}")


def printed_address(server: Server) -> str:
    """Return the address of the first run that a server has printed."""
    found = ADDRESS.search(server.log.read_text())
    assert found is not None, server.log.read_text()[-2000:]
    return found[0]


def newcomer(env: Mapping[str, str], *, with_site: bool) -> Seed:
    """Return the administrator of a new organisation, which has no site yet, or ``with_site`` one without queues."""

    async def begin() -> Seed:
        database = Database(env["NOWSERVING_DATABASE_URL"])
        mark = secrets.token_hex(4)
        try:
            async with database.write() as connection:
                organisation_id = await sites.organisation_or_new(connection, f"Newcomer {mark}")
            site_id = 0
            if with_site:
                site_id = (await create_site(database, vault(), f"Newcomer {mark}", f"Hill Practice {mark}")).id
            accounts = StaffAccounts(database, vault(), Hashing())
            with quick_passwords():
                await accounts.add(organisation_id, f"admin-{mark}", PASSWORD, "admin", actor="setup")
        finally:
            await database.close()
        staff: Seed = {
            "site_id": site_id or -organisation_id,
            "queue_ids": [],
            "point_ids": [],
            "displays": [],
            "tickets": [],
            "service_ids": [],
            "provider_ids": [],
            "staff": [{"username": f"admin-{mark}", "password": PASSWORD, "role": "admin"}],
        }
        return staff

    with ThreadPoolExecutor(1) as thread:  # the browser driver already runs an event loop in this one
        return thread.submit(lambda: asyncio.run(begin())).result()
