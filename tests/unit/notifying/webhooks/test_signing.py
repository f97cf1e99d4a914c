"""The secrets and signatures of webhooks, against the library that Standard Webhooks publishes."""

from __future__ import annotations

import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from server.notifying.webhooks.signing import FORMER_MICROSECONDS, Secrets

BODY = '{"type":"ticket-called","data":{"label":"É"}}'.encode()


def _headers(secrets: Secrets, now: int) -> dict[str, str]:
    seconds = int(time.time())
    return {
        "webhook-id": "3-7",
        "webhook-timestamp": str(seconds),
        "webhook-signature": secrets.signature("3-7", seconds, BODY, now),
    }


def test_published_library_verifies_a_signature() -> None:
    secrets = Secrets.new()
    assert Webhook(secrets.present).verify(BODY, _headers(secrets, 0))["data"] == {"label": "É"}
    with pytest.raises(WebhookVerificationError):
        Webhook(Secrets.new().present).verify(BODY, _headers(secrets, 0))


def test_former_secret_signs_for_a_day() -> None:
    first = Secrets.new()
    second = Secrets.opened(first.renewed(1_000).plain)
    for secret in (first, second):
        Webhook(secret.present).verify(BODY, _headers(second, 1_000 + FORMER_MICROSECONDS - 1))
    after = _headers(second, 1_000 + FORMER_MICROSECONDS)
    Webhook(second.present).verify(BODY, after)
    with pytest.raises(WebhookVerificationError):
        Webhook(first.present).verify(BODY, after)
