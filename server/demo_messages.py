"""The messages of the demo's past days: a made-up provider takes them, and some patients answer.

The rows go the way of true messages, at instants of the past: claimed, begun, recorded, with a receipt. No message leaves
the demo.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress

from server.domain.errors import Refused
from server.domain.messages import Arrival
from server.notifying.feedback import PatientFeedback
from server.store import notifications
from server.store.database import Database
from server.store.notifications import NO_ADDRESS, Begun, Claimed, Outcome
from server.store.opt_outs import hashed
from server.vault import Vault

AT_ONCE = 500
NO_PHONE = 0.12  # of the patients
WRONG_NUMBER, NO_RECEIPT, NOT_REACHED = 0.02, 0.03, 0.03  # of their messages
ANSWERS = 0.4  # of the patients who are asked
SCORES = (*(5,) * 9, *(4,) * 6, *(3,) * 3, 2, 1)
_CLAIMER = "demo"


class PastMessages:
    """Sends the messages of one organisation's past days."""

    def __init__(self, database: Database, vault: Vault, organisation_id: int) -> None:
        self._database, self._vault, self._organisation_id = database, vault, organisation_id
        self._dice = random.Random(11)  # nosec B311 # a simulated day, no secret
        self._feedback = PatientFeedback(database, vault)

    async def send(self, now: int) -> None:
        """Send the messages whose time has come at an instant of the past (microseconds)."""
        async with self._database.write() as connection:
            rows = await notifications.claim(connection, _CLAIMER, now, now, AT_ONCE)
            if not rows:
                return
            alone = [each for each in rows if self._dice.random() < NO_PHONE]
            if alone:
                ended = [Outcome(each.id, "suppressed", NO_ADDRESS) for each in alone]
                await notifications.record(connection, _CLAIMER, ended, now)
            reached = [each for each in rows if each not in alone]
            sent: list[Claimed] = []
            if reached:
                begun, _ = await notifications.begin(connection, _CLAIMER, [self._begun(each) for each in reached], now)
                sent = [each for each in reached if each.id in begun]
            outcomes = [self._outcome(each) for each in sent]
            if outcomes:
                await notifications.record(connection, _CLAIMER, outcomes, now)
            for each in outcomes:
                receipt = self._receipt() if each.provider_id is not None else None
                if each.provider_id is not None and receipt is not None:
                    await notifications.receive(connection, each.provider_id, "sms", receipt, now)
            for row in rows:  # the desk of a past day reads no news
                await notifications.noted(connection, row.id, now)
        await self._answer([each.visit_id for each in sent if each.kind == "feedback"])

    async def withdraw(self, now: int) -> None:
        """Withdraw what is still to go out."""
        async with self._database.write() as connection:
            await notifications.withdraw_all(connection, self._organisation_id, now)

    def _begun(self, row: Claimed) -> Begun:
        return Begun(row.id, hashed(self._vault, self._organisation_id, "sms", f"+4930555{row.id % 10_000:04}"))

    def _outcome(self, row: Claimed) -> Outcome:
        if self._dice.random() < WRONG_NUMBER:
            return Outcome(row.id, "failed", "address")
        return Outcome(row.id, "sent", provider_id=f"demo-{row.id}")

    def _receipt(self) -> Arrival | None:
        fate = self._dice.random()
        if fate < NO_RECEIPT:
            return None
        return "undelivered" if fate < NO_RECEIPT + NOT_REACHED else "delivered"

    async def _answer(self, visit_ids: Sequence[int | None]) -> None:
        for visit_id in visit_ids:
            if visit_id is not None and self._dice.random() < ANSWERS:
                with suppress(Refused):  # the visit goes on, or the clinic has the answer already
                    await self._feedback.give(visit_id, self._dice.choice(SCORES), None)
