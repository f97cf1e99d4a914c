"""The call that an announcement speaks."""

from __future__ import annotations

import pytest

from server.domain.commands import ChangePoint, ChangeSite
from server.transport.api.speech import _called
from tests.support.whole_clinic import BLOOD, ONE, whole_clinic
from tests.support.worlds import SITE_ID


@pytest.mark.parametrize(
    ("patient", "spoken", "name"),
    [
        ("ar", "ar", "غرفة 1"),
        ("es-419", "es", "Consultorio 1"),  # the patient's own Spanish
        ("ar", "es", "Room 1"),  # no name in the Spanish of Spain
        ("ar", "fr", "Room 1"),
    ],
)
def test_point_is_named_in_the_spoken_language(patient: str, spoken: str, name: str) -> None:
    world = whole_clinic()
    world.do(ChangeSite(site_id=SITE_ID, languages=("ar", "es-419")))
    world.do(
        ChangePoint(
            point_id=ONE,
            names=(
                ("ar", "غرفة 1"),
                ("es-419", "Consultorio 1"),
            ),
        )
    )
    entry = world.ticket(BLOOD, language=patient)
    world.call(ONE)
    assert _called(world.board, entry.id, spoken) == (world.label(entry), name)
