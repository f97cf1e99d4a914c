"""The words of notifications, by kind and language. No clinical detail, ever: a ticket, a count, a link."""

from __future__ import annotations

from server.domain.rules.reminders import ALMOST_YOUR_TURN

_TEXTS: dict[str, dict[str, str]] = {
    ALMOST_YOUR_TURN: {
        "en": "{label}: almost your turn. Please come back to the waiting room. {link}",
        "es": "{label}: casi es su turno. Vuelva a la sala de espera, por favor. {link}",
        "fr": "{label} : c'est bientôt votre tour. Merci de revenir en salle d'attente. {link}",
        "ar": "{label}: اقترب دورك. يرجى العودة إلى غرفة الانتظار. {link}",
    }
}


def text_for(kind: str, language: str, label: str, link: str) -> str:
    """Return a notification's text in ``language`` (English where there is none)."""
    texts = _TEXTS[kind]
    return texts.get(language.partition("-")[0], texts["en"]).format(label=label, link=link)
