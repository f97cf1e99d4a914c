"""The texts of a trial message, with which an administrator tests a channel."""

from __future__ import annotations

from server.domain.model import languages

_TEXTS = {
    "en": ("Test message", "This is a test message of your clinic's queue. The channel works."),
    "es": ("Mensaje de prueba", "Este es un mensaje de prueba del sistema de turnos de su centro. El canal funciona."),
    "fr": ("Message d'essai", "Ceci est un message d'essai de la file d'attente de votre clinique. Le canal fonctionne."),
    "ar": ("رسالة تجريبية", "هذه رسالة تجريبية من نظام الدور في عيادتكم. القناة تعمل."),
}


def trial_text(language: str) -> tuple[str, str]:
    """Return the subject and the text of a trial message, in a language or else in English."""
    return _TEXTS[languages.lookup((language,), _TEXTS) or "en"]
