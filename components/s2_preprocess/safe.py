"""Scenes from products as ESA delivers them: a SAFE folder or zip, or its main metadata file.

A zip is read in place through GDAL's /vsizip/; nothing is unpacked. Its table of contents is
untrusted and checked before anything in it is opened.
"""

from __future__ import annotations

import lzma
import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from components.kit.errors import InputError, MissingDataError
from components.kit.items import properties
from components.kit.storage import DOCUMENT_LIMIT_BYTES, REMOTE_SCHEMES, Storage
from components.s2_preprocess.bands import BY_NAME
from components.s2_preprocess.grid import DeclaredGrid
from components.s2_preprocess.offset import DeclaredOffset
from components.s2_preprocess.product import Granule, Product, parse_granule, parse_product
from components.s2_preprocess.scene import Layer, Scene
from protos.common.v1.item_pb2 import Item

_METADATA: Final = ("MTD_MSIL1C.xml", "MTD_MSIL2A.xml")
_GRANULE_METADATA: Final = "MTD_TL.xml"

# A product has some 200 files and 1.2 GB; its images are compressed already.
_MAX_MEMBERS: Final = 5_000
_MAX_UNPACKED_BYTES: Final = 16 * 1024**3
_MAX_RATIO: Final = 500

# What zipfile lets through where a member is damaged or packed in an unknown way.
_DAMAGE: Final = (
    zipfile.BadZipFile, OSError, EOFError, zlib.error, lzma.LZMAError, NotImplementedError
)  # fmt: skip


def product_href(item: Item) -> str | None:
    """Return the href of the SAFE product among the assets of an item, or None."""
    for asset in item.assets:
        path = PurePosixPath(urlsplit(asset.href).path)
        if path.suffix.lower() in {".safe", ".zip"} or path.name in _METADATA:
            return asset.href
    return None


def open_product(href: str, storage: Storage) -> ProductFiles:
    """Return the files of a product. Raises InputError or MissingDataError naming it."""
    path = PurePosixPath(href.rstrip("/"))
    remote = urlsplit(href).scheme in REMOTE_SCHEMES
    if path.suffix.lower() == ".zip":
        if remote:
            raise InputError(f"{href}: a zip can only be read from the shared folder; fetch it")
        return ZippedProduct.open(storage.local(href), href)
    if path.name in _METADATA:
        folder, metadata = href.rstrip("/").rpartition("/")[0], path.name
    else:
        folder = href.rstrip("/")
        metadata = _find_metadata(folder, None if remote else storage.local(href))
    return ProductFolder(folder, PurePosixPath(metadata), storage)


def read_product_scene(item: Item, href: str, storage: Storage) -> Scene:
    """Return the scene of a product; `item` may know no more of it than its href.

    Raises InputError or MissingDataError naming the file that is wrong or missing.
    """
    files = open_product(href, storage)
    metadata = str(files.metadata)
    product = parse_product(files.read(files.metadata), f"{files.name}/{metadata}")
    granule_path = product.granule / _GRANULE_METADATA
    granule = parse_granule(files.read(granule_path), f"{files.name}/{granule_path}")
    layers: dict[str, list[Layer]] = {}
    for image in product.images:
        resolution = image.resolution_m or _native_resolution(image.name)
        grid = _declared(granule, resolution)
        layer = Layer(image.name, files.gdal_path(image.path), 1, resolution, grid)
        layers.setdefault(image.name, []).append(layer)
    bands = {name: tuple(found) for name, found in layers.items() if name in BY_NAME}
    classi, polygons = granule.masks.get("MSK_CLASSI"), granule.masks.get("MSK_CLOUDS")
    return Scene(
        id=item.id or product.name,
        level=product.level,
        bands=bands,
        scl=min(layers.get("SCL", []), key=lambda layer: layer.resolution_m, default=None),
        classi=None
        if classi is None
        else Layer("MSK_CLASSI", files.gdal_path(classi), 1, 60.0, _declared(granule, 60)),
        cloud_polygons=None if polygons is None else partial(files.read, polygons),
        offset=DeclaredOffset(
            {name: product.offsets[name] for name in bands},
            dict.fromkeys(bands, product.quantification),
            metadata,
            certain=True,
        ),
        properties=properties(item) | _properties(product, granule),
        time=product.start_time,
        outline=product.footprint,
    )


@dataclass(frozen=True)
class ProductFolder:
    """A SAFE folder in the shared folder or behind a URL.

    Paths of its files are relative to it. name: its href. metadata: its main metadata file.
    """

    name: str
    metadata: PurePosixPath
    storage: Storage

    def read(self, path: PurePosixPath) -> bytes:
        """Return a document of the folder."""
        return self.storage.read_bytes(f"{self.name}/{path}")

    def gdal_path(self, path: PurePosixPath) -> str:
        """Return what GDAL opens."""
        return self.storage.resolve(f"{self.name}/{path}")


