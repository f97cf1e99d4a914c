"""``GET /api/v1/audit``: actions and refusals, for administrators."""

from __future__ import annotations

from typing import Annotated

from starlette.requests import Request

from server.domain.errors import SiteNotFound, Unavailable
from server.queries import audit
from server.transport.context import Context
from server.transport.http import paging, parameters, paths
from server.transport.http.endpoint import Endpoints, Tag
from server.transport.http.fields import Component

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

ENDPOINTS = Endpoints(Tag.AUDIT)


@ENDPOINTS.add(
    "GET",
    paths.AUDIT,
    "read-audit",
    "The audit.",
    may="read-audit",
    parameters=(*paging.PARAMETERS, KIND, SITE),
    refused=(Unavailable, SiteNotFound),
)
async def get_audit(request: Request) -> paging.Paged[Audited]:
    """List the actions and refusals in the caller's organisation, latest first."""
    context = Context.of(request)
    site_id = SITE.read(request)
    staff = await context.gate.staff_for(request, "read-audit", site_id)
    if KIND.read(request) == CHANGES:
        if site_id is None:
            raise SITE.wrong("required: the site whose changes to list")
        cursors = paging.Cursors(context.vault, f"changes:{site_id}", audit.KEY_OF_CHANGES)
        size, after = paging.asked(request, cursors)
        return paging.answer(await audit.changes(context.database, site_id, size, after), size, cursors)
    cursors = paging.Cursors(context.vault, f"access:{staff.organisation_id}", audit.KEY_OF_ACCESS)
    size, after = paging.asked(request, cursors)
    found = await audit.access(context.database, staff.organisation_id, site_id, size, after)
    return paging.answer(found, size, cursors)
