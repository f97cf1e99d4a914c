"""The demo, as ``make run`` starts it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.plain import answers
from tests.support.processes import STARTUP_SECONDS, free_port, wait_until
from tests.support.server import environment, nowserving


@contextmanager
def demo(folder: Path, *options: str, seconds: float = STARTUP_SECONDS) -> Iterator[str]:
    """Run the demo, with more options of the command if given; yield its address. It may take so many seconds to start."""
    port = free_port()
    log = folder / "demo.log"
    arguments = ["demo", "--port", str(port), "--directory", str(folder / "demo"), *options]
    with nowserving(arguments, log, environment("sqlite+aiosqlite:///unused.db")) as process:
        base = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{base}/health/live"), "the demo", process, seconds)
        yield base
