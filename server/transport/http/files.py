"""Answers that a browser saves, or shows, as a file with a name."""

from __future__ import annotations

from typing import Literal

from starlette.responses import Response

from server.transport.http.endpoint import NO_STORE, Answer, Header, Json

Disposition = Literal["attachment", "inline"]
BINARY: Json = {"type": "string", "format": "binary"}


def file_answer(description: str, media_type: str, disposition: Disposition = "attachment", schema: Json = BINARY) -> Answer:
    """Return the description of an answer that `as_file` makes. ``schema`` describes a body of text."""
    named = Header("Content-Disposition", {"type": "string", "pattern": f'^{disposition}; filename="[a-z0-9.-]+"$'})
    return Answer(description, headers=(*NO_STORE, named), schema=schema, media_type=media_type)


def as_file(content: bytes | str, name: str, media_type: str, disposition: Disposition = "attachment") -> Response:
    """Return a file that a browser saves as an ``attachment``, or shows ``inline``. No cache keeps it."""
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'{disposition}; filename="{name}"'}
    return Response(content, headers=headers, media_type=media_type)
