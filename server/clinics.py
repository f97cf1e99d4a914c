"""Clinics as set-up files describe them: find, compare, change and export a site."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from server.audit import Audit
from server.blueprints import ClinicFile
from server.blueprints.reading import Texts
from server.domain.commands import ChangeSite, SetUp
from server.domain.commands.blueprint import Blueprint
from server.domain.commands.schedules import Stranded
from server.domain.errors import InUse, NothingChanged, OrganisationNotNamed, SiteNotFound, SiteNotNamed
from server.domain.rules.differences import Change, FieldChange, differences
from server.domain.rules.set_up import blueprint_of
from server.execute import Executor
from server.queries import message_texts as queries
from server.queries import sites as site_queries
from server.queries.boards import Boards
from server.store import message_texts, sites, staff
from server.store.database import Conflict, Database
from server.store.sites import NamedSite


@dataclass(frozen=True, slots=True)
class Booked:
    """The number of some booked appointments, and the local times of the first of them (``2027-01-15T09:00``)."""

    count: int
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The way of a clinic to its file. ``site_id`` is None for a new clinic; ``organisation`` is the name of its own.

    ``stranded`` are the booked appointments on days that become closed, if there are any.
    """

    file: ClinicFile
    organisation: str
    site_id: int | None
    changes: tuple[Change, ...]
    stranded: Booked | None = None

    @property
    def is_new(self) -> bool:
        """Whether the clinic does not exist yet."""
        return self.site_id is None

    @property
    def missing(self) -> tuple[Change, ...]:
        """The records of the clinic that the file lacks."""
        return tuple(each for each in self.changes if each.action == "remove")

    def pending(self, *, remove: bool) -> tuple[Change, ...]:
        """Return the changes to carry out: with ``remove``, the removals too."""
        return tuple(each for each in self.changes if remove or each.action != "remove")


