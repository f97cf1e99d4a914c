"""The texts of notifications."""

from __future__ import annotations

from server.domain.messages import ALMOST_YOUR_TURN
from server.notifying.texts import text_for, title_for


def test_text_has_the_label_and_the_link() -> None:
    text = text_for(ALMOST_YOUR_TURN, ["fr"], "A012", "https://clinic.example/t/x")
    assert text.startswith("A012 : c'est bientôt votre tour")
    assert text.endswith("https://clinic.example/t/x")


def test_title_has_the_language_of_the_text() -> None:
    assert title_for(ALMOST_YOUR_TURN, ["fr"]) == "Bientôt votre tour"
    assert title_for(ALMOST_YOUR_TURN, ["tlh"]) == "Almost your turn"


def test_language_falls_back_to_its_base_then_to_the_site_then_to_english() -> None:
    spanish, english = (text_for(ALMOST_YOUR_TURN, [tag], "A", "x") for tag in ("es", "en"))
    assert text_for(ALMOST_YOUR_TURN, ["es-419", "en"], "A", "x") == spanish
    assert text_for(ALMOST_YOUR_TURN, ["zh-Hant", "es-MX"], "A", "x") == spanish
    assert text_for(ALMOST_YOUR_TURN, ["zh-Hant", "tlh"], "A", "x") == english
