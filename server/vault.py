"""Encryption of personal data, keyed hashes, tokens and password hashes.

Personal data is sealed: encrypted with AES-256-GCM under the first configured key, and bound to its record, so that a
ciphertext cannot move to another patient's row. The ciphertext begins with the key's id, so that older keys still open it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import asdict

import orjson
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from server.domain.model import Appointment, Personal, Service, Visit

_NONCE_BYTES = 12
TOKEN_BYTES = 16  # 128 bits
KEY_ID_LENGTH = 8
_hasher = PasswordHasher()


def _hash_of_nothing() -> str:
    """Return a random text in the form of a password's hash. A check against it takes as long as against a real hash."""
    sizes = (_hasher.salt_len, _hasher.hash_len)
    salt, digest = (base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in sizes)
    return f"$argon2id$v=19$m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}${salt}${digest}"


_NOBODY = _hash_of_nothing()


class Vault:
    """Seals, opens and hashes with an installation's keys.

    ``encryption_keys`` are 32-byte keys, the first of which seals; all open. ``secret_key`` (any length) keys the hashes.
    """

    def __init__(self, encryption_keys: Sequence[bytes], secret_key: str) -> None:
        if not encryption_keys or any(len(key) != 32 for key in encryption_keys):
            raise ValueError("encryption keys are 32 bytes each, and at least one is needed")
        self._keys = {_key_id(key): key for key in encryption_keys}
        self._ciphers = {_key_id(key): AESGCM(key) for key in encryption_keys}
        self._first = _key_id(encryption_keys[0])
        self._hash_key = hashlib.sha256(b"keyed hashes:" + secret_key.encode()).digest()

    @property
    def first_key(self) -> str:
        """The id of the key that seals."""
        return self._first

    @property
    def keys(self) -> list[str]:
        """The ids of all keys, in their order."""
        return list(self._ciphers)

    def seal(self, plain: bytes, belongs_to: str) -> str:
        """Return the ciphertext of ``plain``, bound to the record named ``belongs_to`` (``visit:812``)."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[self._first].encrypt(nonce, plain, belongs_to.encode())
        return f"{self._first}.{base64.b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, belongs_to: str) -> bytes:
        """Return the plain text. Raises `ValueError` for an unknown key, or for a damaged or moved ciphertext."""
        key_id, _, text = sealed.partition(".")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise ValueError(f"sealed with the unknown key {key_id}")
        data = base64.b64decode(text)
        try:
            return cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], belongs_to.encode())
        except InvalidTag:
            raise ValueError(f"the sealed data of {belongs_to} is damaged or belongs elsewhere") from None

    def seal_personal(self, personal: Personal, belongs_to: str) -> str:
        """Return the ciphertext of a patient's data (``visit:812``), or of a service's name (``service:7``)."""
        return self.seal(orjson.dumps(asdict(personal)), belongs_to)

    def open_personal(self, record: Visit | Appointment | Service) -> Personal:
        """Return the personal data of a visit, or the name of a service; an empty `Personal` if nothing is known."""
        if record.sealed is None:
            return Personal()
        return Personal(**orjson.loads(self.open(record.sealed, f"{type(record).__name__.lower()}:{record.id}")))

    def file_key(self, key_id: str, about: bytes) -> bytes:
        """Return the key of one file, derived from the key with this id and from ``about``, which no other file has.

        Raises `ValueError` for an unknown key.
        """
        key = self._keys.get(key_id)
        if key is None:
            raise ValueError(f"sealed with the unknown key {key_id}")
        return HKDF(SHA256(), length=32, salt=None, info=b"file key:" + about).derive(key)

    def keyed_hash(self, text: str) -> str:
        """Return the keyed hash under which ``text`` is stored and looked up."""
        return hmac.digest(self._hash_key, text.encode(), "sha256").hex()


def new_token(site_id: int, kind: str = "") -> str:
    """Return a new random token that names its site: ``7-...`` for a ticket, ``d7-...`` for a display."""
    return f"{kind}{site_id}-{secrets.token_urlsafe(TOKEN_BYTES)}"


def hash_password(password: str) -> str:
    """Return the Argon2id hash of a password. Slow on purpose: call it in a thread."""
    return _hasher.hash(password)


def verify_password(password_hash: str | None, password: str) -> bool:
    """Return whether the password has this hash. None, for an unknown user, takes as long and gives False."""
    try:
        return _hasher.verify(password_hash or _NOBODY, password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"key id:" + key).hexdigest()[:KEY_ID_LENGTH]
