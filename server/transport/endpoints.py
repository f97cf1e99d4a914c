"""Every module of endpoints, in the order of its routes. A new module is one row here."""

from __future__ import annotations

from server.transport.api import (
    account_links,
    api_keys,
    appointments,
    audit,
    booking,
    calendar_feeds,
    commands,
    entries,
    health,
    holidays,
    importing,
    joining,
    kiosks,
    own_appointment,
    pairings,
    practitioners,
    second_factor,
    sessions,
    setup,
    sites,
    slots,
    speech,
    staff,
    statistics,
    system,
    tickets,
)
from server.transport.http import metrics
from server.transport.http.endpoint import Endpoints
from server.transport.streams import routes

MODULES: tuple[Endpoints, ...] = (
    routes.ENDPOINTS,  # first: when a server comes back, every screen reconnects at once
    commands.ENDPOINTS,
    sites.ENDPOINTS,
    slots.ENDPOINTS,
    appointments.ENDPOINTS,
    entries.ENDPOINTS,
    statistics.ENDPOINTS,
    audit.ENDPOINTS,
    setup.ENDPOINTS,
    sessions.ENDPOINTS,
    second_factor.ENDPOINTS,
    staff.ENDPOINTS,
    account_links.ENDPOINTS,
    api_keys.ENDPOINTS,
    practitioners.ENDPOINTS,
    holidays.ENDPOINTS,
    importing.ENDPOINTS,
    pairings.ENDPOINTS,
    tickets.ENDPOINTS,
    kiosks.ENDPOINTS,
    joining.ENDPOINTS,
    booking.ENDPOINTS,
    own_appointment.ENDPOINTS,
    calendar_feeds.ENDPOINTS,
    speech.ENDPOINTS,
    system.ENDPOINTS,
    health.ENDPOINTS,
    metrics.ENDPOINTS,
)
