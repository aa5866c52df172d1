"""The run: what its orchestrator reads, and the Job that is its orchestrator.

The Job's pod may be lost at any time: with its machine, by eviction, for memory. The next one
goes on with the run from the message log on the volume, and so it does where a volume or a database
was not there for a while. A run that has failed by itself is not tried again.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import RenderError
from orchestrator.render import labels, pods, tls
from orchestrator.render.names import MAX_LENGTH, short_hash
from orchestrator.render.quantities import byte_quantity, requested

if TYPE_CHECKING:
    from orchestrator.render.context import Context

INPUT_PATH: Final = "/etc/eoloom"
RUNS_PATH: Final = "/runs"
PIPELINE_KEY: Final = "pipeline.yaml"
ADDRESSES_KEY: Final = "addresses.json"
REPLICAS_KEY: Final = "replicas.json"
IMAGES_KEY: Final = "images.json"
COMPONENTS_FOLDER: Final = "components"

_KEYS: Final = (PIPELINE_KEY, ADDRESSES_KEY, REPLICAS_KEY)

MAX_INPUT_BYTES: Final = 1 << 20
"""What a ConfigMap may hold (https://kubernetes.io/docs/concepts/configuration/configmap/)."""

_CORES: Final = 1.0
_MEMORY_BYTES: Final = 1 << 30

_TERMINATION_LOG: Final = "/dev/termination-log"

_BACKOFF_LIMIT: Final = 10
_START_TIMEOUT_S: Final = 1800
# About two minutes in all, in which a component that was lost is started on another machine.
_ATTEMPTS: Final = 9
_BACKOFF_S: Final = 1
# Of `orchestrator.deployed`: the run has failed, its input is invalid. All else may pass.
_FINAL_EXIT_CODES: Final = [1, 2]


def run_input(context: Context) -> dict[str, Any]:
    """Return the ConfigMap with the pipeline, where its components answer, and what they are.

    It is also the root of the deployed pipeline: it is made first and owns the other objects.
    Raises RenderError where it would be larger than a ConfigMap may be.
    """
    replicas = {node.name: context.replicas(node) for node in context.plan.nodes}
    addresses = {node.name: context.address(node.name) for node in context.plan.nodes}
    data = {
        PIPELINE_KEY: context.graph.pinned().to_yaml(),
        ADDRESSES_KEY: json.dumps(addresses, indent=2) + "\n",
        REPLICAS_KEY: json.dumps(replicas, indent=2) + "\n",
    }
    images = _pinned_images(context)
    if images:
        data[IMAGES_KEY] = json.dumps(images, indent=2) + "\n"
    files = {key: content for key, _, content in _files(context)}
    size = sum(len(text.encode()) for text in data.values()) + sum(map(len, files.values()))
    if size > MAX_INPUT_BYTES:
        raise RenderError(
            f"pipeline {context.plan.name}: with the contracts of its components it has {size} "
            f"bytes, more than the {MAX_INPUT_BYTES} of a ConfigMap; split the pipeline, or build "
            "an orchestrator image that holds the components"
        )
    annotations = {labels.DIGEST: context.plan.digest, labels.RUN: context.run}
    if context.options.user:
        annotations[labels.USER] = context.options.user
    root: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": context.metadata(context.name(), annotations=annotations),
        "data": data,
    }
    if files:
        root["binaryData"] = {
            key: base64.b64encode(content).decode() for key, content in files.items()
        }
    return root


