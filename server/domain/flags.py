"""Feature flags in the words of OpenFeature: the declared flags, an operator's rules, and their evaluation.

A flag has two variants, on and off. Its *targeting key* is a site: every process gives a site the same variant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, Protocol, get_args

from server.domain.model.ids import MAX_ID

Variant = Literal["on", "off"]
# STATIC: the same variant everywhere. DEFAULT: no rule. TARGETING_MATCH: by the lists of sites. SPLIT: by the percentage.
# DISABLED: the rule has expired. ERROR: see the code of the error.
Reason = Literal["STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED", "ERROR"]
FlagError = Literal["PARSE_ERROR", "TARGETING_KEY_MISSING"]

MOST_SITES = 1_000  # in a list; a percentage names more
_PARTS = {"variant", "sites", "except", "percent"}
_BUCKETS = 100


@dataclass(frozen=True, slots=True)
class Flag:
    """A declared flag. ``default`` is its variant without a rule.

    ``description`` says what it switches, and ``affects`` which people notice. The code must lose the flag before the day
    ``remove_by`` (``2027-12-01``): until then the capability proves itself, or goes.
    """

    key: str
    default: Variant
    description: str
    affects: str
    remove_by: str


PATIENT_PUSH = Flag(
    key="patient-push",
    default="on",
    description="Messages of a site to patients' phones by the push service of the browser.",
    affects="Patients: off, no page offers these messages, and a message goes by SMS or e-mail where the site has them.",
    remove_by="2027-12-01",
)

TIME_TO_LEAVE = Flag(
    key="time-to-leave",
    default="on",
    description="The time until which a waiting patient may leave, on the patient's page.",
    affects="Patients: off, no page promises a further time to leave. A patient who has read one keeps it until the call.",
    remove_by="2027-12-01",
)

FLAGS: Mapping[str, Flag] = {each.key: each for each in (PATIENT_PUSH, TIME_TO_LEAVE)}


class BadRule(ValueError):
    """A stored rule cannot be read. The text says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """``variant`` for the listed sites and for ``percent`` of the others; without both, for all sites.

    Every other site has the other variant. Sites in ``exempt`` always do.
    """

    variant: Variant
    sites: frozenset[int] = frozenset()
    percent: int | None = None
    exempt: frozenset[int] = frozenset()

    @property
    def is_static(self) -> bool:
        """Whether the rule gives all sites one variant."""
        return not self.sites and self.percent is None and not self.exempt

    def stored(self) -> dict[str, Any]:
        """Return the rule as it is stored: `read_rule` reads it."""
        row: dict[str, Any] = {"variant": self.variant}
        if self.sites:
            row["sites"] = sorted(self.sites)
        if self.exempt:
            row["except"] = sorted(self.exempt)
        if self.percent is not None:
            row["percent"] = self.percent
        return row

    def told(self) -> str:
        """Return the rule for an operator: ``on at 25 % of the sites and at 3, 7; off elsewhere``."""
        at = []
        if self.percent is not None:
            at.append(f"at {self.percent} % of the sites")
        if self.sites:
            at.append(f"at {_listed(self.sites)}")
        if not at:
            return f"{self.variant}, except at {_listed(self.exempt)}" if self.exempt else self.variant
        never = f", never at {_listed(self.exempt)}" if self.exempt else ""
        return f"{self.variant} {' and '.join(at)}{never}; {other(self.variant)} elsewhere"


@dataclass(frozen=True, slots=True)
class Override:
    """The rule of an operator, until ``expires_at`` (microseconds). None stands for a rule that cannot be read."""

    rule: Rule | None
    expires_at: int


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """The circumstances of an evaluation. ``targeting_key`` is the id of the site, as text."""

    targeting_key: str | None = None

    @classmethod
    def of_site(cls, site_id: int) -> EvaluationContext:
        """Return the context of a site."""
        return cls(str(site_id))


