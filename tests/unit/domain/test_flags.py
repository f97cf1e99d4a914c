"""Flags: a rule gives each site one variant, with the reason in OpenFeature's words."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import pytest

from server.domain.flags import (
    DEFAULTS,
    FLAGS,
    MOST_SITES,
    BadRule,
    EvaluationContext,
    EvaluationDetails,
    Flag,
    Override,
    Rule,
    bucket,
    evaluate,
    is_overdue,
    read_rule,
)

FLAG = Flag("a-flag", "on", "A capability.", "Nobody.", "2027-12-01")
NOW, LATER = 1_000, 2_000
HERE = EvaluationContext.of_site(7)
PLACES = [98, 19, 8, 59]  # of the sites 1, 2, 3 and 812, for the flag patient-push


def details(rule: Rule | None, context: EvaluationContext = HERE, expires_at: int = LATER) -> EvaluationDetails:
    return evaluate(FLAG, Override(rule, expires_at), context, NOW)


@pytest.mark.parametrize(
    ("rule", "variant", "reason"),
    [
        (Rule("on"), "on", "STATIC"),
        (Rule("off"), "off", "STATIC"),
        (Rule("off", sites=frozenset({7, 9})), "off", "TARGETING_MATCH"),
        (Rule("off", sites=frozenset({9})), "on", "TARGETING_MATCH"),
        (Rule("off", exempt=frozenset({7})), "on", "TARGETING_MATCH"),
        (Rule("off", exempt=frozenset({9})), "off", "TARGETING_MATCH"),
        (Rule("off", percent=100), "off", "SPLIT"),
        (Rule("off", percent=0), "on", "SPLIT"),
        (Rule("off", percent=0, sites=frozenset({7})), "off", "TARGETING_MATCH"),
        (Rule("off", percent=100, exempt=frozenset({7})), "on", "TARGETING_MATCH"),
    ],
)
def test_rule_gives_a_site_its_variant(rule: Rule, variant: str, reason: str) -> None:
    found = details(rule)
    assert (found.flag_key, found.variant, found.reason, found.error_code) == ("a-flag", variant, reason, None)
    assert found.value is (variant == "on")


def test_flag_without_a_rule_has_its_default() -> None:
    assert evaluate(FLAG, None, HERE, NOW) == EvaluationDetails("a-flag", "on", "DEFAULT")
    assert all(DEFAULTS.is_on(each, 7) is (each.default == "on") for each in FLAGS.values())


def test_expired_rule_does_not_count_from_its_last_instant_on() -> None:
    assert details(Rule("off"), expires_at=NOW + 1).reason == "STATIC"
    assert details(Rule("off"), expires_at=NOW) == EvaluationDetails("a-flag", "on", "DISABLED")


def test_unreadable_rule_gives_the_default_with_an_error() -> None:
    assert details(None) == EvaluationDetails("a-flag", "on", "ERROR", "PARSE_ERROR")


def test_rule_about_sites_needs_a_site() -> None:
    nowhere = EvaluationContext()
    assert details(Rule("off", percent=50), nowhere) == EvaluationDetails("a-flag", "on", "ERROR", "TARGETING_KEY_MISSING")
    assert details(Rule("off"), nowhere).reason == "STATIC"


def test_higher_percentage_only_adds_sites() -> None:
    before: set[int] = set()
    for percent in (0, 1, 10, 25, 50, 99, 100):
        rule = Rule("on", percent=percent)
        chosen = {site for site in range(1, 2_001) if details(rule, EvaluationContext.of_site(site)).variant == "on"}
        assert before <= chosen
        assert abs(len(chosen) - 20 * percent) <= 80, percent
        before = chosen


def test_place_of_a_site_never_changes_and_differs_by_flag() -> None:
    """A changed hash would move sites between the variants in the middle of a trial."""
    assert [bucket("patient-push", str(site)) for site in (1, 2, 3, 812)] == PLACES
    assert [bucket("other", str(site)) for site in range(20)] != [bucket("patient-push", str(site)) for site in range(20)]


@pytest.mark.parametrize(
    "rule",
    [
        Rule("on"),
        Rule("off", sites=frozenset({3, 7})),
        Rule("on", percent=0),
        Rule("off", frozenset({3}), 25, frozenset({12})),
    ],
)
def test_stored_rule_is_read_again(rule: Rule) -> None:
    assert read_rule(json.loads(json.dumps(rule.stored()))) == rule


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (Rule("on"), "on"),
        (Rule("off", exempt=frozenset({7})), "off, except at 7"),
        (Rule("on", sites=frozenset({7, 3})), "on at 3, 7; off elsewhere"),
        (Rule("on", frozenset({3}), 25, frozenset({12})), "on at 25 % of the sites and at 3, never at 12; off elsewhere"),
    ],
)
def test_rule_is_told_in_words(rule: Rule, told: str) -> None:
    assert rule.told() == told


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ([], "is no object"),
        ({}, "has no variant"),
        ({"variant": True}, "has no variant"),
        ({"variant": ["on"]}, "has no variant"),
        ({"variant": "on", "color": 1}, "unknown parts: color"),
        ({"variant": "on", "percent": 101}, "percentage"),
        ({"variant": "on", "percent": True}, "percentage"),
        ({"variant": "on", "percent": 2.5}, "percentage"),
        ({"variant": "on", "sites": 7}, "numbers of sites"),
        ({"variant": "on", "sites": ["7"]}, "numbers of sites"),
        ({"variant": "on", "sites": [0]}, "numbers of sites"),
        ({"variant": "on", "sites": list(range(1, MOST_SITES + 2))}, "more than"),
        ({"variant": "on", "sites": [7], "except": [7]}, "both lists: 7"),
    ],
)
def test_malformed_rule_is_refused_with_its_reason(row: Any, why: str) -> None:
    with pytest.raises(BadRule, match=re.escape(why)):
        read_rule(row)


def test_flag_is_overdue_from_its_last_day_on() -> None:
    assert not is_overdue(FLAG, "2027-11-30")
    assert is_overdue(FLAG, "2027-12-01")


@pytest.mark.parametrize("flag", FLAGS.values(), ids=FLAGS)
def test_declaration_is_complete(flag: Flag) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9-]{2,59}", flag.key)
    assert flag.description.endswith(".")
    assert flag.affects.endswith(".")
    assert date.fromisoformat(flag.remove_by).isoformat() == flag.remove_by
