"""Fixtures: real databases and a real Redis, private to this run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from server.execute import Executor
from server.seeding import Seeder
from server.store.database import Database
from server.vault import Vault
from tests.support import databases, extent
from tests.support.measuring import measured_for_a_while
from tests.support.migrated import bring_up
from tests.support.passwords import quick_passwords
from tests.support.redis import redis

TESTS = Path(__file__).parent


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """A server of the MySQL family: the named one, or a private MariaDB."""
    named = databases.named_server()
    if named is not None:
        yield named
        return
    with databases.mariadb(tmp_path_factory.mktemp("mariadb")) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A private Redis."""
    with redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def mysql_url(database_server: URL) -> Iterator[str]:
    """An empty database on the server of the MySQL family."""
    with databases.fresh_database(database_server) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An embedded database that does not exist yet."""
    return f"sqlite+aiosqlite:///{tmp_path / 'nowserving.db'}"


@pytest.fixture(params=["sqlite", "mysql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database, on each engine in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with its tables, on each engine in turn."""
    database = Database(database_url)
    await bring_up(database)
    yield database
    await database.close()


@pytest.fixture
def vault() -> Vault:
    """A vault with keys of its own."""
    return Vault([b"k" * 32], "the tests' secret key")


@pytest.fixture
def setup(database: Database, vault: Vault) -> Iterator[Seeder]:
    """Fills the database."""
    with quick_passwords():
        yield Seeder(database, Executor(database, vault, publish=lambda *_: None))


@pytest.fixture(scope="module", autouse=True)
def _processes_measured_where_wanted(request: pytest.FixtureRequest) -> Iterator[None]:
    """Coverage is measured on the processes of the modules that are marked so, and slows down no others."""
    with pytest.MonkeyPatch.context() as patch:
        if request.node.get_closest_marker("measured") is None:
            patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    """Coverage is measured on what each test does first."""
    with measured_for_a_while():
        yield


# The order in which workers take the modules: what waits for servers and browsers first, what is short and many last.
FOLDERS = ("faults", "browser", "integration", "fuzz", "unit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the modules marked ``long`` first, so that no worker begins one when the others are about to end."""

    def turn(item: pytest.Item) -> tuple[bool, int]:
        folder = item.path.relative_to(TESTS).parts[0]
        return item.get_closest_marker("long") is None, FOLDERS.index(folder)

    items.sort(key=turn)


def pytest_report_header() -> str:
    """Name the extent of this run, and the seed of a sample."""
    return extent.header()
