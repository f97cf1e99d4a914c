"""Tasks that plan and send notifications."""

from __future__ import annotations

from celery import shared_task

from server.notifying.plan import plan_notifications
from server.notifying.send import send_notification
from workers.process import run


@shared_task(name="notifications.plan", ignore_result=True)  # type: ignore[untyped-decorator]
def plan() -> None:
    """Plan notifications, and queue a task for each row to send. A lost or repeated task does no harm."""
    for notification_id in run(plan_notifications):
        send.delay(notification_id)


@shared_task(name="notifications.send", ignore_result=True, acks_late=True)  # type: ignore[untyped-decorator]
def send(notification_id: int) -> None:
    """Send the notification of one row."""
    run(lambda context: send_notification(context, notification_id))
