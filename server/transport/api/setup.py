"""The first run: the first administrator, and the services of a new site. See `server.identity.first_run`."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, TypedDict

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from server.blueprints import Template, template_named, templates
from server.domain.commands import SetUp
from server.domain.commands.blueprint import Blueprint, DisplayPlan, PointPlan, QueuePlan
from server.domain.commands.bounds import CAPACITY, LANGUAGE, NAME
from server.domain.errors import Busy, InvalidField, NameTaken, SiteNotFound, Unavailable
from server.domain.model import Need, Site, languages
from server.identity.errors import PASSWORD_REFUSALS, SETUP_REFUSALS, USER_NAME_REFUSALS, SignInBusy
from server.identity.readable_codes import LONGEST_TYPED
from server.transport.api.sessions import COOKIES, NewPassword, Tokens, signed_in
from server.transport.context import Context
from server.transport.http import bodies, parameters, paths
from server.transport.http.bodies import Body, Hours, PlainText
from server.transport.http.endpoint import NO_STORE, PUBLIC, Answer, Endpoints, Tag


class FirstAdmin(Body):
    """The first administrator, and the code that the server's terminal shows."""

    code: Annotated[
        str | None,
        Field(max_length=LONGEST_TYPED, description="The set-up code. Spaces, hyphens and small letters are accepted."),
    ] = None
    username: Annotated[str, Field(min_length=1, max_length=80)]
    password: NewPassword


_Name = Annotated[PlainText, Field(**NAME)]
_Tag = Annotated[str, Field(**LANGUAGE)]
_Names = Annotated[dict[_Tag, _Name], Field(description="The name in languages of the site, by tag.", max_length=20)]


class PlannedQueue(Body):
    """A queue of a new site."""

    name: _Name
    prefix: Annotated[str, Field(pattern="^[A-Z]$")]
    capacity: Annotated[int, Field(**CAPACITY, description="The most patients that may wait at once; 0 for no limit.")] = 0
    joins_anew: bool = False
    names: _Names | None = None


class PlannedPoint(Body):
    """A room or a desk of a new site. ``queues`` are the names of the queues that it calls from."""

    name: _Name
    queues: Annotated[list[_Name], Field(min_length=1, max_length=50)]
    unmet_needs: Annotated[tuple[Need, ...], Field(max_length=4)] = ()
    names: _Names | None = None


class NewServices(Body):
    """The queues, rooms, screens and hours of a new site, from a template that somebody has edited."""

    template: Annotated[str, Field(max_length=40, description="The key of the template, for the other rules of the site.")]
    queues: Annotated[list[PlannedQueue], Field(max_length=200)]
    points: Annotated[list[PlannedPoint], Field(max_length=200)]
    displays: Annotated[list[_Name], Field(max_length=200, description="The names of its waiting-room screens.")]
    hours: Annotated[
        Hours,
        Field(max_length=50, description="The weekly opening hours; an empty list means always. As in `change-site`."),
    ]


class _PlannedQueue(TypedDict):
    name: str
    prefix: str
    capacity: int
    joins_anew: bool
    names: dict[str, str]


class _PlannedPoint(TypedDict):
    name: str
    queues: list[str]
    unmet_needs: list[Need]
    names: dict[str, str]


class _Template(TypedDict):
    key: str
    title: Annotated[str, Field(description="In the language that the request asks for.")]
    description: str
    queues: list[_PlannedQueue]
    points: list[_PlannedPoint]
    displays: list[str]
    hours: Hours


class _Templates(TypedDict):
    templates: list[_Template]


class _Setup(TypedDict):
    open: Annotated[bool, Field(description="Whether the installation has no administrator yet.")]


ENDPOINTS = Endpoints(Tag.SESSION)


@ENDPOINTS.add("GET", paths.SETUP, "read-setup", "Whether set-up is open.", security=PUBLIC, refused=(Unavailable,))
async def get_setup(request: Request) -> _Setup:
    """Return whether set-up is open. No sign-in is needed."""
    return {"open": await Context.of(request).identity.first_run.is_open()}


@ENDPOINTS.add(
    "POST",
    paths.SETUP,
    "set-up",
    Answer("Created, and signed in.", Tokens, status=201, headers=(*NO_STORE, COOKIES)),
    security=PUBLIC,
    body=FirstAdmin,
    example={"code": "ACDE-FGHJ", "username": "ada", "password": "river candle ninety moss"},  # nosec B105 # an example
    refused=(*SETUP_REFUSALS, *USER_NAME_REFUSALS, *PASSWORD_REFUSALS, NameTaken, SignInBusy, Unavailable),
)
async def set_up(request: Request) -> Response:
    """Create the first administrator, and sign them in. Only an installation without an administrator accepts this.

    The terminal of the server shows the code. The code is valid once, for 30 minutes; five wrong tries end it. The
    administrator then adds the first site.
    """
    context = Context.of(request)
    body = await bodies.read(request, FirstAdmin)
    made = await context.identity.first_run.create_admin(
        body.code, body.username, body.password, context.gate.origin(request)
    )
    response = signed_in(request, made)
    response.status_code = 201
    return response


