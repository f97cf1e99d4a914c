"""Visits and personal data."""

from __future__ import annotations

from server.domain.model import Personal


def test_personal_data_is_empty_by_default() -> None:
    assert Personal() == Personal(name=None, phone=None, token=None)
