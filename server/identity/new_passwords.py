"""New passwords: long enough, not the user name, not easy to guess."""

from __future__ import annotations

import asyncio
import re
import threading
from dataclasses import dataclass

from server.domain.errors import InvalidField
from server.domain.usernames import normal_username
from server.identity.errors import PasswordLengthWrong, PasswordLikeUserName, PasswordTooCommon

LEAST_CHARACTERS = 12
MOST_CHARACTERS = 200
LOOKED_AT = 40  # zxcvbn takes 30 ms for so many characters, and seconds for hundreds; a good start makes a good password
LEAST_SCORE = 3  # of zxcvbn's 0 to 4: more than 10^8 guesses
LEAST_BESIDE_NAME = 6
OURS = ("nowserving", "clinic", "reception")
_one_at_a_time = threading.Lock()  # zxcvbn keeps the words of the present call in a global


async def check_new_password(password: str, username: str, field: str = "password") -> None:
    """Raise unless ``password`` is fit for the user named ``username``. ``field`` is its name in the errors.

    Raises `PasswordLengthWrong`, `PasswordLikeUserName`, `PasswordTooCommon`.
    """
    strength = await strength_of(password, username, field)
    if strength.refusal is not None:
        raise strength.refusal


@dataclass(frozen=True, slots=True)
class Strength:
    """How hard a password is to guess: zxcvbn's ``score``, 0 to 4, and the error of `check_new_password`, if any."""

    score: int
    refusal: InvalidField | None


async def strength_of(password: str, username: str, field: str = "password") -> Strength:
    """Return how strong a password of the user named ``username`` would be."""
    # Not in the threads of `Hashing`: their low priority would hold the interpreter's lock for long.
    found = await asyncio.to_thread(score, password, username) if password else 0
    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        return Strength(found, PasswordLengthWrong(field=field, least=LEAST_CHARACTERS, most=MOST_CHARACTERS))
    if is_like_name(password, username):
        return Strength(found, PasswordLikeUserName(field=field))
    return Strength(found, None if found >= LEAST_SCORE else PasswordTooCommon(field=field))


def is_like_name(password: str, username: str) -> bool:
    """Return whether a password is the user name with fewer than `LEAST_BESIDE_NAME` other characters."""
    name = normal_username(username)
    folded = normal_username(password)
    return name != "" and name in folded and len(folded.replace(name, "")) < LEAST_BESIDE_NAME


def score(password: str, username: str) -> int:
    """Return zxcvbn's score of a password, 0 to 4. It knows common passwords, keyboards, dates and the user's own words."""
    # Imported here: it takes 12 MB, and most processes never make a password.
    from zxcvbn import zxcvbn  # noqa: PLC0415

    name = normal_username(username)
    words = [name, *filter(None, re.split(r"[^\w]+|_", name)), *OURS]
    with _one_at_a_time:
        return int(zxcvbn(password[:LOOKED_AT], words)["score"])
