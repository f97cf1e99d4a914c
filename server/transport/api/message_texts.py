"""``/api/v1/sites/{id}/message-texts``: the texts of messages to patients, and what a draft would look like."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal, TypedDict, cast

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.domain.errors import InvalidField, MessageTextNotFound, SiteNotFound, Unavailable
from server.domain.messages import LONGEST_TEXT
from server.domain.model import Site
from server.identity.callers import Staff
from server.notifying.own_texts import TemplateShown, TextShown
from server.notifying.sms import Encoding
from server.queries import sites
from server.transport.context import Context
from server.transport.http import bodies, paths
from server.transport.http.bodies import Body, PlainText
from server.transport.http.endpoint import Answer, Endpoints, Tag
from server.transport.http.fields import Component

_EXAMPLE = {"text": "{clinic}: see you on {date} at {time}. {link}"}


class MessageText(Body):
    """A text of a message."""

    text: Annotated[
        PlainText,
        Field(
            min_length=1,
            max_length=LONGEST_TEXT,
            description="With placeholders as `{date}`. Write `{{` for a brace of the text.",
        ),
    ]


_Text = Annotated[
    TextShown,
    Component(
        "MessageTextListed",
        shipped="The text of the product; null in a language that has none.",
        own="The clinic's own text; null if the shipped one is used.",
        changed_at="When the own text was saved, in milliseconds since 1970.",
    ),
]
_Template = Annotated[
    TemplateShown,
    Component(
        "MessageTemplate",
        about="The texts of one kind of message, by language. The language of the clinic comes first.",
        name="A kind of message, or `missed-call` for a no-show at a call.",
        needed="The placeholders that a text must have.",
        others="The placeholders that it may have.",
        texts="In the languages of the clinic, and the shipped ones.",
    ),
]


class _Preview(TypedDict):
    sms: Annotated[str, Field(description="The text of an SMS.")]
    encoding: Encoding
    units: Annotated[int, Field(ge=0, description="The length of the SMS, as its encoding counts.")]
    parts: Annotated[int, Field(ge=1, description="The number of its parts.")]
    most_parts: Annotated[int, Field(ge=1, description="The number of parts with the longest values.")]
    subject: Annotated[str, Field(description="The title of a mail or push message.")]
    text: Annotated[str, Field(description="The text of a mail or push message.")]


class _Problem(TypedDict):
    code: Annotated[
        Literal["brace", "unknown", "missing", "secret", "long"],
        Field(description="`unknown` and `missing` are about placeholders, `secret` about the true name of a service."),
    ]
    value: Annotated[str, Field(description="The placeholders, the name, or the number of parts.")]


class _Templates(TypedDict):
    data: list[_Template]


class _Tried(TypedDict):
    message: _Preview | None
    problem: _Problem | None


ENDPOINTS = Endpoints(Tag.MESSAGES)


@ENDPOINTS.add(
    "GET",
    paths.MESSAGE_TEXTS,
    "list-message-texts",
    "The templates.",
    may="edit-message-texts",
    refused=(SiteNotFound, Unavailable),
)
async def get_texts(request: Request) -> _Templates:
    """List the templates of messages with the shipped and the own texts of a site."""
    _, site = await _editor(request)
    return {"data": await Context.of(request).own_texts.listed(site.id)}


@ENDPOINTS.add(
    "PUT",
    paths.MESSAGE_TEXT,
    "set-message-text",
    Answer("The next message has this text.", status=204),
    may="edit-message-texts",
    body=MessageText,
    example=_EXAMPLE,
    refused=(SiteNotFound, MessageTextNotFound, InvalidField, Unavailable),
)
async def put_text(request: Request) -> Response:
    """Set the site's own text of a template in a language. An SMS of the text never needs more than two parts."""
    editor, site = await _editor(request, "set-message-text")
    template, language = request.path_params["template"], request.path_params["language"]
    body = await bodies.read(request, MessageText)
    context = Context.of(request)
    secret_names = await _true_names(context, site)
    await context.own_texts.put(site, template, language, body.text, actor=editor.actor, secret_names=secret_names)
    return Response(status_code=204)


@ENDPOINTS.add(
    "DELETE",
    paths.MESSAGE_TEXT,
    "reset-message-text",
    Answer("The next message has the shipped text.", status=204),
    may="edit-message-texts",
    refused=(SiteNotFound, MessageTextNotFound, Unavailable),
)
async def reset_text(request: Request) -> Response:
    """Remove the site's own text of a template in a language."""
    editor, site = await _editor(request, "reset-message-text")
    template, language = request.path_params["template"], request.path_params["language"]
    await Context.of(request).own_texts.reset(site, template, language, actor=editor.actor)
    return Response(status_code=204)


@ENDPOINTS.add(
    "POST",
    paths.MESSAGE_TEXT_PREVIEW,
    "preview-message-text",
    "The message.",
    may="edit-message-texts",
    body=MessageText,
    example=_EXAMPLE,
    refused=(SiteNotFound, MessageTextNotFound, InvalidField, Unavailable),
)
async def preview_text(request: Request) -> _Tried:
    """Show the message of a draft. Without a message, its placeholders are wrong."""
    _, site = await _editor(request)
    template, language = request.path_params["template"], request.path_params["language"]
    body = await bodies.read(request, MessageText)
    context = Context.of(request)
    found = await context.own_texts.tried(site, template, language, body.text, await _true_names(context, site))
    message, problem = (None if each is None else asdict(each) for each in (found.message, found.problem))
    return cast(_Tried, {"message": message, "problem": problem})


async def _true_names(context: Context, site: Site) -> list[str]:
    """Return the true names of services that are no public names."""
    services = (await context.hub.present_board(site.id)).services.values()
    public = {each.public_name for each in services}
    names = (context.vault.open_personal(each).name for each in services if not each.removed_at)
    return [name for name in names if name and name not in public]


async def _editor(request: Request, doing: str | None = None) -> tuple[Staff, Site]:
    """Return the caller and the site. Raises `NotSignedIn`, `NotAllowed`, `SiteNotFound`."""
    context, site_id = Context.of(request), request.path_params["site_id"]
    editor = await context.gate.member_for(request, "edit-message-texts", site_id, doing=doing)
    return editor, await sites.find(context.database, site_id)
