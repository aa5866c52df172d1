"""Which nodes read data from outside the cluster, and what they need for it.

A contract does not say whether a component opens connections. Its parameters do: a URL in them
is read. What it emits may refer to data that have stayed where they were, so that every node
behind it reads outside too. No other node may.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import networkx as nx

from orchestrator.errors import RenderError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from composer.document import Place
    from composer.graph import Graph
    from composer.plan import PlannedNode
    from orchestrator.profiles import Profile

_REMOTE: Final = re.compile(r"(https?|s3|gs|abfss?|ftp)://|/vsi(curl|s3|gs|az)", re.IGNORECASE)
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|/vsi")

_BUCKET: Final = re.compile(r"(?:s3://|/vsis3/)([^/]+)", re.IGNORECASE)

SHARED_FOLDER: Final = "/shared"


def remote_nodes(graph: Graph) -> frozenset[str]:
    """Return the nodes that read, or may be handed, data from outside."""
    followers: nx.DiGraph[str] = nx.DiGraph()
    followers.add_nodes_from(graph.nodes)
    followers.add_edges_from((end.node, other.node) for end, other in graph.network.edges())
    readers = {name for name, node in graph.nodes.items() if _names_a_url(node)}
    return frozenset(readers.union(*(nx.descendants(followers, name) for name in readers)))


def check_paths(graph: Graph) -> None:
    """Raise RenderError for every parameter that is a path of the user's own machine."""
    faults = [
        f"node {name}, parameter {'.'.join(map(str, place))}: {value} is a path of this machine, "
        "which a pod does not have"
        for name, node in graph.nodes.items()
        for place, value in _local_paths(node)
    ]
    if faults:
        advice = (
            f"Give a URL (https:// or s3://), or a path below {SHARED_FOLDER} "
            "for what lies in the run's shared folder."
        )
        raise RenderError("\n".join([*faults, advice]))


def check_buckets(graph: Graph, profile: Profile) -> None:
    """Raise RenderError for every bucket that the site's S3 service does not have.

    All of S3 is read through that one endpoint, so that nothing else would be found there.
    """
    eodata = profile.eodata
    if eodata is None or eodata.bucket is None:
        return
    faults = [
        f"node {name}: {text} is not in the bucket {eodata.bucket} at {eodata.endpoint}"
        for name, node in graph.nodes.items()
        for text in texts(dict(node.params))
        if (match := _BUCKET.match(text)) and match[1] != eodata.bucket
    ]
    if faults:
        advice = (
            f"Profile {profile.name} reads all of S3 through that endpoint: give an https:// URL, "
            "another eodata.endpoint, or eodata.bucket=null where it has several buckets."
        )
        raise RenderError("\n".join([*faults, advice]))


def data_environment(profile: Profile) -> list[dict[str, Any]]:
    """Return the variables with which GDAL and s3fs read the site's data; keys by reference."""
    eodata = profile.eodata
    if eodata is None or eodata.endpoint is None:
        return []
    url = urlsplit(eodata.endpoint)
    plain = {
        # botocore, which s3fs uses: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
        "AWS_ENDPOINT_URL": eodata.endpoint,
        "AWS_DEFAULT_REGION": eodata.region,
        # GDAL: https://gdal.org/en/stable/user/virtual_file_systems.html#vsis3
        "AWS_S3_ENDPOINT": url.netloc,
        "AWS_HTTPS": "YES" if url.scheme == "https" else "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
    }
    keys = {
        "AWS_ACCESS_KEY_ID": eodata.access_key,
        "AWS_SECRET_ACCESS_KEY": eodata.secret_key,
    }
    return [
        *({"name": name, "value": value} for name, value in plain.items()),
        *(
            {"name": name, "valueFrom": {"secretKeyRef": {"name": eodata.secret, "key": key}}}
            for name, key in keys.items()
        ),
    ]


def data_port(profile: Profile) -> int:
    """Return the port of the site's S3 service."""
    url = urlsplit(profile.eodata.endpoint or "" if profile.eodata else "")
    return url.port or (80 if url.scheme == "http" else 443)


def _names_a_url(node: PlannedNode) -> bool:
    return any(_REMOTE.match(text) for text in texts(dict(node.params)))


def texts(value: Any) -> Iterator[str]:
    """Yield all texts in the parameters of a node, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for below in value.values():
            yield from texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from texts(below)


def _local_paths(node: PlannedNode) -> Iterator[tuple[Place, str]]:
    """Yield place and value of each parameter that is a path, and not one in the volume."""
    places: list[Place] = []

    def note(place: Place) -> Path:
        places.append(place)
        return Path("/")

    node.component.schema.with_absolute_paths(node.params, note)
    shared = Path(node.options.shared_folder or SHARED_FOLDER)
    for place in places:
        value: Any = node.params
        for key in place:
            value = value[key]
        if value and not _URL.match(value) and not Path(value).is_relative_to(shared):
            yield place, value
