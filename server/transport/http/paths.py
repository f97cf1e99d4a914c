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
CONFIGURATION = "/live/sites/{site_id:id}/configuration"
CALENDAR = "/live/sites/{site_id:id}/calendar"
POINT = "/live/points/{point_id:id}"
DISPLAY = "/live/displays/{display_id:id}"
ACK = f"{DISPLAY}/ack"
KIOSK = "/live/kiosks/{kiosk_id:id}"
KIOSK_ACK = f"{KIOSK}/ack"
TICKET = "/live/tickets/{token}"
APPOINTMENT = "/live/appointments/{token}"
DISAGREEMENT = "/disagreement"  # below the address of each stream
COMMAND = "/api/v1/commands/{name}"
SITES = "/api/v1/sites"
SITE = "/api/v1/sites/{site_id:id}"
BOARD = "/api/v1/sites/{site_id:id}/board"
SLOTS = "/api/v1/sites/{site_id:id}/slots"
SLOTS_WHY = f"{SLOTS}/why"
TEMPLATES = "/api/v1/sites/{site_id:id}/templates"
SERVICES = "/api/v1/sites/{site_id:id}/services"
ENTRIES = "/api/v1/sites/{site_id:id}/entries"
ENTRY = "/api/v1/entries/{entry_id:id}"
HISTORY = "/api/v1/entries/{entry_id:id}/history"
SLIP = "/api/v1/entries/{entry_id:id}/slip"
VISIT = "/api/v1/visits/{visit_id:id}"
PATIENTS = "/api/v1/sites/{site_id:id}/patients"
JOINING = "/api/v1/sites/{site_id:id}/joining"
JOIN_PASS = f"{JOINING}/pass"
JOIN_TICKET = f"{JOINING}/ticket"
POSTER = "/api/v1/sites/{site_id:id}/poster.pdf"
APPOINTMENTS = "/api/v1/sites/{site_id:id}/appointments"
APPOINTMENTS_IMPORT = f"{APPOINTMENTS}/import"
HOLIDAYS = "/api/v1/sites/{site_id:id}/holidays"
ONE_APPOINTMENT = f"{APPOINTMENTS}/{{appointment_id:id}}"
APPOINTMENT_HISTORY = f"{ONE_APPOINTMENT}/history"
PRACTITIONERS = "/api/v1/practitioners"
BOOKING = "/api/v1/sites/{site_id:id}/booking"
BOOKING_SLOTS = f"{BOOKING}/slots"
BOOKING_HOLD = f"{BOOKING}/hold"
BOOKING_RELEASE = f"{BOOKING}/release"
BOOKING_BOOK = f"{BOOKING}/book"
OWN_APPOINTMENT = "/api/v1/appointments/{token}"
OWN_SLOTS = f"{OWN_APPOINTMENT}/slots"
OWN_CALENDAR = f"{OWN_APPOINTMENT}/calendar.ics"
OWN_QR = f"{OWN_APPOINTMENT}/qr.svg"
OWN_PUSH = f"{OWN_APPOINTMENT}/push"
CALENDAR_FEEDS = "/api/v1/providers/{provider_id:id}/calendar-feeds"
CALENDAR_FEED = "/api/v1/calendars/{secret}/calendar.ics"
AUDIT = "/api/v1/audit"
AUDIT_VERIFICATION = "/api/v1/sites/{site_id:id}/audit/verification"
SYSTEM = "/api/v1/system"
STATISTICS = "/api/v1/sites/{site_id:id}/statistics"
STATISTICS_CSV = "/api/v1/sites/{site_id:id}/statistics.csv"
DAY = "/api/v1/sites/{site_id:id}/day"
SETUP = "/api/v1/setup"
SESSION = "/api/v1/session"
SESSION_CODE = "/api/v1/session/code"
SECOND_FACTOR = "/api/v1/session/second-factor"
SESSIONS = "/api/v1/sessions"
STAFF = "/api/v1/staff"
INVITATIONS = "/api/v1/invitations"
ACCOUNT_LINKS = "/api/v1/account-links"
MESSAGES = "/api/v1/sites/{site_id:id}/messages"
RESEND = "/api/v1/messages/{message_id:id}/resend"
CHANNELS = "/api/v1/channels"
CHANNEL = f"{CHANNELS}/{{way}}"
CHANNEL_TEST = f"{CHANNEL}/test"
RECEIPTS = "/api/v1/receipts/{secret}"
API_KEYS = "/api/v1/api-keys"
PAIRINGS = "/api/v1/pairings"
QR = "/api/v1/tickets/{token}/qr.svg"
TICKET_PUSH = "/api/v1/tickets/{token}/push"
JOIN_CODE = "/api/v1/devices/{device_id:id}/join-code"
SPEECH = "/api/v1/displays/{display_id:id}/speech"
SERVICE_WORKER = "/service-worker.js"
TICKET_APP = "/t/{token}/app.webmanifest"
APPOINTMENT_APP = "/a/{token}/app.webmanifest"
CHECK_IN = "/api/v1/kiosks/{kiosk_id:id}/check-in"
KIOSK_PAGE = "/kiosk/{kiosk_id:id}"
INVITATION_PAGE = "/account/invitation"  # the secret of the link stands behind `#`: no server sees it
RESET_PAGE = "/account/reset"
WELCOME_PAGE = "/welcome"
DISPLAY_PAGE = "/display/{display_id:id}"
PATIENT_PAGE = "/t/{token}"
ADMIN_SECTION = "/admin/{section}"
JOIN_PAGE = "/join/{site_id:id}"
BOOK_PAGE = "/book/{site_id:id}"
APPOINTMENT_PAGE = "/a/{token}"
