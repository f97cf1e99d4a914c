"""The state of one site as a function of its log, and the application of events to it."""

from server.domain.board.applying import apply
from server.domain.board.board import ANNOUNCEMENTS_KEPT, Board, Changes, key_of, open_entries
from server.domain.board.quotes import REQUOTE_MICROSECONDS, is_followed

__all__ = [
    "ANNOUNCEMENTS_KEPT",
    "REQUOTE_MICROSECONDS",
    "Board",
    "Changes",
    "apply",
    "is_followed",
    "key_of",
    "open_entries",
]
