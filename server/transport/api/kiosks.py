"""``/api/v1/kiosks/{id}/check-in``: a patient with an appointment checks in at a kiosk.

The kiosk may serve a stranger: every refusal has the same bytes and the same work, and no answer contains a name or a list.
"""

from __future__ import annotations

from typing import Annotated, TypedDict

from pydantic import Field, model_validator
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import (
    Busy,
    CheckInNotNow,
    CheckInRefused,
    CommandIdReused,
    NotAllowed,
    NotSignedIn,
    NowServingError,
    RequestExpired,
    Unavailable,
)
from server.domain.model.ids import site_of
from server.domain.views import names_of
from server.identity.check_in import Shown
from server.transport.api.commands import COMMAND_ID
from server.transport.api.tickets import address_of_page
from server.transport.context import Context
from server.transport.http import bodies, paths
from server.transport.http.bodies import Body
from server.transport.http.endpoint import BODY, KIOSK, NO_STORE, Answer, Endpoints, Tag, as_json

MAX_CODE = 200  # a scanner may read a whole address
MAX_INSTANT = 2**53 - 1


class KioskCheckIn(Body):
    """The code of the appointment or the address of its page, or the date of birth and the initials of the patient."""

    code: Annotated[str | None, Field(min_length=1, max_length=MAX_CODE)] = None
    date_of_birth: Annotated[str | None, Field(pattern="^(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}$")] = None
    initials: Annotated[str | None, Field(min_length=1, max_length=4)] = None
    valid_until: Annotated[
        int | None,
        Field(ge=0, le=MAX_INSTANT, description="After this instant, in milliseconds since 1970, nobody is checked in."),
    ] = None

    @model_validator(mode="after")
    def _one_way(self) -> KioskCheckIn:
        by_birth = (self.date_of_birth is not None, self.initials is not None)
        if by_birth != (self.code is None,) * 2:
            raise ValueError("give a code, or a date of birth and initials")
        return self


class _Entry(TypedDict):
    id: int
    label: str
    queue_id: int


class _Quote(TypedDict):
    ahead: Annotated[int | None, Field(ge=0, description="The number of patients ahead; null for a called patient.")]
    expect_from: Annotated[int | None, Field(description="In milliseconds since 1970; null without an estimate.")]
    expect_until: Annotated[int | None, Field(description="In milliseconds since 1970; null without an estimate.")]


class _Queue(TypedDict):
    name: str
    names: Annotated[dict[str, str], Field(description="The public name in languages of the site, by tag.")]


class CheckedIn(TypedDict):
    """The ticket of the patient who checked in. It has no name."""

    entry: _Entry
    queue: Annotated[_Queue, Field(description="The queue of the ticket: the kiosk may not offer it.")]
    token: Annotated[str, Field(pattern="^[0-9]+-[A-Za-z0-9_-]{22}$", description="The ticket's own token.")]
    address: Annotated[str, Field(description="The address of the patient's page.")]
    quote: _Quote


ENDPOINTS = Endpoints(Tag.COMMANDS)


@ENDPOINTS.add(
    "POST",
    paths.CHECK_IN,
    "check-in-at-kiosk",
    Answer("Checked in.", CheckedIn, headers=NO_STORE),
    security=KIOSK,
    parameters=(COMMAND_ID,),
    body=KioskCheckIn,
    example={"code": "K7M3QX"},
    refused=(
        NotSignedIn,
        NotAllowed,
        *BODY,
        CheckInRefused,
        CheckInNotNow,
        RequestExpired,
        CommandIdReused,
        Busy,
        Unavailable,
    ),
)
async def check_in(request: Request) -> Response:
    """Check in a patient with an appointment today, once for each ``Idempotency-Key``. By the kiosk's own token, five times
    a minute.

    An unknown appointment, a wrong answer, an answer that fits several patients, and a kiosk without check-in get the same
    refusal. `check_in_not_now` tells the hours of the check-in to a patient with the right code, and nothing else.
    """
    context = Context.of(request)
    kiosk = await context.gate.kiosk(request, request.path_params["kiosk_id"])
    key = COMMAND_ID.read(request)
    asked = await bodies.read(request, KioskCheckIn)
    board = await context.hub.present_board(site_of(kiosk.id))
    shown = Shown(asked.code or "", asked.date_of_birth or "", asked.initials or "", key, asked.valid_until)
    try:
        done = await context.identity.check_in.at_kiosk(kiosk, board, shown)
    except NowServingError as error:
        if not isinstance(error, Unavailable):
            context.audit.note("check-in", kiosk.actor, site_id=board.site.id, allowed=False)
        raise
    context.audit.note("check-in", kiosk.actor, site_id=board.site.id, allowed=True)
    entry, quote = done["entry"], done["quote"]
    queue = board.queues[entry["queue_id"]]
    answer: CheckedIn = {
        "entry": {"id": entry["id"], "label": entry["label"], "queue_id": entry["queue_id"]},
        "queue": {"name": queue.name, "names": names_of(board, queue)},
        "token": done["token"],
        "address": address_of_page(request, done["token"]),
        "quote": {"ahead": quote["ahead"], "expect_from": quote["expect_from"], "expect_until": quote["expect_until"]},
    }
    return as_json(answer)
