"""A pipeline as a folder for `kubectl apply -k`: a base, and an overlay for each profile.

The base is the pipeline at no particular site. An overlay says what a site has, as patches that
are the difference between both renderings: with them the base is exactly what `render` gives.
https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import yaml

from orchestrator.errors import RenderError
from orchestrator.images.reference import DEFAULT_IMAGE_REGISTRY
from orchestrator.profiles import Gpu, Images, Profile, Storage
from orchestrator.render import labels
from orchestrator.render.checks.finding import pod_templates
from orchestrator.render.context import check_options
from orchestrator.render.objects import render, render_unplaced, run_of
from orchestrator.render.options import RenderOptions
from orchestrator.render.project import render_project

if TYPE_CHECKING:
    from yaml import SafeDumper as FastDumper

    from composer.graph import Graph
else:
    # libyaml's, where it is there, is ten times as fast.
    FastDumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

PROFILE_LABEL: Final = "eoloom.org/profile"

_FOLDERS: Final = {
    "ConfigMap": "pipeline.yaml",
    "ServiceAccount": "pipeline.yaml",
    "NetworkPolicy": "network.yaml",
    "PersistentVolumeClaim": "storage.yaml",
    "Job": "run.yaml",
}
_HEADINGS: Final = {
    "pipeline.yaml": "The pipeline, as the orchestrator reads it, and the account of all pods.",
    "network.yaml": "Who may talk to whom: nobody, and then exactly what the pipeline needs. The\n"
    "# image registry is not among it: images are pulled by the machines, not by pods.",
    "storage.yaml": "The volume with the runs, what components share, and the results.",
    "run.yaml": "The run. A pod that is lost is followed by one that goes on with it.",
}


def export_kustomize(
    graph: Graph, profiles: Sequence[Profile], options: RenderOptions
) -> dict[str, str]:
    """Return the text of each file by its path in the folder.

    options: its namespace goes into the overlays only, so that addresses hold in any. Raises
    RenderError and ProfileError, see `render`.
    """
    names = [profile.name for profile in profiles]
    if len(set(names)) < len(names):
        raise RenderError(f"every overlay needs a profile of its own name, not {', '.join(names)}")
    for profile in profiles:
        if profile.tls is not None and profile.tls.generate:
            raise RenderError(
                f"profile {profile.name}, tls.generate: a folder holds no keys; name Secrets in "
                "tls.components and tls.orchestrator, or use `eoloom deploy`"
            )
    check_options(graph, options)
    neutral = dataclasses.replace(options, namespace="")
    base = render_unplaced(graph, _site_of_nowhere(profiles[0]), neutral)
    # A run's id follows from its images, which every site has under other names.
    neutral = dataclasses.replace(neutral, run=run_of(base))
    files = _base_files(base)
    for profile in profiles:
        placed = dataclasses.replace(neutral, claim_namespace=options.namespace)
        objects = render(graph, profile, placed)
        folder = f"overlays/{profile.name}"
        files |= _overlay_files(folder, profile, options.namespace, base, objects)
        if options.namespace:
            files |= _project_files(f"{folder}/project", options.namespace, profile)
    files["README.md"] = _readme(graph.pipeline.name, profiles)
    return files


def _site_of_nowhere(profile: Profile) -> Profile:
    """Return the profile of the base, where overlays differ from the fewest of its fields."""
    return Profile(
        name="base",
        images=Images(registry=DEFAULT_IMAGE_REGISTRY),
        storage=Storage(storage_class="", size=profile.storage.size),
        gpu=Gpu(node_selector={}),
        network=profile.network.model_copy(update={"outside": ()}),
        requests=profile.requests,
        scratch=profile.scratch,
    )


def _base_files(base: Sequence[dict[str, Any]]) -> dict[str, str]:
    members: dict[str, list[dict[str, Any]]] = {}
    for item in base:
        node = item["metadata"]["labels"].get(labels.NODE)
        file = f"nodes/{node}.yaml" if node else _FOLDERS[item["kind"]]
        members.setdefault(file, []).append(item)
    kustomization = _kustomization(resources=list(members))
    heading = "# The pipeline at no particular site; an overlay says what a site has.\n"
    files = {"base/kustomization.yaml": heading + _yaml(kustomization)}
    for file, items in members.items():
        told = _HEADINGS.get(file, f"Node {file.removeprefix('nodes/').removesuffix('.yaml')}.")
        files[f"base/{file}"] = f"# {told}\n{_documents(items)}"
    return files


def _overlay_files(
    folder: str,
    profile: Profile,
    namespace: str,
    base: Sequence[dict[str, Any]],
    objects: Sequence[dict[str, Any]],
) -> dict[str, str]:
    images = _images(base, objects)
    back = {new: old for old, new in images.items()}
    wanted = {_key(item): _with_images(item, back) for item in objects}
    files: dict[str, str] = {}
    patches: list[dict[str, Any]] = []
    resources = ["../../base"]
    for item in base:
        name = f"{item['kind'].lower()}-{item['metadata']['name']}.yaml"
        path = f"patches/{name}"
        target = wanted.pop(_key(item), None)
        if target is None:
            files[f"{folder}/{path}"] = _deletion(item)
            patches.append({"path": path})
            continue
        operations = list(_operations(item, target, ""))
        if operations:
            told = f"# What {profile.name} has otherwise than the base (RFC 6902).\n"
            files[f"{folder}/{path}"] = told + _yaml(operations)
            patches.append({"path": path, "target": _target(item)})
    if wanted:
        resources.append("site.yaml")
        files[f"{folder}/site.yaml"] = _documents(list(wanted.values()))
    kustomization = _kustomization(
        namespace=namespace,
        resources=resources,
        labels=[{"pairs": {PROFILE_LABEL: profile.name}}],
        images=[_image(old, new) for old, new in sorted(images.items())],
        patches=patches,
    )
    heading = f"# {profile.title or profile.name}: kubectl apply --server-side -k {folder}\n"
    return {f"{folder}/kustomization.yaml": heading + _yaml(kustomization)} | files


def _project_files(folder: str, namespace: str, profile: Profile) -> dict[str, str]:
    heading = "# The namespace with its quota and limits: made once, by who may do so.\n"
    kustomization = _kustomization(resources=["project.yaml"])
    return {
        f"{folder}/kustomization.yaml": heading + _yaml(kustomization),
        f"{folder}/project.yaml": _documents(list(render_project(namespace, profile))),
    }


def _kustomization(**fields: Any) -> dict[str, Any]:
    head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    return head | {name: value for name, value in fields.items() if value}


def _key(item: Mapping[str, Any]) -> tuple[str, str]:
    # The name of a Job ends in a hash of what it runs, which differs between sites.
    kind = item["kind"]
    return kind, "" if kind == "Job" else item["metadata"]["name"]


def _target(item: Mapping[str, Any]) -> dict[str, str]:
    group, slash, version = item["apiVersion"].rpartition("/")
    target: dict[str, str] = {"group": group} if slash else {}
    return target | {"version": version, "kind": item["kind"], "name": item["metadata"]["name"]}


def _operations(old: Any, new: Any, path: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON patch (RFC 6902) that makes one value of another; no names are changed."""
    if path == "/metadata/name" or old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            place = f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}"
            if key not in new:
                yield {"op": "remove", "path": place}
            elif key not in old:
                yield {"op": "add", "path": place, "value": new[key]}
            else:
                yield from _operations(old[key], new[key], place)
    elif isinstance(old, list) and isinstance(new, list) and len(old) <= len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=False)):
            yield from _operations(before, after, f"{path}/{number}")
        yield from ({"op": "add", "path": f"{path}/-", "value": v} for v in new[len(old) :])
    else:
        yield {"op": "replace", "path": path, "value": new}


