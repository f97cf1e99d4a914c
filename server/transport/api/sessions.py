"""Signing in and out: ``/api/v1/session``, and the sessions that are open: ``/api/v1/sessions``."""

from __future__ import annotations

import hmac
import secrets
from typing import Annotated

import orjson
import structlog
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.domain import roles
from server.domain.errors import (
    NotAllowed,
    NotSignedIn,
    SessionNotFound,
    SignInFailed,
    StaffNotFound,
    WrongPassword,
)
from server.domain.model.ids import MAX_ID
from server.queries import administration
from server.queries.identity import StaffMember
from server.store import lockouts
from server.store import staff as staff_store
from server.transport.access.audit import signing_in
from server.transport.access.gate import (
    ACCESS_COOKIE,
    ACCESS_SECONDS,
    IDLE_MICROSECONDS,
    REFRESH_COOKIE,
    refuse_foreign_origin,
)
from server.transport.access.lockout import guess_at, refuse_while_locked
from server.transport.api.sites import as_json
from server.transport.context import Context
from server.transport.http import bodies, paging, parameters, paths
from server.transport.http.bodies import Body
from server.transport.http.errors import SignInLocked
from server.vault import Vault, hash_password, verify_password

logger = structlog.get_logger(__name__)

# Two pages of one browser may refresh at the same moment; the one that loses is no thief.
RACE_MICROSECONDS = 10_000_000

NewPassword = Annotated[str, Field(min_length=8, max_length=200)]


class SignIn(Body):
    """A user name and a password."""

    username: Annotated[str, Field(min_length=1, max_length=80)]
    password: Annotated[str, Field(min_length=1, max_length=200)]


class Refresh(Body):
    """The refresh token, unless the browser's cookie brings it."""

    refresh_token: Annotated[str | None, Field(max_length=200)] = None


class PasswordChange(Body):
    """The password as it was, and as it shall be."""

    old_password: Annotated[str, Field(min_length=1, max_length=200)]
    new_password: NewPassword


async def sign_in(request: Request) -> Response:
    """Open a session. A wrong name and a wrong password are told apart by nothing. After five failures in a row nobody
    may try that name from there, for a minute at first and up to an hour; a browser that the user has signed in with
    before is counted apart."""
    context = Context.of(request)
    body = await bodies.read(request, SignIn)
    guess = guess_at(context.gate, request, body.username)
    member = await context.identities.member(body.username)
    try:
        await guess.check()
    except SignInLocked:
        signing_in(context.audit, member, allowed=False, action="sign-in-locked")
        raise
    right = await run_in_threadpool(verify_password, member.password_hash if member else None, body.password)
    if member is None or not right:
        signing_in(context.audit, member, allowed=False)
        await guess.failed()
        raise SignInFailed()
    now = await context.database.now()
    session_id = secrets.token_hex(16)
    secret = _refresh_secret(context.vault, session_id)
    async with context.database.write() as connection:
        # Looked at again, and held: a hundred tries at once are worth no more than one after the other.
        until = await lockouts.locked_until(connection, guess.subject, guess.origin, lock=True)
        if until <= now:
            await lockouts.clear(connection, guess.subject, guess.origin)
            await staff_store.open_session(connection, session_id, member.id, context.vault.keyed_hash(secret), now)
    signing_in(context.audit, member, allowed=until <= now)
    refuse_while_locked(until, now)
    response = _signed_in(request, context, member, session_id, secret)
    context.gate.browsers.remember(request, response, guess.user)
    return response


async def refresh(request: Request) -> Response:
    """Exchange a refresh token, good once, for new tokens. A session unused for an hour has ended. A token that was
    exchanged before ends its session: somebody else may have it."""
    context = Context.of(request)
    body = await bodies.read(request, Refresh)
    token = body.refresh_token
    if token is None:
        refuse_foreign_origin(request)
        token = request.cookies.get(REFRESH_COOKIE, "")
    session_id, _, secret = token.partition(".")
    session = await context.identities.session(session_id)
    if session is None or session.idle > IDLE_MICROSECONDS:
        raise NotSignedIn()
    old_hash = context.vault.keyed_hash(secret)
    fresh = _refresh_secret(context.vault, session_id)
    now = session.now
    async with context.database.write() as connection:
        rotated = await staff_store.rotate_session(connection, session_id, old_hash, context.vault.keyed_hash(fresh), now)
        if not rotated and _is_refresh_secret(context.vault, session_id, secret):
            stolen = await staff_store.revoke_reused(connection, session_id, now, now - RACE_MICROSECONDS)
            if stolen:
                logger.warning("a refresh token was used again: its session is ended", staff_id=session.member.id)
                signing_in(context.audit, session.member, allowed=False, action="refresh-again")
    if not rotated:
        raise NotSignedIn()
    return _signed_in(request, context, session.member, session_id, fresh)


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
    staff = await context.gate.staff(request)
    now = await context.database.now()
    async with context.database.write() as connection:
        await staff_store.revoke_session(connection, staff.session_id, now)
    context.audit.note("sign-out", staff.actor, organisation_id=staff.organisation_id)
    response = Response(status_code=204)
    response.delete_cookie(ACCESS_COOKIE, path="/")
    response.delete_cookie(REFRESH_COOKIE, path=paths.SESSION)
    return response


