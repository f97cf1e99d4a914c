"""The documentation agrees with the repository: its links, its paths, its commands, its diagrams and its lists."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
import yaml

import server
from server.cli import app
from server.domain.board import Board
from server.domain.commands import (
    Call,
    CallNext,
    Cancel,
    CloseDay,
    Command,
    Complete,
    Hold,
    Leave,
    Move,
    NoShow,
    Recall,
    Reopen,
    Reprioritise,
    Return,
    RunningLate,
    Start,
    Tick,
    Transfer,
    Undo,
)
from server.domain.errors import NotFound, Refused
from server.domain.model import Entry, State
from server.transport.spec import asyncapi, openapi
from tests.support.worlds import SECOND, SITE_ID, World

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted(DOCS.rglob("*.md")),
]
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
MADE = (".venv/", ".make/", "dist/", "var/", ".env", "tests/npm/node_modules")  # nothing of these is in the repository
EXTENSIONS = r"\.(?:conf|css|html|js|json|lock|md|mjs|py|sh|toml|yml)"
FILE = re.compile(rf"[\w.@-]+{EXTENSIONS}")
CODE_SPAN = re.compile(r"``(.+?)``|`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree() -> Iterator[Path]:
    """Yield the files and folders of the repository."""
    waiting = [ROOT]
    while waiting:
        for path in waiting.pop().iterdir():
            hidden = path.name.startswith(".") and path.name not in (".ci", ".devcontainer", ".github", ".editorconfig")
            if hidden or path.name in ("node_modules", "__pycache__", "dist", "var"):
                continue
            yield path
            if path.is_dir():
                waiting.append(path)


TREE = list(tree())
FILE_NAMES = {path.name for path in TREE if path.is_file()}
FOLDERS = {path.name for path in TREE if path.is_dir()}


def spans(page: Path) -> Iterator[str]:
    """Yield the code spans of a page and the paths in its diagrams; other code blocks are left out."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for found in CODE_SPAN.finditer(text):
        yield (found[1] or found[2]).strip()
    for diagram in re.findall(r"^```mermaid.*?^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        yield from re.findall(r"\b(?:server|web|workers)/[\w/.]*\w", diagram)


def code(page: Path) -> str:
    """Return all code of a page: its spans and its blocks."""
    text = page.read_text(encoding="utf-8")
    return "\n".join([*re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL), *spans(page)])


def file_of(name: str) -> str:
    """Return the file that ``python -m`` runs: a module, or that of a package."""
    path = name.replace(".", "/")
    return f"{path}/__main__.py" if (ROOT / path).is_dir() else f"{path}.py"


def alternatives(path: str) -> list[str]:
    """Return the paths that ``server/{store,queries}`` stands for."""
    found = re.search(r"\{([^{}]*)\}", path)
    if found is None:
        return [path]
    return [
        each for part in found[1].split(",") for each in alternatives(path[: found.start()] + part + path[found.end() :])
    ]


def missing(span: str) -> bool:
    """Return whether a code span names a file or folder that is not in the repository."""
    if " " in span or span.startswith(("/", "-", "http", "NOWSERVING_")) or span.startswith(MADE) or "://" in span:
        return False
    first, slash, _ = span.partition("/")
    if not slash:
        return bool(FILE.fullmatch(span)) and span not in FILE_NAMES
    if first not in FOLDERS and not re.search(rf"{EXTENSIONS}$", span):
        return False  # a media type, or a choice of words
    return not all(exists(each) for each in alternatives(span))


def exists(path: str) -> bool:
    if "<" in path:  # web/pages/<name>.html: the folder has to be there
        path = path.partition("<")[0].rpartition("/")[0]
    if "*" in path:
        return any(ROOT.glob(path))
    return (ROOT / path).exists() or (ROOT / f"{path}.py").exists()  # a module may become a package


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_file(page: Path) -> None:
    found = [each.partition("#")[0] for each in LINK.findall(page.read_text(encoding="utf-8"))]
    wrong = [each for each in found if each and "://" not in each and not (page.parent / each).exists()]
    assert wrong == [], f"{name_of(page)} links to files that are not there"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_path_names_a_file_or_a_folder(page: Path) -> None:
    wrong = sorted({each for each in spans(page) if missing(each)})
    assert wrong == [], f"{name_of(page)} names paths that are not in the repository (write them from its root)"


