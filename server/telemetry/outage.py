"""The log lines of a dependency that fails for a while: one when it begins, a summary a minute, and one when it ends."""

from __future__ import annotations

import time
from typing import Any

SUMMARY_SECONDS = 60.0


class Outage:
    """Logs the failures of one dependency or periodic task without a line for each failure.

    ``what`` names the effect: ``heads not read``.
    """

    def __init__(self, logger: Any, what: str) -> None:
        self._logger = logger
        self._what = what
        self._began_at: float | None = None
        self._failed_at = 0.0
        self._summary_at = 0.0
        self._failures = 0

    @property
    def quiet_seconds(self) -> float:
        """The seconds since the last failure."""
        return time.monotonic() - self._failed_at

    def failed(self, error: Exception | None = None, **about: Any) -> None:
        """Count a failure. Log the first one, and a summary once a minute."""
        self._failed_at = now = time.monotonic()
        if error is not None:
            about["error"] = repr(error)
        if self._began_at is None:
            self._began_at, self._failures = now, 0
            self._logger.warning(self._what, **about)
            self._summary_at = now + SUMMARY_SECONDS
        self._failures += 1
        if now >= self._summary_at:
            self._summary_at = now + SUMMARY_SECONDS
            self._logger.warning(f"{self._what}, still", **self._so_far(now), **about)

    def ended(self) -> None:
        """Log the end, if there was a failure."""
        if self._began_at is not None:
            self._logger.info(f"{self._what}: over", **self._so_far(time.monotonic()))
            self._began_at = None

    def _so_far(self, now: float) -> dict[str, Any]:
        assert self._began_at is not None
        return {"failures": self._failures, "seconds": round(now - self._began_at, 1)}