def run_job(context: Context) -> dict[str, Any]:
    """Return the Job that runs the pipeline once.

    A Job cannot be changed. Its name ends in a hash of all that it is, so that a changed one is
    another Job, which goes on with the same run.
    """
    own = {
        labels.NAME: labels.ORCHESTRATOR,
        labels.ROLE: labels.ORCHESTRATOR_ROLE,
    }
    spec = pods.pod(context, [_container(context)], context.orchestrator_image)
    spec["restartPolicy"] = "Never"
    # Time to stop in order and to close the message log.
    spec["terminationGracePeriodSeconds"] = 60
    spec["volumes"].append({"name": "input", "configMap": _input_volume(context)})
    spec["volumes"] += tls.orchestrator_volumes(context)
    job_spec = {
        "backoffLimit": _BACKOFF_LIMIT,
        "completions": 1,
        "parallelism": 1,
        # Two orchestrators must never write one message log.
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {"rules": _failure_rules()},
        "template": {
            "metadata": {"labels": context.labels | own, **tls.pod_annotations(context)},
            "spec": spec,
        },
    }
    digest = short_hash(json.dumps(job_spec, sort_keys=True))
    # Pods are called after it, with six characters more.
    name = context.name("run", digest, limit=MAX_LENGTH - 6)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": context.metadata(name, own, {labels.RUN: context.run}),
        "spec": job_spec,
    }


def _failure_rules() -> list[dict[str, Any]]:
    failed = {"containerName": "orchestrator", "operator": "In", "values": _FINAL_EXIT_CODES}
    # A drained machine is nobody's fault, and does not count.
    disrupted = [{"type": "DisruptionTarget", "status": "True"}]
    return [
        {"action": "FailJob", "onExitCodes": failed},
        {"action": "Ignore", "onPodConditions": disrupted},
    ]


def _container(context: Context) -> dict[str, Any]:
    env = pods.environment(
        {
            "EOLOOM_RUNS_FOLDER": RUNS_PATH,
            "EOLOOM_START_TIMEOUT_S": str(_START_TIMEOUT_S),
            "EOLOOM_ATTEMPTS": str(_ATTEMPTS),
            "EOLOOM_BACKOFF_S": str(_BACKOFF_S),
            "EOLOOM_DEPLOYED_RUN": context.run,
            "EOLOOM_DEPLOYED_FOLDER": INPUT_PATH,
            "EOLOOM_DEPLOYED_TERMINATION_LOG": _TERMINATION_LOG,
            "HOME": pods.SCRATCH_PATH,
        }
        | tls.orchestrator_environment(context)
    )
    journal = context.profile.journal
    if journal is not None:
        reference = {"name": journal.secret, "key": journal.key}
        env.append({"name": "EOLOOM_DATABASE_URL", "valueFrom": {"secretKeyRef": reference}})
    return {
        "name": "orchestrator",
        "image": context.orchestrator_image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "orchestrator.deployed"],
        "env": env,
        "resources": {
            "requests": requested(context.profile, _CORES, _MEMORY_BYTES),
            "limits": {"memory": byte_quantity(_MEMORY_BYTES)},
        },
        "terminationMessagePath": _TERMINATION_LOG,
        "securityContext": pods.container_security(),
        "volumeMounts": [
            pods.scratch_mount(),
            {"name": pods.VOLUME, "mountPath": RUNS_PATH, "subPath": context.deployment},
            {"name": "input", "mountPath": INPUT_PATH, "readOnly": True},
            *tls.mounts(tls.orchestrator_volumes(context)),
        ],
    }


def _input_volume(context: Context) -> dict[str, Any]:
    keys = [*_KEYS, IMAGES_KEY] if _pinned_images(context) else _KEYS
    items = [{"key": key, "path": key} for key in keys]
    items += [{"key": key, "path": path} for key, path, _ in _files(context)]
    return {"name": context.name(), "items": items}


def _pinned_images(context: Context) -> dict[str, dict[str, str]]:
    """Return the images of nodes that are pinned to a digest, for the run to keep."""
    images = {node.name: (node.image, context.image(node.image)) for node in context.plan.nodes}
    return {
        node: {"reference": reference, "digest": used}
        for node, (reference, used) in images.items()
        if "@" in used
    }


def _files(context: Context) -> list[tuple[str, str, bytes]]:
    """Return key, path below the mounted folder, and content of each file of a component."""
    return [
        (f"{component}.{name}", f"{COMPONENTS_FOLDER}/{component}/{name}", content)
        for component, files in context.options.files.items()
        for name, content in files.items()
    ]
