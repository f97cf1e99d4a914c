"""Servers forked from a process that has already imported the server.

A server spends more than a second of CPU on its imports, and the tests start more than a hundred. A template process imports
once; each server is a fork of it with its own session, environment and output. From there it runs the command line as
`nowserving` does.

A fork hashes passwords with the least work, unless its environment has `REAL_PASSWORDS`.

A fork is no fresh interpreter: coverage of child processes and preloaded libraries need one, and `usable` tells.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from struct import Struct
from tempfile import TemporaryFile
from typing import IO

from tests.support.passwords import REAL_PASSWORDS, quicken_passwords
from tests.support.processes import end

ROOT = Path(__file__).resolve().parents[2]
NEEDS_AN_INTERPRETER = ("COVERAGE_PROCESS_CONFIG", "LD_PRELOAD", "PYTHONPATH", "PYTHONHASHSEED")
# The server, and the modules that it imports only when it needs them.
IMPORTED = (
    *("server.app", "server.cli", "server.uvicorn_server", "aiomysql", "aiosqlite", "uvloop"),
    *(
        "uvicorn.lifespan.on",
        "uvicorn.loops.auto",
        "sqlalchemy.dialects.mysql.aiomysql",
        "sqlalchemy.dialects.sqlite.aiosqlite",
    ),
)
_NUMBER = Struct("<i")
_MOST_BYTES = 256 * 1024


class Forked:
    """A forked server, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, arguments: Sequence[str], report: socket.socket) -> None:
        self.args = arguments
        self.returncode: int | None = None
        self._report = report
        self.pid = self._number()

    def poll(self) -> int | None:
        """Return the exit status, or None while the process runs."""
        if self.returncode is None and select.select([self._report], [], [], 0)[0]:
            self.returncode = self._number()
            self._report.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the process, and return its exit status. Raises `subprocess.TimeoutExpired`."""
        if self.returncode is None and not select.select([self._report], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(list(self.args), timeout or 0)
        status = self.poll()
        assert status is not None
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, if the process still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _number(self) -> int:
        message = self._report.recv(_NUMBER.size, socket.MSG_WAITALL)
        if len(message) < _NUMBER.size:
            raise AssertionError("the template of the servers has ended")
        number: int = _NUMBER.unpack(message)[0]
        return number


class Template:
    """The template process of this test process. It ends with it."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MOST_BYTES)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.template", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
                env={name: value for name, value in os.environ.items() if name not in NEEDS_AN_INTERPRETER},
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def fork(
        self, arguments: Sequence[str], env: Mapping[str, str], *streams: IO[bytes], folder: Path | None = None
    ) -> Forked:
        """Start ``nowserving`` with arguments, in ``folder``. ``streams`` are its input, its output and its errors."""
        request = {"arguments": list(arguments), "env": dict(env), "folder": str(folder or Path.cwd())}
        report, theirs = socket.socketpair()
        with theirs:
            descriptors = [*(each.fileno() for each in streams), theirs.fileno()]
            socket.send_fds(self._control, [json.dumps(request).encode()], descriptors)
        return Forked(["nowserving", *arguments], report)

    def close(self) -> None:
        """End the template process."""
        self._control.close()
        self._process.wait(60)


def usable(arguments: Sequence[str], env: Mapping[str, str]) -> bool:
    """Return whether a fork can do this. A bench starts fresh interpreters, and so does a server with worker processes."""
    testing = "PYTEST_VERSION" in os.environ and hasattr(os, "pidfd_open")
    return testing and "--workers" not in arguments and not any(name in env for name in NEEDS_AN_INTERPRETER)


@cache
def _template() -> Template:
    template = Template()
    atexit.register(template.close)
    return template


def start_in(folder: Path, arguments: Sequence[str], env: Mapping[str, str], *streams: IO[bytes]) -> Forked:
    """Start ``nowserving`` with arguments in a folder. ``streams`` are its input, its output and its errors."""
    return _template().fork(arguments, env, *streams, folder=folder)


def start(arguments: Sequence[str], log: Path, env: Mapping[str, str]) -> Forked:
    """Start ``nowserving`` with arguments, and with its output in ``log``."""
    with log.open("ab") as output, Path(os.devnull).open("rb") as nothing:
        return _template().fork(arguments, env, nothing, output, output)


@contextmanager
def running(arguments: Sequence[str], log: Path, env: Mapping[str, str]) -> Iterator[Forked]:
    """Run ``nowserving`` with arguments. At the end send it SIGTERM, and kill it if it does not end."""
    process = start(arguments, log, env)
    try:
        yield process
    finally:
        end(process)


def run(
    arguments: Sequence[str], env: Mapping[str, str], stdin: str | None, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run ``nowserving`` to its end, and return its exit status and its output."""
    with TemporaryFile() as given, TemporaryFile() as output, TemporaryFile() as errors:
        given.write((stdin or "").encode())
        given.seek(0)
        process = _template().fork(arguments, env, given, output, errors)
        try:
            status = process.wait(timeout)
        finally:
            process.kill()
        said = []
        for stream in (output, errors):
            stream.seek(0)
            said.append(stream.read().decode())
        return subprocess.CompletedProcess(process.args, status, *said)


# The template process


def main() -> None:
    """Fork a server for each request on the control socket, and report its process id and its exit status."""
    control = socket.socket(fileno=int(sys.argv[1]))
    _import_everything()
    children: dict[int, tuple[int, socket.socket]] = {}  # the descriptor of a process -> its id, and its report
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not control:
                    descriptor = int(key.fd)
                    pid, report = children.pop(descriptor)
                    selector.unregister(descriptor)
                    os.close(descriptor)
                    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                    with report, suppress(OSError):  # the test may have gone on
                        report.sendall(_NUMBER.pack(status))
                    continue
                message, descriptors, _, _ = socket.recv_fds(control, _MOST_BYTES, 4)
                if not message:
                    return
                *streams, report_fd = descriptors
                pid = os.fork()
                if pid == 0:
                    inherited = [control.fileno(), report_fd, *children, *(each.fileno() for _, each in children.values())]
                    selector.close()
                    _serve(json.loads(message), streams, inherited)
                for each in streams:
                    os.close(each)
                report = socket.socket(fileno=report_fd)
                report.sendall(_NUMBER.pack(pid))
                descriptor = os.pidfd_open(pid)
                children[descriptor] = (pid, report)
                selector.register(descriptor, selectors.EVENT_READ)


def _import_everything() -> None:
    for name in IMPORTED:
        import_module(name)
    import_module("server.store.migrate").lacking(None)  # reads the scripts of the migrations
    gc.collect()
    gc.freeze()  # the forks share this memory


def _serve(request: dict[str, object], streams: list[int], inherited: list[int]) -> None:
    """Become the server. Never returns."""
    from server.cli import main as command_line

    status = 1
    try:
        os.setsid()
        for descriptor in inherited:
            os.close(descriptor)
        for descriptor, stream in enumerate(streams):
            os.dup2(stream, descriptor)
            os.close(stream)
        env, arguments, folder = request["env"], request["arguments"], request["folder"]
        assert isinstance(env, dict)
        assert isinstance(arguments, list)
        os.environ.clear()
        os.environ.update(env)
        time.tzset()
        os.chdir(str(folder))
        if not REAL_PASSWORDS.items() <= env.items():
            quicken_passwords()
        sys.stdout.reconfigure(write_through=True)  # type: ignore[union-attr]
        sys.argv = ["nowserving", *arguments]
        command_line()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
