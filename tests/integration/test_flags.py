"""Flags: an operator's rule in the database switches a capability for some sites, without a restart, and is audited."""

from __future__ import annotations

import json
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import update

from server import housekeeping
from server.app import build_app
from server.domain.errors import Unavailable
from server.domain.flags import FLAGS, PATIENT_PUSH, EvaluationContext
from server.queries import flags, system
from server.queries.flags import BadFlags, KeptFlags
from server.queries.system import Facts
from server.settings import Settings
from server.store import flags as store
from server.store import tables
from server.store.database import Database
from server.store.flags import FlagRow
from tests.support import rows
from tests.support.processes import free_port, running, wait_until
from tests.support.server import KEYS, Server, command_line, environment, seed, serving

FACTS = Facts(bus_problem=None, encrypted=True, exposed=True, limited=True)
DAY = 86_400_000_000
UNKNOWN = (
    "INSERT INTO flags VALUES ('gone-with-1.2', '{\"variant\": \"on\"}', 'on', 'operator', 'a trial', 1, 9000000000000000)"
)
MALFORMED = "INSERT INTO flags VALUES ('patient-push', '{\"variant\": 1}', 'on', 'operator', 'a trial', 1, 9000000000000000)"


def a_row(key: str = PATIENT_PUSH.key, rule: str = '{"variant": "off"}', expires_at: int = 1 << 60) -> FlagRow:
    return FlagRow(key, rule, "on", "operator", "a trial", 1, expires_at)


async def put(database: Database, *found: FlagRow) -> None:
    async with database.write() as connection:
        for each in found:
            await store.put(connection, each)


def done(env: dict[str, str], *arguments: str) -> str:
    """Run a command that succeeds, and return its output."""
    ended = command_line(env, *arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


# The command line


def test_operator_sets_lists_and_clears_a_rule(database_url: str) -> None:
    env = environment(database_url)
    site_id = seed(env, points=1, tickets=0, displays=0)["site_id"]
    assert "default on" in done(env, "flag", "list")
    rule = ("--sites", str(site_id), "--percent", "25", "--until", "30d", "--reason", "a trial: see ticket 12")
    assert f"off at 25 % of the sites and at {site_id}; on elsewhere" in done(
        env, "flag", "set", "patient-push", "off", *rule
    )
    listed = json.loads(done(env, "flag", "list", "--json"))
    assert set(listed) == set(FLAGS)
    shown = listed["patient-push"]
    assert shown["state"] == shown["rule"] == f"off at 25 % of the sites and at {site_id}; on elsewhere"
    assert (shown["author"], shown["reason"], shown["default_then"]) == ("operator", "a trial: see ticket 12", "on")
    assert "Flags with a rule of an operator: patient-push." in done(env, "check")
    done(env, "flag", "set", "patient-push", "on", "--until", "1d", "--reason", "over")
    assert rows.rows(env, "SELECT rule, author, reason FROM flags") == [('{"variant": "on"}', "operator", "over")]
    assert "has no rule any more" in done(env, "flag", "clear", "patient-push")
    assert "nothing to clear" in done(env, "flag", "clear", "patient-push")
    assert rows.rows(env, "SELECT rule FROM flags") == []
    audited = rows.rows(
        env, "SELECT action, actor, subject, detail FROM audit WHERE subject LIKE 'flag:%' ORDER BY chain_id, n"
    )
    assert sorted(audited, key=str) == sorted(
        [
            ("set-flag", "operator", "flag:patient-push", f"off at 25 % of the sites and at {site_id}; on elsewhere"),
            ("set-flag", "operator", "flag:patient-push", "on"),
            ("clear-flag", "operator", "flag:patient-push", None),
        ],
        key=str,
    )
    assert "0 are broken" in done(env, "audit", "verify")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("no-such-flag", "on"), "no flag of this version: patient-push"),
        (("patient-push", "maybe"), "maybe"),
        (("patient-push", "on", "--percent", "101"), "equal to 100"),
        (("patient-push", "on", "--sites", "x"), "numbers of sites"),
        (("patient-push", "on", "--sites", "99"), "no such site: 99"),
        (("patient-push", "on", "--sites", "7", "--except", "7"), "names sites of"),
        (("patient-push", "on", "--until", "2001-01-01"), "days ahead"),
        (("patient-push", "on", "--until", "0d"), "days ahead"),
        (("patient-push", "on", "--until", "367d"), "days ahead"),
        (("patient-push", "on", "--until", "soon"), "number of days"),
        (("patient-push", "on", "--reason", ""), "characters"),
    ],
)
def test_wrong_rule_is_refused_and_changes_nothing(
    migrated: dict[str, str], arguments: tuple[str, ...], problem: str
) -> None:
    usual = {"--until": "30d", "--reason": "a trial"}
    more = [part for option, value in usual.items() if option not in arguments for part in (option, value)]
    refused = command_line(migrated, "flag", "set", *arguments, *more)
    assert refused.returncode == 2
    assert problem in refused.stderr.replace("│", "").replace("\n", " ").replace("  ", " ")
    assert rows.rows(migrated, "SELECT rule FROM flags") == []


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    env = environment(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('flags')}/x.db", COLUMNS="200")
    done(env, "migrate")
    return env


