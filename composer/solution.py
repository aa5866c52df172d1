"""solution.zip of AI4EU Experiments: a whole solution in one archive, in and out.

An archive that is read may come from anybody: its size, its number of files and what they unpack
to are bounded, names that lead outside are refused, and nothing is ever unpacked onto a disk.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from composer.blueprint_import import ImportedPipeline
    from composer.component import Component
    from composer.graph import Graph
    from composer.plan import PlannedNode
    from composer.registry import Registry

MAX_ARCHIVE_BYTES: Final = 16 << 20
MAX_FILES: Final = 5_000
MAX_FILE_BYTES: Final = 4 << 20
MAX_TOTAL_BYTES: Final = 64 << 20
"""Of the files that are read."""
ORCHESTRATOR_IMAGE: Final = f"{IMAGE_PREFIX}orchestrator:latest"

_ENTRY: Final = b"PK\x01\x02"
"""Begins each entry of an archive's list of files (APPNOTE.TXT, 4.3.12)."""
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED: Final = 0x1
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_BLUEPRINT: Final = "blueprint.json"
_DEPLOYMENT: Final = "deployment.yaml"
_MODEL_NAME: Final = "modelname.txt"
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
        _BLUEPRINT: exported.blueprint,
        "dockerinfo.json": exported.dockerinfo,
        **_texts(_SOLUTION_FILES),
        **{f"microservice/{name}": text for name, text in exported.protofiles.items()},
    }
    containers = [_container(n, exported.images[n.name]) for n in graph.nodes.values()]
    containers.append(Container(ORCHESTRATOR, orchestrator_image, Resources()))
    for container in containers:
        files[f"deployments/{container.name}_service.yaml"] = service_yaml(container.name)
        files[f"deployments/{container.name}_deployment.yaml"] = deployment_yaml(container)
    if any(container.shared_folder for container in containers):
        files["deployments/pvc.yaml"] = claim_yaml()
    return ExportedSolution(_pack(files), exported.warnings)


def export_model(component: Component, *, image_prefix: str = IMAGE_PREFIX) -> bytes:
    """Return one component as the archive of a single model. Raises ContractError."""
    manifest = component.manifest
    image = manifest.image or f"{image_prefix}{manifest.name}:{manifest.version}"
    return _pack(
        {
            "service.yaml": service_yaml(manifest.name),
            _DEPLOYMENT: deployment_yaml(Container(manifest.name, image, manifest.resources)),
            _MODEL_NAME: f"{manifest.name}\n",
            f"microservice/{manifest.name}.proto": flatten(component).text,
            "license.json": licence_json(manifest),
            **_texts(_MODEL_FILES),
        }
    )


def import_solution(content: bytes, registry: Registry) -> ImportedPipeline:
    """Read a solution.zip, or the archive of a single model, as `import_blueprint` does.

    Raises SolutionError.
    """
    files = _unpack(content)
    contracts = {
        PurePosixPath(name).name: text
        for name, text in files.items()
        if name.startswith("microservice/")
    }
    if _BLUEPRINT not in files:
        return _import_model(files, contracts, registry)
    shared_folders = {}
    for name, text in files.items():
        if name.startswith("deployments/") and name.endswith("_deployment.yaml"):
            found = read_deployment(text)
            if found is not None and found[1] is not None:
                container = PurePosixPath(name).name.removesuffix("_deployment.yaml")
                shared_folders[container.lower()] = found[1]
    return import_blueprint(
        files[_BLUEPRINT],
        files.get("dockerinfo.json"),
        contracts,
        registry,
        shared_folders=shared_folders,
    )


def read_contracts(content: bytes) -> dict[str, str]:
    """Return the texts of the .proto files of an archive, in any folder, by their names.

    Raises SolutionError.
    """
    files = _unpack(content, _is_contract)
    contracts = {PurePosixPath(name).name: text for name, text in files.items()}
    if len(contracts) < len(files):
        raise SolutionError("the archive has two .proto files of one name")
    return contracts


