"""Public texts and the documentation keep to plain words: modern, active, with a noun as the subject, in short sentences.

Each failure names the text (a file and line, or a JSON path), the sentence and the rule.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

import server
from server.cli import app
from server.domain.errors import NowServingError
from server.settings import Settings
from server.transport.spec import asyncapi, openapi

ROOT = Path(__file__).resolve().parents[2]
MOST_WORDS = 30  # in a sentence; about 20 is the aim
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
COMMENTED = [
    *(
        ROOT / name
        for name in (
            ".env.example",
            "Dockerfile",
            ".devcontainer/Dockerfile",
            ".github/workflows/ci.yml",
            "Makefile",
            "docker-compose.prod.yml",
            ".ci/run",
        )
    ),
    *sorted((ROOT / "nginx").rglob("*.conf")),
    *sorted(path for path in (ROOT / "deploy").rglob("*") if path.is_file() and path.suffix != ".pyc"),
    *sorted((ROOT / "monitoring").rglob("*.yml")),
]
DOCUMENTED = ("server", "workers", "loadtests", "docs", "tests")


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern that plain English does without, and the way to write it instead."""

    pattern: re.Pattern[str]
    instead: str


def rule(pattern: str, instead: str) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE), instead)


WORDS = [
    rule(
        r"\b(anew|aught|beneath|ere|forthwith|henceforth|hitherto|lest|nought|seldom|thence|there(of|in|on|with|upon)|"
        r"unto|whence|where(of|in|on|upon|with)|whom|who(so)?ever|whomever|whatsoever|whosoever)\b",
        "use a modern word",
    ),
    rule(r"\ball the same\b", 'write "still" or "nevertheless", or drop it'),
    rule(r"\bis so already\b", 'write "is already set like this"'),
    rule(r"\bof use\b", 'write "useful"'),
    rule(r"\bis due\b", "name the time or the condition"),
]
CONSTRUCTIONS = [
    rule(r"\b(those|all|he|they|anybody|everybody|somebody|nobody) who(se)?\b", "name the person: patient, client, user"),
    rule(
        r"(^|[.:;,(]\s+|\b(and|but|by|for|from|nor|of|only|or|than|that|to|with)\s+)who(se)?\s+(?!\()[a-z]",
        "name the subject",
    ),
    rule(r"\b(those|all) (that|which)\b", "name the things"),
    rule(
        r"\bwhat\b(?! (to|happened|kind)\b)(?![^.!?]*\?)",
        'a clause without a head: name the thing instead of "what ..."',
    ),
    rule(r"\b(is|are|was|were|be|been|being) told\b", "say who receives which message"),
    rule(r"^(it|they|this|of [\w ]+|by [\w ]+)\.$", "a field description names its noun"),
]
OPENINGS = [rule(r"^(it|its|they|their|them)\b", "a text begins with its noun, not with a pronoun")]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a text: where it is, and whether its length is bounded (tables and headings are not)."""

    where: str
    text: str
    bounded: bool = True
    opening: bool = False


# From a text to its sentences

_ABBREVIATION = re.compile(r"\b(e\.g|i\.e|etc|cf|vs|al|approx)\.$", re.IGNORECASE)
_LOWER_CASE = "axe-core|espeak-ng|import-linter|nginx|pytest|sse-starlette|uvicorn"  # names that may begin a sentence
_END = re.compile(rf"(?<=[.!?])[\"')*_]*\s+(?=[\"'(*_\[`]*(?:[A-Z0-9]|{_LOWER_CASE}))")
_MARKER = re.compile(r"^\s*([-*+]|\d+\.)\s+")


def plain(markdown: str) -> str:
    """Return text without its marks: a code span becomes one word, a link its own text."""
    text = re.sub(r"``.+?``|`[^`]+`", "CODE", markdown)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"<[^>\s][^>]*>", " ", text)
    return re.sub(r"\s+", " ", text.replace("**", "").replace("*", "")).strip()


def split(text: str) -> Iterator[str]:
    """Yield the sentences of a paragraph."""
    rest = ""
    for part in _END.split(text):
        rest = f"{rest} {part}".strip()
        if not _ABBREVIATION.search(rest):
            yield rest
            rest = ""
    if rest:
        yield rest


def sentences(where: str, text: str, first_line: int | None = None) -> Iterator[Sentence]:
    """Yield the sentences of a Markdown text. Code blocks are left out; a number is added to ``where`` if lines count."""

    def place(number: int) -> str:
        return where if first_line is None else f"{where}:{first_line + number}"

    def paragraph() -> Iterator[Sentence]:
        for index, each in enumerate(split(plain(" ".join(block)))):
            yield Sentence(place(begun), each, opening=index == 0)
        block.clear()

    block: list[str] = []
    begun, fenced = 0, False
    for number, line in enumerate(text.splitlines()):
        stripped = line.strip()
        if stripped.startswith("```"):
            fenced = not fenced
            yield from paragraph()
        elif fenced or (line.startswith("    ") and not block):
            continue
        elif not stripped or stripped.startswith("#"):
            yield from paragraph()
            if stripped:
                yield Sentence(place(number), plain(stripped.lstrip("#")), bounded=False)
        elif stripped.startswith("|"):
            yield from paragraph()
            for cell in stripped.strip("|").split("|"):
                for each in split(plain(cell)):
                    yield Sentence(place(number), each, bounded=False)
        else:
            if _MARKER.match(line):
                yield from paragraph()
            if not block:
                begun = number
            block.append(_MARKER.sub("", line))
    yield from paragraph()


def problems(found: Iterator[Sentence], rules: list[Rule], most_words: int | None = None) -> list[str]:
    """Return a line for each sentence that breaks a rule."""
    lines = []
    for each in found:
        for broken in [*rules, *(OPENINGS if each.opening and rules is not WORDS else [])]:
            hit = broken.pattern.search(each.text)
            if hit:
                lines.append(f'{each.where}: "{hit[0].strip()}": {broken.instead}\n    {each.text}')
        count = sum(1 for word in each.text.split() if re.search(r"\w", word))
        if most_words is not None and each.bounded and count > most_words:
            lines.append(f"{each.where}: {count} words in a sentence, {most_words} at most\n    {each.text}")
    return lines


def assert_plain(found: Iterator[Sentence], rules: list[Rule], most_words: int | None = None) -> None:
    lines = problems(found, rules, most_words)
    if lines:
        pytest.fail(f"{len(lines)} sentences are not plain:\n" + "\n".join(lines), pytrace=False)


# The texts


def described(made: Any, path: str = "") -> Iterator[Sentence]:
    """Yield the sentences of every description, summary, title and message in a JSON document."""
    if isinstance(made, dict):
        for name, value in made.items():
            if name in ("description", "summary", "message", "title") and isinstance(value, str):
                yield from sentences(f"{path}/{name}", value)
            else:
                yield from described(value, f"{path}/{name.replace('/', '~1')}")
    elif isinstance(made, list):
        for index, value in enumerate(made):
            yield from described(value, f"{path}/{index}")


def unique(found: Iterator[Sentence]) -> Iterator[Sentence]:
    """Yield each text once: a refusal is repeated at every address that can answer it."""
    seen: set[str] = set()
    for each in found:
        if each.text not in seen:
            seen.add(each.text)
            yield each


def errors(kind: type[NowServingError] = NowServingError) -> Iterator[type[NowServingError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from errors(each)


def helped(command: Any, path: str) -> Iterator[Sentence]:
    """Yield the sentences of the help of a command, of its options and of its sub-commands."""
    yield from sentences(path, command.help or "")
    for parameter in command.params:
        yield from sentences(f"{path} {parameter.opts[0]}", getattr(parameter, "help", None) or "")
    for name, each in getattr(command, "commands", {}).items():
        yield from helped(each, f"{path} {name}")


def comments(path: Path) -> Iterator[Sentence]:
    """Yield the sentences of the comments of a configuration file, block by block."""
    block: list[str] = []
    begun = 0
    for number, line in enumerate([*path.read_text(encoding="utf-8").splitlines(), ""], 1):
        found = re.match(r"\s*#+ ?(?!!)(?P<text>.*)", line) or re.search(r"\s{2}##? (?P<text>.*)", line)
        own_line = line.lstrip().startswith("#")
        if block and not (own_line and found and found["text"].strip()):
            for each in split(plain(" ".join(block))):
                yield Sentence(f"{path.relative_to(ROOT)}:{begun}", each)
            block.clear()
        if found and not found["text"].startswith("   "):
            if not block:
                begun = number
            block.append(found["text"])


def docstrings(folder: str) -> Iterator[Sentence]:
    """Yield the sentences of all docstrings below a folder."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        if "migrations/versions" in path.as_posix():
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node)
                if text and node.body and isinstance(node.body[0], ast.Expr):
                    yield from sentences(str(path.relative_to(ROOT)), text, node.body[0].lineno)


