"""The poster for joining by phone: a page of PDF that typst sets, with the fonts of this package alone.

All texts reach typst as data. A name with signs of its markup is text, on the poster as everywhere.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

import orjson
import segno
import typst

from server.transport.poster.texts import RIGHT_TO_LEFT, TEXTS, spoken
from server.transport.qr_codes import runs

Paper = Literal["a4", "letter"]
PAPERS: tuple[Paper, ...] = ("a4", "letter")
AT_ONCE = 1  # typst may use one core and no more
_FOLDER = Path(__file__).parent
_Content = TypeVar("_Content")
_NAMES_OF_PAPERS: dict[Paper, str] = {"a4": "a4", "letter": "us-letter"}
_OWN_SCRIPTS = ("LATIN ", "ARABIC ")


@dataclass(frozen=True, slots=True)
class Poster:
    """The content of a poster. ``languages`` are tags, best first; ``address`` is the one of the page for joining."""

    clinic: str
    languages: Sequence[str]
    address: str
    paper: Paper = "a4"


class Posters:
    """Sets posters, one after the other, in a thread: typst computes without Python's lock."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, "posters")

    async def pdf(self, poster: Poster) -> bytes:
        """Return a poster as a PDF of one page."""
        return await self.set(pdf_of, poster)

    async def set(self, make: Callable[[_Content], bytes], content: _Content) -> bytes:
        """Return the PDF that ``make`` sets of a content, after the PDFs that other callers wait for."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, make, content)


def pdf_of(poster: Poster) -> bytes:
    """Return a poster as a PDF of one page. It takes a tenth of a second."""
    made = compiler_of(poster).compile(format="pdf")
    assert isinstance(made, bytes)
    return made


def compiler_of(poster: Poster) -> typst.Compiler:
    """Return the compiler of a poster, for any format of typst."""
    return typst.Compiler(
        _FOLDER / "poster.typ",
        root=_FOLDER,
        font_paths=fonts_for(poster.clinic),
        sys_inputs={"poster": orjson.dumps(_data(poster)).decode()},
    )


def fonts_for(*names: str) -> typst.Fonts:
    """Return the fonts for texts with these names: those of this package alone, if they have all letters."""
    return _fonts(only_own=all(map(_is_set_by_own_fonts, names)))


@cache
def _fonts(*, only_own: bool) -> typst.Fonts:
    """Return this package's fonts; those of the machine come after them for the letters of other scripts."""
    return typst.Fonts(
        include_system_fonts=not only_own, include_embedded_fonts=not only_own, font_paths=[str(_FOLDER / "fonts")]
    )


def _is_set_by_own_fonts(text: str) -> bool:
    letters = (each for each in text if each.isalpha())
    return all(unicodedata.name(each, "").startswith(_OWN_SCRIPTS) for each in letters)


def _data(poster: Poster) -> dict[str, object]:
    tags = spoken(poster.languages)
    return {
        "clinic": poster.clinic,
        "paper": _NAMES_OF_PAPERS[poster.paper],
        "texts": [{"language": tag, "rtl": tag in RIGHT_TO_LEFT} | asdict(TEXTS[tag]) for tag in tags],
        "address": poster.address.partition("://")[2].rstrip("/"),
        "modules": runs(modules_of(poster.address)),
    }


def modules_of(address: str) -> list[list[bool]]:
    """Return the modules of the QR code of an address, row by row. Paper gets dirty: a quarter of the code may be lost."""
    code = segno.make(address, error="q", micro=False, boost_error=False)
    return [[bool(module) for module in row] for row in code.matrix]