def _import_model(
    files: Mapping[str, str], contracts: Mapping[str, str], registry: Registry
) -> ImportedPipeline:
    deployment = read_deployment(files.get(_DEPLOYMENT, ""))
    if deployment is None or len(contracts) != 1:
        raise SolutionError(
            f"it is no solution: it has neither {_BLUEPRINT}, nor {_DEPLOYMENT} with one "
            "contract in microservice/"
        )
    [(file, contract)] = contracts.items()
    lines = files.get(_MODEL_NAME, "").split()
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


def _pack(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o755 if text.startswith("#!") else 0o644) << 16
            archive.writestr(info, text)
    return buffer.getvalue()


def _unpack(content: bytes, is_wanted: Callable[[str], bool] | None = None) -> dict[str, str]:
    """Return the files of an archive by their names.

    is_wanted: of which names; by default those of a solution, without a folder around all of them.
    """
    if len(content) > MAX_ARCHIVE_BYTES:
        raise SolutionError(f"the archive is larger than {MAX_ARCHIVE_BYTES} bytes")
    if content.count(_ENTRY) > MAX_FILES:
        raise SolutionError(f"the archive has more than {MAX_FILES} files")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = _safe(archive.infolist())
            if is_wanted is None:
                wanted = _of_solution(files)
            else:
                wanted = {name: entry for name, entry in files.items() if is_wanted(name)}
            return _read_all(archive, wanted)
    # All that zipfile is known to raise on archives that are damaged, or made to be.
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        OverflowError,
    ) as error:
        raise SolutionError(f"it is no archive that can be read: {error}") from error


def _is_contract(name: str) -> bool:
    return name.endswith(".proto")


def _safe(entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Return the entries that are files. Raises SolutionError for unsafe names."""
    files: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        name = entry.filename
        path = PurePosixPath(name)
        if "\\" in name or ":" in name or path.is_absolute() or ".." in path.parts:
            raise SolutionError(f"the archive has a file that leads outside: {name[:200]!r}")
        if entry.is_dir():
            continue
        if str(path) in files:
            raise SolutionError(f"the archive has {name[:200]!r} twice")
        files[str(path)] = entry
    return files


def _of_solution(files: dict[str, zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Return the entries that a solution is made of."""
    for mark in (_BLUEPRINT, _DEPLOYMENT):
        tops = [name.removesuffix(f"/{mark}") for name in files if name.count("/") == 1]
        top = next((top for top in tops if f"{top}/{mark}" in files), None)
        if mark not in files and top is not None:
            inside = f"{top}/"
            files = {n.removeprefix(inside): e for n, e in files.items() if n.startswith(inside)}
            break
    folders = ("microservice/", "deployments/")
    names = {_BLUEPRINT, "dockerinfo.json", _DEPLOYMENT, _MODEL_NAME}
    return {n: entry for n, entry in files.items() if n in names or n.startswith(folders)}


def _read_all(archive: zipfile.ZipFile, wanted: Mapping[str, zipfile.ZipInfo]) -> dict[str, str]:
    files, total = {}, 0
    for name, entry in wanted.items():
        if entry.flag_bits & _ENCRYPTED:
            raise SolutionError(f"{name[:200]} is encrypted")
        if entry.compress_type not in _METHODS:
            raise SolutionError(f"{name[:200]} is compressed in an unusual way")
        with archive.open(entry) as file:
            # What it says of its size need not be true: count what really comes.
            content = file.read(MAX_FILE_BYTES + 1)
        total += len(content)
        if len(content) > MAX_FILE_BYTES or total > MAX_TOTAL_BYTES:
            raise SolutionError(f"{name[:200]} unpacks to too much; the archive may be a bomb")
        try:
            files[name] = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise SolutionError(f"{name[:200]} is not UTF-8 text") from error
    return files