# The tests


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_is_plain(page: Path) -> None:
    found = sentences(str(page.relative_to(ROOT)), page.read_text(encoding="utf-8"), 1)
    assert_plain(found, WORDS + CONSTRUCTIONS, MOST_WORDS)


@pytest.mark.parametrize("path", COMMENTED, ids=lambda path: str(path.relative_to(ROOT)))
def test_comments_of_configuration_are_plain(path: Path) -> None:
    assert_plain(comments(path), WORDS + CONSTRUCTIONS, MOST_WORDS)


@pytest.mark.parametrize("make", [openapi.document, asyncapi.document], ids=["openapi", "asyncapi"])
def test_api_document_is_plain(make: Any) -> None:
    assert_plain(unique(described(make())), WORDS + CONSTRUCTIONS, MOST_WORDS)


def test_error_messages_are_plain() -> None:
    for module in pkgutil.walk_packages(server.__path__, "server."):
        if "migrations" not in module.name:
            importlib.import_module(module.name)  # an error that no import defines would escape
    found = (
        each
        for kind in errors()
        for each in sentences(f"{kind.__module__}.{kind.__qualname__}", (kind.__doc__ or "").strip().splitlines()[0])
    )
    assert_plain(unique(found), WORDS + CONSTRUCTIONS, MOST_WORDS)


