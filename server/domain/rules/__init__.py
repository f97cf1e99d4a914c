"""The rules: a board, a command and the time in, events out. No rule changes a board.

A command that the present state does not allow raises one of the errors of the domain, and no event happens.
"""

from server.domain.rules.booking import series_times
from server.domain.rules.day import overdue, turn_of_day
from server.domain.rules.decisions import decide
from server.domain.rules.tickets import Patients

__all__ = ["Patients", "decide", "overdue", "series_times", "turn_of_day"]
