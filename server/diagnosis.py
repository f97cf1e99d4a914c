"""The bundle of `nowserving diagnose`: facts about an installation for a stranger who helps, without anything personal.

Nothing is searched for secrets and removed. Each part lets through only the values of which it knows that they are none.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import orjson

from server import __version__
from server.domain.model.local_time import tz_version
from server.installation.places import disk_space
from server.queries.system import Check

LOG_LINES = 2_000
LOG_BYTES = 4_000_000  # read from the end of a log
LONGEST_TEXT = 120

# The texts of our own log lines are constants, and these fields are words of the product or names of classes.
_OURS = ("server.", "workers.")
_WORDS = frozenset(
    {"event", "kind", "level", "logger", "method", "outcome", "reason", "remedy", "route", "timestamp", "transport", "view"}
)
_PLAIN = re.compile(r"[\w .:,;/{}<>()'`+-]*", re.ASCII)
_CLASS = re.compile(r"\w*(Error|Exception|Unavailable|Conflict|Timeout|Refused|Busy)\b", re.ASCII)
_METRIC = re.compile(r"(# (HELP|TYPE) )?(nowserving|python|process)_[ -~]*")
_FIGURE = re.compile(r"\d[\w., ]*", re.ASCII)  # a number, a size, a version, or several of them
_NUMBERED = re.compile(r"\((\d+)")

ABOUT = """\
This is the bundle of `nowserving diagnose`. It helps somebody who does not know this installation.

versions.json    Now Serving, Python, its packages, the database, the system
settings.json    the effective settings; names of hosts, paths, addresses and secrets are masked
state.json       the list of the system's state, as `nowserving check` prints it
counts.json      the number of rows of each table
migrations.json  the migrations that the database lacks
machine.json     processors, memory, load and disk
metrics.txt      the metrics of one server process
log.jsonl        the end of a log: the lines of Now Serving, with the fields that are never personal

There are no rows, no names, no tokens, no passwords and no keys in it. Look through it before you pass it on.
"""


def versions(database: str | None) -> dict[str, Any]:
    """Return the versions of everything that runs. ``database`` is that of the database server, if known."""
    packages = {each.name: each.version for each in distributions() if each.name}
    return {
        "nowserving": __version__,
        "python": sys.version.split()[0],
        "system": platform.platform(),
        "tzdata": tz_version(),
        "database": database,
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
    }


def machine(folder: Path) -> dict[str, Any]:
    """Return the size and the load of this machine. ``folder`` has the data."""
    space = disk_space(folder)
    return {
        "processors": os.cpu_count(),
        "load": list(os.getloadavg()),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "disk": None if space is None else {"free_bytes": space[0], "total_bytes": space[1]},
    }


def state(checks: Iterable[tuple[Check, int | None]]) -> list[dict[str, Any]]:
    """Return the list of the system's state. The start is in microseconds."""
    return [
        {
            "name": check.name,
            "state": check.state,
            "code": check.code,
            "since": since,
            "values": {name: value if _FIGURE.fullmatch(value) else _masked(value) for name, value in check.values.items()},
        }
        for check, since in checks
    ]


def _masked(text: str) -> str:
    """Return the number of a database's error. Other texts, for example the rest of the error, can name hosts and paths."""
    found = _NUMBERED.search(text)
    return "hidden" if found is None else f"error {found[1]}"


def metrics(text: str) -> str:
    """Return the lines of a server's answer that are metrics of ours. Another program may listen at the address."""
    return "".join(f"{line}\n" for line in text.splitlines() if _METRIC.fullmatch(line))


def log_end(file: Path) -> list[str]:
    """Return the last lines of a log. Raises `OSError`."""
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - LOG_BYTES))
        return opened.read().decode("utf-8", "replace").splitlines()[-LOG_LINES:]


def log(lines: Sequence[str]) -> str:
    """Return the safe fields of the JSON lines among ``lines``, and as a last line the number of the others."""
    kept = [found for each in lines if (found := _line(each)) is not None]
    kept.append({"left_out": len(lines) - len(kept)})
    return "".join(json.dumps(each) + "\n" for each in kept)


def _line(text: str) -> dict[str, Any] | None:
    try:
        found = orjson.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    ours = str(found.get("logger", "")).startswith(_OURS)
    kept: dict[str, Any] = {}
    for name, value in found.items():
        if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 10**7):
            if ours and _is_word(name):
                kept[name] = value
        elif isinstance(value, str) and name in ("error", "exception"):
            kept["errors"] = [each[0] for each in _CLASS.finditer(value)][:5]
        elif isinstance(value, str) and name in _WORDS and (ours or name in ("level", "timestamp")) and _is_word(value):
            kept[name] = value
    return kept or None


def _is_word(text: str) -> bool:
    """Return whether a text is one that a program wrote: short, plain, and without a token or a long number."""
    if len(text) > LONGEST_TEXT or not _PLAIN.fullmatch(text):
        return False
    return all(len(each) < 40 for each in text.split())


def write(file: Path, parts: Mapping[str, Any]) -> None:
    """Write a bundle that only the user of this process can read. A text is written as it is, other parts as JSON."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    private = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(private, "wb") as opened, zipfile.ZipFile(opened, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in {"README.txt": ABOUT, **parts}.items():
            text = content if isinstance(content, str) else json.dumps(content, indent=1) + "\n"
            bundle.writestr(f"nowserving-diagnosis/{name}", text)
    fresh.replace(file)