@dataclass(frozen=True, slots=True)
class EvaluationDetails:
    """The result of an evaluation. With an error, the variant is the default one."""

    flag_key: str
    variant: Variant
    reason: Reason
    error_code: FlagError | None = None

    @property
    def value(self) -> bool:
        """The variant as a value."""
        return self.variant == "on"


class Flags(Protocol):
    """Answers whether a flag is on."""

    def is_on(self, flag: Flag, site_id: int) -> bool:
        """Return whether ``flag`` is on at a site. Asks nothing, raises nothing."""


class Defaults:
    """Flags without any rule."""

    def is_on(self, flag: Flag, site_id: int) -> bool:
        return flag.default == "on"


DEFAULTS = Defaults()


def other(variant: Variant) -> Variant:
    """Return the other variant."""
    return "off" if variant == "on" else "on"


def evaluate(flag: Flag, override: Override | None, context: EvaluationContext, now: int) -> EvaluationDetails:
    """Return the variant of a flag in a context, with the reason. ``now`` is in microseconds."""

    def default(reason: Reason, error: FlagError | None = None) -> EvaluationDetails:
        return EvaluationDetails(flag.key, flag.default, reason, error)

    if override is None:
        return default("DEFAULT")
    if now >= override.expires_at:
        return default("DISABLED")
    rule = override.rule
    if rule is None:
        return default("ERROR", "PARSE_ERROR")
    if rule.is_static:
        return EvaluationDetails(flag.key, rule.variant, "STATIC")
    key = context.targeting_key
    if key is None:
        return default("ERROR", "TARGETING_KEY_MISSING")
    site_id = int(key) if key.isdecimal() else 0
    if site_id in rule.exempt:
        return EvaluationDetails(flag.key, other(rule.variant), "TARGETING_MATCH")
    if site_id in rule.sites:
        return EvaluationDetails(flag.key, rule.variant, "TARGETING_MATCH")
    if rule.percent is not None:
        within = bucket(flag.key, key) < rule.percent
        return EvaluationDetails(flag.key, rule.variant if within else other(rule.variant), "SPLIT")
    return EvaluationDetails(flag.key, other(rule.variant) if rule.sites else rule.variant, "TARGETING_MATCH")


def bucket(flag_key: str, targeting_key: str) -> int:
    """Return the place of a targeting key among the hundred parts of a flag: the same in every process and version.

    A higher percentage only adds sites. Another flag has another order, so that no site is always the first.
    """
    digest = sha256(f"{flag_key}:{targeting_key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % _BUCKETS


def read_rule(row: object) -> Rule:
    """Return a stored rule. Raises `BadRule`."""
    if not isinstance(row, dict):
        raise BadRule("is no object")
    if unknown := sorted(set(map(str, row)) - _PARTS):
        raise BadRule(f"has unknown parts: {', '.join(unknown)}")
    variant: Any = row.get("variant")
    if variant not in get_args(Variant):
        raise BadRule("has no variant on or off")
    percent = row.get("percent")
    if percent is not None and (type(percent) is not int or not 0 <= percent <= 100):
        raise BadRule("has a percentage that is no whole number from 0 to 100")
    sites, exempt = _sites(row.get("sites", [])), _sites(row.get("except", []))
    if sites & exempt:
        raise BadRule(f"has sites in both lists: {_listed(sites & exempt)}")
    return Rule(variant, sites, percent, exempt)


def is_overdue(flag: Flag, today: str) -> bool:
    """Return whether the code should have lost a flag by ``today`` (``2027-12-01``)."""
    return today >= flag.remove_by


def _sites(ids: object) -> frozenset[int]:
    if not isinstance(ids, list) or any(type(each) is not int or not 0 < each <= MAX_ID for each in ids):
        raise BadRule("has a list with other things than the numbers of sites")
    if len(ids) > MOST_SITES:
        raise BadRule(f"lists more than {MOST_SITES} sites")
    return frozenset(ids)


def _listed(site_ids: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(site_ids)))
