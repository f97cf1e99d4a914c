"""Reading a set-up file: every mistake has its line, and a remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import date, datetime
from difflib import get_close_matches
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import tomlkit
from tomlkit.exceptions import TOMLKitError

from server import phones
from server.blueprints.format import CLINIC_RULES, CLOCKS, HOURS, MESSAGES, RECORDS, RULES, SITE_KEYS, WEEKDAYS, key_of
from server.blueprints.lines import Path, lines_of
from server.blueprints.problems import BadClinicFile, FileProblem
from server.domain import plain_text
from server.domain.commands import ChangeSite
from server.domain.commands.blueprint import Blueprint, Plan, normal, problems
from server.domain.messages import LONGEST_TEXT, TEMPLATES
from server.domain.model import Names, Rules, hours, languages

_RANGE = re.compile(r"([0-2]?[0-9]):([0-5][0-9])\s*[-\u2013]\s*([0-2]?[0-9]):([0-5][0-9])")
_CLOCK = re.compile(r"([0-1]?[0-9]|2[0-3]):([0-5][0-9])")
_TOP = ("organisation", "clinic", "hours", "rules", MESSAGES, *RECORDS)
Texts = tuple[tuple[str, str, str], ...]  # a template, a language, and the text
ProblemOf = Callable[[str, str, str], str | None]
_BAD = object()  # the value of a field that has a problem


@dataclass(frozen=True, slots=True)
class ClinicFile:
    """The content of a set-up file. Without an ``organisation``, the file belongs to the only one of the installation.

    ``texts`` are the clinic's own texts of messages, by template and language, in this order.
    """

    blueprint: Blueprint
    organisation: str | None = None
    texts: Texts = ()


def read(text: str, problem_of: ProblemOf = lambda *_: None) -> ClinicFile:
    """Return the content of a set-up file, in its normal form. Raises `BadClinicFile` with every mistake.

    ``problem_of`` returns why a text of a message is impossible, for its template, its language and the text; or None.
    """
    return Reader(text).file(problem_of)


class Reader:
    """Reads the parts of one text and collects the problems. ``data`` are the plain values of the text."""

    def __init__(self, text: str) -> None:
        try:
            self.data: dict[str, Any] = tomlkit.parse(text).unwrap()
        except TOMLKitError as error:
            said = re.sub(r" at line \d+ col \d+$", "", str(error))
            raise BadClinicFile([FileProblem(getattr(error, "line", 1), f"this is not TOML: {said}")]) from None
        self._lines = lines_of(text)
        self._problems: list[FileProblem] = []

    def file(self, problem_of: ProblemOf) -> ClinicFile:
        """Return the content of the file. Raises `BadClinicFile`. ``problem_of`` is as for `read`."""
        self.known_keys((), self.data, _TOP)
        organisation = self._organisation()
        texts = self._texts(problem_of)
        blueprint = self.blueprint()
        self.finish()
        return ClinicFile(blueprint, organisation, texts)

    def finish(self) -> None:
        """Raise `BadClinicFile` if there is a problem."""
        if self._problems:
            raise BadClinicFile(self._problems)

    def blueprint(self, **instead: str) -> Blueprint:
        """Return the blueprint in the file. ``instead`` are values of the site that the file does not have."""
        clinic = self.table("clinic")
        self.known_keys(("clinic",), clinic, (*SITE_KEYS.values(), *CLINIC_RULES))
        site = self._site(clinic, instead)
        rules = self._rules(clinic, str(site.get("time_zone", "")))
        records: dict[str, Any] = {kind: self._records(kind, plan) for kind, plan in RECORDS.items()}
        if self._problems:
            raise BadClinicFile(self._problems)
        blueprint = Blueprint(**site, rules=Rules(**rules), **records)
        for each in problems(blueprint):
            self.problem(each.path, each.text)
        return normal(blueprint)

    def problem(self, path: Path, text: str) -> None:
        """Note a problem of the value at ``path``."""
        self._problems.append(FileProblem(self._line(path), text))

    def table(self, name: str) -> dict[str, Any]:
        """Return a table of the file; an empty one if it is missing."""
        found = self.data.get(name, {})
        if isinstance(found, dict):
            return found
        self.problem((name,), f"{name} is a table: write [{name}] on a line of its own")
        return {}

    def known_keys(self, path: Path, table: Mapping[str, Any], known: Iterable[str]) -> None:
        """Note each unknown key of a table."""
        for key in set(table) - set(known):
            close = get_close_matches(key, known, n=1)
            meant = f"Did you mean {close[0]}?" if close else f"The keys here are {', '.join(known)}."
            self.problem((*path, key), f"the key {key} is unknown. {meant}")

    def value(self, path: Path, raw: Any, hint: Any, bounds: Mapping[str, Any]) -> Any:
        """Return a value of the file as the type ``hint`` within its bounds, or note the problem."""
        name = path[-1] if isinstance(path[-1], str) else path[-2]
        try:
            return self._checked(path, raw, hint, bounds)
        except ValueError as error:
            self.problem(path, f"{name}: {error}")
            return _BAD

    def _line(self, path: Path) -> int:
        while path not in self._lines and path:
            path = path[:-1]
        return self._lines.get(path, 1)

    def _organisation(self) -> str | None:
        raw = self.data.get("organisation")
        if raw is None:
            return None
        found = self.value(("organisation",), raw, str, {"min_length": 1, "max_length": 120})
        return found if isinstance(found, str) else None

    def _site(self, clinic: Mapping[str, Any], instead: Mapping[str, str]) -> dict[str, Any]:
        bounds = {item.name: item.metadata for item in fields(Blueprint)}
        found: dict[str, Any] = {"language": "en"} | dict(instead)
        for name, key in SITE_KEYS.items():
            path = ("clinic", key)
            if key not in clinic:
                if name not in found and name != "day_turns_at_minutes":
                    self.problem(("clinic",), f"{key} is missing in the table clinic")
                continue
            if name in CLOCKS:
                found[name] = self._clock(path, clinic[key])
            else:
                found[name] = self.value(path, clinic[key], str, bounds[name])
        if isinstance(zone := found.get("time_zone"), str) and not hours.is_time_zone(zone):
            self.problem(("clinic", "time_zone"), f"there is no time zone {zone}. Examples: Europe/Berlin, America/New_York")
        self._tag(("clinic", "language"), found["language"])
        return {name: value for name, value in found.items() if value is not _BAD}

    def _clock(self, path: Path, raw: Any) -> int:
        written = str(raw)[:5] if hasattr(raw, "hour") else raw  # TOML has times without quotes, too
        found = _CLOCK.fullmatch(written) if isinstance(written, str) else None
        if found is None:
            self.problem(path, f'{path[-1]} is a time like "04:00"')
            return 0
        return int(found[1]) * 60 + int(found[2])

    def _rules(self, clinic: Mapping[str, Any], time_zone: str) -> dict[str, Any]:
        table = self.table("rules")
        self.known_keys(("rules",), table, RULES)
        hints = get_type_hints(ChangeSite)
        bounds = {item.name: item.metadata for item in fields(ChangeSite)}
        places = {name: ("clinic", name) for name in CLINIC_RULES}
        places |= {name: ("rules", key) for key, name in RULES.items()}
        given: dict[str, Any] = {}
        for name, path in places.items():
            raw = (clinic if path[0] == "clinic" else table).get(path[1])
            if raw is None:
                continue
            if name == "closed_on":
                given[name] = self._days(path, raw)
            elif name in CLOCKS:
                given[name] = self._clock(path, raw)
            else:
                given[name] = self.value(path, raw, hints[name], bounds[name])
        if (region := given.get("region")) and region is not _BAD and region not in phones.REGIONS:
            self.problem(("clinic", "region"), f"region: no phone numbers are known of {region}. Examples: DE, GB, US")
        for index, tag in enumerate(given.get("languages", ()) if given.get("languages") is not _BAD else ()):
            self._tag(("clinic", "languages", index), tag)
        given.setdefault("region", phones.region_of_zone(time_zone) or "")
        if HOURS in self.data:
            given[HOURS] = self._hours()
        return {name: value for name, value in given.items() if value is not _BAD}

    def _tag(self, path: Path, tag: Any) -> None:
        if isinstance(tag, str) and not languages.is_tag(tag):
            self.problem(path, f"{tag[:40]} is no language tag. Examples: en, pt-BR, zh-Hant")

    def _hours(self) -> tuple[tuple[int, int, int], ...]:
        table = self.table(HOURS)
        self.known_keys((HOURS,), table, WEEKDAYS)
        found = []
        for weekday, key in enumerate(WEEKDAYS):
            raw, until_before = table.get(key, []), 0
            if not isinstance(raw, list):
                self.problem((HOURS, key), f'{key} is a list of ranges: {key} = ["08:00-12:00", "13:00-17:00"]')
                continue
            for index, written in enumerate(raw):
                path: Path = (HOURS, key, index)
                match = _RANGE.fullmatch(written) if isinstance(written, str) else None
                if match is None:
                    self.problem(path, f'{key}: {str(written)[:40]} is not a range like "08:00-12:00"')
                    continue
                begin, until = (int(match[at]) * 60 + int(match[at + 1]) for at in (1, 3))
                if not begin < until <= hours.DAY_MINUTES:
                    self.problem(path, f"{key}: {written} must end after its beginning, and by 24:00")
                elif begin < until_before:
                    self.problem(path, f"{key}: {written} begins before the range in front of it ends")
                else:
                    found.append((weekday, begin, until))
                    until_before = until
        return tuple(found)

    def _days(self, path: Path, raw: Any) -> tuple[str, ...]:
        if not isinstance(raw, list):
            self.problem(path, f"{path[-1]} is a list of days: {path[-1]} = [2026-12-25]")
            return ()
        if len(raw) > 100:
            self.problem(path, f"{path[-1]} has {len(raw)} days; 100 is the most")
        found = []
        for index, each in enumerate(raw):
            day = each.isoformat() if isinstance(each, date) and not isinstance(each, datetime) else each
            try:
                found.append(date.fromisoformat(day).isoformat())
            except (TypeError, ValueError):
                self.problem((*path, index), f"{path[-1]}: {str(each)[:40]} is not a day like 2026-12-25")
        return tuple(found)

    def _texts(self, problem_of: ProblemOf) -> Texts:
        table = self.table(MESSAGES)
        self.known_keys((MESSAGES,), table, TEMPLATES)
        found: dict[tuple[str, str], str] = {}
        for template in table.keys() & set(TEMPLATES):
            by_language = table[template]
            if not isinstance(by_language, dict):
                self.problem((MESSAGES, template), f'{template} is a table: {template} = {{ en = "..." }}')
                continue
            for tag, raw in by_language.items():
                path: Path = (MESSAGES, template, tag)
                self._tag(path, tag)
                text = self.value(path, raw, str, {"min_length": 1, "max_length": LONGEST_TEXT})
                if not languages.is_tag(tag) or not isinstance(text, str):
                    continue
                if (problem := problem_of(template, languages.usual(tag), text)) is not None:
                    self.problem(path, f"{tag}: {problem}")
                found[template, languages.usual(tag)] = text
        return tuple(sorted((template, tag, text) for (template, tag), text in found.items()))

    def _records(self, kind: str, plan: type[Plan]) -> tuple[Plan, ...]:
        raw = self.data.get(kind, [])
        if not isinstance(raw, list) or not all(isinstance(each, dict) for each in raw):
            self.problem((kind,), f"{kind} are tables: write [[{kind}]] on a line of its own before each")
            return ()
        most = next(item.metadata["max_length"] for item in fields(Blueprint) if item.name == kind)
        if len(raw) > most:
            self.problem((kind, most), f"there are {len(raw)} {kind}; {most} is the most")
        found = [self._record((kind, index), each, plan) for index, each in enumerate(raw)]
        return tuple(each for each in found if each is not None)

    def _record(self, path: Path, table: dict[str, Any], plan: type[Plan]) -> Plan | None:
        hints = get_type_hints(plan)
        self.known_keys(path, table, [item.name for item in fields(plan)])
        values: dict[str, Any] = {}
        for item in fields(plan):
            if item.name in table:
                values[item.name] = self.value((*path, item.name), table[item.name], hints[item.name], item.metadata)
            elif item.name == "true_name":
                values[item.name] = table.get("name")
            elif item.default is MISSING:
                self.problem(path, f"{item.name} is missing in this table of {path[0]}")
                values[item.name] = _BAD
        return None if _BAD in values.values() else plan(**values)

    def _checked(self, path: Path, raw: Any, hint: Any, bounds: Mapping[str, Any]) -> Any:
        if get_origin(hint) in (Union, UnionType):
            [hint] = [each for each in get_args(hint) if each is not type(None)]
        if hint == Names:
            return self._names(path, raw, bounds)
        if get_origin(hint) is tuple:
            return self._list(path, raw, get_args(hint)[0], bounds)
        if get_origin(hint) is Literal:
            if raw not in get_args(hint):
                raise ValueError(f"{str(raw)[:40]!r} is none of {', '.join(map(repr, get_args(hint)))}")
            return raw
        if type(raw) is not hint:
            raise ValueError(f"{_KINDS.get(hint, hint.__name__)} is needed, not {str(raw)[:40]!r}")
        if hint is str:
            _check_text(raw, bounds)
        elif hint is int and not bounds.get("ge", raw) <= raw <= bounds.get("le", raw):
            raise ValueError(f"{raw} is not from {bounds.get('ge')} to {bounds.get('le')}")
        return raw

    def _list(self, path: Path, raw: Any, hint: Any, bounds: Mapping[str, Any]) -> tuple[Any, ...]:
        if not isinstance(raw, list):
            raise ValueError('a list is needed: ["one", "another"]')
        if not bounds.get("min_length", 0) <= len(raw) <= bounds.get("max_length", len(raw)):
            raise ValueError(f"the list needs {bounds.get('min_length', 0)} to {bounds['max_length']} elements")
        found = tuple(self.value((*path, index), each, hint, bounds.get("each", {})) for index, each in enumerate(raw))
        return () if _BAD in found else found  # the problem of the element is noted

    def _names(self, path: Path, raw: Any, bounds: Mapping[str, Any]) -> Names:
        if not isinstance(raw, dict):
            raise ValueError('names are by language: { es = "Sangre", ar = "..." }')
        if len(raw) > bounds["max_length"]:
            raise ValueError(f"{bounds['max_length']} names are the most")
        for tag, name in raw.items():
            self._tag((*path, tag), tag)
            self.value((*path, tag), name, str, {"min_length": 1, "max_length": 80})
        return tuple(raw.items())


_KINDS = {str: "a text in quotes", int: "a whole number", bool: "true or false"}


def _check_text(text: str, bounds: Mapping[str, Any]) -> None:
    least, most = bounds.get("min_length", 0), bounds.get("max_length")
    if len(text) < least or (most is not None and len(text) > most):
        raise ValueError(f"the text has {len(text)} characters; it needs {least} to {most}")
    pattern = bounds.get("pattern")
    if pattern is not None and not re.search(pattern, text):
        wanted = _PATTERNS.get(pattern, f"a text like {pattern}")
        raise ValueError(f"{text[:40]!r} is not {wanted}")
    plain_text.checked(text)


_PATTERNS = {
    "^[A-Z]$": "one capital letter from A to Z",
    "^([A-Z]{2})?$": "a country like DE, or empty",
    languages.PATTERN: "a language tag like en, pt-BR or zh-Hant",
}

__all__ = ["ClinicFile", "Reader", "key_of", "read"]
