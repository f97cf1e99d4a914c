"""Refusals that only identity knows."""

from __future__ import annotations

from server.domain.errors import NowServingError


class SignInLocked(NowServingError):
    """Too many wrong passwords: try again in {retry_after} s."""
