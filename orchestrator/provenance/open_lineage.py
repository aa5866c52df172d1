"""A run as OpenLineage events: https://openlineage.io/spec/2-0-2/OpenLineage.json.

The pipeline is a job, each of its operations a job below it, and a run of the pipeline is the
parent of the runs of its operations. A dataset is a STAC collection that a node has made, as it
lies in the run's folder, or a folder of files from elsewhere that items refer to. Secret
parameters are left out.
"""

from __future__ import annotations

import importlib.metadata
import posixpath
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from openlineage.client.event_v2 import (
    InputDataset,
    Job,
    OutputDataset,
    Run,
    RunEvent,
    RunState,
    set_producer,
)
from openlineage.client.facet_v2 import (
    datasource_dataset,
    documentation_job,
    error_message_run,
    execution_parameters_run,
    job_type_job,
    lifecycle_state_change_dataset,
    output_statistics_output_dataset,
    parent_run,
    processing_engine_run,
    schema_dataset,
    source_code_location_job,
)
from openlineage.client.serde import Serde
from openlineage.client.uuid import generate_static_uuid

from orchestrator.engine.run import State
from orchestrator.events import Event, Kind
from orchestrator.provenance.account import open_parameters
from orchestrator.provenance.crate_terms import value_text
from orchestrator.result_files import read_result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from composer.graph import Graph
    from composer.plan import PlannedNode, PlannedOperation
    from orchestrator.journal import RunRecord

PRODUCER: Final = "https://eoloom.readthedocs.io"
NAMESPACE: Final = "eoloom"
set_producer(PRODUCER)
_MOST_FOLDERS: Final = 1000
"""Of files from elsewhere, per operation: a scene may well be a folder of its own."""


def run_events(
    record: RunRecord, graph: Graph, events: Sequence[Event], namespace: str = NAMESPACE
) -> Iterator[RunEvent]:
    """Yield the OpenLineage events of a run that has ended, from those of its journal."""
    translation = Translation(graph, namespace)
    for event in events:
        yield from translation.translate(event)
    if record.ended is None and events:  # killed: nobody has told of its end
        detail = {"state": State.FAILED, "message": "its process ended without a word"}
        closed = Event(record.id, Kind.RUN_CLOSED, detail=detail, time=events[-1].time)
        yield from translation.translate(closed)


def to_json(event: RunEvent) -> str:
    """Return an event as one line of JSON."""
    return Serde.to_json(event)


@dataclass
class _Collection:
    """What an operation has given so far into one collection."""

    items: int = 0
    files: int = 0
    bytes: int = 0
    fields: dict[str, str] = field(default_factory=dict)


@dataclass
class _OperationRun:
    planned: PlannedOperation
    run_id: str
    ended: bool = False
    collections: dict[Path, _Collection] = field(default_factory=dict)
    origins: dict[tuple[str, str], None] = field(default_factory=dict)


