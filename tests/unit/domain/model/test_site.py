"""The rules of a site."""

from __future__ import annotations

from server.domain.model import Rules


def test_displays_show_no_names_by_default() -> None:
    assert Rules().names_on_display is False
