"""Sign-in and sign-out: ``/api/v1/session``. Open sessions: ``/api/v1/sessions``."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

import orjson
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain import roles
from server.domain.errors import (
    NotAllowed,
    NotSignedIn,
    SessionNotFound,
    SignInFailed,
    StaffNotFound,
    Unavailable,
    WrongPassword,
)
from server.identity.access_tokens import ACCESS_SECONDS
from server.identity.errors import PASSWORD_REFUSALS, SignInBusy, SignInLocked
from server.identity.new_passwords import LEAST_CHARACTERS, MOST_CHARACTERS
from server.identity.sessions import IssuedTokens
from server.queries import administration
from server.queries.administration import SessionListed
from server.transport.access.cookies import ACCESS, BROWSER, PREFIX, REFRESH
from server.transport.api.sites import Site
from server.transport.context import Context
from server.transport.http import bodies, paging, parameters, paths
from server.transport.http.bodies import Body
from server.transport.http.endpoint import NO_STORE, PUBLIC, Answer, Endpoints, Header, Tag, as_json
from server.transport.http.fields import Component

NewPassword = Annotated[
    str,
    Field(
        min_length=LEAST_CHARACTERS,
        max_length=MOST_CHARACTERS,
        description="Not the user name, and not easy to guess: four unrelated words are a good password.",
    ),
]


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


class User(TypedDict):
    """The member of staff who is signed in."""

    id: int
    username: str
    role: Annotated[str, Field(json_schema_extra={"enum": list(roles.ROLES)})]
    may: Annotated[list[str], Field(description="All rights of the role, by name. A page offers nothing else.")]


class Tokens(TypedDict):
    """The tokens of a session."""

    access_token: Annotated[str, Field(description="Send it as `Authorization: Bearer ...`.")]
    refresh_token: Annotated[str, Field(description="Exchange it once for new tokens.")]
    token_type: Literal["Bearer"]
    expires_in: Annotated[
        int,
        Field(
            json_schema_extra={"minimum": 0, "maximum": ACCESS_SECONDS},
            description="How long the access token is valid, in seconds. It never outlives its session.",
        ),
    ]
    user: User


class _WhoAmI(TypedDict):
    user: User
    sites: list[Site]


Session = Annotated[
    SessionListed,
    Component(
        "Session",
        about="A session that has not ended.",
        id=Field(pattern="^[0-9a-f]{32}$"),
        created_at="An instant, in milliseconds since 1970.",
        used_at="An instant, in milliseconds since 1970.",
        current="Whether this request belongs to it.",
    ),
]

STAFF_ID = parameters.Id("staff_id", "A colleague, for administrators only.", "member of staff")

_COOKIES = Header(
    "Set-Cookie",
    {"type": "string"},
    f"The tokens as HttpOnly cookies. On sign-in also `{BROWSER.name}`, which identifies the browser later. "
    f"Over HTTPS each name begins with `{PREFIX}`.",
)
_SIGNED_IN = Answer("Signed in.", Tokens, headers=(*NO_STORE, _COOKIES))

ENDPOINTS = Endpoints(Tag.SESSION)


@ENDPOINTS.add(
    "POST",
    paths.SESSION,
    "sign-in",
    _SIGNED_IN,
    security=PUBLIC,
    body=SignIn,
    example={"username": "ada", "password": "river candle ninety moss"},
    refused=(SignInFailed, SignInLocked, SignInBusy, Unavailable),
)
async def sign_in(request: Request) -> Response:
    """Open a session. The answer does not reveal whether the user name or the password was wrong.

    After five failures in a row, this user name is locked for the client's address: for a minute at first, for up to an hour
    later. A browser in which the user has signed in before is counted separately. The user name counts without case and
    outer spaces. When so many people sign in that this request would wait for more than ten seconds, the answer is 503.
    """
    context = Context.of(request)
    body = await bodies.read(request, SignIn)
    signed_in = await context.identity.sign_in.with_password(body.username, body.password, context.gate.origin(request))
    response = _issued(request, signed_in.tokens)
    context.gate.browsers.remember(request, response, signed_in.browser)
    return response


@ENDPOINTS.add(
    "POST",
    f"{paths.SESSION}/refresh",
    "refresh",
    _SIGNED_IN,
    security=("refreshCookie",),
    anonymous=True,
    body=Refresh,
    example={},
    refused=(NotSignedIn, Unavailable),
)
async def refresh(request: Request) -> Response:
    """Exchange a refresh token, which is valid once, for new tokens.

    A session ends after 12 hours, or after an hour without use (30 minutes for an administrator), if the settings are the
    defaults. The second use of a refresh token ends its session: the token may be stolen.
    With `{}` as the body, the cookie carries the token.
    """
    context = Context.of(request)
    body = await bodies.read(request, Refresh)
    token = body.refresh_token
    if token is None:
        token = REFRESH.of(request) or ""
    return _issued(request, await context.identity.sessions.refresh(token))


@ENDPOINTS.add(
    "GET", paths.SESSION, "who-am-i", Answer("The user and the sites.", _WhoAmI), refused=(NotSignedIn, Unavailable)
)
async def who_am_i(request: Request) -> Response:
    """Return the signed-in member of staff and the sites of their organisation."""
    context = Context.of(request)
    staff = await context.gate.staff(request)
    sites = await context.identities.sites(staff.organisation_id)
    body: _WhoAmI = {"user": _user(staff.id, staff.username, staff.role), "sites": sites}
    return Response(orjson.dumps(body), media_type="application/json")


@ENDPOINTS.add(
    "DELETE",
    paths.SESSION,
    "sign-out",
    Answer("Signed out.", status=204),
    refused=(NotSignedIn, Unavailable),
)
async def sign_out(request: Request) -> Response:
    """End the session. The tokens and cookies of the session are no longer valid."""
    context = Context.of(request)
    await context.identity.sessions.sign_out(await context.gate.staff(request))
    response = Response(status_code=204)
    ACCESS.delete(request, response)
    REFRESH.delete(request, response)
    return response


@ENDPOINTS.add(
    "POST",
    f"{paths.SESSION}/password",
    "change-password",
    Answer("Changed.", status=204),
    body=PasswordChange,
    example={"old_password": "river candle ninety moss", "new_password": "seven quiet lamps outside"},
    refused=(NotSignedIn, WrongPassword, *PASSWORD_REFUSALS, SignInLocked, SignInBusy, Unavailable),
)
async def change_password(request: Request) -> Response:
    """Change the caller's own password. All other sessions of the caller end."""
    context = Context.of(request)
    staff = await context.gate.staff(request)
    body = await bodies.read(request, PasswordChange)
    await context.identity.passwords.change(staff, body.old_password, body.new_password)
    return Response(status_code=204)


