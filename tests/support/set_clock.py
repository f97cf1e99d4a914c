"""A clock that a test can set while programs run: libfaketime stands between them and the clock of the system.

Only the wall clock is set. The steady clocks and the times of files stay as they are.
"""

from __future__ import annotations

from pathlib import Path

from server.clock import boot_id, steady_microseconds, wall_microseconds
from server.store import clock_anchors
from server.store.database import Database
from tests.support.processes import program

LIBRARY = "faketime/libfaketimeMT.so.1"


class SettableClock:
    """The wall clock of the programs that run with its `variables`. A new one is right."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set(0)

    def set(self, seconds: int) -> None:
        """Set the clock to so many seconds ahead of the right time; negative seconds are behind it."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.replace(self._file)

    @property
    def variables(self) -> dict[str, str]:
        """The variables for the environment of a program that has this clock."""
        folder = Path(program("faketime", "faketime")).resolve().parents[1] / "lib"
        library = next(each for pattern in (LIBRARY, f"*/{LIBRARY}") for each in folder.glob(pattern))
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",  # seconds until a program sees the change
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Else a wait for the interpreter's lock ends at once, and the waiting threads take a whole processor.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            "NO_FAKE_STAT": "1",
        }


async def note_this_boot(database: Database) -> None:
    """Keep the offset of this boot, as a server that runs for ten minutes does: this machine may have started just now."""
    boot = boot_id()
    assert boot is not None
    database.clock.learn(wall_microseconds() - steady_microseconds())
    async with database.write() as connection:
        await clock_anchors.keep(connection, boot, database.clock)
