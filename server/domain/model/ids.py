"""Identifiers. Every id of something that belongs to a site names that site.

An id is ``site_id * 1_000_000_000 + n``, where ``n`` is taken from a counter on the site's own row, which every
command locks anyway. So an id is unique in the whole installation, costs no statement and no shared hot spot, keeps a
site's rows together in a clustered index, and says by arithmetic alone which site to lock. Ids stay below 2^53 for nine
million sites, so a browser's numbers hold them exactly.
"""

from __future__ import annotations

IDS_PER_SITE = 1_000_000_000
MAX_ID = 2**53 - 1


def site_of(identifier: int) -> int:
    """Return the id of the site that ``identifier`` belongs to (0 for a number that is no such id)."""
    return identifier // IDS_PER_SITE