@pytest.mark.parametrize("path", ["server/line.py", "transport/limits.py", "nobody.py", "docs/{waits,none}.md"])
def test_a_path_that_is_not_there_is_found(path: str) -> None:
    assert missing(path)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_module_that_is_named_exists(page: Path) -> None:
    for each in spans(page):
        if re.fullmatch(r"(server|workers)(\.\w+)+", each):
            assert importable(each), f"{name_of(page)}: there is no {each}"


def importable(dotted: str) -> bool:
    module, names = dotted, list[str]()
    while True:
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError:
            module, _, name = module.rpartition(".")
            names.insert(0, name)
            if not module:
                return False
            continue
        break
    for name in names:
        if not hasattr(found, name):
            return False
        found = getattr(found, name)
    return True


def targets() -> set[str]:
    """Return the targets of the Makefile that are no files."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    return {name for line in re.findall(r"^\.PHONY:(.*)$", makefile, re.MULTILINE) for name in line.split()}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_that_is_shown_exists(page: Path) -> None:
    text = code(page)
    assert set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)) <= targets()
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name, word in re.findall(r"^nowserving ([a-z-]+)(?: ([a-z]+))?", text, re.MULTILINE):
        assert name in known, f"nowserving {name}"
        inner = getattr(known[name], "commands", {})
        assert not inner or not word or word in inner, f"nowserving {name} {word}"
    scripts = set(re.findall(r"\b((?:loadtests|tests|docs)/[\w/]+\.(?:py|sh))\b", text))
    scripts |= {file_of(each) for each in re.findall(r"-m (loadtests\.\w+)", text)}
    assert {each for each in scripts if not (ROOT / each).is_file()} == set()


def test_the_readme_lists_every_command() -> None:
    table = re.findall(r"^\| (`nowserving .+?) \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    listed = {name for cell in table for name in re.findall(r"`nowserving ([a-z-]+)", cell)}
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert listed == set(known)


def test_every_target_has_a_line_in_make_help() -> None:
    done = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = {line.split()[1] for line in done.stdout.splitlines()}
    assert listed == targets(), "a target needs a `## comment` on its line, and a place in .PHONY"


# The glossary


def rows(page: Path, heading: str) -> list[list[str]]:
    """Return the rows of the table whose first column has this heading."""
    lines = page.read_text(encoding="utf-8").splitlines()
    begin = next(index for index, line in enumerate(lines) if re.match(rf"\| *{re.escape(heading)} *\|", line)) + 2
    found = []
    for line in lines[begin:]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip().strip("|").split("|")])
    return found


def glossary() -> list[str]:
    return [row[0] for row in rows(DOCS / "glossary.md", "word")]


def test_each_word_has_one_entry_in_alphabetical_order() -> None:
    words = glossary()
    assert words == sorted(set(words), key=str.casefold)


def test_words_of_the_house_are_in_the_glossary() -> None:
    needed = {
        *("announcement", "backfill", "board", "bus", "canary", "cell", "command", "context", "desk", "digest", "entry"),
        *("epoch", "event", "feed", "feedback", "framing", "handoff", "hub", "lane", "law (of the stream)", "log", "point"),
        *("projection", "provisioning", "queue", "rank", "seeding", "service", "site", "site configuration", "stream"),
        *("ticket", "vault", "view", "visit", "bulk update"),
    }
    assert needed - set(glossary()) == set()


# The decisions


@pytest.mark.parametrize("path", DECISIONS, ids=name_of)
def test_a_decision_has_a_number_a_date_and_a_status(path: Path) -> None:
    title, _, facts = path.read_text(encoding="utf-8").splitlines()[:3]
    assert title.startswith(f"# {int(path.name[:4])}. ")
    found = re.fullmatch(r"Date: \d{4}-\d{2}-\d{2} · Status: (accepted|superseded by \[\d+\]\((\S+)\))", facts)
    assert found, facts


def test_every_decision_is_listed_with_its_title() -> None:
    listed = re.findall(
        r"^(\d+)\. \[(.+)\]\((.+)\)$", (DOCS / "decisions/README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    titles = [path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ") for path in DECISIONS]
    assert [(f"{number}. {title}", name) for number, title, name in listed] == list(
        zip(titles, [path.name for path in DECISIONS], strict=True)
    )


# The states of an entry: the diagram is compared with what the rules do

Edge = tuple[str, str, str]


class Clinic(World):
    """A clinic with one patient in a state: a point that serves the first queue, and a second queue."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.first_queue, self.second_queue = self.queue("A"), self.queue("B")
        self.room = self.point(self.first_queue)
        self.subject = self.ticket(self.first_queue).id
        for command in self._way_to(state):
            self.do(command)
        if state == "expired":
            self.do(Tick(site_id=SITE_ID), after=24 * 3600 * SECOND)
        assert self.state() == state

    def _way_to(self, state: State) -> list[Command]:
        entry = self.subject
        call = CallNext(point_id=self.room)
        ways: dict[State, list[Command]] = {
            "waiting": [],
            "called": [call],
            "serving": [call, Start(entry_id=entry)],
            "completed": [call, Start(entry_id=entry), Complete(entry_id=entry)],
            "no_show": [call, NoShow(entry_id=entry)],
            "held": [Hold(entry_id=entry)],
            "transferred": [Transfer(entry_id=entry, queue_id=self.second_queue)],
            "left": [Leave(entry_id=entry)],
            "cancelled": [Cancel(entry_id=entry, reason="the patient asked for it")],
            "expired": [],
        }
        return ways[state]

    def row(self) -> Entry:
        """Return the row of the patient's first entry: the board forgets the entries of yesterday, the rows do not."""
        [found] = [row for row in self.rows.values() if isinstance(row, Entry) and row.id == self.subject]
        return found

    def state(self) -> str:
        return self.row().state

    def steps(self) -> dict[str, tuple[Command, int]]:
        """Return every command that may change the entry, by name, with the time that passes before it."""
        entry = self.subject
        soon = {
            "call-next": CallNext(point_id=self.room),
            "call": Call(entry_id=entry, point_id=self.room),
            "recall": Recall(entry_id=entry),
            "start": Start(entry_id=entry),
            "complete": Complete(entry_id=entry),
            "no-show": NoShow(entry_id=entry),
            "transfer": Transfer(entry_id=entry, queue_id=self.second_queue),
            "hold": Hold(entry_id=entry),
            "return": Return(entry_id=entry),
            "leave": Leave(entry_id=entry),
            "cancel": Cancel(entry_id=entry, reason="the patient asked for it"),
            "reprioritise": Reprioritise(entry_id=entry, priority="urgent", reason="pain"),
            "move": Move(entry_id=entry, behind_entry_id=None, reason="agreed"),
            "running-late": RunningLate(entry_id=entry, minutes=10),
            "reopen": Reopen(entry_id=entry),
            "close-day": CloseDay(site_id=SITE_ID, reason="the day is over"),
        }
        day = 24 * 3600 * SECOND
        return {**{name: (command, SECOND) for name, command in soon.items()}, "tick": (Tick(site_id=SITE_ID), day)}

    def absences(self) -> dict[str, tuple[Command, int]]:
        """Return the commands that end an absence of ten minutes, by name, with the time that passes before each."""
        here = RunningLate(entry_id=self.subject, minutes=0)
        return {
            "return": (Return(entry_id=self.subject), SECOND),
            "running-late": (here, SECOND),
            "tick": (Tick(site_id=SITE_ID), 600 * SECOND),
        }


