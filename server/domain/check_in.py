"""Who is this? A patient at a kiosk says who they are, and the kiosk finds their one appointment, or nothing.

The kiosk is in public, and it may serve a stranger. An unknown patient, a wrong answer and an answer that fits several
patients therefore have one outcome, and each claim costs the same work for every candidate.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from server.domain.model import folding

_ARTICLE = "\u0627\u0644"  # the Arabic article, which is written as a part of its word
_SEPARATORS = str.maketrans("", "", " -")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An appointment of today. The date of birth is YYYY-MM-DD, ``token_hash`` the keyed hash of the appointment's token."""

    id: int
    code: str
    name: str
    date_of_birth: str
    token_hash: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a patient shows: the code of the appointment, the hash of its token, or the date of birth and the initials."""

    code: str = ""
    date_of_birth: str = ""
    initials: str = ""
    token_hash: str = ""

    @property
    def is_secret(self) -> bool:
        """Whether only the patient can know it: a code or a token. Acquaintances know a birthday."""
        return bool(self.code or self.token_hash)


def match(candidates: Iterable[Candidate], claim: Claim) -> int | None:
    """Return the id of the one candidate that a claim fits. None if it fits none, or more than one."""
    code, birth, initials = _plain(claim.code), claim.date_of_birth, "".join(sorted(folding.whole(claim.initials)))
    found = []
    for each in candidates:
        by_code = bool(code) & _same(code, _plain(each.code))
        by_birth = bool(birth) & bool(initials) & _same(birth, each.date_of_birth) & _same(initials, initials_of(each.name))
        by_token = bool(claim.token_hash) & _same(claim.token_hash, each.token_hash)
        if by_code | by_birth | by_token:
            found.append(each.id)
    return found[0] if len(found) == 1 else None


def initials_of(name: str) -> str:
    """Return the first letters of the first and the last word of a name, folded and sorted: their order does not count."""
    words = [word.removeprefix(_ARTICLE) or word for word in folding.words(name)]
    return "".join(sorted({0: words[0][0], len(words) - 1: words[-1][0]}.values())) if words else ""


def _plain(code: str) -> str:
    return code.translate(_SEPARATORS).upper()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
