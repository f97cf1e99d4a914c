"""The view of a kiosk at the door."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any, ClassVar, TypedDict

from server.domain.board import Board
from server.domain.model import CheckIn, Kiosk, Printing, Queue
from server.domain.views.fields import Described, NamesByTag, Place, Prefix
from server.domain.views.line import Line, line_of
from server.domain.views.site import JoinableSiteCell, joinable_site_cell
from server.domain.views.view import Cell, in_use, milliseconds, names_of, present


class OpeningHours(TypedDict):
    """A range of the weekly opening hours."""

    day: Annotated[int, Described("The weekday; 0 is Monday.", minimum=0, maximum=6)]
    begin: Annotated[int, Described("In minutes after local midnight.", minimum=0, maximum=1440)]
    until: Annotated[int, Described("In minutes after local midnight.", minimum=0, maximum=1440)]


class KioskSiteCell(JoinableSiteCell):
    """The site itself. The kiosk knows by its hours and its clock whether it is open."""

    languages: Annotated[list[str], Described("The languages of the site's readers, as tags; its own first.")]
    hours: Annotated[list[OpeningHours], Described("The weekly opening hours; empty for always open.")]
    closed_on: Annotated[list[str], Described("The coming days on which the site stays closed, as dates.")]


class KioskQueueCell(Line):
    """A queue that the kiosk offers."""

    name: str
    names: NamesByTag
    prefix: Prefix
    position: Place
    paused: Annotated[bool, Described("The queue issues no tickets at present.")]
    full: Annotated[bool, Described("The queue has as many patients as may wait.")]


class KioskCell(TypedDict):
    """The kiosk itself: its settings, and its request for help."""

    name: str
    place: Annotated[str, Described("Where the kiosk stands; may be empty.")]
    printing: Annotated[Printing, Described("How the kiosk prints.")]
    low: Annotated[bool, Described("Everything that people touch is in the lower third of the screen.")]
    check_in: Annotated[CheckIn, Described("How patients with an appointment check in.")]
    help_asked: Annotated[
        int | None, Described("The time of the last request for help, in milliseconds since 1970; null for none.")
    ]
    help_by: Annotated[str | None, Described("The name of the person who answered it; null if nobody has.")]


@dataclass(frozen=True, slots=True)
class KioskView:
    """The screen of one kiosk: the queues that it offers, with public names and numbers only, and its own settings."""

    kiosk_id: int
    kind: ClassVar[str] = "kiosk"
    shape: ClassVar[str] = "kiosk3"
    cells: ClassVar[Mapping[str, Any]] = {"site": KioskSiteCell, "queue": KioskQueueCell, "kiosk": KioskCell}

    @property
    def name(self) -> str:
        return f"kiosk:{self.kiosk_id}"

    def keys(self, board: Board) -> Iterable[str]:
        yield "site"
        yield f"kiosk:{self.kiosk_id}"
        yield from (f"queue:{key}" for key in board.queues)

    def cell(self, board: Board, key: str) -> Cell | None:
        kind, _, identifier = key.partition(":")
        match kind:
            case "site":
                return _site(board)
            case "kiosk":
                kiosk = in_use(board.kiosks, identifier)
                return None if kiosk is None or kiosk.id != self.kiosk_id else _kiosk(kiosk)
            case "queue":
                queue = in_use(board.queues, identifier)
                return None if queue is None or not self._offers(board, queue) else _queue(board, queue)
        return None

    def touched(self, board: Board, changed: set[str]) -> Iterable[str]:
        if self.name in changed or any(key.startswith("queue:") for key in changed):
            return self.keys(board)  # the last chosen queue may be gone: then the kiosk offers all
        own = (key for key in changed if key == "site")
        # A late patient who leaves or comes makes room in a queue or takes it, without a change of the line.
        absences = any(key.startswith("entry:") for key in changed)
        return chain(own, (f"queue:{key}" for key in board.queues) if absences else ())

    def _offers(self, board: Board, queue: Queue) -> bool:
        kiosk = board.kiosks.get(self.kiosk_id)
        chosen = present(board.queues, kiosk.queue_ids if kiosk is not None else ())
        return not chosen or queue.id in chosen


def _site(board: Board) -> KioskSiteCell:
    site = board.site
    return {
        **joinable_site_cell(board),
        "languages": list(site.languages),
        "hours": [{"day": day, "begin": begin, "until": until} for day, begin, until in site.rules.hours],
        "closed_on": [day for day in site.rules.closed_on if day >= site.business_day],
    }


def _queue(board: Board, queue: Queue) -> KioskQueueCell:
    return {
        "name": queue.name,
        "names": names_of(board, queue),
        "prefix": queue.prefix,
        "position": queue.position,
        **line_of(board, queue),
        "paused": queue.paused,
        "full": board.is_full(queue),
    }


def _kiosk(kiosk: Kiosk) -> KioskCell:
    return {
        "name": kiosk.name,
        "place": kiosk.place,
        "printing": kiosk.printing,
        "low": kiosk.low,
        "check_in": kiosk.check_in,
        "help_asked": milliseconds(kiosk.help_asked_at),
        "help_by": kiosk.help_by,
    }
