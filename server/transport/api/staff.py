"""``/api/v1/staff``: an administrator's colleagues. A change of one ends their sessions."""

from __future__ import annotations

from typing import Annotated

import orjson
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.domain.errors import NameTaken, StaffNotFound
from server.domain.model.ids import MAX_ID
from server.domain.roles import Role
from server.queries import administration
from server.store import staff as staff_store
from server.store.database import Conflict
from server.transport.api.sessions import NewPassword
from server.transport.api.sites import as_json
from server.transport.context import Context
from server.transport.http import bodies, paging, paths
from server.transport.http.bodies import Body, PlainText
from server.vault import hash_password


class NewStaff(Body):
    """Somebody who shall be able to sign in."""

    username: Annotated[PlainText, Field(min_length=1, max_length=80)]
    password: NewPassword
    role: Role


class StaffChange(Body):
    """What shall be different; what is left out or null stays."""

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
    password_hash = await run_in_threadpool(hash_password, body.password)
    try:
        async with context.database.write() as connection:
            staff_id = await staff_store.create(
                connection,
                organisation_id=admin.organisation_id,
                username=body.username,
                password_hash=password_hash,
                role=body.role,
            )
    except Conflict:
        raise NameTaken(name=body.username) from None  # by another, at the same moment
    return _member(201, staff_id, body.username, body.role, active=True)


async def change_staff(request: Request) -> Response:
    """Change the role or the password of a member of staff, or whether they may sign in. Their sessions end."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-staff")
    staff_id = request.path_params["staff_id"]
    body = await bodies.read(request, StaffChange)
    if staff_id > MAX_ID:
        raise StaffNotFound(staff_id=staff_id)
    password_hash = None if body.password is None else await run_in_threadpool(hash_password, body.password)
    now = await context.database.now()
    async with context.database.write() as connection:
        member = await staff_store.change(
            connection,
            admin.organisation_id,
            staff_id,
            now,
            role=body.role,
            active=body.active,
            password_hash=password_hash,
        )
    return _member(200, staff_id, *member)


def _member(status: int, staff_id: int, username: str, role: str, active: bool) -> Response:
    body = {"id": staff_id, "username": username, "role": role, "active": active}
    return Response(orjson.dumps(body), status, media_type="application/json")


ROUTES = [
    Route(paths.STAFF, get_staff, methods=["GET"]),
    Route(paths.STAFF, add_staff, methods=["POST"]),
    Route(paths.STAFF + "/{staff_id:id}", change_staff, methods=["PATCH"]),
]
