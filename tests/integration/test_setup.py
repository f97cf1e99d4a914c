"""The first run: the operator, who reads the server's terminal, makes the first administrator."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from sqlalchemy import URL, func, select, update

from server.audit import Audit
from server.domain.commands import CallNext, Complete, EndTrial, Hold, IssueTicket, Start
from server.domain.errors import NameTaken, NowServingError
from server.domain.reporting.statistics import Report
from server.identity.access_tokens import AccessTokens
from server.identity.errors import (
    PasswordTooCommon,
    SetupClosed,
    SetupCodeEnded,
    SetupCodeMissing,
    SetupCodeWrong,
    UserNameMixesScripts,
)
from server.identity.first_run import FirstRun, new_setup_code
from server.identity.hashing import Hashing
from server.identity.lockout import Lockout, Origin
from server.identity.sign_in import SignedIn
from server.identity.staff import StaffAccounts
from server.installation.addresses import address_on_network
from server.provisioning import NewSites, create_site
from server.queries import statistics
from server.queries.boards import Boards
from server.queries.identity import SessionTerms
from server.queries.statistics import OpenEntry
from server.queries.verification import verify_rows
from server.seeding import Seeder
from server.store import tables
from server.store.database import Database
from server.transport.pages import PAGES
from tests.support import databases
from tests.support.engines import installed
from tests.support.first_run import printed_address
from tests.support.passwords import quick_passwords
from tests.support.processes import wait_until
from tests.support.rows import rows
from tests.support.server import Server, command_line, environment, serving
from tests.support.vaults import VAULT

pytestmark = pytest.mark.measured

PASSWORD = "river candle ninety moss"
SETUP, SITES = "/api/v1/setup", "/api/v1/sites"
HERE = Origin("198.51.100.7")
MINUTE = 60_000_000
T = TypeVar("T")


class CountedHashing(Hashing):
    """The hashing of one process, with the number of its passwords."""

    def __init__(self) -> None:
        super().__init__()
        self.passwords = 0

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        self.passwords += 1
        return await super().run(work, *arguments)


class Process:
    """The first run as one process of an installation has it."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.hashing = CountedHashing()
        self.audit = Audit(self.database, VAULT, "test")
        tokens = AccessTokens("a secret of the tests, with enough bytes", self.database.clock.seconds)
        lockout = Lockout(self.database, VAULT)
        self.first_run = FirstRun(self.database, VAULT, self.audit, lockout, tokens, SessionTerms(), self.hashing)

    async def code(self) -> str:
        return await new_setup_code(self.database, VAULT)

    async def set_up(self, code: str | None, username: str = "ada", password: str = PASSWORD) -> SignedIn:
        return await self.first_run.create_admin(code, username, password, HERE)


@pytest.fixture
async def one(database: Database) -> AsyncIterator[Process]:
    with quick_passwords():
        process = Process(database.url.render_as_string(hide_password=False))
        yield process
        await process.database.close()


@pytest.fixture
async def other(database: Database) -> AsyncIterator[Process]:
    """Another process of the same installation."""
    process = Process(database.url.render_as_string(hide_password=False))
    yield process
    await process.database.close()


async def refused(work: Any, error: type[NowServingError]) -> NowServingError:
    with pytest.raises(error) as caught:
        await work
    return caught.value


async def test_code_makes_one_administrator_who_is_signed_in(one: Process) -> None:
    code = await one.code()
    assert await one.first_run.is_open()
    made = await one.set_up(f" {code.lower()} ")
    member = made.tokens.member
    assert (member.username, member.role) == ("ada", "admin")
    assert not await one.first_run.is_open()
    await refused(one.set_up(code, "bea"), SetupClosed)
    await refused(one.code(), SetupClosed)
    async for table in verify_rows(one.database, VAULT):
        assert not table.problems


