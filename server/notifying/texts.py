"""The texts of notifications, by kind and language. They have a ticket's label and a link, never a clinical detail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from server.domain.messages import ALMOST_YOUR_TURN
from server.domain.model import languages

_TITLES: dict[str, dict[str, str]] = {
    ALMOST_YOUR_TURN: {
        "en": "Almost your turn",
        "es": "Casi es su turno",
        "fr": "Bientôt votre tour",
        "ar": "اقترب دورك",
    }
}
_TEXTS: dict[str, dict[str, str]] = {
    ALMOST_YOUR_TURN: {
        "en": "{label}: almost your turn. Please come back to the waiting room. {link}",
        "es": "{label}: casi es su turno. Vuelva a la sala de espera, por favor. {link}",
        "fr": "{label} : c'est bientôt votre tour. Merci de revenir en salle d'attente. {link}",
        "ar": "{label}: اقترب دورك. يرجى العودة إلى غرفة الانتظار. {link}",
    }
}


def title_for(kind: str, wanted: Iterable[str]) -> str:
    """Return the title of a notification, for a mail or a push message, in the language of its text."""
    return _in_language(_TITLES[kind], wanted)


def text_for(kind: str, wanted: Iterable[str], label: str, link: str) -> str:
    """Return the text of a notification in the first of the ``wanted`` languages that has one, or in English."""
    return _in_language(_TEXTS[kind], wanted).format(label=label, link=link)


def _in_language(texts: Mapping[str, str], wanted: Iterable[str]) -> str:
    return texts[languages.lookup(wanted, texts) or "en"]
