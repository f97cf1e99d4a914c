"""The settings: where they come from, and that a bad one stops the start by its name."""

from __future__ import annotations

import base64
import os
from dataclasses import fields
from pathlib import Path

import pytest
import typer

from server.app import request_limits
from server.cli import app
from server.installation.keys import BadKeys, Keys, decoded, make
from server.settings import BadSettings, Settings, find_keys, keys_of, load_settings, secret_files, unknown_names
from server.transport.access.limits import RequestLimits

SECRET = "8f2c6a1b9d3e4f70a5b6c7d8e9f01234acbd"
KEY = "tvy/c0E3OgNhkMXBAjwGIJHUXP2y+KAY/GgW24mHV2Y="
OTHER_KEY = "ows48AxW1MM+dbbeq6NZCzB5HI0oiGwjTWCR34mRCps="
PUBLIC_SECRET = "for development only: anybody can read this"  # of version 0.1.0
PUBLIC_KEY = base64.b64encode(b"for development only, not secret").decode()
PRODUCTION = {
    "ENV": "production",
    "SECRET_KEY": SECRET,
    "ENCRYPTION_KEYS": KEY,
    "ALLOWED_HOSTS": "queue.example.org",
}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("NOWSERVING_"):
            monkeypatch.delenv(name)


def configure(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"NOWSERVING_{name}", value)


def test_development_needs_nothing() -> None:
    settings = load_settings()
    assert settings.env == "development"
    assert settings.redis_url is None
    assert settings.named_keys is None
    assert settings.key_path == Path("var/nowserving.keys").absolute()
    assert settings.heartbeat_seconds == 15
    assert not settings.logs_json


def test_every_setting_is_documented() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith((".", ")"))


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(
        monkeypatch,
        DATABASE_URL="mysql+aiomysql://u:p@h/d",
        REDIS_URL="redis://h/1",
        DATABASE_POOL_SIZE="3",
        HEARTBEAT_SECONDS="0.5",
        ALLOWED_HOSTS=" a.example , b.example,,",
        CORS_ORIGINS="",
        SECRET_KEY=SECRET,
        ENCRYPTION_KEYS=f"{KEY}, {OTHER_KEY}",
        LOG_FORMAT="json",
    )
    settings = load_settings()
    assert settings.database_url.get_secret_value() == "mysql+aiomysql://u:p@h/d"
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "redis://h/1"
    assert (settings.database_pool_size, settings.heartbeat_seconds) == (3, 0.5)
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert settings.cors_origins == ()
    assert settings.named_keys == Keys(SECRET, (decoded(KEY), decoded(OTHER_KEY)))
    assert settings.logs_json


