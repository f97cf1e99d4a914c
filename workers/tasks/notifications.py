"""The task that wakes a worker."""

from __future__ import annotations

from celery import shared_task

from workers import process


@shared_task(name="notifications.sweep", ignore_result=True)  # type: ignore[untyped-decorator]
def sweep() -> None:
    """Wake the sweeper of this process. A lost or repeated task does no harm: the rows and their lease decide."""
    process.wake()
