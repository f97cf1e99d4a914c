"""The settings of Celery."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from server.settings import BadSettings, Settings
from tests.support.server import KEYS, SECRETS


def test_celery_has_the_limits_of_the_design_and_workers_have_the_pool_of_the_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in (*SECRETS.items(), ("NOWSERVING_REDIS_URL", "redis://127.0.0.1:1/0")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NOWSERVING_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    module = importlib.import_module("workers.app")
    settings = module.app.conf
    assert settings.task_time_limit == 60
    assert settings.broker_transport_options == {"visibility_timeout": 300}
    assert settings.timezone == "UTC"
    assert settings.task_ignore_result
    late, rejecting = settings.task_acks_late, settings.task_reject_on_worker_lost
    assert not late
    assert not rejecting
    with pytest.raises(BadSettings, match="NOWSERVING_REDIS_URL"):
        module.build_celery(Settings(redis_url=None))
    beside_a_cluster = Settings(redis_url="redis+cluster://one:6379", broker_url="redis://127.0.0.1:2/0")
    assert module.build_celery(beside_a_cluster).conf.broker_url == "redis://127.0.0.1:2/0"
    pool = module.build_parts(Settings(database_pool_size=4, database_pool_overflow=5), KEYS).database.pool
    assert (pool.size, pool.overflow) == (4, 5)
