"""The radiometric offset of a scene: what its metadata declares, and what its pixels say.

ESA adds 1000 to the digital numbers since processing baseline 04.00, of whatever date the scene
is: Collection-1 carries it back to 2015. Some archives take it out again when they rewrite the
images, and some of their items say so wrongly, in both directions
(https://github.com/cirrus-geo/cirrus-earth-search/issues/33,
https://github.com/Element84/earth-search/issues/71). Hence metadata decides, and dark pixels
check it: digital numbers of DN mean a reflectance of DN / 10000 where the offset was taken out
and of DN / 10000 - 0.1 where it was not, and only one of the two is possible for dark surfaces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from components.kit.errors import InputError
from components.s2_preprocess.algorithm import measured
from components.s2_preprocess.mask import SceneClass

OffsetMode = Literal["auto", "metadata", "applied", "not-applied"]

ADDED_DN: Final = 1000.0
QUANTIFICATION: Final = 10_000.0
_FIRST_BASELINE_WITH_OFFSET: Final = (4, 0)

# Vegetation, water and topographic shadow reflect about a twentieth of red light, at least more
# than nothing: their darker pixels lie below DN 1000 without and above it with the added 1000.
# Water under sun glint is bright, so that bright water says nothing.
_DARK_CLASSES: Final = (SceneClass.DARK_AREA, SceneClass.VEGETATION, SceneClass.WATER)
_NEVER_BRIGHT_CLASSES: Final = (SceneClass.DARK_AREA, SceneClass.VEGETATION)
_DARK_PERCENTILE: Final = 10.0
_DARK_PIXELS_NEEDED: Final = 200
_APPLIED_BELOW_DN: Final = 700.0
_NOT_APPLIED_FROM_DN: Final = 900.0

# Without classes: DN below 500 would be a reflectance below -0.05 with the added 1000.
_IMPOSSIBLE_BELOW_DN: Final = 500.0
_IMPOSSIBLE_SHARE: Final = 0.01


@dataclass(frozen=True)
class DeclaredOffset:
    """What the metadata says: reflectance = (DN + offsets[band]) / quantification[band].

    source: where it says so, for messages. certain: the pixels are ESA's own files, so that
    pixels and metadata come from one processor, or the baseline is one that adds nothing.
    """

    offsets: Mapping[str, float]
    quantification: Mapping[str, float]
    source: str
    certain: bool = False

    @property
    def applied(self) -> bool:
        """Whether nothing is to be added any more."""
        return not any(self.offsets.values())


@dataclass(frozen=True)
class PixelEvidence:
    """What the pixels say: the offset was applied (taken out), or not, or they cannot tell."""

    applied: bool | None
    reason: str


@dataclass(frozen=True)
class DecidedOffset:
    """The offset to use. decided_by: "metadata", "pixels" or "parameter". warning: or empty."""

    offsets: Mapping[str, float]
    quantification: Mapping[str, float]
    decided_by: str
    warning: str = ""


def parse_baseline(text: str) -> tuple[int, int] | None:
    """Return the processing baseline in "05.09" or in a product's name ("..._N0509_..."), or None.

    >>> parse_baseline("S2A_MSIL2A_20230815T095031_N0509_R079_T33TWL_20230815T155057.SAFE")
    (5, 9)
    """
    match = re.fullmatch(r"(\d{2})\.(\d{2})", text) or re.search(r"_N(\d{2})(\d{2})(?:_|$)", text)
    return (int(match[1]), int(match[2])) if match else None


def baseline_offset(baseline: tuple[int, int]) -> float:
    """Return the offset in DN of a processing baseline, the same for all bands so far."""
    return -ADDED_DN if baseline >= _FIRST_BASELINE_WITH_OFFSET else 0.0


def examine_pixels(dn: NDArray[Any], classes: NDArray[np.uint8] | None) -> PixelEvidence:
    """Return what a sample of one visible band says.

    dn: digital numbers (y, x) of a dark band, red by preference. classes: scene classification on
    the same grid, or None. DN 1 is left out: it is what rewriting leaves of cut-off values.
    """
    valid = measured(dn) & (dn > 1)
    if classes is not None:
        for chosen, applied in ((_DARK_CLASSES, True), (_NEVER_BRIGHT_CLASSES, False)):
            dark = dn[valid & np.isin(classes, chosen)]
            if dark.size < _DARK_PIXELS_NEEDED:
                continue
            darkest = float(np.percentile(dark, _DARK_PERCENTILE))
            if darkest < _APPLIED_BELOW_DN if applied else darkest >= _NOT_APPLIED_FROM_DN:
                names = ", ".join(c.name.lower().replace("_", " ") for c in chosen)
                reason = f"a tenth of the pixels of {names} has digital numbers below {darkest:.0f}"
                return PixelEvidence(applied, reason)
    values = dn[valid]
    if values.size == 0:
        return PixelEvidence(None, "no pixel is measured")
    share = float(np.mean(values < _IMPOSSIBLE_BELOW_DN))
    reason = f"{share:.1%} of the pixels have digital numbers below {_IMPOSSIBLE_BELOW_DN:.0f}"
    return PixelEvidence(True if share >= _IMPOSSIBLE_SHARE else None, reason)


def decide_offset(
    mode: OffsetMode,
    declared: DeclaredOffset | None,
    evidence: PixelEvidence | None,
    *,
    scene: str,
    bands: tuple[str, ...],
) -> DecidedOffset:
    """Return the offset to use for a scene.

    In mode "auto" the metadata decides; where dark pixels contradict it, they win for images that
    an archive may have rewritten, and certain metadata wins; either way there is a warning with
    the evidence. "metadata" keeps to the metadata (and still warns); "applied" and
    "not-applied" keep to themselves. Raises InputError where nothing tells.
    """
    quantification = declared.quantification if declared else dict.fromkeys(bands, QUANTIFICATION)
    added = dict.fromkeys(bands, -ADDED_DN)
    if declared is not None and not declared.applied:
        added = dict(declared.offsets)
    if mode in {"applied", "not-applied"}:
        offsets = dict.fromkeys(bands, 0.0) if mode == "applied" else added
        return DecidedOffset(offsets, quantification, "parameter")
    seen = evidence.applied if evidence else None
    reason = evidence.reason if evidence else "no pixels were examined"
    if declared is None:
        if mode == "metadata" or seen is None:
            raise InputError(
                f"scene {scene} names no processing baseline, so it is unknown whether its digital "
                f"numbers have an offset ({reason}); set `offset` to applied or not-applied"
            )
        offsets = dict.fromkeys(bands, 0.0) if seen else added
        warning = (
            f"scene {scene} names no processing baseline; {reason}, "
            f"so its digital numbers are taken {'not to contain' if seen else 'to contain'} "
            "ESA's added 1000"
        )
        return DecidedOffset(offsets, quantification, "pixels", warning)
    if seen is None or seen == declared.applied:
        return DecidedOffset(declared.offsets, quantification, "metadata")
    trust_pixels = mode == "auto" and not declared.certain
    contradiction = (
        f"scene {scene}: {declared.source} says that the digital numbers "
        f"{'do not contain' if declared.applied else 'contain'} ESA's added 1000, but {reason}, "
        f"as if they {'did not' if seen else 'did'}"
    )
    if not trust_pixels:
        warning = f"{contradiction}; the metadata is followed (parameter `offset`)"
        return DecidedOffset(declared.offsets, quantification, "metadata", warning)
    offsets = dict.fromkeys(bands, 0.0) if seen else added
    warning = f"{contradiction}; the pixels are followed (parameter `offset`)"
    return DecidedOffset(offsets, quantification, "pixels", warning)
