"""Permissions: the actions of callers, and their notes in the audit."""

from __future__ import annotations

import pytest

from server.audit import Audit
from server.domain.commands import IssueTicket, Leave
from server.domain.errors import EntryNotFound, NotAllowed, SiteNotFound
from server.domain.model.ids import IDS_PER_SITE, MAX_ID
from server.identity.callers import Bearer, Integration, Staff
from server.identity.permissions import Permissions
from server.queries.identity import Identities
from server.store.database import Database
from server.vault import Vault

OURS, THEIRS = 7, 8
ENTRY, VISIT = OURS * IDS_PER_SITE + 5, OURS * IDS_PER_SITE + 4
RECEPTIONIST = Staff(3, 1, "ada", "receptionist", "s1")
ISSUE = IssueTicket(queue_id=OURS * IDS_PER_SITE + 1)


class Known(Identities):
    """Two sites of two organisations, and one entry."""

    async def organisation_of(self, site_id: int) -> int | None:
        return {OURS: 1, THEIRS: 2}.get(site_id)

    async def visit_of(self, entry_id: int) -> int | None:
        return VISIT if entry_id == ENTRY else None


@pytest.fixture
def audit() -> Audit:
    return Audit(Database("sqlite+aiosqlite:///never-opened.db"), Vault([b"k" * 32], "secret"), "tests")


@pytest.fixture
def permissions(audit: Audit) -> Permissions:
    return Permissions(Known(Database("sqlite+aiosqlite:///never-opened.db")), audit)


def noted(audit: Audit) -> list[tuple[str, str, bool]]:
    return [(each.actor, each.action, each.allowed) for each in audit._queue]


async def test_personal_query_is_noted(permissions: Permissions, audit: Audit) -> None:
    await permissions.check_action(RECEPTIONIST, "find-patients", OURS)
    await permissions.check_action(RECEPTIONIST, "read-site", OURS)
    assert noted(audit) == [("staff:3", "find-patients", True)]


async def test_site_of_another_organisation_is_not_found(permissions: Permissions, audit: Audit) -> None:
    for site_id in (THEIRS, 9, MAX_ID + 1):
        with pytest.raises(SiteNotFound):
            await permissions.check_action(RECEPTIONIST, "read-board", site_id)
    assert noted(audit) == [("staff:3", "read-board", False)] * 3


async def test_action_beyond_the_role_is_refused(permissions: Permissions, audit: Audit) -> None:
    with pytest.raises(NotAllowed):
        await permissions.check_action(RECEPTIONIST, "manage-staff", None)
    assert noted(audit) == [("staff:3", "manage-staff", False)]


async def test_key_of_one_site_opens_no_other_site(permissions: Permissions) -> None:
    await permissions.check_action(Integration(5, 1, OURS), "read-board", OURS)
    await permissions.check_action(Integration(5, 2, None), "read-board", THEIRS)
    with pytest.raises(SiteNotFound):
        await permissions.check_action(Integration(5, 2, OURS), "read-board", THEIRS)


async def test_permitted_command_is_left_to_the_log(permissions: Permissions, audit: Audit) -> None:
    await permissions.check_command(RECEPTIONIST, ISSUE)
    await permissions.check_command(Bearer("kiosk", OURS * IDS_PER_SITE + 9), ISSUE)
    await permissions.check_command(Bearer("ticket", VISIT), Leave(entry_id=ENTRY))
    assert noted(audit) == []


async def test_refused_command_is_noted_once(permissions: Permissions, audit: Audit) -> None:
    kiosk, ticket = Bearer("kiosk", THEIRS * IDS_PER_SITE + 9), Bearer("ticket", VISIT)
    with pytest.raises(SiteNotFound):
        await permissions.check_command(kiosk, ISSUE)
    with pytest.raises(NotAllowed):
        await permissions.check_command(kiosk, Leave(entry_id=ENTRY))
    with pytest.raises(EntryNotFound):
        await permissions.check_command(ticket, Leave(entry_id=ENTRY + 1))
    with pytest.raises(NotAllowed):
        await permissions.check_command(ticket, ISSUE)
    with pytest.raises(NotAllowed):
        await permissions.check_command(Staff(4, 1, "bo", "manager", "s2"), ISSUE)
    assert [allowed for _, _, allowed in noted(audit)] == [False] * 5
