"""A certificate for the loopback address, signed by itself."""

from __future__ import annotations

from pathlib import Path

from server.installation.certificates import make


def certificate(folder: Path, days: float = 1) -> tuple[Path, Path]:
    """Make a certificate for the loopback address; return its file and its key's. ``days`` < 0: it has ended."""
    return make(folder, ["127.0.0.1"], days)
