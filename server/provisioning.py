"""Provisioning: the organisations and sites of an installation.

Everything below a site is made by commands. Accounts of staff are made by `server.identity.staff`.
"""

from __future__ import annotations

from dataclasses import dataclass

from server.audit import Audit
from server.domain.errors import InvalidField, NameTaken, NowServingError
from server.domain.model import Site, hours, languages
from server.phones import region_of_zone
from server.store import sites, staff
from server.store.database import Conflict, Database
from server.vault import Vault


async def create_site(
    database: Database, vault: Vault, organisation: str, name: str, *, time_zone: str = "UTC", language: str = "en"
) -> Site:
    """Create a site, and its organisation if none has that name.

    ``time_zone`` is an IANA name and names the site's region; ``language`` is a well-formed tag. Raises `Unavailable`.
    """
    now = await database.now()
    async with database.write() as connection:
        return await sites.create(
            connection,
            vault,
            organisation_id=await sites.organisation_or_new(connection, organisation),
            name=name,
            time_zone=time_zone,
            language=languages.usual(language),
            now=now,
            region=region_of_zone(time_zone) or "",
        )


async def organisation_named(database: Database, name: str) -> int:
    """Return the id of the organisation with this name. Raises `OrganisationNotFound`, `Unavailable`."""
    async with database.read() as connection:
        return await sites.organisation(connection, name)


@dataclass(frozen=True, slots=True)
class NewSites:
    """Administrators add sites to their organisation."""

    _database: Database
    _vault: Vault
    _audit: Audit

    async def add(
        self, organisation_id: int, name: str, *, time_zone: str, language: str, more_languages: tuple[str, ...], actor: str
    ) -> Site:
        """Add a site to an organisation. An organisation without a name, from the first run, gets the site's.

        Tags are well-formed. Raises `InvalidField` for an unknown time zone, `NameTaken` if the organisation has a site with
        this name, and `Unavailable`.
        """
        try:
            site = await self._insert(organisation_id, name, time_zone, language, more_languages)
        except NowServingError:
            self._audit.note("add-site", actor, organisation_id=organisation_id, allowed=False)
            raise
        self._audit.note("add-site", actor, site_id=site.id, organisation_id=organisation_id)
        return site

    async def _insert(
        self, organisation_id: int, name: str, time_zone: str, language: str, more_languages: tuple[str, ...]
    ) -> Site:
        if not hours.is_time_zone(time_zone):
            raise InvalidField(field="time_zone", problem=f"there is no time zone {time_zone[:64]!r}")
        own = languages.usual(language)
        others = tuple(tag for tag in dict.fromkeys(map(languages.usual, more_languages)) if tag != own)
        now = await self._database.now()
        try:
            async with self._database.write() as connection:
                # The lock on the organisation: a double request makes one site.
                await staff.lock_organisation(connection, organisation_id)
                if await sites.named(connection, organisation_id, name) is not None:
                    raise NameTaken(name=name)
                await sites.name_after_site(connection, organisation_id, name)
                return await sites.create(
                    connection,
                    self._vault,
                    organisation_id=organisation_id,
                    name=name,
                    time_zone=time_zone,
                    language=own,
                    languages=others,
                    now=now,
                    region=region_of_zone(time_zone) or "",
                )
        except Conflict:  # another organisation has this name
            raise NameTaken(name=name) from None
