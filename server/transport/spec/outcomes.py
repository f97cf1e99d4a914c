"""The outcomes of a command, read from the source of its rule.

An outcome is the events and errors that the command's branch in `decide` or `configure_site` names, and those that the
functions and methods name that this branch calls. For one document, each module of the domain is parsed once, and each
function is searched once.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from types import FunctionType, ModuleType
from typing import Any, cast

from server.domain.commands import COMMANDS, Command
from server.domain.errors import NowServingError
from server.domain.events import EVENTS, Event
from server.domain.rules.day import tick
from server.domain.rules.decisions import decide
from server.domain.rules.site_configuration import configure_site

_RULES = (cast(FunctionType, decide), cast(FunctionType, configure_site))
_EVENTS = frozenset(EVENTS.values())
_CLOCK = cast(FunctionType, tick)


@dataclass
class Outcome:
    """The events and errors that a rule can result in."""

    events: dict[type[Event], None] = field(default_factory=dict)
    errors: dict[type[NowServingError], None] = field(default_factory=dict)


class Outcomes:
    """Reads the source of rules, and caches the results."""

    def __init__(self) -> None:
        self._trees: dict[str, dict[int, ast.FunctionDef]] = {}
        self._called: dict[FunctionType, list[object]] = {}

    def of(self, command: type[Command]) -> Outcome | None:
        """Return the outcome of ``command``. None if the command has no branch, or the source is not available."""
        branch = next((self._branches[kind] for kind in command.__mro__ if kind in self._branches), None)
        if branch is None:
            return None
        found = Outcome()
        body, names = branch
        self._collect(_named_in(body, names), found, set())
        return found if found.events else None

    @cached_property
    def clock(self) -> list[type[Event]]:
        """The events of the clock. They can come before the events of any command."""
        found = Outcome()
        self._collect(self._named_by(_CLOCK), found, set())
        return list(found.events)

    @cached_property
    def untold(self) -> set[type[Event]]:
        """The events that only internal commands cause. They are in the log, and in no answer."""
        inside: set[type[Event]] = set()
        outside: set[type[Event]] = set(self.clock)
        for command in COMMANDS.values():
            outcome = self.of(command)
            (inside if command.internal else outside).update(outcome.events if outcome else ())
        return inside - outside

    @cached_property
    def _branches(self) -> dict[type[Command], tuple[list[ast.stmt], dict[str, Any]]]:
        """For each command the first branch that matches it, and the global names of the branch."""
        found: dict[type[Command], tuple[list[ast.stmt], dict[str, Any]]] = {}
        for rule in _RULES:
            names = rule.__globals__
            for case in (node for part in self._body(rule) for node in ast.walk(part) if isinstance(node, ast.match_case)):
                for each in ast.walk(case.pattern):
                    kind = _named(each.cls, names) if isinstance(each, ast.MatchClass) else None
                    if isinstance(kind, type) and issubclass(kind, Command):
                        found.setdefault(kind, (case.body, names))
        return found

    def _collect(self, named: Iterable[object], found: Outcome, seen: set[object]) -> None:
        for value in named:
            if isinstance(value, type) and issubclass(value, Event):
                if value in _EVENTS:  # a rule may also name the base of several events
                    found.events[value] = None
            elif isinstance(value, type) and issubclass(value, NowServingError):
                found.errors[value] = None
            elif isinstance(value, FunctionType) and value not in seen:
                seen.add(value)
                self._collect(self._named_by(value), found, seen)

    def _named_by(self, function: FunctionType) -> list[object]:
        if function not in self._called:
            self._called[function] = _named_in(self._body(function), function.__globals__)
        return self._called[function]

    def _body(self, function: FunctionType) -> list[ast.stmt]:
        """Return a function's statements, without its signature: types and defaults are not outcomes."""
        module = function.__module__
        if module not in self._trees:
            self._trees[module] = _functions(sys.modules[module])
        made = self._trees[module].get(function.__code__.co_firstlineno)
        return made.body if made else []


def _functions(module: ModuleType) -> dict[int, ast.FunctionDef]:
    """Return a module's functions by their first line, decorators included. Empty if the source is not available."""
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, SyntaxError):
        return {}
    made = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {min([node.lineno, *(each.lineno for each in node.decorator_list)]): node for node in made}


def _named_in(body: Iterable[ast.stmt], names: dict[str, Any]) -> list[object]:
    """Return the events, errors and functions of the domain that statements name."""
    found: dict[int, object] = {}
    for node in (node for statement in body for node in ast.walk(_without_annotation(statement))):
        value = _named(node, names)
        if isinstance(value, FunctionType):
            if value.__module__.startswith("server.domain"):
                found[id(value)] = value
        elif isinstance(value, type) and issubclass(value, Event | NowServingError) and value is not Event:
            found[id(value)] = value
        elif isinstance(value, type) and value.__module__.startswith("server.domain.rules"):  # a rule may be an object
            found |= {id(each): each for each in vars(value).values() if isinstance(each, FunctionType)}
    return list(found.values())


def _without_annotation(statement: ast.stmt) -> ast.AST:
    return statement.value if isinstance(statement, ast.AnnAssign) and statement.value else statement


def _named(node: ast.AST, names: dict[str, Any]) -> object:
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        owner = names.get(node.value.id)
        return getattr(owner, node.attr, None) if isinstance(owner, ModuleType) else None
    return None
