"""The address of a cluster."""

from __future__ import annotations

import pytest

from server.live.redis_urls import cluster_address


@pytest.mark.parametrize("url", ["redis://h/1", "rediss://:p@h:6379/0", "redis+socket:///run/redis.sock", "unix:///x"])
def test_address_of_a_single_redis_is_no_cluster(url: str) -> None:
    assert cluster_address(url) is None


@pytest.mark.parametrize(
    ("url", "first", "nodes"),
    [
        ("redis+cluster://one:6379", "redis://one:6379/0", [("one", 6379)]),
        (
            "rediss+cluster://user:p%40s@one:1,10.0.0.2:2,[fd00::3]:3/?ssl_ca_certs=/ca.pem",
            "rediss://user:p%40s@one:1/0?ssl_ca_certs=/ca.pem",
            [("one", 1), ("10.0.0.2", 2), ("fd00::3", 3)],
        ),
        ("redis+cluster://:p@one:1, two:2/0", "redis://:p@one:1/0", [("one", 1), ("two", 2)]),
    ],
)
def test_every_node_is_named_and_the_first_has_the_options(url: str, first: str, nodes: list[tuple[str, int]]) -> None:
    found = cluster_address(url)
    assert found is not None
    assert (found.url, list(found.nodes)) == (first, nodes)


@pytest.mark.parametrize(
    "url",
    [
        "redis+cluster://",
        "redis+cluster://one",
        "redis+cluster://one:0",
        "redis+cluster://one:65536",
        "redis+cluster://one:6379,",
        "redis+cluster://:hunter2@one:6379/1",
        "redis+cluster://:hunter2@one:6379;two:6379",
        "valkey+cluster://:hunter2@one:6379",
    ],
)
def test_another_form_is_refused_without_the_password(url: str) -> None:
    with pytest.raises(ValueError, match="cluster") as caught:
        cluster_address(url)
    assert "hunter2" not in str(caught.value)
