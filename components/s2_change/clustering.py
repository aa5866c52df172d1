"""Clusters of unit vectors: spherical k-means, its number of clusters by the silhouette.

Dhillon and Modha 2001, 10.1023/A:1007612920971 (spherical k-means); Arthur and Vassilvitskii 2007
(k-means++ starts); Rousseeuw 1987, 10.1016/0377-0427(87)90125-7 (silhouette). Unit vectors are
(n, band) float64.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

Matrix = NDArray[np.float64]

# Below 0.5 a silhouette shows no reasonable structure (Kaufman and Rousseeuw 1990, table 4).
REASONABLE_SILHOUETTE: Final = 0.5

# The silhouette compares every pair of pixels.
SILHOUETTE_PIXELS: Final = 1_500
RESTARTS: Final = 4
MAX_ITERATIONS: Final = 50


class Clusters(NamedTuple):
    """Centres (cluster, band), unit vectors, and the cluster of each vector, (n,) from 0.

    silhouette: mean over a sample, in cosine distance; NaN for one cluster.
    """

    centres: Matrix
    labels: NDArray[np.intp]
    silhouette: float


def choose_clusters(units: Matrix, most: int, rng: np.random.Generator) -> Clusters:
    """Return the clustering of largest silhouette, or one cluster where none is reasonable."""
    best, highest = spherical_kmeans(units, 1, rng), REASONABLE_SILHOUETTE
    for count in range(2, min(most, units.shape[0]) + 1):
        found = spherical_kmeans(units, count, rng)
        if found.silhouette > highest:
            best, highest = found, found.silhouette
    return best


def spherical_kmeans(units: Matrix, count: int, rng: np.random.Generator) -> Clusters:
    """Return at most `count` clusters: the best of several starts; none of them is empty."""
    runs = [_run(units, count, rng) for _ in range(RESTARTS if count > 1 else 1)]
    centres, labels = max(runs, key=lambda run: float(np.sum(units * run[0][run[1]])))
    occupied = np.unique(labels)
    labels = np.searchsorted(occupied, labels)
    return Clusters(centres[occupied], labels, _silhouette(units, labels, rng))


def _run(units: Matrix, count: int, rng: np.random.Generator) -> tuple[Matrix, NDArray[np.intp]]:
    centres = _spread_start(units, count, rng)
    labels = np.full(units.shape[0], -1, dtype=np.intp)
    for _ in range(MAX_ITERATIONS):
        new = np.argmax(units @ centres.T, axis=1)
        if np.array_equal(new, labels):
            break
        labels = new
        for label in range(count):
            total = units[labels == label].sum(axis=0)
            length = np.linalg.norm(total)
            if length > 0.0:
                centres[label] = total / length
    return centres, labels


def _spread_start(units: Matrix, count: int, rng: np.random.Generator) -> Matrix:
    """Return `count` directions far from each other (k-means++)."""
    chosen = [int(rng.integers(units.shape[0]))]
    while len(chosen) < count:
        distance = 1.0 - np.max(units @ units[chosen].T, axis=1)
        distance = np.clip(distance, 0.0, None) + 1e-12
        chosen.append(int(rng.choice(units.shape[0], p=distance / distance.sum())))
    return units[chosen].copy()


def _silhouette(units: Matrix, labels: NDArray[np.intp], rng: np.random.Generator) -> float:
    """Return the mean silhouette in cosine distance, over a sample; NaN for one class."""
    if units.shape[0] > SILHOUETTE_PIXELS:
        chosen = rng.choice(units.shape[0], SILHOUETTE_PIXELS, replace=False)
        units, labels = units[chosen], labels[chosen]
    present, sizes = np.unique(labels, return_counts=True)
    if present.size < 2:
        return float("nan")
    distances = cdist(units, units, "cosine")
    to_class = np.stack([distances[:, labels == label].sum(axis=1) for label in present], axis=1)
    own = np.searchsorted(present, labels)
    rows = np.arange(labels.size)
    alone = sizes[own] == 1
    within = to_class[rows, own] / np.maximum(sizes[own] - 1, 1)
    between = to_class / sizes
    between[rows, own] = np.inf
    nearest = between.min(axis=1)
    larger = np.maximum(np.maximum(within, nearest), 1e-12)
    return float(np.where(alone, 0.0, (nearest - within) / larger).mean())
