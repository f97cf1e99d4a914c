"""Query parameters, checked: what is wrong is refused with the parameter's name, and nothing is guessed or mended.

A parameter that is not known is ignored; of one given twice the last counts.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date

from starlette.requests import Request

from server.domain.errors import InvalidField
from server.domain.model.ids import MAX_ID, site_of

DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
LABEL = r"[A-Za-z0-9-]{1,12}"
_WHOLE = re.compile("[0-9]{1,16}")


def whole(request: Request, name: str, default: int, least: int, most: int) -> int:
    """Return a whole number between bounds. Raises `InvalidField`."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
        raise InvalidField(field=name, problem=f"a whole number from {least} to {most}")
    return int(text)


def day(request: Request, name: str) -> str | None:
    """Return a business day as an ISO date. Raises `InvalidField`."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        if not re.fullmatch(DAY, text):
            raise ValueError(text)
        date.fromisoformat(text)
    except ValueError:
        raise InvalidField(field=name, problem="a day as YYYY-MM-DD") from None
    return text


def days(request: Request, first: str, last: str, most: int) -> tuple[str, str]:
    """Return two business days that must be given: in order, and no more than ``most`` with both. Raises `InvalidField`."""
    found = []
    for name in (first, last):
        given = day(request, name)
        if given is None:
            raise InvalidField(field=name, problem="a day as YYYY-MM-DD is needed")
        found.append(given)
    length = (date.fromisoformat(found[1]) - date.fromisoformat(found[0])).days + 1
    if not 1 <= length <= most:
        raise InvalidField(field=last, problem=f"from 1 to {most} days, not {length}")
    return found[0], found[1]


def site(request: Request, name: str) -> int | None:
    """Return a site's id. Raises `InvalidField`."""
    text = request.query_params.get(name)
    if text is not None and (not _WHOLE.fullmatch(text) or not 1 <= int(text) <= MAX_ID):
        raise InvalidField(field=name, problem="a site's id")
    return None if text is None else int(text)


def text(request: Request, name: str, most: int) -> str | None:
    """Return a text of at most so many characters. Raises `InvalidField`."""
    found = request.query_params.get(name)
    if found is not None and not 1 <= len(found) <= most:
        raise InvalidField(field=name, problem=f"from 1 to {most} characters")
    return found


def of_site(request: Request, name: str, site_id: int) -> int | None:
    """Return the id of something that belongs to a site. Raises `InvalidField`."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if not _WHOLE.fullmatch(text) or int(text) > MAX_ID or site_of(int(text)) != site_id:
        raise InvalidField(field=name, problem=f"an id of the site {site_id}")
    return int(text)


def choice(request: Request, name: str, choices: Collection[str]) -> str | None:
    """Return one of some words. Raises `InvalidField`."""
    text = request.query_params.get(name)
    if text is not None and text not in choices:
        raise InvalidField(field=name, problem=f"one of {', '.join(choices)}")
    return text


def label(request: Request, name: str) -> str | None:
    """Return a ticket's label. Raises `InvalidField`."""
    text = request.query_params.get(name)
    if text is not None and not re.fullmatch(LABEL, text):
        raise InvalidField(field=name, problem="a ticket's label, as A012")
    return text
