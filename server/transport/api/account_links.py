"""Links with which people set a password themselves: ``/api/v1/invitations``, reset links, ``/api/v1/account-links``."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain import roles
from server.domain.errors import NameTaken, StaffNotFound, Unavailable
from server.domain.roles import Role
from server.identity.account_links import LinkMade
from server.identity.errors import (
    PASSWORD_REFUSALS,
    USER_NAME_REFUSALS,
    InvitationNotFound,
    LinkNotFound,
    SignInBusy,
    SignInExpired,
    SignInLocked,
)
from server.identity.new_passwords import strength_of
from server.queries import administration
from server.queries.administration import InvitationListed
from server.transport import qr_codes
from server.transport.api.sessions import (
    CODE_NEEDED,
    SIGNED_IN,
    NewPassword,
    PasswordGuess,
    PasswordStrength,
    signed_in,
    strength,
)
from server.transport.api.tickets import base_address
from server.transport.context import Context
from server.transport.http import bodies, paging, paths
from server.transport.http.bodies import Body
from server.transport.http.endpoint import NO_STORE, PUBLIC, Answer, Endpoints, Tag, as_json
from server.transport.http.fields import Component, Id, Instant

UserName = Annotated[str, Field(min_length=1, max_length=80)]
_ROLE = Field(json_schema_extra={"enum": list(roles.ROLES)})
_KIND = Field(json_schema_extra={"enum": ["invitation", "reset"]})


class NewInvitation(Body):
    """An invitation. With a user name, the colleague chooses the password alone."""

    role: Role
    username: UserName | None = None


class LinkSecret(Body):
    """The secret of a link: the part of its address behind `#`."""

    secret: Annotated[str, Field(min_length=1, max_length=100)]


class LinkUse(LinkSecret):
    """The new password and, if the invitation leaves it open, the user name."""

    password: NewPassword
    username: UserName | None = None


class LinkPasswordGuess(LinkSecret, PasswordGuess):
    """A password that the invited person thinks about, and the user name if the invitation leaves it open."""

    username: UserName | None = None


Invitation = Annotated[
    InvitationListed,
    Component(
        "Invitation",
        about="An open invitation, without its secret.",
        username="The user name of the account; null if the colleague chooses it.",
        role=_ROLE,
        made_by="The administrator: `staff:12`.",
        made_at="An instant, in milliseconds since 1970.",
        expires_at="An instant, in milliseconds since 1970.",
    ),
]


class AccountLink(TypedDict):
    """A new link. Its address is shown only now."""

    id: Id
    kind: Annotated[str, _KIND]
    username: str | None
    role: Annotated[str, _ROLE]
    made_at: Instant
    expires_at: Instant
    address: Annotated[str, Field(description="The link. The secret stands behind `#`, which browsers send to no server.")]
    qr_code: Annotated[str, Field(description="The link as a QR code: an SVG image as a `data:` address.")]


class LinkShown(TypedDict):
    """An open link, as the invited person sees it."""

    kind: Annotated[Literal["invitation", "reset"], _KIND]
    organisation: str
    username: Annotated[str | None, Field(description="The user name of the account; null if the person chooses it.")]
    role: Annotated[str, _ROLE]
    expires_at: Instant


ENDPOINTS = Endpoints(Tag.ADMINISTRATION)


@ENDPOINTS.add(
    "GET",
    paths.INVITATIONS,
    "list-invitations",
    "The invitations.",
    may="manage-staff",
    parameters=paging.PARAMETERS,
    refused=(Unavailable,),
)
async def get_invitations(request: Request) -> paging.Paged[Invitation]:
    """List the open invitations of the caller's organisation."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-staff", doing="list-invitations")
    cursors = paging.Cursors(context.vault, f"invitations:{admin.organisation_id}", administration.BY_NUMBER)
    size, after = paging.asked(request, cursors)
    now = await context.database.now()
    found = await administration.invitations_page(context.database, admin.organisation_id, now, size, after)
    return paging.answer(found, size, cursors)


