"""The features of many images in two dimensions.

What distances mean differs by method, and each PROJECTIONS entry says it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from explorer.engine.values import Doubles, Floats, Integers, Value
from model.problems import Problem
from model.words import N_

LEAST = 3  # images
SEED = 0
PERPLEXITY, NEIGHBORS, DISTANCE = 30.0, 15, 0.1
FIRST_AXES = 50  # of PCA, which t-SNE and UMAP begin from
NEAREST, SAMPLED = 10, 500
NONE = np.zeros(0)


@dataclass(frozen=True, eq=False)
class Projection(Value):
    """N images as `points`, float32 (N, 2), by a method of PROJECTIONS.

    `explained` float64 (2,) are the fractions of the features' variance along both axes, for PCA; for other
    methods it is empty. `neighbor_preservation` is the fraction of an image's NEAREST neighbors by its
    features that are among as many nearest in the map, the mean over at most SAMPLED images.
    """

    method: str
    points: Floats
    explained: Doubles
    neighbor_preservation: float

    @property
    def chance_preservation(self) -> float:
        """What `neighbor_preservation` is of a map at random."""
        nearest = _nearest_count(len(self.points))
        return nearest / (len(self.points) - 1)


@dataclass(frozen=True)
class ProjectionMethod:
    """A way to two dimensions: title, how to read it, and the package that it needs, "" for none."""

    title: str
    meaning: str
    compute: Callable[[Floats], Projection]
    module: str = ""
    package: str = ""

    @property
    def installed(self) -> bool:
        return not self.module or find_spec(self.module) is not None


def pca(features: Floats) -> Projection:
    """The two directions of largest variance of features, float32 (N, D), by a singular value decomposition.

    Each direction is turned so that its largest component is positive. Raises Problem for fewer than LEAST
    images and for features that are not finite.
    """
    points, explained = principal(_checked(features), 2)
    return _made("pca", features, points, explained)


def principal(features: Doubles, count: int) -> tuple[Doubles, Doubles]:
    """Features (N, D) along the first `count` principal directions, (N, count), and their variances'
    fractions (count,); zeros where there are fewer directions.
    """
    centered = features - features.mean(0)
    triangle = np.linalg.qr(centered, mode="r")  # as wide as high: the images are no longer needed
    _, values, directions = np.linalg.svd(triangle, full_matrices=False)
    signs = np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(1)])
    directions = (directions * np.where(signs == 0, 1, signs)[:, None])[:count]
    variances = values**2
    fractions = variances[:count] / (variances.sum() or 1.0)
    missing = count - len(directions)
    return np.pad(centered @ directions.T, ((0, 0), (0, missing))), np.pad(fractions, (0, missing))


def tsne(features: Floats) -> Projection:
    """t-SNE (Van der Maaten and Hinton, 2008) of the first principal directions, begun from PCA, seeded."""
    first = _first_axes(features)
    perplexity = min(PERPLEXITY, (len(first) - 1) / 3)
    made = _package("tsne", "sklearn.manifold").TSNE(
        2, perplexity=perplexity, init="pca", learning_rate="auto", random_state=SEED
    )
    return _made("tsne", features, made.fit_transform(first))


def umap(features: Floats) -> Projection:
    """UMAP (arXiv:1802.03426) of the first principal directions, seeded."""
    first = _first_axes(features)
    made = _package("umap", "umap").UMAP(
        n_neighbors=min(NEIGHBORS, len(first) - 1), min_dist=DISTANCE, random_state=SEED, n_jobs=1
    )
    return _made("umap", features, made.fit_transform(first))


PROJECTIONS: dict[str, ProjectionMethod] = {
    "pca": ProjectionMethod(
        N_("PCA"),
        N_(
            "PCA is a linear view: distances in the map are real distances in feature space, seen along its "
            "two directions of largest variance only. Images far apart here are far apart; images close "
            "together here may still differ in all the other directions."
        ),
        pca,
    ),
    "tsne": ProjectionMethod(
        N_("t-SNE"),
        N_(
            "t-SNE keeps neighbors together. Neither the distance between two groups nor the size or density "
            "of a group means anything, and groups can appear where there are none: only who is near whom "
            "can be read, and another seed gives another map."
        ),
        tsne,
        "sklearn",
        "scikit-learn",
    ),
    "umap": ProjectionMethod(
        N_("UMAP"),
        N_(
            "UMAP keeps neighbors together and pulls groups apart. Distances between groups, their sizes and "
            "their densities mean little: only who is near whom can be read, and another seed gives another "
            "map."
        ),
        umap,
        "umap",
        "umap-learn",
    ),
}
"""The ways to two dimensions by name; PCA is always there."""


def nearest(features: Floats, row: int, count: int) -> Integers:
    """The `count` other images nearest to one by their features, float32 (N, D), the nearest first."""
    distances = np.square(features - features[row].astype(np.float64)).sum(1)
    order = np.argsort(distances, kind="stable")
    return np.asarray(order[order != row][:count])


def neighbor_preservation(features: Floats, points: Floats) -> float:
    """The fraction of nearest neighbors by features (N, D) that are nearest by points (N, 2), too.

    NEAREST neighbors of each of at most SAMPLED images, drawn by SEED.
    """
    rows = np.random.default_rng(SEED).permutation(len(points))[:SAMPLED]
    by_features, by_points = (_neighbors(each.astype(np.float64), rows) for each in (features, points))
    common = [len(np.intersect1d(*pair)) for pair in zip(by_features, by_points, strict=True)]
    return float(np.mean(common) / by_features.shape[1])


def _neighbors(values: Doubles, rows: Integers) -> Integers:
    """The nearest others of some rows of values (N, D), in any order, (rows, NEAREST)."""
    centered = values - values.mean(0)  # so that little is lost to rounding below
    squares = np.square(centered).sum(1)
    distances = squares - 2 * centered[rows] @ centered.T
    distances[np.arange(len(rows)), rows] = np.inf
    count = _nearest_count(len(values))
    return np.asarray(np.argpartition(distances, count - 1, axis=1)[:, :count])


def _nearest_count(total: int) -> int:
    return min(NEAREST, total - 1)


def inside(points: npt.ArrayLike, polygon: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which points (N, 2) lie within a polygon (M, 2), by the even-odd rule, bool (N,)."""
    x, y = np.asarray(points, np.float64).T
    corners = np.asarray(polygon, np.float64).reshape(-1, 2)
    within = np.zeros(len(x), bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            within ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return within


def _first_axes(features: Floats) -> Floats:
    checked = _checked(features)
    return principal(checked, min(FIRST_AXES, *checked.shape))[0].astype(np.float32)


def _package(method: str, module: str) -> Any:
    """The module of a package that need not be there. Raises Problem."""
    if not PROJECTIONS[method].installed:
        raise Problem(
            "{title} needs the package {package}: install it, or choose PCA.",
            title=PROJECTIONS[method].title,
            package=PROJECTIONS[method].package,
        )
    return import_module(module)


def _made(method: str, features: Floats, points: npt.ArrayLike, explained: Doubles = NONE) -> Projection:
    placed = np.asarray(points, np.float32)
    return Projection(method, placed, explained, neighbor_preservation(features, placed))


def _checked(features: Floats) -> Doubles:
    if features.ndim != 2 or not features.shape[1]:
        raise ValueError(f"The features must be (N, D), not {features.shape}.")
    if len(features) < LEAST:
        raise Problem(
            "A map needs {least} images or more, and there are {count}: scan more images.",
            least=LEAST,
            count=len(features),
        )
    if not np.isfinite(features).all():
        raise Problem(
            "The network gives NaN or infinity as features of some images, so they have no place in a map."
        )
    return features.astype(np.float64)
