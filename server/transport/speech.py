"""``/api/v1/displays/{id}/speech``: an announcement as sound, for that display.

What is said is a ticket and a point, and nothing else. A display that asks for what nobody here can say is told so without
fuss (204), and helps itself.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.domain.board import Board
from server.domain.entities import Announcement
from server.domain.errors import AnnouncementNotFound
from server.domain.ids import site_of
from server.transport import parameters, paths
from server.transport.parts import Parts
from server.transport.voice import VOICES


def spelled(label: str) -> str:
    """Return a ticket letter by letter and figure by figure: "A012" as "A 0 1 2"."""
    return " ".join(label)


async def speak(request: Request) -> Response:
    """Speak an announcement, or, without one, a sentence to try the sound with. 204 if nobody here can."""
    parts = Parts.of(request)
    display = await parts.gate.display(request, request.path_params["display_id"])
    site_id = site_of(display.id)
    language = parameters.choice(request, "language", VOICES) or "en"
    announcement_id = parameters.of_site(request, "announcement", site_id)
    if not parts.voice.speaks(language):
        return Response(status_code=204)
    if announcement_id is None:
        text = parts.voice.words(language, "speech.test")
    else:
        board, announcement = await _find(parts, site_id, announcement_id)
        point = board.points[announcement.point_id].name
        text = parts.voice.words(language, "speech.call", label=spelled(announcement.label), point=point)
    sound = await parts.voice.say(language, text)
    if sound is None:
        return Response(status_code=204)
    return Response(sound, headers={"Cache-Control": "private, max-age=600"}, media_type="audio/wav")


async def _find(parts: Parts, site_id: int, announcement_id: int) -> tuple[Board, Announcement]:
    """Return an announcement with its board: that of the site's feed here, or, if that is behind, of the database."""
    board = parts.hub.board(site_id)
    if board is None or announcement_id not in board.announcements:
        board = await parts.boards.board(site_id)
    found = board.announcements.get(announcement_id)
    if found is None:
        raise AnnouncementNotFound(announcement_id=announcement_id)
    return board, found


ROUTES = [Route(paths.SPEECH, speak, methods=["GET"])]
