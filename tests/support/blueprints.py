"""Random blueprints of sites, and an example of one with each kind of record."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import strategies as st

from server.domain import plain_text
from server.domain.commands.blueprint import (
    Blueprint,
    DisplayPlan,
    KioskPlan,
    PointPlan,
    ProviderPlan,
    QueuePlan,
    ServicePlan,
)
from server.domain.model import CheckIn, Need, Printing, Rules, Way

A_BLUEPRINT = Blueprint(
    name="Riverside Clinic",
    time_zone="Europe/Berlin",
    language="en",
    rules=Rules(
        region="DE",
        languages=("ar", "es"),
        hours=((0, 480, 720), (0, 780, 1020), (4, 480, 720)),
        closed_on=("2026-12-25",),
        target_standard=30,
    ),
    services=(ServicePlan(name="Blood", true_name="HIV test", names=(("es", "Sangre"),)),),
    providers=(ProviderPlan(name="Dr. Ada"), ProviderPlan(name="Dr. Bose")),
    queues=(
        QueuePlan(name="Blood", prefix="A", service="Blood", capacity=30, names=(("ar", "الدم"), ("es", "Sangre"))),
        QueuePlan(name="X-ray", prefix="B", joins_anew=True),
    ),
    points=(
        PointPlan(name="Room 1", queues=("Blood",), names=(("es", "Sala 1"),)),
        PointPlan(name="Room 2", queues=("X-ray", "Blood"), unmet_needs=("step_free",)),
    ),
    displays=(DisplayPlan(name="Hall"), DisplayPlan(name="Upstairs", queues=("X-ray",), points=("Room 2",))),
    kiosks=(KioskPlan(name="Door", printing="escpos", low=True, check_in="code", place="Main entrance"),),
)

_TAGS = ("ar", "es", "fr", "pt-BR", "zh-Hant")


def _is_plain(text: str) -> bool:
    try:
        return bool(plain_text.checked(text))
    except ValueError:
        return False


_texts = st.one_of(
    st.sampled_from(("Blood", "X-ray", "Room 1", 'The "old" wing', "C:\\new", "قسم الدم", "Salle n°2 # 3", "'single'")),
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(_is_plain),
)
_minutes = st.integers(0, 240)


@st.composite
def _hours(draw: Any) -> tuple[tuple[int, int, int], ...]:
    found = []
    for day in draw(st.sets(st.integers(0, 6))):
        ends = sorted(draw(st.sets(st.integers(0, 1440), min_size=2, max_size=6)))
        found += [(day, begin, until) for begin, until in zip(ends[::2], ends[1::2], strict=False)]
    return tuple(sorted(found))


@st.composite
def blueprints(draw: Any) -> Blueprint:
    """Return a random blueprint that does not contradict itself."""
    language = draw(st.sampled_from(("en", "de", *_TAGS)))
    languages = tuple(draw(st.lists(st.sampled_from(_TAGS), unique=True, max_size=4)))
    names = st.dictionaries(st.sampled_from((language, *languages)), _texts, max_size=3).map(
        lambda found: tuple(sorted(found.items()))
    )

    def unique(most: int) -> Any:
        return draw(st.lists(_texts, unique=True, max_size=most))

    def some(of: list[str], least: int = 0) -> tuple[str, ...]:
        return tuple(draw(st.lists(st.sampled_from(of), unique=True, min_size=least, max_size=4))) if of else ()

    rules = Rules(
        head_start_urgent=draw(_minutes),
        recalls_before_no_show=draw(st.integers(0, 10)),
        minutes_call_stands=draw(st.integers(1, 240)),
        target_standard=draw(_minutes),
        names_on_display=draw(st.booleans()),
        region=draw(st.sampled_from(("", "DE", "GB"))),
        clock=draw(st.sampled_from(("auto", "12", "24"))),
        languages=languages,
        round_the_clock=draw(st.booleans()),
        hours=draw(_hours()),
        closed_on=tuple(sorted(draw(st.sets(st.dates().map(str), max_size=3)))),
        message_ways=tuple(draw(st.lists(st.sampled_from(get_args(Way)), unique=True))),
        reminders=tuple(sorted(draw(st.sets(st.integers(1, 336), max_size=4)), reverse=True)),
        quiet_from=draw(st.integers(0, 1439)),
        quiet_until=draw(st.integers(0, 1439)),
        feedback=draw(st.sampled_from(("off", "on"))),
    )
    services, queues, points = unique(3), unique(4), unique(4)
    points = points if queues else []
    needs: st.SearchStrategy[Need] = st.sampled_from(get_args(Need))
    return Blueprint(
        name=draw(_texts),
        time_zone=draw(st.sampled_from(("Europe/Berlin", "UTC", "America/New_York"))),
        language=language,
        day_turns_at_minutes=draw(st.integers(0, 1439)),
        rules=rules,
        services=tuple(ServicePlan(name=each, true_name=draw(_texts), names=draw(names)) for each in services),
        providers=tuple(ProviderPlan(name=each) for each in unique(3)),
        queues=tuple(
            QueuePlan(
                name=each,
                prefix=chr(65 + sum(map(ord, each)) % 26),  # a queue keeps its letter for good
                service=draw(st.sampled_from([None, *services])),
                capacity=draw(st.integers(0, 10_000)),
                joins_anew=draw(st.booleans()),
                names=draw(names),
            )
            for each in queues
        ),
        points=tuple(
            PointPlan(
                name=each,
                queues=some(queues, 1),
                unmet_needs=tuple(sorted(draw(st.sets(needs, max_size=3)))),
                names=draw(names),
            )
            for each in points
        ),
        displays=tuple(DisplayPlan(name=each, queues=some(queues), points=some(points)) for each in unique(2)),
        kiosks=tuple(
            KioskPlan(
                name=each,
                queues=some(queues),
                printing=draw(st.sampled_from(get_args(Printing))),
                low=draw(st.booleans()),
                check_in=draw(st.sampled_from(get_args(CheckIn))),
                place=draw(st.one_of(st.just(""), _texts)),
            )
            for each in unique(2)
        ),
    )
