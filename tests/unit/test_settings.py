"""The settings: where they come from, and that a bad one stops the start by its name."""

from __future__ import annotations

import base64
import os
from dataclasses import fields
from pathlib import Path

import pytest

from server.app import request_limits
from server.settings import DEVELOPMENT_KEY, DEVELOPMENT_SECRET, BadSettings, Settings, load_settings, unknown_names
from server.transport.access.limits import RequestLimits

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.b64encode(bytes(range(1, 33))).decode()
PRODUCTION = {
    "ENV": "production",
    "SECRET_KEY": "s" * 32,
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
    assert settings.key_bytes == [b"for development only, not secret"]
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
    assert settings.key_bytes == [bytes(range(32)), bytes(range(1, 33))]
    assert settings.logs_json


BAD = [
    ("ENV", ["", "staging", "Production", "dev"]),
    ("DATABASE_POOL_SIZE", ["", "0", "-1", "201", "ten", "1.5", "nan", "9" * 30]),
    (
        "ENCRYPTION_KEYS",
        ["", ",", "not base64!", "c2hvcnQ=", base64.b64encode(b"x" * 31).decode(), f"{KEY},x", "ключ", KEY[:-2]],
    ),
    ("PUBLIC_URL", ["", "example.org", "ftp://example.org", "http://", "/path"]),
    *((f"LIMIT_{each.name.upper()}", ["", "0", "-1", "many"]) for each in fields(RequestLimits) if each.name != "blocked"),
    ("BLOCKED_MINUTES", ["", "0", "1441", "long"]),
    ("METRICS_TOKEN", ["", "short"]),
    ("HEAD_SECONDS", ["", "0", "-1", "300.1", "inf", "nan", "soon"]),
    ("BODY_SECONDS", ["", "0", "-1", "300.1", "inf", "nan", "soon"]),
    ("HEARTBEAT_SECONDS", ["", "0", "-1", "300.1", "inf", "nan", "soon"]),
    ("STALLED_SECONDS", ["", "0", "-1", "600.1", "inf", "nan"]),
    ("MAX_STREAMS", ["", "0", "-5", "many", "1.5"]),
    ("MAX_STREAMS_PER_ADDRESS", ["", "0", "x"]),
    ("MAX_STREAMS_PER_TOKEN", ["", "0", "x"]),
    ("RATE_LIMITS", ["", "On", "true", "1"]),
    ("HAND_OFF", ["", "On", "true", "1"]),
    ("EVENT_LOOP", ["", "none", "trio"]),
    ("REQUEST_SECONDS", ["", "0", "-1", "300.1", "inf", "nan", "soon"]),
    ("DRAIN_DELAY_SECONDS", ["", "-0.1", "60.1", "inf", "nan"]),
    ("RETENTION_DAYS", ["0", "-1", "36501", "ten", "1.5"]),
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
    free = {"database_url", "redis_url", "secret_key", "allowed_hosts", "cors_origins", "recording_path"}
    assert {name.upper() for name in set(Settings.model_fields) - free} == {name for name, _ in BAD}


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
        ("SECRET_KEY", None, "secret_key"),
        ("SECRET_KEY", "s" * 31, "secret_key"),
        ("SECRET_KEY", "", "secret_key"),
        ("SECRET_KEY", DEVELOPMENT_SECRET, "secret_key"),
        ("ENCRYPTION_KEYS", None, "encryption_keys"),
        ("ENCRYPTION_KEYS", DEVELOPMENT_KEY, "encryption_keys"),
        ("ENCRYPTION_KEYS", f"{KEY},{DEVELOPMENT_KEY}", "encryption_keys"),
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
    if value:
        assert value not in str(caught.value)


def test_production_names_all_that_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, ENV="production")
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
    write(tmp_path / "nowserving.toml", text + f'encryption_keys = ["{KEY}"]\n', monkeypatch)
    configure(monkeypatch, MAX_STREAMS="9")
    settings = load_settings()
    assert settings.max_streams == 9
    assert settings.heartbeat_seconds == 3.5
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert settings.log_level == "debug"
    assert settings.key_bytes == [bytes(range(32))]
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


# What people see


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, **PRODUCTION, DATABASE_URL="mysql://u:hunter2@h/d", REDIS_URL="redis://:hunter3@h/1")
    settings = load_settings()
    shown = settings.masked()
    assert set(shown) == set(Settings.model_fields)
    for text in (str(shown), repr(settings), str(settings)):
        assert not any(secret in text for secret in ("hunter2", "hunter3", "s" * 32, KEY))
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
