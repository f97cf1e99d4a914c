"""The records of a site. ``docs/glossary.md`` defines the words.

Ids, ticket labels with the business day, and opening hours have modules of their own in this package.
"""

from server.domain.model.appointments import (
    CELL,
    FIRST_EXTRA_LANE,
    STEP_MINUTES,
    TAKING,
    Appointment,
    AppointmentState,
    BusyCell,
    EndedBy,
    ExceptionKind,
    Schedule,
    ScheduleException,
    cells_of,
)
from server.domain.model.devices import LAGS, CheckIn, Display, Kiosk, Printer, Printing
from server.domain.model.doubts import LEAST_OUTAGE, Doubt, DoubtMark, answered
from server.domain.model.entries import (
    BUSY_STATES,
    COMMANDS_OF_STEP,
    OPEN_STATES,
    UNDO_MICROSECONDS,
    Announcement,
    Counter,
    Entry,
    State,
)
from server.domain.model.habits import Habits
from server.domain.model.resources import Names, Point, PointState, Provider, Queue, Service
from server.domain.model.site import Booking, Clock, Feedback, Joining, Milestone, PhoneWhenJoining, Rules, Site, Way
from server.domain.model.told import AT_POINT, Cause, Told, ToldMark
from server.domain.model.unreached import Informed, Mark, Problem, Unreached, UnreachedKind, after_informing
from server.domain.model.visits import Need, Personal, Priority, Visit

Removable = Service | Provider | Queue | Point | Display | Kiosk
Entity = Site | Removable | Schedule | ScheduleException | Appointment | Visit | Entry | Announcement | Counter | Habits

__all__ = [
    "AT_POINT",
    "BUSY_STATES",
    "CELL",
    "COMMANDS_OF_STEP",
    "FIRST_EXTRA_LANE",
    "LAGS",
    "LEAST_OUTAGE",
    "OPEN_STATES",
    "STEP_MINUTES",
    "TAKING",
    "UNDO_MICROSECONDS",
    "Announcement",
    "Appointment",
    "AppointmentState",
    "Booking",
    "BusyCell",
    "Cause",
    "CheckIn",
    "Clock",
    "Counter",
    "Display",
    "Doubt",
    "DoubtMark",
    "EndedBy",
    "Entity",
    "Entry",
    "ExceptionKind",
    "Feedback",
    "Habits",
    "Informed",
    "Joining",
    "Kiosk",
    "Mark",
    "Milestone",
    "Names",
    "Need",
    "Personal",
    "PhoneWhenJoining",
    "Point",
    "PointState",
    "Printer",
    "Printing",
    "Priority",
    "Problem",
    "Provider",
    "Queue",
    "Removable",
    "Rules",
    "Schedule",
    "ScheduleException",
    "Service",
    "Site",
    "State",
    "Told",
    "ToldMark",
    "Unreached",
    "UnreachedKind",
    "Visit",
    "Way",
    "after_informing",
    "answered",
    "cells_of",
]
