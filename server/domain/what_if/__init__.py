"""What if: a real day once more, through `decide` and `apply`, with other points, hours or rules."""

from server.domain.what_if.changes import ALWAYS, AS_IT_WAS, NO_CHANGE, RULES, Changed, Extra, Intake, PointChange
from server.domain.what_if.observing import Day, observed
from server.domain.what_if.replay import compared, real_waits, replayed_day, replayed_waits
from server.domain.what_if.waits import Compared, Rows, Waits

__all__ = [
    "ALWAYS",
    "AS_IT_WAS",
    "NO_CHANGE",
    "RULES",
    "Changed",
    "Compared",
    "Day",
    "Extra",
    "Intake",
    "PointChange",
    "Rows",
    "Waits",
    "compared",
    "observed",
    "real_waits",
    "replayed_day",
    "replayed_waits",
]