async def change_password(request: Request) -> Response:
    """Change one's own password. All other sessions of the same member of staff end."""
    context = Context.of(request)
    staff = await context.gate.staff(request)
    body = await bodies.read(request, PasswordChange)
    guess = guess_at(context.gate, request, staff.username, staff.session_id)
    await guess.check()
    member = await context.identities.member(staff.username)
    right = await run_in_threadpool(verify_password, member.password_hash if member else None, body.old_password)
    organisation_id = staff.organisation_id
    if not right:
        context.audit.note("change-password", staff.actor, organisation_id=organisation_id, allowed=False)
        await guess.failed()
        raise WrongPassword()
    password_hash = await run_in_threadpool(hash_password, body.new_password)
    now = await context.database.now()
    async with context.database.write() as connection:
        await lockouts.clear(connection, guess.subject, guess.origin)
        await staff_store.change_password(connection, staff.id, password_hash)
        await staff_store.revoke_sessions(connection, staff.id, now, but=staff.session_id)
    context.audit.note("change-password", staff.actor, organisation_id=organisation_id)
    return Response(status_code=204)


async def get_sessions(request: Request) -> Response:
    """List one's own open sessions. An administrator may ask for those of a colleague by ``?staff_id=``."""
    context = Context.of(request)
    staff = await context.gate.staff(request)
    staff_id = parameters.whole(request, "staff_id", staff.id, 1, MAX_ID)
    if staff_id != staff.id:
        if not roles.may(staff.role, "manage-staff"):
            raise NotAllowed(action="manage-staff", role=staff.role)
        if await context.identities.colleague(staff.organisation_id, staff_id) is None:
            raise StaffNotFound(staff_id=staff_id)
    cursors = paging.Cursors(context.vault, f"sessions:{staff_id}", administration.BY_NAME)
    size, after = paging.asked(request, cursors)
    used_since = await context.database.now() - IDLE_MICROSECONDS
    found = await administration.sessions_page(context.database, staff_id, used_since, staff.session_id, size, after)
    return as_json(paging.answer(found, size, cursors))


async def end_session(request: Request) -> Response:
    """End a session: one's own, or as an administrator any of the organisation's."""
    context = Context.of(request)
    staff = await context.gate.staff(request)
    session_id = request.path_params["session_id"]
    session = await context.identities.session(session_id)
    if session is None or not (
        session.member.id == staff.id
        or (session.member.organisation_id == staff.organisation_id and roles.may(staff.role, "manage-staff"))
    ):
        raise SessionNotFound()
    now = await context.database.now()
    async with context.database.write() as connection:
        await staff_store.revoke_session(connection, session_id, now)
    subject = f"staff:{session.member.id}"
    context.audit.note("end-session", staff.actor, subject=subject, organisation_id=staff.organisation_id)
    return Response(status_code=204)


def _refresh_secret(vault: Vault, session_id: str) -> str:
    """Return a new secret, with a mark by which an old one is told from an invented one."""
    made = secrets.token_urlsafe(32)
    return f"{made}.{vault.keyed_hash(f'refresh:{session_id}.{made}')}"


def _is_refresh_secret(vault: Vault, session_id: str, secret: str) -> bool:
    """Return whether a secret was made for this session, at any time."""
    made, _, mark = secret.partition(".")
    return mark.isascii() and hmac.compare_digest(mark, vault.keyed_hash(f"refresh:{session_id}.{made}"))


def _user(staff_id: int, username: str, role: str) -> dict[str, object]:
    return {"id": staff_id, "username": username, "role": role, "may": roles.allowed(role)}


def _signed_in(request: Request, context: Context, member: StaffMember, session_id: str, secret: str) -> Response:
    access = context.gate.access_token(member, session_id)
    refresh_token = f"{session_id}.{secret}"
    body = {
        "access_token": access,
        "refresh_token": refresh_token,
        "token_type": "Bearer",
        "expires_in": ACCESS_SECONDS,
        "user": _user(member.id, member.username, member.role),
    }
    response = Response(orjson.dumps(body), media_type="application/json", headers={"Cache-Control": "no-store"})
    secure = request.url.scheme == "https"
    response.set_cookie(ACCESS_COOKIE, access, ACCESS_SECONDS, path="/", secure=secure, httponly=True, samesite="strict")
    response.set_cookie(REFRESH_COOKIE, refresh_token, path=paths.SESSION, secure=secure, httponly=True, samesite="strict")
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
