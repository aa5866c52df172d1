"""How a run went, for people: nodes, figures, results, and what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from ui.figures import headline_figures
from ui.formatting import format_path, format_seconds, format_time, plural
from ui.tables import nodes_table, state_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.result_files import Result, ResultAsset
    from ui.output import Output
    from ui.run_view import RunView

_FORMATS: Final = {
    "image/tiff; application=geotiff; profile=cloud-optimized": "COG",
    "image/tiff; application=geotiff": "GeoTIFF",
    "image/tiff": "TIFF",
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/jp2": "JPEG 2000",
    "application/geo+json": "GeoJSON",
    "application/geopackage+sqlite3": "GeoPackage",
    "application/vnd.zarr": "Zarr",
    "application/x-netcdf": "NetCDF",
    "application/vnd.apache.parquet": "Parquet",
    "application/json": "JSON",
    "text/csv": "CSV",
    "application/xml": "XML",
}
"""Common names of the media types of https://github.com/radiantearth/stac-spec (1.1.0)."""

_MOST_RESULTS: Final = 20
"""Results that are listed one by one; the catalogue has all."""


def show_end(view: RunView, output: Output) -> None:
    """Write how a run ended and what it left, as soon as it has ended."""
    _show_work(view, output)
    took = f" after {format_seconds(view.seconds)}"
    output.show(Text.assemble(state_text(view.state), f"{took}: ", (view.id, "bold")))


def show_failure(view: RunView, output: Output) -> None:
    """Write why a run failed, and where to read more."""
    output.error(view.message)
    if view.failure_log and str(view.failure_log) not in view.message:
        output.tell_error(f"log: {format_path(view.failure_log)}")
    output.tell_error(f"`eoloom show {view.id}` tells more")


def show_details(view: RunView, output: Output) -> None:
    """Write what the journal and the folder know of a run."""
    title = Text.assemble((view.id, "bold"), "  ", state_text(view.state))
    output.show(title)
    output.line(f"pipeline  {view.pipeline} ({format_path(view.folder / 'pipeline.yaml')})")
    ended = f", ended {format_time(view.ended)}" if view.ended else ""
    started = format_time(view.started)
    spent = format_seconds(view.seconds)
    lasted = f"took {spent}" if view.ended else f"{spent} so far"
    output.line(f"started   {started}{ended}, {lasted}")
    if view.message:
        output.show(Text.assemble("message   ", (view.message, "red")))
    for node in view.nodes:
        if node.web_page:
            output.show(Text.assemble("page      ", f"{node.name}: ", (node.web_page, "cyan")))
    for notice in view.notices:
        place = ".".join(filter(None, (notice.node, notice.operation)))
        output.show(Text.assemble(("warning   ", "yellow"), f"{place}: {notice.message}"))
    if view.has_more_notices:
        output.line("          and more, which are left out", "yellow")
    _show_work(view, output)
    logs = [node.log for node in view.nodes if node.log]
    if logs:
        output.line("logs", "bold")
        for log in logs:
            output.line(f"  {format_path(log)}")


def _show_work(view: RunView, output: Output) -> None:
    """Write what the nodes did, the figures and the results."""
    if view.nodes:
        output.show(nodes_table(view.nodes))
    for figures in _figure_lines(view):
        output.show(figures)
    _show_results(view, output)


def _figure_lines(view: RunView) -> Iterator[Text]:
    """Yield one line per result that has figures, named only where there are several."""
    lines: dict[str, list[str]] = {}
    for figure in headline_figures(view.results):
        lines.setdefault(figure.item, []).append(str(figure))
    for item, figures in lines.items():
        name = f"{item}: " if len(lines) > 1 else ""
        yield Text.assemble(name, (", ".join(figures), "bold green"))


def _show_results(view: RunView, output: Output) -> None:
    terminal = view.terminal_results
    shown = terminal or view.results
    if not shown:
        output.line("no results", "dim")
        return
    where = f": {format_path(view.catalogue)}" if view.catalogue else ""
    steps = "" if terminal else " of steps on the way"
    output.show(
        Text.assemble((plural(len(shown), "result") + steps, "bold"), f", STAC catalogue{where}")
        if view.catalogue
        else Text(plural(len(shown), "result") + steps, style="bold")
    )
    for result in shown[:_MOST_RESULTS]:
        output.show(_result_line(result))
        # What lies elsewhere was not made by the run; steps on the way may have many files.
        made = [asset for asset in result.assets if "://" not in asset.path] if terminal else []
        keys = max((len(asset.key) for asset in made), default=0)
        for asset in made:
            output.line(f"    {_format(asset):8}  {asset.key:{keys}}  {format_path(asset.path)}")
    if len(shown) > _MOST_RESULTS:
        output.line(f"  and {len(shown) - _MOST_RESULTS} more in the catalogue", "dim")


def _result_line(result: Result) -> Text:
    name = result.item or result.path.name
    path = format_path(result.path)
    return Text.assemble("  ", (name, "cyan"), (f"  {result.node}  {path}", "dim"))


def _format(asset: ResultAsset) -> str:
    known = _FORMATS.get(asset.media_type)
    if known:
        return known
    return asset.media_type.partition(";")[0].rpartition("/")[2] or "file"
