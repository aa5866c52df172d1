"""`eoloom validate`: all faults of a pipeline file at once."""

from __future__ import annotations

from ui.commands.options import AsJson, ComponentFolders, Overrides, PipelineArgument

EPILOG = """
[b]Examples[/b]

  eoloom validate examples/demo.yaml

  eoloom validate pipeline.yaml --set clean.resolution=20 --json
"""


def validate(
    file: PipelineArgument,
    *,
    overrides: Overrides = None,
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """Check a pipeline against the components that there are, and report every fault.

    With --json the document has `valid`, and `faults` with line, place, message and suggestion.
    """
    import typer
    from rich.text import Text

    from composer.errors import PipelineError
    from composer.graph import compose
    from composer.pipeline_file import load_pipeline
    from ui.component_view import ports_text
    from ui.documents import pipeline_document
    from ui.exits import expected_failure
    from ui.formatting import plural
    from ui.output import Output, failure_document
    from ui.registry import find_components
    from ui.tables import new_table

    output = Output(as_json=as_json)
    try:
        registry = find_components(component_folders)
        graph = compose(load_pipeline(file, overrides or ()), registry)
    except PipelineError as error:
        failure = expected_failure(error)
        assert failure is not None  # noqa: S101 - a PipelineError always is one
        if not as_json:
            output.fail(failure)
        output.document({"valid": False, **failure_document(failure)})
        raise typer.Exit(failure.code) from error
    output.document(pipeline_document(graph))
    if as_json:
        return
    pipeline = graph.pipeline
    size = f"{plural(len(graph.nodes), 'node')}, {plural(len(pipeline.links), 'link')}"
    output.show(Text.assemble(("valid", "bold green"), f": {pipeline.name}, {size}"))
    table = new_table("node", "component", "operation", "ports")
    for planned in graph.operations:
        node = planned.node
        table.add_row(
            Text(node.name, style="bold"),
            Text(node.component.reference, style="dim"),
            planned.operation.name,
            ports_text(planned.operation),
        )
    output.show(table)
