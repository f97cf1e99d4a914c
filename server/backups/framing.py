"""The file of a backup: a line of facts, and behind it the compressed content in sealed parts.

    nowserving backup 1
    {"id": "...", "made_at": ..., "key": "3fa9...", ...}
    part, part, ..., last part

Each part is 1 MiB sealed with AES-256-GCM; the last one may be shorter. The nonce is the number of the part (11 bytes) and
a byte that marks the last part. So no part can be changed, left out, moved or added, and the end cannot be cut off. The key
of a file is derived from one of the installation's encryption keys and from both lines: changed facts open nothing. Nonces
never repeat under one key, because the facts have a random id.

In the parts is one zlib stream, and behind its end a JSON object: the number of rows of each table, and the place in the
binary log of the server where the content ends, if it is known.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import IO

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.backups.errors import BackupFailed
from server.vault import Vault

MAGIC = b"nowserving backup 1\n"
PART_BYTES = 1024 * 1024
_TAG_BYTES = 16
_LONGEST_FACTS = 4096
_LEVEL = 3  # of zlib: twice as fast as the usual one, for files that are a tenth larger
_MARK = "the installation of a backup"


@dataclass(frozen=True, slots=True)
class Facts:
    """What everybody may read of a backup. ``made_at`` is in microseconds, ``revision`` that of the tables.

    ``key`` is the id of the encryption key, and ``mark`` is a keyed hash: it shows whether the secret key is the same.
    """

    id: str
    made_at: int
    engine: str
    version: str
    revision: str
    database: str
    key: str
    mark: str


def new_facts(vault: Vault, *, made_at: int, engine: str, version: str, revision: str, database: str) -> Facts:
    """Return the facts of a new backup, sealed with the first key."""
    identifier = secrets.token_hex(16)
    return Facts(identifier, made_at, engine, version, revision, database, vault.first_key, mark_of(vault))


class Sealer:
    """Writes a backup to a binary file: first `write` the content, then `end` with the numbers of its rows."""

    def __init__(self, file: IO[bytes], vault: Vault, facts: Facts) -> None:
        lines = MAGIC + orjson.dumps(asdict(facts)) + b"\n"
        self._file = file
        self._cipher = AESGCM(vault.file_key(facts.key, hashlib.sha256(lines).digest()))
        self._compressing = zlib.compressobj(_LEVEL)
        self._waiting = bytearray()
        self._number = 0
        file.write(lines)

    def write(self, content: bytes) -> None:
        """Add content. Raises `OSError`."""
        self._take(self._compressing.compress(content))

    def end(self, rows: dict[str, int], binlog: str | None) -> None:
        """Add what is known at the end, and the last part. Raises `OSError`."""
        self._take(self._compressing.flush() + orjson.dumps({"rows": rows, "binlog": binlog}))
        self._seal(bytes(self._waiting), last=True)

    def _take(self, compressed: bytes) -> None:
        self._waiting += compressed
        while len(self._waiting) > PART_BYTES:  # one byte more shows that this part is not the last
            self._seal(bytes(self._waiting[:PART_BYTES]), last=False)
            del self._waiting[:PART_BYTES]

    def _seal(self, part: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, last=last), part, None))
        self._number += 1


class Opener:
    """Reads a backup from a binary file: its `facts` at once, then its `content`, and at its end `rows` and `binlog`.

    Raises `BackupFailed` for anything but a whole backup of this installation; from `content`, perhaps after some of it.
    """

    def __init__(self, file: IO[bytes], vault: Vault, name: str) -> None:
        self._file = file
        self._name = name
        self.rows: dict[str, int] = {}
        self.binlog: str | None = None
        self.facts, lines = _read_facts(file, name)
        if self.facts.key not in vault.keys:
            raise BackupFailed(
                f"{name} is sealed with the key {self.facts.key}, and this installation has {', '.join(vault.keys)}. Put "
                "the key file of that time back, or add the key behind the others in NOWSERVING_ENCRYPTION_KEYS."
            )
        if self.facts.mark != mark_of(vault):
            raise BackupFailed(
                f"{name} is of an installation with another secret key: its accounts and proofs would not be right here. "
                "Put the key file of that installation back, or its NOWSERVING_SECRET_KEY."
            )
        self._cipher = AESGCM(vault.file_key(self.facts.key, hashlib.sha256(lines).digest()))

    def content(self) -> Iterator[bytes]:
        """Yield the content. At its end, `rows` and `binlog` are known, and the file was whole."""
        expanding, behind = zlib.decompressobj(), bytearray()
        for part in self._parts():
            if expanding.eof:
                behind += part
                continue
            waiting = part
            while waiting and not expanding.eof:
                yield expanding.decompress(waiting, PART_BYTES)
                waiting = expanding.unconsumed_tail
            behind += expanding.unused_data
        try:
            end = orjson.loads(bytes(behind))
            self.rows, self.binlog = end["rows"], end["binlog"]
        except (ValueError, TypeError, KeyError):
            raise self._damaged() from None

    def _parts(self) -> Iterator[bytes]:
        size = PART_BYTES + _TAG_BYTES
        number, part = 0, self._file.read(size)
        while True:
            following = self._file.read(size) if len(part) == size else b""
            try:
                yield self._cipher.decrypt(_nonce(number, last=not following), part, None)
            except (InvalidTag, ValueError):
                raise self._damaged() from None
            if not following:
                return
            number, part = number + 1, following

    def _damaged(self) -> BackupFailed:
        return BackupFailed(f"{self._name} is damaged: a part is changed, moved or missing. Take another backup.")


def facts_of(file: IO[bytes], name: str) -> Facts:
    """Return the facts of a backup without opening it. Nobody vouches for them. Raises `BackupFailed`."""
    return _read_facts(file, name)[0]


def mark_of(vault: Vault) -> str:
    """Return the mark of this installation's backups."""
    return vault.keyed_hash(_MARK)


def _read_facts(file: IO[bytes], name: str) -> tuple[Facts, bytes]:
    lines = file.readline(_LONGEST_FACTS)
    if lines != MAGIC:
        raise BackupFailed(f"{name} is no backup of Now Serving.")
    line = file.readline(_LONGEST_FACTS)
    try:
        return Facts(**orjson.loads(line)), lines + line
    except (ValueError, TypeError):
        raise BackupFailed(f"{name} is damaged: its facts cannot be read. Take another backup.") from None


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
