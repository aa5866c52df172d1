"""Sentinel products as ESA delivers them (.SAFE folders and zips), described as items.

Names: Sentinel-2 Products Specification Document (S2-PDGS-TAS-DI-PSD), "product naming", and
Sentinel-1 Product Specification (S1-RS-MDA-52-7441), section 3.4.1.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from shapely.geometry import Polygon, mapping

from components.stac_source.candidates import Candidate

_METADATA_LIMIT_BYTES = 16 * 1024 * 1024
_SENTINEL_2 = re.compile(
    r"(?P<mission>S2[A-D])_MSI(?P<level>L1C|L2A)_(?P<start>\d{8}T\d{6})_N(?P<baseline>\d{4})"
    r"_R(?P<orbit>\d{3})_T(?P<tile>\d{2}[A-Z]{3})_(?P<made>\d{8}T\d{6})"
)
_SENTINEL_1 = re.compile(
    r"(?P<mission>S1[A-D])_(?P<mode>IW|EW|WV|S[1-6])_(?P<type>GRD|SLC)(?P<resolution>[FHM_])_"
    r"1S(?P<polarisation>[SD][HV])_(?P<start>\d{8}T\d{6})_(?P<stop>\d{8}T\d{6})_(?P<orbit>\d{6})"
    r"_[0-9A-F]{6}_[0-9A-F]{4}(?:_COG)?"
)
_ENDINGS = (".SAFE.zip", ".SAFE", ".zip")
# What reading a damaged, encrypted or hostile product raises.
_UNREADABLE = (
    OSError, ValueError, LookupError, SyntaxError, RuntimeError, expat.ExpatError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
# Elements of MTD_MSIL1C.xml and MTD_MSIL2A.xml.
_CLOUDS = "Cloud_Coverage_Assessment"
_BASELINE = "PROCESSING_BASELINE"


@dataclass(frozen=True)
class ProductName:
    """What a product's name says."""

    id: str
    collection: str
    properties: dict[str, Any]


def parse_product_name(name: str) -> ProductName | None:
    """Read the name of a .SAFE folder or its zip; None if it is not a product's name."""
    stem = next((name.removesuffix(end) for end in _ENDINGS if name.endswith(end)), None)
    if stem is None:
        return None
    if match := _SENTINEL_2.fullmatch(stem):
        level, baseline = match["level"], match["baseline"]
        return ProductName(
            stem,
            f"sentinel-2-{level.lower()}",
            {
                "datetime": _time(match["start"]),
                "platform": f"sentinel-{match['mission'][1:].lower()}",
                "constellation": "sentinel-2",
                "instruments": ["msi"],
                "s2:product_type": f"S2MSI{level[1:]}",
                "s2:processing_baseline": f"{baseline[:2]}.{baseline[2:]}",
                "s2:mgrs_tile": match["tile"],
                "grid:code": f"MGRS-{match['tile']}",
                "s2:product_uri": f"{stem}.SAFE",
            },
        )
    if match := _SENTINEL_1.fullmatch(stem):
        return ProductName(
            stem,
            f"sentinel-1-{match['type'].lower()}",
            {
                "datetime": _time(match["start"]),
                "start_datetime": _time(match["start"]),
                "end_datetime": _time(match["stop"]),
                "platform": f"sentinel-{match['mission'][1:].lower()}",
                "constellation": "sentinel-1",
                "instruments": ["c-sar"],
                "sar:instrument_mode": match["mode"],
                "sar:product_type": match["type"],
                "sat:absolute_orbit": int(match["orbit"]),
            },
        )
    return None


def describe_product(path: Path, warn: Callable[[str], None]) -> Candidate | None:
    """Return the item of a product with the asset `product`; None if the name is not one.

    Footprint and cloud cover come from the metadata inside. Where that cannot be read the user is
    warned, and the item lacks them.
    """
    name = parse_product_name(path.name)
    if name is None:
        return None
    properties = dict(name.properties)
    geometry: dict[str, Any] | None = None
    try:
        footprint = _footprint(_metadata(path, "manifest.safe"))
        geometry = dict(mapping(footprint))
        if name.collection.startswith("sentinel-2"):
            level = name.collection[-3:].upper()
            properties |= _scene_properties(_metadata(path, f"MTD_MSI{level}.xml"))
    except (
        OSError,
        ValueError,
        LookupError,
        SyntaxError,
        expat.ExpatError,
        zipfile.BadZipFile,
    ) as error:
        warn(f"{path}: its metadata cannot be read ({error}); taking the name only")
    document: dict[str, Any] = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": name.id,
        "collection": name.collection,
        "geometry": geometry,
        "properties": properties,
        "assets": {
            "product": {
                "href": path.name,
                "type": "application/zip" if path.is_file() else "application/x-directory",
                "title": "Product as delivered",
                "roles": ["data"],
            }
        },
    }
    if geometry:
        document["bbox"] = list(footprint.bounds)
    return Candidate.checked(document, str(path))


def _metadata(path: Path, name: str) -> ElementTree.Element:
    """Return an XML file of a product. Raises OSError, ValueError, KeyError or ParseError."""
    if path.is_dir():
        file = (path / name).resolve()
        if not file.is_relative_to(path.resolve()):
            raise ValueError(f"{name} is a link to outside of the product")
        with file.open("rb") as stream:
            content = stream.read(_METADATA_LIMIT_BYTES + 1)
    else:
        with zipfile.ZipFile(path) as archive:
            member = next((each for each in archive.namelist() if _is_top_level(each, name)), None)
            if member is None:
                raise LookupError(f"no {name} in the archive")
            with archive.open(member) as stream:
                content = stream.read(_METADATA_LIMIT_BYTES + 1)
    if len(content) > _METADATA_LIMIT_BYTES:
        raise ValueError(f"{name} is larger than {_METADATA_LIMIT_BYTES >> 20} MiB")
    _refuse_entities(content, name)
    return ElementTree.fromstring(content)  # noqa: S314 - bounded, and without entities


def _refuse_entities(content: bytes, name: str) -> None:
    """Raise ValueError if an XML document declares a document type, where entities come from."""

    def refuse(*_: object) -> None:
        raise ValueError(f"{name} declares a document type, which products never do")

    # The parser itself looks for it, whatever the encoding.
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(content, True)


def _is_top_level(member: str, name: str) -> bool:
    parts = member.split("/")
    return parts[-1] == name and len(parts) <= 2


def _footprint(manifest: ElementTree.Element) -> Polygon:
    """Return the outline in the manifest: pairs of latitude and longitude."""
    text = next((each.text for each in manifest.iter() if each.tag.endswith("}coordinates")), None)
    numbers = [float(part) for part in re.split(r"[\s,]+", (text or "").strip()) if part]
    if len(numbers) < 6 or len(numbers) % 2:
        raise ValueError("manifest.safe has no footprint")
    polygon = Polygon(list(zip(numbers[1::2], numbers[0::2], strict=True)))
    if not polygon.is_valid:
        raise ValueError("the footprint in manifest.safe is not a polygon")
    return polygon


def _scene_properties(metadata: ElementTree.Element) -> dict[str, Any]:
    texts = {
        element.tag.rpartition("}")[2]: element.text
        for element in metadata.iter()
        if element.tag.rpartition("}")[2] in {_CLOUDS, _BASELINE}
    }
    properties: dict[str, Any] = {}
    if text := texts.get(_CLOUDS):
        properties["eo:cloud_cover"] = float(text)
    if text := texts.get(_BASELINE):
        properties["s2:processing_baseline"] = text
    return properties


def _time(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:11]}:{text[11:13]}:{text[13:15]}Z"
