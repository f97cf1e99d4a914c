"""Bounds of the fields of commands. The edge enforces them before a command exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server.domain.model import languages

DIGITS = "0-9\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\uff10-\uff19"
NAME = {"min_length": 1, "max_length": 80}
# Any text with a digit, in the digits that patients write. The site's region decides the rest.
PHONE = {"max_length": 40, "pattern": f"^.*[{DIGITS}].*$"}
EMAIL = {"pattern": r"^[^@\s]{1,64}@[^@\s]{1,180}$"}
_DAY = "(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}"
DATE_OF_BIRTH = {"pattern": f"^{_DAY}$"}
DATE = {"pattern": f"^{_DAY}$"}
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]"
FROM = {"pattern": f"^{_CLOCK}$"}
UNTIL = {"pattern": f"^({_CLOCK}|24:00)$"}
NOTES = {"min_length": 1, "max_length": 500}
TOKEN = {"min_length": 1, "max_length": 80}
REASON = {"min_length": 3, "max_length": 200}
LANGUAGE = {"max_length": languages.LONGEST, "pattern": languages.PATTERN}
LANGUAGES = {"max_length": 20}
NAMES = {"max_length": 20}
PARTY = {"ge": 1, "le": 20}
NEEDS = {"max_length": 4}
SHOWN = {"max_length": 200}
ID_OR_ZERO = {"ge": 0}  # 0 removes the value; the edge adds the greatest id
SERVICES = {"min_length": 1, "max_length": 50}
QUEUES = {"min_length": 1, "max_length": 50}
POSITION = {"ge": 0, "le": 1000}
CAPACITY = {"ge": 0, "le": 10_000}
MINUTES = {"ge": 0, "le": 240}
CHECK_IN = {"ge": 0, "le": 1440}
CANCEL = {"ge": 0, "le": 10_080}  # a week
WAYS = {"max_length": 3}
REMINDER = {"ge": 1, "le": 336}  # hours, up to two weeks
REMINDERS: dict[str, Any] = {"max_length": 4, "each": REMINDER}  # "each" bounds the elements of a tuple
MINUTE_OF_DAY = {"ge": 0, "le": 1439}
JOINS_PER_PHONE = {"ge": 1, "le": 10}
JOINS_PER_HOUR = {"ge": 1, "le": 1000}


def or_empty(bounds: Mapping[str, Any]) -> dict[str, Any]:
    """Return the bounds of a text that may also be empty: an empty text removes the value."""
    return {**bounds, "pattern": f"^({bounds['pattern'][1:-1]})?$"}
