"""The texts of the watchdog's mails. The parts, their states and remedies have the texts of the administrator's pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from server.domain.model import Site, languages, local_time
from server.installation.places import web_folder
from server.queries.system import Check

News = Literal["new", "still", "over"]

_TEXTS = {
    "en": {
        "new": "Now Serving at {clinic} needs attention",
        "still": "Now Serving at {clinic} still needs attention",
        "over": "Now Serving at {clinic} is in order again",
        "list": "The whole list: {link}",
        "why": "The watchdog of this installation sends this mail. The setting NOWSERVING_WATCHDOG_MAIL names its readers.",
    },
    "es": {
        "new": "Now Serving en {clinic} necesita atención",
        "still": "Now Serving en {clinic} sigue necesitando atención",
        "over": "Now Serving en {clinic} vuelve a estar en orden",
        "list": "La lista completa: {link}",
        "why": "El vigilante de esta instalación envía este correo. NOWSERVING_WATCHDOG_MAIL indica quién lo recibe.",
    },
    "fr": {
        "new": "Now Serving à {clinic} demande votre attention",
        "still": "Now Serving à {clinic} demande toujours votre attention",
        "over": "Now Serving à {clinic} est de nouveau en ordre",
        "list": "La liste complète\u202f: {link}",
        "why": "Le veilleur de cette installation envoie cet e-mail. NOWSERVING_WATCHDOG_MAIL nomme ses destinataires.",
    },
    "ar": {
        "new": "نظام Now Serving في {clinic} يحتاج إلى انتباه",
        "still": "نظام Now Serving في {clinic} ما زال يحتاج إلى انتباه",
        "over": "نظام Now Serving في {clinic} يعمل بانتظام من جديد",
        "list": "القائمة كاملة: {link}",
        "why": "يرسل مراقب هذا النظام هذه الرسالة. يحدد NOWSERVING_WATCHDOG_MAIL من يستلمها.",
    },
}


@dataclass(frozen=True, slots=True)
class Told:
    """One part of the installation in a mail: its check, the start of its state (microseconds), and the kind of news."""

    check: Check
    since: int
    news: News


def mail_about(parts: Iterable[Told], site: Site, public_url: str) -> tuple[str, str, str]:
    """Return the language, the subject and the text of a mail about parts, in the language and the time of a site."""
    language = languages.lookup((site.language,), _TEXTS) or "en"
    told = sorted(parts, key=lambda each: ("new", "still", "over").index(each.news))
    own, words = _TEXTS[language], _words(language)
    subject = own[told[0].news].format(clinic=site.name)
    link = f"{public_url}/admin/system"
    paragraphs = [_paragraph(each, words, site, isolate=language == "ar") for each in told]
    return language, subject, "\n\n".join([*paragraphs, own["list"].format(link=link), own["why"]]) + "\n"


def _paragraph(each: Told, words: Mapping[str, object], site: Site, *, isolate: bool) -> str:
    check = each.check

    def text(key: str, otherwise: str, values: Mapping[str, str]) -> str:
        entry = words.get(key)
        if not isinstance(entry, str):
            return otherwise
        return re.sub(r"\{(\w+)\}", lambda found: _isolated(values.get(found[1], ""), isolate=isolate), entry)

    when = local_time.wall_clock(each.since, site.time_zone).strftime("%Y-%m-%d %H:%M")
    title = text(f"admin.system.{check.name}", check.name, {})
    state = text(f"admin.system.state.{check.state}", check.state, {})
    lines = [f"{title}: {state}, {text('admin.system.since', when, {'time': when})}"]
    lines.append(text(f"admin.check.{check.code}", check.text, check.values))
    if check.remedy and check.state != "ok":
        lines.append(text(f"admin.check.{check.code}.remedy", check.remedy, check.values))
    return "\n".join(lines)


def _isolated(value: str, *, isolate: bool) -> str:
    """Return a value for a text. In a text from right to left, the value keeps its own direction."""
    return f"\u2068{value}\u2069" if isolate and value else value


@cache
def _words(language: str) -> Mapping[str, object]:
    """Return the texts of the administrator's pages in a language."""
    file = Path(web_folder() / "locales" / "admin" / f"{language}.json")
    found: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))
    return found
