"""The paths of the application. ``{site_id:id}`` takes only as many digits as a column can hold."""

from __future__ import annotations

from starlette.convertors import Convertor, register_url_convertor

from server.domain.model.ids import MAX_ID


class _Id(Convertor[int]):
    regex = f"[0-9]{{1,{len(str(MAX_ID))}}}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("id", _Id())

DESK = "/live/sites/{site_id:id}/desk"
POINT = "/live/points/{point_id:id}"
DISPLAY = "/live/displays/{display_id:id}"
ACK = f"{DISPLAY}/ack"
TICKET = "/live/tickets/{token}"
DISAGREEMENT = "/disagreement"  # below the address of each stream
COMMAND = "/api/v1/commands/{name}"
SITES = "/api/v1/sites"
SITE = "/api/v1/sites/{site_id:id}"
BOARD = "/api/v1/sites/{site_id:id}/board"
ENTRIES = "/api/v1/sites/{site_id:id}/entries"
ENTRY = "/api/v1/entries/{entry_id:id}"
HISTORY = "/api/v1/entries/{entry_id:id}/history"
SLIP = "/api/v1/entries/{entry_id:id}/slip"
VISIT = "/api/v1/visits/{visit_id:id}"
PATIENTS = "/api/v1/sites/{site_id:id}/patients"
AUDIT = "/api/v1/audit"
STATISTICS = "/api/v1/sites/{site_id:id}/statistics"
STATISTICS_CSV = "/api/v1/sites/{site_id:id}/statistics.csv"
DAY = "/api/v1/sites/{site_id:id}/day"
SESSION = "/api/v1/session"
SESSIONS = "/api/v1/sessions"
STAFF = "/api/v1/staff"
API_KEYS = "/api/v1/api-keys"
PAIRINGS = "/api/v1/pairings"
QR = "/api/v1/tickets/{token}/qr.svg"
SPEECH = "/api/v1/displays/{display_id:id}/speech"
SERVICE_WORKER = "/service-worker.js"
TICKET_APP = "/t/{token}/app.webmanifest"
DISPLAY_PAGE = "/display/{display_id:id}"
PATIENT_PAGE = "/t/{token}"