@dataclass(frozen=True)
class ZippedProduct:
    """A zip that holds one SAFE folder.

    Paths of its files are relative to that folder. name: the zip's href. path: where it lies.
    root: the SAFE folder in it. sizes: bytes of each file in it, unpacked.
    """

    name: str
    metadata: PurePosixPath
    path: Path
    root: PurePosixPath
    sizes: Mapping[str, int]

    @classmethod
    def open(cls, path: Path, name: str) -> ZippedProduct:
        """Check the table of contents of a zip, and return the product in it."""
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.infolist()
        except FileNotFoundError as error:
            raise MissingDataError(f"{name} does not exist") from error
        except (zipfile.BadZipFile, OSError) as error:
            raise MissingDataError(
                f"{name} is not a zip, or it is truncated ({error}); fetch it again"
            ) from error
        _check_members(members, name)
        sizes = {member.filename: member.file_size for member in members if not member.is_dir()}
        mains = [p for p in map(PurePosixPath, sizes) if p.name in _METADATA and len(p.parts) <= 2]
        if len(mains) != 1:
            raise InputError(
                f"{name} holds {len(mains)} Sentinel-2 products (a SAFE folder with MTD_MSIL1C.xml "
                "or MTD_MSIL2A.xml); it must hold one"
            )
        return cls(name, PurePosixPath(mains[0].name), path, mains[0].parent, sizes)

    def read(self, path: PurePosixPath) -> bytes:
        """Return a document of the zip."""
        member = str(self.root / path)
        if member not in self.sizes:
            raise MissingDataError(f"{self.name} has no {member}")
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(member) as stream:
                # What a member declares as its size is not trusted.
                content = stream.read(DOCUMENT_LIMIT_BYTES + 1)
        except _DAMAGE as error:
            raise MissingDataError(f"{self.name}: {member} is damaged ({error})") from error
        if len(content) > DOCUMENT_LIMIT_BYTES:
            raise InputError(f"{self.name}: {member} is larger than {DOCUMENT_LIMIT_BYTES} bytes")
        return content

    def gdal_path(self, path: PurePosixPath) -> str:
        """Return what GDAL opens; the braces keep names without .zip apart from their members."""
        return f"/vsizip/{{{self.path}}}/{self.root / path}"


ProductFiles: TypeAlias = ProductFolder | ZippedProduct


def _check_members(members: list[zipfile.ZipInfo], name: str) -> None:
    if len(members) > _MAX_MEMBERS:
        raise InputError(f"{name} holds {len(members)} files; a product has at most {_MAX_MEMBERS}")
    total = sum(member.file_size for member in members)
    if total > _MAX_UNPACKED_BYTES:
        raise InputError(f"{name} would unpack to {total / 1024**3:.0f} GiB; it is refused")
    for member in members:
        path = PurePosixPath(member.filename)
        if not member.filename:  # zipfile itself does not expect one
            raise InputError(f"{name} holds a file without a name; it is refused")
        if path.is_absolute() or ".." in path.parts or "\\" in member.filename:
            raise InputError(f"{name} holds {member.filename!r}, a path that leads out of it")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise InputError(f"{name} holds {member.filename!r}, a link; it is refused")
        if member.flag_bits & 1:
            raise InputError(f"{name}: {member.filename!r} is encrypted")
        if member.file_size > _MAX_RATIO * max(member.compress_size, 1):
            raise InputError(
                f"{name}: {member.filename!r} unpacks to {member.file_size} bytes from "
                f"{member.compress_size}; it is refused"
            )


def _find_metadata(name: str, folder: Path | None) -> str:
    if folder is None:
        return _METADATA["MSIL2A" in PurePosixPath(name).name]
    if not folder.exists():
        raise MissingDataError(f"{name} does not exist")
    found = [file for file in _METADATA if (folder / file).is_file()]
    if len(found) != 1:
        raise MissingDataError(f"{name} has no MTD_MSIL1C.xml or MTD_MSIL2A.xml; is it a product?")
    return found[0]


def _native_resolution(name: str) -> float:
    return float(BY_NAME[name].resolution_m) if name in BY_NAME else 0.0


def _declared(granule: Granule, resolution: float) -> DeclaredGrid:
    geobox = granule.grids.get(int(resolution)) or granule.grids[min(granule.grids)]
    height, width = geobox.shape
    return DeclaredGrid(str(geobox.crs), geobox.transform, (int(height), int(width)))


def _properties(product: Product, granule: Granule) -> dict[str, object]:
    """Return STAC properties, named as in https://github.com/stac-extensions/sentinel-2."""
    result: dict[str, object] = {
        "platform": product.platform,
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "s2:product_uri": f"{product.name}.SAFE",
        "s2:product_type": {"L1C": "S2MSI1C", "L2A": "S2MSI2A"}[product.level],
        "s2:processing_baseline": product.baseline,
        "s2:mgrs_tile": product.tile,
        "grid:code": f"MGRS-{product.tile}",
        "sat:relative_orbit": product.orbit,
        "view:sun_azimuth": granule.sun_azimuth,
        "view:sun_elevation": 90.0 - granule.sun_zenith,
    }
    if product.cloud_cover is not None:
        result["eo:cloud_cover"] = product.cloud_cover
    return result
