"""Phone numbers: read in the way people of a site write them, stored as E.164, and shown in the site's own format.

A stored number is ``+4930901820``, with an extension ``+4930901820;ext=3``. Numbers that were stored before are left as
they are.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import phonenumbers
from babel.core import get_global
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType, ValidationResult

from server.domain.errors import InvalidField
from server.domain.model import Site, languages

REGIONS = frozenset(phonenumbers.SUPPORTED_REGIONS)
_EXTENSION = ";ext="


def region_of(site: Site) -> str | None:
    """Return the region (``DE``) whose numbers may lack the country code; None if it is not known.

    It is the region that the site's rules name, else that of its time zone, else that of its language (``en-GB``).
    """
    territory = languages.region_of(site.language)
    return site.rules.region or region_of_zone(site.time_zone) or (territory if territory in REGIONS else None)


def read(text: str, site: Site) -> str:
    """Return the number that people of a site write as ``text``, as it is stored.

    A number must have a possible length; newer number ranges than the library knows are accepted. Raises `InvalidField`.
    """
    region = region_of(site)
    plain = "".join(each for each in unicodedata.normalize("NFKC", text) if unicodedata.category(each) != "Cf")
    try:
        number = phonenumbers.parse(plain, region)
    except NumberParseException:
        raise _refusal(region) from None
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        raise _refusal(region)
    extension = _EXTENSION + number.extension if number.extension else ""
    return phonenumbers.format_number(number, PhoneNumberFormat.E164) + extension


def as_stored(text: str, site: Site) -> str:
    """Return a text as `read` does, or as it is if it is no whole number."""
    try:
        return read(text, site)
    except InvalidField:
        return text


def shown(stored: str, site: Site) -> str:
    """Return a stored number as people of a site write it: a number of their own country without its code."""
    try:
        number = phonenumbers.parse(stored, None)
    except NumberParseException:
        return stored
    own = number.country_code == phonenumbers.country_code_for_region(region_of(site) or "")
    return phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL if own else PhoneNumberFormat.INTERNATIONAL)


def without_extension(stored: str) -> str:
    """Return the number that a message goes to."""
    return stored.partition(_EXTENSION)[0]


@cache
def region_of_zone(time_zone: str) -> str | None:
    """Return the region of an IANA time zone; None if the zone has none."""
    known = get_global("zone_territories")
    territory = known.get(time_zone) or known.get(get_global("zone_aliases").get(time_zone, ""))
    return territory if territory in REGIONS else None


def _refusal(region: str | None) -> InvalidField:
    if region is None:
        example = "+49 30 901820"
        problem = f"a phone number begins with + and the code of its country, such as {example}"
    else:
        number = phonenumbers.example_number_for_type(region, PhoneNumberType.FIXED_LINE) or PhoneNumber()
        example = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
        problem = f"this is no phone number. Write it with its area code, such as {example}, or with + and its country"
    return InvalidField(field="phone", problem=problem, example=example)
