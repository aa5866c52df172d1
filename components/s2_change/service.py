"""The rpc of the component: a series of scenes in, a change for each consecutive pair out."""

from __future__ import annotations

from collections.abc import Iterator

from components.kit import Call, InputError
from components.kit.items import interval
from components.s2_change.comparison import Comparison, SceneTooCloudyError, compare
from components.s2_change.pair import Scene
from components.s2_change.params import Parameters
from protos.common.v1.item_pb2 import Item


class S2Change:
    """Change between consecutive Sentinel-2 reflectance scenes."""

    def detect(self, scenes: Iterator[Item], call: Call[Parameters]) -> Iterator[Item]:
        """Compare each scene with the one before it.

        A scene with too little in common with the one before is passed over with a warning, and
        the one before is compared with the next.
        """
        before: Item | None = None
        seen = 0
        passed_over: list[str] = []
        made = 0
        for scene in scenes:
            seen += 1
            if before is None:
                before = scene
                continue
            _check_order(before, scene)
            try:
                change = _compare(before, scene, call)
            except SceneTooCloudyError as error:
                passed_over.append(str(error))
                if error.cloudier == before.id:
                    before = scene
                call.warn(f"{error}; scene {error.cloudier} is passed over")
                continue
            made += 1
            yield change
            before = scene
        if made == 0:
            raise InputError(_nothing(before, seen, passed_over))


def _compare(before: Item, after: Item, call: Call[Parameters]) -> Item:
    first = Scene.open(before, call.storage)
    with first.raster:
        second = Scene.open(after, call.storage)
        with second.raster:
            return compare(Comparison(first, second, call))


def _check_order(before: Item, after: Item) -> None:
    if before.id == after.id and before.collection == after.collection:
        raise InputError(f"scene {after.id} came twice; a scene cannot be compared with itself")
    if interval(after)[0] < interval(before)[0]:
        raise InputError(
            f"scene {after.id} ({after.datetime}) came after {before.id} ({before.datetime}) "
            "but is older; send the scenes in time order"
        )


def _nothing(only: Item | None, seen: int, passed_over: list[str]) -> str:
    if only is None or seen == 0:
        return "no scene came; change detection needs two"
    if seen == 1:
        return f"only one scene came, {only.id}; change detection needs two"
    return f"none of the {seen} scenes can be compared: {'; '.join(passed_over)}"
