"""The texts of messages, by template and language.

A text has the clinic's name, a ticket's label, a time by the clinic's wall clock and a link: nothing clinical, and no name
of a service, a provider or a point. The templates are data with named placeholders. In SMS texts, the date and the
clinic's name become shorter as far as two parts need it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import NamedTuple

from babel.core import Locale, UnknownLocaleError
from babel.dates import format_skeleton

from server.domain.messages import MISSED_CALL
from server.domain.model import languages
from server.domain.model.clocks import Hours
from server.notifying import sms

MOST_PARTS = 2
_LONGEST_CLINICS = (40, 24, 12)  # characters of a shortened name
_LOCALES = {"en": "en-GB"}  # the pages have British dates, too


class Placeholders(NamedTuple):
    """The placeholders of a template: those that it needs, and all that it may have."""

    needed: frozenset[str]
    known: frozenset[str]


def _placeholders(known: str, needed: str) -> Placeholders:
    return Placeholders(frozenset(needed.split()), frozenset(known.split()))


_TIME = _placeholders("clinic date time link", "date time link")
PLACEHOLDERS: dict[str, Placeholders] = {
    "booked": _TIME,
    "moved": _TIME,
    "cancelled": _placeholders("clinic date time link", "date time"),
    "reminder": _TIME,
    "almost-your-turn": _placeholders("clinic label link", "label link"),
    "called": _placeholders("clinic label link", "label"),
    "no-show": _placeholders("clinic date time link", "date"),
    MISSED_CALL: _placeholders("clinic label link", "label"),
    "running-late": _placeholders("clinic minutes link", "minutes"),
    "freed-time": _placeholders("clinic date time until link", "date time link"),
    "feedback": _placeholders("clinic link", "link"),
}

TEXTS: dict[str, dict[str, str]] = {
    "booked": {
        "en": "{clinic}: your appointment is on {date} at {time}. To change or cancel it: {link}",
        "es": "{clinic}: su cita es el {date} a las {time}. Para cambiarla o cancelarla: {link}",
        "fr": "{clinic}\u202f: votre rendez-vous est le {date} à {time}. Pour le modifier ou l’annuler\u202f: {link}",
        "ar": "{clinic}: حُجز موعدك {date} {time} {link}",
    },
    "moved": {
        "en": "{clinic}: your appointment is now on {date} at {time}. To change or cancel it: {link}",
        "es": "{clinic}: su cita pasa al {date} a las {time}. Para cambiarla o cancelarla: {link}",
        "fr": "{clinic}\u202f: votre rendez-vous passe au {date} à {time}. Pour le modifier ou l’annuler\u202f: {link}",
        "ar": "{clinic}: موعدك الجديد {date} {time} {link}",
    },
    "cancelled": {
        "en": "{clinic}: your appointment on {date} at {time} is cancelled. Details: {link}",
        "es": "{clinic}: su cita del {date} a las {time} queda cancelada. Detalles: {link}",
        "fr": "{clinic}\u202f: votre rendez-vous du {date} à {time} est annulé. Détails\u202f: {link}",
        "ar": "{clinic}: أُلغي موعدك {date} {time} {link}",
    },
    "reminder": {
        "en": "{clinic}: reminder of your appointment on {date} at {time}. To change or cancel it: {link}",
        "es": "{clinic}: le recordamos su cita del {date} a las {time}. Para cambiarla o cancelarla: {link}",
        "fr": "{clinic}\u202f: rappel de votre rendez-vous du {date} à {time}. Pour le modifier ou l’annuler\u202f: {link}",
        "ar": "{clinic}: موعدك {date} {time}، للتعديل: {link}",
    },
    "almost-your-turn": {
        "en": "{label}: almost your turn. Please come back to the waiting room. {link}",
        "es": "{label}: casi es su turno. Vuelva a la sala de espera, por favor. {link}",
        "fr": "{label}\u202f: votre tour approche. Merci de revenir en salle d’attente. {link}",
        "ar": "{label}: اقترب دورك، يرجى العودة إلينا {link}",
    },
    "called": {
        "en": "{label}: it is your turn. Please come in; the screen shows where. {link}",
        "es": "{label}: es su turno. Pase, por favor; la pantalla indica el lugar. {link}",
        "fr": "{label}\u202f: c’est votre tour. Entrez, l’écran indique le lieu. {link}",
        "ar": "{label}: حان دورك، انظر إلى الشاشة {link}",
    },
    "no-show": {
        "en": "{clinic}: we missed you on {date} at {time}. Please contact us for another appointment. {link}",
        "es": "{clinic}: no pudimos atenderle el {date} a las {time}. Para otra cita, contacte con nosotros. {link}",
        "fr": "{clinic}\u202f: nous vous attendions le {date} à {time}. Pour un autre rendez-vous, contactez-nous. {link}",
        "ar": "{clinic}: فاتك موعد {date}، اتصل بنا {link}",
    },
    MISSED_CALL: {
        "en": "{label}: we called you and did not find you. Still here? Please come to reception. {link}",
        "es": "{label}: le hemos llamado y no estaba. Si no se ha ido, venga al mostrador, por favor. {link}",
        "fr": "{label}\u202f: nous vous avons appelé sans vous voir. Encore ici\u202f? Venez à l’accueil. {link}",
        "ar": "{label}: ناديناك، راجع الاستقبال {link}",
    },
    "running-late": {
        "en": "{clinic}: we are running about {minutes} minutes late. Sorry for the wait. {link}",
        "es": "{clinic}: vamos con unos {minutes} minutos de retraso. Disculpe la espera. {link}",
        "fr": "{clinic}\u202f: nous avons environ {minutes} minutes de retard. Merci de votre patience. {link}",
        "ar": "{clinic}: نتأخر نحو {minutes} دقيقة {link}",
    },
    "freed-time": {
        "en": "{clinic}: an earlier time is free, {date} at {time}. Take it by {until}: {link}",
        "es": "{clinic}: hay una hora libre antes, el {date} a las {time}. Puede tomarla hasta las {until}: {link}",
        "fr": "{clinic}\u202f: un horaire plus proche est libre, le {date} à {time}. Prenez-le avant {until}\u202f: {link}",
        "ar": "{clinic}: وقت أبكر متاح {date} {time} {link}",
    },
    "feedback": {
        "en": "{clinic}: how was your visit? Tell us in one minute: {link}",
        "es": "{clinic}: ¿qué tal su visita? Responda en un minuto: {link}",
        "fr": "{clinic}\u202f: comment s’est passée votre visite\u202f? Répondez en une minute\u202f: {link}",
        "ar": "{clinic}: كيف كانت زيارتك؟ أخبرنا: {link}",
    },
}

# The titles of mails and push messages.
SUBJECTS: dict[str, dict[str, str]] = {
    "booked": {"en": "Your appointment", "es": "Su cita", "fr": "Votre rendez-vous", "ar": "موعدك"},
    "moved": {
        "en": "Your appointment has moved",
        "es": "Su cita ha cambiado",
        "fr": "Votre rendez-vous a changé",
        "ar": "تغيّر موعدك",
    },
    "cancelled": {
        "en": "Your appointment is cancelled",
        "es": "Su cita está cancelada",
        "fr": "Votre rendez-vous est annulé",
        "ar": "أُلغي موعدك",
    },
    "reminder": {
        "en": "Reminder of your appointment",
        "es": "Recordatorio de su cita",
        "fr": "Rappel de votre rendez-vous",
        "ar": "تذكير بموعدك",
    },
    "almost-your-turn": {
        "en": "Almost your turn",
        "es": "Casi es su turno",
        "fr": "C’est bientôt votre tour",
        "ar": "اقترب دورك",
    },
    "called": {"en": "It is your turn", "es": "Es su turno", "fr": "C’est votre tour", "ar": "حان دورك"},
    "no-show": {
        "en": "Your missed appointment",
        "es": "Su cita perdida",
        "fr": "Votre rendez-vous manqué",
        "ar": "موعدك الفائت",
    },
    MISSED_CALL: {"en": "We called you", "es": "Le hemos llamado", "fr": "Nous vous avons appelé", "ar": "لقد ناديناك"},
    "running-late": {
        "en": "We are running late",
        "es": "Vamos con retraso",
        "fr": "Nous avons du retard",
        "ar": "نعتذر عن التأخير",
    },
    "freed-time": {
        "en": "An earlier time is free",
        "es": "Hay una hora libre antes",
        "fr": "Un horaire plus proche est libre",
        "ar": "وقت أبكر متاح",
    },
    "feedback": {
        "en": "How was your visit?",
        "es": "¿Qué tal su visita?",
        "fr": "Comment s’est passée votre visite\u202f?",
        "ar": "كيف كانت زيارتك؟",
    },
}
# Instead of a clinic's name that does not fit, as one in another script.
_A_CLINIC = {"en": "The clinic", "es": "Su consulta", "fr": "Votre clinique", "ar": "العيادة"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a message tells. ``local_start`` is the clinic's wall clock (``2027-01-15T09:00``), ``until`` its time of day.

    The ``link`` leads to the patient's page. ``clock`` is that of the clinic's screens.
    """

    clinic: str = ""
    link: str = ""
    label: str = ""
    local_start: str | None = None
    until: str | None = None
    minutes: int | None = None
    clock: Hours = "24"


