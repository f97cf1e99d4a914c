"""Places for requests at the same time."""

from __future__ import annotations

from server.transport.access.places import Places


def test_client_has_no_more_places_than_its_own() -> None:
    places = Places(per_client=2, in_all=5)
    assert [places.take("a") for _ in range(3)] == [True, True, False]
    assert places.take("b")
    places.give_back("a")
    assert places.take("a")


def test_process_has_no_more_places_than_all() -> None:
    places = Places(per_client=2, in_all=3)
    assert [places.take(who) for who in ("a", "a", "b", "c")] == [True, True, True, False]
    places.give_back("b")
    assert places.take("c")