def test_help_of_the_command_line_is_plain() -> None:
    assert_plain(helped(typer.main.get_command(app), "nowserving"), WORDS + CONSTRUCTIONS, MOST_WORDS)


def test_descriptions_of_settings_are_plain() -> None:
    found = (
        each
        for name, field in Settings.model_fields.items()
        for each in sentences(f"NOWSERVING_{name.upper()}", field.description or "")
    )
    assert_plain(found, WORDS + CONSTRUCTIONS, MOST_WORDS)


@pytest.mark.parametrize("folder", DOCUMENTED)
def test_docstrings_use_modern_words(folder: str) -> None:
    assert_plain(docstrings(folder), WORDS)


# The check itself


@pytest.mark.parametrize(
    "text",
    [
        "The page takes its pictures anew.",
        "The desk shows what is told to the screens.",
        "The bench measures those who wait.",
        "Who waits is called later.",
        "It counts the entries.",
        "It.",
        "Of birth.",
        "All of this is so already.",
        "The screen is told the number.",
        "A sentence " + "of many words " * 10 + "ends.",
    ],
)
def test_a_text_that_is_not_plain_is_found(text: str) -> None:
    assert problems(sentences("text", text), WORDS + CONSTRUCTIONS, MOST_WORDS)


@pytest.mark.parametrize(
    "text",
    [
        "What is wrong with the display?",
        "The message says what happened and what to do.",
        "The client, which follows a stream, counts e.g. Announcements.",
        "The staff member who called the patient may undo the call.",
        "```\nwhat is told anew\n```",
        "| column | " + "word " * 40 + "|",
        "The option is `what is told anew`.",
    ],
)
def test_a_plain_text_passes(text: str) -> None:
    assert problems(sentences("text", text), WORDS + CONSTRUCTIONS, MOST_WORDS) == []