def template_of(kind: str, subject: str) -> str:
    """Return the name of the template for a kind and a subject, ``appointment:{id}`` or ``entry:{id}``."""
    return MISSED_CALL if kind == "no-show" and subject.startswith("entry:") else kind


def text_for(name: str, wanted: Iterable[str], facts: Facts, own: Mapping[str, str] | None = None) -> str:
    """Return the text of a template in the first of the ``wanted`` languages that has one, or in English.

    ``own`` are the clinic's own texts of this template by language. They come before the shipped ones.
    """
    language, text = _chosen(name, wanted, own)
    return text.format(**_values(facts, language, long_date=True))


def sms_for(name: str, wanted: Iterable[str], facts: Facts, own: Mapping[str, str] | None = None) -> str:
    """Return `text_for` for an SMS, in at most `MOST_PARTS` parts if a shorter date and clinic's name allow it."""
    language, text = _chosen(name, wanted, own)
    made = ""
    for clinic in _clinics(facts.clinic, language):
        for long_date in (True, False):
            values = _values(facts, language, long_date=long_date) | {"clinic": clinic}
            made = sms.plain(text.format(**values))
            if sms.parts(made) <= MOST_PARTS:
                return made
    return made


def subject_for(name: str, wanted: Iterable[str], clinic: str, own: Mapping[str, str] | None = None) -> str:
    """Return the title of a mail or push message: the clinic, and what it is about, in the language of the text.

    For a clinic's own text in a language without shipped titles, the title is the clinic alone.
    """
    language, _ = _chosen(name, wanted, own)
    titled = languages.lookup((language,), SUBJECTS[name])
    return clinic if titled is None else f"{SUBJECTS[name][titled]} \u00b7 {clinic}"