class Translation:
    """Translates the events of one run, in their order, as they come or from the journal.

    namespace: of the jobs. What components wrote is looked up on disk, for its size.
    """

    def __init__(self, graph: Graph, namespace: str = NAMESPACE) -> None:
        self._graph = graph
        self._namespace = namespace
        self._run_id = ""
        self._operations: dict[str, _OperationRun] = {}

    def translate(self, event: Event) -> Iterator[RunEvent]:
        """Yield what an event means to OpenLineage; most mean nothing."""
        match event.kind:
            case Kind.RUN_STARTED:
                if self._run_id:  # an attempt that was killed, before the run went on
                    yield from self._close(event, State.FAILED, "its process ended without a word")
                self._run_id = _uuid(event.time, event.run)
                self._operations = {}
                yield self._of_pipeline(RunState.START, event.time)
            case Kind.NODE_READY:
                yield from self._start(event)
            # What is remembered is given before the component serves.
            case Kind.RESULT:
                yield from self._start(event)
                self._add_result(event)
            case Kind.OPERATION_ENDED:
                yield from self._start(event)
                operation = self._operations.get(f"{event.node}.{event.operation}")
                if operation is not None:
                    yield self._end(operation, RunState.COMPLETE, event.time)
            case Kind.NODE_FAILED:
                message = str(event.detail.get("message", ""))
                for operation in self._open(event.node):
                    yield self._end(operation, RunState.FAIL, event.time, message)
            case Kind.RUN_CLOSED:
                message = str(event.detail.get("message", ""))
                yield from self._close(event, State(event.detail["state"]), message)

    def _start(self, event: Event) -> Iterator[RunEvent]:
        """Start the operations of a node; one that is started anew goes on with its run."""
        for planned in self._graph.operations_of(event.node):
            if str(planned) not in self._operations:
                run_id = _uuid(event.time, f"{event.run}/{planned}")
                operation = self._operations[str(planned)] = _OperationRun(planned, run_id)
                yield self._of_operation(operation, RunState.START, event.time)

    def _close(self, event: Event, ended: State, message: str) -> Iterator[RunEvent]:
        for operation in self._open():
            yield self._end(operation, RunState.ABORT, event.time)
        state = {
            State.SUCCEEDED: RunState.COMPLETE,
            State.CANCELLED: RunState.ABORT,
        }.get(ended, RunState.FAIL)
        yield self._of_pipeline(state, event.time, message if state is RunState.FAIL else "")
        self._run_id = ""

    def _open(self, node: str = "") -> list[_OperationRun]:
        return [
            operation
            for operation in self._operations.values()
            if not operation.ended and node in {"", operation.planned.node.name}
        ]

    def _end(
        self, operation: _OperationRun, state: RunState, time: datetime, message: str = ""
    ) -> RunEvent:
        operation.ended = True
        return self._of_operation(operation, state, time, message)

    def _add_result(self, event: Event) -> None:
        operation = self._operations.get(f"{event.node}.{event.operation}")
        path = Path(str(event.detail.get("path", "")))
        if operation is None or not path.name:
            return
        collection = operation.collections.setdefault(path.parent, _Collection())
        collection.items += 1
        result = read_result(path)
        if result is None:
            return
        own = path.parents[3] / "shared" / event.node if result.item else path.parent
        for asset in result.assets:
            collection.fields.setdefault(asset.key, asset.media_type)
            if urlsplit(asset.path).scheme or not Path(asset.path).is_relative_to(own.parent):
                if len(operation.origins) < _MOST_FOLDERS:
                    operation.origins[_folder_of(asset.path)] = None
            elif Path(asset.path).is_relative_to(own):
                collection.files += 1
                collection.bytes += _size(Path(asset.path))

    def _of_pipeline(self, state: RunState, time: datetime, message: str = "") -> RunEvent:
        pipeline = self._graph.pipeline
        description = pipeline.description or pipeline.title or pipeline.name
        return RunEvent(
            eventTime=time.isoformat(),
            eventType=state,
            producer=PRODUCER,
            run=Run(self._run_id, {"processing_engine": _engine(), **_error(message)}),
            job=Job(
                self._namespace,
                pipeline.name,
                {
                    "jobType": _job_type("PIPELINE"),
                    "documentation": documentation_job.DocumentationJobFacet(description),
                },
            ),
            inputs=[],
            outputs=[],
        )

    def _of_operation(
        self, operation: _OperationRun, state: RunState, time: datetime, message: str = ""
    ) -> RunEvent:
        planned = operation.planned
        node, manifest = planned.node, planned.node.component.manifest
        is_over = state is not RunState.START
        parent = parent_run.ParentRunFacet(
            run=parent_run.Run(self._run_id),
            job=parent_run.Job(self._namespace, self._graph.pipeline.name),
            root=parent_run.Root(
                parent_run.RootRun(self._run_id),
                parent_run.RootJob(self._namespace, self._graph.pipeline.name),
            ),
        )
        description = planned.manifest.description or manifest.description
        facets: dict[str, Any] = {
            "jobType": _job_type("OPERATION"),
            "documentation": documentation_job.DocumentationJobFacet(description),
        }
        if manifest.image:
            facets["sourceCodeLocation"] = source_code_location_job.SourceCodeLocationJobFacet(
                type="image", url=f"docker://{manifest.image}", version=manifest.version
            )
        return RunEvent(
            eventTime=time.isoformat(),
            eventType=state,
            producer=PRODUCER,
            run=Run(
                operation.run_id,
                {
                    "parent": parent,
                    "processing_engine": _engine(node),
                    "executionParameters": _parameters(node),
                    **_error(message),
                },
            ),
            job=Job(self._namespace, f"{self._graph.pipeline.name}.{planned}", facets),
            inputs=self._inputs(operation) if is_over else [],
            outputs=_outputs(operation) if is_over else [],
        )

    def _inputs(self, operation: _OperationRun) -> list[InputDataset]:
        """Return what the operations linked to this one have given, and files from elsewhere."""
        found: dict[tuple[str, str], InputDataset] = {}
        for link in operation.planned.incoming:
            sender = self._operations.get(str(link.source.whole))
            for folder, collection in sender.collections.items() if sender else ():
                found["file", str(folder)] = InputDataset(
                    "file", str(folder), facets=_facets(folder.as_uri(), collection)
                )
        for namespace, name in operation.origins:
            found[namespace, name] = InputDataset(namespace, name)
        return list(found.values())


