"""User names: the one form in which they are stored, looked up and compared."""

from __future__ import annotations

import unicodedata


def normal_username(typed: str) -> str:
    """Return a user name as it is stored: NFKC, without case, without outer spaces, with single inner spaces.

    A phone's capital or trailing space, and full-width letters, therefore name the same member. The function is idempotent.
    """
    form = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", typed).casefold())
    return " ".join(each for each in form.split(" ") if each).strip()
