"""The layers in which a map shows an item: what it holds, above what it was made from."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from ui.formatting import format_bytes
from ui.map_layers import ItemLayers, MapLayer
from ui.raster_facts import raster_facts
from ui.raster_files import RasterNotReadableError
from ui.result_bands import RasterBand, query_of, range_text
from ui.result_classes import classes_of
from ui.result_colours import NATURAL, composite_ranges, ramp_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ui.result_bands import Range
    from ui.result_classes import ShownClass
    from ui.result_items import ItemAsset, ItemView

MAX_VECTOR_BYTES: Final = 24 * 1024 * 1024
"""Larger outlines would stop a browser; they can be downloaded."""

_MAX_SINGLE_BANDS: Final = 16
_RASTERS: Final = ("image/tiff", "image/jp2")
_COMPOSITES: Final = (
    ("natural colour", NATURAL),
    ("false colour, vegetation red", ("nir", "red", "green")),
)
_GAMMA: Final = 1.4


def layers_of(folder: Path, item: ItemView, parents: Iterable[ItemView]) -> ItemLayers:
    """Return the layers of an item of a run, and of the images that it was made from."""
    builder = _Layers(folder)
    for parent in parents:
        builder.add_images(parent)
    builder.add_item(item)
    return builder.finished()


class _Layers:
    """Puts the layers of one map together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._run = folder.name
        self._notes: list[str] = []
        self._images: list[tuple[MapLayer, tuple[RasterBand, ...]]] = []
        self._overlays: list[MapLayer] = []
        self._vectors: list[MapLayer] = []

    def add_images(self, item: ItemView) -> None:
        """Add what an item looks like: in natural colour, or its first band."""
        notes = len(self._notes)
        sources = self._sources(item)
        del self._notes[notes:]  # what another item lacks is told where that one is shown
        first = next(self._composites(item, sources), None)
        if first is not None:
            self._images.append(first)
        elif sources and not self._classes(sources[0]):
            self._images.append((self._single(item, sources[0], "image"), ()))

    def add_item(self, item: ItemView) -> None:
        """Add all that an item holds."""
        sources = self._sources(item)
        self._images += self._composites(item, sources)
        measured = []
        for source in sources:
            try:
                classes = self._classes(source)
                if classes:
                    self._overlays.append(self._classified(item, source, classes))
                else:
                    measured.append(self._single(item, source, "overlay"))
            except RasterNotReadableError as error:
                self._notes.append(str(error))
        # What is measured lies below what it was classified into.
        self._overlays[:0] = measured[:_MAX_SINGLE_BANDS]
        for asset in item.assets:
            if asset.path is not None and asset.media_type.startswith("application/geo+json"):
                self._add_vector(item, asset)

    def finished(self) -> ItemLayers:
        """Return everything, with what is to be seen first."""
        images = list(self._stretched())
        overlays = self._overlays
        natural = [image for image in images if image.title == _COMPOSITES[0][0]] or images
        shown = {natural[-1].id} if natural else set()
        # Only what leaves something of the image to be seen.
        classified = [layer for layer in overlays if not natural or _has_background(layer)]
        if classified:
            most = max(classified, key=lambda layer: len(layer.legend.get("classes", ())))
            shown.add(most.id)
        shown |= {layer.id for layer in self._vectors}
        layers = [
            replace(layer, visible=layer.id in shown)
            for layer in (*images, *overlays, *self._vectors)
        ]
        both = (natural[0].id, natural[-1].id) if len(natural) > 1 else ("", "")
        return ItemLayers(tuple(layers), tuple(dict.fromkeys(self._notes)), *both)

    def _sources(self, item: ItemView) -> list[RasterBand]:
        found = []
        for asset in item.assets:
            if asset.path is None or not asset.media_type.startswith(_RASTERS):
                continue
            try:
                facts = raster_facts(self._folder, asset.path)
            except RasterNotReadableError as error:
                self._notes.append(str(error))
                continue
            bands = [*asset.bands, *[{}] * facts.count]
            found += [
                RasterBand(asset, asset.path, facts, number, bands[number - 1])
                for number in range(1, facts.count + 1)
            ]
        return found

    def _composites(
        self, item: ItemView, sources: Sequence[RasterBand]
    ) -> Iterator[tuple[MapLayer, tuple[RasterBand, ...]]]:
        by_name: dict[str, RasterBand] = {}
        for source in sources:
            by_name.setdefault(source.common_name, source)
        for title, names in _COMPOSITES:
            if all(name in by_name for name in names):
                three = tuple(by_name[name] for name in names)
                yield self._layer(item, three, title, "image"), three

    def _stretched(self) -> Iterator[MapLayer]:
        """Yield the images; those of equal bands with equal colours, so that they compare."""
        alike: dict[tuple[str, ...], list[tuple[RasterBand, ...]]] = defaultdict(list)
        for _, sources in self._images:
            alike[tuple(source.common_name for source in sources)].append(sources)
        ranges: dict[tuple[str, ...], list[Range]] = {}
        for names, groups in alike.items():
            try:
                ranges[names] = composite_ranges(self._folder, names, groups)
            except RasterNotReadableError as error:
                self._notes.append(str(error))
        for layer, sources in self._images:
            names = tuple(source.common_name for source in sources)
            if not sources:
                yield layer
            elif names in ranges:
                yield self._coloured(layer, sources, ranges[names])

    def _coloured(
        self, layer: MapLayer, sources: Sequence[RasterBand], ranges: Sequence[Range]
    ) -> MapLayer:
        query = {"range": range_text(sources, ranges), "gamma": str(_GAMMA)}
        return replace(
            layer,
            url=self._url(sources, query),
            legend={"kind": "composite", "bands": [source.name for source in sources]},
        )

    def _single(self, item: ItemView, source: RasterBand, side: str) -> MapLayer:
        """Return one band with a colour ramp."""
        colouring = ramp_of(self._folder, source)
        layer = self._layer(item, (source,), self._single_title(source), side)
        shown = [(colouring.low, colouring.high)]
        query = {"range": range_text([source], shown), "ramp": colouring.name}
        return replace(
            layer,
            url=self._url((source,), query),
            legend={
                "kind": "ramp",
                "colours": colouring.colours,
                "low": colouring.low,
                "high": colouring.high,
                "unit": source.layer_band.unit,
            },
        )

    @staticmethod
    def _single_title(source: RasterBand) -> str:
        if source.facts.count == 1:
            return source.asset.title
        return f"{source.asset.title}: {source.name}"

    def _classes(self, source: RasterBand) -> tuple[ShownClass, ...]:
        return classes_of(self._folder, source.asset, source.facts)

    def _classified(
        self, item: ItemView, source: RasterBand, classes: tuple[ShownClass, ...]
    ) -> MapLayer:
        query = {"classes": ",".join(f"{c.value}:{c.colour}" for c in classes if c.colour)}
        entries = [
            {"value": c.value, "name": c.name, "colour": f"#{c.colour}" if c.colour else None}
            for c in classes
        ]
        layer = self._layer(item, (source,), source.asset.title, "overlay")
        return replace(
            layer,
            url=self._url((source,), query),
            legend={"kind": "classes", "classes": entries},
        )

    def _layer(
        self, item: ItemView, sources: tuple[RasterBand, ...], title: str, side: str
    ) -> MapLayer:
        first = sources[0]
        bands = "-".join(str(source.band) for source in sources)
        return MapLayer(
            id=f"{item.path}/{first.asset.key}/{bands}",
            kind="raster",
            title=title,
            group=_group(item),
            url="",
            side=side,
            valueUrl=f"value/{quote(self._run)}?{urlencode(query_of(sources))}",
            bands=tuple(source.layer_band for source in sources),
            path=first.path,
            band=first.band,
            bounds=first.facts.bounds,
            maxZoom=first.facts.max_zoom,
        )

    def _url(self, sources: Sequence[RasterBand], query: Mapping[str, str]) -> str:
        versions = "_".join(dict.fromkeys(source.facts.version for source in sources))
        text = urlencode([*query_of(sources), *query.items(), ("v", versions)])
        return f"tiles/{quote(self._run)}/{{z}}/{{x}}/{{y}}.png?{text}"

    def _add_vector(self, item: ItemView, asset: ItemAsset) -> None:
        if (asset.size or 0) > MAX_VECTOR_BYTES:
            self._notes.append(
                f"{asset.path} has {format_bytes(asset.size or 0)}, too many for a map in a "
                "browser; it can be downloaded"
            )
            return
        classes = [layer.legend["classes"] for layer in self._overlays if "classes" in layer.legend]
        most: Sequence[Any] = max(classes, key=len, default=[])
        self._vectors.append(
            MapLayer(
                id=f"{item.path}/{asset.key}",
                kind="vector",
                title=asset.title,
                group=_group(item),
                url=f"files/{quote(self._run)}/{quote(asset.path or '')}",
                legend={"kind": "vector", "classes": most},
            )
        )


def _group(item: ItemView) -> str:
    return f"{item.time or item.title}, {item.result.node}"


def _has_background(layer: MapLayer) -> bool:
    return any(each["colour"] is None for each in layer.legend.get("classes", ()))
