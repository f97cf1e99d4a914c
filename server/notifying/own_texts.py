"""A clinic's own texts of messages: managers write, try and reset them. Each takes effect with the next message."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from server.audit import Audit
from server.domain.errors import InvalidField, MessageTextNotFound
from server.domain.messages import TEMPLATES
from server.domain.model import Site, languages, local_time
from server.domain.model.clocks import clock_of
from server.notifying import drafts
from server.notifying.drafts import SAMPLE_TOKEN, Preview, Problem
from server.notifying.texts import PLACEHOLDERS, TEXTS, Facts
from server.queries import message_texts as queries
from server.queries import sites
from server.queries.message_texts import OwnText
from server.store import message_texts as store
from server.store.database import Database

SHIPPED = tuple(TEXTS["booked"])  # the languages of the shipped texts
_ABOUT_TICKETS = frozenset({"almost-your-turn", "called", "missed-call", "running-late"})
_SAMPLE_DAYS = 3  # from today to the appointment of a sample


@dataclass(frozen=True, slots=True)
class TextShown:
    """A text in one language: the ``shipped`` one, and the clinic's ``own``, each None if there is none.

    ``changed_at`` is the instant of the own text, in milliseconds.
    """

    language: str
    shipped: str | None
    own: str | None
    changed_at: int | None


@dataclass(frozen=True, slots=True)
class TemplateShown:
    """A template with its placeholders: the ``needed`` ones, and the ``others`` that it may have."""

    name: str
    needed: tuple[str, ...]
    others: tuple[str, ...]
    texts: tuple[TextShown, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """What becomes of a draft: the message that it makes, unless its placeholders are wrong, and its problem if any."""

    message: Preview | None
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class OwnTexts:
    """The own texts of one database's sites. The audit notes who changed one. ``link_base`` begins patients' links."""

    _database: Database
    _audit: Audit
    _link_base: str

    async def listed(self, site_id: int) -> list[TemplateShown]:
        """Return the templates with their texts, each in all languages of the site. Raises `Unavailable`."""
        site = await sites.find(self._database, site_id)
        own = {(each.template, each.language): each for each in await queries.of_site(self._database, site_id)}
        return [_template(name, _languages(site, (tag for of, tag in own if of == name)), own) for name in TEMPLATES]

    async def put(
        self, site: Site, template: str, language: str, text: str, *, actor: str, secret_names: Collection[str] = ()
    ) -> None:
        """Keep a text as the site's own. ``secret_names`` are the names that patients must not read in it.

        Raises `MessageTextNotFound` for an unknown template, `InvalidField` for a language that is not of the site and
        for a text that no message could be made of, and `Unavailable`.
        """
        tag = self.language_of(site, template, language)
        drafts.checked(template, tag, text, self._link_base, secret_names)
        now = await self._database.now()
        async with self._database.write() as connection:
            await store.put(connection, site.id, template, tag, text, now)
        self._note("set-message-text", actor, site, template, tag)

    async def reset(self, site: Site, template: str, language: str, *, actor: str) -> None:
        """Remove the site's own text, if there is one: the shipped text goes out then.

        Raises `MessageTextNotFound` for an unknown template, and `Unavailable`.
        """
        if template not in TEMPLATES or not languages.is_tag(language):
            raise MessageTextNotFound(template=template)
        tag = languages.usual(language)  # also one that the site has no more
        async with self._database.write() as connection:
            removed = await store.remove(connection, site.id, template, tag)
        if removed:
            self._note("reset-message-text", actor, site, template, tag)

    async def tried(self, site: Site, template: str, language: str, text: str, secret_names: Collection[str] = ()) -> Tried:
        """Return the message that a draft makes, with sample values. Raises as `put`, but not for a wrong text."""
        tag = self.language_of(site, template, language)
        problem = drafts.broken(template, text)
        if problem is not None:
            return Tried(None, problem)
        now = await self._database.now()
        message = drafts.preview(template, tag, text, self._sample(site, template, now), self._link_base)
        return Tried(message, drafts.problem_of(template, tag, text, self._link_base, secret_names))

    def language_of(self, site: Site, template: str, language: str) -> str:
        """Return the usual form of a language in which the site may have a text. Raises as `put`."""
        if template not in TEMPLATES:
            raise MessageTextNotFound(template=template)
        if not languages.is_tag(language) or (tag := languages.usual(language)) not in _languages(site):
            raise InvalidField(field="language", problem="is no language of this clinic. Add it to the languages first")
        return tag

    def _sample(self, site: Site, template: str, now: int) -> Facts:
        day = date.fromisoformat(local_time.local_of(now, site.time_zone).local[:10]) + timedelta(days=_SAMPLE_DAYS)
        page = "t" if template in _ABOUT_TICKETS else "a"
        return Facts(
            clinic=site.name,
            link=f"{self._link_base}/{page}/{SAMPLE_TOKEN}",
            label="A012",
            local_start=f"{day.isoformat()}T10:30",
            until="12:00",
            minutes=20,
            clock=clock_of(site),
        )

    def _note(self, action: str, actor: str, site: Site, template: str, language: str) -> None:
        self._audit.note(
            action,
            actor,
            subject=f"text:{template}:{language}",
            site_id=site.id,
            organisation_id=site.organisation_id,
        )


def _languages(site: Site, own: Iterable[str] = ()) -> list[str]:
    """Return the languages of a site's texts: its own first, then those of its readers, the shipped and further ones."""
    found = (site.language, *site.rules.languages, *SHIPPED, *own)
    return list(dict.fromkeys(map(languages.usual, found)))


def _template(name: str, tags: Iterable[str], own: dict[tuple[str, str], OwnText]) -> TemplateShown:
    allowed = PLACEHOLDERS[name]
    shown = []
    for tag in tags:
        mine = own.get((name, tag))
        changed_at = None if mine is None else mine.changed_at // 1000
        shown.append(TextShown(tag, TEXTS[name].get(tag), None if mine is None else mine.text, changed_at))
    needed = tuple(sorted(allowed.needed))
    return TemplateShown(name, needed, tuple(sorted(allowed.known - allowed.needed)), tuple(shown))
