"""A private Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.plain import PLAIN, answers
from tests.support.processes import free_port, program, running, wait_until


class Prometheus:
    """A running Prometheus."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str, **parameters: str) -> Any:
        """Return the ``data`` of an answer of its API. Raises AssertionError for a refusal."""
        answer = self._client.get(f"/api/v1/{path}", params=parameters)
        assert answer.status_code == 200, f"{parameters}: {answer.text}"
        return answer.json()["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the present result of a query."""
        result: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return result


@contextmanager
def prometheus(configuration: Path) -> Iterator[Prometheus]:
    """Run Prometheus with a configuration file, and its data beside the file; yield it when it answers."""
    port = free_port()
    command = [
        program("prometheus", "prometheus"),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={configuration.parent / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    base = f"http://127.0.0.1:{port}"
    with running(command, configuration.parent / "prometheus.log") as process:
        wait_until(lambda: answers(f"{base}/-/ready"), "Prometheus", process)
        with httpx.Client(base_url=base, timeout=30, verify=PLAIN) as client:
            yield Prometheus(client)