@ENDPOINTS.add(
    "POST",
    paths.INVITATIONS,
    "make-invitation",
    Answer("The invitation.", AccountLink, status=201, headers=NO_STORE),
    may="manage-staff",
    body=NewInvitation,
    example={"role": "receptionist", "username": "ada"},
    refused=(NameTaken, *USER_NAME_REFUSALS, Unavailable),
)
async def invite(request: Request) -> Response:
    """Invite a colleague by a link, which is valid for seven days and works once."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-staff", doing="make-invitation")
    body = await bodies.read(request, NewInvitation)
    made = await context.identity.links.invite(admin.organisation_id, body.username, body.role, actor=admin.actor)
    return _link(request, made)


@ENDPOINTS.add(
    "DELETE",
    paths.INVITATIONS + "/{invitation_id:id}",
    "revoke-invitation",
    Answer("Revoked.", status=204),
    may="manage-staff",
    refused=(InvitationNotFound, Unavailable),
)
async def revoke_invitation(request: Request) -> Response:
    """End an open invitation: its link stops working."""
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-staff", doing="revoke-invitation")
    invitation_id = request.path_params["invitation_id"]
    await context.identity.links.revoke_invitation(admin.organisation_id, invitation_id, actor=admin.actor)
    return Response(status_code=204)


@ENDPOINTS.add(
    "POST",
    paths.STAFF + "/{staff_id:id}/reset-link",
    "make-reset-link",
    Answer("The link.", AccountLink, status=201, headers=NO_STORE),
    may="manage-staff",
    refused=(StaffNotFound, Unavailable),
)
async def make_reset_link(request: Request) -> Response:
    """Make a link with which a member of staff sets a new password. The link is valid for 24 hours and works once.

    An earlier link of the member ends. The present password works until the link is used; then all sessions of the member
    end. The second factor stays.
    """
    context = Context.of(request)
    admin = await context.gate.member_for(request, "manage-staff", doing="make-reset-link")
    staff_id = request.path_params["staff_id"]
    return _link(request, await context.identity.links.reset(admin.organisation_id, staff_id, actor=admin.actor))


@ENDPOINTS.add(
    "POST",
    f"{paths.ACCOUNT_LINKS}/open",
    "open-account-link",
    Answer("The link.", LinkShown, headers=NO_STORE),
    security=PUBLIC,
    body=LinkSecret,
    example={"secret": "Zx0cT9mUo2d1v4RkqWbN7yLs8fHgJpAeIiOuYtRrEwQ"},  # nosec B105 # an example
    refused=(LinkNotFound, Unavailable),
)
async def open_link(request: Request) -> Response:
    """Return the account and the purpose of a link. The link stays unused."""
    body = await bodies.read(request, LinkSecret)
    link = await Context.of(request).identity.links.look(body.secret)
    shown: LinkShown = {
        "kind": link.kind,
        "organisation": link.organisation,
        "username": link.username,
        "role": link.role,
        "expires_at": link.expires_at // 1000,
    }
    return as_json(shown)


@ENDPOINTS.add(
    "POST",
    f"{paths.ACCOUNT_LINKS}/strength",
    "judge-password",
    Answer("The strength.", PasswordStrength, headers=NO_STORE),
    security=PUBLIC,
    body=LinkPasswordGuess,
    example={
        "secret": "Zx0cT9mUo2d1v4RkqWbN7yLs8fHgJpAeIiOuYtRrEwQ",  # nosec B105 # an example
        "password": "seven quiet lamps outside",  # nosec B105 # an example
    },
    refused=(LinkNotFound, Unavailable),
)
async def judge_password(request: Request) -> Response:
    """Return how strong the password of a link would be. Nothing is stored."""
    body = await bodies.read(request, LinkPasswordGuess)
    link = await Context.of(request).identity.links.look(body.secret)
    return strength(await strength_of(body.password, link.username or body.username or ""))


@ENDPOINTS.add(
    "POST",
    f"{paths.ACCOUNT_LINKS}/use",
    "use-account-link",
    (SIGNED_IN, CODE_NEEDED),
    security=PUBLIC,
    body=LinkUse,
    example={
        "secret": "Zx0cT9mUo2d1v4RkqWbN7yLs8fHgJpAeIiOuYtRrEwQ",  # nosec B105 # an example
        "username": "ada",
        "password": "river candle ninety moss",  # nosec B105 # an example
    },
    refused=(
        *(LinkNotFound, NameTaken, SignInLocked, SignInExpired, SignInBusy, Unavailable),
        *USER_NAME_REFUSALS,
        *PASSWORD_REFUSALS,
    ),
)
async def use_link(request: Request) -> Response:
    """Set the password of a link and sign in. The link works once; a refused password or name leaves it unused.

    An invitation makes the account. A reset link ends all sessions of the member. A member with a second factor still needs
    a code: the answer is then 202, as that of the sign-in.
    """
    context = Context.of(request)
    body = await bodies.read(request, LinkUse)
    origin = context.gate.origin(request)
    used = await context.identity.links.use(body.secret, body.username, body.password, origin)
    if used.kind == "invitation":
        member = used.member
        await context.identity.milestones.reach(member.organisation_id, "colleague-added", actor=f"staff:{member.id}")
    return signed_in(request, used.signed_in)


def _link(request: Request, made: LinkMade) -> Response:
    page = paths.INVITATION_PAGE if made.kind == "invitation" else paths.RESET_PAGE
    address = f"{base_address(request)}{page}#{made.secret}"
    body: AccountLink = {
        "id": made.id,
        "kind": made.kind,
        "username": made.username,
        "role": made.role,
        "made_at": made.made_at // 1000,
        "expires_at": made.expires_at // 1000,
        "address": address,
        "qr_code": qr_codes.image_address(address),
    }
    response = as_json(body)
    response.status_code = 201
    return response
