"""Provisioning: the organisations and sites that an installation begins with.

Everything below a site is made by commands. Accounts of staff are made by `server.identity.staff`.
"""

from __future__ import annotations

from server.domain.model import Site, languages
from server.phones import region_of_zone
from server.store import proofs, sites, tables
from server.store.database import Database
from server.vault import Vault


async def create_site(
    database: Database, vault: Vault, organisation: str, name: str, *, time_zone: str = "UTC", language: str = "en"
) -> Site:
    """Create a site, and its organisation if none has that name.

    ``time_zone`` is an IANA name and names the site's region; ``language`` is a well-formed tag. Raises `Unavailable`.
    """
    now = await database.now()
    async with database.write() as connection:
        site = await sites.create(
            connection,
            organisation=organisation,
            name=name,
            time_zone=time_zone,
            language=languages.usual(language),
            now=now,
            region=region_of_zone(time_zone) or "",
        )
        await proofs.add(connection, vault, tables.sites, site.id)
        return site


async def organisation_named(database: Database, name: str) -> int:
    """Return the id of the organisation with this name. Raises `OrganisationNotFound`, `Unavailable`."""
    async with database.read() as connection:
        return await sites.organisation(connection, name)
