"""The texts of notifications, by kind and language. They have a ticket's label and a link, never a clinical detail."""

from __future__ import annotations

from collections.abc import Iterable

from server.domain.model import languages
from server.domain.rules.reminders import ALMOST_YOUR_TURN

_TEXTS: dict[str, dict[str, str]] = {
    ALMOST_YOUR_TURN: {
        "en": "{label}: almost your turn. Please come back to the waiting room. {link}",
        "es": "{label}: casi es su turno. Vuelva a la sala de espera, por favor. {link}",
        "fr": "{label} : c'est bientôt votre tour. Merci de revenir en salle d'attente. {link}",
        "ar": "{label}: اقترب دورك. يرجى العودة إلى غرفة الانتظار. {link}",
    }
}


def text_for(kind: str, wanted: Iterable[str], label: str, link: str) -> str:
    """Return the text of a notification in the first of the ``wanted`` languages that has one, or in English."""
    texts = _TEXTS[kind]
    return texts[languages.lookup(wanted, texts) or "en"].format(label=label, link=link)
