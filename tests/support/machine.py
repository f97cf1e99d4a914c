"""A machine of an administrator, for the commands of a page: a real shell, and the page's paths below a folder of its own.

Programs that cannot run here have a *stand-in*: a small program of the same name, first on the path, that asks this process
over a socket and passes its standard streams on. `nowserving` has one too, so that each command is a fork of the template
(`tests.support.template`) and costs no imports.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import select
import shlex
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import click
import typer

from server.cli import app
from tests.support import template
from tests.support.plain import answers
from tests.support.processes import Process, end, free_port, program, wait_until
from tests.support.server import ROOT

SECONDS = 300.0
FOLDERS = ("etc", "mnt", "opt", "var/lib", "var/log")
OURS = "/opt/nowserving/bin/nowserving"
_MOST_BYTES = 256 * 1024
_CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asked:
    asked.connect({address!r})
    call = dict(name=os.path.basename(sys.argv[0]), arguments=sys.argv[1:], env=dict(os.environ), folder=os.getcwd())
    socket.send_fds(asked, [json.dumps(call).encode()], [0, 1, 2])
    status = int(asked.recv(16) or b"70")
sys.exit(status)
"""


@dataclass
class Call:
    """A call of a stand-in: its arguments, its environment, its folder, and its standard streams."""

    name: str
    arguments: list[str]
    env: dict[str, str]
    folder: Path
    streams: tuple[IO[bytes], IO[bytes], IO[bytes]]

    def given(self) -> str:
        """Return the whole standard input."""
        return self.streams[0].read().decode()

    def say(self, text: str) -> int:
        """Write text to the standard output; return the status of success."""
        self.streams[1].write(text.encode())
        self.streams[1].flush()
        return 0


StandIn = Callable[[Call], int]


class Wrong(Exception):
    """A command of the page cannot be right. The message says why."""


def demand(condition: object, why: str) -> None:
    """Raise `Wrong` unless a condition holds."""
    if not condition:
        raise Wrong(why)


@dataclass(frozen=True)
class Answer:
    """The status of a line, and its standard output and errors together."""

    status: int
    said: str