BAD = [
    ("WATCHDOG_MAIL", ["it", "it@", "@clinic.example", "it@clinic.example;ada@clinic.example", "a b@clinic.example"]),
    ("ENV", ["", "staging", "Production", "dev"]),
    ("SESSION_HOURS", ["", "0", "-1", "24.1", "inf", "nan", "long"]),
    ("ADMIN_IDLE_MINUTES", ["", "0", "-1", "60.1", "inf", "nan", "soon"]),
    ("DATABASE_POOL_SIZE", ["", "0", "-1", "201", "ten", "1.5", "nan", "9" * 30]),
    ("DATABASE_POOL_OVERFLOW", ["", "-1", "201", "ten", "1.5"]),
    ("DATABASE_POOL_WAIT_SECONDS", ["", "0", "-1", "60.1", "inf", "nan", "soon"]),
    ("DATABASE_POOL_RECYCLE_SECONDS", ["", "0", "-1", "86401", "inf", "nan", "soon"]),
    (
        "ENCRYPTION_KEYS",
        ["", ",", "not base64!", "c2hvcnQ=", base64.b64encode(b"x" * 31).decode(), f"{KEY},x", "ключ", KEY[:-2]],
    ),
    ("SECRET_KEY", ["", "   "]),
    ("REDIS_URL", ["redis+cluster://", "redis+cluster://one", "redis+cluster://one:6379/1"]),
    ("BROKER_URL", ["redis+cluster://one:6379", "one:6379"]),
    ("KEY_FILE", [""]),
    ("CERTIFICATE", [""]),
    ("METRICS_FOLDER", [""]),
    ("TRACES_URL", ["collector:4318", "ftp://collector/v1/traces"]),
    ("SENTRY_DSN", ["key@sentry.example"]),
    ("PUBLIC_URL", ["", "example.org", "ftp://example.org", "http://", "/path"]),
    *((f"LIMIT_{each.name.upper()}", ["", "0", "-1", "many"]) for each in fields(RequestLimits) if each.name != "blocked"),
    ("LIMIT_HEALTH", ["", "0", "-1", "many"]),
    ("BLOCKED_MINUTES", ["", "0", "1441", "long"]),
    ("METRICS_TOKEN", ["short"]),
    ("HEAD_SECONDS", ["", "0", "-1", "300.1", "inf", "nan", "soon"]),
    ("BODY_SECONDS", ["", "0", "-1", "300.1", "inf", "nan", "soon"]),
    ("HEARTBEAT_SECONDS", ["", "0", "-1", "300.1", "inf", "nan", "soon"]),
    ("STALLED_SECONDS", ["", "0", "-1", "600.1", "inf", "nan"]),
    ("FROZEN_SECONDS", ["", "-1", "3600.1", "inf", "nan", "soon"]),
    ("MAX_STREAMS", ["", "0", "-5", "many", "1.5"]),
    ("MAX_STREAMS_PER_ADDRESS", ["", "0", "x"]),
    ("MAX_STREAMS_PER_TOKEN", ["", "0", "x"]),
    ("MAX_STREAMS_PER_MEMBER", ["", "0", "x"]),
    ("RATE_LIMITS", ["", "On", "true", "1"]),
    ("HAND_OFF", ["", "On", "true", "1"]),
    ("EVENT_LOOP", ["", "none", "trio"]),
    ("REQUEST_SECONDS", ["", "0", "-1", "300.1", "inf", "nan", "soon"]),
    ("DRAIN_DELAY_SECONDS", ["", "-0.1", "60.1", "inf", "nan"]),
    ("SLOW_REQUEST_SECONDS", ["", "0", "-1", "300.1", "inf", "nan", "soon"]),
    ("SLOW_QUERY_SECONDS", ["", "0", "-1", "300.1", "inf", "nan", "soon"]),
    ("RETENTION_DAYS", ["0", "-1", "36501", "ten", "1.5"]),
    ("BACKUP_FOLDER", [""]),
    ("ARCHIVE_FOLDER", [""]),
    ("BACKUP_HOUR", ["", "-1", "24", "noon", "1.5"]),
    ("BACKUPS_KEPT", ["", "0", "3651", "all"]),
    ("BACKUP_WEEKS_KEPT", ["", "-1", "521", "all"]),
    ("LOG_FORMAT", ["", "xml", "JSON"]),
    ("LOG_LEVEL", ["", "trace", "INFO", "10"]),
]


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD for value in values])
def test_a_bad_value_stops_with_its_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    configure(monkeypatch, **{name: value})
    with pytest.raises(BadSettings) as caught:
        load_settings()
    [line] = str(caught.value).splitlines()
    assert line.startswith(f"NOWSERVING_{name}: ")
    assert len(line) > len(f"NOWSERVING_{name}: ")


def test_every_setting_with_bounds_is_tried_above() -> None:
    free = {"database_url", "allowed_hosts", "cors_origins", "recording_path", "push_services"}
    assert {name.upper() for name in set(Settings.model_fields) - free} == {name for name, _ in BAD}


def test_workers_of_a_cluster_need_a_single_redis_for_celery(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, REDIS_URL="redis+cluster://:hunter2@one:6379,two:6379")
    with pytest.raises(BadSettings, match="broker_url: name a single Redis") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
    configure(monkeypatch, BROKER_URL="redis://:hunter2@three:6379/0")
    assert load_settings().broker_url is not None


