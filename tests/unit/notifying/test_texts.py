"""The texts of notifications."""

from __future__ import annotations

from server.domain.rules.reminders import ALMOST_YOUR_TURN
from server.notifying.texts import text_for


def test_text_has_the_label_and_the_link() -> None:
    text = text_for(ALMOST_YOUR_TURN, "fr", "A012", "https://clinic.example/t/x")
    assert text.startswith("A012 : c'est bientôt votre tour")
    assert text.endswith("https://clinic.example/t/x")


def test_region_falls_back_to_its_language_and_an_unknown_language_to_english() -> None:
    assert text_for(ALMOST_YOUR_TURN, "es-MX", "A", "x") == text_for(ALMOST_YOUR_TURN, "es", "A", "x")
    assert text_for(ALMOST_YOUR_TURN, "tlh", "A", "x") == text_for(ALMOST_YOUR_TURN, "en", "A", "x")
