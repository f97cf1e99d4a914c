"""Every module of endpoints, in the order of its routes. A new module is one row here."""

from __future__ import annotations

from server.transport.api import (
    api_keys,
    audit,
    commands,
    entries,
    health,
    pairings,
    sessions,
    sites,
    speech,
    staff,
    statistics,
    tickets,
)
from server.transport.http import metrics
from server.transport.http.endpoint import Endpoints
from server.transport.streams import routes

MODULES: tuple[Endpoints, ...] = (
    routes.ENDPOINTS,  # first: when a server comes back, every screen reconnects at once
    commands.ENDPOINTS,
    sites.ENDPOINTS,
    entries.ENDPOINTS,
    statistics.ENDPOINTS,
    audit.ENDPOINTS,
    sessions.ENDPOINTS,
    staff.ENDPOINTS,
    api_keys.ENDPOINTS,
    pairings.ENDPOINTS,
    tickets.ENDPOINTS,
    speech.ENDPOINTS,
    health.ENDPOINTS,
    metrics.ENDPOINTS,
)
