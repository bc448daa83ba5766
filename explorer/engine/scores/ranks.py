"""Rank correlation with ties, and the maps that chance gives."""

import numpy as np

from explorer.engine.values import Doubles

DRAWS = 200


def ranks(values: Doubles) -> Doubles:
    """The rank of each of n values, float64 (n,), from 1 up; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse.reshape(-1)]


def standard_ranks(values: Doubles) -> Doubles:
    """The ranks of an array of any shape with mean 0 and length 1, in that shape; NaN where all are equal."""
    centered = ranks(values.reshape(-1)) - (values.size + 1) / 2
    length = np.sqrt(np.square(centered).sum())
    return (centered / length if length else np.full(values.size, np.nan)).reshape(values.shape)


def spearman(one: Doubles, other: Doubles) -> float:
    """Spearman's rank correlation of two arrays of one shape; NaN where all values of one are equal."""
    return float((standard_ranks(one) * standard_ranks(other)).sum())


def moved(heat: Doubles, seed: int, draws: int = DRAWS) -> Doubles:
    """The map (h, w) mirrored and shifted around at random, (draws, h, w).

    Unlike a permutation this keeps the map as smooth as it is. Smooth maps correlate by chance more often:
    one in seven in the wrong place is better than 95% of its permutations, one in thirty than 95% of these.
    """
    random = np.random.default_rng(seed)
    rows, columns = (
        np.where(random.integers(2, size=(draws, 1)) > 0, np.arange(side), np.arange(side)[::-1])
        + random.integers(side, size=(draws, 1))
        for side in heat.shape
    )
    height, width = heat.shape
    return np.asarray(heat[(rows % height)[:, :, None], (columns % width)[:, None, :]])


def correlations_by_chance(one: Doubles, other: Doubles, seed: int) -> Doubles:
    """The rank correlations of a map with another, `moved` at random, (DRAWS,)."""
    return np.asarray((moved(standard_ranks(one), seed) * standard_ranks(other)).sum((1, 2)))
