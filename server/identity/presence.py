"""Presence codes: a short code on the screens of a site proves that its reader is there.

The code changes every two minutes and is good for five. It is a keyed hash of the site and the time, so all processes of an
installation agree on it and store nothing.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from server.domain.errors import JoinCodeNeeded, JoinCodeOld, JoinCodeWrong
from server.identity.pairing import CODE_LENGTH
from server.identity.readable_codes import derived_code, plain_code
from server.vault import Vault

CHANGES_MICROSECONDS = 120_000_000
LIFE_MICROSECONDS = 300_000_000
SKEW_MICROSECONDS = 5_000_000  # the clock of another process may be ahead of this one
REMEMBERED_MICROSECONDS = 2 * 86_400_000_000  # a code of these two days is called old, an earlier one wrong


@dataclass(frozen=True, slots=True)
class PresenceCode:
    """A code, and the instants (microseconds) at which the screens change it and at which it ends."""

    code: str
    changes_at: int
    ends_at: int


def present_code(vault: Vault, site_id: int, now: int) -> PresenceCode:
    """Return the code that the screens of a site show at ``now`` (microseconds)."""
    begins_at = now // CHANGES_MICROSECONDS * CHANGES_MICROSECONDS
    code = _code(vault, site_id, begins_at)
    return PresenceCode(code, begins_at + CHANGES_MICROSECONDS, begins_at + LIFE_MICROSECONDS)


def check_code(vault: Vault, site_id: int, typed: str, now: int) -> None:
    """Raise `JoinCodeNeeded`, `JoinCodeOld` or `JoinCodeWrong` unless ``typed`` is a code of the site that is good now.

    Compares with every good code, in a time that does not depend on the text.
    """
    given = plain_code(typed).encode()
    if not given:
        raise JoinCodeNeeded()
    newest = (now + SKEW_MICROSECONDS) // CHANGES_MICROSECONDS * CHANGES_MICROSECONDS
    if _is_one_of(vault, site_id, given, range(newest, now - LIFE_MICROSECONDS, -CHANGES_MICROSECONDS)):
        return
    oldest = now - REMEMBERED_MICROSECONDS
    if len(given) == CODE_LENGTH and _is_one_of(vault, site_id, given, range(newest, oldest, -CHANGES_MICROSECONDS)):
        raise JoinCodeOld()
    raise JoinCodeWrong()


def _is_one_of(vault: Vault, site_id: int, given: bytes, begins: range) -> bool:
    found = False
    for begins_at in begins:
        found |= hmac.compare_digest(_code(vault, site_id, begins_at).encode(), given)
    return found


def _code(vault: Vault, site_id: int, begins_at: int) -> str:
    return derived_code(vault.keyed_hash(f"presence:{site_id}:{begins_at}"), CODE_LENGTH)