@dataclass(frozen=True, slots=True)
class Clinics:
    """The clinics of one database. The ``audit`` notes changed texts of messages; other changes are in the sites' logs."""

    _database: Database
    _executor: Executor
    _audit: Audit | None = None

    async def plan(self, file: ClinicFile, site_id: int | None = None) -> Plan:
        """Return the differences between a clinic and its file.

        The names of the organisation and of the clinic identify it, or ``site_id`` does. Raises `OrganisationNotNamed`,
        `SiteNotNamed` and `SiteNotFound`.
        """
        blueprint = file.blueprint
        known = await self._listed()
        if site_id is not None:
            own = next((each for each in known if each.id == site_id), None)
            if own is None:
                raise SiteNotFound(site_id=site_id)
            return await self._of(file, own)
        organisation = file.organisation or await self._only_organisation() or blueprint.name
        found = [each for each in known if (each.organisation, each.name) == (organisation, blueprint.name)]
        if len(found) > 1:
            raise SiteNotNamed(sites=_listed(found))
        if found:
            return await self._of(file, found[0])
        changes = (*differences(_empty(blueprint), blueprint), *_text_changes((), file.texts))
        return Plan(file, organisation, None, changes)

    async def apply(self, plan: Plan, *, remove: bool, actor: str, stranded: Stranded | None = None) -> int:
        """Carry out a plan; return the site's id. Does nothing if the clinic already is like its file.

        One transaction makes all changes of a site, and then another one those of its texts of messages. ``stranded`` says
        what happens to booked appointments on days that become closed. Raises the refusals of `SetUp`: without
        ``stranded``, `InUse` for such appointments.
        """
        blueprint = plan.file.blueprint
        site_id = plan.site_id
        if site_id is None:
            site_id = await self._created(plan.organisation, blueprint)
        command = SetUp(site_id=site_id, blueprint=blueprint, remove=remove, stranded=stranded)
        try:
            await self._executor.execute(command, actor=actor, command_id=uuid.uuid4().hex)
        except NothingChanged:
            pass
        await self._keep_texts(site_id, plan.file.texts, remove=remove, actor=actor)
        return site_id

    async def export(self, site_id: int | None = None) -> ClinicFile:
        """Return the file of a clinic; without ``site_id``, of the only one. Raises `SiteNotNamed` and `SiteNotFound`."""
        known = await self._listed()
        found = known if site_id is None else [each for each in known if each.id == site_id]
        if not found:
            raise SiteNotFound(site_id=1 if site_id is None else site_id)
        if len(found) > 1:
            raise SiteNotNamed(sites=_listed(found))
        only = found[0]
        return ClinicFile(await self._blueprint(only.id), only.organisation or None, await self._texts(only.id))

    async def _of(self, file: ClinicFile, own: NamedSite) -> Plan:
        before = await self._blueprint(own.id)
        texts = _text_changes(await self._texts(own.id), file.texts)
        changes = (*differences(before, file.blueprint), *texts)
        closing = set(file.blueprint.rules.closed_on) - set(before.rules.closed_on)
        stranded = await self._booked_on(own.id, before.rules.closed_on, closing) if closing else None
        return Plan(file, own.organisation, own.id, changes, stranded)

    async def _booked_on(self, site_id: int, closed_on: tuple[str, ...], closing: set[str]) -> Booked | None:
        """Return the booked appointments that refuse to close these days, too."""
        change = ChangeSite(site_id=site_id, closed_on=(*closed_on, *sorted(closing)))
        try:
            await self._executor.preview(change, actor="")
        except InUse as refusal:
            details: Any = refusal.details
            return Booked(details["count"], tuple(each["local_start"] for each in details["first"]))
        return None

    async def _blueprint(self, site_id: int) -> Blueprint:
        board = await Boards(self._database).board(site_id)
        return blueprint_of(board, self._executor.vault.open_personal)

    async def _texts(self, site_id: int) -> Texts:
        return tuple((each.template, each.language, each.text) for each in await queries.of_site(self._database, site_id))

    async def _keep_texts(self, site_id: int, texts: Texts, *, remove: bool, actor: str) -> None:
        """Write the texts that differ, and with ``remove`` remove those that are missing."""
        before = {(template, tag): text for template, tag, text in await self._texts(site_id)}
        changed = [each for each in texts if before.get(each[:2]) != each[2]]
        kept = {each[:2] for each in texts}
        gone = [key for key in before if key not in kept] if remove else []
        if not changed and not gone:
            return
        now = await self._database.now()
        async with self._database.write() as connection:
            for template, tag, text in changed:
                await message_texts.put(connection, site_id, template, tag, text, now)
            for key in gone:
                await message_texts.remove(connection, site_id, *key)
        if self._audit is not None:
            owner = (await site_queries.find(self._database, site_id)).organisation_id
            for action, keys in (("set-message-text", [each[:2] for each in changed]), ("reset-message-text", gone)):
                for key in keys:
                    subject = ":".join(("text", *key))
                    self._audit.note(action, actor, subject=subject, site_id=site_id, organisation_id=owner)

    async def _listed(self) -> list[NamedSite]:
        async with self._database.read() as connection:
            return await sites.listed(connection)

    async def _only_organisation(self) -> str:
        async with self._database.read() as connection:
            names = await sites.organisation_names(connection)
        if len(names) != 1:
            raise OrganisationNotNamed(organisations=", ".join(filter(None, names)) or "none yet")
        return names[0]

    async def _created(self, organisation: str, blueprint: Blueprint) -> int:
        """Return the site of a blueprint that two processes may create at the same time: it is created once."""
        now = await self._database.now()
        for last in (False, True):
            try:
                async with self._database.write() as connection:
                    known = await sites.organisation_names(connection)
                    if "" in known and organisation not in known:  # the first run makes one without a name
                        await sites.name_organisation(connection, organisation)
                    organisation_id = await sites.organisation_or_new(connection, organisation)
                    await staff.lock_organisation(connection, organisation_id)
                    found = await sites.named(connection, organisation_id, blueprint.name)
                    if found is not None:
                        return found
                    site = await sites.create(
                        connection,
                        self._executor.vault,
                        organisation_id=organisation_id,
                        name=blueprint.name,
                        time_zone=blueprint.time_zone,
                        language=blueprint.language,
                        now=now,
                        region=blueprint.rules.region,
                    )
                    return site.id
            except Conflict:  # another process created the organisation at this moment
                if last:
                    raise
        raise AssertionError("unreachable")


def _empty(blueprint: Blueprint) -> Blueprint:
    """Return the blueprint of the clinic at its creation."""
    rules = type(blueprint.rules)(region=blueprint.rules.region)
    return Blueprint(name=blueprint.name, time_zone=blueprint.time_zone, language=blueprint.language, rules=rules)


def _text_changes(before: Texts, after: Texts) -> list[Change]:
    """Return the changes of texts of messages, removals last."""
    earlier = {(template, tag): text for template, tag, text in before}
    found = [
        Change(
            "change" if (template, tag) in earlier else "add",
            "text",
            f"{template} in {tag}",
            (FieldChange("text", earlier.get((template, tag)), text),),
        )
        for template, tag, text in after
        if earlier.get((template, tag)) != text
    ]
    kept = {each[:2] for each in after}
    return [*found, *(Change("remove", "text", " in ".join(key)) for key in earlier if key not in kept)]


def _listed(known: list[NamedSite]) -> str:
    return ", ".join(f"{each.id} is {each.name} ({each.organisation})" for each in known[:20])
