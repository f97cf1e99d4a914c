"""Web Push (RFC 8030): encrypted messages to the browser of a patient, signed with the keys of the installation (VAPID)."""

from __future__ import annotations

import base64
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02

from server.notifying.channels import http_calls
from server.notifying.channels.channel import TIME_LIMIT_SECONDS, Accepted, ChannelRefused, Message, Reaches
from server.notifying.channels.message_names import name_of

# The push services of the browsers. A subscription comes from a patient's phone: without this list it could name any
# address inside the clinic's network.
SERVICES = (
    "fcm.googleapis.com",
    "push.services.mozilla.com",
    "push.apple.com",
    "notify.windows.com",
)
GONE = (404, 410)
LONGEST_TTL_SECONDS = 28 * 86_400
_SIGNATURE_SECONDS = 12 * 3600  # at most a day is allowed: half a day leaves room for a wrong clock


class PushChannel:
    """Sends with one pair of keys. ``to`` of a message is the browser's subscription as JSON.

    ``private_key`` is as `new_private_key` makes it; ``contact`` is the mail address that the push services may ask.
    ``services`` are the hosts, with all below them, to which a subscription may lead. ``now`` returns microseconds.
    ``tls`` replaces the system's trust.
    """

    name = "push"
    reaches: Reaches = "push"
    honours_key = False  # a topic replaces a message that still waits, and no other

    def __init__(
        self,
        *,
        private_key: str,
        contact: str,
        secret: str,
        now: Callable[[], int],
        services: Sequence[str] = SERVICES,
        limit_seconds: float = TIME_LIMIT_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._vapid = Vapid02.from_raw(private_key.encode())
        self._contact = contact
        self._secret = secret
        self._now = now
        self._services = services
        self._limit_seconds = limit_seconds
        self._client = http_calls.client(limit_seconds, verify=tls or True)

    def receipt_name(self, key: str) -> None:
        """There are no receipts."""

    def circuit(self, to: str) -> str | None:
        """Return the push service of a subscription, which all channels share; None for no known one."""
        try:
            endpoint = str(orjson.loads(to)["endpoint"])
        except (ValueError, LookupError, TypeError):
            return None
        return next((each for each in self._services if serves(endpoint, (each,))), None)

    async def send(self, message: Message) -> Accepted:
        """Send a push message; return the address that the service gives it.

        Raises `ChannelRefused` with ``gone`` for a subscription that has ended, and else as the contract says.
        """
        endpoint, body = self._encrypted(message)
        target = urlsplit(endpoint)
        claims = {
            "aud": f"{target.scheme}://{target.netloc}",
            "exp": int(time.time()) + _SIGNATURE_SECONDS,
            "sub": f"mailto:{self._contact}",
        }
        left_seconds = (message.not_after - self._now()) // 1_000_000
        headers = {
            **self._vapid.sign(claims),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(min(max(left_seconds, 0), LONGEST_TTL_SECONDS)),
            "Topic": name_of(self._secret, message.key),
            "Urgency": "high",
        }
        answer = await http_calls.post(self._client, endpoint, self._limit_seconds, gone=GONE, content=body, headers=headers)
        return Accepted(answer.headers.get("location"))

    async def close(self) -> None:
        """Close the connections to the push services."""
        await self._client.aclose()

    def _encrypted(self, message: Message) -> tuple[str, bytes]:
        """Return the address of a subscription and the encrypted message for it."""
        # The library loads an HTTP client of its own, which no process needs before its first push message.
        from pywebpush import WebPusher, WebPushException  # noqa: PLC0415

        content = {"title": message.subject, "body": message.text, "url": message.link, "language": message.language}
        content |= {"tag": name_of(self._secret, message.key), "kind": message.kind}
        try:
            subscription = orjson.loads(message.to)
            endpoint = str(subscription["endpoint"])
            body = bytes(WebPusher(subscription).encode(orjson.dumps(content))["body"])
        except (ValueError, LookupError, TypeError, WebPushException):
            raise ChannelRefused("invalid", asked=False) from None
        if not serves(endpoint, self._services):
            raise ChannelRefused("service", asked=False)
        return endpoint, body


def serves(endpoint: str, services: Sequence[str]) -> bool:
    """Return whether the address of a subscription leads to one of these push services, or to a host below one."""
    try:
        target = urlsplit(endpoint)
        host = target.hostname or ""
        wanted = target.scheme == "https" and target.username is None and target.port != 0
    except ValueError:
        return False
    return wanted and any(host == each or host.endswith(f".{each}") for each in services)


def problem_of(endpoint: str, keys: Mapping[str, str], services: Sequence[str]) -> tuple[str, str] | None:
    """Return the field of a subscription that is wrong and the problem in words, or None.

    ``keys`` are ``p256dh``, a point of the curve P-256, and ``auth``, both as base64 for addresses.
    """
    if not serves(endpoint, services):
        return "endpoint", "is no address of a known push service"
    try:
        point = base64.urlsafe_b64decode(f"{keys['p256dh']}=")
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        return "keys.p256dh", "is no public key of a browser"
    return None


def new_private_key() -> str:
    """Return a new private key as text."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).decode().rstrip("=")


def public_key_of(private_key: str) -> str:
    """Return the public key with which a browser subscribes: ``applicationServerKey``, as base64 for addresses."""
    public = Vapid02.from_raw(private_key.encode()).public_key
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).decode().rstrip("=")
