"""``GET /api/v1/audit``: who did what, for administrators."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.domain.errors import InvalidField
from server.queries import audit
from server.transport.api.sites import as_json
from server.transport.context import Context
from server.transport.http import paging, parameters, paths

CHANGES, ACCESS = KINDS = ("changes", "access")


async def get_audit(request: Request) -> Response:
    """List what changed at a site, or what else was done and refused in the caller's organisation; the latest first."""
    context = Context.of(request)
    site_id = parameters.site(request, "site_id")
    staff = await context.gate.staff_for(request, "read-audit", site_id)
    if (parameters.choice(request, "kind", KINDS) or ACCESS) == CHANGES:
        if site_id is None:
            raise InvalidField(field="site_id", problem="the site whose changes are asked for")
        cursors = paging.Cursors(context.vault, f"changes:{site_id}", audit.KEY_OF_CHANGES)
        size, after = paging.asked(request, cursors)
        return as_json(paging.answer(await audit.changes(context.database, site_id, size, after), size, cursors))
    cursors = paging.Cursors(context.vault, f"access:{staff.organisation_id}", audit.KEY_OF_ACCESS)
    size, after = paging.asked(request, cursors)
    found = await audit.access(context.database, staff.organisation_id, site_id, size, after)
    return as_json(paging.answer(found, size, cursors))


ROUTES = [Route(paths.AUDIT, get_audit)]
