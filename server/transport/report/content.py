"""The content of a report, from the answer of ``/insights``: blocks of figures, charts and tables, as typst sets them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from server.transport.report.words import NONE, Words

Json = Mapping[str, Any]
Block = dict[str, Any]
Column = tuple[str, str, Callable[[Json], str]]  # the figure that it shows, its heading, and the text of a cell
Line = tuple[str, str, Sequence[Any]]  # the name, the mark and the values of a series

GOAL = 90
LEVELS = 4
_MINUTE = 60
_MOST_TICKS = 5
_OUTCOMES = ("sent", "delivered", "undelivered", "failed", "suppressed", "expired")


def of(group: Json, field: str) -> Any:
    """Return a number of some counts, or how it is hidden: `few` or `beside`."""
    return group["hidden"] or group[field]


class Content:
    """Collects the blocks of a report, and the figures whose definitions it needs."""

    def __init__(self, answer: Json, access: Json, words: Words) -> None:
        self._answer, self._access, self._words = answer, access, words
        self._defined: dict[str, None] = {}

    def blocks(self) -> list[Block]:
        """Return the blocks in their order: the most asked question first, the definitions last."""
        made = [
            *self._notes(),
            *self._waits(),
            *self._arrivals(),
            *self._heat(),
            *self._promises(),
            *self._attendance(),
            *self._lead(),
            *self._times(),
            *self._fairness(),
            *self._messages(),
            *self._feedback(),
        ]
        return [*made, self._definitions()]

    def _define(self, *figures: str) -> None:
        self._defined |= dict.fromkeys(figures)

    def _definitions(self) -> Block:
        rows = [
            {"name": self._words.name(each), "text": self._words.definition(each)}
            for each in (*self._defined, "few", "beside")
        ]
        return {"kind": "definitions", "rows": rows}

    def _notes(self) -> list[Block]:
        words, missing = self._words, self._answer["missing"]
        texts = [
            words.text(each["kind"], day=words.day(each["business_day"]), hour=_hour(each["hour"], second=False))
            for each in self._answer["clock_changes"]
        ]
        if missing is not None:
            span = {"from": words.day(missing["first"]), "to": words.day(missing["last"])}
            texts.append(words.text("missing", n=missing["days"], **span))
        return [{"kind": "note", "text": each} for each in texts]

    def _card(self, name: str) -> Block:
        return {"kind": "card", "text": self._words.text(f"card.{name}"), "lead": self._words.text(f"card.{name}.lead")}

    def _tiles(self, *tiles: tuple[str, str]) -> Block:
        return {"kind": "tiles", "tiles": [{"name": name, "value": value} for name, value in tiles]}

    def _table(self, title: str, of_rows: str, groups: Sequence[Json], columns: Sequence[Column]) -> list[Block]:
        """Return a table of groups: none for fewer than two, whose figures are those of the total."""
        if len(groups) < 2:
            return []
        self._define(*(figure for figure, _, _ in columns))
        nobody = self._words.text("provider.none")
        return [
            {
                "kind": "table",
                "title": title,
                "columns": [of_rows, *(heading for _, heading, _ in columns)],
                "rows": [[each["name"] or nobody, *(text(each) for _, _, text in columns)] for each in groups],
            }
        ]

    def _by(self, *names: str, columns: Sequence[Column]) -> list[Block]:
        words, answer = self._words, self._answer
        return [
            block
            for name in names
            for block in self._table(words.text(f"{name}s"), words.text(name), answer[f"{name}s"], columns)
        ]

    def _spread(self, part: str) -> list[Column]:
        words = self._words
        self._define(part)
        return [
            ("median", words.pair(part, "median"), lambda each: words.minutes(of(each[part], "median_seconds"))),
            ("p90", words.pair(part, "p90"), lambda each: words.minutes(of(each[part], "p90_seconds"))),
        ]

    def _share(self, part: str, field: str, whole: str) -> Column:
        words = self._words
        return field, words.name(field), lambda each: words.share(of(each[part], field), of(each[part], whole))

    def _waits(self) -> list[Block]:
        words, answer = self._words, self._answer
        self._define("wait", "median", "p90", "called", "gave_up", "business_day")
        total, days = answer["total"], answer["days"]
        columns: list[Column] = [
            *self._spread("wait"),
            ("called", words.name("called"), lambda each: words.count(of(each["wait"], "count"))),
            ("gave_up", words.name("gave_up"), lambda each: words.count(of(each["gave_up"], "count"))),
        ]
        blocks = [
            self._card("waits"),
            self._tiles(*((heading, text(total)) for _, heading, text in columns)),
        ]
        lines = [
            (words.name("median"), "line", [_minutes(of(each["wait"], "median_seconds")) for each in days]),
            (words.name("p90"), "broken", [_minutes(of(each["wait"], "p90_seconds")) for each in days]),
        ]
        labels = [words.day(each["business_day"]) for each in days]
        blocks += self._chart(words.text("plot.waits_days"), labels, lines, words.text("minutes", n=""))
        return [*blocks, *self._by("service", "queue", "provider", columns=columns)]

    def _arrivals(self) -> list[Block]:
        words, answer = self._words, self._answer
        self._define("entries", "served", "arrivals_a_day", "capacity", "hour")
        total, hours = answer["total"], answer["hours"]
        cycle = sum(each for part in ("walk", "service") if isinstance(each := of(total[part], "median_seconds"), int))
        came = [_over(of(each["entries"], "count"), each["days"]) for each in hours]
        lines: list[Line] = [(words.name("arrivals_a_day"), "bar", came)]
        if isinstance(of(total["service"], "median_seconds"), int) and cycle > 0:
            lines.append(
                (words.name("capacity"), "broken", [_over(each["open_seconds"], cycle * each["days"]) for each in hours])
            )
        columns: list[Column] = [
            ("calls", words.name("calls"), lambda each: words.count(of(each, "calls"))),
            ("open_seconds", words.name("open_seconds"), lambda each: words.hours(of(each, "open_seconds"))),
            ("busy_seconds", words.name("busy_seconds"), lambda each: words.hours(of(each, "busy_seconds"))),
        ]
        return [
            self._card("arrivals"),
            self._tiles(
                (words.name("entries"), words.count(of(total["entries"], "count"))),
                (words.name("served"), words.count(of(total["entries"], "served"))),
            ),
            *self._chart(
                words.text("plot.arrivals"), [_hour(each["hour"], second=each["second"]) for each in hours], lines, ""
            ),
            *self._by("point", columns=columns),
        ]

    def _heat(self) -> list[Block]:
        words, answer = self._words, self._answer
        if not answer["heat"]:
            return []
        self._define("heat", "weekday")
        columns = [(each["hour"], each["second"]) for each in answer["hours"]]
        days = {each["weekday"]: each["days"] for each in answer["weekdays"]}
        cells = {(each["weekday"], each["hour"], each["second"]): each for each in answer["heat"]}
        rates = {
            key: each["entries"] / max(1, days.get(key[0], 1)) for key, each in cells.items() if each["entries"] is not None
        }
        most = max(rates.values(), default=0)

        def cell(key: tuple[int, int, bool]) -> Block:
            found = cells.get(key)
            if found is None:
                return {"text": "", "level": 0}
            rate = rates.get(key, 0)
            level = 0 if rate <= 0 else min(LEVELS, -int(-LEVELS * rate // most))
            return {"text": words.count(of(found, "entries")), "level": level}

        rows = [
            {
                "name": words.text("plot.weekday", weekday=words.weekday(weekday), n=counted),
                "cells": [cell((weekday, *column)) for column in columns],
            }
            for weekday, counted in sorted(days.items())
        ]
        heads = [words.text("weekday"), *(_hour(hour, second=second) for hour, second in columns)]
        return [self._card("load"), {"kind": "heat", "columns": heads, "rows": rows}]

    def _promises(self) -> list[Block]:
        words, answer = self._words, self._answer
        self._define("promises", "held", "early", "before_leave", "late_by", "goal")
        total = answer["total"]["promises"]
        hours = [each for each in answer["hours"] if each["promises"]["hidden"] or each["promises"]["count"]]
        columns = [self._share("promises", part, "count") for part in ("held", "early")]

        def before(each: Json) -> str:
            return words.share(of(each["leaves"], "before"), of(each["leaves"], "count"))

        columns.append(("before_leave", words.name("before_leave"), before))
        held = [_percent(each["promises"]) for each in hours]
        lines: list[Line] = [(words.name("held"), "bar", held), (words.name("goal"), "dotted", [GOAL] * len(held))]
        return [
            self._card("promises"),
            self._tiles(
                *((heading, text(answer["total"])) for _, heading, text in columns),
                (words.pair("late_by", "median"), words.minutes(of(total, "late_median_seconds"))),
                (words.pair("late_by", "p90"), words.minutes(of(total, "late_p90_seconds"))),
            ),
            *self._chart(
                words.text("plot.promises"),
                [_hour(each["hour"], second=each["second"]) for each in hours],
                lines,
                "%",
                most=100,
            ),
            *self._by("service", "provider", columns=columns),
        ]

    def _attendance(self) -> list[Block]:
        words, answer = self._words, self._answer
        self._define("missed", "expected", "walk_in_no_shows")

        def counted(field: str) -> Column:
            return field, words.name(field), lambda each: words.count(of(each["appointments"], field))

        lost = [self._share("appointments", each, "expected") for each in ("missed", "cancelled_late")]
        columns = [*lost, counted("cancelled_early"), counted("booked")]
        walk_ins = answer["total"]["walk_ins"]
        return [
            self._card("attendance"),
            self._tiles(
                *((heading, text(answer["total"])) for _, heading, text in columns),
                (words.name("walk_in_no_shows"), words.share(of(walk_ins, "no_shows"), of(walk_ins, "count"))),
            ),
            *(
                block
                for name in ("service", "provider")
                for block in self._table(
                    words.text(f"{name}s"),
                    words.text(name),
                    [each for each in answer[f"{name}s"] if each["appointments"]["booked"] != 0],
                    columns,
                )
            ),
        ]

    def _lead(self) -> list[Block]:
        words, lead = self._words, self._answer["total"]["lead"]
        self._define("lead", "third_next")
        blocks = [
            self._card("access"),
            self._tiles(
                (words.pair("lead", "median"), words.days(of(lead, "median_days"))),
                (words.pair("lead", "p90"), words.days(of(lead, "p90_days"))),
            ),
        ]
        rows = [[each["name"] or NONE, self._third(each)] for each in self._access["services"]]
        if rows:
            heads = [words.text("service"), words.name("third_next")]
            blocks.append({"kind": "table", "title": words.text("heading.third_next"), "columns": heads, "rows": rows})
        return blocks

    def _third(self, service: Json) -> str:
        words, third = self._words, service["third"]
        if third is None:
            return words.text("third.none", n=self._access["days_ahead"], free=words.count(service["free"]))
        day, time = third["local_start"].split("T")
        return words.text("third.in", days=words.days(third["days"]), day=words.day(day), time=time)

    def _times(self) -> list[Block]:
        columns = [*self._spread("walk"), *self._spread("service")]
        tiles = [(heading, text(self._answer["total"])) for _, heading, text in columns]
        return [self._card("times"), self._tiles(*tiles), *self._by("service", "queue", "provider", columns=columns)]

    def _fairness(self) -> list[Block]:
        words, found = self._words, self._answer["fairness"]
        self._define("out_of_order", "passing", "passed", *(f"reason_{each['reason']}" for each in found["reasons"]))
        blocks = [
            self._card("fairness"),
            self._tiles((words.name("out_of_order"), words.share(of(found, "out_of_order"), of(found, "calls")))),
        ]
        fields = ("calls", "passing", "passed")
        rows = [
            [words.name(f"reason_{each['reason']}"), *(words.count(of(each, field)) for field in fields)]
            for each in found["reasons"]
        ]
        if rows:
            heads = [words.text("reason"), *map(words.name, fields)]
            blocks.append({"kind": "table", "title": words.text("reasons"), "columns": heads, "rows": rows})
        return blocks

    def _messages(self) -> list[Block]:
        words, found = self._words, self._answer["messages"]
        if not found or not found["kinds"]:
            return []
        self._define(*(f"message_{each}" for each in _OUTCOMES), "reminded", "not_reminded")
        rates = [
            (words.name(each), words.share(of(found[each], "missed"), of(found[each], "appointments")))
            for each in ("reminded", "not_reminded")
        ]
        rows = [
            [
                f"{words.text('kind.' + each['kind'])} ({words.text('way.' + each['way'])})",
                *(words.count(of(each, outcome)) for outcome in _OUTCOMES),
            ]
            for each in found["kinds"]
        ]
        heads = [words.text("kind"), *(words.name(f"message_{each}") for each in _OUTCOMES)]
        table = {"kind": "table", "title": words.text("card.messages.lead"), "columns": heads, "rows": rows}
        return [self._card("messages"), self._tiles(*rates), table]

    def _feedback(self) -> list[Block]:
        words, found = self._words, self._answer["feedback"]
        if not found or not found["weeks"]:
            return []
        self._define("answers", "scores")
        heads = [words.text("week"), words.name("answers"), *(words.text("score", n=score) for score in range(1, 6))]
        rows = [
            [
                words.day(each["first_day"]),
                words.count("few" if each["answers"] is None else each["answers"]),
                *(map(words.count, each["scores"] or [None] * 5)),
            ]
            for each in found["weeks"]
        ]
        good = words.share(sum(found["scores"][3:]), found["answers"])
        tiles = self._tiles((words.name("answers"), words.count(found["answers"])), (words.name("scores"), good))
        table = {"kind": "table", "title": words.name("answers"), "columns": heads, "rows": rows}
        return [self._card("feedback"), tiles, table]

    def _chart(
        self, title: str, labels: list[str], lines: Sequence[Line], unit: str, most: float | None = None
    ) -> list[Block]:
        """Return a chart. Without a number to draw, there is none."""
        drawn = [each for _, _, values in lines for each in values if isinstance(each, int | float)]
        if not any(drawn):
            return []
        step = _step(most or max(drawn))
        top = most or step * -(-max(drawn) // step)
        ticks = [{"at": step * count, "text": self._words.number(step * count)} for count in range(int(top / step) + 1)]
        series = [
            {"name": name, "mark": mark, "values": [each if isinstance(each, int | float) else None for each in values]}
            for name, mark, values in lines
        ]
        return [
            {
                "kind": "chart",
                "title": title,
                "labels": labels,
                "series": series,
                "ticks": ticks,
                "top": top,
                "unit": unit.strip(),
            }
        ]


def _step(most: float) -> float:
    """Return the distance of the marks on an axis up to ``most``: at most five of them."""
    size = 1.0
    while size * _MOST_TICKS < most:
        for factor in (1, 2, 5):
            if size * factor * _MOST_TICKS >= most:
                return size * factor
        size *= 10
    return size


def _hour(hour: int, *, second: bool) -> str:
    return f"{hour:02}{'*' if second else ''}"


def _minutes(value: Any) -> float | None:
    return round(value / _MINUTE, 1) if isinstance(value, int) else None


def _over(value: Any, by: float) -> float | None:
    return round(value / by, 1) if isinstance(value, int) and by > 0 else None


def _percent(promises: Json) -> int | None:
    held, whole = of(promises, "held"), of(promises, "count")
    return round(100 * held / whole) if isinstance(held, int) and isinstance(whole, int) and whole > 0 else None
