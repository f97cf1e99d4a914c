"""SMS through SMSAPI. The provider refuses a second message with the same ``idx`` (``check_idx``), and sends receipts.

The API: https://www.smsapi.com/docs
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from server.domain.messages import Arrival
from server.notifying.channels import http_calls
from server.notifying.channels.channel import (
    TIME_LIMIT_SECONDS,
    Accepted,
    ChannelBusy,
    ChannelRefused,
    Message,
    Reaches,
)
from server.notifying.channels.http_calls import AnswerUnclear
from server.notifying.channels.message_names import name_of
from server.notifying.channels.receipt import Receipt
from server.notifying.channels.reply import Reply

ADDRESS = "https://api.smsapi.com"
HOUR_SECONDS = 3600
SHORTEST_SECONDS, LONGEST_SECONDS = HOUR_SECONDS + 60, 72 * HOUR_SECONDS  # of a validity that the provider takes

_DUPLICATE = 53
_UNSUBSCRIBED = 57
_BUSY = frozenset({52, 203})  # too many messages to one number, or altogether
# Other numbers are failures inside the provider, or new: they do not tell whether the message was accepted.
_REFUSED = {
    11: "content", 12: "content", 13: "address", 14: "sender", 17: "content", 27: "invalid", _UNSUBSCRIBED: "unsubscribed",
    70: "invalid", 101: "credentials", 102: "credentials", 103: "credit", 105: "forbidden", 110: "forbidden",
    1000: "forbidden", 1001: "forbidden",
}  # fmt: skip
_TAKEN = frozenset({"QUEUE", "ACCEPTED", "SENT", "DELIVERED"})
_NOT_TAKEN = frozenset({"UNDELIVERED", "FAILED", "REJECTED"})
_ARRIVALS: dict[str, Arrival] = {
    "404": "delivered",
    "402": "undelivered-for-now",  # the validity ended
    "401": "undelivered",
    "405": "undelivered",
    "406": "undelivered",
    "407": "undelivered",
    "412": "undelivered",  # the patient stopped messages
}


class SmsapiChannel:
    """Sends through one account.

    ``secret`` belongs to the channel. ``receipts_url`` is where the provider reports, if it can reach this installation.
    ``now`` returns microseconds.
    """

    name = "smsapi"
    reaches: Reaches = "phone"
    honours_key = True

    def __init__(
        self,
        *,
        token: str,
        sender: str,
        secret: str,
        receipts_url: str | None,
        now: Callable[[], int],
        address: str = ADDRESS,
        limit_seconds: float = TIME_LIMIT_SECONDS,
    ) -> None:
        self._sender = sender
        self._secret = secret
        self._receipts_url = receipts_url
        self._now = now
        self._url = f"{address.rstrip('/')}/sms.do"
        self._limit_seconds = limit_seconds
        self._client = http_calls.client(limit_seconds, headers={"Authorization": f"Bearer {token}"})

    def receipt_name(self, key: str) -> str:
        """Return our own name for the message with ``key``, which the receipts repeat."""
        return name_of(self._secret, key)

    def circuit(self, to: str) -> None:
        """There is one service."""

    async def send(self, message: Message) -> Accepted:
        """Send an SMS; return our own name for it, which the receipts repeat. Raises as the contract says.

        A message whose first answer was lost counts as accepted when the provider knows its name.
        """
        name = self.receipt_name(message.key)
        form = {
            "to": message.to.removeprefix("+"),
            "message": message.text,
            "encoding": "utf-8",
            "format": "json",
            "idx": name,
            "check_idx": "1",
        }
        if self._sender:
            form["from"] = self._sender
        if self._receipts_url is not None:
            form["notify_url"] = self._receipts_url
        if SHORTEST_SECONDS <= (message.not_after - self._now()) // 1_000_000 <= LONGEST_SECONDS:
            form["expiration_date"] = str(message.not_after // 1_000_000)
        answer = await http_calls.post(self._client, self._url, self._limit_seconds, data=form)
        _judge(http_calls.json_of(answer))
        return Accepted(name)

    async def close(self) -> None:
        """Close the connections to the provider."""
        await self._client.aclose()


def _judge(answer: Mapping[str, Any]) -> None:
    """Return if the provider has accepted the message, now or at an earlier attempt."""
    if "error" in answer:
        number = answer["error"]
        if number == _DUPLICATE:
            return
        if number in _BUSY:
            raise ChannelBusy()
        if number in _REFUSED:
            raise ChannelRefused(_REFUSED[number], gone=number == _UNSUBSCRIBED)
        raise AnswerUnclear(f"error {number}")
    match answer.get("list"):
        case [{"status": str(status)}] if status in _TAKEN:
            return
        case [{"status": str(status)}] if status in _NOT_TAKEN:
            raise ChannelRefused("refused")
    raise AnswerUnclear("the answer has no known status")


def receipts_in(report: Mapping[str, str]) -> list[Receipt]:
    """Return the receipts in the fields of a report. A report has up to five messages, between commas.

    Messages on their way, and statuses that the provider may add one day, are no receipt.
    """
    names, statuses = (report.get(field, "").split(",") for field in ("idx", "status"))
    return [
        Receipt(name, _ARRIVALS[status])
        for name, status in zip(names, statuses, strict=False)
        if name and status in _ARRIVALS
    ]


def replies_in(report: Mapping[str, str]) -> list[Reply]:
    """Return the reply in the fields of a report about an incoming SMS; none of any other report."""
    number, text = report.get("sms_from"), report.get("sms_text")
    return [Reply(number, text)] if number and text else []
