"""A run as a Workflow Run RO-Crate: what ran, with which parameters, and what it left.

The crate keeps the Provenance Run Crate profile 0.5, which extends Workflow Run Crate and Process
Run Crate, on RO-Crate 1.1: https://w3id.org/ro/wfrun/provenance/0.5. The pipeline is its main
workflow; every operation is a step of it and a CreateAction of its component.
"""

from __future__ import annotations

import importlib.metadata
import io
import os
import pwd
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rocrate.model.computationalworkflow import ComputationalWorkflow
from rocrate.model.computerlanguage import ComputerLanguage
from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from orchestrator.engine.run import State
from orchestrator.errors import SettingsError
from orchestrator.provenance.crate_files import CrateFiles
from orchestrator.provenance.crate_options import CrateOptions, WrittenCrate
from orchestrator.provenance.crate_steps import CrateSteps
from orchestrator.provenance.crate_terms import (
    licence_of,
    reference,
    references,
    status_of,
    time_text,
)

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.provenance.account import RunAccount

_PROFILES: Final = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
_CONTEXT: Final = "https://w3id.org/ro/terms/workflow-run/context"
_BIOSCHEMAS: Final = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
_HOMEPAGE: Final = "https://eoloom.readthedocs.io"
_WORKFLOW: Final = "pipeline.yaml"
_PICTURE: Final = "pipeline.svg"


def write_crate(account: RunAccount, output: Path, options: CrateOptions) -> WrittenCrate:
    """Write the crate as a folder, which must be new or empty, or as a file that ends in `.zip`.

    In a folder, large files are hard links to the run's where the file system has them. Raises
    SettingsError where it cannot be written.
    """
    try:
        if output.suffix == ".zip":
            return _write_zip(account, output, options)
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise SettingsError(f"{output} exists already; name a new folder, or a file.zip")
        crate, missing = build_crate(account, options)
        crate.write(output)
        return WrittenCrate(output, missing)
    except OSError as error:
        raise SettingsError(f"cannot write {output}: {error.strerror or error}") from error


def _write_zip(account: RunAccount, output: Path, options: CrateOptions) -> WrittenCrate:
    part = output.with_name(f".{output.name}.part")
    try:
        crate, missing = build_crate(account, options)
        with part.open("wb") as file:
            for chunk in crate.stream_zip(chunk_size=1024 * 1024):
                file.write(chunk)
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
    return WrittenCrate(output, missing)


def build_crate(account: RunAccount, options: CrateOptions) -> tuple[ROCrate, tuple[str, ...]]:
    """Return the crate, and the files of the run that are gone."""
    builder = _Builder(account, options)
    builder.add_root()
    builder.add_workflow()
    builder.add_actions()
    builder.add_traces()
    return builder.crate, tuple(builder.files.missing)


