"""The codes of a second factor."""

from __future__ import annotations

import pyotp
import pytest

from server.identity.codes import (
    RECOVERY_CODES,
    STEP_MICROSECONDS,
    WINDOW,
    address,
    new_recovery_codes,
    new_secret,
    step_of,
)
from server.identity.readable_codes import ALPHABET
from tests.support.authenticator import code_at

NOW = 59_000_000  # of the test vectors of RFC 6238
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.mark.parametrize(("seconds", "code"), [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")])
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    assert step_of(SECRET, code, seconds * 1_000_000) == seconds // 30
    assert code_at(SECRET, seconds * 1_000_000) == code


@pytest.mark.parametrize("away", range(-3, 4))
def test_code_of_a_step_near_the_present_one_is_found(away: int) -> None:
    now = 1_700_000_000_000_000
    found = step_of(SECRET, code_at(SECRET, now + away * STEP_MICROSECONDS), now)
    assert found == (now // STEP_MICROSECONDS + away if abs(away) <= WINDOW else None)


@pytest.mark.parametrize("code", ["", "28708", "2870820", "28708a", "٢٨٧٠٨٢", "-28708"])
def test_other_texts_are_no_code(code: str) -> None:
    assert step_of(SECRET, code, NOW) is None


def test_recovery_codes_are_ten_different_readable_ones() -> None:
    made = new_recovery_codes()
    assert len(set(made)) == len(made) == RECOVERY_CODES
    assert set("".join(made)) <= {*ALPHABET, "-"}
    assert {len(each) for each in made} == {11}
    assert not set(made) & set(new_recovery_codes())


def test_address_names_the_user_for_the_app() -> None:
    secret = new_secret()
    read = pyotp.parse_uri(address(secret, "ada", "Now Serving"))
    assert isinstance(read, pyotp.TOTP)
    assert (read.secret, read.name, read.issuer, read.interval, read.digits) == (secret, "ada", "Now Serving", 30, 6)
    assert len(secret) == 32
