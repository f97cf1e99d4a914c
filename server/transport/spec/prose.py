"""The fixed texts of the OpenAPI document: its introduction, the text of all live streams, and fields of one meaning."""

from __future__ import annotations

from server.domain.model import languages
from server.identity.access_tokens import ACCESS_SECONDS
from server.queries.keyset import COUNTED_AT_MOST
from server.transport.access import limits
from server.transport.http import bodies
from server.transport.http.middleware import MAX_HEADER_BYTES

ABOUT = f"""\
The queue of a clinic, the same on every screen. Every change is a **command**: one `POST` with a JSON body. The answer
has the events that happened and the number of the last one in the site's log. Screens follow **live streams** of small
cells.

**Signing in.** `POST /api/v1/session` returns an access token, valid for {ACCESS_SECONDS // 60} minutes. Send it as
`Authorization: Bearer ...`. The same answer sets it as a cookie for browsers. Displays, kiosks and tickets have tokens of
their own. Every change, with or without a credential, is refused when the browser reports that a page of another site
sent it (`Origin`, `Sec-Fetch-Site`).

**At most once.** Send an `Idempotency-Key` with a command. When the answer is lost, repeat the command with the same
key: the server carries it out at most once, and returns the first answer for a day.

**Ids.** Every id names its site: it is `site_id * 1000000000 + n`. All ids of one body belong to one site. A record of
another organisation is answered like a record that does not exist.

**Bodies.** UTF-8 JSON of at most {bodies.MAX_BODY_BYTES // 1024} KiB, with `Content-Type: application/json`. The server
refuses an unknown field, a number in place of a text, and `1.0` in place of an integer. Of a key that is given twice, the
last value counts. Below `/api/`, an unknown query parameter is refused with its name.

**Lists** are paged: send `page_size`, and as `after` the `next` of the page before. `total` is exact up to
{COUNTED_AT_MOST:,}; beyond, `total_is_capped` is true.

**Errors.** All have one shape: `{{"error": {{"code", "message", "details", "request_id", "timestamp"}}}}`. Codes are
stable; messages are for people. `X-NowServing-Refusal` has the code too: without it, a proxy may have answered. An
unknown path is 404 `not_found`. Another method is 405 `method_not_allowed` with
`Allow`. A fault of the server is 500 `internal_error`. `HEAD` is answered wherever `GET` is. A request that is not valid
HTTP is `malformed_request`. Headers of more than {MAX_HEADER_BYTES // 1024} KiB are `headers_too_large`.

**Time.** A head that is not complete after 10 seconds, or a body after 20 more, is 408 `request_too_slow`, and the server
closes the connection. A request whose answer has not begun after 30 seconds is cut: 503 `took_too_long`. Repeat a
command with the same `Idempotency-Key` (the error's `details` have it) to learn whether it was carried out.

**Limits.** Requests to `/api/` and posts to `/live/` are counted in a moving window. The settings of an installation can
change each limit. A member of staff (with all sessions), an API key or a device has {limits.STAFF.amount:,} requests an
hour; a ticket has {limits.TICKET.amount} a minute. An address without any of these has {limits.ANONYMOUS.amount} a minute.
For passwords, pairings and codes the limit is {limits.SIGN_IN.amount} a minute.
A counted answer has `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset` (seconds since 1970: when one
more request is allowed). A 429 has the seconds to wait in `Retry-After`.

**Versions.** The path names the version, or `X-API-Version`, or `?api_version=`; with one of the last two, the path may
leave it out: `/api/sites`. If two of them name a version, they must agree. An unknown version is 400 `unknown_version`.
Every answer names its version in `X-API-Version`. `Deprecation` and `Sunset` announce removals. Every answer has an
`X-Request-ID`: yours, if it is 8 to 64 of `A-Z a-z 0-9 _ . -`, or a new one. The log has it.
"""

LIVE = """\
The answer never ends by itself. It begins with a `snapshot` of all cells. A `change` follows for each commit that
touches them, and a `heartbeat` when nothing changes. Every event has an `id`, the position `{epoch}.{shape}.{seq}`.
Reconnect with it, as `Last-Event-ID` or `?last_event_id=`, and the server sends only the changes since then. After an
unknown or malformed position it sends a snapshot. A `bye` says when to reconnect.

With `Upgrade: websocket` the same messages come as JSON text frames, with `type` and `id` among their fields. A refusal
closes the WebSocket with 3500 ("do not reconnect") and the code as reason; 3001 means that the database could not be
reached. One stream too many gets a `bye` with the reason `over-cap`; as a WebSocket it is refused with 503.
`/api/asyncapi.json` describes all messages."""

