"""The views: each kind of screen as a flat map of small cells, drawn from the board.

Only this package decides who sees which data of a patient.
"""

from typing import Final

from server.domain.views.appointment import APPOINTMENT, AppointmentView
from server.domain.views.calendar import CalendarView
from server.domain.views.configuration import ConfigurationView
from server.domain.views.desk import DeskView
from server.domain.views.display import CallsView, DisplayView
from server.domain.views.kiosk import KioskView
from server.domain.views.point import PointView
from server.domain.views.ticket import AHEAD, TICKET, TicketView, surroundings
from server.domain.views.view import NEXT_UP, Cell, OpenSealed, View, draw, names_of

VIEWS: Final = (
    DeskView,
    CalendarView,
    ConfigurationView,
    PointView,
    DisplayView,
    KioskView,
    TicketView,
    AppointmentView,
)

__all__ = [
    "AHEAD",
    "APPOINTMENT",
    "NEXT_UP",
    "TICKET",
    "VIEWS",
    "AppointmentView",
    "CalendarView",
    "CallsView",
    "Cell",
    "ConfigurationView",
    "DeskView",
    "DisplayView",
    "KioskView",
    "OpenSealed",
    "PointView",
    "TicketView",
    "View",
    "draw",
    "names_of",
    "surroundings",
]
