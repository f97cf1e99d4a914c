"""Identifiers. The id of each record names its site.

An id is ``site_id * 1_000_000_000 + n``. ``n`` comes from a counter on the site's row, which every command locks anyway. An
id is therefore unique in the whole installation, needs no statement of its own and no shared hot spot, and keeps a site's
rows together in a clustered index. Arithmetic alone gives the site to lock. Ids stay below 2^53 for nine million sites, so
a browser's numbers hold them exactly.
"""

from __future__ import annotations

IDS_PER_SITE = 1_000_000_000
MAX_ID = 2**53 - 1


def site_of(identifier: int) -> int:
    """Return the id of the site in ``identifier``, or 0 for a number too small to be an id."""
    return identifier // IDS_PER_SITE
