"""The certificate with which the proxy proves its name: how long it is valid, and one of our own for a trial."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CERTIFICATE_FILE, KEY_FILE = "certificate.pem", "key.pem"
_EARLIER = timedelta(hours=1)  # for clients whose clock is behind


@dataclass(frozen=True, slots=True)
class Validity:
    """The time for which a certificate is valid (microseconds since 1970)."""

    begins: int
    ends: int


class CertificateFile:
    """A PEM file that another program replaces at times. `look` reads it; `found` has the last result.

    ``found`` is the validity, or why there is none. It is None before the first look.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.found: Validity | str | None = None

    def look(self) -> Validity | str:
        """Read the file and return the result. Raises nothing."""
        try:
            self.found = validity(self._path.read_bytes())
        except OSError as error:
            self.found = f"{self._path}: {error.strerror}"
        except ValueError:
            self.found = f"{self._path} has no certificate (PEM)"
        return self.found

    def seconds_left(self, now: int) -> float | str:
        """Return the seconds until the end (``now`` is in microseconds; negative after it), or why there is none."""
        found = self.found
        return (found.ends - now) / 1_000_000 if isinstance(found, Validity) else found or "not read yet"


def validity(pem: bytes) -> Validity:
    """Return the validity of the first certificate of a PEM file: the server's own. Raises `ValueError`."""
    found = x509.load_pem_x509_certificate(pem)
    return Validity(
        *(round(each.timestamp()) * 1_000_000 for each in (found.not_valid_before_utc, found.not_valid_after_utc))
    )


def make(folder: Path, names: list[str], days: float) -> tuple[Path, Path]:
    """Write a certificate that is signed by itself, and its key, for host names and addresses; return both files.

    Only the owner can read the key. Earlier files are replaced. Raises `OSError`, and `ValueError` for a name that no
    certificate can have.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, now + timedelta(days=days)) - _EARLIER)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([_general_name(each) for each in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    paths = folder / CERTIFICATE_FILE, folder / KEY_FILE
    _replace(paths[1], private, 0o600)
    _replace(paths[0], signed.public_bytes(serialization.Encoding.PEM), 0o644)
    return paths


def _general_name(name: str) -> x509.GeneralName:
    with suppress(ValueError):
        return x509.IPAddress(ip_address(name))
    return x509.DNSName(name)


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole or not at all. A reader never sees a part of it."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
    beside.replace(path)
