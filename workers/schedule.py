"""The beat table: the tasks and their intervals, in seconds. Without beat, messages come a few seconds later."""

from __future__ import annotations

from typing import Any

SCHEDULE: dict[str, dict[str, Any]] = {
    "wake the sweepers": {"task": "notifications.sweep", "schedule": 5.0, "options": {"expires": 5}},
}