def tried() -> Iterator[tuple[Edge, Clinic]]:
    """Yield each step that the rules allow, from a state, by a command, to a state; and the clinic after the step."""
    for state in get_args(State):
        for name in Clinic(state).steps():
            clinic = Clinic(state)
            before = clinic.row()
            try:
                clinic.do(*clinic.steps()[name])
            except (NotFound, Refused):
                continue
            if clinic.row() != before:
                yield (state, name, clinic.state()), clinic
    able: tuple[State, ...] = ("waiting", "called")
    for state in able:  # the patient says "ten minutes", and the absence ends
        for name in Clinic(state).absences():
            clinic = Clinic(state)
            clinic.do(RunningLate(entry_id=clinic.subject, minutes=10))
            absent = clinic.state()
            clinic.do(*clinic.absences()[name])
            yield (absent, name, clinic.state()), clinic


def edges_of_the_diagram() -> set[Edge]:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    [diagram] = re.findall(r"^```mermaid\nstateDiagram-v2\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return {
        (begin, name.strip(), end)
        for begin, end, label in re.findall(r"^\s*(\w+) --> (\w+) : (.+)$", diagram, re.MULTILINE)
        for name in label.split(",")
    }


def test_the_diagram_shows_every_step_that_the_rules_allow() -> None:
    assert edges_of_the_diagram() == {edge for edge, _ in tried()}


