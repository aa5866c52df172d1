"""The objects of one node: Deployment, Service, and what keeps enough replicas of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from composer.blueprint import PORT
from composer.deployments import WEB_PORT
from orchestrator.render import labels, pods, tls
from orchestrator.render.data import SHARED_FOLDER, data_environment
from orchestrator.render.quantities import byte_quantity, requested

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.engine.plan import NodePlan
    from orchestrator.render.context import Context

GRPC_PORT_NAME: Final = "grpc"
WEB_PORT_NAME: Final = "web-ui"
_STOP_GRACE_S: Final = 20
_TERMINATION_GRACE_S: Final = 30
_CPU_UTILISATION_PERCENT: Final = 80


def node_objects(context: Context, node: NodePlan) -> Iterator[dict[str, Any]]:
    """Yield the objects of one node of the pipeline."""
    yield _service(context, node)
    yield _deployment(context, node)
    if context.options.max_replicas is not None:
        yield _autoscaler(context, node, context.options.max_replicas)
    if context.replicas(node) > 1:
        yield _disruption_budget(context, node)


def _labels(context: Context, node: NodePlan) -> dict[str, str]:
    return {
        labels.NAME: node.component,
        labels.ROLE: labels.COMPONENT_ROLE,
        labels.NODE: node.name,
    }


def _metadata(context: Context, node: NodePlan) -> dict[str, Any]:
    # Not on pods: a new version alone would replace them otherwise, image or not.
    # A version may end in what a label's value may not.
    extra = _labels(context, node) | {labels.VERSION: node.version.rstrip("-.")}
    return context.metadata(context.name(node.name), extra)


def _service(context: Context, node: NodePlan) -> dict[str, Any]:
    """Return a headless Service: its name means the addresses of all ready replicas.

    A gRPC client keeps its connection, so that a virtual address would give all calls to one
    replica. With all addresses it goes round them.
    """
    ports = [{"name": GRPC_PORT_NAME, "port": PORT, "targetPort": GRPC_PORT_NAME}]
    if context.has_web_ui(node.name):
        ports.append({"name": WEB_PORT_NAME, "port": WEB_PORT, "targetPort": WEB_PORT_NAME})
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(context, node),
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "None",
            "publishNotReadyAddresses": False,
            "selector": labels.node_selector(context.deployment, node.name),
            "ports": [{**port, "protocol": "TCP"} for port in ports],
        },
    }


def _deployment(context: Context, node: NodePlan) -> dict[str, Any]:
    replicas = context.replicas(node)
    spec: dict[str, Any] = {
        "replicas": replicas,
        "revisionHistoryLimit": 3,
        # Images with models take long to pull.
        "progressDeadlineSeconds": 1800,
        "selector": {"matchLabels": labels.node_selector(context.deployment, node.name)},
        # In place: a new replica would wait for ever for the cores, the quota or the GPU of the old
        # one where they are the last. No run loses by it: its calls are made again.
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1},
        },
        "template": {
            "metadata": {
                "labels": context.labels | _labels(context, node),
                **tls.pod_annotations(context),
            },
            "spec": _pod(context, node, replicas),
        },
    }
    if context.options.max_replicas is not None:
        # The autoscaler's field; with both, every new deployment would undo its work.
        del spec["replicas"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(context, node),
        "spec": spec,
    }


def _pod(context: Context, node: NodePlan, replicas: int) -> dict[str, Any]:
    container = _container(context, node)
    third_party = context.is_third_party(node.name)
    folder_image = context.orchestrator_image if third_party else container["image"]
    spec = pods.pod(context, [container], folder_image)
    spec["volumes"] += tls.component_volumes(context, node.name)
    spec["terminationGracePeriodSeconds"] = _TERMINATION_GRACE_S
    if node.gpus:
        spec |= pods.gpu_placement(context.profile)
    if replicas > 1 or context.options.max_replicas is not None:
        selector = labels.node_selector(context.deployment, node.name)
        spec["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector},
            }
        ]
    return spec


def _container(context: Context, node: NodePlan) -> dict[str, Any]:
    third_party = context.is_third_party(node.name)
    shared = node.shared_folder or SHARED_FOLDER
    variables = {"SHARED_FOLDER_PATH": shared, "HOME": pods.SCRATCH_PATH}
    if not third_party:
        variables |= {"EOLOOM_LOG_FORMAT": "json", "EOLOOM_STOP_GRACE_S": str(_STOP_GRACE_S)}
    env = pods.environment(variables | tls.component_environment(context, node.name))
    if node.name in context.remote:
        env += data_environment(context.profile)
    return {
        "name": "component",
        "image": context.image(node.image),
        "imagePullPolicy": "IfNotPresent",
        "env": env,
        "ports": _ports(context, node.name),
        "resources": _resources(context, node),
        "securityContext": pods.container_security(read_only=not third_party),
        "volumeMounts": [
            pods.scratch_mount(),
            {
                "name": pods.VOLUME,
                "mountPath": shared,
                "subPath": f"{pods.run_folder(context, context.run)}/shared",
            },
            *tls.mounts(tls.component_volumes(context, node.name)),
        ],
    } | _probes(context, node.name)


def _ports(context: Context, node: str) -> list[dict[str, Any]]:
    ports = {GRPC_PORT_NAME: PORT}
    if context.has_web_ui(node):
        ports[WEB_PORT_NAME] = WEB_PORT
    if tls.speaks_tls(context, node) and context.has_health(node):
        ports[tls.HEALTH_PORT_NAME] = tls.HEALTH_PORT
    return [
        {"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()
    ]


def _resources(context: Context, node: NodePlan) -> dict[str, Any]:
    """Return what is reserved for a replica, and its bounds: none for cores, idle ones are free."""
    requests = requested(context.profile, node.cpu, node.memory_bytes)
    limits = {"memory": byte_quantity(node.memory_bytes)}
    if node.gpus and context.profile.gpu is not None:
        requests[context.profile.gpu.resource] = str(node.gpus)
        limits[context.profile.gpu.resource] = str(node.gpus)
    return {"requests": requests, "limits": limits}


def _probes(context: Context, node: str) -> dict[str, Any]:
    """Return the probes: by gRPC health, or whether the port is open where there is none.

    Five minutes to start, because models are loaded then. Being slow is no reason to be killed:
    a process is restarted only after two minutes without any answer.
    """
    handler: dict[str, Any] = {"tcpSocket": {"port": PORT}}
    if context.has_health(node):
        # A number, as gRPC probes take no name of a port; and they speak no TLS.
        handler = {"grpc": {"port": tls.HEALTH_PORT if tls.speaks_tls(context, node) else PORT}}
    return {
        "startupProbe": handler
        | {"periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 150},
        "readinessProbe": handler
        | {"periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3},
        "livenessProbe": handler
        | {"periodSeconds": 20, "timeoutSeconds": 15, "failureThreshold": 6},
    }


def _autoscaler(context: Context, node: NodePlan, most: int) -> dict[str, Any]:
    least = max(1, context.replicas(node))
    # It reckons in what is reserved, of which a busy component uses a multiple.
    utilisation = round(_CPU_UTILISATION_PERCENT / context.profile.requests.cpu)
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": _metadata(context, node),
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": context.name(node.name),
            },
            "minReplicas": least,
            "maxReplicas": max(least, most),
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {
                            "type": "Utilization",
                            "averageUtilization": utilisation,
                        },
                    },
                }
            ],
        },
    }


def _disruption_budget(context: Context, node: NodePlan) -> dict[str, Any]:
    """Return what lets a drained machine take one replica at a time.

    A node with one replica has none: it would keep a machine from being drained at all, and its
    calls are made again on the next replica.
    """
    selector = labels.node_selector(context.deployment, node.name)
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(context, node),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": selector},
        },
    }
