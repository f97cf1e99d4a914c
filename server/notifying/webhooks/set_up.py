"""Setting up webhooks: an administrator connects, tries, changes, repeats and removes them. The audit notes who did it."""

from __future__ import annotations

import secrets as random
from dataclasses import dataclass

import httpx

from server.audit import Audit
from server.domain.errors import InvalidField, TooManyWebhooks, WebhookNotFound
from server.notifying.channels.channel import TIME_LIMIT_SECONDS
from server.notifying.webhooks.delivery import client, deliver
from server.notifying.webhooks.payload import trial
from server.notifying.webhooks.signing import Secrets
from server.queries import webhooks as queries
from server.queries.webhooks import PlaceRow, WebhookRow
from server.store import webhooks as store
from server.store.database import Database, Writing
from server.store.staff import lock_organisation
from server.vault import Vault

MOST_WEBHOOKS = 10  # of an organisation


@dataclass(frozen=True, slots=True)
class WebhookSiteShown:
    """How far a webhook is in the log of a site. Instants are in milliseconds."""

    site_id: int
    number: int
    last: int
    error: str | None
    failing_since: int | None
    next_at: int | None
    off_at: int | None


@dataclass(frozen=True, slots=True)
class WebhookShown:
    """A webhook without its secret. Instants are in milliseconds."""

    id: int
    url: str
    state: str
    former_secret_until: int | None
    sites: list[WebhookSiteShown]


