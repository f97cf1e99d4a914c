"""Pairing: a display or a kiosk gets its token, and nobody has to type the token.

The device asks for a code and shows it. An administrator enters the code and names the device. The device keeps asking
with a secret that only the device knows, and gets its new token once.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Literal

import orjson

from server.domain.commands import RenewToken
from server.domain.errors import NowServingError, PairingNotFound, Unavailable
from server.execute import Executor
from server.identity.credentials import Credentials
from server.identity.readable_codes import new_code, plain_code
from server.queries.identity import Identities
from server.store import pairings as store
from server.store.database import Conflict, Database
from server.vault import Vault

CODE_LENGTH = 6
SECRET_BYTES = 32
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class PairingBegun:
    """A new pairing: the code for an administrator, the device's secret, and its end in microseconds."""

    code: str
    secret: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class PairedDevice:
    """A device and its new token."""

    device_id: int
    kind: Literal["display", "kiosk", "ticket", "appointment"]
    token: str


@dataclass(frozen=True, slots=True)
class Pairings:
    """Pairs the devices of one database."""

    _database: Database
    _vault: Vault
    _identities: Identities
    _credentials: Credentials
    _executor: Executor

    async def begin(self) -> PairingBegun:
        """Begin a pairing that lasts ten minutes. Raises `Unavailable`."""
        now = await self._database.now()
        secret = secrets.token_urlsafe(SECRET_BYTES)
        for _ in range(ATTEMPTS):
            code = new_code(CODE_LENGTH)
            try:
                async with self._database.write() as connection:
                    await store.create(connection, self._vault.keyed_hash(code), self._vault.keyed_hash(secret), now)
            except Conflict:
                continue  # another pairing has this code: the chance is about one in a hundred million
            return PairingBegun(code, secret, now + store.LIFE_MICROSECONDS)
        raise Unavailable()

    async def pair(self, code: str, command: RenewToken, *, actor: str) -> PairedDevice:
        """Give the device of ``command`` a new token, for the device that shows ``code``. The old token ends.

        A repeat for the same device, while the code is valid, returns the same and changes nothing. Raises
        `PairingNotFound`, and the errors of `Executor.execute`.
        """
        now = await self._database.now()
        async with self._database.write() as connection:
            code_hash = self._vault.keyed_hash(plain_code(code))
            claimed = await store.claim(connection, code_hash, command.device_id, now)
        if claimed is None:
            raise PairingNotFound()
        pairing_id, secret_hash = claimed
        # A repeat has the same command id, so a lost answer makes no second token. The id comes from the secret, which no
        # other pairing ever has: a database may use a row's id again.
        command_id = f"pairing:{secret_hash}"
        try:
            answer = await self._executor.execute(command, actor=actor, command_id=command_id)
        except Unavailable:
            raise
        except NowServingError:
            async with self._database.write() as connection:
                await store.release(connection, pairing_id)
            raise
        token = answer.body["token"]
        device = await self._credentials.device(token)
        if device is None:
            raise PairingNotFound()  # somebody paired or removed the device in the meantime
        paired = PairedDevice(device.id, device.kind, token)
        async with self._database.write() as connection:
            sealed = self._vault.seal(orjson.dumps(paired), f"pairing:{pairing_id}")
            kept = await store.fill(connection, pairing_id, sealed)
        if not kept:
            raise PairingNotFound()
        return paired

    async def check(self, secret: str) -> None:
        """Raise `PairingNotFound` unless the pairing with this secret is open. The token stays where it is."""
        if await self._identities.pairing(self._vault.keyed_hash(secret)) is None:
            raise PairingNotFound()

    async def collect(self, secret: str) -> PairedDevice | None:
        """Return the paired device with its token, once, and end the pairing; None if no administrator has paired it yet.

        Raises `PairingNotFound`.
        """
        now = await self._database.now()
        async with self._database.write() as connection:
            found = await store.take(connection, self._vault.keyed_hash(secret), now)
        if found is None:
            raise PairingNotFound()
        pairing_id, sealed = found
        if sealed is None:
            return None
        return PairedDevice(**orjson.loads(self._vault.open(sealed, f"pairing:{pairing_id}")))