def test_all_that_is_wrong_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, MAX_STREAMS="0", LOG_LEVEL="loud", HEARTBEAT_SECONDS="never")
    with pytest.raises(BadSettings) as caught:
        load_settings()
    named = {line.partition(":")[0] for line in str(caught.value).splitlines()}
    assert named == {"NOWSERVING_MAX_STREAMS", "NOWSERVING_LOG_LEVEL", "NOWSERVING_HEARTBEAT_SECONDS"}


def test_a_bad_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, ENCRYPTION_KEYS="hunter2hunter2")
    with pytest.raises(BadSettings) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


# Production


def test_production_with_secrets_of_its_own_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, **PRODUCTION)
    settings = load_settings()
    assert settings.env == "production"
    assert settings.logs_json


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("SECRET_KEY", SECRET[:31], "secret_key"),
        ("SECRET_KEY", "a" * 64, "secret_key"),
        ("SECRET_KEY", PUBLIC_SECRET, "secret_key"),
        ("SECRET_KEY", f"{PUBLIC_SECRET} ", "secret_key"),
        ("SECRET_KEY", PUBLIC_KEY, "secret_key"),
        ("ENCRYPTION_KEYS", PUBLIC_KEY, "encryption_keys"),
        ("ENCRYPTION_KEYS", f"{PUBLIC_KEY[:-2]}T=", "encryption_keys"),  # another spelling of the same bytes
        ("ENCRYPTION_KEYS", f"{KEY},{PUBLIC_KEY}", "encryption_keys"),
        ("ENCRYPTION_KEYS", base64.b64encode(b"k" * 32).decode(), "encryption_keys"),
        ("CORS_ORIGINS", "*", "cors_origins"),
        ("CORS_ORIGINS", "https://desk.example.org, *", "cors_origins"),
        ("CORS_ORIGINS", "null", "cors_origins"),
        ("CORS_ORIGINS", "desk.example.org", "cors_origins"),
        ("CORS_ORIGINS", "https://*.example.org", "cors_origins"),
        ("CORS_ORIGINS", "https://desk.example.org/", "cors_origins"),
        ("CORS_ORIGINS", "file://", "cors_origins"),
        ("ALLOWED_HOSTS", None, "allowed_hosts"),
        ("ALLOWED_HOSTS", " , ", "allowed_hosts"),
    ],
)
def test_production_refuses_what_is_weak_or_missing(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str | None, word: str
) -> None:
    chosen = {**PRODUCTION, name: value}
    configure(monkeypatch, **{key: each for key, each in chosen.items() if each is not None})
    with pytest.raises(BadSettings) as caught:
        load_settings()
    problems = str(caught.value).split("; ")
    assert len(problems) == 1
    assert f"{word}: " in problems[0]
    if value and name != "CORS_ORIGINS":
        assert value not in str(caught.value)


def test_production_accepts_named_origins(monkeypatch: pytest.MonkeyPatch) -> None:
    origins = ("https://desk.example.org", "https://desk.example.org:8443", "http://10.0.0.7", "https://[::1]:8443")
    configure(monkeypatch, **PRODUCTION, CORS_ORIGINS=",".join(origins))
    assert load_settings().cors_origins == origins


def test_production_takes_its_keys_from_the_key_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configure(monkeypatch, ENV="production", ALLOWED_HOSTS="queue.example.org", KEY_FILE=str(tmp_path / "x.keys"))
    settings = load_settings()
    assert find_keys(settings) is None
    with pytest.raises(BadKeys, match="nowserving migrate"):
        keys_of(settings)
    make(tmp_path / "x.keys")
    assert keys_of(settings) == find_keys(settings)


