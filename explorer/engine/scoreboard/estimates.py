"""Means over images with their 95% intervals, by drawing the images anew (bootstrap)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from explorer.engine.values import Doubles

RESAMPLES = 2000
AT_ONCE = 100
LEVELS = (0.025, 0.975)


@dataclass(frozen=True)
class Estimate:
    """A mean over `n` images and the ends of its 95% interval; NaN where there is no image."""

    mean: float
    low: float
    high: float
    n: int


def mean_of(values: npt.ArrayLike, seed: int = 0) -> Estimate:
    """The Estimate of one value per image, (n,); an image whose value is NaN does not count."""
    array = np.asarray(values, np.float64)
    known = np.isfinite(array)
    return ratio_of(np.where(known, array, 0), known.astype(np.float64), seed)


def ratio_of(sums: Doubles, counts: Doubles, seed: int = 0) -> Estimate:
    """The Estimate of a mean over things of which each image has several: their sum and number, both (n,).

    Images are drawn as a whole, so that things of one image may depend on one another.
    """
    n, total = int((counts > 0).sum()), float(counts.sum())
    if not total:
        return Estimate(np.nan, np.nan, np.nan, 0)
    sums, counts = sums[counts > 0], counts[counts > 0]
    random = np.random.default_rng(seed)
    means = [_means(sums, counts, random, AT_ONCE) for _ in range(RESAMPLES // AT_ONCE)]
    low, high = np.quantile(np.concatenate(means), LEVELS)
    return Estimate(float(sums.sum() / total), float(low), float(high), n)


def _means(sums: Doubles, counts: Doubles, random: np.random.Generator, draws: int) -> Doubles:
    """The mean for each of so many draws of n images out of n."""
    times = random.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), draws)
    return np.asarray((times @ sums) / (times @ counts))
