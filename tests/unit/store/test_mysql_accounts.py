"""MySQL's accounts of today, whose plugin is ``caching_sha2_password``: what signing in with one takes is installed.

MariaDB has no such accounts. Without TLS the driver has to encrypt the password with the server's public key; it leaves
that to a package which is not among its own requirements, and finds out at the first sign-in.
"""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pymysql import _auth

PASSWORD, SALT = b"a long password of an account", bytes(range(1, 21))


def test_the_driver_encrypts_a_password_as_the_server_decrypts_it() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    sent = _auth.sha2_rsa_encrypt(PASSWORD, SALT, public)
    received = key.decrypt(sent, padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None))
    plain = bytes(each ^ SALT[index % len(SALT)] for index, each in enumerate(received))
    assert plain == PASSWORD + b"\0"


@pytest.mark.parametrize(("password", "length"), [(PASSWORD, 32), (b"", 0)])
def test_the_short_way_sends_a_proof_and_not_the_password(password: bytes, length: int) -> None:
    proof = _auth.scramble_caching_sha2(password, SALT)
    assert len(proof) == length
    assert not password or password not in proof
