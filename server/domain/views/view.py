"""The contract of a view: one kind of screen, drawn from the board as a flat map of small cells.

A view has three pure functions. `View.keys` gives the keys of its cells, `View.cell` the content of one cell, and
`View.touched` the cells that a change of the board may affect. A full snapshot and a change both use `View.cell`, so they
cannot disagree.

On the wire an instant is an integer of milliseconds since 1970. A ``shape`` names the layout of a view's cells: after a
change of any field the view needs another shape, and screens then load a snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Protocol, TypeVar

from server.domain.board import Board
from server.domain.model import Appointment, Personal, Point, Queue, Removable, Service, Visit

Cell = Mapping[str, Any]
OpenSealed = Callable[[Visit | Service | Appointment], Personal]
InUse = TypeVar("InUse", bound=Removable)

NEXT_UP = 5  # the number of next patients that a display and a console show


class View(Protocol):
    """One kind of screen at one site."""

    kind: ClassVar[str]
    shape: ClassVar[str]

    @property
    def name(self) -> str:
        """The view's name within its site. Streams with the same name share one set of cells."""

    def keys(self, board: Board) -> Iterable[str]:
        """The keys of all present cells. A key may have no content, see `cell`."""

    def cell(self, board: Board, key: str) -> Cell | None:
        """The content of one cell, or None if the view has no such cell at present."""

    def touched(self, board: Board, changed: set[str]) -> Iterable[str]:
        """The keys of the cells that may differ after the board's ``changed`` keys changed. Extra keys are harmless."""


def draw(view: View, board: Board) -> dict[str, Cell]:
    """Return all cells of a view: the content of a snapshot."""
    cells = {}
    for key in view.keys(board):
        content = view.cell(board, key)
        if content is not None:
            cells[key] = content
    return cells


def in_use(records: Mapping[int, InUse], identifier: str) -> InUse | None:
    """Return the record with this id, or None if it does not exist or is removed."""
    record = records.get(int(identifier))
    return None if record is None or record.removed_at else record


def present(records: Mapping[int, InUse], chosen: Iterable[int]) -> frozenset[int]:
    """Return the chosen records that are in use. When none is left, a screen shows all: it must not fall silent."""
    return frozenset(each for each in chosen if each in records and not records[each].removed_at)


def names_of(board: Board, record: Service | Queue | Point) -> dict[str, str]:
    """Return the names of a record in the present languages of the site, by tag."""
    known = board.site.languages if record.names else ()
    return {tag: name for tag, name in record.names if tag in known}


def milliseconds(instant: int | None) -> int | None:
    """Return an instant of the domain (microseconds) as it is on the wire."""
    return None if instant is None else instant // 1000
