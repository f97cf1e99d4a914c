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
from server.identity.errors import PASSWORD_REFUSALS, SecondFactorFailed, SignInBusy, SignInExpired, SignInLocked
from server.identity.new_passwords import LEAST_CHARACTERS, MOST_CHARACTERS, Strength, strength_of
from server.identity.pending_sign_ins import LIFE_SECONDS
from server.identity.readable_codes import LONGEST_TYPED
from server.identity.sessions import IssuedTokens
from server.identity.sign_in import CodeNeeded, SignedIn
from server.queries import administration
from server.queries.administration import SessionListed
from server.transport.access.cookies import ACCESS, BROWSER, PENDING, PREFIX, REFRESH
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


Code = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_TYPED,
        description="The six digits that the app shows, or a recovery code. Spaces and hyphens do not count.",
    ),
]


class SignIn(Body):
    """A user name and a password. A client that knows the code of the second factor may send it along."""

    username: Annotated[str, Field(min_length=1, max_length=80)]
    password: Annotated[str, Field(min_length=1, max_length=200)]
    code: Code | None = None


class SecondStep(Body):
    """The code of the second factor."""

    code: Code


class Refresh(Body):
    """The refresh token. A browser may leave it out: its cookie has the token."""

    refresh_token: Annotated[str | None, Field(max_length=200)] = None


class PasswordChange(Body):
    """The present password and the new one."""

    old_password: Annotated[str, Field(min_length=1, max_length=200)]
    new_password: NewPassword


class PasswordGuess(Body):
    """A password that somebody thinks about."""

    password: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)]


class PasswordStrength(TypedDict):
    """How hard a password is to guess."""

    score: Annotated[int, Field(ge=0, le=4, description="From 0, easy to guess, to 4. A new password needs 3.")]
    refusal: Annotated[str | None, Field(description="The code of the error that this password would get, or null.")]


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


class SecondFactorNeeded(TypedDict):
    """The password is right, and no session is open yet: send the code from the same browser."""

    state: Literal["second_factor_needed"]
    expires_in: Annotated[int, Field(ge=0, le=LIFE_SECONDS, description="How long the code can be sent, in seconds.")]


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
        browser="The browser's name, if it is known: `Firefox`. A program with a session has none.",
        platform="The operating system's name, if it is known: `Windows`.",
    ),
]

STAFF_ID = parameters.Id("staff_id", "A colleague, for administrators only.", "member of staff")

COOKIES = Header(
    "Set-Cookie",
    {"type": "string"},
    f"The tokens as HttpOnly cookies. On sign-in also `{BROWSER.name}`, which identifies the browser later. "
    f"Over HTTPS each name begins with `{PREFIX}`.",
)
SIGNED_IN = Answer("Signed in.", Tokens, headers=(*NO_STORE, COOKIES))
CODE_NEEDED = Answer(
    "The password is right, and the member has a second factor. A cookie identifies the pending sign-in.",
    SecondFactorNeeded,
    status=202,
    headers=(*NO_STORE, COOKIES),
)

ENDPOINTS = Endpoints(Tag.SESSION)


@ENDPOINTS.add(
    "POST",
    paths.SESSION,
    "sign-in",
    (SIGNED_IN, CODE_NEEDED),
    security=PUBLIC,
    body=SignIn,
    example={"username": "ada", "password": "river candle ninety moss"},  # nosec B105 # an example
    refused=(SignInFailed, SecondFactorFailed, SignInExpired, SignInLocked, SignInBusy, Unavailable),
)
async def sign_in(request: Request) -> Response:
    """Open a session. The answer does not reveal whether the user name or the password was wrong.

    After five failures in a row, this user name is locked for the client's address: for a minute at first, for up to an hour
    later. A browser in which the user has signed in before is counted separately. The user name counts without case and
    outer spaces. When so many people sign in that this request would wait for more than ten seconds, the answer is 503.

    A member with a second factor also needs its code: in `code`, or in a second request to `/api/v1/session/code`.
    """
    context = Context.of(request)
    body = await bodies.read(request, SignIn)
    origin = context.gate.origin(request)
    return signed_in(request, await context.identity.sign_in.with_password(body.username, body.password, origin, body.code))


