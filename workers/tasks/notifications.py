"""Tasks that plan and send notifications."""

from __future__ import annotations

from celery import shared_task

from server.notifying import sending
from workers.process import run


@shared_task(name="notifications.plan", ignore_result=True)  # type: ignore[untyped-decorator]
def plan() -> None:
    """Find who is to be told something now, and hand each row to a worker. Lost or doubled tasks do no harm."""
    for notification_id in run(sending.plan):
        send.delay(notification_id)


@shared_task(name="notifications.send", ignore_result=True, acks_late=True)  # type: ignore[untyped-decorator]
def send(notification_id: int) -> None:
    """Send one row."""
    run(lambda parts: sending.send(parts, notification_id))
