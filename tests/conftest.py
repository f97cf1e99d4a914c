"""Fixtures: real databases and a real Redis, private to this run."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from sqlalchemy import URL

from server.audit import Audit
from server.execute import Executor
from server.seeding import Seeder
from server.store.database import Database
from server.vault import Vault
from tests.support import databases, extent
from tests.support.measuring import measured_at_first, spare_database_threads
from tests.support.migrated import bring_up
from tests.support.passwords import quick_passwords
from tests.support.redis import redis
from tests.support.vaults import VAULT

TESTS = Path(__file__).parent

# A request of a test without a limit of its own ends after a minute, not after the five seconds of the library.
for part in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, part, 60.0)


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """Yield the URL of a server of the MySQL family: the one that the environment names, or a private MariaDB."""
    named = databases.named_server()
    if named is not None:
        yield named
        return
    with databases.mariadb(tmp_path_factory.mktemp("mariadb")) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a private Redis."""
    with redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def mysql_url(database_server: URL) -> Iterator[str]:
    """Yield the URL of an empty database on the server of the MySQL family."""
    with databases.fresh_database(database_server) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Return the URL of an embedded database that does not exist yet."""
    return f"sqlite+aiosqlite:///{tmp_path / 'nowserving.db'}"


@pytest.fixture(params=["sqlite", "mysql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty database, on each engine in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Yield a database with its tables, on each engine in turn."""
    database = Database(database_url)
    await bring_up(database)
    yield database
    await database.close()


@pytest.fixture
def vault() -> Vault:
    """Return a vault with its own keys."""
    return VAULT


@pytest.fixture
def setup(database: Database, vault: Vault) -> Iterator[Seeder]:
    """Yield a seeder of the database."""
    with quick_passwords():
        yield Seeder(database, Executor(database, vault, publish=lambda *_: None))


@pytest.fixture
async def kept(database: Database, vault: Vault) -> AsyncIterator[Audit]:
    """Yield the audit of a process, which keeps what it is told."""
    kept = Audit(database, vault, "test:1")
    kept.start()
    yield kept
    await kept.stop()


@pytest.fixture(scope="module", autouse=True)
def _coverage_of_processes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Measure coverage of child processes in modules marked ``measured`` alone: it slows processes down."""
    spare_database_threads()
    with pytest.MonkeyPatch.context() as patch:
        if request.node.get_closest_marker("measured") is None:
            patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    """Measure coverage during the first moments of each test."""
    with measured_at_first():
        yield


# The order in which workers take the modules: slow tests with servers and browsers first, many short tests last. The
# stress run comes after the browsers: its cable is a new network interface, at which Chromium gives up what it loads.
FOLDERS = ("browser", "integration", "fuzz", "faults", "unit")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this extent does not try, and put the modules marked ``long`` first, except the stress run.

    The run would last longer if a worker began a long module when the others are about to end.
    """

    def turn(item: pytest.Item) -> tuple[bool, int]:
        folder = item.path.relative_to(TESTS).parts[0]
        return item.get_closest_marker("long") is None or folder == "faults", FOLDERS.index(folder)

    left_out = {item for item in items if extent.left_out(item)}
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=turn)


def pytest_configure() -> None:
    """Search no garbage during the collection: nearly all that it makes stays."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Keep what was imported and collected out of the searches of the garbage collector: each would walk all of it."""
    gc.freeze()
    gc.enable()


def pytest_report_header() -> str:
    """Name the extent of this run, and the seed of a sample."""
    return extent.header()