@ENDPOINTS.add(
    "POST",
    paths.SESSION_CODE,
    "send-code",
    SIGNED_IN,
    security=PUBLIC,
    body=SecondStep,
    example={"code": "492039"},
    refused=(SecondFactorFailed, SignInExpired, SignInLocked, Unavailable),
)
async def send_code(request: Request) -> Response:
    """Complete a sign-in with the code of the second factor, within five minutes and from the same browser.

    Each code is accepted once. After five wrong codes, the user is locked for a minute at first, for up to an hour later.
    A browser in which the user has signed in before is counted separately; all other browsers share one count.
    """
    context = Context.of(request)
    body = await bodies.read(request, SecondStep)
    origin = context.gate.origin(request)
    return signed_in(request, await context.identity.sign_in.with_code(PENDING.of(request), body.code, origin))


@ENDPOINTS.add(
    "POST",
    f"{paths.SESSION}/refresh",
    "refresh",
    SIGNED_IN,
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
    example={
        "old_password": "river candle ninety moss",  # nosec B105 # an example
        "new_password": "seven quiet lamps outside",  # nosec B105 # an example
    },
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
    "POST",
    f"{paths.SESSION}/password/strength",
    "judge-own-password",
    Answer("The strength.", PasswordStrength, headers=NO_STORE),
    body=PasswordGuess,
    example={"password": "seven quiet lamps outside"},  # nosec B105 # an example
    refused=(NotSignedIn, Unavailable),
)
async def judge_own_password(request: Request) -> Response:
    """Return how strong a new password of the caller would be. Nothing is stored."""
    staff = await Context.of(request).gate.staff(request)
    body = await bodies.read(request, PasswordGuess)
    return strength(await strength_of(body.password, staff.username))


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
    paths.SESSIONS,
    "end-other-sessions",
    Answer("Ended.", status=204),
    refused=(NotSignedIn, Unavailable),
)
async def end_other_sessions(request: Request) -> Response:
    """End all sessions of the caller except the one of this request."""
    context = Context.of(request)
    await context.identity.sessions.end_others(await context.gate.staff(request))
    return Response(status_code=204)


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


def strength(found: Strength) -> Response:
    """Return the answer with the strength of a password."""
    body: PasswordStrength = {"score": found.score, "refusal": None if found.refusal is None else found.refusal.code}
    return as_json(body)


def signed_in(request: Request, outcome: SignedIn | CodeNeeded) -> Response:
    """Return the answer to a right password: the tokens of the new session, or the request for a code."""
    if isinstance(outcome, SignedIn):
        response = _issued(request, outcome.tokens)
        if PENDING.of(request) is not None:
            PENDING.delete(request, response)
    else:
        body: SecondFactorNeeded = {"state": "second_factor_needed", "expires_in": LIFE_SECONDS}
        response = as_json(body)
        response.status_code = 202
        PENDING.set(request, response, outcome.pending, LIFE_SECONDS)
    Context.of(request).gate.browsers.remember(request, response, outcome.browser)
    return response


def _issued(request: Request, tokens: IssuedTokens) -> Response:
    """Return the answer that gives a client its tokens, in the body and as cookies."""
    member = tokens.member
    body: Tokens = {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "token_type": "Bearer",  # nosec B105 # the kind of token
        "expires_in": tokens.access_seconds,
        "user": _user(member.id, member.username, member.role),
    }
    response = as_json(body)
    ACCESS.set(request, response, tokens.access_token, tokens.access_seconds)
    REFRESH.set(request, response, tokens.refresh_token)
    return response
