"""Classes of change by the direction of the change vector, and names for them.

C2VA (Bovolo et al. 2012, 10.1109/TGRS.2011.2171493) compresses the direction to one angle, under
which different changes may coincide. Classes are therefore clusters of the whole unit vector.
Arrays are (band, n) without NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from components.s2_change.clustering import choose_clusters, spherical_kmeans

FloatArray = NDArray[np.floating[Any]]
Matrix = NDArray[np.float64]

MOST_CLASSES: Final = 8
AUTOMATIC_CLASSES: Final = 5

# Few directions need few pixels to be found.
CLUSTER_PIXELS: Final = 8_000

# What a change in red and near-infrared reflectance means, by the angle atan2(near-infrared, red)
# in steps of 45 degrees: plants absorb red and reflect near-infrared.
SECTORS: Final = (
    "visible brightening",  # only red rises: sealing, bare soil
    "brightening",  # both rise: sand, concrete, dry soil, snow
    "near-infrared gain",  # only near-infrared rises: leaves grow denser
    "vegetation gain",  # red falls, near-infrared rises: greening
    "visible darkening",  # only red falls
    "darkening",  # both fall: water, wet soil, shadow, char
    "near-infrared loss",  # only near-infrared falls: season, drought, burn, defoliation
    "vegetation loss",  # red rises, near-infrared falls: clearing, harvest
)


@dataclass(frozen=True)
class DirectionClasses:
    """Clusters of change directions, the most frequent first.

    centres: (class, band) float64 unit vectors in the space of the change vectors.
    reflectance: (class, band) float64, mean change of reflectance. names: one per class, unique.
    silhouette: mean silhouette of the classes, NaN for one class.
    """

    centres: Matrix
    reflectance: Matrix
    names: tuple[str, ...]
    silhouette: float

    @property
    def count(self) -> int:
        """How many classes there are."""
        return len(self.names)


def fit_directions(
    vectors: FloatArray,
    reflectance: FloatArray,
    common_names: tuple[str, ...],
    rng: np.random.Generator,
    classes: int | None = None,
) -> DirectionClasses:
    """Return the classes of the change vectors of changed pixels, (band, n) each.

    reflectance: the plain difference after - before of the same pixels, for the names.
    common_names: of the bands ("red", "nir", ... or "" where unknown). classes: how many; chosen
    by the silhouette if None. No pixel gives no class.
    """
    lengths = np.linalg.norm(vectors, axis=0)
    kept = np.flatnonzero(lengths > 0.0)
    if kept.size > CLUSTER_PIXELS:
        kept = np.sort(rng.choice(kept, CLUSTER_PIXELS, replace=False))
    units = (vectors[:, kept] / lengths[kept]).T.astype(np.float64)
    if kept.size == 0:
        empty = np.empty((0, vectors.shape[0]))
        return DirectionClasses(empty, empty, (), float("nan"))
    if classes is None:
        clusters = choose_clusters(units, AUTOMATIC_CLASSES, rng)
    else:
        clusters = spherical_kmeans(units, classes, rng)
    centres, labels = _by_frequency(clusters.centres, clusters.labels)
    changes = np.stack(
        [reflectance[:, kept[labels == label]].mean(axis=1) for label in range(len(centres))]
    ).astype(np.float64)
    return DirectionClasses(centres, changes, _name_all(changes, common_names), clusters.silhouette)


def classify(classes: DirectionClasses, vectors: FloatArray) -> NDArray[np.uint8]:
    """Return the class number 1..K of each change vector, (band, ...) -> (...); 1 where NaN.

    The nearest centre is that of the largest cosine, for which the vector's length does not count.
    """
    shape = vectors.shape[1:]
    flat = vectors.reshape(vectors.shape[0], -1)
    if classes.count == 0:
        return np.ones(shape, dtype=np.uint8)
    centres = classes.centres.astype(flat.dtype)
    numbers = np.ones(flat.shape[1], dtype=np.uint8)
    # One class after the other: a maximum over a short axis would take five times as long.
    most = centres[0] @ flat
    for number, centre in enumerate(centres[1:], start=2):
        likeness = centre @ flat
        numbers[likeness > most] = number
        np.maximum(most, likeness, out=most)
    return numbers.reshape(shape)


def _by_frequency(centres: Matrix, labels: NDArray[np.intp]) -> tuple[Matrix, NDArray[np.intp]]:
    order = np.argsort(-np.bincount(labels, minlength=len(centres)), kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return centres[order], rank[labels]


def _name_all(changes: Matrix, common_names: tuple[str, ...]) -> tuple[str, ...]:
    names: list[str] = []
    for change in changes:
        name = _name(change, common_names)
        same = sum(other.split(" (")[0] == name for other in names)
        names.append(f"{name} ({same + 1})" if same else name)
    return tuple(names)


def _name(change: Matrix, common_names: tuple[str, ...]) -> str:
    """Return what the mean change of reflectance (band,) says, by red and near-infrared."""
    if "red" in common_names and "nir" in common_names:
        red, nir = change[common_names.index("red")], change[common_names.index("nir")]
        return SECTORS[round(float(np.degrees(np.arctan2(nir, red))) / 45.0) % 8]
    return "brightening" if change.sum() > 0.0 else "darkening"
