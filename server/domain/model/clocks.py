"""The clock of a site: whether its screens write 14:40 or 2:40 pm.

The two sets are those of CLDR, the locale data of Unicode: the usual short time in a country, and of a language.
"""

from __future__ import annotations

from typing import Literal

from server.domain.model import languages
from server.domain.model.site import Site

Hours = Literal["12", "24"]

_REGIONS = (
    "AE AG AL AS AU BB BD BH BM BN BO BS BT CA CO CR CU CY DJ DM DO DZ EC EG EH ER ET FJ FM GD GH GM GR GT GU GY HK "
    "HN IN IQ JM JO KH KI KN KP KR KW KY LB LC LR LS LY MH MO MP MR MW MX MY NA NI NZ OM PA PE PG PH PK PR PS PW QA "
    "SA SB SD SG SL SO SS SV SY SZ TC TD TN TO TT TW UM US VC VE VG VI VU WS YE"
)
# For a site without a country. English has no usual clock: its pages use the British one.
_LANGUAGES = "aa ak am ar as bn dz ee el fil gu hi iu km kn ko ks mi ml mr ms ny om or pa qu sa sd so sq ta te ti to ur"
TWELVE_HOUR_REGIONS, TWELVE_HOUR_LANGUAGES = frozenset(_REGIONS.split()), frozenset(_LANGUAGES.split())


def clock_of(site: Site) -> Hours:
    """Return the clock that the site's rules set, or the usual one of its country, or else of its language."""
    if site.rules.clock != "auto":
        return site.rules.clock
    region = site.rules.region or languages.region_of(site.language)
    if region:
        return "12" if region in TWELVE_HOUR_REGIONS else "24"
    return "12" if languages.lookup([site.language], TWELVE_HOUR_LANGUAGES) else "24"
