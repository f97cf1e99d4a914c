"""Sign-in and sign-out: ``/api/v1/session``. Open sessions: ``/api/v1/sessions``."""

from __future__ import annotations

from typing import Annotated

import orjson
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.domain import roles
from server.domain.model.ids import MAX_ID
from server.identity.access_tokens import ACCESS_SECONDS
from server.identity.sessions import IssuedTokens
from server.queries import administration
from server.transport.access.gate import ACCESS_COOKIE, REFRESH_COOKIE
from server.transport.api.sites import as_json
from server.transport.context import Context
from server.transport.http import bodies, paging, parameters, paths
from server.transport.http.bodies import Body

NewPassword = Annotated[str, Field(min_length=8, max_length=200)]


class SignIn(Body):
    """A user name and a password."""

    username: Annotated[str, Field(min_length=1, max_length=80)]
    password: Annotated[str, Field(min_length=1, max_length=200)]


class Refresh(Body):
    """The refresh token. A browser may leave it out: its cookie has the token."""

    refresh_token: Annotated[str | None, Field(max_length=200)] = None


class PasswordChange(Body):
    """The present password and the new one."""

    old_password: Annotated[str, Field(min_length=1, max_length=200)]
    new_password: NewPassword


async def sign_in(request: Request) -> Response:
    """Open a session. The answer does not reveal whether the user name or the password was wrong. After five failures in
    a row, this user name is locked for the client's address: for a minute at first, for up to an hour later. A browser that
    the user has signed in with before is counted apart."""
    context = Context.of(request)
    body = await bodies.read(request, SignIn)
    signed_in = await context.identity.sign_in.with_password(body.username, body.password, context.gate.origin(request))
    response = _issued(request, signed_in.tokens)
    context.gate.browsers.remember(request, response, signed_in.browser)
    return response


async def refresh(request: Request) -> Response:
    """Exchange a refresh token, which is valid once, for new tokens. A session ends after an hour without use. The second
    use of a refresh token ends its session: somebody else may have the token."""
    context = Context.of(request)
    body = await bodies.read(request, Refresh)
    token = body.refresh_token
    if token is None:
        context.gate.refuse_foreign_origin(request)
        token = request.cookies.get(REFRESH_COOKIE, "")
    return _issued(request, await context.identity.sessions.refresh(token))


async def who_am_i(request: Request) -> Response:
    """Return the signed-in member of staff and the sites of their organisation."""
    context = Context.of(request)
    staff = await context.gate.staff(request)
    sites = await context.identities.sites(staff.organisation_id)
    body = {"user": _user(staff.id, staff.username, staff.role), "sites": sites}
    return Response(orjson.dumps(body), media_type="application/json")


async def sign_out(request: Request) -> Response:
    """End the session."""
    context = Context.of(request)
    await context.identity.sessions.sign_out(await context.gate.staff(request))
    response = Response(status_code=204)
    response.delete_cookie(ACCESS_COOKIE, path="/")
    response.delete_cookie(REFRESH_COOKIE, path=paths.SESSION)
    return response


async def change_password(request: Request) -> Response:
    """Change the caller's own password. All other sessions of the caller end."""
    context = Context.of(request)
    staff = await context.gate.staff(request)
    body = await bodies.read(request, PasswordChange)
    await context.identity.passwords.change(staff, body.old_password, body.new_password)
    return Response(status_code=204)


async def get_sessions(request: Request) -> Response:
    """List the caller's own open sessions. An administrator may list a colleague's with ``?staff_id=``."""
    context = Context.of(request)
    staff = await context.gate.staff(request)
    staff_id = parameters.whole(request, "staff_id", staff.id, 1, MAX_ID)
    await context.identity.sessions.check_may_list(staff, staff_id)
    cursors = paging.Cursors(context.vault, f"sessions:{staff_id}", administration.BY_NAME)
    size, after = paging.asked(request, cursors)
    found = await context.identity.sessions.page(staff, staff_id, size, after)
    return as_json(paging.answer(found, size, cursors))


async def end_session(request: Request) -> Response:
    """End a session: the caller's own or, for an administrator, any session of the organisation."""
    context = Context.of(request)
    staff = await context.gate.staff(request)
    await context.identity.sessions.end(staff, request.path_params["session_id"])
    return Response(status_code=204)


def _user(staff_id: int, username: str, role: str) -> dict[str, object]:
    return {"id": staff_id, "username": username, "role": role, "may": roles.allowed(role)}


def _issued(request: Request, tokens: IssuedTokens) -> Response:
    """Return the answer that gives a client its tokens, in the body and as cookies."""
    member = tokens.member
    response = as_json(
        {
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            "token_type": "Bearer",
            "expires_in": ACCESS_SECONDS,
            "user": _user(member.id, member.username, member.role),
        }
    )
    secure = request.url.scheme == "https"
    for name, token, seconds, path in (
        (ACCESS_COOKIE, tokens.access_token, ACCESS_SECONDS, "/"),
        (REFRESH_COOKIE, tokens.refresh_token, None, paths.SESSION),
    ):
        response.set_cookie(name, token, seconds, path=path, secure=secure, httponly=True, samesite="strict")
    return response


ROUTES = [
    Route(paths.SESSION, sign_in, methods=["POST"]),
    Route(paths.SESSION, who_am_i, methods=["GET"]),
    Route(paths.SESSION, sign_out, methods=["DELETE"]),
    Route(f"{paths.SESSION}/refresh", refresh, methods=["POST"]),
    Route(f"{paths.SESSION}/password", change_password, methods=["POST"]),
    Route(paths.SESSIONS, get_sessions, methods=["GET"]),
    Route(paths.SESSIONS + "/{session_id}", end_session, methods=["DELETE"]),
]