# Fields that have one meaning wherever they occur, in bodies, answers and events.
FIELDS = {
    "site_id": "The site.",
    "queue_id": "A queue.",
    "queue_ids": "Queues of the site.",
    "point_id": "A service point.",
    "point_ids": "Service points of the site.",
    "entry_id": "An entry: one stage of a visit in one queue.",
    "visit_id": "A visit: one attendance with all its stages.",
    "display_id": "A waiting-room display.",
    "kiosk_id": "A kiosk at the door.",
    "device_id": "A display or a kiosk.",
    "appointment_id": "An appointment.",
    "feed_id": "The address of a calendar.",
    "message_id": "A message.",
    "practitioner_id": "The practitioner of the organisation whose time is booked.",
    "hold_token": "The token of a hold.",  # nosec B105 # a description
    "local_start": "The local time of the clinic, as in `2027-01-15T09:00`.",
    "fold": "1 for the second of two equal local times, in the night in which the clocks go back; else 0.",
    "version": "The number of changes of the appointment that the caller saw.",
    "overbook": "The reason to book a time that is not free.",
    "service_id": "A service.",
    "provider_id": "A clinician.",
    "to_provider_id": "Another clinician; null means any free clinician.",
    "with_point_id": "The other service point.",
    "record_id": "A service, provider, queue, point, display or kiosk.",
    "hours": "Weekly opening hours: weekday (0 is Monday), from and until in minutes after local midnight.",
    "closed_on": "Days on which the site is closed.",
    "message_ways": "The ways of messages to patients, the preferred one first. Without ways, the site sends none.",
    "reminders": "The hours before an appointment at which reminders go out.",
    "quiet_from": "The begin of the quiet hours, in minutes after local midnight. Equal to `quiet_until`: no quiet hours.",
    "quiet_until": "The end of the quiet hours, in minutes after local midnight.",
    "feedback": "Whether patients are asked after their visit how it was.",
    "needs": "Needs of the patient that staff must prepare for.",
    "unmet_needs": "Needs that the room cannot meet.",
    "service_ids": "The services that patients book there.",
    "weekday": "0 is Monday.",
    "from": "The begin by the wall clock of the site.",
    "until": "The end by the wall clock of the site; `24:00` is the end of the date.",
    "slot_minutes": "The distance of the starts, a multiple of five.",
    "valid_from": "The first date.",
    "anchor_date": "A date of a week in which the window is open.",
    "buffer_minutes": "Time that stays free after each appointment.",
    "stranded": "Booked appointments outside the new hours stay or are cancelled. Without a wish, they refuse the change.",
    "staff_id": "A member of staff.",
    "api_key_id": "An API key.",
    "webhook_id": "A webhook.",
    "invitation_id": "An open invitation.",
    "announcement_id": "The announcement of one call or recall.",
    "new_entry_id": "The new entry that begins.",
    "label": "The ticket's label, as people read it.",
    "reason": "Why staff chose this entry and not another. For staff only.",
    "business_day": "The site's business day, which begins and ends at a set hour.",
    "seq": "The event's number in the site's log.",
    "at": "When, in milliseconds since 1970.",
    "display_name": "The name that a display may show; null if the patient has not agreed.",
    "name_on_display": "True: the patient agrees that a display shows the given name and an initial.",
}
_KEYED = "[0-9]+-[A-Za-z0-9_-]{22}"
ANY_TOKEN = f"^[ad]?{_KEYED}$"

# Parameters of paths that are not numbers: pattern, description, example.
PATH_TEXTS: dict[str, tuple[str, str, str]] = {
    "token": (f"^a?{_KEYED}$", "The own token of the ticket or the appointment.", "7-c2hhbGwgbm90IGJlIHVzZW"),
    "secret": ("^[^/]+$", "The secret of a calendar's address, or of a channel's receipts.", "k3Jx8Qm2Rt5Vw7Yz1Bc4Df"),
    "way": ("^(sms|email|push|chat)$", "The way of the messages.", "sms"),
    "template": ("^[a-z-]{1,24}$", "The name of a template.", "reminder"),
    "language": (languages.PATTERN, "A language of the site, as a tag.", "es"),
    "reader": ("^[^/]+$", "The id of the subscription.", "9f86d081884c7d659a2feaa0c55ad015"),
    "session_id": ("^[^/]+$", "The session.", "8c0fd4a2b4f1c5d93f0a6b2e7d81c4f6"),
    "pairing": ("^[^/]+$", "For an administrator the code; for the device its secret.", "K7M3QX"),
}
