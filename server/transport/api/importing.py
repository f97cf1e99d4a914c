"""``POST /api/v1/sites/{id}/appointments/import``: the appointments of another system, some rows at a time."""

from __future__ import annotations

from typing import Annotated, TypedDict

from pydantic import Field
from starlette.requests import Request

from server.domain.commands import ImportAppointments, ImportRow
from server.domain.commands.importing import ROWS
from server.domain.errors import Busy, CommandIdReused, SiteNotFound, Unavailable
from server.domain.roles import may
from server.transport.api.commands import COMMAND_ID
from server.transport.context import Context
from server.transport.http import bodies, paths
from server.transport.http.bodies import Body, PlainText
from server.transport.http.endpoint import Endpoints, Tag

LONGEST = 500  # the rule judges each value: an impossible one refuses its row, not the others
_Value = Annotated[PlainText | None, Field(max_length=LONGEST)]
_Needed = Annotated[PlainText, Field(max_length=LONGEST)]


class Row(Body):
    """One appointment. A field that is missing or null says nothing: a known appointment keeps its value."""

    number: Annotated[int, Field(ge=1, le=10_000_000, description="The place of the row in the file, for the answer.")]
    foreign_id: Annotated[_Needed, Field(description="The id of the appointment in the other system.")]
    service: Annotated[_Needed, Field(description="The id or the name of a service.")]
    provider: Annotated[_Value, Field(description="The id or the name of a provider; null: any who is free.")] = None
    local_start: Annotated[_Needed, Field(description="The wall clock of the site at the start: `2027-01-15T09:00`.")]
    minutes: Annotated[int | None, Field(ge=0, le=10_000)] = None
    name: _Needed
    phone: _Value = None
    email: _Value = None
    date_of_birth: _Value = None
    language: _Value = None
    note: _Value = None


class Import(Body):
    """Rows of a file. Send a file in parts, in order, each with an ``Idempotency-Key`` of its own."""

    rows: Annotated[list[Row], Field(**ROWS)]
    anyway: Annotated[bool, Field(description="Overbook times that are not free.")] = False


class _Refused(TypedDict):
    number: int
    code: Annotated[str, Field(description="The code of the refusal.")]
    detail: Annotated[str, Field(description="The field, the rule or the state behind it, or empty.")]


class _Imported(TypedDict):
    """The outcome of each row, by its number."""

    seq: Annotated[int, Field(ge=0, description="The number of the last event in the site's log.")]
    booked: list[int]
    moved: list[int]
    amended: list[int]
    unchanged: list[int]
    refused: list[_Refused]


EXAMPLE = {
    "rows": [
        {
            "number": 1,
            "foreign_id": "T-1001",
            "service": "Blood test",
            "provider": "Dr Ada Lovelace",
            "local_start": "2027-01-15T09:00",
            "name": "Grace Hopper",
        }
    ]
}
ENDPOINTS = Endpoints(Tag.APPOINTMENTS)


@ENDPOINTS.add(
    "POST",
    paths.APPOINTMENTS_IMPORT,
    "import-appointments",
    "Done.",
    may="import-appointments",
    parameters=(COMMAND_ID,),
    body=Import,
    example=EXAMPLE,
    refused=(SiteNotFound, CommandIdReused, Busy, Unavailable),
)
async def import_appointments(request: Request) -> _Imported:
    """Take over appointments of another system, once for each ``Idempotency-Key``.

    A row with a new ``foreign_id`` is booked. A known one moves or amends its appointment, or changes nothing, so a file can
    be sent again. A refused row changes nothing, and the others go on.
    """
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    staff = await context.gate.member_for(request, "import-appointments", site_id)
    command_id = request.scope["command_id"] = COMMAND_ID.read(request)
    body = await bodies.read(request, Import)
    rows = tuple(ImportRow(**row.model_dump()) for row in body.rows)
    command = ImportAppointments(site_id=site_id, rows=rows, anyway=body.anyway)
    answer = await context.executor.execute(
        command, actor=staff.actor, command_id=command_id, may=lambda action: may(staff.role, action)
    )
    context.metrics.command_of(command.name_on_wire(), "repeated" if answer.repeated else "done").inc()
    outcome = answer.body["events"][-1]
    return {
        "seq": answer.body["seq"],
        "booked": outcome["booked"],
        "moved": outcome["moved"],
        "amended": outcome["amended"],
        "unchanged": outcome["unchanged"],
        "refused": [{"number": number, "code": code, "detail": detail} for number, code, detail in outcome["refused"]],
    }