async def test_two_requests_with_the_right_code_make_one_administrator(one: Process, other: Process) -> None:
    """Both processes have hashed the password before either writes."""
    for turn in range(5):
        code = await one.code()
        asked = (one.set_up(code, f"ada-{turn}"), other.set_up(code, f"bea-{turn}"))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert sorted(type(each).__name__ for each in answers) == ["SetupClosed", "SignedIn"]
        async with one.database.write() as connection:
            counted = select(func.count()).select_from(tables.staff).where(tables.staff.c.active)
            assert await connection.scalar(counted) == 1
            await connection.execute(update(tables.staff).values(active=False))
        one.first_run._closed = other.first_run._closed = False


async def test_without_the_right_code_no_password_is_hashed(one: Process) -> None:
    code = await one.code()
    await refused(one.set_up(None), SetupCodeMissing)
    await refused(one.set_up(""), SetupCodeMissing)
    wrong = await refused(one.set_up("AAAA-AAAA"), SetupCodeWrong)
    assert wrong.details == {"left": 4}, "a request without a code is no try"
    assert one.hashing.passwords == 0
    await one.set_up(code)
    assert one.hashing.passwords == 1
    await refused(one.set_up(code), SetupClosed)
    assert one.hashing.passwords == 1


async def test_five_wrong_tries_in_any_process_end_the_code(one: Process, other: Process) -> None:
    code = await one.code()
    for left, process in ((4, one), (3, other), (2, one), (1, other)):
        wrong = await refused(process.set_up("AAAA-AAAA"), SetupCodeWrong)
        assert wrong.details == {"left": left}
    await refused(one.set_up("AAAA-AAAA"), SetupCodeEnded)
    await refused(other.set_up(code), SetupCodeEnded)
    assert one.hashing.passwords == other.hashing.passwords == 0
    assert await one.set_up(await other.code())


async def test_concurrent_guesses_get_no_more_than_five_tries(one: Process, other: Process) -> None:
    await one.code()
    guesses = [process.set_up("AAAA-AAAA") for process in (one, other) for _ in range(8)]
    answers = Counter(type(each) for each in await asyncio.gather(*guesses, return_exceptions=True))
    assert answers == {SetupCodeWrong: 4, SetupCodeEnded: 12}


async def test_code_ends_after_thirty_minutes(one: Process) -> None:
    code = await one.code()

    async def pass_by(minutes: int) -> None:
        async with one.database.write() as connection:
            expires_at = tables.setup_codes.c.expires_at
            await connection.execute(update(tables.setup_codes).values(expires_at=expires_at - minutes * MINUTE))

    await pass_by(29)
    await refused(one.set_up("AAAA-AAAA"), SetupCodeWrong)
    await pass_by(1)
    await refused(one.set_up(code), SetupCodeEnded)


async def test_new_code_ends_the_code_before_it(one: Process, other: Process) -> None:
    first = await one.code()
    second = await other.code()
    await refused(one.set_up(first), SetupCodeWrong)
    assert await one.set_up(second)


async def test_code_that_is_replaced_while_the_password_is_hashed_makes_no_administrator(one: Process) -> None:
    code = await one.code()
    hashed = one.hashing.hashed

    async def slow(password: str) -> str:
        await one.code()
        return await hashed(password)

    one.hashing.hashed = slow  # type: ignore[method-assign]
    await refused(one.set_up(code), SetupCodeEnded)
    assert await one.first_run.is_open()


async def test_refused_account_leaves_the_code_valid(one: Process) -> None:
    code = await one.code()
    await refused(one.set_up(code, password="password1234"), PasswordTooCommon)
    await refused(one.set_up(code, username="adа"), UserNameMixesScripts)  # noqa: RUF001
    assert one.hashing.passwords == 0
    assert await one.set_up(code)


