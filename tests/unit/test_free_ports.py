"""The ports of tests: one process among all of a machine has each of them, also while nobody listens there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.processes import free_port

ROOT = Path(__file__).parents[2]


def test_port_belongs_to_one_process_until_its_end() -> None:
    taken = free_port()
    program = f"from tests.support import processes; print(processes._reserved({taken}))"
    command = [sys.executable, "-c", program]

    def gets_it() -> bool:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout == "True\n"

    assert not gets_it(), "this process has it"
    processes._kept.pop().close()
    assert gets_it()
    assert gets_it(), "the first one has ended"


def test_port_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    several = sorted({free_port() for _ in range(3)})
    for _ in several:
        processes._kept.pop().close()
    monkeypatch.setattr(processes, "PORTS", several)
    assert sorted(free_port() for _ in several) == several
