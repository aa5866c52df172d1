"""Who may talk to whom: nothing, and then exactly what the graph needs.

- the orchestrator calls the components on their gRPC port; nobody else does, and components call
  neither each other nor the orchestrator
- every pod asks the cluster's DNS
- components with data from outside read the site's S3 service and the profile's outside addresses
- the orchestrator reaches the database of the journal, if there is one

Images are pulled by the kubelet of a machine, so that no pod needs the image registry. Probes come
from the kubelet too, and are let through by every network plug-in, as are port-forwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from composer.blueprint import PORT
from orchestrator.render import labels
from orchestrator.render.data import data_port
from orchestrator.render.options import Orchestrator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.profiles import Network
    from orchestrator.render.context import Context


def network_policies(context: Context) -> Iterator[dict[str, Any]]:
    """Yield the policies of a deployed pipeline."""
    every_pod = {labels.INSTANCE: context.deployment}
    components = labels.role_selector(context.deployment, labels.COMPONENT_ROLE)
    orchestrator = labels.role_selector(context.deployment, labels.ORCHESTRATOR_ROLE)
    yield _policy(
        context,
        "deny",
        "Nothing reaches these pods, and they reach nothing, unless another policy says so.",
        every_pod,
        {"policyTypes": ["Ingress", "Egress"]},
    )
    yield _policy(context, "dns", "Names are looked up.", every_pod, _egress(_dns(context)))
    yield _policy(
        context,
        "calls",
        "The orchestrator calls the components.",
        components,
        {
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [_caller(context)], "ports": _ports(PORT)}],
        },
    )
    if context.options.orchestrator is Orchestrator.JOB:
        peers: list[dict[str, Any]] = [{"podSelector": {"matchLabels": components}}]
        rules = [{"to": peers, "ports": _ports(PORT)}]
        journal = context.profile.journal
        if journal is not None:
            peers = [{"ipBlock": {"cidr": journal.cidr}}]
            rules.append({"to": peers, "ports": _ports(journal.port)})
        yield _policy(
            context,
            "orchestrator",
            "The orchestrator calls the components, and its journal.",
            orchestrator,
            {"policyTypes": ["Egress"], "egress": rules},
        )
    if context.remote:
        yield _data_policy(context, components)


def _data_policy(context: Context, components: dict[str, str]) -> dict[str, Any]:
    rules = []
    eodata = context.profile.eodata
    if eodata is not None and eodata.cidrs:
        peers: list[dict[str, Any]] = [{"ipBlock": {"cidr": cidr}} for cidr in eodata.cidrs]
        rules.append({"to": peers, "ports": _ports(data_port(context.profile))})
    for outside in context.profile.network.outside:
        block: dict[str, Any] = {"cidr": outside.cidr}
        if outside.except_:
            block["except"] = list(outside.except_)
        rules.append({"to": [{"ipBlock": block}], "ports": _ports(*outside.ports)})
    nodes = {"key": labels.NODE, "operator": "In", "values": sorted(context.remote)}
    policy = _policy(
        context,
        "data",
        "Data and catalogues outside the cluster, for the nodes whose parameters name a URL and "
        "those behind them.",
        components,
        {"policyTypes": ["Egress"], "egress": rules},
    )
    policy["spec"]["podSelector"]["matchExpressions"] = [nodes]
    return policy


def _caller(context: Context) -> dict[str, Any]:
    """Return the peer that calls components."""
    options = context.options
    if options.orchestrator is Orchestrator.JOB:
        selector = labels.role_selector(context.deployment, labels.ORCHESTRATOR_ROLE)
        return {"podSelector": {"matchLabels": selector}}
    namespace = {"kubernetes.io/metadata.name": options.orchestrator_namespace}
    return {
        "namespaceSelector": {"matchLabels": namespace},
        "podSelector": {"matchLabels": {labels.NAME: labels.ORCHESTRATOR}},
    }


def _dns(context: Context) -> list[dict[str, Any]]:
    network: Network = context.profile.network
    namespace = {"kubernetes.io/metadata.name": network.dns_namespace}
    servers: dict[str, Any] = {
        "namespaceSelector": {"matchLabels": namespace},
        "podSelector": {"matchLabels": dict(network.dns_labels)},
    }
    caches = [{"ipBlock": {"cidr": cidr}} for cidr in network.dns_cidrs]
    ports = [{"protocol": protocol, "port": network.dns_port} for protocol in ("UDP", "TCP")]
    return [{"to": [servers, *caches], "ports": ports}]


def _egress(rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"policyTypes": ["Egress"], "egress": rules}


def _ports(*ports: int) -> list[dict[str, Any]]:
    return [{"protocol": "TCP", "port": port} for port in ports]


def _policy(
    context: Context, name: str, description: str, selector: dict[str, str], spec: dict[str, Any]
) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": context.metadata(
            context.name(name), annotations={labels.DESCRIPTION: description}
        ),
        "spec": {"podSelector": {"matchLabels": selector}, **spec},
    }
