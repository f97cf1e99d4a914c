"""Replies: what patients answer to an SMS. A reply that is one of a few words stops the messages, or undoes this."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply from a phone number, which has its country code."""

    number: str
    text: str

    @property
    def wish(self) -> Literal["stop", "start"] | None:
        """What the patient wants, if the whole text is a word for it. Case, accents and punctuation do not matter."""
        word = _plain(self.text)
        return "stop" if word in _STOP else "start" if word in _START else None


def _plain(text: str) -> str:
    """Return the letters and inner spaces of a text, without case and accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in apart if each == " " or unicodedata.category(each).startswith("L")).strip()


_STOP = frozenset(map(_plain, ("stop", "stopall", "unsubscribe", "arrêt", "baja", "alto", "توقف", "إيقاف")))
_START = frozenset(map(_plain, ("start", "unstop", "ابدأ")))