# The start


@pytest.mark.parametrize(
    ("statement", "key", "problem"),
    [
        (UNKNOWN, "gone-with-1.2", "names no flag of this version"),
        (MALFORMED, "patient-push", "has a rule that has no variant on or off"),
    ],
)
def test_unusable_row_stops_the_start_and_names_the_remedy(
    database_url: str, tmp_path: Path, statement: str, key: str, problem: str
) -> None:
    env = environment(database_url)
    seed(env, points=1, tickets=0, displays=0)
    rows.change(env, statement)
    stopped = command_line(env, "serve", "--port", str(free_port()))
    assert stopped.returncode == 1
    assert f"The flag row `{key}` {problem}. Run `nowserving flag clear {key}`." in stopped.stderr
    assert key in command_line(env, "migrate").stderr, "told before the first server of this version starts"
    listed = command_line(env, "flag", "list")
    assert listed.returncode == 1
    assert problem in listed.stdout
    checked = command_line(env, "check")
    assert checked.returncode == 1
    assert f"Flags that this version cannot use: {key}." in checked.stderr
    done(env, "flag", "clear", key)
    with serving(env, tmp_path) as server:
        assert httpx.get(f"{server.url}/health/ready").status_code == 200


def test_unusable_row_stops_the_start_of_a_worker(mysql_url: str, redis_url: str, tmp_path: Path) -> None:
    env = environment(mysql_url, redis_url, NOWSERVING_RECORDING_PATH=str(tmp_path / "sent"))
    seed(env, points=1, tickets=0, displays=0)
    rows.change(env, UNKNOWN)
    log = tmp_path / "worker.log"
    with running([sys.executable, "-m", "server.cli", "worker", "--concurrency", "1"], log, env) as worker:
        assert worker.wait(120) == 1, log.read_text()[-3000:]
    assert "Run `nowserving flag clear gone-with-1.2`." in log.read_text()


async def test_application_without_the_command_line_does_not_start_either(database: Database, database_url: str) -> None:
    await put(database, a_row("gone"), a_row(rule="{"))
    app = build_app(Settings(database_url=SecretStr(database_url)), KEYS)
    with pytest.raises(BadFlags) as raised:
        async with app.router.lifespan_context(app):
            pytest.fail("it has started")
    assert str(raised.value).splitlines() == [
        "The flag row `gone` names no flag of this version. Run `nowserving flag clear gone`.",
        "The flag row `patient-push` has a rule that is no JSON. Run `nowserving flag clear patient-push`.",
    ]


# Running processes


def offered(server: Server, token: str) -> bool:
    return bool(httpx.get(f"{server.url}/api/v1/tickets/{token}/push").json()["key"] is not None)


def overridden(server: Server) -> bool:
    return 'nowserving_flag_overrides{flag="patient-push"} 1.0' in httpx.get(f"{server.url}/metrics").text


def follow(server: Server, token: str, *, on: bool) -> None:
    """Wait until a server has read the rules again."""
    wait_until(lambda: offered(server, token) is on, "the rule", server.process)


