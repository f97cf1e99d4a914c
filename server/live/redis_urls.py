"""The address of a Redis Cluster, as the settings write it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CLUSTER = re.compile(r"(rediss?)\+cluster://(?:([^/?#]*)@)?([^/?#@]*)(/[^?#]*)?(\?[^#]*)?")
_NODE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class ClusterAddress:
    """The nodes of a cluster, and the URL of the first one, which has the password and the options of all."""

    url: str
    nodes: tuple[tuple[str, int], ...]


def cluster_address(url: str) -> ClusterAddress | None:
    """Return the parts of ``redis+cluster://:password@one:6379,two:6379``, or None for the URL of a single Redis.

    Raises `ValueError` for a URL that begins like a cluster's and has another form. The message contains no password.
    """
    if "+cluster:" not in url.partition("//")[0]:
        return None
    found = _CLUSTER.fullmatch(url)
    if found is None:
        raise ValueError("write a cluster like redis+cluster://:password@one:6379,two:6379,three:6379")
    scheme, credentials, hosts, path, options = found.groups()
    if path not in (None, "/", "/0"):
        raise ValueError("a cluster has no numbered databases: remove the number")
    nodes = []
    for each in hosts.split(","):
        node = _NODE.fullmatch(each.strip())
        if node is None or not 0 < int(node[2]) < 65_536:
            raise ValueError("write each node of the cluster with its port, like one:6379,two:6379,three:6379")
        nodes.append((node[1].strip("[]"), int(node[2])))
    user = "" if credentials is None else f"{credentials}@"
    first = hosts.split(",")[0].strip()
    return ClusterAddress(f"{scheme}://{user}{first}/0{options or ''}", tuple(nodes))
