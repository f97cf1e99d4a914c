"""The templates of common clinics: set-up files without a clinic, in several languages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from server.blueprints.reading import Reader
from server.domain.commands.blueprint import Blueprint, Plan, normal
from server.domain.model import languages as tags

_OWN = "en"  # the language of the files


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of clinic. ``key`` is its stable name; title and description are by language."""

    key: str
    titles: Mapping[str, str]
    descriptions: Mapping[str, str]
    _translations: Mapping[str, Mapping[str, str]]
    _blueprint: Blueprint

    def title(self, wanted: Iterable[str]) -> str:
        """Return the title in the best of the ``wanted`` languages, best first."""
        return tags.name_in(wanted, self.titles.items(), self.titles[_OWN])

    def description(self, wanted: Iterable[str]) -> str:
        """Return the description in the best of the ``wanted`` languages, best first."""
        return tags.name_in(wanted, self.descriptions.items(), self.descriptions[_OWN])

    def blueprint(
        self, *, name: str, time_zone: str, region: str, language: str, languages: Iterable[str] = ()
    ) -> Blueprint:
        """Return the blueprint of a clinic of this kind.

        The names are in the site's ``language``, or in English; the other ``languages`` of its readers have names of their
        own where the template knows them.
        """
        offered = tuple(dict.fromkeys(map(tags.usual, languages)))
        mine = tags.usual(language)

        def named(text: str) -> str:
            return self._in(text, mine) or text

        def translated(plan: Plan) -> Any:
            changes: dict[str, Any] = {"name": named(plan.name)}
            if hasattr(plan, "names"):
                others = ((tag, self._in(plan.name, tag)) for tag in offered if tag != mine)
                changes["names"] = tuple((tag, text) for tag, text in others if text is not None)
            for kind in ("queues", "points"):
                if hasattr(plan, kind):
                    changes[kind] = tuple(map(named, getattr(plan, kind)))
            return replace(plan, **changes)

        mould = self._blueprint
        return normal(
            replace(
                mould,
                name=name,
                time_zone=time_zone,
                language=mine,
                rules=replace(mould.rules, region=region, languages=offered),
                queues=tuple(map(translated, mould.queues)),
                points=tuple(map(translated, mould.points)),
                displays=tuple(map(translated, mould.displays)),
            )
        )

    def _in(self, text: str, language: str) -> str | None:
        """Return a name of the template in a language; None if the template does not know it."""
        known = {_OWN: text} | dict(self._translations.get(text, {}))
        found = tags.lookup([language], known)
        return None if found is None else known[found]


@cache
def templates() -> tuple[Template, ...]:
    """Return all templates, in the order in which a page shows them."""
    files = [each for each in (resources.files("server") / "templates").iterdir() if each.name.endswith(".toml")]
    found = [_template(each.name.removesuffix(".toml"), each.read_text(encoding="utf-8")) for each in files]
    return tuple(template for _, template in sorted(found, key=lambda pair: pair[0]))


def template_named(key: str) -> Template | None:
    """Return the template with this key, or None."""
    return next((each for each in templates() if each.key == key), None)


def _template(key: str, text: str) -> tuple[int, Template]:
    """Return the position and the template in a file of this package. Raises `BadClinicFile` for a file with mistakes."""
    reader = Reader(text)
    about, translations = reader.table("template"), reader.table("translations")
    blueprint = reader.blueprint(name=key, time_zone="UTC")
    reader.finish()
    return about["position"], Template(key, about["title"], about["description"], translations, blueprint)
