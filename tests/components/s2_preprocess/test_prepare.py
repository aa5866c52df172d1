import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.warp import transform as transform_points

from components.kit.errors import InputError, MissingDataError
from components.s2_preprocess.service import S2Preprocess
from protos.common import stac
from protos.common.v1.item_pb2 import Asset, Item
from tests.components.s2_preprocess.products import (
    LEFT,
    SIDE,
    TOP,
    RecordingCall,
    assets,
    catalogue_item,
    fields,
    make_call,
    product_item,
    random_dn,
    read,
    write_product,
    write_raster,
    zip_product,
)

FOUR = ("B02", "B03", "B04", "B08")
CLEAR = np.full((SIDE // 2, SIDE // 2), 4, np.uint8)
# Metadata as of each baseline: level, offset per band, quantification.
BASELINES = {
    "02.14": ("L2A", 0.0, 10000.0),
    "03.01": ("L1C", 0.0, 10000.0),
    "04.00": ("L2A", -1000.0, 10000.0),
    "05.00": ("L1C", -1000.0, 10000.0),
    "05.09": ("L2A", -1000.0, 10000.0),
}


def prepare(item: Item, call: RecordingCall) -> Item:
    return S2Preprocess().prepare(item, call)


def four_bands(side: int = SIDE, *, low: int = 1100) -> dict[str, NDArray[Any]]:
    return {name: random_dn(side, low=low, seed=seed) for seed, name in enumerate(FOUR)}


def product(shared: Path, **values: Any) -> tuple[Item, dict[str, NDArray[Any]]]:
    bands = values.pop("bands", None) or four_bands()
    values = {"scl": CLEAR, "offsets": dict.fromkeys(FOUR, -1000.0)} | values
    return product_item(shared, write_product(shared, bands, **values)), bands


def physical(shared: Path, asset: Asset) -> NDArray[np.float64]:
    """Read as any other reader would: by the scale, offset and nodata that the file states."""
    with rasterio.open(shared / asset.href) as dataset:
        stored = dataset.read(masked=True).astype(np.float64)
        scales, offsets = np.array(dataset.scales), np.array(dataset.offsets)
    return (stored * scales[:, None, None] + offsets[:, None, None]).filled(np.nan)


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("baseline", BASELINES)
def test_reflectance_is_the_formula_for_every_baseline(
    shared: Path, baseline: str, packed: bool
) -> None:
    level, offset, quantification = BASELINES[baseline]
    bands = four_bands(low=1)
    offsets = dict.fromkeys(FOUR, offset) if offset else None
    safe = write_product(
        shared, bands, level=level, baseline=baseline, offsets=offsets,
        scl=CLEAR if level == "L2A" else None,
    )  # fmt: skip
    path = zip_product(safe) if packed else safe
    result = prepare(product_item(shared, path), make_call(shared, mask="none"))
    expected = np.stack([(bands[name].astype(float) + offset) / quantification for name in FOUR])
    np.testing.assert_allclose(physical(shared, assets(result)["reflectance"]), expected, atol=1e-9)
    assert fields(result)["s2:processing_baseline"] == baseline


def test_offsets_differ_by_band(shared: Path) -> None:
    offsets = {"B02": -1000.0, "B03": -1005.0, "B04": -990.0, "B08": -1000.0}
    item, bands = product(shared, offsets=offsets)
    result = prepare(item, make_call(shared))
    expected = np.stack([(bands[n].astype(float) + offsets[n]) / 10000 for n in FOUR])
    np.testing.assert_allclose(physical(shared, assets(result)["reflectance"]), expected, atol=1e-9)


def test_the_item_describes_what_was_made(shared: Path) -> None:
    item, _ = product(shared)
    result = prepare(item, make_call(shared))
    document = stac.to_dict(result)
    assert document["collection"] == "eoloom-s2-reflectance"
    assert result.id == "scene"
    assert list(result.derived_from) == ["sentinel-2-l2a/scene"]
    assert document["properties"]["datetime"] == "2023-08-15T09:50:31.024000Z"
    made = document["properties"]
    assert made["platform"] == "sentinel-2a"
    assert made["s2:mgrs_tile"] == "33UUP"
    assert made["view:sun_azimuth"] == 151.5
    assert made["eo:cloud_cover"] == 12.5
    assert made["eoloom:clear_percentage"] == 100
    assert made["eoloom:offset_dn"] == -1000
    assert made["eoloom:offset_decided_by"] == "metadata"
    asset = document["assets"]["reflectance"]
    assert asset["proj:code"] == "EPSG:32633"
    assert asset["proj:transform"] == [10, 0, LEFT, 0, -10, TOP]
    assert asset["proj:shape"] == [SIDE, SIDE]
    assert [band["name"] for band in asset["bands"]] == list(FOUR)
    assert asset["bands"][0]["raster:scale"] == 1e-4
    assert asset["bands"][0]["raster:offset"] == -0.1
    west, south, east, north = result.bbox
    assert 12.0 < west < east < 12.05
    assert 53.18 < south < north < 53.22


def test_only_the_whole_file_appears_and_it_is_a_cog(shared: Path) -> None:
    item, _ = product(shared)
    result = prepare(item, make_call(shared))
    path = shared / assets(result)["reflectance"].href
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "reflectance.tif",
        "thumbnail.png",
    ]
    with rasterio.open(path) as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.descriptions == FOUR
        assert (dataset.dtypes[0], dataset.nodata) == ("uint16", 0)


def test_no_data_and_saturated_values_are_no_data_in_every_band(shared: Path) -> None:
    bands = four_bands()
    bands["B02"][3, 4], bands["B08"][10, 11] = 0, 65535
    item, _ = product(shared, bands=bands)
    result = prepare(item, make_call(shared))
    empty = (read(shared, assets(result)["reflectance"]) == 0).all(axis=0)
    assert np.argwhere(empty).tolist() == [[3, 4], [10, 11]]
    assert fields(result)["eoloom:nodata_percentage"] == pytest.approx(200 / SIDE**2, abs=1e-4)


def test_the_classification_masks_by_nearest_neighbour(shared: Path) -> None:
    scl = np.random.default_rng(4).integers(0, 12, CLEAR.shape).astype(np.uint8)
    item, bands = product(shared, scl=scl)
    result = prepare(item, make_call(shared, keep_classification=True))
    fine = scl.repeat(2, axis=0).repeat(2, axis=1)
    masked = np.isin(fine, [0, 1, 3, 8, 9, 10])
    stored = read(shared, assets(result)["reflectance"])
    np.testing.assert_array_equal(stored[2], np.where(masked, 0, bands["B04"]))
    np.testing.assert_array_equal(read(shared, assets(result)["scl"])[0], fine)
    made = fields(result)
    assert made["eoloom:clear_percentage"] == pytest.approx(100 * (~masked).mean(), abs=1e-3)
    clouds = np.isin(fine, [8, 9, 10]).sum() / (fine > 0).sum()
    assert made["eoloom:cloud_percentage"] == pytest.approx(100 * clouds, abs=1e-3)


def test_the_classification_can_be_kept_without_masking(shared: Path) -> None:
    item, bands = product(shared, scl=np.full_like(CLEAR, 9))
    result = prepare(item, make_call(shared, mask="none", keep_classification=True))
    np.testing.assert_array_equal(read(shared, assets(result)["reflectance"])[0], bands["B02"])
    assert (read(shared, assets(result)["scl"]) == 9).all()
    assert fields(result)["eoloom:cloud_percentage"] == 100


def test_other_classes_and_a_margin_can_be_masked(shared: Path) -> None:
    scl = CLEAR.copy()
    scl[15, 15], scl[2, 2] = 9, 11
    item, _ = product(shared, scl=scl)
    call = make_call(shared, dilation_m=100, mask_classes=[0, 9, 11])
    stored = read(shared, assets(prepare(item, call))["reflectance"])[0]
    masked = stored == 0
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    from_cloud = np.min(
        [np.hypot(y - row, x - col) for row in (30, 31) for col in (30, 31)], axis=0
    )
    expected = from_cloud <= 10
    expected[4:6, 4:6] = True  # snow does not grow
    np.testing.assert_array_equal(masked, expected)


def test_margins_cross_the_borders_of_blocks(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scl = CLEAR.copy()
    scl[15, 15] = 9
    item, _ = product(shared, scl=scl)
    whole = read(shared, assets(prepare(item, make_call(shared, dilation_m=80)))["reflectance"])
    monkeypatch.setattr("components.s2_preprocess.preparation._BLOCK_PX", 16)
    call = make_call(shared, node="blocks", dilation_m=80)
    np.testing.assert_array_equal(read(shared, assets(prepare(item, call))["reflectance"]), whole)


def test_masks_of_level_1c(shared: Path) -> None:
    classi = np.zeros((3, SIDE // 6, SIDE // 6), np.uint8)
    classi[0, 0, 0] = classi[1, 5, 5] = classi[2, 9, 9] = 1
    item, bands = product(shared, level="L1C", scl=None, masks={"MSK_CLASSI": classi})
    stored = read(shared, assets(prepare(item, make_call(shared)))["reflectance"])[0]
    masked = (classi[0] + classi[1]).repeat(6, axis=0).repeat(6, axis=1) > 0
    np.testing.assert_array_equal(stored, np.where(masked, 0, bands["B02"]))


def test_cloud_polygons_of_old_level_1c(shared: Path) -> None:
    corner = f"{LEFT} {TOP} {LEFT + 120} {TOP} {LEFT + 120} {TOP - 60} {LEFT} {TOP - 60}"
    gml = (
        '<eop:Mask xmlns:eop="http://www.opengis.net/eop/2.0" '
        'xmlns:gml="http://www.opengis.net/gml/3.2"><eop:MaskFeature>'
        "<eop:maskType>OPAQUE</eop:maskType><gml:Polygon><gml:exterior><gml:LinearRing>"
        f"<gml:posList>{corner} {LEFT} {TOP}</gml:posList></gml:LinearRing></gml:exterior>"
        "</gml:Polygon></eop:MaskFeature></eop:Mask>"
    )
    item, _ = product(
        shared, level="L1C", baseline="03.01", offsets=None, scl=None, masks={"MSK_CLOUDS": gml}
    )
    stored = read(shared, assets(prepare(item, make_call(shared)))["reflectance"])[0]
    expected = np.zeros((SIDE, SIDE), bool)
    expected[0:6, 0:12] = True
    np.testing.assert_array_equal(stored == 0, expected)


def test_a_scene_without_any_mask_is_said_to_have_none(shared: Path) -> None:
    item, _ = product(shared, level="L1C", scl=None)
    call = make_call(shared)
    result = prepare(item, call)
    assert "has no cloud mask" in call.warned[0]
    assert fields(result)["eoloom:clear_percentage"] == 100
    assert "eoloom:cloud_percentage" not in fields(result)


@pytest.mark.parametrize(
    ("mask", "message"),
    [("scl", "has no scene classification"), ("classi", "neither MSK_CLASSI nor MSK_CLOUDS")],
)
def test_a_named_mask_must_be_there(shared: Path, mask: str, message: str) -> None:
    item, _ = product(shared, level="L1C", scl=None)
    with pytest.raises(InputError, match=message):
        prepare(item, make_call(shared, mask=mask))


def test_bands_of_several_pixel_sizes_share_one_grid(shared: Path) -> None:
    bands = {"B04": random_dn(SIDE), "B11": random_dn(SIDE // 2), "B01": random_dn(SIDE // 6)}
    offsets = dict.fromkeys(bands, -1000.0)
    item, _ = product(shared, bands=bands, offsets=offsets)
    call = make_call(shared, bands=["B01", "red", "swir16"], resolution=20)
    result = prepare(item, call)
    stored = read(shared, assets(result)["reflectance"])
    assert stored.shape == (3, 30, 30)
    mean = bands["B04"].reshape(30, 2, 30, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(stored[1], mean, atol=0.51)
    np.testing.assert_array_equal(stored[2], bands["B11"])


def test_every_band(shared: Path) -> None:
    bands = {"B8A": random_dn(SIDE // 2), "B04": random_dn(SIDE), "B11": random_dn(SIDE // 2)}
    item, _ = product(shared, bands=bands, offsets=dict.fromkeys(bands, -1000.0))
    result = prepare(item, make_call(shared, bands=["all"]))
    assert [band.name for band in assets(result)["reflectance"].bands] == ["B04", "B8A", "B11"]


def test_reprojection_puts_values_where_they_belong(shared: Path) -> None:
    # A plane in easting and northing survives bilinear interpolation.
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    plane = (2000 + 10 * x + 5 * y).astype(np.uint16)
    item, _ = product(shared, bands=dict.fromkeys(FOUR, plane))
    result = prepare(item, make_call(shared, crs="EPSG:3035", resolution=10))
    asset = assets(result)["reflectance"]
    with rasterio.open(shared / asset.href) as dataset:
        stored = dataset.read(1)
        rows, columns = np.nonzero(stored)
        xs, ys = dataset.xy(rows, columns)
        eastings, northings = transform_points(dataset.crs, "EPSG:32633", xs, ys)
        assert dataset.crs.to_epsg() == 3035
        assert (dataset.transform.c % 10, dataset.transform.f % 10) == (0, 0)
    column = (np.array(eastings) - LEFT) / 10 - 0.5
    row = (TOP - np.array(northings)) / 10 - 0.5
    inside = (column > 1) & (column < SIDE - 2) & (row > 1) & (row < SIDE - 2)
    expected = 2000 + 10 * column + 5 * row
    assert inside.sum() > 0.8 * SIDE**2
    assert np.abs(stored[rows, columns] - expected)[inside].max() < 1.0


def test_a_clip_is_the_same_pixels(shared: Path) -> None:
    item, bands = product(shared)
    xs, ys = transform_points(
        "EPSG:32633", "EPSG:4326", [LEFT + 105, LEFT + 395], [TOP - 305, TOP - 95]
    )
    result = prepare(item, make_call(shared, bbox=[xs[0], ys[0], xs[1], ys[1]]))
    asset = assets(result)["reflectance"]
    with rasterio.open(shared / asset.href) as dataset:
        stored, transform = dataset.read(3), dataset.transform
    row, column = round((TOP - transform.f) / 10), round((transform.c - LEFT) / 10)
    assert row in {8, 9}
    assert column in {9, 10}
    height, width = stored.shape
    np.testing.assert_array_equal(stored, bands["B04"][row : row + height, column : column + width])
    assert result.bbox[0] == pytest.approx(xs[0], abs=3e-4)


def test_a_box_outside_is_refused(shared: Path) -> None:
    item, _ = product(shared)
    with pytest.raises(InputError, match=r"bbox \[2.0, 48.0, 3.0, 49.0\] lies outside scene scene"):
        prepare(item, make_call(shared, bbox=[2, 48, 3, 49]))


def test_a_given_grid_is_kept_exactly(shared: Path) -> None:
    item, bands = product(shared)
    grid = {
        "code": "EPSG:32633",
        "transform": [10, 0, LEFT + 100, 0, -10, TOP + 50],
        "shape": [20, 30],
    }
    stored = read(shared, assets(prepare(item, make_call(shared, grid=grid)))["reflectance"])
    assert stored.shape == (4, 20, 30)
    assert not stored[:, :5].any()
    np.testing.assert_array_equal(stored[2, 5:], bands["B04"][0:15, 10:40])
    away = grid | {"transform": [10, 0, 0, 0, -10, 0]}
    with pytest.raises(InputError, match="lies outside scene scene"):
        prepare(item, make_call(shared, grid=away))


def test_blocks_do_not_show(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    item, _ = product(shared)
    wishes = {"resolution": 25, "crs": "EPSG:32633"}
    whole = read(shared, assets(prepare(item, make_call(shared, **wishes)))["reflectance"])
    monkeypatch.setattr("components.s2_preprocess.preparation._BLOCK_PX", 8)
    call = make_call(shared, node="blocks", **wishes)
    np.testing.assert_array_equal(read(shared, assets(prepare(item, call))["reflectance"]), whole)


def test_an_all_cloud_scene_is_passed_on_with_a_warning(shared: Path) -> None:
    item, _ = product(shared, scl=np.full_like(CLEAR, 9))
    call = make_call(shared)
    result = prepare(item, call)
    assert fields(result)["eoloom:clear_percentage"] == 0
    assert not read(shared, assets(result)["reflectance"]).any()
    assert any("every pixel is masked" in warning for warning in call.warned)


def test_a_scene_without_data_is_passed_on_with_a_warning(shared: Path) -> None:
    empty = dict.fromkeys(FOUR, np.zeros((SIDE, SIDE), np.uint16))
    item, _ = product(shared, bands=empty)
    call = make_call(shared)
    result = prepare(item, call)
    assert fields(result)["eoloom:nodata_percentage"] == 100
    assert any("is without data" in warning for warning in call.warned)


def test_a_truncated_band_is_named_and_nothing_is_left(shared: Path) -> None:
    item, _ = product(shared)
    (path,) = (shared).rglob("*B08_10m.jp2")
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(MissingDataError, match=r"B08_10m.jp2 cannot be read"):
        prepare(item, make_call(shared))
    assert not list((shared / "clean").rglob("*.*"))


def test_a_missing_file_is_named(shared: Path) -> None:
    item, _ = product(shared)
    (path,) = (shared).rglob("*B08_10m.jp2")
    path.unlink()
    with pytest.raises(MissingDataError, match=r"B08_10m.jp2 does not exist"):
        prepare(item, make_call(shared))


def test_a_missing_band_lists_those_there_are(shared: Path) -> None:
    item, _ = product(shared)
    with pytest.raises(InputError, match="no band B11; it has B02, B03, B04, B08"):
        prepare(item, make_call(shared, bands=["B04", "B11"]))


def test_an_item_without_bands_or_product_is_refused(shared: Path) -> None:
    item = Item(id="X", assets=[Asset(key="thumbnail", href="t.png")])
    with pytest.raises(InputError, match=r"'X' has no asset .* \(its assets: thumbnail\)"):
        prepare(item, make_call(shared))


def test_an_id_cannot_lead_out_of_the_folder(shared: Path) -> None:
    item, _ = product(shared)
    item.id = "../../evil"
    result = prepare(item, make_call(shared))
    path = (shared / assets(result)["reflectance"].href).resolve()
    assert path.is_relative_to(shared / "clean")
    assert result.id == "../../evil"


def earth_search(
    shared: Path, added: int, flag: bool, *, georeferenced: bool = False
) -> tuple[Item, NDArray[Any]]:
    """Vegetation of a twentieth reflectance, as Earth Search delivers it."""
    reflectance = np.random.default_rng(0).uniform(0.02, 0.08, (SIDE, SIDE))
    dn = np.rint(reflectance * 10000 + added).astype(np.uint16)
    files: dict[str, Any] = {}
    for key in ("blue", "green", "red", "nir"):
        write_raster(shared / "in" / f"{key}.tif", dn, 10, georeferenced=georeferenced)
        files[key] = {
            "href": f"in/{key}.tif",
            "proj:transform": [5, 0, LEFT, 0, -5, TOP],
            "proj:shape": [2 * SIDE, 2 * SIDE],
            "raster:bands": [{"scale": 0.0001, "offset": -0.1, "data_type": "uint16"}],
        }
    write_raster(shared / "in" / "scl.tif", CLEAR, 20, georeferenced=georeferenced)
    files["scl"] = {
        "href": "in/scl.tif",
        "proj:transform": [10, 0, LEFT, 0, -10, TOP],
        "proj:shape": [SIDE, SIDE],
    }
    properties = {
        "proj:epsg": 32633,
        "s2:processing_baseline": "05.09",
        "earthsearch:boa_offset_applied": flag,
    }
    return catalogue_item(files, properties), reflectance


@pytest.mark.parametrize("georeferenced", [True, False])
@pytest.mark.parametrize(("added", "flag"), [(0, True), (1000, False)])
def test_an_item_that_is_right_about_its_offset(
    shared: Path, added: int, flag: bool, georeferenced: bool
) -> None:
    item, reflectance = earth_search(shared, added, flag, georeferenced=georeferenced)
    call = make_call(shared)
    result = prepare(item, call)
    made = physical(shared, assets(result)["reflectance"])[2]
    np.testing.assert_allclose(made, reflectance, atol=0.6e-4)
    assert call.warned == []
    assert stac.to_dict(result)["assets"]["reflectance"]["proj:transform"][0] == 10


@pytest.mark.parametrize(("added", "flag"), [(0, False), (1000, True)])
def test_an_item_that_is_wrong_about_its_offset_is_corrected_and_reported(
    shared: Path, added: int, flag: bool
) -> None:
    item, reflectance = earth_search(shared, added, flag)
    call = make_call(shared)
    result = prepare(item, call)
    made = physical(shared, assets(result)["reflectance"])[2]
    np.testing.assert_allclose(made, reflectance, atol=0.6e-4)
    assert fields(result)["eoloom:offset_decided_by"] == "pixels"
    (warning,) = call.warned
    assert "scene scene" in warning
    assert "a tenth of the pixels of" in warning


def test_the_user_can_overrule(shared: Path) -> None:
    item, reflectance = earth_search(shared, 0, True)
    result = prepare(item, make_call(shared, offset="not-applied"))
    made = physical(shared, assets(result)["reflectance"])[2]
    np.testing.assert_allclose(made, reflectance - 0.1, atol=0.6e-4)


def test_a_file_that_lies_nowhere_is_refused(shared: Path) -> None:
    write_raster(shared / "B04.tif", random_dn(SIDE), 10, georeferenced=False)
    item = catalogue_item({"B04": {"href": "B04.tif"}}, {"s2:processing_baseline": "05.09"})
    with pytest.raises(InputError, match="does not say where it lies"):
        prepare(item, make_call(shared, bands=["B04"]))


def test_a_file_of_reflectance_instead_of_numbers_is_refused(shared: Path) -> None:
    write_raster(shared / "B04.tif", np.ones((SIDE, SIDE), np.float32), 10)
    item = catalogue_item({"B04": {"href": "B04.tif"}}, {"s2:processing_baseline": "05.09"})
    with pytest.raises(InputError, match="holds float32; band B04 of scene scene must hold"):
        prepare(item, make_call(shared, bands=["B04"]))


REAL = "s2_preprocess/mapchete_l2a_120m"
# Shares of clear pixels as the description of the data gives them.
REAL_CLEAR = {"S2B_33TWL_20230813_0_L2A": 98, "S2A_33TWL_20230815_0_L2A": 99,
              "S2A_33TWL_20230818_0_L2A": 44}  # fmt: skip


@pytest.mark.data
@pytest.mark.parametrize("scene", REAL_CLEAR)
def test_real_scenes(eoloom_data: Path, shared: Path, scene: str) -> None:
    folder = eoloom_data / REAL / scene
    document = json.loads((folder / f"{scene}.json").read_text(encoding="utf-8"))
    item = stac.from_dict(document)
    (shared / "in").mkdir()
    for asset in item.assets:
        if "://" not in asset.href and (folder / asset.href).is_file():
            (shared / "in" / asset.href).write_bytes((folder / asset.href).read_bytes())
            asset.href = f"in/{asset.href}"
    call = make_call(shared)
    result = prepare(item, call)
    assert call.warned == []
    made = fields(result)
    assert int(made["eoloom:clear_percentage"]) == REAL_CLEAR[scene]
    assert made["s2:mgrs_tile"] == "33TWL"
    grid = stac.to_dict(result)["assets"]["reflectance"]
    assert grid["proj:transform"] == [120, 0, 499980, 0, -120, 5100000]
    stored = read(shared, assets(result)["reflectance"])
    with rasterio.open(f"{shared}/in/B04.tif", driver="JP2OpenJPEG") as dataset:
        dn = dataset.read(1)
    seen = stored[2] > 0
    np.testing.assert_array_equal(stored[2][seen], dn[seen] + 1000)


@pytest.mark.data
def test_a_wrong_flag_is_seen_on_a_real_scene(eoloom_data: Path, shared: Path) -> None:
    scene = "S2A_33TWL_20230815_0_L2A"
    document = json.loads((eoloom_data / REAL / scene / f"{scene}.json").read_text("utf-8"))
    document["properties"]["earthsearch:boa_offset_applied"] = False
    item = stac.from_dict(document)
    for asset in item.assets:
        source = eoloom_data / REAL / scene / asset.href
        if "://" not in asset.href and source.is_file():
            (shared / asset.href).write_bytes(source.read_bytes())
    call = make_call(shared)
    result = prepare(item, call)
    assert fields(result)["eoloom:offset_dn"] == 0
    assert scene in call.warned[0]
