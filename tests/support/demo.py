"""The demo, as ``make run`` starts it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.plain import answers
from tests.support.processes import free_port, wait_until
from tests.support.server import environment, nowserving


@contextmanager
def demo(folder: Path) -> Iterator[str]:
    """Run the demo; yield its address."""
    port = free_port()
    log = folder / "demo.log"
    arguments = ["demo", "--port", str(port), "--directory", str(folder / "demo")]
    with nowserving(arguments, log, environment("sqlite+aiosqlite:///unused.db")) as process:
        base = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{base}/health/live"), "the demo", process)
        yield base
