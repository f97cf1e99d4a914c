"""The steady clock: it follows small changes of the database's clock, and goes on without a clock that somebody set."""

from __future__ import annotations

import pytest

from server.clock import BOOT_MICROSECONDS, LONGEST_IDLE_MICROSECONDS, TOLERANCE_MICROSECONDS, SteadyClock, boot_id

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
THEN = 1_790_000_000 * SECOND
STEPS = [2 * HOUR, -2 * HOUR, 3 * DAY, -3 * DAY, 61 * SECOND, -61 * SECOND]


class Machine:
    """A machine that has run for a day, its database on the same machine, and the clock of a process there."""

    def __init__(self, uptime: int = DAY) -> None:
        self.uptime = uptime
        self.wall = THEN
        self.right = THEN
        self.kept: int | None = None
        self.clock = self.started()

    def started(self) -> SteadyClock:
        """Return the clock of a new process, which has asked for the kept offset."""
        clock = SteadyClock(lambda: self.uptime, lambda: self.wall)
        clock.asks()
        clock.learn(self.kept)
        return clock

    def wait(self, microseconds: int = SECOND) -> None:
        self.uptime += microseconds
        self.wall += microseconds
        self.right += microseconds

    def read(self) -> int:
        return self.clock.read(self.wall)

    def keep(self) -> None:
        """Keep the offset, as a server does at every heartbeat."""
        if self.clock.is_worth_keeping:
            self.kept = self.clock.offset


@pytest.mark.parametrize("step", STEPS)
def test_time_goes_on_without_a_clock_that_was_set(step: int) -> None:
    machine = Machine()
    machine.read()
    machine.wall += step
    for _ in range(40):
        machine.wait()
        assert machine.read() == machine.clock.now() == machine.right
        assert machine.clock.step == step
        assert machine.clock.trouble is not None
    machine.wall -= step
    machine.wait()
    assert machine.read() == machine.right
    assert (machine.clock.step, machine.clock.trouble) == (0, None)


@pytest.mark.parametrize("step", [TOLERANCE_MICROSECONDS, -TOLERANCE_MICROSECONDS, 1, -1])
def test_change_within_a_minute_is_followed(step: int) -> None:
    machine = Machine()
    machine.read()
    machine.wall += step
    assert machine.read() == machine.clock.now() == machine.wall
    assert machine.clock.step == 0


@pytest.mark.parametrize("share", [0.05, -0.05])
def test_slew_is_followed_over_hours(share: float) -> None:
    machine = Machine()
    for _ in range(3600):
        machine.wait()
        machine.wall += round(share * SECOND)
        assert machine.read() == machine.wall
    assert abs(machine.wall - machine.right) > 2 * TOLERANCE_MICROSECONDS
    assert machine.clock.step == 0


def test_suspended_machine_is_no_step() -> None:
    """Its steady clock counts the suspended time too."""
    machine = Machine()
    machine.read()
    machine.wait(9 * HOUR)
    assert machine.read() == machine.right
    assert machine.clock.step == 0


@pytest.mark.parametrize(("early", "late"), [(0, 90), (90, 0), (45, 45)])
def test_late_answer_is_no_step_and_moves_nothing(early: int, late: int) -> None:
    """The database reads its clock at some time between the question and the answer, for example after a wait for a lock."""
    machine = Machine()
    machine.read()
    asked = machine.clock.steady()
    machine.wait(early * SECOND)
    reading = machine.wall
    machine.wait(late * SECOND)
    assert machine.clock.read(reading, asked) == reading
    assert machine.clock.step == 0
    assert machine.clock.now() == machine.right


@pytest.mark.parametrize("step", [2 * HOUR, -2 * HOUR, 62 * SECOND, -62 * SECOND])
def test_step_is_noticed_in_a_late_answer(step: int) -> None:
    machine = Machine()
    machine.read()
    asked = machine.clock.steady()
    machine.wait(SECOND)
    assert machine.clock.read(machine.wall + step, asked) == machine.right
    assert abs(machine.clock.step - step) <= SECOND


@pytest.mark.parametrize("step", STEPS)
def test_process_that_starts_during_a_step_has_the_right_time(step: int) -> None:
    machine = Machine()
    machine.read()
    machine.keep()
    machine.wall += step
    machine.wait()
    machine.clock = machine.started()
    assert machine.clock.now() == machine.read() == machine.right
    assert machine.clock.step == step
    machine.wall -= step
    assert machine.read() == machine.right
    assert machine.clock.step == 0