def _outputs(operation: _OperationRun) -> list[OutputDataset]:
    return [
        OutputDataset(
            "file",
            str(folder),
            facets={
                **_facets(folder.as_uri(), collection),
                "lifecycleStateChange": (
                    lifecycle_state_change_dataset.LifecycleStateChangeDatasetFacet(
                        lifecycle_state_change_dataset.LifecycleStateChange.CREATE
                    )
                ),
            },
            outputFacets={
                "outputStatistics": (
                    output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                        rowCount=collection.items, fileCount=collection.files, size=collection.bytes
                    )
                )
            },
        )
        for folder, collection in operation.collections.items()
    ]


def _facets(uri: str, collection: _Collection) -> dict[str, Any]:
    """Return where a dataset lies, and the assets that its items have."""
    facets: dict[str, Any] = {
        "dataSource": datasource_dataset.DatasourceDatasetFacet(
            name="STAC collection of a run", uri=uri
        )
    }
    if collection.fields:
        facets["schema"] = schema_dataset.SchemaDatasetFacet(
            [
                schema_dataset.SchemaDatasetFacetFields(name, media_type or None)
                for name, media_type in collection.fields.items()
            ]
        )
    return facets


def _parameters(node: PlannedNode) -> execution_parameters_run.ExecutionParametersRunFacet:
    return execution_parameters_run.ExecutionParametersRunFacet(
        [
            execution_parameters_run.ExecutionParameter(
                key=name, name=name, value=value_text(value)
            )
            for name, value in open_parameters(node)
        ]
    )


def _engine(node: PlannedNode | None = None) -> processing_engine_run.ProcessingEngineRunFacet:
    """Return the engine, or the component with its version that did an operation."""
    version = importlib.metadata.version("eoloom")
    if node is None:
        return processing_engine_run.ProcessingEngineRunFacet(version, "EO Loom", version)
    manifest = node.component.manifest
    return processing_engine_run.ProcessingEngineRunFacet(manifest.version, manifest.name, version)


def _job_type(kind: str) -> job_type_job.JobTypeJobFacet:
    return job_type_job.JobTypeJobFacet("BATCH", "EOLOOM", kind)


def _error(message: str) -> dict[str, Any]:
    if not message:
        return {}
    return {"errorMessage": error_message_run.ErrorMessageRunFacet(message, "python")}


def _uuid(time: datetime, name: str) -> str:
    """Return the id that OpenLineage demands; the same run always has the same."""
    return str(generate_static_uuid(time, name.encode()))


def _folder_of(path: str) -> tuple[str, str]:
    """Return namespace and name of the folder of a file, as OpenLineage names datasets.

    https://openlineage.io/docs/spec/naming
    """
    parts = urlsplit(path)
    if not parts.scheme or parts.scheme == "file":
        return "file", posixpath.dirname(unquote(parts.path)) or "/"
    return f"{parts.scheme}://{parts.hostname or ''}", posixpath.dirname(parts.path) or "/"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