def test_the_diagram_names_every_state() -> None:
    edges = edges_of_the_diagram()
    assert {begin for begin, _, _ in edges} | {end for _, _, end in edges} == set(get_args(State))


def test_the_page_lists_every_step_that_can_be_undone_and_undo_restores_the_state() -> None:
    undone: dict[str, set[str]] = {}
    for (begin, name, _), clinic in tried():
        undo, step = clinic.row().undo, clinic.log[-1].event.name_on_wire()
        if undo is None or undo["step"] != step:
            continue  # a recall is no step, and a day that closes takes one step per entry
        clinic.do(Undo(entry_id=clinic.subject))
        assert clinic.state() == begin, (begin, name)
        undone.setdefault(step, set()).add(name)
    listed = {row[0].strip("`"): set(re.findall(r"`([^`]+)`", row[1])) for row in rows(DOCS / "architecture.md", "step")}
    assert listed == undone


# The scripts that the pages name


def test_replay_of_a_log_equals_the_board() -> None:
    spec = importlib.util.spec_from_file_location("replay", DOCS / "replay.py")
    assert spec is not None
    assert spec.loader is not None
    replay = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(replay)
    clinic = Clinic("serving")
    created = replay.before_the_first_event(clinic.board.site, clinic.log[0].at)
    created = replace(created, rules=clinic.first.rules)  # the world begins with rules of its own
    assert replay.differences(replay.replayed(Board(created), clinic.log), clinic.board) == []
    assert replay.replayed(Board(created), clinic.log, until=2).site.seq == 2
    assert replay.differences(replay.replayed(Board(created), clinic.log, until=2), clinic.board) != []


# The version, and the scripts that run everything


def test_the_version_has_one_source() -> None:
    source = (ROOT / "server/__init__.py").read_text(encoding="utf-8")
    [assigned] = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assign)]
    version = ast.literal_eval(assigned.value)
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'dynamic = ["version"]' in pyproject
    assert not re.search(r"^version\s*=", pyproject, re.MULTILINE)
    assert server.__version__ == openapi.document()["info"]["version"] == asyncapi.document()["info"]["version"] == version
    assert f"[{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_version_is_read_from_a_checkout_that_is_not_installed() -> None:
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import server; print(server.__version__)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == server.__version__


def test_the_workflow_runs_the_check_script_and_pins_its_actions() -> None:
    path = ROOT / ".github/workflows/ci.yml"
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    job = jobs["check"]
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    used = [step["uses"] for each in jobs.values() for step in each["steps"] if "uses" in step]
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", each) for each in used)
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    images = re.findall(
        r"^FROM (\S+)", (ROOT / ".devcontainer" / container["build"]["dockerfile"]).read_text(), re.MULTILINE
    )
    assert images[-1] == job["container"]
    assert images[-1].startswith("python:3.")
    assert "tests/packages.sh" in container["onCreateCommand"]