class Shell:
    """One bash for all lines: variables and functions stay."""

    def __init__(self, folder: Path, scratch: Path, env: Mapping[str, str]) -> None:
        self._scratch = scratch
        self._count = 0
        reading, writing = os.pipe()
        self._statuses = reading
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[writing],
            start_new_session=True,
            text=True,
        )
        os.close(writing)
        self._tell(f"exec 9>&{writing}; set -o pipefail\n")

    def _tell(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def run(self, line: str, given: str = "") -> Answer:
        """Run a line with its standard input; wait for its end."""
        self._count += 1
        script, stdin, stdout = (self._scratch / f"{self._count}.{kind}" for kind in ("sh", "in", "out"))
        script.write_text(f"{line}\n")
        stdin.write_text(given)
        self._tell(f". {script} <{stdin} >{stdout} 2>&1; echo $? >&9\n")
        ready, _, _ = select.select([self._statuses], [], [], SECONDS)
        assert ready, f"{line}: no end within {SECONDS} s: {stdout.read_text()[-2000:]}"
        status = os.read(self._statuses, 16).decode().strip()
        return Answer(int(status or 70), stdout.read_text(errors="replace"))

    def close(self) -> None:
        """End the shell."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        end(self._process)
        os.close(self._statuses)


@dataclass
class Machine:
    """A machine with the checkout in its folder ``checkout``. ``words`` are names of the page, and what they are here."""

    root: Path
    words: dict[str, str]
    stand_ins: dict[str, StandIn] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)  # of every process of ours on this machine
    judging: bool = False  # our own program then parses its arguments, and does nothing
    port: int = field(default_factory=free_port)
    services: dict[str, Process] = field(default_factory=dict)
    address: str = field(default_factory=lambda: f"\0machine of the tests of nowserving {secrets.token_hex(8)}")
    shell: Shell = field(init=False)

    @property
    def checkout(self) -> Path:
        """The working folder of the shell."""
        return self.root / "checkout"

    def path(self, of_page: str) -> Path:
        """Return the place of an absolute path of the page."""
        return self.root / of_page.lstrip("/")

    def placed(self, text: str) -> str:
        """Return a text of the page with the paths and names of this machine."""
        for word, here in self.words.items():
            text = text.replace(word, here)
        absolute = rf"(?<![\w.-])/(?!{self.root.relative_to('/')}/)(?=(?:{'|'.join(FOLDERS)})/)"
        return re.sub(absolute, f"{self.root}/", text)

    def run(self, line: str, given: str = "") -> Answer:
        """Run a line of the page. FILE is the newest backup of its folder."""
        placed = self.placed(line)
        for folder in re.findall(r"(/[\w./-]+)/FILE\b", placed):
            files = sorted(Path(folder).glob("*.backup"), key=lambda each: each.stat().st_mtime_ns)
            assert files, f"{folder} has no backup"
            placed = placed.replace(f"{folder}/FILE", str(files[-1]))
        return self.shell.run(placed, given)

    # The program

    def install(self) -> None:
        """Put the program where the page installs it."""
        stand_in(self.path(OURS), self.address)

    def nowserving(
        self, arguments: list[str], env: Mapping[str, str], folder: Path, streams: tuple[IO[bytes], ...]
    ) -> Process:
        """Start ``nowserving`` with these settings alone."""
        if self.judging:
            parsed(arguments)
            return subprocess.Popen(["true"])
        own = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        own |= {
            "PYTHONUNBUFFERED": "1",
            **{name: value for name, value in env.items() if _is_setting(name)},
            **self.settings,
        }
        if template.usable(arguments, own):
            return template.start_in(folder, arguments, own, *streams)
        words = [sys.executable, "-m", "server.cli", *arguments]
        stdin, stdout, stderr = streams
        own["PYTHONPATH"] = str(ROOT)
        return subprocess.Popen(words, cwd=folder, env=own, stdin=stdin, stdout=stdout, stderr=stderr)

    def called(self, call: Call) -> int:
        """Be `nowserving`, called by its name."""
        process = self.nowserving(call.arguments, call.env, call.folder, call.streams)
        return process.wait(SECONDS) or 0

    # systemd

    def file_of_settings(self, path: Path) -> dict[str, str]:
        """Return the variables of an EnvironmentFile."""
        found = re.findall(r"^([A-Z_]+)=(.*)$", path.read_text(), re.MULTILINE)
        return {name: self.placed(value) for name, value in found}

    def transient(self, call: Call) -> int:
        """Be `systemd-run`: a program as another user, with the variables of a file."""
        flags = {"--quiet", "--pty", "--pipe", "--wait", "--collect"}
        words, properties = list(call.arguments), dict[str, str]()
        while words and words[0].startswith("-"):
            word = words.pop(0)
            if word == "-p":
                name, _, value = words.pop(0).partition("=")
                properties[name] = value
            else:
                demand(word in flags, f"systemd-run has no {word} here")
        demand(properties.keys() == {"User", "WorkingDirectory", "EnvironmentFile"}, f"other properties: {properties}")
        demand(words and words[0] == str(self.path(OURS)), f"systemd-run starts {words[:1]}")
        demand(Path(words[0]).is_file(), f"{words[0]} is not installed")
        folder = Path(properties["WorkingDirectory"])
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # StateDirectory= of the units has made it
        env = self.file_of_settings(Path(properties["EnvironmentFile"]))
        process = self.nowserving(words[1:], env, folder, call.streams)
        return process.wait(SECONDS) or 0

    def unit(self, name: str) -> list[tuple[str, str]]:
        """Return the settings of one of our units, behind those of the common part."""
        folder = self.path("/etc/systemd/system")
        text = "".join(path.read_text() for path in (folder / "nowserving-.service.d/10-common.conf", folder / name))
        return [(key, value.strip()) for key, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)]

    def systemctl(self, call: Call) -> int:
        """Be `systemctl`: start the server and nginx for real; of all other units, their files must be there."""
        verb, *rest = call.arguments
        names = [each if "." in each else f"{each}.service" for each in rest if not each.startswith("--")]
        options = {each for each in rest if each.startswith("--")}
        allowed = {"daemon-reload", "enable", "disable", "start", "stop", "restart", "try-restart", "reload"}
        demand(verb in allowed, f"systemctl {verb} is not known here")
        demand(options <= {"--now"}, f"systemctl has no {options} here")
        demand(bool(names) == (verb != "daemon-reload"), "units are missing, or too many")
        folder = self.path("/etc/systemd/system")
        for name in names:
            demand(name == "nginx.service" or (folder / name).is_file(), f"there is no unit {name}")
            if verb in ("enable", "disable"):
                demand("[Install]" in (folder / name).read_text(), f"{name} cannot be switched on")
                if not options:
                    continue
            if name not in self.stoppable:
                continue
            if verb in ("stop", "disable", "restart") or (verb == "try-restart" and name in self.services):
                self.stop(name)
            if verb in ("enable", "start", "restart"):
                self.start(name)
            if verb == "reload":
                self.services[name].send_signal(signal.SIGHUP)
        return 0

    stoppable = ("nowserving-server.service", "nginx.service")

    def start(self, name: str) -> None:
        """Start the server or nginx, as its unit says, and wait until it answers."""
        log = self.journal(name)
        if name == "nginx.service":
            state = self.path("/var/lib/nowserving-nginx")
            state.mkdir(exist_ok=True)
            configuration = self.path("/etc/nowserving/nginx/nginx.conf")
            globally = "daemon off; user root;" if os.geteuid() == 0 else "daemon off;"
            words = [program("nginx", "nginx"), "-e", "stderr", "-p", f"{state}/", "-c", str(configuration), "-g", globally]
            with log.open("ab") as output:
                self.services[name] = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
                )
            wait_until((state / "nginx.pid").exists, "nginx", self.services[name])
            return
        settings = self.unit(name)
        own = dict(pair.split("=", 1) for key, value in settings if key == "Environment" for pair in shlex.split(value))
        [file] = [value for key, value in settings if key == "EnvironmentFile"]
        env = {**{key: self.placed(value) for key, value in own.items()}, **self.file_of_settings(Path(self.placed(file)))}
        env["SERVER_PORT"] = str(self.port)
        env.pop("NOWSERVING_BACKUP_FOLDER", None)  # the page makes its backups itself, one at a time
        [folder] = [self.placed(value) for key, value in settings if key == "WorkingDirectory"]
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        for key in ("ExecStartPre", "ExecStart"):
            [line] = [value for each, value in settings if each == key]
            words = shlex.split(re.sub(r"\$\{(\w+)\}", lambda found: env[found[1]], self.placed(line)))
            demand(words[0] == str(self.path(OURS)) and Path(words[0]).is_file(), f"{words[0]} is not installed")
            arguments = " ".join(words[1:]).replace(" --workers 1", "").split()  # one process is the default
            with log.open("ab") as output, Path(os.devnull).open("rb") as nothing:
                process = self.nowserving(arguments, env, Path(folder), (nothing, output, output))
            if key == "ExecStartPre":
                demand(process.wait(SECONDS) == 0, f"{line}: {log.read_text()[-2000:]}")
        self.services[name] = process
        try:
            wait_until(lambda: answers(f"http://127.0.0.1:{self.port}/health/ready"), name, process)
        except AssertionError as error:
            raise Wrong(f"{error}\n{log.read_text()[-3000:]}") from None

    def stop(self, name: str) -> None:
        """Stop a service that runs."""
        if (process := self.services.pop(name, None)) is not None:
            end(process)

    def journal(self, name: str) -> Path:
        """Return the file with the output of a unit."""
        folder = self.path("/var/log/journal")
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    def journalctl(self, call: Call) -> int:
        """Be `journalctl`."""
        demand(call.arguments[:1] == ["-u"], "journalctl needs -u")
        demand(call.arguments[2:] in ([], ["-o", "cat"]), f"journalctl has no {call.arguments[2:]} here")
        return call.say(self.journal(f"{call.arguments[1]}.service").read_text())


def parsed(arguments: list[str]) -> None:
    """Demand that the real command line takes these arguments."""
    command: Any = typer.main.get_command(app)
    rest = list(arguments)
    while hasattr(command, "commands"):
        demand(rest and rest[0] in command.commands, f"nowserving has no command {rest[:1]}")
        command = command.commands[rest.pop(0)]
    try:
        command.make_context(command.name, rest)
    except click.UsageError as error:
        raise Wrong(f"nowserving {' '.join(arguments)}: {error.format_message()}") from None


def _is_setting(name: str) -> bool:
    return name.startswith("NOWSERVING_") or name == "FORWARDED_ALLOW_IPS"


@contextmanager
def machine(
    root: Path, stand_ins: Callable[[Machine], Mapping[str, StandIn]], words: Mapping[str, str]
) -> Iterator[Machine]:
    """Yield a machine with a shell in ``root``; end its processes afterwards."""
    made = Machine(root, dict(words))
    scratch, programs, home = root / "lines", root / "stand-ins", root / "home"
    for folder in (scratch, programs, home, made.checkout, *(root / each for each in FOLDERS)):
        folder.mkdir(parents=True, exist_ok=True)
    made.stand_ins = {
        **{"nowserving": made.called, "systemctl": made.systemctl, "systemd-run": made.transient},
        **{"journalctl": made.journalctl},
        **stand_ins(made),
    }
    for name in made.stand_ins:
        stand_in(programs / name, made.address)
    env = {name: value for name, value in os.environ.items() if name in ("LANG", "TMPDIR", "TZ")}
    env |= {"HOME": str(home), "PATH": f"{programs}:{os.environ['PATH']}:/usr/sbin:/sbin"}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(made.address)
        listening.listen(16)
        thread = threading.Thread(target=_serve, args=(listening, made), daemon=True)
        thread.start()
        made.shell = Shell(made.checkout, scratch, env)
        try:
            yield made
        finally:
            made.shell.close()
            for name in list(made.services):
                made.stop(name)
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(60)


def stand_in(path: Path, address: str) -> None:
    """Write the program that asks at ``address``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_CLIENT.format(python=sys.executable, address=address))
    path.chmod(0o755)


def _serve(listening: socket.socket, made: Machine) -> None:
    while True:
        try:
            asked, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(asked, made), daemon=True).start()


def _answer(asked: socket.socket, made: Machine) -> None:
    with asked:
        message, descriptors, _, _ = socket.recv_fds(asked, _MOST_BYTES, 3)
        wanted: dict[str, Any] = json.loads(message)
        streams = tuple(
            os.fdopen(descriptor, mode) for descriptor, mode in zip(descriptors, ("rb", "wb", "wb"), strict=True)
        )
        folder = Path(wanted["folder"])
        call = Call(wanted["name"], wanted["arguments"], wanted["env"], folder, streams)  # type: ignore[arg-type]
        try:
            status = made.stand_ins[call.name](call)
        except Wrong as error:
            streams[2].write(f"{call.name}: {error}\n".encode())
            status = 64
        except BaseException:
            streams[2].write(traceback.format_exc().encode())
            status = 70
        for stream in streams:
            stream.close()
        asked.send(str(status).encode())
