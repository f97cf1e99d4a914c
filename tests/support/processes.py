"""Private server processes for tests: on free ports, in temporary folders, stopped by their process id."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

STARTUP_SECONDS = 120.0
PORTS = range(15_000, 32_000)  # below the ports that the kernel gives to outgoing connections (32768 on Linux)


class Process(Protocol):
    """A child process: `subprocess.Popen`, or a fork of the template."""

    pid: int
    returncode: Any

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: int, /) -> None: ...
    def kill(self) -> None: ...


class NotInstalled(Exception):
    """A program that the tests need is not on this machine."""


def program(name: str, package: str) -> str:
    """Return the path of a program. Raises `NotInstalled` with the Debian package to install."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise NotInstalled(f"{name} is not installed (Debian package {package}); `make packages` installs it")
    return found


def free_port() -> int:
    """Return a loopback port that is free, and that nobody else takes while the server of a test is not up."""
    chance = random.SystemRandom()
    while True:
        port = chance.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if _reserved(port):
            return port


_kept: list[socket.socket] = []  # one for each port of this process


def _reserved(port: int) -> bool:
    """Reserve a port for this process, among all processes of tests on this machine; return False if another one has it.

    A server needs seconds until it listens, and a test may stop it for a while: meanwhile the port looks free to others.
    """
    mark = socket.socket(socket.AF_UNIX)
    try:
        mark.bind(f"\0port {port} of the tests of nowserving")  # an abstract name: the kernel frees it with the process
    except OSError:
        mark.close()
        return False
    _kept.append(mark)
    return True


def wait_until(
    ready: Callable[[], bool], what: str, process: Process | None = None, seconds: float = STARTUP_SECONDS
) -> None:
    """Wait until ``ready()``. Raises AssertionError after so many seconds, or if the process has ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process is not None and process.poll() is not None:
            raise AssertionError(f"{what} ended with status {process.returncode}")
        if ready():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what} was not ready within {seconds} s")


def listens(port: int) -> bool:
    """Return whether a process accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def whole_lines(log: Path) -> list[str]:
    """Return the lines of a log without the one that a process is just writing."""
    return log.read_text().rpartition("\n")[0].splitlines()


@contextmanager
def running(
    command: list[str], log: Path, env: dict[str, str] | None = None, stop: signal.Signals = signal.SIGTERM
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command with its output in ``log``. At the end send it ``stop``, and kill it if it does not end."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=env, start_new_session=True
        )
    try:
        yield process
    finally:
        end(process, stop)


def end(process: Process, with_signal: signal.Signals = signal.SIGTERM, seconds: float = 60) -> int:
    """Stop a process and return its exit status. Kill its whole session if it does not end within ``seconds``."""
    if process.poll() is None:
        process.send_signal(with_signal)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)
    status: int = process.returncode
    return status


def peak_mib(pid: int) -> float:
    """Return the largest memory that a process has had since `forget_peak`, in MiB."""
    (line,) = (each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def forget_peak(pid: int) -> None:
    """Begin the measurement of `peak_mib` again."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
