"""The marks at the desk: notes at each entry and appointment what became of its messages.

Any process may do this, for messages of any worker. Each command has an id of its own for its message and outcome, so a
repeat after a crash changes nothing.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import suppress

import structlog

from server.domain.commands import NoteMessage
from server.domain.errors import NotFound, NowServingError, Refused
from server.execute import Executor
from server.queries import message_news
from server.queries.message_news import LEASE, News
from server.store import leases, notifications
from server.store.database import Database
from server.telemetry.outage import Outage

logger = structlog.get_logger(__name__)

AT_ONCE = 50  # news in one batch
LOOK_SECONDS = 2.0
LEASE_MICROSECONDS = 30_000_000


class Marks:
    """Notes the news of messages. Of all processes, the holder of the lease does."""

    def __init__(self, database: Database, executor: Executor, at_once: int = AT_ONCE) -> None:
        self._database = database
        self._executor = executor
        self._at_once = at_once
        self._holder = uuid.uuid4().hex

    async def run(self) -> None:
        """Note the news every few seconds, until this is cancelled. An unavailable database does not end it."""
        outage = Outage(logger, "messages not noted at the desk")
        try:
            while True:
                try:
                    await self.note()
                    outage.ended()
                except NowServingError as error:
                    outage.failed(error)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            await leases.give_up(self._database, self._holder)

    async def note(self) -> int:
        """Note all news; return the number of rows. 0 while another process does it. Raises `Unavailable`."""
        done = 0
        while await message_news.is_news(self._database) and await self._holds_lease():
            news = await message_news.news(self._database, self._at_once)
            await self._note(news)
            done += len(news)
        if done:
            now = await self._database.now()
            async with self._database.write() as connection:
                await leases.finish(connection, LEASE, self._holder, now)
        return done

    async def _note(self, news: Sequence[News]) -> None:
        changed: set[int] = set()  # subjects with a mark that an earlier message of this batch may have set
        for each in news:
            marked = each.marked or each.subject_id in changed
            if each.problem is not None or (each.reached and marked):
                changed.add(each.subject_id)
                with suppress(Refused, NotFound):  # the subject has moved on, or knows it already
                    await self._executor.execute(_command(each), actor="clock", command_id=_command_id(each))
        async with self._database.write() as connection:
            for each in news:
                await notifications.noted(connection, each.id, each.news_at)

    async def _holds_lease(self) -> bool:
        return await leases.hold(self._database, LEASE, self._holder, LEASE_MICROSECONDS)


def _command(news: News) -> NoteMessage:
    return NoteMessage(
        subject_id=news.subject_id,
        version=news.subject_version,
        kind=news.kind,
        way=news.channel,
        problem=news.problem,
        at=news.news_at,
    )


def _command_id(news: News) -> str:
    return f"message:{news.id}:{news.news_at}"
