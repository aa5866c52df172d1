"""Solutions of AI4EU Experiments, in and out: a whole one, or a single model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from composer.archive import pack, unpack
from composer.blueprint import ORCHESTRATOR
from composer.blueprint_export import IMAGE_PREFIX, export_blueprint
from composer.blueprint_import import DEFAULT_SHARED_FOLDER, import_blueprint
from composer.deployments import (
    Container,
    claim_yaml,
    deployment_yaml,
    read_deployment,
    service_yaml,
)
from composer.errors import SolutionError
from composer.flatten import flatten, licence_json
from composer.manifest import Resources
from composer.solution_sources import (
    BLUEPRINT,
    CONTRACTS,
    DEPLOYMENT,
    DEPLOYMENTS,
    DOCKERINFO,
    MODEL_NAME,
    read_archive,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from composer.blueprint_import import ImportedPipeline
    from composer.component import Component
    from composer.graph import Graph
    from composer.plan import PlannedNode
    from composer.registry import Registry

ORCHESTRATOR_IMAGE: Final = f"{IMAGE_PREFIX}orchestrator:latest"

_OURS: Final = "composer/solution_files"
_SOLUTION_FILES: Final = {
    "kubernetes-client-script.py": f"{_OURS}/kubernetes-client-script.py.txt",
    "requirements.txt": f"{_OURS}/requirements.txt",
    "deployment-readme.txt": f"{_OURS}/deployment-readme.txt",
    "orchestrator_client/orchestrator_client.py": f"{_OURS}/orchestrator_client.py.txt",
    "protobuf/orchestrator.proto": "protos/orchestrator/ai4eu/orchestrator.proto",
}
"""What is the same in every solution: name in the archive, and package and name of our file."""
_MODEL_FILES: Final = {
    "kubernetes-client-script.py": f"{_OURS}/kubernetes-client-script.py.txt",
    "deployment-readme.txt": f"{_OURS}/model-readme.txt",
}


@dataclass(frozen=True)
class ExportedSolution:
    """A solution.zip, and what the original orchestrator will do otherwise."""

    content: bytes
    warnings: tuple[str, ...]


def export_solution(
    graph: Graph,
    *,
    image_prefix: str = IMAGE_PREFIX,
    orchestrator_image: str = ORCHESTRATOR_IMAGE,
) -> ExportedSolution:
    """Return a pipeline as a solution.zip; the same pipeline gives the same bytes.

    Raises ContractError where components cannot be together in one solution.
    """
    exported = export_blueprint(graph, image_prefix=image_prefix)
    files = {
        BLUEPRINT: exported.blueprint,
        DOCKERINFO: exported.dockerinfo,
        **_texts(_SOLUTION_FILES),
        **{f"{CONTRACTS}{name}": text for name, text in exported.protofiles.items()},
    }
    containers = [_container(n, exported.images[n.name]) for n in graph.nodes.values()]
    containers.append(Container(ORCHESTRATOR, orchestrator_image, Resources()))
    for container in containers:
        files[f"{DEPLOYMENTS}{container.name}_service.yaml"] = service_yaml(container.name)
        files[f"{DEPLOYMENTS}{container.name}_deployment.yaml"] = deployment_yaml(container)
    if any(container.shared_folder for container in containers):
        files[f"{DEPLOYMENTS}pvc.yaml"] = claim_yaml()
    return ExportedSolution(pack(files), exported.warnings)


def export_model(component: Component, *, image_prefix: str = IMAGE_PREFIX) -> bytes:
    """Return one component as the archive of a single model. Raises ContractError."""
    manifest = component.manifest
    image = manifest.image or f"{image_prefix}{manifest.name}:{manifest.version}"
    return pack(
        {
            "service.yaml": service_yaml(manifest.name),
            DEPLOYMENT: deployment_yaml(Container(manifest.name, image, manifest.resources)),
            MODEL_NAME: f"{manifest.name}\n",
            f"{CONTRACTS}{manifest.name}.proto": flatten(component).text,
            "license.json": licence_json(manifest),
            **_texts(_MODEL_FILES),
        }
    )


def import_solution(content: bytes, registry: Registry) -> ImportedPipeline:
    """Read a solution.zip, or the archive of a single model, as `import_blueprint` does.

    Raises SolutionError.
    """
    return import_files(read_archive(content), registry)


def import_files(files: Mapping[str, str], registry: Registry) -> ImportedPipeline:
    """Read the texts of a solution, by their names in it, as `import_blueprint` does.

    Raises SolutionError.
    """
    contracts = {
        name.removeprefix(CONTRACTS): text
        for name, text in files.items()
        if name.startswith(CONTRACTS)
    }
    if BLUEPRINT not in files:
        return _import_model(files, contracts, registry)
    shared_folders = {}
    for name, text in files.items():
        if name.startswith(DEPLOYMENTS) and name.endswith("_deployment.yaml"):
            found = read_deployment(text)
            if found is not None and found[1] is not None:
                container = PurePosixPath(name).name.removesuffix("_deployment.yaml")
                shared_folders[container.lower()] = found[1]
    return import_blueprint(
        files[BLUEPRINT],
        files.get(DOCKERINFO),
        contracts,
        registry,
        shared_folders=shared_folders,
    )


def read_contracts(content: bytes) -> dict[str, str]:
    """Return the texts of the .proto files of an archive, in any folder, by their names.

    Raises SolutionError.
    """
    files = unpack(content, _contracts)
    contracts = {PurePosixPath(name).name: text for name, text in files.items()}
    if len(contracts) < len(files):
        raise SolutionError("the archive has two .proto files of one name")
    return contracts


def _contracts(names: Collection[str]) -> dict[str, str]:
    return {name: name for name in names if name.endswith(".proto")}


def _import_model(
    files: Mapping[str, str], contracts: Mapping[str, str], registry: Registry
) -> ImportedPipeline:
    deployment = read_deployment(files.get(DEPLOYMENT, ""))
    if deployment is None or len(contracts) != 1:
        raise SolutionError(
            f"it is no solution: it has neither {BLUEPRINT}, nor {DEPLOYMENT} with one "
            "contract in microservice/"
        )
    [(file, contract)] = contracts.items()
    lines = files.get(MODEL_NAME, "").split()
    name = (lines[0] if lines else PurePosixPath(file).stem)[:300]
    blueprint: dict[str, Any] = {"name": name}
    blueprint["nodes"] = [{"container_name": name, "image": deployment[0]}]
    return import_blueprint(json.dumps(blueprint), None, {f"{name}.proto": contract}, registry)


def _container(node: PlannedNode, image: str) -> Container:
    """Return the container of a node. Our own components always write to the shared folder."""
    default = None if node.component.is_onboarded else DEFAULT_SHARED_FOLDER
    folder = node.options.shared_folder or default
    return Container(node.name, image, node.component.manifest.resources, folder)


def _texts(sources: Mapping[str, str]) -> dict[str, str]:
    """Return the texts of files of ours by their names in an archive."""
    texts = {}
    for name, source in sources.items():
        package, _, path = source.partition("/")
        texts[name] = (resources.files(package) / path).read_text(encoding="utf-8")
    return texts
