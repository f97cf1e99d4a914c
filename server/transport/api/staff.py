"""``/api/v1/staff``: an administrator's colleagues. A change of a member ends the member's sessions."""

from __future__ import annotations

from typing import Annotated

import orjson
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import LastAdmin, NameTaken, StaffNotFound, Unavailable
from server.domain.roles import ROLES, Role
from server.identity.errors import PASSWORD_REFUSALS, USER_NAME_REFUSALS, SecondFactorOff, SignInBusy
from server.queries import administration
from server.queries.administration import StaffListed
from server.transport.api.sessions import NewPassword
from server.transport.context import Context
from server.transport.http import bodies, paging, paths
from server.transport.http.bodies import Body
from server.transport.http.endpoint import Answer, Endpoints, Tag
from server.transport.http.fields import Component


class NewStaff(Body):
    """A new member of staff with a user name and a password."""

    username: Annotated[
        str,
        Field(
            min_length=1,
            max_length=80,
            description="The server stores it in small letters and without outer spaces. Sign-in accepts each spelling.",
        ),
    ]
    password: NewPassword
    role: Role


class StaffChange(Body):
    """The fields to change. A field that is null or left out stays as it is."""

    role: Role | None = None
    active: bool | None = None
    password: NewPassword | None = None


Staff = Annotated[
    StaffListed,
    Component(
        "Staff",
        about="A member of staff.",
        role=Field(json_schema_extra={"enum": list(ROLES)}),
        active="Whether the member may sign in.",
        second_factor="Whether the member needs a code to sign in.",
        signed_in_at="The last sign-in: an instant, in milliseconds since 1970.",
    ),
]

ENDPOINTS = Endpoints(Tag.ADMINISTRATION)


@ENDPOINTS.add(
    "GET", paths.STAFF, "list-staff", "The staff.", may="manage-staff", parameters=paging.PARAMETERS, refused=(Unavailable,)
)
async def get_staff(request: Request) -> paging.Paged[Staff]:
    """List the staff of the caller's organisation."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-staff", doing="list-staff")
    cursors = paging.Cursors(context.vault, f"staff:{admin.organisation_id}", administration.BY_NUMBER)
    size, after = paging.asked(request, cursors)
    found = await administration.staff_page(context.database, admin.organisation_id, size, after)
    return paging.answer(found, size, cursors)


@ENDPOINTS.add(
    "POST",
    paths.STAFF,
    "add-staff",
    Answer("Added.", Staff, status=201),
    may="manage-staff",
    body=NewStaff,
    example={"username": "ada", "password": "river candle ninety moss", "role": "clinician"},  # nosec B105 # an example
    refused=(NameTaken, *USER_NAME_REFUSALS, *PASSWORD_REFUSALS, SignInBusy, Unavailable),
)
async def add_staff(request: Request) -> Response:
    """Add a member of staff to the caller's organisation. User names are unique in the whole installation."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-staff", doing="add-staff")
    body = await bodies.read(request, NewStaff)
    staff_id, name = await context.identity.staff.add(
        admin.organisation_id, body.username, body.password, body.role, actor=admin.actor
    )
    await context.identity.milestones.reach(admin.organisation_id, "colleague-added", actor=admin.actor)
    return _member(201, StaffListed(staff_id, name, body.role, active=True))


@ENDPOINTS.add(
    "PATCH",
    paths.STAFF + "/{staff_id:id}",
    "change-staff",
    Answer("The member of staff after the change.", Staff),
    may="manage-staff",
    body=StaffChange,
    example={"active": False},
    refused=(StaffNotFound, LastAdmin, *PASSWORD_REFUSALS, SignInBusy, Unavailable),
)
async def change_staff(request: Request) -> Response:
    """Change the role or the password of a member of staff, or whether they may sign in. The member's sessions end."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-staff", doing="change-staff")
    staff_id = request.path_params["staff_id"]
    body = await bodies.read(request, StaffChange)
    account = await context.identity.staff.change(
        admin.organisation_id, staff_id, actor=admin.actor, role=body.role, active=body.active, password=body.password
    )
    listed = await administration.member_listed(context.database, admin.organisation_id, staff_id)
    return _member(200, listed or StaffListed(staff_id, account.username, account.role, account.active))


@ENDPOINTS.add(
    "DELETE",
    paths.STAFF + "/{staff_id:id}/sessions",
    "end-sessions",
    Answer("Ended.", status=204),
    may="manage-staff",
    refused=(StaffNotFound, Unavailable),
)
async def end_sessions(request: Request) -> Response:
    """End all sessions of a member of staff. The member can sign in again."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-staff", doing="end-sessions")
    await context.identity.staff.end_sessions(admin.organisation_id, request.path_params["staff_id"], actor=admin.actor)
    return Response(status_code=204)


@ENDPOINTS.add(
    "DELETE",
    paths.STAFF + "/{staff_id:id}/second-factor",
    "remove-second-factor",
    Answer("Removed.", status=204),
    may="manage-staff",
    refused=(StaffNotFound, SecondFactorOff, Unavailable),
)
async def remove_second_factor(request: Request) -> Response:
    """Remove the second factor of a member of staff whose phone is lost. The member's sessions end.

    The member then signs in with the password alone, and can set up a new phone.
    """
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-staff", doing="remove-second-factor")
    staff_id = request.path_params["staff_id"]
    await context.identity.second_factors.remove_of(admin.organisation_id, staff_id, actor=admin.actor)
    return Response(status_code=204)


def _member(status: int, body: StaffListed) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