def _deletion(item: Mapping[str, Any]) -> str:
    name = {"name": item["metadata"]["name"]}
    head = {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": name}
    return _yaml({"$patch": "delete"} | head)


def _images(base: Sequence[dict[str, Any]], objects: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return the images that a site has under another name, by their name in the base."""
    pairs = zip(_containers(base), _containers(objects), strict=True)
    return {old["image"]: new["image"] for old, new in pairs if old["image"] != new["image"]}


def _containers(objects: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [c for template in pod_templates(objects) for _, c in template.containers]


def _with_images(value: Any, images: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: images.get(below, below)
            if key == "image" and isinstance(below, str)
            else _with_images(below, images)
            for key, below in value.items()
        }
    return [_with_images(below, images) for below in value] if isinstance(value, list) else value


def _image(old: str, new: str) -> dict[str, str]:
    name = old.partition("@")[0].rpartition(":")[0]
    repository, at, digest = new.partition("@")
    tagged, colon, tag = repository.rpartition(":")
    if not colon or "/" in tag:
        tagged, tag = repository, ""
    image = {"name": name, "newName": tagged}
    return image | ({"digest": digest} if at else {"newTag": tag})


def _readme(pipeline: str, profiles: Sequence[Profile]) -> str:
    names = [profile.name for profile in profiles]
    return f"""# {pipeline}

`base` is the pipeline at no particular site, `overlays` say what a site has: {", ".join(names)}.

    kubectl apply --server-side -k overlays/{names[0]}
    kubectl get pods -l {labels.INSTANCE}={pipeline}
    kubectl delete -k overlays/{names[0]}

Deleting removes the volume with the results too; copy what is wanted first.

The Job runs the pipeline once. To run it again, delete the Job, and with it the run's folder on
the volume, or export anew after a change. A Job cannot be changed: delete it before you apply
another image or another patch of it.

The Secrets that the overlays name are not here; `docs/kubernetes.md` of EO Loom says how they are
made.
"""


def _documents(items: Sequence[dict[str, Any]]) -> str:
    return "---\n".join(_yaml(item) for item in items)


def _yaml(value: Any) -> str:
    return yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
        default_flow_style=False,
    )


class _Dumper(FastDumper):
    """Writes texts of several lines as blocks, and nothing by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