@pytest.mark.parametrize("step", STEPS)
def test_accepted_step_is_the_right_time_in_every_process(step: int) -> None:
    """One process finds that the kept offset is gone, and keeps its own. The other one finds the new offset."""
    machine = Machine()
    machine.read()
    machine.keep()
    one, two = machine.started(), machine.started()
    machine.wall += step
    for each in (one, two):
        assert each.read(machine.wall) == machine.right
        assert not each.must_ask
    machine.wait(2 * SECOND)
    assert one.must_ask
    assert two.must_ask
    one.learn(None)
    assert one.read(machine.wall) == one.now() == machine.wall
    assert one.is_worth_keeping
    two.learn(one.offset)
    assert two.read(machine.wall) == two.now() == machine.wall
    assert (one.step, two.step) == (0, 0)


def test_offset_during_a_step_is_not_kept() -> None:
    machine = Machine()
    machine.read()
    assert machine.clock.is_worth_keeping
    machine.wall += HOUR
    machine.read()
    assert not machine.clock.is_worth_keeping


def test_kept_offset_is_asked_for_at_the_start_and_during_a_step() -> None:
    machine = Machine()
    clock = SteadyClock(lambda: machine.uptime, lambda: machine.wall)
    assert clock.must_ask
    clock.asks()
    assert not clock.must_ask  # the answer is on its way
    machine.wait(3 * SECOND)
    assert clock.must_ask  # there was none
    clock.learn(None)
    clock.read(machine.wall)
    assert not clock.must_ask
    clock.read(machine.wall + HOUR)
    assert clock.must_ask


@pytest.mark.parametrize("step", STEPS)
def test_clock_is_set_once_after_a_boot(step: int) -> None:
    """A machine without a clock of its own starts with a wrong time, until NTP corrects it."""
    machine = Machine(uptime=20 * SECOND)
    machine.read()
    assert not machine.clock.is_worth_keeping
    machine.wall += step
    assert machine.read() == machine.wall
    machine.wait(BOOT_MICROSECONDS)
    machine.read()
    assert machine.clock.is_worth_keeping
    before = machine.wall
    machine.wall += HOUR
    assert machine.read() == before


def test_command_is_never_before_the_last_event() -> None:
    clock = Machine().clock
    for last_event_at in (THEN - DAY, THEN, THEN + SECOND, THEN + TOLERANCE_MICROSECONDS):
        assert clock.at_site(7, THEN, last_event_at) == max(THEN, last_event_at)
    assert clock.behind == 0


def test_time_of_a_site_goes_on_while_its_log_is_ahead() -> None:
    machine = Machine()
    machine.read()
    last_event_at = machine.right + 2 * HOUR
    for _ in range(30):
        assert machine.clock.at_site(7, machine.read(), last_event_at) == machine.right + 2 * HOUR
        assert machine.clock.behind == last_event_at - machine.right
        machine.wait()  # a refused command records nothing
    last_event_at = machine.clock.at_site(7, machine.read(), last_event_at)
    assert machine.clock.trouble == "degraded: the clock is 7170 s behind the log of a site"
    assert machine.clock.at_site(8, machine.read(), machine.right - SECOND) == machine.right  # another site is right
    machine.wait(14 * HOUR)
    assert machine.clock.behind == 0
    assert machine.clock.at_site(7, machine.read(), last_event_at) == machine.right


def test_log_that_is_days_ahead_meets_the_clock_after_some_nights() -> None:
    machine = Machine()
    machine.read()
    last_event_at = machine.right + 3 * DAY
    nights = 0
    while machine.clock.at_site(7, machine.read(), last_event_at) > machine.right:
        for _ in range(10):
            machine.wait(HOUR)
            last_event_at = machine.clock.at_site(7, machine.read(), last_event_at)
        machine.wait(14 * HOUR)
        nights += 1
    assert 3 < nights < 8


def test_log_that_is_ahead_lets_the_clock_be_corrected() -> None:
    """After a boot without a network the clock may be hours behind: the log tells, and the correction is followed."""
    machine = Machine(uptime=20 * SECOND)
    machine.read()
    machine.wait(BOOT_MICROSECONDS)
    machine.clock.at_site(7, machine.read(), machine.wall + 2 * HOUR)
    assert not machine.clock.is_worth_keeping
    machine.wall += 3 * HOUR
    assert machine.read() == machine.wall


def test_idle_hour_is_the_most_that_a_site_ahead_of_the_clock_counts() -> None:
    machine = Machine()
    machine.read()
    last_event_at = machine.right + DAY
    machine.clock.at_site(7, machine.read(), last_event_at)
    machine.wait(5 * HOUR)
    assert machine.clock.at_site(7, machine.read(), last_event_at) == last_event_at + LONGEST_IDLE_MICROSECONDS


def test_boot_id_is_the_same_for_every_process_of_a_boot() -> None:
    assert boot_id() == boot_id()
