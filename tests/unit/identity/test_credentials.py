"""The use of a credential is written once a minute, not by every request that reads it as old."""

from __future__ import annotations

from server.identity.credentials import TOUCH_MICROSECONDS, TOUCHES_KEPT, Touches


def test_one_request_a_minute_writes_the_use_of_a_credential() -> None:
    touches = Touches()
    assert touches.begins("key", 3, 0)
    assert not touches.begins("key", 3, TOUCH_MICROSECONDS - 1)
    assert touches.begins("key", 4, 0)
    assert touches.begins("session", 3, 0)
    assert touches.begins("key", 3, TOUCH_MICROSECONDS)


def test_next_request_writes_what_failed() -> None:
    touches = Touches()
    assert touches.begins("key", 3, 0)
    touches.failed("key", 3)
    assert touches.begins("key", 3, 1)


def test_old_uses_are_forgotten() -> None:
    touches = Touches()
    for key in range(TOUCHES_KEPT):
        touches.begins("key", key, 0)
    touches.begins("key", "later", TOUCH_MICROSECONDS)
    assert len(touches._at) == 1