LANGUAGE_OF_READER = parameters.Parameter("language", "The language of titles and descriptions, as a tag.")


@ENDPOINTS.add(
    "GET",
    paths.TEMPLATES,
    "list-templates",
    "The templates.",
    may="add-site",
    parameters=(LANGUAGE_OF_READER,),
    refused=(SiteNotFound, Unavailable),
)
async def get_templates(request: Request) -> _Templates:
    """List the templates of common clinics, each as it would set this site up, in the languages of the site."""
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    await context.gate.staff_for(request, "add-site", site_id)
    site = (await context.hub.present_board(site_id)).site
    asked = LANGUAGE_OF_READER.given(request) or site.language
    if not languages.is_tag(asked):
        raise LANGUAGE_OF_READER.wrong("a language tag, such as en or pt-BR")
    wanted = (asked, site.language)
    return {"templates": [_described(each, site, wanted) for each in templates()]}


@ENDPOINTS.add(
    "POST",
    paths.SERVICES,
    "set-up-services",
    Answer("Set up.", status=204, headers=NO_STORE),
    may="add-site",
    body=NewServices,
    example={
        "template": "empty",
        "queues": [{"name": "Blood tests", "prefix": "A"}],
        "points": [{"name": "Room 1", "queues": ["Blood tests"]}],
        "displays": ["Waiting room"],
        "hours": [[0, 480, 1020]],
    },
    refused=(SiteNotFound, Busy, Unavailable),
    runs=SetUp,
)
async def set_up_services(request: Request) -> Response:
    """Set up the queues, points, displays and hours of a site: all of them, or none after a refusal.

    Records are found by name. No record is removed.
    """
    context = Context.of(request)
    site_id = request.path_params["site_id"]
    admin = await context.gate.member_for(request, "add-site", site_id)
    body = await bodies.read(request, NewServices)
    template = template_named(body.template)
    if template is None:
        raise InvalidField(field="template", problem=f"there is no template {body.template!r}")
    board = await context.hub.present_board(site_id)
    command = SetUp(site_id=site_id, blueprint=_filled(_blueprint(template, board.site), board.site, body))
    await context.executor.execute(command, actor=admin.actor, command_id=f"services:{uuid.uuid4().hex}")
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


def _blueprint(template: Template, site: Site) -> Blueprint:
    """Return the blueprint of a template for a site, which keeps its name, its languages and its clock."""
    made = template.blueprint(
        name=site.name,
        time_zone=site.time_zone,
        region=site.rules.region,
        language=site.language,
        languages=site.rules.languages,
    )
    return replace(made, rules=replace(made.rules, clock=site.rules.clock))


def _filled(blueprint: Blueprint, site: Site, body: NewServices) -> Blueprint:
    """Return a blueprint with the queues, points, displays and hours of a body."""

    def offered(names: dict[str, str] | None) -> tuple[tuple[str, str], ...]:
        found = {languages.usual(tag): name for tag, name in (names or {}).items()}
        return tuple((tag, name) for tag, name in found.items() if tag in site.languages)

    return replace(
        blueprint,
        rules=replace(blueprint.rules, hours=body.hours),
        services=(),
        queues=tuple(
            QueuePlan(
                name=each.name,
                prefix=each.prefix,
                capacity=each.capacity,
                joins_anew=each.joins_anew,
                names=offered(each.names),
            )
            for each in body.queues
        ),
        points=tuple(
            PointPlan(
                name=each.name,
                queues=tuple(each.queues),
                unmet_needs=each.unmet_needs,
                names=offered(each.names),
            )
            for each in body.points
        ),
        displays=tuple(DisplayPlan(name=name) for name in body.displays),
    )


def _described(template: Template, site: Site, wanted: Iterable[str]) -> _Template:
    made, best_first = _blueprint(template, site), tuple(wanted)
    return {
        "key": template.key,
        "title": template.title(best_first),
        "description": template.description(best_first),
        "queues": [
            {
                "name": each.name,
                "prefix": each.prefix,
                "capacity": each.capacity,
                "joins_anew": each.joins_anew,
                "names": dict(each.names),
            }
            for each in made.queues
        ],
        "points": [
            {
                "name": each.name,
                "queues": list(each.queues),
                "unmet_needs": list(each.unmet_needs),
                "names": dict(each.names),
            }
            for each in made.points
        ],
        "displays": [each.name for each in made.displays],
        "hours": made.rules.hours,
    }
