"""The records of a site. ``docs/glossary.md`` defines the words.

Ids, ticket labels with the business day, and opening hours have modules of their own in this package.
"""

from server.domain.model.devices import LAGS, Display, Kiosk
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
from server.domain.model.resources import Names, Point, PointState, Provider, Queue, Service
from server.domain.model.site import Clock, Rules, Site
from server.domain.model.visits import Need, Personal, Priority, Visit

Removable = Service | Provider | Queue | Point | Display | Kiosk
Entity = Site | Removable | Visit | Entry | Announcement | Counter

__all__ = [
    "BUSY_STATES",
    "COMMANDS_OF_STEP",
    "LAGS",
    "OPEN_STATES",
    "UNDO_MICROSECONDS",
    "Announcement",
    "Clock",
    "Counter",
    "Display",
    "Entity",
    "Entry",
    "Kiosk",
    "Names",
    "Need",
    "Personal",
    "Point",
    "PointState",
    "Priority",
    "Provider",
    "Queue",
    "Removable",
    "Rules",
    "Service",
    "Site",
    "State",
    "Visit",
]
