"""``GET /api/v1/audit``: actions and refusals, for administrators."""

from __future__ import annotations

from typing import Annotated, TypedDict

from pydantic import Field
from starlette.requests import Request

from server.domain.errors import SiteNotFound, Unavailable
from server.queries import audit, verification
from server.transport.context import Context
from server.transport.http import paging, parameters, paths
from server.transport.http.endpoint import Endpoints, Tag
from server.transport.http.fields import Component, Count

MOST_MILLISECONDS = 2**53
CHANGES, ACCESS = KINDS = ("changes", "access")

Audited = Annotated[
    audit.Audited,
    Component(
        "Audited",
        actor="The actor: `staff:3`, `ticket:7000000011`, `clock`, `nobody`, ...",
        action="An event's type, a query's name, `sign-in`, `add-staff`, `change-role`, ...",
        subject="The record that the action was about: `entry:7000000012`, `visit:7000000011`; empty for a whole site.",
        allowed="True: the action was carried out. False: it was refused.",
        detail="The change by an administrator: `role: clinician -> admin`. Null where the action says it all.",
        request_id="The request's id; of a change, the command's id.",
        chain="The chain that holds the record: `site:7` or `process:12`.",
        number="The record's number in its chain.",
    ),
]

KIND = parameters.Choice(
    "kind",
    "`changes`: the changes at a site, which `site_id` must name. `access`: all other actions, and all refusals.",
    KINDS,
    ACCESS,
)
SITE = parameters.Id("site_id", "Only records of this site.", "site")
ACTOR = parameters.Text("actor", "Only records of this actor: `staff:3`.", 40)
ACTION = parameters.Text("action", "Only records of this action: `ticket-called`, `sign-in`.", 40)
SUBJECT = parameters.Text("subject", "Only records about this subject: `entry:7000000012`.", 120)
SINCE = parameters.Whole("since", "Only records from this time on, in milliseconds since 1970.", 0, MOST_MILLISECONDS, 0)
UNTIL = parameters.Whole(
    "until", "Only records before this time, in milliseconds since 1970.", 0, MOST_MILLISECONDS, MOST_MILLISECONDS
)
FILTERS = (ACTOR, ACTION, SUBJECT, SINCE, UNTIL)

ENDPOINTS = Endpoints(Tag.AUDIT)


@ENDPOINTS.add(
    "GET",
    paths.AUDIT,
    "read-audit",
    "The audit.",
    may="read-audit",
    parameters=(*paging.PARAMETERS, KIND, SITE, *FILTERS),
    refused=(Unavailable, SiteNotFound),
)
async def get_audit(request: Request) -> paging.Paged[Audited]:
    """List the actions and refusals in the caller's organisation, latest first."""
    context = Context.of(request)
    site_id = SITE.read(request)
    staff = await context.gate.staff_for(request, "read-audit", site_id)
    since, until = SINCE.read(request), UNTIL.read(request)
    wanted = audit.Filter(
        ACTOR.read(request),
        ACTION.read(request),
        SUBJECT.read(request),
        since or None,
        until if until < MOST_MILLISECONDS else None,
    )
    if KIND.read(request) == CHANGES:
        if site_id is None:
            raise SITE.wrong("required: the site whose changes to list")
        cursors = paging.Cursors(context.vault, f"changes:{site_id}", audit.KEY_OF_CHANGES)
        size, after = paging.asked(request, cursors)
        return paging.answer(await audit.changes(context.database, site_id, size, after, wanted), size, cursors)
    cursors = paging.Cursors(context.vault, f"access:{staff.organisation_id}", audit.KEY_OF_ACCESS)
    size, after = paging.asked(request, cursors)
    found = await audit.access(context.database, staff.organisation_id, site_id, size, after, wanted)
    return paging.answer(found, size, cursors)


class _Verification(TypedDict):
    """The result for one chain."""

    chain: Annotated[str, Field(description="The chain: the log of the site.")]
    links: Annotated[Count, Field(description="The number of links that are whole, from the first.")]
    head: Annotated[str, Field(description="The hash of the last whole link. Keep it outside the database.")]
    broken: Annotated[str | None, Field(description="The problem of the next link; null for a whole chain.")]


@ENDPOINTS.add(
    "GET",
    paths.AUDIT_VERIFICATION,
    "verify-audit",
    "The result.",
    may="read-audit",
    refused=(Unavailable, SiteNotFound),
)
async def get_verification(request: Request) -> _Verification:
    """Verify the log of a site now, link by link. `nowserving audit verify` also verifies every other chain."""
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    await context.gate.member_for(request, "read-audit", site_id, doing="verify-audit")
    found = [each async for each in verification.verify(context.database, context.vault, site_id)]
    (result,) = found
    return {"chain": f"site:{site_id}", "links": result.links, "head": result.head, "broken": result.broken}
