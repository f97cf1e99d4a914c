"""The cell of a new clinic's first steps, for the administrator's page."""

from __future__ import annotations

from typing import Annotated, TypedDict

from server.domain.board import Board
from server.domain.views.fields import Described


class ChecklistCell(TypedDict):
    """The first steps of a new clinic. A step stays done."""

    screen_paired: Annotated[bool, Described("A waiting-room screen has been paired.")]
    poster_printed: Annotated[bool, Described("The poster for joining by phone has been printed.")]
    colleague_added: Annotated[bool, Described("A second member of staff has an account.")]
    ticket_issued: Annotated[bool, Described("A ticket has been issued, other than in a trial.")]
    ticket_called: Annotated[bool, Described("A ticket has been called, other than in a trial.")]
    hidden: Annotated[bool, Described("An administrator has hidden the list.")]


def checklist_cell(board: Board) -> ChecklistCell:
    """Return the cell of the site's first steps."""
    done = board.site.milestones
    return {
        "screen_paired": "screen-paired" in done,
        "poster_printed": "poster-printed" in done,
        "colleague_added": "colleague-added" in done,
        "ticket_issued": "ticket-issued" in done,
        "ticket_called": "ticket-called" in done,
        "hidden": "checklist-hidden" in done,
    }
