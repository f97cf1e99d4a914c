"""Bounds of the fields of commands. The edge enforces them before a command exists."""

from __future__ import annotations

from server.domain.model import languages

DIGITS = "0-9\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\uff10-\uff19"
NAME = {"min_length": 1, "max_length": 80}
# Any text with a digit, in the digits that patients write. The site's region decides the rest.
PHONE = {"max_length": 40, "pattern": f"^.*[{DIGITS}].*$"}
REASON = {"min_length": 3, "max_length": 200}
LANGUAGE = {"max_length": languages.LONGEST, "pattern": languages.PATTERN}
LANGUAGES = {"max_length": 20}
NAMES = {"max_length": 20}
PARTY = {"ge": 1, "le": 20}
NEEDS = {"max_length": 4}
SHOWN = {"max_length": 200}
QUEUES = {"min_length": 1, "max_length": 50}
POSITION = {"ge": 0, "le": 1000}
CAPACITY = {"ge": 0, "le": 10_000}
MINUTES = {"ge": 0, "le": 240}
