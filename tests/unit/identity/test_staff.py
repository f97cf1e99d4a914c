"""Accounts of staff: the effect of a change."""

from __future__ import annotations

import pytest

from server.identity.staff import administers, changed
from server.store.staff import Account

ADA = Account("ada", "admin", True)


def test_change_leaves_other_fields_as_they_are() -> None:
    assert changed(ADA) == ADA
    assert changed(ADA, role="manager") == Account("ada", "manager", True)
    assert changed(ADA, active=False) == Account("ada", "admin", False)


@pytest.mark.parametrize(
    ("account", "does"),
    [(ADA, True), (changed(ADA, active=False), False), (changed(ADA, role="manager"), False)],
)
def test_active_administrator_administers(account: Account, *, does: bool) -> None:
    assert administers(account) is does