async def test_administrator_of_the_command_line_closes_set_up_at_once(one: Process, other: Process) -> None:
    """Also for a request that has already shown the right code, and in a process that has seen set-up open."""
    code = await one.code()
    assert await other.first_run.is_open()
    site = await create_site(one.database, VAULT, "Riverside", "Riverside Clinic")
    accounts = StaffAccounts(one.database, VAULT, one.hashing)
    hashed = other.hashing.hashed

    async def meanwhile(password: str) -> str:
        made = await hashed(password)
        await accounts.add(site.organisation_id, "operator-made", PASSWORD, "admin", actor="operator")
        return made

    other.hashing.hashed = meanwhile  # type: ignore[method-assign]
    await refused(other.set_up(code), SetupClosed)
    await refused(one.set_up(code), SetupClosed)
    assert not await one.first_run.is_open()
    assert not await other.first_run.is_open()


async def test_other_staff_of_the_command_line_leave_set_up_open(one: Process) -> None:
    """The first administrator joins the organisation that the operator has made."""
    code = await one.code()
    site = await create_site(one.database, VAULT, "Riverside", "Riverside Clinic")
    accounts = StaffAccounts(one.database, VAULT, one.hashing)
    await accounts.add(site.organisation_id, "rita", PASSWORD, "receptionist", actor="operator")
    await refused(one.set_up(code, "rita"), NameTaken)
    made = await one.set_up(code)
    assert made.tokens.member.organisation_id == site.organisation_id


async def test_first_site_names_the_organisation(one: Process) -> None:
    made = await one.set_up(await one.code())
    organisation_id = made.tokens.member.organisation_id
    new_sites = NewSites(one.database, VAULT, one.audit)

    async def add(name: str) -> Any:
        more = ("en", "es", "AR")
        return await new_sites.add(
            organisation_id, name, time_zone="Europe/Madrid", language="ES", more_languages=more, actor="staff:1"
        )

    added = await asyncio.gather(add("Clínica Sol"), add("Clínica Sol"), return_exceptions=True)
    assert sorted(type(each).__name__ for each in added) == ["NameTaken", "Site"], "a double click makes one site"
    (site,) = (each for each in added if not isinstance(each, BaseException))
    assert (site.language, site.rules.languages, site.rules.region) == ("es", ("en", "ar"), "ES")
    await add("Clínica Luna")
    async with one.database.read() as connection:
        names = await connection.scalars(select(tables.organisations.c.name))
        assert list(names) == ["Clínica Sol"], "a later site renames nothing"
    async for table in verify_rows(one.database, VAULT):
        assert not table.problems


# The trial


async def test_figures_are_the_same_with_and_without_test_patients(setup: Seeder) -> None:
    """A served, a called and a waiting test patient are in no figure of the day, and in no estimate."""
    seed = await setup.seed(points=1, tickets=3, displays=1)
    (queue_id, *_), (point_id,) = seed["queue_ids"], seed["point_ids"]

    async def serve() -> None:
        called = (await setup.do(CallNext(point_id=point_id)))["entry"]["id"]
        await setup.do(Start(entry_id=called))
        await setup.do(Complete(entry_id=called))

    async def figures() -> tuple[Report, list[OpenEntry], Any]:
        named, _, still = await statistics.of_day(setup.database, seed["site_id"], None)
        configured = await Boards(setup.database).board(seed["site_id"])
        return named.report, still, configured.queues[queue_id].durations

    for _ in range(2):
        await serve()
    before = await figures()
    assert before[0].whole.total.entries == 3
    await setup.do(Hold(entry_id=before[1][0].id))
    before = await figures()
    for _ in range(3):
        await setup.do(IssueTicket(queue_id=queue_id, trial=True))
    await serve()
    await setup.do(CallNext(point_id=point_id))
    assert await figures() == before
    await setup.do(EndTrial(site_id=seed["site_id"]))
    assert await figures() == before


