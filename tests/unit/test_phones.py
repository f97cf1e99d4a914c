"""Phone numbers: reading, storing and showing them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server import phones
from server.domain.errors import InvalidField
from server.domain.model import Rules, Site
from tests.support.worlds import a_site


def site_of(time_zone: str = "Europe/Berlin", language: str = "en", region: str = "") -> Site:
    return replace(a_site(), time_zone=time_zone, language=language, rules=Rules(region=region))


@pytest.mark.parametrize(
    ("time_zone", "language", "region", "found"),
    [
        ("Europe/Berlin", "ar", "", "DE"),
        ("America/New_York", "es", "", "US"),
        ("Asia/Kolkata", "en", "", "IN"),
        ("Africa/Cairo", "ar", "", "EG"),
        ("Europe/Berlin", "de", "CH", "CH"),
        ("UTC", "en", "GB", "GB"),
        ("UTC", "en-GB", "", "GB"),
        ("UTC", "en", "", None),
        ("Etc/UTC", "zh-Hant", "", None),
    ],
)
def test_region_of_a_site(time_zone: str, language: str, region: str, found: str | None) -> None:
    assert phones.region_of(site_of(time_zone, language, region)) == found


@pytest.mark.parametrize(
    ("region", "written", "stored", "shown"),
    [
        ("DE", "030/901820", "+4930901820", "030 901820"),
        ("DE", "030 901820", "+4930901820", "030 901820"),
        ("DE", "(030) 90-18-20", "+4930901820", "030 901820"),
        ("DE", "030\u00a0901\u202f820", "+4930901820", "030 901820"),
        ("DE", "0049 30 901820", "+4930901820", "030 901820"),
        ("DE", "+49 (0)30 901820", "+4930901820", "030 901820"),
        ("DE", "\u202a+49 30 901820\u202c", "+4930901820", "030 901820"),
        ("DE", "\uff10\uff13\uff10 901820", "+4930901820", "030 901820"),
        ("DE", "030 901820 ext 3", "+4930901820;ext=3", "030 901820 ext. 3"),
        ("DE", "+442079460018", "+442079460018", "+44 20 7946 0018"),
        ("GB", "+442079460018", "+442079460018", "020 7946 0018"),
        ("US", "555.123.4567", "+15551234567", "(555) 123-4567"),
        ("US", "(212) 555-0101 x12", "+12125550101;ext=12", "(212) 555-0101 ext. 12"),
        ("EG", "\u0660\u0661\u0660 \u0661\u0662\u0663\u0664 \u0665\u0666\u0667\u0668", "+201012345678", "010 12345678"),
        ("IR", "\u06f0\u06f9\u06f1\u06f2 \u06f3\u06f4\u06f5 \u06f6\u06f7\u06f8\u06f9", "+989123456789", "0912 345 6789"),
        ("", "+49 30 901820", "+4930901820", "+49 30 901820"),
    ],
)
def test_number_is_stored_as_e164_and_shown_nationally(region: str, written: str, stored: str, shown: str) -> None:
    site = site_of("UTC", region=region)
    assert phones.read(written, site) == stored
    assert phones.shown(stored, site) == shown
    assert phones.read(shown, site) == stored, "the shown form can be saved again"
    assert phones.without_extension(stored) == stored.split(";", maxsplit=1)[0]


@pytest.mark.parametrize(
    ("region", "written"),
    [
        *(("DE", text) for text in ("call me", "12", "+49", "1" * 40, "0", "+0 123456")),
        ("US", "030/901820"),
        ("US", "555-0101"),
        ("", "030 901820"),
        ("", "555.123.4567"),
    ],
)
def test_other_texts_are_refused_with_an_example(region: str, written: str) -> None:
    site = site_of("UTC", region=region)
    with pytest.raises(InvalidField) as refused:
        phones.read(written, site)
    assert refused.value.details["field"] == "phone"
    example = str(refused.value.details["example"])
    assert example in refused.value.message
    assert phones.read(example, site)


def test_every_region_has_an_example() -> None:
    for region in sorted(phones.REGIONS):
        with pytest.raises(InvalidField) as refused:
            phones.read("x", site_of("UTC", region=region))
        assert phones.read(str(refused.value.details["example"]), site_of("UTC", region=region))


@pytest.mark.parametrize("old", ["030 901820", "call 5", "(030) 123-45"])
def test_number_that_was_stored_before_is_shown_as_it_is(old: str) -> None:
    assert phones.shown(old, site_of()) == old
