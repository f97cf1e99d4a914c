"""``/api/v1/staff``: an administrator's colleagues. A change of a member ends the member's sessions."""

from __future__ import annotations

from typing import Annotated

import orjson
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.domain.roles import Role
from server.queries import administration
from server.transport.api.sessions import NewPassword
from server.transport.api.sites import as_json
from server.transport.context import Context
from server.transport.http import bodies, paging, paths
from server.transport.http.bodies import Body, PlainText


class NewStaff(Body):
    """A new member of staff with a user name and a password."""

    username: Annotated[PlainText, Field(min_length=1, max_length=80)]
    password: NewPassword
    role: Role


class StaffChange(Body):
    """The fields to change. A field that is null or left out stays as it is."""

    role: Role | None = None
    active: bool | None = None
    password: NewPassword | None = None


async def get_staff(request: Request) -> Response:
    """List the staff of the caller's organisation."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-staff")
    cursors = paging.Cursors(context.vault, f"staff:{admin.organisation_id}", administration.BY_NUMBER)
    size, after = paging.asked(request, cursors)
    found = await administration.staff_page(context.database, admin.organisation_id, size, after)
    return as_json(paging.answer(found, size, cursors))


async def add_staff(request: Request) -> Response:
    """Add a member of staff to the caller's organisation. User names are unique in the whole installation."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-staff")
    body = await bodies.read(request, NewStaff)
    staff_id = await context.identity.staff.add(admin.organisation_id, body.username, body.password, body.role)
    return _member(201, staff_id, body.username, body.role, active=True)


async def change_staff(request: Request) -> Response:
    """Change the role or the password of a member of staff, or whether they may sign in. The member's sessions end."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-staff")
    staff_id = request.path_params["staff_id"]
    body = await bodies.read(request, StaffChange)
    account = await context.identity.staff.change(
        admin.organisation_id, staff_id, role=body.role, active=body.active, password=body.password
    )
    return _member(200, staff_id, account.username, account.role, account.active)


def _member(status: int, staff_id: int, username: str, role: str, active: bool) -> Response:
    body = {"id": staff_id, "username": username, "role": role, "active": active}
    return Response(orjson.dumps(body), status, media_type="application/json")


ROUTES = [
    Route(paths.STAFF, get_staff, methods=["GET"]),
    Route(paths.STAFF, add_staff, methods=["POST"]),
    Route(paths.STAFF + "/{staff_id:id}", change_staff, methods=["PATCH"]),
]
