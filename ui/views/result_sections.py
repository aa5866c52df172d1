"""What stands below the map: figures, statistics, histogram, metadata, lineage and downloads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import streamlit as st

from orchestrator.engine.run import State
from ui.figure_files import figure_bytes
from ui.figures import item_figures
from ui.formatting import format_bytes, format_number, format_value
from ui.markdown import plain
from ui.result_statistics import histogram, read_statistics
from ui.run_crate import crate_address
from ui.run_view import state_of
from ui.views.session import guarded, orchestrator_settings, registry

if TYPE_CHECKING:
    from orchestrator.journal import RunRecord
    from orchestrator.result_files import Result
    from ui.map_layers import ItemLayers
    from ui.result_items import ItemAsset, ItemView

_SECTION: Final = "results-section"
_QUICKLOOK_BYTES: Final = 32 * 1024 * 1024
_MAX_REMOTE: Final = 200


def show_sections(
    record: RunRecord, result: Result, item: ItemView | None, layers: ItemLayers | None
) -> None:
    """Show the figures of an item, and one section of what is known of it."""
    if item is None or layers is None:
        _downloads(record, result, None)
        return
    _figures(item)
    sections = {
        "Statistics": lambda: _statistics(record, item),
        "Histogram": lambda: _histogram(record, layers),
        "Quicklook": lambda: _quicklook(record, item),
        "Metadata": lambda: _metadata(item),
        "Lineage": lambda: _lineage(record, item),
        "Downloads": lambda: _downloads(record, result, item),
    }
    if item.asset("statistics", media_type="application/json") is None and not _document(item):
        del sections["Statistics"]
    if _picture(item) is None:
        del sections["Quicklook"]
    # Only one of them is worked out; tabs would be all of them.
    chosen = st.segmented_control(
        "Section",
        list(sections),
        key=_SECTION,
        default=next(iter(sections)),
        label_visibility="collapsed",
    )
    guarded(sections.get(chosen or "", next(iter(sections.values()))))()


def _figures(item: ItemView) -> None:
    figures = item_figures(item.result.item, item.result.properties)[:6]
    if figures:
        columns = st.columns(len(figures))
        for column, figure in zip(columns, figures, strict=True):
            space = "" if figure.unit in {"", "°"} else " "
            value = f"{format_number(figure.value)}{space}{figure.unit}"
            column.metric(plain(figure.name.capitalize()), value)


def _document(item: ItemView) -> ItemAsset | None:
    """Return the statistics of an item: by its role, or by its name."""
    for asset in item.assets:
        is_named = "statistics" in {asset.key, *asset.roles}
        if asset.path and is_named and asset.media_type.startswith("application/json"):
            return asset
    return None


def _statistics(record: RunRecord, item: ItemView) -> None:
    asset = _document(item)
    if asset is None:
        return
    statistics = read_statistics(record.folder.resolve(), asset)
    for table in statistics.tables:
        st.markdown(f"**{plain(table.title.capitalize())}**")
        st.dataframe(list(table.rows), hide_index=True)
    values = [{"name": name, "value": value} for name, value in statistics.values]
    if values:
        st.dataframe(values, hide_index=True, height="content")


def _histogram(record: RunRecord, layers: ItemLayers) -> None:
    rasters = {
        layer.id: layer
        for layer in reversed(layers.layers)
        if layer.kind == "raster" and layer.legend["kind"] != "composite"
    }
    if not rasters:
        st.info("This item has no raster of which values could be counted.")
        return
    key = f"histogram-{len(rasters)}-{next(iter(rasters))}"
    chosen = st.selectbox(
        "Layer", list(rasters), key=key, format_func=lambda name: rasters[name].title
    )
    layer = rasters[chosen]
    counted = histogram(record.folder.resolve(), layer)
    if not counted.rows:
        st.info("No pixel of it has data.")
        return
    import altair as alt

    if counted.is_classes:
        rows = list(counted.rows)
        chart = (
            alt.Chart(alt.InlineData(values=rows))
            .mark_bar()
            .encode(
                x=alt.X("share:Q", title="share of pixels with data (%)"),
                y=alt.Y("class:N", title=None, sort=None),
                color=alt.Color("colour:N", scale=None),
                tooltip=["class:N", alt.Tooltip("share:Q", format=".3f")],
            )
        )
    else:
        unit = f" ({counted.unit})" if counted.unit else ""
        chart = (
            alt.Chart(alt.InlineData(values=list(counted.rows)))
            .mark_bar()
            .encode(
                x=alt.X("from:Q", bin="binned", title=f"{layer.title}{unit}"),
                x2="to:Q",
                y=alt.Y("share:Q", title="share of pixels with data (%)"),
                tooltip=["from:Q", "to:Q", alt.Tooltip("share:Q", format=".3f")],
            )
        )
    st.altair_chart(
        chart.properties(height=60 + 28 * len(counted.rows) if counted.is_classes else 260),
        alt=f"How often the values of {layer.title} occur",
    )
    st.caption(
        f"{counted.sampled:,} pixels with data were counted, of {counted.pixels:,} in all; columns "
        "reach over 99.6 % of them."
        if not counted.is_classes
        else f"{counted.sampled:,} pixels with data were counted, of {counted.pixels:,} in all."
    )


def _picture(item: ItemView) -> ItemAsset | None:
    for role in ("overview", "thumbnail"):
        asset = item.asset(role, media_type="image/")
        if asset is not None and asset.media_type in {"image/png", "image/jpeg"}:
            return asset
    return None


def _quicklook(record: RunRecord, item: ItemView) -> None:
    from orchestrator.service.files import open_file

    asset = _picture(item)
    if asset is None or asset.path is None:
        return
    if (asset.size or 0) > _QUICKLOOK_BYTES:
        st.info("The quicklook is too large for this page; download it instead.")
        return
    with open_file(record.folder.resolve(), asset.path) as file:
        st.image(file.read(_QUICKLOOK_BYTES), caption=plain(asset.title), alt=asset.title)


def _metadata(item: ItemView) -> None:
    document = item.document
    head: dict[str, Any] = {
        "id": item.result.item,
        "collection": document.get("collection", ""),
        "bbox": document.get("bbox", ""),
    }
    rows = [
        {"property": str(name), "value": format_value(value, 400)}
        for name, value in (head | dict(item.result.properties)).items()
        if value not in (None, "")
    ]
    st.dataframe(rows, hide_index=True, height="content")
    with st.expander("The STAC item as JSON"):
        st.json(dict(document), expanded=1)


def _lineage(record: RunRecord, item: ItemView) -> None:
    from orchestrator.embedded import load_run
    from orchestrator.lineage import read_lineage
    from ui.lineage_picture import draw_lineage

    message = str(item.result.properties.get("eoloom:message", ""))
    loaded, graph, _ = load_run(record.id, registry(), orchestrator_settings(), kinds=[])
    ancestor = read_lineage(loaded, graph, message)
    figure = figure_bytes(lambda: draw_lineage(ancestor), "svg")
    st.image(figure.decode(), alt=f"What {item.title} was made from")


def _downloads(record: RunRecord, result: Result, item: ItemView | None) -> None:
    base = f"files/{quote(record.id)}"
    document = result.path.relative_to(record.folder.resolve())
    kind = "STAC item" if item is not None else "message"
    rows: list[tuple[str, str, int | None, str]] = []
    rows.append(
        ("The item" if item else "The message", kind, None, f"{base}/{quote(str(document))}")
    )
    assets = item.assets if item is not None else ()
    for asset in assets:
        if asset.path is not None:
            link = f"{base}/{quote(asset.path)}"
            rows.append((asset.title, _kind(asset.media_type), asset.size, link))
    lines = ["| File | Type | Size |", "|---|---|---:|"]
    for title, media_type, size, link in rows:
        amount = format_bytes(size) if size is not None else ""
        lines.append(f"| [{plain(title)}]({link}) | {plain(media_type)} | {amount} |")
    st.markdown("\n".join(lines))
    _remote([asset for asset in assets if asset.path is None])
    if state_of(record) != State.RUNNING:
        crate, described, _ = st.columns([1.2, 1.5, 4])
        crate.link_button(
            "Run as RO-Crate",
            crate_address(record.id, with_data=True),
            icon=":material/package_2:",
        )
        described.link_button(
            "RO-Crate without data",
            crate_address(record.id, with_data=False),
            icon=":material/article:",
        )


def _kind(media_type: str) -> str:
    if "cloud-optimized" in media_type:
        return "Cloud-Optimized GeoTIFF"
    names = {"application/geo+json": "GeoJSON", "application/json": "JSON"}
    return names.get(media_type, media_type or "unknown")


def _remote(assets: list[ItemAsset]) -> None:
    """Show what lies elsewhere: its owner gives it, not this page."""
    if not assets:
        return
    with st.expander(f"{len(assets)} files that lie elsewhere"):
        lines = []
        for asset in assets[:_MAX_REMOTE]:
            is_web = urlsplit(asset.href).scheme in {"http", "https"}
            safe = quote(asset.href, safe=":/?&=%#+,;@~")
            name = f"[{plain(asset.title)}]({safe})" if is_web else plain(asset.title)
            lines.append(f"- {name}" + ("" if is_web else f": {plain(asset.href)}"))
        st.markdown("\n".join(lines))
