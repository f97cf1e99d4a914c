"""Messages that did not reach their patients, as rows that a running server then notes at its desks."""

from __future__ import annotations

import time
from collections.abc import Mapping

from tests.support.rows import change

_INSERT = """
    INSERT INTO notifications (site_id, subject, subject_version, kind, ahead, channel, entry_id, appointment_id, state,
        reason, due_at, changed_at, not_after, attempts, resend_of, news_at)
    VALUES (:site_id, :subject, :version, :kind, :ahead, 'sms', :entry_id, :appointment_id, :state,
        :reason, :at, :at, :at, 1, 0, :at)
"""


def message_ended(
    env: Mapping[str, str],
    site_id: int,
    kind: str,
    *,
    entry_id: int | None = None,
    appointment_id: int | None = None,
    version: int = 1,
    state: str = "failed",
    reason: str | None = "address",
) -> None:
    """Add a message that has just ended, about an entry or an appointment."""
    at = time.time_ns() // 1000
    subject = f"entry:{entry_id}" if appointment_id is None else f"appointment:{appointment_id}"
    values = {"entry_id": entry_id, "appointment_id": appointment_id, "version": version, "state": state, "reason": reason}
    change(env, _INSERT, site_id=site_id, subject=subject, kind=kind, ahead=at % 1_000_000_000, at=at, **values)