@ENDPOINTS.add(
    "GET",
    paths.SESSIONS,
    "list-sessions",
    "The sessions.",
    parameters=(STAFF_ID, *paging.PARAMETERS),
    refused=(NotSignedIn, NotAllowed, StaffNotFound, Unavailable),
)
async def get_sessions(request: Request) -> paging.Paged[Session]:
    """List the caller's own open sessions. An administrator may list a colleague's with ``?staff_id=``."""
    context = Context.of(request)
    staff = await context.gate.staff(request)
    staff_id = STAFF_ID.read(request) or staff.id
    await context.identity.sessions.check_may_list(staff, staff_id)
    cursors = paging.Cursors(context.vault, f"sessions:{staff_id}", administration.BY_NAME)
    size, after = paging.asked(request, cursors)
    found = await context.identity.sessions.page(staff, staff_id, size, after)
    return paging.answer(found, size, cursors)


@ENDPOINTS.add(
    "DELETE",
    paths.SESSIONS + "/{session_id}",
    "end-session",
    Answer("Ended.", status=204),
    refused=(NotSignedIn, SessionNotFound, Unavailable),
)
async def end_session(request: Request) -> Response:
    """End a session: the caller's own or, for an administrator, any session of the organisation."""
    context = Context.of(request)
    staff = await context.gate.staff(request)
    await context.identity.sessions.end(staff, request.path_params["session_id"])
    return Response(status_code=204)


def _user(staff_id: int, username: str, role: str) -> User:
    return {"id": staff_id, "username": username, "role": role, "may": roles.allowed(role)}


def _issued(request: Request, tokens: IssuedTokens) -> Response:
    """Return the answer that gives a client its tokens, in the body and as cookies."""
    member = tokens.member
    body: Tokens = {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "token_type": "Bearer",
        "expires_in": tokens.access_seconds,
        "user": _user(member.id, member.username, member.role),
    }
    response = as_json(body)
    ACCESS.set(request, response, tokens.access_token, tokens.access_seconds)
    REFRESH.set(request, response, tokens.refresh_token)
    return response
