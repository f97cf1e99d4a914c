"""The check-in at a kiosk: the one appointment of today that a claim fits gets its ticket.

See ``docs/decisions/0028-check-in-at-a-kiosk.md``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from server.domain import roles
from server.domain.board import Board
from server.domain.check_in import Candidate, Claim, match
from server.domain.commands import CheckIn
from server.domain.errors import (
    AlreadyCheckedIn,
    CheckInNotNow,
    CheckInRefused,
    NowServingError,
    Refused,
    RequestExpired,
    TooEarly,
    TooLate,
)
from server.domain.model import Appointment, local_time
from server.domain.ranking import ahead
from server.execute import Executor
from server.identity.callers import Bearer
from server.identity.readable_codes import derived_code, plain_code
from server.store.database import Database
from server.vault import Vault

CODE_LENGTH = 6
TOKEN = re.compile(r"a[0-9]{1,19}-[A-Za-z0-9_-]{22}")
_MAY_COME = ("booked", "checked_in")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a patient shows to a kiosk: a code or the address of the appointment's page, or birthday and initials.

    ``key`` is the same for each repeat of one touch. After ``valid_until`` (milliseconds) a touch has no effect.
    """

    code: str
    date_of_birth: str
    initials: str
    key: str
    valid_until: int | None


@dataclass(frozen=True, slots=True)
class CheckIns:
    """Checks patients in at the kiosks of one database."""

    _database: Database
    _vault: Vault
    _executor: Executor

    def code(self, appointment_id: int) -> str:
        """Return the code that a patient types at a kiosk. It is derived from the id with the installation's key."""
        return derived_code(self._vault.keyed_hash(f"check-in:{appointment_id}"), CODE_LENGTH)

    async def at_kiosk(self, kiosk: Bearer, board: Board, shown: Shown) -> dict[str, Any]:
        """Return the answer of the check-in: the ticket, once for each key. ``board`` is the site's board as of now.

        Raises `CheckInRefused` for every claim that fits no appointment or several, `CheckInNotNow` for a claim that only
        the patient can know, at another time of the day, and `RequestExpired`.
        """
        allowed = board.kiosks[kiosk.id].check_in
        claim = self._claim(shown, allowed)
        today = [each for each in board.appointments_of_the_day() if each.state in _MAY_COME]
        found = self._found(board, today, claim)
        if shown.valid_until is not None and self._database.clock.now() > shown.valid_until * 1000 and found is None:
            raise RequestExpired()
        if found is None:
            raise CheckInRefused()
        command = CheckIn(appointment_id=found.id, valid_until=shown.valid_until)
        try:
            # The key is this kiosk's own: a repeat at another kiosk is another touch.
            key = f"kiosk:{self._vault.keyed_hash(f'{kiosk.id}:{shown.key}')[:40]}"
            may = lambda each: roles.may(kiosk.role, each)  # noqa: E731
            answer = await self._executor.execute(command, actor=kiosk.actor, command_id=key, may=may)
        except (TooEarly, TooLate):
            if claim.is_secret:
                raise _window(board, found) from None
            raise CheckInRefused() from None
        except AlreadyCheckedIn:
            ticket = self._ticket(board, found) if claim.token_hash else None
            if ticket is None:
                raise CheckInRefused() from None
            return ticket
        except RequestExpired:
            raise
        except Refused:
            raise CheckInRefused() from None  # only a person at the desk can help
        return answer.body

    def _claim(self, shown: Shown, allowed: str) -> Claim:
        """Return the claim as far as the kiosk allows it. Each claim costs the same work."""
        token = TOKEN.search(shown.code)
        by_code, by_birth = allowed != "off", allowed == "birth"
        token_hash = self._vault.keyed_hash(token[0] if token else "")
        return Claim(
            code=plain_code(shown.code) if by_code and token is None else "",
            date_of_birth=shown.date_of_birth if by_birth else "",
            initials=shown.initials if by_birth else "",
            token_hash=token_hash if by_code and token is not None else "",
        )

    def _found(self, board: Board, today: list[Appointment], claim: Claim) -> Appointment | None:
        candidates = {"booked": [], "checked_in": []}  # type: dict[str, list[Candidate]]
        for each in today:
            known = self._vault.open_personal(each)
            made = Candidate(each.id, self.code(each.id), known.name or "", known.date_of_birth or "", each.token_hash)
            candidates[each.state].append(made)
        # A patient with two appointments today checks in for the second one after the first. A repeat finds the first.
        booked, checked_in = match(candidates["booked"], claim), match(candidates["checked_in"], claim)
        found = booked if booked is not None else checked_in
        return None if found is None else board.appointments[found]

    def _ticket(self, board: Board, appointment: Appointment) -> dict[str, Any] | None:
        """Return the ticket of a patient who has checked in, as the answer of the check-in, or None."""
        visit = board.visits.get(appointment.visit_id or 0)
        entry = None if visit is None else board.latest_entry(visit.id)
        token = None if visit is None else self._vault.open_personal(visit).token
        if visit is None or entry is None or token is None:
            return None
        waits = entry.state == "waiting"
        return {
            "entry": {"id": entry.id, "label": visit.label, "queue_id": entry.queue_id},
            "token": token,
            "quote": {
                "ahead": ahead(board, entry) if waits else None,
                "expect_from": entry.expect_from // 1000 if waits and entry.expect_from is not None else None,
                "expect_until": entry.expect_until // 1000 if waits and entry.expect_until is not None else None,
            },
        }


def _window(board: Board, appointment: Appointment) -> NowServingError:
    opens_at, closes_at = board.site.rules.check_in_time(appointment.starts_at)
    return CheckInNotNow(
        local_from=local_time.local_of(opens_at, appointment.zone).local,
        local_until=local_time.local_of(closes_at, appointment.zone).local,
        opens_at=opens_at // 1000,
        closes_at=closes_at // 1000,
    )
