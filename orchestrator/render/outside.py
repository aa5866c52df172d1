"""Whether the policies of the network let through what parameters name.

A policy that does not is no error to a cluster: the component would wait for an answer that never
comes.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from orchestrator.errors import RenderError
from orchestrator.render.data import data_port, texts

if TYPE_CHECKING:
    from composer.graph import Graph
    from orchestrator.profiles import Outside, Profile

_URL: Final = re.compile(r"(?:/vsicurl/)?((?:https?|ftp)://\S+)", re.IGNORECASE)
_PORTS: Final = {"http": 80, "https": 443, "ftp": 21}

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_outside(graph: Graph, profile: Profile) -> None:
    """Raise RenderError for every URL that the profile's `network.outside` keeps pods from."""
    faults = [
        f"node {name}: {text}: {reason}"
        for name, node in graph.nodes.items()
        for text in texts(dict(node.params))
        if (match := _URL.match(text)) and (reason := _hindrance(match[1], profile))
    ]
    if faults:
        advice = (
            "Give another URL, or open its addresses and port by network.outside in a copy of the "
            f"profile {profile.name}."
        )
        raise RenderError("\n".join([*faults, advice]))


def _hindrance(url: str, profile: Profile) -> str:
    """Return why a pod cannot reach a URL, as far as it is known without looking names up."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme.lower()]
    except ValueError:
        return ""  # what is no URL is the component's to refuse
    address = _address(host)
    if host == "localhost" or (address and address.is_loopback):
        return "in a pod this is the pod itself, and not this machine"
    if _is_site_data(host, port, address, profile):
        return ""
    return _closed_port(port, profile) if address is None else _closed(address, port, profile)


def _closed_port(port: int, profile: Profile) -> str:
    """Return why a host whose addresses are not known is out of reach."""
    opened = sorted({port for outside in profile.network.outside for port in outside.ports})
    if port in opened:
        return ""
    there = ", ".join(map(str, opened)) or "none"
    return f"pods reach no port {port} outside the cluster; the profile opens {there}"


def _closed(address: _Address, port: int, profile: Profile) -> str:
    if any(port in each.ports and _covers(each, address) for each in profile.network.outside):
        return ""
    return f"pods do not reach the address {address} at port {port}"


def _is_site_data(host: str, port: int, address: _Address | None, profile: Profile) -> bool:
    """Whether it is the site's S3 service, which has a rule of its own."""
    eodata = profile.eodata
    if eodata is None or port != data_port(profile):
        return False
    if host == urlsplit(eodata.endpoint or "").hostname:
        return True
    cidrs = [ipaddress.ip_network(cidr) for cidr in eodata.cidrs or ()]
    return address is not None and any(address in cidr for cidr in cidrs)


def _covers(outside: Outside, address: _Address) -> bool:
    return address in ipaddress.ip_network(outside.cidr) and not any(
        address in ipaddress.ip_network(each) for each in outside.except_
    )


def _address(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
