"""Play the days of a clinic and collect the promises of all contenders."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from loadtests.waits import clinic as descriptions
from loadtests.waits import day as days
from loadtests.waits import laws, oracle
from loadtests.waits.clinic import Clinic
from loadtests.waits.day import OPENING, Day, Patient, Tempo
from loadtests.waits.laws import chance_of
from loadtests.waits.played import Played
from loadtests.waits.rivals import Rolling
from loadtests.waits.scores import AT_ONCE, Promise, Range

WARM = 25  # days before the judged ones: histories fill
DAYS = 60  # judged days
ASKED = 1200  # promises for which the oracle is asked, at most about so many
SOURCES = (laws, descriptions, days, oracle)
ROLLING = ("last 5", "last 10", "last 20", "last 50", "hour")


@dataclass(frozen=True)
class Trial:
    """The promises of a clinic. ``unquoted`` patients got no range, although they were called later."""

    clinic: Clinic
    promises: list[Promise]
    unquoted: int
    uncalled: int
    milliseconds: float  # of CPU for a ticket with its quote


def run(clinic: Clinic, warm: int = WARM, judged: int = DAYS, memory: Path | None = None, every_tick: bool = False) -> Trial:
    """Play the days of a clinic. ``memory`` is a folder for the answers of the oracle, which do not depend on the product."""
    known = _Memory(memory, clinic)
    played, rolling, tempos = Played(clinic, every_tick), Rolling(), dict[str, Tempo]()
    promises: list[Promise] = []
    unquoted = uncalled = joined = 0
    for number in range(warm + judged):
        share = min(1.0, ASKED / max(1, joined * DAYS / max(1, warm))) if number >= warm else 0.0
        ranges: dict[int, dict[str, Range | None]] = {}
        seen = 0

        def watch(day: Day, patient: Patient) -> None:
            nonlocal seen
            for command in day.commands[seen:]:
                if command.name == "call":
                    other = day.patients[command.number]
                    rolling.called(day.day, other.line, other.at, command.minute - other.at)
            seen = len(day.commands)
            if day.day < warm or patient.leaves_at is not None:
                return
            found: dict[str, Range | None] = dict(rolling.ranges(day.day, patient.line, day.now))
            if chance_of(clinic.name, day.day, patient.number, "asked").random() < share:
                found["oracle"] = known.oracle(day, patient)
            ranges[patient.number] = found

        day = Day(clinic, number, tempos, watch)
        day.run()
        quotes = played.play(day, number)
        if number < warm:
            joined += len(day.patients)
            continue
        for patient in day.patients:
            if patient.number not in ranges:
                continue
            if patient.called_at is None:
                uncalled += 1
            elif patient.called_at - patient.at > AT_ONCE:
                found = {"ours": quotes[patient.number], **ranges[patient.number]}
                unquoted += found["ours"] is None
                promises.append(Promise(number, patient.at, patient.called_at, patient.at < OPENING, found))
    known.save()
    return Trial(clinic, promises, unquoted, uncalled, 1000 * played.seconds / max(1, played.quotes))


class _Memory:
    """The answers of the oracle, kept in a file that the text of its modules names."""

    def __init__(self, folder: Path | None, clinic: Clinic) -> None:
        text = repr(clinic).encode() + b"".join(Path(each.__file__ or "").read_bytes() for each in SOURCES)
        self._path = folder / f"{clinic.half} {clinic.name} {sha256(text).hexdigest()[:12]}.json" if folder else None
        self._known: dict[str, list[float]] = {}
        self._new = False
        if self._path is not None and self._path.exists():
            self._known = json.loads(self._path.read_text())

    def oracle(self, day: Day, patient: Patient) -> Range:
        """Return the range of the oracle for a patient who joins now."""
        key = f"{day.day}/{patient.number}"
        if key not in self._known:
            chance = chance_of(day.clinic.name, key, "oracle")
            self._known[key] = list(oracle.foresee(day, patient, chance))
            self._new = True
        first, last = self._known[key]
        return first, last

    def save(self) -> None:
        """Write the answers to the file."""
        if self._path is not None and self._new:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(self._known))
