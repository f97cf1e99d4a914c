"""``/api/v1/displays/{id}/speech``: an announcement as sound, for that display.

What is said is a ticket and a point, and nothing else. A display that asks for what nobody here can say is told so without
fuss (204), and helps itself.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.domain.board import Board
from server.domain.model.ids import site_of
from server.transport.context import Context
from server.transport.http import parameters, paths
from server.transport.voice import VOICES


def spelled(label: str) -> str:
    """Return a ticket letter by letter and figure by figure: "A012" as "A 0 1 2"."""
    return " ".join(label)


async def speak(request: Request) -> Response:
    """Speak an open call, or, without one, a sentence to try the sound with. 204 if it is over, or nobody here can."""
    context = Context.of(request)
    display = await context.gate.display(request, request.path_params["display_id"])
    site_id = site_of(display.id)
    language = parameters.choice(request, "language", VOICES) or "en"
    entry_id = parameters.of_site(request, "entry", site_id)
    if not context.voice.speaks(language):
        return Response(status_code=204)
    if entry_id is None:
        text = context.voice.words(language, "speech.test")
    else:
        call = await _call_of(context, site_id, entry_id)
        if call is None:
            return Response(status_code=204)
        text = context.voice.words(language, "speech.call", label=spelled(call[0]), point=call[1])
    sound = await context.voice.say(language, text)
    if sound is None:
        return Response(status_code=204)
    return Response(sound, headers={"Cache-Control": "no-store"}, media_type="audio/wav")


async def _call_of(context: Context, site_id: int, entry_id: int) -> tuple[str, str] | None:
    """Return the ticket and the point of an open call, or None if it is none (any more).

    The site's feed here knows it, unless it is behind the process that told the display: then the database does.
    """
    board = context.hub.board(site_id)
    found = None if board is None else _called(board, entry_id)
    return found or _called(await context.boards.board(site_id), entry_id)


def _called(board: Board, entry_id: int) -> tuple[str, str] | None:
    entry = board.entries.get(entry_id)
    if entry is None or entry.state != "called" or entry.point_id is None:
        return None
    return board.visits[entry.visit_id].label, board.points[entry.point_id].name


ROUTES = [Route(paths.SPEECH, speak, methods=["GET"])]
