"""How selective a channel is for one class, and which other channels go with it over many images."""

from dataclasses import dataclass

import numpy as np

from explorer.engine.values import Doubles, Floats, Integers, Value

PERMUTATIONS = 200  # of the labels


@dataclass(frozen=True, eq=False)
class Selectivity(Value):
    """A channel's class selectivity index (arXiv:1803.06959), (a − b) / (a + b), from 0 to 1.

    `a` is the mean of its maps over the images of the class where that is largest, `favorite`; `b` the mean
    of the means of all other classes. `chance` are the mean and the 95th percentile after the labels were
    permuted PERMUTATIONS times. `class_means` float64 (K,), NaN for a class without images.
    """

    index: float
    favorite: int
    chance: float
    chance_high: float
    class_means: Doubles


def selectivity(image_mean: Floats, labels: Integers, classes: int, seed: int = 0) -> Selectivity | None:
    """The Selectivity of a channel by its mean per image (N,) and the labels, int64 (N,), -1 for none.

    None where it is not defined: for negative means, for fewer than two classes, or where all means are zero.
    """
    known = labels >= 0
    values, classed = image_mean[known].astype(np.float64), labels[known]
    if not len(values) or values.min() < 0 or not values.any() or len(np.unique(classed)) < 2:
        return None
    rng = np.random.default_rng(seed)
    means = class_means(values, classed, classes)
    permuted = [_index(class_means(values, rng.permutation(classed), classes)) for _ in range(PERMUTATIONS)]
    chance, high = float(np.mean(permuted)), float(np.quantile(permuted, 0.95))
    return Selectivity(_index(means), int(np.nanargmax(means)), chance, high, means)


def class_means(values: Doubles, labels: Integers, classes: int) -> Doubles:
    """The mean of values (N,) for each class (K,); NaN for a class without any."""
    sums = np.bincount(labels, values, classes)
    counts = np.bincount(labels, minlength=classes)
    return np.asarray(np.divide(sums, counts, out=np.full(classes, np.nan), where=counts > 0))


def _index(means: Doubles) -> float:
    there = np.sort(means[~np.isnan(means)])
    largest, rest = there[-1], there[:-1].mean()
    return float((largest - rest) / (largest + rest)) if largest + rest else 0.0