@pytest.mark.parametrize(("name", "value"), [("SECRET_KEY", SECRET), ("ENCRYPTION_KEYS", KEY)])
def test_one_kind_of_key_alone_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    configure(monkeypatch, **{name: value})
    with pytest.raises(BadSettings, match="secret_key") as caught:
        load_settings()
    assert "encryption_keys" in str(caught.value)
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"DATABASE_URL": "sqlite:////data/queue.db"}, "/data/queue.keys"),
        ({"DATABASE_URL": "mysql://u:p@h/d"}, str(Path("var/nowserving.keys").absolute())),
        ({"DATABASE_URL": "sqlite:////data/queue.db", "KEY_FILE": "/etc/queue.keys"}, "/etc/queue.keys"),
    ],
)
def test_key_file_is_beside_the_embedded_database(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], expected: str
) -> None:
    configure(monkeypatch, **values)
    assert str(load_settings().key_path) == expected


def test_production_names_all_that_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, ENV="production", SECRET_KEY="a" * 40, ENCRYPTION_KEYS=PUBLIC_KEY)
    with pytest.raises(BadSettings) as caught:
        load_settings()
    assert all(f"{word}: " in str(caught.value) for word in ("secret_key", "encryption_keys", "allowed_hosts"))


# The file


def write(path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(text)
    configure(monkeypatch, CONFIG=str(path))


def test_the_file_goes_over_the_defaults_and_the_environment_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = 'max_streams = 7\nheartbeat_seconds = 3.5\nallowed_hosts = ["a.example", "b.example"]\nlog_level = "debug"\n'
    write(tmp_path / "nowserving.toml", text + f'secret_key = "{SECRET}"\nencryption_keys = ["{KEY}"]\n', monkeypatch)
    configure(monkeypatch, MAX_STREAMS="9")
    settings = load_settings()
    assert settings.max_streams == 9
    assert settings.heartbeat_seconds == 3.5
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert settings.log_level == "debug"
    assert settings.named_keys == Keys(SECRET, (decoded(KEY),))
    assert settings.max_streams_per_token == 20


def test_a_bad_value_in_the_file_stops_with_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(tmp_path / "nowserving.toml", "max_streams = 0\n", monkeypatch)
    with pytest.raises(BadSettings, match="NOWSERVING_MAX_STREAMS"):
        load_settings()


def test_a_file_that_is_not_there_stops_with_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for path in (tmp_path / "missing.toml", tmp_path):
        configure(monkeypatch, CONFIG=str(path))
        with pytest.raises(BadSettings, match="NOWSERVING_CONFIG") as caught:
            load_settings()
        assert str(path) in str(caught.value)


# The files of secrets


def test_each_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    texts = {
        "DATABASE_URL": "mysql+aiomysql://u:p@h/d",
        "REDIS_URL": "redis://:p@h/1",
        "SECRET_KEY": SECRET,
        "ENCRYPTION_KEYS": f"{KEY},{OTHER_KEY}",
        "METRICS_TOKEN": "a token of a monitor",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(f"{text}\n")
        configure(monkeypatch, **{f"{name}_FILE": str(tmp_path / name)})
    assert {f"NOWSERVING_{name}_FILE" for name in texts} <= set(secret_files())
    settings = load_settings()
    assert settings.database_url.get_secret_value() == texts["DATABASE_URL"]
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == texts["REDIS_URL"]
    assert settings.metrics_token is not None
    assert settings.metrics_token.get_secret_value() == texts["METRICS_TOKEN"]
    assert settings.named_keys == Keys(SECRET, (decoded(KEY), decoded(OTHER_KEY)))
    assert unknown_names() == []


@pytest.mark.parametrize("name", ["broker_url", "metrics_token", "traces_url", "sentry_dsn"])
def test_empty_optional_secret_is_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The compose file passes an empty one where an installation does without it."""
    configure(monkeypatch, **{name.upper(): ""})
    assert getattr(load_settings(), name) is None


def test_every_masked_setting_may_be_in_a_file_and_no_other_one() -> None:
    masked = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert set(secret_files().values()) == masked
    assert "NOWSERVING_KEY_FILE" not in secret_files()


def test_file_of_a_secret_goes_over_the_settings_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(tmp_path / "nowserving.toml", 'redis_url = "redis://file/1"', monkeypatch)
    (tmp_path / "redis").write_text("redis://secret/1")
    configure(monkeypatch, REDIS_URL_FILE=str(tmp_path / "redis"))
    redis_url = load_settings().redis_url
    assert redis_url is not None
    assert redis_url.get_secret_value() == "redis://secret/1"


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_file_of_a_secret_that_cannot_be_used_stops_with_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    configure(monkeypatch, SECRET_KEY_FILE=str(path))
    with pytest.raises(BadSettings, match="NOWSERVING_SECRET_KEY_FILE") as caught:
        load_settings()
    assert str(path) in str(caught.value)


def test_secret_and_its_file_together_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "redis").write_text("redis://:hunter2@h/1")
    configure(monkeypatch, REDIS_URL="redis://:hunter3@h/1", REDIS_URL_FILE=str(tmp_path / "redis"))
    with pytest.raises(BadSettings, match="NOWSERVING_REDIS_URL_FILE") as caught:
        load_settings()
    assert "hunter" not in str(caught.value)


def test_weak_secret_in_a_file_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a" * 40)
    configure(monkeypatch, **PRODUCTION)
    monkeypatch.delenv("NOWSERVING_SECRET_KEY")
    configure(monkeypatch, SECRET_KEY_FILE=str(tmp_path / "secret"))
    with pytest.raises(BadSettings, match="secret_key") as caught:
        load_settings()
    assert "a" * 40 not in str(caught.value)


# What people see


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, **PRODUCTION, DATABASE_URL="mysql://u:hunter2@h/d", REDIS_URL="redis://:hunter3@h/1")
    settings = load_settings()
    shown = settings.masked()
    assert set(shown) == set(Settings.model_fields)
    for text in (str(shown), repr(settings), str(settings)):
        assert not any(secret in text for secret in ("hunter2", "hunter3", SECRET, KEY))
    assert shown["allowed_hosts"] == "('queue.example.org',)"


def test_settings_cannot_be_changed() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        setattr(settings, "max_streams", 1)  # noqa: B010 - the type checker already refuses the plain form


def test_names_that_nothing_reads_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unknown_names() == []
    configure(monkeypatch, MAX_STREAM="5", HEARTBEAT="1", CONFIG="x", TEST_DATABASE="y", LOG_LEVEL="info")
    monkeypatch.setenv("nowserving_max_streams", "5")
    assert unknown_names() == ["NOWSERVING_HEARTBEAT", "NOWSERVING_MAX_STREAM"]


def test_every_setting_has_a_name_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(f"NOWSERVING_{name.upper()}", "x")
    assert unknown_names() == []


def test_no_option_of_a_command_is_reported_as_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """`nowserving user` reads its password from the environment."""
    commands = [typer.main.get_command(app)]
    names = set[str]()
    for each in commands:
        commands += getattr(each, "commands", {}).values()
        names |= {str(option.envvar) for option in each.params if option.envvar}
    assert names == {"NOWSERVING_NEW_PASSWORD"}
    for name in names:
        monkeypatch.setenv(name, "x")
    assert unknown_names() == []


def test_a_file_that_is_no_toml_stops_with_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("a = = 1")
    monkeypatch.setenv("NOWSERVING_CONFIG", str(tmp_path / "x.toml"))
    with pytest.raises(BadSettings, match="NOWSERVING_CONFIG"):
        load_settings()


def test_a_name_in_the_file_that_no_setting_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("databse_url = 'x'")
    monkeypatch.setenv("NOWSERVING_CONFIG", str(tmp_path / "x.toml"))
    with pytest.raises(BadSettings, match="databse_url"):
        load_settings()


def test_each_request_limit_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert request_limits(load_settings()) == RequestLimits()  # the documented defaults
    names = [each.name for each in fields(RequestLimits) if each.name != "blocked"]
    configure(monkeypatch, **{f"LIMIT_{name.upper()}": str(7 + number) for number, name in enumerate(names)})
    configure(monkeypatch, BLOCKED_MINUTES="3")
    found = request_limits(load_settings())
    assert [getattr(found, name).amount for name in names] == [7 + number for number in range(len(names))]
    assert (found.blocked.amount, found.blocked.minutes) == (1, 3)