@dataclass(frozen=True, slots=True)
class WebhookSetUp:
    """Sets up the webhooks of one database."""

    _database: Database
    _vault: Vault
    _audit: Audit
    _limit_seconds: float = TIME_LIMIT_SECONDS

    async def listed(self, organisation_id: int) -> list[WebhookShown]:
        """Return the webhooks of an organisation, the oldest first. Raises `Unavailable`."""
        now = await self._database.now()
        rows, places = await queries.of_organisation(self._database, organisation_id)
        return [self._shown(row, [each for each in places if each.webhook_id == row.id], now) for row in rows]

    async def add(self, organisation_id: int, url: str, *, actor: str) -> tuple[int, str]:
        """Add a webhook; return its id and its secret. It gets the events from now on.

        Raises `InvalidField`, `TooManyWebhooks`, `Unavailable`.
        """
        _check(url)
        now = await self._database.now()
        made = Secrets.new()
        async with self._database.write() as connection:
            await lock_organisation(connection, organisation_id)
            full = await queries.count(connection, organisation_id) >= MOST_WEBHOOKS
            if not full:
                webhook_id = await store.create(connection, organisation_id, url, now)
                sealed = self._vault.seal(made.plain, store.seals_for(webhook_id))
                await store.change(connection, webhook_id, now, sealed=sealed)
        if full:
            self._audit.note("add-webhook", actor, organisation_id=organisation_id, allowed=False)
            raise TooManyWebhooks(most=MOST_WEBHOOKS)
        self._note("add-webhook", actor, organisation_id, webhook_id)
        return webhook_id, made.present

    async def change(self, organisation_id: int, webhook_id: int, url: str, on: bool, *, actor: str) -> None:
        """Change the address of a webhook, and switch it on or off. Switched on, it is tried at once at every site.

        Raises `InvalidField`, `WebhookNotFound`, `Unavailable`.
        """
        _check(url)
        state = store.ON if on else store.OFF
        async with self._database.write() as connection:
            row = await self._locked(connection, organisation_id, webhook_id, "change-webhook", actor)
            await store.change(connection, webhook_id, self._later(row), url=url, state=state)
            if on:
                await store.switch_on(connection, webhook_id)
        self._note("change-webhook", actor, organisation_id, webhook_id, state)

    async def renew_secret(self, organisation_id: int, webhook_id: int, *, actor: str) -> str:
        """Give a webhook a new secret, and return it. The one before it signs for another day.

        Raises `WebhookNotFound`, `Unavailable`.
        """
        async with self._database.write() as connection:
            row = await self._locked(connection, organisation_id, webhook_id, "renew-webhook-secret", actor)
            changed_at = self._later(row)
            try:
                renewed = self._secrets(row).renewed(changed_at)
            except ValueError:  # its key is lost
                renewed = Secrets.new()
            sealed = self._vault.seal(renewed.plain, store.seals_for(webhook_id))
            await store.change(connection, webhook_id, changed_at, sealed=sealed)
        self._note("renew-webhook-secret", actor, organisation_id, webhook_id)
        return renewed.present

    async def replay(self, organisation_id: int, webhook_id: int, site_id: int, number: int, *, actor: str) -> None:
        """Let a webhook go on with the event ``number`` of a site: an earlier one repeats, a later one skips.

        Raises `InvalidField`, `WebhookNotFound`, `Unavailable`.
        """
        async with self._database.write() as connection:
            row = await self._locked(connection, organisation_id, webhook_id, "replay-webhook", actor)
            place = await queries.place(connection, webhook_id, site_id)
            if place is None:
                raise InvalidField(field="site_id", problem="this site is not one of the organisation")
            if number > place.last + 1:
                raise InvalidField(field="number", problem=f"the log of this site ends with {place.last}")
            await store.change(connection, webhook_id, self._later(row))
            await store.go_to(connection, webhook_id, site_id, number - 1)
        self._note("replay-webhook", actor, organisation_id, webhook_id, f"site {site_id}, {number}", site_id)

    async def remove(self, organisation_id: int, webhook_id: int, *, actor: str) -> None:
        """Remove a webhook. Raises `WebhookNotFound`, `Unavailable`."""
        async with self._database.write() as connection:
            removed = await store.remove(connection, organisation_id, webhook_id)
        self._note("remove-webhook", actor, organisation_id, webhook_id, allowed=removed)
        if not removed:
            raise WebhookNotFound(webhook_id=webhook_id)

    async def try_out(self, organisation_id: int, webhook_id: int, *, actor: str) -> str:
        """Send a test event to a webhook, also to one that is off; return the word for what became of it.

        Raises `WebhookNotFound`, `Unavailable`.
        """
        async with self._database.read() as connection:
            row = await queries.find(connection, webhook_id)
        if row is None or row.organisation_id != organisation_id:
            self._note("try-webhook", actor, organisation_id, webhook_id, allowed=False)
            raise WebhookNotFound(webhook_id=webhook_id)
        now = await self._database.now()
        try:
            secrets = self._secrets(row)
        except ValueError:
            word = "no-secret"
        else:
            async with client(self._limit_seconds) as calling:
                outcome = await deliver(
                    calling,
                    row.url,
                    secrets,
                    f"test-{random.token_hex(12)}",
                    trial(now),
                    now=now,
                    limit_seconds=self._limit_seconds,
                )
            word = outcome.word
        self._note("try-webhook", actor, organisation_id, webhook_id, word)
        return word

    async def _locked(
        self, connection: Writing, organisation_id: int, webhook_id: int, action: str, actor: str
    ) -> WebhookRow:
        await queries.locked_changed_at(connection, webhook_id)
        row = await queries.find(connection, webhook_id)
        if row is None or row.organisation_id != organisation_id:
            self._note(action, actor, organisation_id, webhook_id, allowed=False)
            raise WebhookNotFound(webhook_id=webhook_id)
        return row

    def _later(self, row: WebhookRow) -> int:
        """Return an instant for a change that is later than the one before: two in a microsecond would look like one."""
        return max(self._database.clock.now(), row.changed_at + 1)

    def _secrets(self, row: WebhookRow) -> Secrets:
        return Secrets.opened(self._vault.open(row.sealed, store.seals_for(row.id)))

    def _shown(self, row: WebhookRow, places: list[PlaceRow], now: int) -> WebhookShown:
        try:
            secrets = self._secrets(row)
        except ValueError:
            until = None
        else:
            until = secrets.former_until // 1000 if secrets.former_until > now else None
        return WebhookShown(row.id, row.url, row.state, until, [_place(each) for each in places])

    def _note(
        self,
        action: str,
        actor: str,
        organisation_id: int,
        webhook_id: int,
        detail: str | None = None,
        site_id: int | None = None,
        *,
        allowed: bool = True,
    ) -> None:
        self._audit.note(
            action,
            actor,
            subject=f"webhook:{webhook_id}",
            site_id=site_id,
            organisation_id=organisation_id,
            allowed=allowed,
            detail=detail,
        )


def _check(url: str) -> None:
    """Refuse an address that no request could be sent to. Raises `InvalidField`."""
    try:
        parsed = httpx.URL(url)
        possible = bool(parsed.host) and not parsed.userinfo and (parsed.port is None or parsed.port < 65_536)
    except (httpx.InvalidURL, ValueError):
        possible = False
    if not possible:
        raise InvalidField(field="url", problem="this address is not possible")


def _place(place: PlaceRow) -> WebhookSiteShown:
    failing = place.error is not None
    return WebhookSiteShown(
        site_id=place.site_id,
        number=place.number,
        last=place.last,
        error=place.error,
        failing_since=_milliseconds(place.failing_since),
        next_at=_milliseconds(place.next_at) if failing else None,
        off_at=_milliseconds(place.off_at),
    )


def _milliseconds(instant: int | None) -> int | None:
    return None if instant is None else instant // 1000