# The server and the command line


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def env(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with installed(request, request.param, tmp_path_factory.mktemp("setup-database")) as env:
        yield env


@pytest.fixture(scope="module")
def server(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    migrated = command_line(env, "migrate")
    assert migrated.returncode == 0, migrated.stderr
    with serving(env, tmp_path_factory.mktemp("setup")) as server:
        yield server


def test_server_and_command_line_lead_to_the_first_administrator(env: dict[str, str], server: Server) -> None:
    printed = re.findall(r"http://127\.0\.0\.1:(\d+)/welcome#code=([A-Z0-9]{4}-[A-Z0-9]{4})\n", server.log.read_text())
    assert [int(port) for port, _ in printed] == [server.port], "the server prints its address once"
    with server.client() as client:

        def set_up(code: str | None) -> httpx.Response:
            body = {"username": "ada", "password": PASSWORD} | ({} if code is None else {"code": code})
            answer = client.post(SETUP, json=body)
            assert answer.headers["cache-control"] == "no-store"
            return answer

        for path in PAGES:
            asked = client.get(re.sub(r"\{[^}]*\}", "1", path))
            if path == "/welcome":
                assert asked.status_code == 200
            else:
                assert (asked.status_code, asked.headers["location"]) == (303, "/welcome"), path
                assert asked.headers["cache-control"] == "no-store"
        opened = client.get(SETUP)
        assert (opened.json(), opened.headers["cache-control"]) == ({"open": True}, "no-store")
        missing = set_up(None)
        assert (missing.status_code, missing.json()["error"]["code"]) == (403, "setup_code_missing")
        again = command_line(env, "setup-code")
        found = re.search(r"[A-Z0-9]{4}-[A-Z0-9]{4}", again.stdout)
        assert found, again
        earlier = set_up(printed[0][1])
        assert (earlier.status_code, earlier.json()["error"]["code"]) == (403, "setup_code_wrong")
        assert found[0] not in str(rows(env, "SELECT * FROM setup_codes")), "the database has only a hash"
        made = set_up(found[0])
        assert made.status_code == 201, made.text
        assert made.json()["user"]["role"] == "admin"
        assert {"nowserving_access", "nowserving_refresh", "nowserving_browser"} <= set(client.cookies)
        who = client.get("/api/v1/session").json()
        assert (who["user"]["username"], who["sites"]) == ("ada", [])
        closed = set_up(found[0])
        assert (closed.status_code, closed.json()["error"]["code"]) == (404, "setup_closed")
        assert client.get(SETUP).json() == {"open": False}
        assert client.get("/reception").status_code == 200
        refused_code = command_line(env, "setup-code")
        assert refused_code.returncode == 1
        assert "administrator already" in refused_code.stderr

        site = {"name": "Riverside Clinic", "time_zone": "Europe/London", "language": "en"}
        strange = client.post(SITES, json=site | {"time_zone": "Europe/Atlantis"})
        assert (strange.status_code, strange.json()["error"]["code"]) == (422, "invalid_field")
        added = client.post(SITES, json=site)
        assert added.status_code == 201, added.text
        assert client.get("/api/v1/session").json()["sites"] == [added.json()]
        assert client.get(f"{SITES}/{added.json()['id']}/board").status_code == 200
    refusals = "SELECT detail FROM audit WHERE allowed = 0 AND action = 'set-up'"
    wait_until(lambda: len(rows(env, refusals)) == 3, "the audit of each refused attempt", server.process)
    assert {detail for (detail,) in rows(env, refusals)} == {"setup_closed", "setup_code_missing", "setup_code_wrong"}
    assert rows(env, "SELECT actor FROM audit WHERE action = 'new-setup-code'") == [("operator",)] * 2
    assert rows(env, "SELECT actor, allowed FROM audit WHERE action = 'set-up' AND allowed = 1") == [("staff:1", 1)]


def test_several_workers_print_one_code_that_all_accept(database_server: URL, redis_url: str, tmp_path: Path) -> None:
    with databases.fresh_database(database_server) as url:
        env = environment(url, redis_url)
        assert command_line(env, "migrate").returncode == 0
        with serving(env, tmp_path, "--workers", "2") as server:
            codes = re.findall(r"welcome#code=([A-Z0-9-]{9})\n", server.log.read_text())
            assert len(codes) == 1
            left = []
            for _ in range(4):  # each on a connection of its own, which any worker may accept
                with server.client() as client:
                    wrong = client.post(SETUP, json={"code": "AAAA-AAAA", "username": "ada", "password": PASSWORD})
                left.append(wrong.json()["error"]["details"]["left"])
            assert left == [4, 3, 2, 1]
            with server.client() as client:
                made = client.post(SETUP, json={"code": codes[0], "username": "ada", "password": PASSWORD})
            assert made.status_code == 201, made.text


@pytest.mark.parametrize("engine", ["sqlite", "mysql"])
def test_concurrent_requests_make_one_administrator(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Four requests with the right code at the same moment. On MySQL, two server processes take them."""
    with ExitStack() as stack:
        env = stack.enter_context(installed(request, engine, tmp_path))
        workers = []
        if engine == "mysql":
            env["NOWSERVING_REDIS_URL"] = request.getfixturevalue("redis_url")
            workers = ["--workers", "2"]
        assert command_line(env, "migrate").returncode == 0
        server = stack.enter_context(serving(env, tmp_path, *workers))
        code = printed_address(server).partition("#code=")[2]
        clients = [stack.enter_context(server.client()) for _ in range(4)]
        for each in clients:
            assert each.get(SETUP).json() == {"open": True}

        def set_up(number: int) -> httpx.Response:
            return clients[number].post(SETUP, json={"code": code, "username": f"ada-{number}", "password": PASSWORD})

        with ThreadPoolExecutor(len(clients)) as pool:
            answers = list(pool.map(set_up, range(len(clients))))
        assert sorted(each.status_code for each in answers) == [201, 404, 404, 404], [each.text for each in answers]
        assert {each.json()["error"]["code"] for each in answers if each.status_code == 404} == {"setup_closed"}
        winner = next(each.json()["user"]["username"] for each in answers if each.status_code == 201)
        assert rows(env, "SELECT username, role FROM staff") == [(winner, "admin")]
        assert rows(env, "SELECT COUNT(*) FROM sessions") == [(1,)]


def test_attempts_at_the_set_up_code_have_a_limit(tmp_path: Path) -> None:
    """Ten in a minute for one address; a refused request does not reach the code."""
    env = environment(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}", NOWSERVING_RATE_LIMITS="on")
    assert command_line(env, "migrate").returncode == 0
    with serving(env, tmp_path) as server, server.client() as client:

        def attempt(address: str, code: str | None = None) -> httpx.Response:
            body = {"username": "ada", "password": PASSWORD} | ({} if code is None else {"code": code})
            return client.post(SETUP, json=body, headers={"X-Forwarded-For": address})

        answers = [attempt("198.51.100.1") for _ in range(10)]
        assert {each.json()["error"]["code"] for each in answers} == {"setup_code_missing"}
        excess = attempt("198.51.100.1", "AAAA-AAAA")
        assert (excess.status_code, excess.json()["error"]["code"]) == (429, "too_many_requests")
        assert 1 <= int(excess.headers["retry-after"]) <= 60
        assert excess.headers["x-ratelimit-limit"] == "10"
        assert rows(env, "SELECT wrong_tries FROM setup_codes") == [(0,)]
        assert client.get(SETUP, headers={"X-Forwarded-For": "198.51.100.1"}).json() == {"open": True}
        code = printed_address(server).partition("#code=")[2]
        assert attempt("198.51.100.2", code).status_code == 201


def test_server_for_the_network_prints_its_address_there(tmp_path: Path) -> None:
    env = environment(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    assert command_line(env, "migrate").returncode == 0
    with serving(env, tmp_path, "--host", "0.0.0.0") as server:
        printed = re.findall(r"(http://\S+)/welcome#code=", server.log.read_text())
        network = address_on_network("0.0.0.0", server.port)
        assert printed == [server.url] if network is None else printed == [server.url, network]