def test_two_running_servers_follow_a_rule_for_a_site(mysql_url: str, redis_url: str, tmp_path: Path) -> None:
    env = environment(mysql_url, redis_url)
    first, other = seed(env, points=1, tickets=1, displays=0), seed(env, points=1, tickets=1, displays=0)
    mine, theirs = (each["tickets"][0]["token"] for each in (first, other))
    with serving(env, tmp_path, name="a") as one, serving(env, tmp_path, name="b") as two:
        for seeded in (first, other):
            with one.client(one.sign_in(seeded, "admin")) as admin:
                ways = {"site_id": seeded["site_id"], "message_ways": ["push"]}
                assert admin.post("/api/v1/commands/change-site", json=ways).status_code == 200
                made = admin.put("/api/v1/channels/push/push", json={"contact": "it@clinic.example"})
                assert made.status_code == 200, made.text
        assert [offered(each, token) for each in (one, two) for token in (mine, theirs)] == [True] * 4
        assert not overridden(one)
        off = ("--sites", str(first["site_id"]), "--until", "1d", "--reason", "phones of this site ring twice")
        done(env, "flag", "set", "patient-push", "off", *off)
        for server in (one, two):
            follow(server, mine, on=False)
            assert offered(server, theirs), "the rule is about another site"
            assert overridden(server)
        rows.change(env, UNKNOWN)  # a newer version has set it: a running server goes on
        done(env, "flag", "clear", "patient-push")
        for server in (one, two):
            follow(server, mine, on=True)
            assert not overridden(server)
            assert "gone-with-1.2" in server.log.read_text()


class Away:
    """A database that cannot be reached any more."""

    def __init__(self, database: Database) -> None:
        self.clock = database.clock

    @asynccontextmanager
    async def read(self) -> Any:
        raise Unavailable()
        yield

    async def now(self) -> int:
        raise Unavailable()


async def test_last_rules_stay_while_the_database_is_away_until_they_expire(database: Database) -> None:
    now = 1_000
    kept = KeptFlags(lambda: now)
    await put(database, a_row(expires_at=2_000))
    await kept.update(database)
    with pytest.raises(Unavailable):
        await kept.update(Away(database))
    assert not kept.is_on(PATIENT_PUSH, 7)
    assert kept.evaluate(PATIENT_PUSH, EvaluationContext()).reason == "STATIC"
    others = dict.fromkeys(FLAGS.keys() - {PATIENT_PUSH.key}, False)
    assert kept.overridden() == {"patient-push": True} | others
    now = 2_000
    assert kept.is_on(PATIENT_PUSH, 7)
    assert kept.evaluate(PATIENT_PUSH, EvaluationContext()).reason == "DISABLED"
    assert kept.overridden() == {"patient-push": False} | others


async def test_process_starts_with_the_defaults_before_the_tables_are_there(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.exec_driver_sql("DROP TABLE flags")
    kept = KeptFlags(database.clock.now)
    await housekeeping.begin_flags(database, kept)
    assert kept.evaluate(PATIENT_PUSH, EvaluationContext.of_site(7)).reason == "DEFAULT"


async def test_row_that_becomes_unusable_gives_the_flag_its_default(database: Database) -> None:
    kept = KeptFlags(database.clock.now)
    await put(database, a_row())
    await kept.begin(database)
    assert not kept.is_on(PATIENT_PUSH, 7)
    async with database.write() as connection:
        await connection.execute(update(tables.flags).values(rule='{"variant": "of"}'))
    await kept.update(database)
    found = kept.evaluate(PATIENT_PUSH, EvaluationContext.of_site(7))
    assert (found.variant, found.reason, found.error_code) == ("on", "ERROR", "PARSE_ERROR")


# The state of the system


async def flag_check(database: Database) -> tuple[str, str, str]:
    (found,) = (each for each in await system.checks(database, FACTS) if each.name == "flags")
    assert found.remedy or found.state == "ok"
    return found.code, found.state, found.values.get("names", "")


async def test_state_list_names_the_flags(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    now = await database.now()
    assert await flag_check(database) == ("flags_none", "ok", "")
    await put(database, a_row(expires_at=now + DAY))
    assert await flag_check(database) == ("flags_ok", "ok", "patient-push")
    await put(database, a_row(expires_at=now - 1))
    assert await flag_check(database) == ("flags_expired", "warning", "patient-push")
    assert {each.problem for each in await flags.every(database)} == {None}
    await put(database, a_row("gone"))
    assert await flag_check(database) == ("flags_unusable", "broken", "gone")
    async with database.write() as connection:
        for key in ("gone", "patient-push"):
            await store.clear(connection, key)
    monkeypatch.setattr(system, "FLAGS", {"patient-push": replace(PATIENT_PUSH, remove_by="2001-01-01")})
    assert await flag_check(database) == ("flags_overdue", "warning", "patient-push")
