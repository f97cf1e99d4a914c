"""The secrets of an installation: their file, and the check that nobody can guess them.

Nothing has a default that everybody knows. Without secrets in the settings, the first start writes the installation's own
to a file that only its user can read. Every process of the installation reads this file.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
import tomllib
import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from zxcvbn import zxcvbn

KEY_BYTES = 32
SECRET_LENGTH = 32  # characters
PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
_OTHERS = 0o077
# Version 0.1.0 had public secrets for development. They are texts that contain these words.
_PUBLIC = "fordevelopmentonly"
_LEAST_GUESSES = 1e25
_LEAST_CHARACTERS = 8  # different ones
_LEAST_BYTES = 20  # different ones, and different steps between them. 32 random bytes have about 30
_JUDGED = 72  # characters that the judge of passwords reads at most
_ABOUT = """\
# The secrets of this Now Serving installation. Keep a copy apart from the backups: without this file, the names and phone
# numbers of the patients are lost. docs/operating.md explains how to change the encryption keys.
"""


class BadKeys(Exception):
    """The secrets cannot be used. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The secrets of an installation: what `server.vault.Vault` takes."""

    secret_key: str
    encryption_keys: tuple[bytes, ...]


def decoded(text: str) -> bytes:
    """Return the encryption key that ``text`` spells in base64. Raises `ValueError`, which never repeats the key."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("each key is base64") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"each key is {KEY_BYTES} bytes, not {len(key)}")
    return key


def random_key() -> str:
    """Return a new encryption key, in base64."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


# Weak secrets


def weakness_of_secret(secret_key: str) -> str | None:
    """Return why a stranger could guess this secret key, or None."""
    if _is_public(secret_key.encode()):
        return "this key is public"
    if len(secret_key.strip()) < SECRET_LENGTH:
        return f"the key has fewer than {SECRET_LENGTH} characters"
    if len(set(secret_key)) < _LEAST_CHARACTERS or _guesses(secret_key) < _LEAST_GUESSES:
        return "the key can be guessed"
    return None


def weakness_of_key(key: bytes) -> str | None:
    """Return why a stranger could guess this encryption key, or None."""
    if _is_public(key):
        return "this key is public"
    steps = {(after - before) % 256 for before, after in pairwise(key)}
    if all(32 <= each < 127 for each in key) or len(set(key)) < _LEAST_BYTES or len(steps) < _LEAST_BYTES:
        return "the key is not random"
    return None


def _guesses(text: str) -> float:
    return float(zxcvbn(text[:_JUDGED], max_length=_JUDGED)["guesses"])


def _is_public(value: bytes) -> bool:
    """Return whether ``value`` spells a public key: as text in any case and spacing, in base64 or in hexadecimal."""
    for _ in range(3):
        text = unicodedata.normalize("NFKC", value.decode(errors="ignore")).casefold()
        if _PUBLIC in "".join(filter(str.isalnum, text)):
            return True
        packed = b"".join(value.split()).rstrip(b"=")
        try:
            value = bytes.fromhex(packed.decode())
        except ValueError:
            try:
                value = base64.b64decode(packed.translate(bytes.maketrans(b"-_", b"+/")) + b"=" * (-len(packed) % 4))
            except ValueError:
                return False
    return False


# The key file


def read(path: Path) -> Keys | None:
    """Return the keys of a key file, or None if there is no file. Raises `BadKeys`."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & _OTHERS:
                raise BadKeys(
                    f"Other users of this machine can open the key file {path} (mode {mode:04o}). "
                    f"Run `chmod 600 {path}`. If somebody may have read it, change the keys (docs/operating.md)."
                )
            content = tomllib.load(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadKeys(f"The key file {path} cannot be read: {error.strerror}. Start as the user that owns it.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise BadKeys(f"The key file {path} is damaged. Put its copy back.") from None
    match content:
        case {"secret_key": str(secret_key), "encryption_keys": [*texts]} if texts and all(
            isinstance(each, str) for each in texts
        ):
            pass
        case _:
            raise BadKeys(f"The key file {path} lacks secret_key or encryption_keys. Put its copy back.")
    try:
        keys = Keys(secret_key, tuple(map(decoded, texts)))
    except ValueError as error:
        raise BadKeys(f"The key file {path} has a wrong encryption key: {error}.") from None
    for weakness in (weakness_of_secret(secret_key), *map(weakness_of_key, keys.encryption_keys)):
        if weakness is not None:
            raise BadKeys(f"The key file {path} has a weak key: {weakness}. `nowserving keys new` makes a good one.")
    return keys


def make(path: Path) -> bool:
    """Write a key file with new keys, unless there is one. Return whether this call wrote it.

    The file appears whole or not at all, and the first of several processes wins: `read` returns the same keys to all of
    them. Raises `BadKeys` if the file cannot be written.
    """
    text = f'{_ABOUT}secret_key = "{secrets.token_hex(32)}"\nencryption_keys = ["{random_key()}"]\n'
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        try:
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            return _appear(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise BadKeys(
            f"The key file {path} cannot be written: {error.strerror}. Name another place in NOWSERVING_KEY_FILE, or set "
            "NOWSERVING_SECRET_KEY and NOWSERVING_ENCRYPTION_KEYS."
        ) from None


def _appear(draft: Path, path: Path) -> bool:
    """Give the complete file ``draft`` its name ``path``, and return whether this name was free."""
    try:
        os.link(draft, path)  # a rename would replace another process's file
    except FileExistsError:
        return False
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # after a power cut, the name must be there too
    finally:
        os.close(folder)
    return True
