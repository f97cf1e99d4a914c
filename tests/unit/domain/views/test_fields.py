"""The fields of cells, and that the pages' definitions of cells come from them."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict, get_args

import pytest

from server.domain.views import VIEWS, ConfigurationView, DeskView, DisplayView, KioskView, PointView, TicketView, View, draw
from server.domain.views.fields import Described, Field, Id, Instant, field_of, fields_of
from tests.support import typedefs
from tests.support.worlds import Step, World, a_day, open_sealed, perform, small_clinic


class Example(TypedDict):
    plain: str
    link: Annotated[Id | None, Described("Another record.")]
    at: Instant


def test_fields_have_type_null_and_description() -> None:
    fields = fields_of(Example)
    assert fields["plain"] == Field(str, False, Described())
    assert fields["link"].type is int
    assert fields["link"].nullable
    assert fields["at"] == Field(int, False, Described("An instant, in milliseconds since 1970.", minimum=0))


def test_outer_description_overrides_inner_one_and_keeps_its_bounds() -> None:
    field = field_of(Annotated[Instant, Described("The time of the call.")])
    assert field.described == Described("The time of the call.", minimum=0)


def views_of(world: World) -> list[View]:
    points = [PointView(point_id, open_sealed) for point_id in world.board.points]
    return [
        DeskView(open_sealed),
        ConfigurationView(open_sealed),
        DisplayView(),
        *map(DisplayView, world.board.displays),
        *map(KioskView, world.board.kiosks),
        *points,
        *(TicketView(visit_id) for visit_id in world.board.visits),
    ]


@pytest.mark.parametrize("script", [a_day(seed, 60) for seed in range(3)], ids=range(3))
def test_cell_has_exactly_the_fields_of_its_type(script: list[Step]) -> None:
    world = small_clinic()
    types = {view.kind: view.cells for view in VIEWS}
    for step in script:
        perform(world, step)
        for view in views_of(world):
            for key, cell in draw(view, world.board).items():
                made: Any = types[view.kind][key.partition(":")[0]]
                assert set(cell) in [set(fields_of(each)) for each in get_args(made) or (made,)]


def test_type_definitions_of_the_pages_are_up_to_date() -> None:
    """If this fails, run `python -m tests.support.typedefs`."""
    source = typedefs.CELLS.read_text()
    assert typedefs.BEGIN in source
    assert typedefs.END in source
    assert typedefs.with_generated(source) == source
