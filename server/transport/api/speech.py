"""``/api/v1/displays/{id}/speech``: an announcement as sound, for that display.

The sound names a ticket and a point, and nothing else. Where the server has no voice, it answers 204 and the display uses a
voice of its own.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from server.domain.board import Board
from server.domain.errors import NotAllowed, NotSignedIn, Unavailable
from server.domain.model import languages
from server.domain.model.ids import site_of
from server.domain.views import names_of
from server.transport.context import Context
from server.transport.http import parameters, paths
from server.transport.http.endpoint import DISPLAY, NO_STORE, Answer, Endpoints, Tag
from server.transport.voice import VOICES

ENTRY = parameters.IdOfSite("entry", "The called entry. Without it, the answer is a sentence to test the sound.")
LANGUAGE = parameters.Choice("language", "The language of the announcement.", list(VOICES))

ENDPOINTS = Endpoints(Tag.LIVE)


@ENDPOINTS.add(
    "GET",
    paths.SPEECH,
    "speak",
    (
        Answer("The sound.", headers=NO_STORE, schema={"type": "string", "format": "binary"}, media_type="audio/wav"),
        Answer("The call is over, or this server has no voice for the language.", status=204),
    ),
    security=DISPLAY,
    parameters=(ENTRY, LANGUAGE),
    refused=(NotSignedIn, NotAllowed, Unavailable),
)
async def speak(request: Request) -> Response:
    """Speak the announcement of an open call, or a sentence to test the sound.

    204 if the call is over or the server has no voice for the language. By the display's own token.
    """
    context = Context.of(request)
    display = await context.gate.display(request, request.path_params["display_id"])
    site_id = site_of(display.id)
    language = LANGUAGE.read(request) or "en"
    entry_id = ENTRY.read(request, site_id)
    if not context.voice.speaks(language):
        return Response(status_code=204)
    if entry_id is None:
        text = context.voice.words(language, "speech.test")
    else:
        call = await _call_of(context, site_id, entry_id, language)
        if call is None:
            return Response(status_code=204)
        label = context.voice.spelled(language, call[0])
        text = context.voice.words(language, "speech.call", label=label, point=call[1])
    sound = await context.voice.say(language, text)
    if sound is None:
        return Response(status_code=204)
    return Response(sound, headers={"Cache-Control": "no-store"}, media_type="audio/wav")


async def _call_of(context: Context, site_id: int, entry_id: int, language: str) -> tuple[str, str] | None:
    """Return the ticket's label and the point's name of an open call, or None if the entry is not called.

    The feed of this process may be behind the process that told the display: then the database has the call.
    """
    board = context.hub.board(site_id)
    found = None if board is None else _called(board, entry_id, language)
    return found or _called(await context.boards.board(site_id), entry_id, language)


def _called(board: Board, entry_id: int, language: str) -> tuple[str, str] | None:
    entry = board.entries.get(entry_id)
    if entry is None or entry.state != "called" or entry.point_id is None:
        return None
    visit, point = board.visits[entry.visit_id], board.points[entry.point_id]
    # The tag of the patient or the site may be longer than the voice's: a name in `es-419` comes before one in `es`.
    wanted = [tag for tag in (visit.language, board.site.language) if languages.lookup([tag], [language])]
    return visit.label, languages.name_in([*wanted, language], names_of(board, point).items(), point.name)
