"""A site whose rows return to an older state: by a restore, which renews the epoch, or by a manual change."""

from __future__ import annotations

import pytest

from server.domain.commands import CallNext, Hold
from server.domain.views import DisplayView
from server.live.feed import Feed
from server.queries.boards import Boards
from server.seeding import Seeder
from server.store.database import Database
from tests.support import history


@pytest.mark.parametrize("renew", [True, False], ids=["restored", "by hand"])
async def test_feeds_resume_no_client_after_rows_return_to_an_older_state(
    setup: Seeder, database: Database, renew: bool
) -> None:
    """All feeds notice the older state, take the same new epoch, and resume no client from the lost history."""
    seeded = await setup.seed(points=2, tickets=4, displays=1)
    site_id, boards = seeded["site_id"], Boards(database)
    then = await history.dump(database, site_id)
    first, second = seeded["point_ids"]
    lost = (await setup.do(CallNext(point_id=first)))["entry"]["id"]
    feeds = [Feed(site_id, boards), Feed(site_id, boards)]
    for feed in feeds:
        await feed.load()
    before = feeds[0].projection(DisplayView()).position
    await history.load(database, then, renew=renew)
    for feed in feeds:
        await feed.check((await boards.heads([site_id]))[site_id])
    assert feeds[0].position == feeds[1].position
    assert feeds[0].board is not None
    assert feeds[0].board.entries[lost].state == "waiting"
    assert feeds[0].board.site.epoch != before.epoch
    # The next events reuse the lost numbers with other contents.
    called = (await setup.do(CallNext(point_id=second)))["entry"]["id"]
    await setup.do(Hold(entry_id=called))
    for feed in feeds:
        await feed.check((await boards.heads([site_id]))[site_id])
        assert feed.seq > before.seq
        assert not feed.projection(DisplayView()).can_resume(before)
