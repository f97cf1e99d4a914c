"""Installations on each database engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.databases import fresh_database
from tests.support.server import environment


@contextmanager
def installed(request: pytest.FixtureRequest, engine: str, folder: Path) -> Iterator[dict[str, str]]:
    """Yield the environment of an installation with a new database: ``sqlite`` in ``folder``, or ``mysql`` on a server."""
    if engine == "sqlite":
        yield environment(f"sqlite+aiosqlite:///{folder / 'x.db'}")
        return
    with fresh_database(request.getfixturevalue("database_server")) as url:
        yield environment(url)
