"""Plants wrong labels: a fraction of the training images gets the label of another class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model.images import Dataset, Labels
from model.problems import Problem

STREAM = 5  # apart from whatever else is drawn from the seed


def wrong_rows(count: int, fraction: float, seed: int) -> Labels:
    """Which of `count` images get a wrong label: int64, ascending, `fraction` of them up to rounding."""
    chosen = _random(seed).permutation(count)[: round(fraction * count)]
    return np.sort(chosen).astype(np.int64)


def change_labels(labels: Labels, classes: int, fraction: float, seed: int) -> Labels:
    """The labels, int64 (N,), with those of `wrong_rows` changed to another of two or more classes."""
    rows = wrong_rows(len(labels), fraction, seed)
    steps = np.random.default_rng([seed, STREAM, 1]).integers(1, classes, len(rows))
    changed = labels.copy()
    changed[rows] = (labels[rows] + steps) % classes
    return changed


def with_wrong_labels(data: Dataset, fraction: float, seed: int) -> Dataset:
    """The data set with the labels of `wrong_rows` changed, each of the other classes equally likely.

    Problem where there is no other class.
    """
    classes = len(data.classes)
    if classes < 2:
        raise Problem("--wrong-labels needs at least two classes; leave it out.")
    labels = change_labels(data.labels, classes, fraction, seed)
    provenance = f"{data.provenance}, {100 * fraction:g}% of them with the label of another class"
    return replace(data, labels=labels, provenance=provenance)


def _random(seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, STREAM])
