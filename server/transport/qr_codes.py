"""QR codes, for pages, slips, screens and paper."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import segno

_IMAGE: dict[str, Any] = {"border": 4, "light": "#fff", "omitsize": True, "xmldecl": False, "nl": False}


def image(address: str) -> bytes:
    """Return the QR code of an address, black on white: an SVG image."""
    drawn = io.BytesIO()
    _code(address).save(drawn, kind="svg", **_IMAGE)
    return drawn.getvalue()


def image_address(address: str) -> str:
    """Return the image of `image` as a ``data:`` address."""
    return str(_code(address).svg_data_uri(**_IMAGE))


def path(address: str) -> tuple[str, int]:
    """Return the QR code of an address as a path of SVG, without a margin, and the number of modules of its side.

    Screens have no dirt: the lowest correction gives the largest modules.
    """
    rows = runs(segno.make(address, error="l", micro=False).matrix)
    parts = (f"M{begin} {y}h{length}v1h-{length}z" for y, row in enumerate(rows) for begin, length in row)
    return "".join(parts), len(rows)


def runs(matrix: Iterable[Sequence[int]]) -> list[list[tuple[int, int]]]:
    """Return the runs of dark modules in each row of a QR code, each with its begin and its length."""
    rows = []
    for row in matrix:
        found = []
        begin: int | None = None
        for index, dark in enumerate([*row, 0]):
            if dark and begin is None:
                begin = index
            elif not dark and begin is not None:
                found.append((begin, index - begin))
                begin = None
        rows.append(found)
    return rows


def _code(address: str) -> segno.QRCode:
    return segno.make(address, error="m", micro=False)