def word_for_clinic(language: str) -> str:
    """Return what an SMS says instead of a clinic's name that does not fit."""
    return _A_CLINIC[languages.lookup((language,), _A_CLINIC) or "en"]


def _chosen(name: str, wanted: Iterable[str], own: Mapping[str, str] | None) -> tuple[str, str]:
    """Return the language and the text."""
    texts = {**TEXTS[name], **(own or {})}
    language = languages.lookup(wanted, texts) or "en"
    return language, texts[language]


def _values(facts: Facts, language: str, *, long_date: bool) -> dict[str, str]:
    locale = _locale(language)
    hours = "hm" if facts.clock == "12" else "Hm"
    values = {"clinic": facts.clinic, "link": facts.link, "label": facts.label, "minutes": str(facts.minutes or 0)}
    if facts.local_start is not None:
        start = datetime.fromisoformat(facts.local_start)
        values["date"] = format_skeleton("MMMEd" if long_date else "Md", start, locale=locale)
        values["time"] = format_skeleton(hours, start, locale=locale)
    if facts.until is not None:
        values["until"] = format_skeleton(hours, datetime.fromisoformat(f"2000-01-01T{facts.until}"), locale=locale)
    return values


@cache
def _locale(language: str) -> Locale:
    """Return the locale of dates in a language. One without data of its own has English dates."""
    try:
        return Locale.parse(_LOCALES.get(language, language), sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(_LOCALES["en"], sep="-")


def _clinics(name: str, language: str) -> Iterator[str]:
    """Yield forms of a clinic's name, each shorter than the one before: the last is a word for a clinic."""
    yield name
    decomposed = unicodedata.normalize("NFKD", name)
    simple = "".join(each for each in decomposed if not unicodedata.combining(each))
    if sms.encoding_of(sms.plain(simple)) == "gsm-7":
        name = simple
        yield name
    for most in _LONGEST_CLINICS:
        if len(name) > most:
            yield f"{name[: most - 3].rstrip()}..."
    yield word_for_clinic(language)
