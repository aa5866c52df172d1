"""The claim for runs, shared folders and results, and the volume behind it where a profile has one.

A volume belongs to the cluster, not to a namespace: making it takes rights that deploying does not
take otherwise. Where these are not given, somebody makes volume and claim beforehand, and the
profile names the claim. Both outlive the pipeline, and what is in the volume outlives both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from orchestrator.errors import RenderError
from orchestrator.render import labels
from orchestrator.render.names import object_name

if TYPE_CHECKING:
    from orchestrator.profiles import Volume
    from orchestrator.render.context import Context


def storage_objects(context: Context) -> Iterator[dict[str, Any]]:
    """Yield claim and volume, unless the profile names a claim that exists.

    Raises RenderError where the namespace of a volume's claim is not known.
    """
    storage = context.profile.storage
    if storage.claim is not None:
        return
    if storage.volume is not None:
        yield _volume(context, storage.volume)
    yield _claim(context)


def _claim(context: Context) -> dict[str, Any]:
    storage = context.profile.storage
    spec: dict[str, Any] = {
        "accessModes": [storage.access_mode],
        "storageClassName": "" if storage.volume else storage.storage_class,
        "resources": {"requests": {"storage": storage.size}},
    }
    if storage.volume:
        spec["volumeName"] = _volume_name(context)
    description = "Runs, shared folders and results; kept when the pipeline is removed."
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": context.metadata(context.claim, annotations=_kept(description)),
        "spec": spec,
    }


def _volume(context: Context, volume: Volume) -> dict[str, Any]:
    """Return the volume, bound to the claim from the beginning, so that no other one takes it."""
    storage = context.profile.storage
    place = (_namespace(context), context.deployment)
    source: dict[str, Any] = {
        "driver": volume.driver,
        "volumeHandle": volume.text(volume.handle, *place),
        "volumeAttributes": {k: volume.text(v, *place) for k, v in volume.attributes.items()},
    }
    for field, secret in (
        ("nodePublishSecretRef", volume.publish_secret),
        ("nodeStageSecretRef", volume.stage_secret),
    ):
        if secret is not None:
            source[field] = secret.model_dump()
    metadata = context.metadata(
        _volume_name(context), annotations=_kept("Of one claim. What is in it is never deleted.")
    )
    metadata.pop("namespace", None)
    claim = {"namespace": _namespace(context), "name": context.claim}
    spec: dict[str, Any] = {
        "capacity": {"storage": storage.size},
        "accessModes": [storage.access_mode],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "",
        "volumeMode": "Filesystem",
        "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **claim},
        "csi": {key: value for key, value in source.items() if value},
    }
    if volume.mount_options:
        spec["mountOptions"] = list(volume.mount_options)
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec}


def _namespace(context: Context) -> str:
    namespace = context.options.namespace or context.options.claim_namespace
    if not namespace:
        raise RenderError(
            f"profile {context.profile.name}, storage.volume: a volume has to know the namespace "
            "of its claim; give it with --namespace"
        )
    return namespace


def _volume_name(context: Context) -> str:
    # Volumes of all namespaces share their names.
    return object_name(_namespace(context), context.deployment)


def _kept(description: str) -> dict[str, str]:
    return {labels.KEEP: "true", labels.DESCRIPTION: description}
