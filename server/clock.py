"""The clock of an installation: the clock of its database, checked against the steady clock of this machine.

The two clocks run at the same rate. A reading that is more than a minute from the expected time is a *step*: somebody set
the clock. Until readings are as expected again, or an operator accepts the step, the time goes on at the steady rate.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

TOLERANCE_MICROSECONDS = 60_000_000
# After the boot of a machine, NTP may set its clock once. A step in this time is followed.
BOOT_MICROSECONDS = 600_000_000
RECHECK_MICROSECONDS = 2_000_000
# While the log of a site is ahead of the clock, an idle hour or more counts as an hour: so the clock catches up overnight.
LONGEST_IDLE_MICROSECONDS = 3_600_000_000
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

Microseconds = Callable[[], int]

# It counts the time of a suspended machine too, where the system has it.
_SINCE_BOOT: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady_microseconds() -> int:
    """Return the microseconds since the boot of this machine. Nobody can set this clock."""
    return time.clock_gettime_ns(_SINCE_BOOT) // 1000


def wall_microseconds() -> int:
    """Return this machine's own clock: microseconds since 1970. Only a `SteadyClock` decides whether it is right."""
    return time.time_ns() // 1000


def boot_id() -> str | None:
    """Return the id of this boot of the machine, or None on a system without such an id."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return None


class SteadyClock:
    """The trusted time of one process. All instants are microseconds since 1970.

    It has to hear readings of the database's clock (`read`), and the offset that an earlier process of this boot has kept
    (`learn`). Before the first reading its time is that of this machine. ``steady`` and ``wall`` replace the clocks of this
    machine.
    """

    __slots__ = ("_ask_at", "_asked", "_kept", "_leads", "_read", "offset", "steady", "step")

    def __init__(self, steady: Microseconds = steady_microseconds, wall: Microseconds = wall_microseconds) -> None:
        self.offset = wall() - steady()  # the trusted time, less the steady clock
        self.step = 0  # how far the last reading was from the expected time, if more than the tolerance
        self.steady = steady  # the microseconds since the boot: the `asked` of `read`
        self._read = False  # whether the offset is from a reading or a kept offset
        self._kept = False  # whether the offset is from an earlier process
        self._asked = False
        self._ask_at = 0
        self._leads: dict[int, tuple[int, int]] = {}  # by site: how far its log is ahead of this clock, and its last event

    def now(self) -> int:
        """Return the trusted time, without a reading."""
        return self.steady() + self.offset

    def seconds(self) -> float:
        """Return the trusted time in seconds."""
        return self.now() / 1_000_000

    def read(self, reading: int, asked: int | None = None) -> int:
        """Return the trusted time for a ``reading`` of the database's clock: the reading itself, unless it is a step.

        The database read its clock after ``asked``, an instant of the steady clock; None if this was just now.
        """
        steady = self.steady()
        error = reading - steady - self.offset
        if asked is not None and error < 0:  # the answer took a while: the reading was right at some time since then
            error = min(0, error + steady - asked)
        if -TOLERANCE_MICROSECONDS <= error <= TOLERANCE_MICROSECONDS or not self._refuses_steps(steady):
            self.offset += error
            self._read = True
            self.step = 0
            return reading
        self.step = error
        return steady + self.offset

    def _refuses_steps(self, steady: int) -> bool:
        """Return whether the offset is more trustworthy than a reading: not just after a boot, nor if the log is ahead."""
        return self._read and (self._kept or (steady >= BOOT_MICROSECONDS and not self.behind))

    @property
    def is_worth_keeping(self) -> bool:
        """Whether the offset is one that a later process of this boot should start from."""
        return not self.step and self._refuses_steps(self.steady())

    @property
    def trouble(self) -> str | None:
        """What is wrong with the clock, for `/health/ready`, or None."""
        if self.step:
            return f"degraded: the database's clock is {_by(self.step)} the right time"
        if behind := self.behind:
            return f"degraded: the clock is {_by(-behind)} the log of a site"
        return None

    # The kept offset

    @property
    def must_ask(self) -> bool:
        """Whether to `learn` the kept offset now: at the start, and every two seconds during a step."""
        return (self.step != 0 or not self._asked) and self.steady() >= self._ask_at

    def asks(self) -> None:
        """Note that somebody asks the database for the kept offset now."""
        self._ask_at = self.steady() + RECHECK_MICROSECONDS

    def learn(self, offset: int | None) -> None:
        """Start from the kept ``offset`` of this boot. None means that there is none: the next reading is right.

        The operator deletes a kept offset to accept a step.
        """
        self._asked = True
        if offset is None:
            self._read = self._kept = False
            self.step = 0
        else:
            self._read = self._kept = True
            self.offset = offset

    # The log of a site

    def at_site(self, site_id: int, now: int, last_event_at: int) -> int:
        """Return the instant of a command at ``now`` (trusted): never earlier than the site's last event.

        A log that is ahead of the clock by more than the tolerance is either right, or from a time with a wrong clock. The
        site's time then goes on from the last event at the steady rate, so that durations are right.
        """
        lead = last_event_at - now
        if lead <= TOLERANCE_MICROSECONDS:
            if self._leads:
                self._leads.pop(site_id, None)
            return now if now > last_event_at else last_event_at
        known, _ = self._leads.get(site_id, (lead, 0))
        lead = min(max(lead, known), lead + LONGEST_IDLE_MICROSECONDS)
        self._leads[site_id] = lead, last_event_at
        return now + lead

    @property
    def sites_ahead(self) -> list[int]:
        """The sites whose log is ahead of this clock. Their ticks are due by their own time."""
        return list(self._leads)

    @property
    def behind(self) -> int:
        """How far this clock is behind the last event of a site, if by more than the tolerance."""
        if not self._leads:
            return 0
        now = self.now()
        farthest = max(last_event_at for _, last_event_at in self._leads.values()) - now
        return farthest if farthest > TOLERANCE_MICROSECONDS else 0


def _by(microseconds: int) -> str:
    return f"{abs(microseconds) // 1_000_000} s {'ahead of' if microseconds > 0 else 'behind'}"
