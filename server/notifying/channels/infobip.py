"""SMS through Infobip. Each message has our own ``messageId``, which the provider's receipts repeat.

The provider refuses a second message with the same id once it has enabled idempotency for the account.
The API: https://www.infobip.com/docs/api/channels/sms
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from server.notifying.channels import http_calls
from server.notifying.channels.channel import TIME_LIMIT_SECONDS, Accepted, ChannelRefused, Message, Reaches
from server.notifying.channels.http_calls import AnswerUnclear
from server.notifying.channels.message_names import name_of
from server.notifying.channels.receipt import Receipt
from server.notifying.channels.reply import Reply

LONGEST_MINUTES = 48 * 60  # of a validity that the provider takes

_PENDING, _UNDELIVERABLE, _DELIVERED, _EXPIRED, _REJECTED = range(1, 6)  # the provider's groups of statuses
_DELIVERED_TO_HANDSET = 5
_DUPLICATE = 23
_UNSUBSCRIBED = 10
_REFUSED = {
    8: "address", _UNSUBSCRIBED: "unsubscribed", 11: "sender", 12: "credit", 13: "sender", 14: "address", 25: "content",
    51: "address", 52: "address",
}  # fmt: skip


class InfobipChannel:
    """Sends through one account.

    ``address`` is the base URL of the account. ``idempotent`` says that Infobip has enabled idempotency for the account.
    ``secret``, ``receipts_url`` and ``now`` are as for `SmsapiChannel`.
    """

    name = "infobip"
    reaches: Reaches = "phone"

    def __init__(
        self,
        *,
        address: str,
        api_key: str,
        sender: str,
        idempotent: bool,
        secret: str,
        receipts_url: str | None,
        now: Callable[[], int],
        limit_seconds: float = TIME_LIMIT_SECONDS,
    ) -> None:
        self.honours_key = idempotent
        self._sender = sender
        self._secret = secret
        self._receipts_url = receipts_url
        self._now = now
        self._url = f"{address.rstrip('/')}/sms/3/messages"
        self._limit_seconds = limit_seconds
        self._client = http_calls.client(limit_seconds, headers={"Authorization": f"App {api_key}"})

    def receipt_name(self, key: str) -> str:
        """Return our own name for the message with ``key``, which the receipts repeat."""
        return name_of(self._secret, key)

    def circuit(self, to: str) -> None:
        """There is one service."""

    async def send(self, message: Message) -> Accepted:
        """Send an SMS; return our own id for it. Raises as the contract says."""
        name = self.receipt_name(message.key)
        sms: dict[str, Any] = {
            "sender": self._sender,
            "destinations": [{"to": message.to.removeprefix("+"), "messageId": name}],
            "content": {"text": message.text},
        }
        minutes = (message.not_after - self._now()) // 60_000_000
        if 0 < minutes <= LONGEST_MINUTES:
            sms["options"] = {"validityPeriod": {"amount": minutes, "timeUnit": "MINUTES"}}
        if self._receipts_url is not None:
            sms["webhooks"] = {"delivery": {"url": self._receipts_url}, "contentType": "application/json"}
        answer = await http_calls.post(self._client, self._url, self._limit_seconds, json={"messages": [sms]})
        _judge(http_calls.json_of(answer))
        return Accepted(name)

    async def close(self) -> None:
        """Close the connections to the provider."""
        await self._client.aclose()


def _judge(answer: Mapping[str, Any]) -> None:
    """Return if the provider has accepted the message, now or at an earlier attempt."""
    match answer.get("messages"):
        case [{"status": {"id": int(status), "groupId": int(group)}}]:
            if status == _DUPLICATE or group in (_PENDING, _DELIVERED):
                return
            if group in (_UNDELIVERABLE, _REJECTED):
                raise ChannelRefused(_REFUSED.get(status, "refused"), gone=status == _UNSUBSCRIBED)
    raise AnswerUnclear("the answer has no known status")


def receipts_in(report: Mapping[str, Any]) -> list[Receipt]:
    """Return the receipts in a report. Messages on their way are no receipt, nor is a repeated message.

    The rejection of a repetition has the id of the message that was accepted, and says nothing about it.
    """
    found = map(_receipt, _results(report))
    return [each for each in found if each is not None]


def replies_in(report: Mapping[str, Any]) -> list[Reply]:
    """Return the replies in a report of incoming SMS (the provider's format MO_JSON_2); none of any other report."""
    found: list[Reply] = []
    for each in _results(report):
        match each:
            case {"from": str(number), "text": str(text)} if "status" not in each:
                found.append(Reply(number, text))
    return found


def _results(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    results = report.get("results")
    return [each for each in results if isinstance(each, dict)] if isinstance(results, list) else []


def _receipt(result: Mapping[str, Any]) -> Receipt | None:
    match result:
        case {"messageId": str(name), "status": {"id": int(status), "groupId": int(group)}} if status != _DUPLICATE:
            if status == _DELIVERED_TO_HANDSET:
                return Receipt(name, "delivered")
            if group == _EXPIRED:
                return Receipt(name, "undelivered-for-now")
            if group in (_UNDELIVERABLE, _REJECTED):
                error = result.get("error")
                final = not isinstance(error, dict) or error.get("permanent") is not False
                return Receipt(name, "undelivered" if final else "undelivered-for-now")
    return None