class _Builder:
    """Puts a crate together, part by part."""

    def __init__(self, account: RunAccount, options: CrateOptions) -> None:
        self._account = account
        self._options = options
        self._record = account.record
        self.crate = ROCrate(version="1.1")
        self.crate.metadata.extra_contexts.append(_CONTEXT)
        self.files = CrateFiles(self.crate, self._record.folder, with_data=options.with_data)
        self._steps = CrateSteps(self.crate, self.files, account, _WORKFLOW)
        self._action = f"#{uuid.uuid5(uuid.NAMESPACE_URL, self._record.id)}"
        self._agent = self._add_agent()

    def add_root(self) -> None:
        """Say what the crate is, and which profiles it keeps."""
        record = self._record
        title = self._account.graph.pipeline.title or record.pipeline
        ended = account_end(self._account)
        root = self.crate.root_dataset
        root["name"] = f"{title}: run {record.id}"
        root["description"] = self._description()
        root["identifier"] = record.id
        root["datePublished"] = time_text(ended or datetime.now(UTC))
        root["author"] = reference(self._agent)
        root["license"] = reference(licence_of(self.crate, self._options.licence))
        for profile, (name, version) in _PROFILES.items():
            properties = {"@type": "CreativeWork", "name": name, "version": version}
            entity = self.crate.add(ContextEntity(self.crate, profile, properties=properties))
            root.append_to("conformsTo", entity)

    def add_workflow(self) -> None:
        """Add the pipeline as it ran, its parameters, its steps and their components."""
        graph = self._account.graph
        content = io.StringIO(self._steps.pipeline_without_secrets())
        language = self.crate.add(
            ComputerLanguage(
                self.crate,
                "#eoloom-pipeline",
                properties={
                    "name": "EO Loom pipeline",
                    "alternateName": "EO Loom",
                    "url": reference(_HOMEPAGE),
                    "identifier": reference(_HOMEPAGE),
                },
            )
        )
        workflow = self.crate.add_workflow(
            content,
            _WORKFLOW,
            main=True,
            lang=language,
            cls=ComputationalWorkflow,
            properties={
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
                "name": graph.pipeline.title or graph.pipeline.name,
                "description": graph.pipeline.description or f"The pipeline {graph.pipeline.name}",
                "version": self._record.digest[:12],
                "identifier": f"sha256:{self._record.digest}",
                "encodingFormat": "application/yaml",
                "dateCreated": time_text(self._record.started),
                "conformsTo": reference(_BIOSCHEMAS),
            },
        )
        self.crate.add(
            ContextEntity(
                self.crate,
                _BIOSCHEMAS,
                properties={"@type": "CreativeWork", "name": "Bioschemas ComputationalWorkflow"},
            )
        )
        workflow["input"] = references(self._steps.add_parameters())
        workflow["output"] = references(self._steps.add_outputs())
        workflow["hasPart"] = references(self._steps.add_components())
        workflow["step"] = references(self._steps.add_steps())
        if self._options.picture:
            picture = self.crate.add_file(
                io.BytesIO(self._options.picture),
                _PICTURE,
                properties={
                    "@type": ["File", "ImageObject"],
                    "name": "The pipeline, drawn",
                    "encodingFormat": "image/svg+xml",
                    "about": reference(_WORKFLOW),
                },
            )
            workflow["image"] = picture

    def add_actions(self) -> None:
        """Add the run, what each operation did in it, and the engine that had them work."""
        record = self._record
        self._steps.add_results()
        controls, actions = self._steps.add_actions(self._agent)
        ended = account_end(self._account)
        engine = self.crate.add(
            ContextEntity(
                self.crate,
                "#eoloom",
                properties={
                    "@type": "SoftwareApplication",
                    "name": "EO Loom",
                    "url": _HOMEPAGE,
                    "softwareVersion": importlib.metadata.version("eoloom"),
                    "license": reference(licence_of(self.crate, "Apache-2.0")),
                },
            )
        )
        times = {"startTime": time_text(record.started)}
        if ended:
            times["endTime"] = time_text(ended)
        run = self.crate.add(
            ContextEntity(
                self.crate,
                self._action,
                properties={
                    "@type": "CreateAction",
                    "name": f"Run {record.id}",
                    "description": f"eoloom run {_WORKFLOW}",
                    "identifier": record.id,
                    "instrument": reference(_WORKFLOW),
                    "agent": reference(self._agent),
                    "object": references(self._steps.run_objects()),
                    "result": references(self._steps.run_results()),
                    **times,
                    **status_of(record.state, record.message),
                },
            )
        )
        organise = self.crate.add(
            ContextEntity(
                self.crate,
                f"{self._action}-engine",
                properties={
                    "@type": "OrganizeAction",
                    "name": f"EO Loom runs {record.pipeline}",
                    "instrument": reference(engine.id),
                    "agent": reference(self._agent),
                    "object": references(controls),
                    "result": reference(run.id),
                    **times,
                },
            )
        )
        self.crate.root_dataset["mentions"] = references([run.id, organise.id, *actions])

    def add_traces(self) -> None:
        """Add the catalogue of the results, and what the components said."""
        folder = self._record.folder.resolve()
        run = reference(self._action)
        self.crate.add_file(
            io.StringIO(f"# {self.crate.root_dataset['name']}\n\n{self._description()}\n"),
            "README.md",
            properties={
                "name": "Read this first",
                "encodingFormat": "text/markdown",
                "about": reference("./"),
            },
        )
        self.files.add(
            folder / "catalog.json", {"name": "STAC catalogue of the results", "about": run}
        )
        for path in sorted((folder / "results").rglob("collection.json")):
            self.files.add(path, {"name": f"STAC collection {path.parent.name}", "about": run})
        for path in sorted((folder / "logs").glob("*.log")):
            action = self._steps.action_of_node(path.stem)
            about = reference(action) if action else run
            self.files.add(path, {"name": f"Log of the node {path.stem}", "about": about})

    def _description(self) -> str:
        record = self._record
        data = "" if self._options.with_data else " The data themselves are not included."
        return (
            f"A run of the Earth-observation pipeline {record.pipeline} by EO Loom. "
            f"{_how(record.state, record.message)} Here are the pipeline as it ran, its "
            "parameters, the STAC catalogue of what it made, and what was made from what."
            f"{data}"
        )

    def _add_agent(self) -> str:
        name = self._options.agent or _owner(self._record.folder)
        identifier = self._options.agent_uri or f"#person-{uuid.uuid5(uuid.NAMESPACE_OID, name)}"
        properties = {"@type": "Person", "name": name}
        entity = self.crate.add(ContextEntity(self.crate, identifier, properties=properties))
        return str(entity.id)


def account_end(account: RunAccount) -> datetime | None:
    """Return when a run ended; of one that was killed, when it was last heard of."""
    times = [operation.ended for operation in account.operations if operation.ended]
    return account.record.ended or max(times, default=None)


def _how(state: str, message: str) -> str:
    if state == State.SUCCEEDED:
        return "It succeeded."
    if state == State.CANCELLED:
        return "It was stopped before its end; what it had made by then is included."
    reason = message or "its process ended without a word"
    return f"It FAILED: {reason}. What it had made by then is included."


def _owner(folder: Path) -> str:
    """Return the name of who owns the run's folder, as the system has it."""
    try:
        entry = pwd.getpwuid(folder.stat().st_uid)
    except (KeyError, OSError):
        return f"user {os.getuid()}"
    return entry.pw_gecos.partition(",")[0] or entry.pw_name
