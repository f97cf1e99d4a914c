"""Planning of the future: after other settings of a site, its appointments get other messages."""

from __future__ import annotations

from server.notifying.context import Context
from server.store import planned_messages

AT_ONCE = 200  # appointments in one transaction


async def plan_again(context: Context, at_once: int = AT_ONCE) -> int:
    """Plan the messages again for every site with other settings; return the number of its appointments.

    Raises `Unavailable`. A later call goes on where this one ended.
    """
    database, done = context.database, 0
    while True:
        async with database.read() as connection:
            waiting = await planned_messages.plans(connection)
        if not waiting:
            return done
        for plan in waiting:
            now = await database.now()
            async with database.write() as connection:
                done += await connection.run_sync(planned_messages.plan_again, plan, context.vault, now, at_once)
