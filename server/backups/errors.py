"""Why a backup or a restore was not done."""

from __future__ import annotations


class BackupFailed(Exception):
    """A backup or a restore was not done. The message says why, and what to do. Nothing was changed or left behind."""
