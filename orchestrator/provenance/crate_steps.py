"""The steps of a run in its crate: parameters, components, results, and what each step did."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from rocrate.model.contextentity import ContextEntity

from orchestrator.provenance.account import open_parameters
from orchestrator.provenance.crate_terms import (
    licence_of,
    media_type,
    reference,
    references,
    status_of,
    time_text,
    value_text,
    value_type,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rocrate.rocrate import ROCrate

    from composer.component import Component
    from composer.plan import PlannedOperation
    from orchestrator.provenance.account import OperationAccount, RunAccount
    from orchestrator.provenance.crate_files import CrateFiles
    from orchestrator.result_files import Result


class CrateSteps:
    """Adds to a crate what belongs to single operations. workflow: the id of the pipeline."""

    def __init__(
        self, crate: ROCrate, files: CrateFiles, account: RunAccount, workflow: str
    ) -> None:
        self._crate = crate
        self._files = files
        self._account = account
        self._workflow = workflow
        # Ids of the files that each result consists of, its document first, by its path.
        self._files_of: dict[Path, list[str]] = {}
        self._origins: list[str] = []

    def pipeline_without_secrets(self) -> str:
        """Return the pipeline file as it ran; parameters that are secret are left out."""
        pipeline = self._account.graph.pinned()
        nodes = {
            name: node.model_copy(
                update={"params": dict(open_parameters(self._account.graph.nodes[name]))}
            )
            for name, node in pipeline.nodes.items()
        }
        return pipeline.model_copy(update={"nodes": nodes}).to_yaml()

    def add_parameters(self) -> list[str]:
        """Add the parameters that the pipeline sets, each with its value; return their ids."""
        added = []
        for node in self._account.graph.nodes.values():
            properties = node.component.schema.schema.get("properties", {})
            for name, value in open_parameters(node):
                schema = properties.get(name, {})
                parameter = {
                    "@type": "FormalParameter",
                    "name": f"{node.name}.{name}",
                    "additionalType": value_type(value),
                    "description": schema.get("description", ""),
                    "valueRequired": "False",
                    "workExample": reference(_value_id(node.name, name)),
                }
                if "default" in schema:
                    parameter["defaultValue"] = value_text(schema["default"])
                added.append(self._add(self._parameter_id(node.name, name), parameter))
                self._add(
                    _value_id(node.name, name),
                    {
                        "@type": "PropertyValue",
                        "name": f"{node.name}.{name}",
                        "value": value_text(value),
                        "exampleOfWork": reference(added[-1]),
                    },
                )
        return added

    def add_outputs(self) -> list[str]:
        """Add a parameter for what each last operation gives; return their ids."""
        return [
            self._add(
                self._output_id(planned),
                {
                    "@type": "FormalParameter",
                    "name": str(planned),
                    "additionalType": "File",
                    "description": planned.manifest.description,
                },
            )
            for planned in self._account.graph.terminals
        ]

    def add_components(self) -> list[str]:
        """Add the components as applications; return their ids."""
        components = {
            node.component.reference: node.component for node in self._account.graph.nodes.values()
        }
        return [self._add_component(component) for component in components.values()]

    def add_steps(self) -> list[str]:
        """Add the operations as steps, in the order of the pipeline; return their ids."""
        return [
            self._add(
                self._step_id(operation.planned),
                {
                    "@type": "HowToStep",
                    "name": str(operation.planned),
                    "position": str(position),
                    "workExample": reference(_component_id(operation.planned.node.component)),
                },
            )
            for position, operation in enumerate(self._account.operations)
        ]

    def add_results(self) -> None:
        """Add every result with its files, and what it was made from."""
        terminals = {str(planned): planned for planned in self._account.graph.terminals}
        for result in self._account.results:
            terminal = terminals.get(f"{result.node}.{result.operation}")
            about: dict[str, Any] = {
                "name": result.item or result.path.name,
                "description": f"Made by the node {result.node}, operation {result.operation}",
            }
            if terminal is not None:
                about["exampleOfWork"] = reference(self._output_id(terminal))
            if result.item:
                about |= {"encodingFormat": "application/geo+json", **self._extent(result)}
            document = self._files.add(result.path, about)
            if document is not None:
                assets = list(self._add_assets(result))
                self._files_of[result.path] = [document.id, *assets]
                if assets:
                    document["mentions"] = references(assets)
        for path, identifiers in self._files_of.items():
            parents = [
                self._files_of[parent.path][0]
                for parent in self._account.parents.get(path, ())
                if parent.path in self._files_of
            ]
            if parents:
                self._crate.get(identifiers[0])["isBasedOn"] = references(parents)

    def add_actions(self, agent: str) -> tuple[list[str], list[str]]:
        """Add what each operation did; return the ids of the ControlActions and CreateActions."""
        controls, actions = [], []
        for operation in self._account.operations:
            if operation.started is None:
                continue
            planned = operation.planned
            action = self._add_action(operation, agent)
            actions.append(action)
            controls.append(
                self._add(
                    f"{action}-control",
                    {
                        "@type": "ControlAction",
                        "name": f"EO Loom calls {planned}",
                        "instrument": reference(self._step_id(planned)),
                        "object": reference(action),
                        **status_of(operation.state, operation.error),
                    },
                )
            )
        return controls, actions

    def run_objects(self) -> list[str]:
        """Return what the run was given: the values of its parameters, and files from elsewhere."""
        values = [
            _value_id(node.name, name)
            for node in self._account.graph.nodes.values()
            for name, _ in open_parameters(node)
        ]
        return values + self._origins

    def run_results(self) -> list[str]:
        """Return the files of the results of the pipeline, without the steps on the way."""
        return [
            identifier
            for result in self._account.results
            if result.terminal
            for identifier in self._files_of.get(result.path, ())
        ]

    def action_of_node(self, node: str) -> str:
        """Return the id of what the only operation of a node did; empty if there are several."""
        operations = [o for o in self._account.operations if o.planned.node.name == node]
        if len(operations) != 1 or operations[0].started is None:
            return ""
        return self._action_id(operations[0].planned)

    def _add_component(self, component: Component) -> str:
        manifest = component.manifest
        properties = {
            "@type": "SoftwareApplication",
            "name": manifest.title,
            "identifier": component.reference,
            "description": manifest.description,
            "softwareVersion": manifest.version,
            "license": reference(licence_of(self._crate, manifest.licence)),
        }
        if manifest.image:
            properties["installUrl"] = manifest.image
        return self._add(_component_id(component), properties)

    def _add_assets(self, result: Result) -> Iterator[str]:
        """Add the files of an item; yield the ids of those that its own node has written.

        Files from outside the run were given to it; those of other nodes are theirs.
        """
        shared = self._account.shared_folder
        for asset in result.assets:
            about: dict[str, Any] = {
                "name": asset.title or f"{result.item}, {asset.key}",
                "alternateName": asset.key,
            }
            if asset.media_type:
                about["encodingFormat"] = media_type(asset.media_type)
            added = self._files.add(asset.path, about)
            if added is None:
                continue
            if asset.path.startswith(f"{shared / result.node}/"):
                yield str(added.id)
            elif not asset.path.startswith(f"{shared}/"):
                self._origins.append(str(added.id))

    def _add_action(self, operation: OperationAccount, agent: str) -> str:
        planned = operation.planned
        properties: dict[str, Any] = {
            "@type": "CreateAction",
            "name": f"Run of {planned}",
            "description": f"{planned.node.component.reference}, operation "
            f"{planned.operation.name}, as the node {planned.node.name}",
            "instrument": reference(_component_id(planned.node.component)),
            "agent": reference(agent),
            "object": references(self._objects(operation)),
            "result": references(
                identifier
                for result in operation.outputs
                for identifier in self._files_of.get(result.path, ())
            ),
            **status_of(operation.state, operation.error),
        }
        for name, time in (("startTime", operation.started), ("endTime", operation.ended)):
            if time is not None:
                properties[name] = time_text(time)
        return self._add(self._action_id(planned), properties)

    def _objects(self, operation: OperationAccount) -> Iterator[str]:
        """Yield what an operation was given: its node's parameters, and the items sent to it."""
        node = operation.planned.node
        for name, _ in open_parameters(node):
            yield _value_id(node.name, name)
        for result in operation.inputs:
            yield from self._files_of.get(result.path, ())

    def _extent(self, result: Result) -> dict[str, Any]:
        """Return when an item's data were taken."""
        properties = result.properties
        start, end = properties.get("start_datetime"), properties.get("end_datetime")
        time = f"{start}/{end}" if start and end else properties.get("datetime")
        return {"temporalCoverage": str(time)} if time else {}

    def _add(self, identifier: str, properties: dict[str, Any]) -> str:
        filled = {key: value for key, value in properties.items() if value not in ("", [])}
        entity = self._crate.add(ContextEntity(self._crate, identifier, properties=filled))
        return str(entity.id)

    def _parameter_id(self, node: str, name: str) -> str:
        return f"{self._workflow}#{node}/{name}"

    def _output_id(self, planned: PlannedOperation) -> str:
        return f"{self._workflow}#{planned.node.name}/{planned.operation.name}/output"

    def _step_id(self, planned: PlannedOperation) -> str:
        return f"{self._workflow}#{planned.node.name}/{planned.operation.name}"

    def _action_id(self, planned: PlannedOperation) -> str:
        return f"#{uuid.uuid5(uuid.NAMESPACE_URL, f'{self._account.record.id}/{planned}')}"


def _value_id(node: str, name: str) -> str:
    return f"#value-{node}-{name}"


def _component_id(component: Component) -> str:
    return f"#{component.reference}"
