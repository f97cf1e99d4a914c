"""The process that replays a day with changes: parts on its standard input, one answer as JSON on its standard output.

It has the lowest priority and limits of its own, and ends as soon as its input ends: nobody waits for the answer then.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any

import orjson

from server.domain.events import Recorded, event_from
from server.domain.what_if import Changed, Extra, Intake, PointChange, compared, observed
from server.queries.what_if import LENGTH_BYTES, NO_MEMORY
from server.store.checkpoints import decoded

MOST_BYTES = 768 * 1024 * 1024  # of addresses: several times what the largest day needs
MOST_CPU_SECONDS = 60


def main() -> int:
    """Read a day and its changes, and write the waits. Return the exit status."""
    _stand_back()
    pipe = sys.stdin.buffer
    about = orjson.loads(_part(pipe))
    begin = decoded(_part(pipe))
    log: list[Recorded] = []
    while part := _part(pipe):
        for at, kind, body in orjson.loads(part):  # numbered here: the parts lack the quotes
            number = begin.site.seq + len(log) + 1
            log.append(Recorded(number, at, "what-if", event_from(kind, orjson.loads(body), None)))
    threading.Thread(target=_end_with_the_input, daemon=True).start()
    try:
        found = compared(observed(begin, log, about["ends_at"]), changed_of(about["changed"]))
    except MemoryError:
        os._exit(NO_MEMORY)
    sys.stdout.buffer.write(orjson.dumps(found, option=orjson.OPT_NON_STR_KEYS))
    sys.stdout.buffer.flush()
    os._exit(0)  # the thread still reads


def changed_of(told: Mapping[str, Any]) -> Changed:
    """Return the changes that `server.queries.what_if.told` has written."""

    def point(values: Mapping[str, Any]) -> PointChange:
        ids = values["queue_ids"]
        return PointChange(**{**values, "queue_ids": None if ids is None else tuple(ids)})

    extra = told["extra"]
    return Changed(
        None if extra is None else Extra(**extra),
        told["rules"],
        {key: point(values) for key, values in told["points"]},
        point(told["every"]),
        Intake(**told["intake"]),
    )


def _part(pipe: IO[bytes]) -> bytes:
    """Return the next part of the input. Ends the process if the input has ended."""
    head = pipe.read(LENGTH_BYTES)
    length = int.from_bytes(head, "big")
    part = pipe.read(length) if length else b""
    if len(head) < LENGTH_BYTES or len(part) < length:
        os._exit(1)
    return part


def _stand_back() -> None:
    """Take the lowest priority, and bound the memory and the CPU, where the system can."""
    with suppress(OSError, AttributeError):
        os.nice(19)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_SECONDS, MOST_CPU_SECONDS))


def _end_with_the_input() -> None:
    """End this process when the other end closes the input, or is gone."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
