"""The number of frames that one screen may send: a text, a fragment, a ping and a pong each count as one."""

from __future__ import annotations

import time

FRAMES_PER_WINDOW = 100
WINDOW_SECONDS = 10.0


class Budget:
    """Counts the frames of one screen in windows of ten seconds."""

    __slots__ = ("_spent", "_window_began")

    def __init__(self) -> None:
        self._window_began = time.monotonic()
        self._spent = 0  # in this window

    def spend(self, frames: int = 1) -> bool:
        """Count frames. Return whether the screen may send so many."""
        now = time.monotonic()
        if now - self._window_began > WINDOW_SECONDS:
            self._window_began, self._spent = now, 0
        self._spent += frames
        return self._spent <= FRAMES_PER_WINDOW
