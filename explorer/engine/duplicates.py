"""Channels of a layer that do the same over many images, by the correlation of their mean per image."""

from dataclasses import dataclass

import numpy as np

from explorer.engine.values import Doubles, Floats, Integers, Value

NEAR = 0.95  # a correlation from here on makes a near-duplicate
NONE = -1  # the partner of a channel that is the same for every image


@dataclass(frozen=True, eq=False)
class Partners(Value):
    """Of each of C channels the other one that is most like it: its number `channel`, int64 (C,), NONE where
    there is none, and their `correlation`, float64 (C,) from −1 to 1, NaN there.

    `chance` is the largest correlation of any two channels once the images of each are shuffled.
    """

    channel: Integers
    correlation: Doubles
    chance: float

    def near(self, least: float = NEAR) -> Integers:
        """The channels, ascending, whose partner has a correlation of `least` or more."""
        return np.flatnonzero(np.nan_to_num(self.correlation, nan=-1.0) >= least)

    def pairs(self, least: float = NEAR) -> tuple[tuple[int, int, float], ...]:
        """The pairs of a channel and its partner, the lower number first, with their correlation of `least`
        or more; the highest first.
        """
        near = self.near(least).tolist()
        each = {tuple(sorted((one, int(self.channel[one])))): float(self.correlation[one]) for one in near}
        pairs = [(one, other, value) for (one, other), value in each.items()]
        return tuple(sorted(pairs, key=lambda pair: -pair[2]))


def correlations(image_mean: Floats) -> Doubles:
    """Pearson's correlation of each two channels over N images, float64 (C, C), of their means (N, C).

    NaN for a channel that has the same mean in every image, or one that is not finite.
    """
    scaled = _standardized(image_mean)
    fine = np.asarray(np.isfinite(scaled).all(0))
    matrix = np.full((len(fine), len(fine)), np.nan)
    if len(scaled):
        matrix[np.ix_(fine, fine)] = np.clip(scaled[:, fine].T @ scaled[:, fine], -1.0, 1.0)
    return matrix


def correlations_with(image_mean: Floats, channel: int) -> Doubles:
    """Pearson's correlation of one channel with each, float64 (C,), as `correlations`; NaN for itself."""
    scaled = _standardized(image_mean)
    values = np.asarray(np.clip(scaled.T @ scaled[:, channel], -1.0, 1.0))
    values[channel] = np.nan
    return values


def _standardized(image_mean: Floats) -> Doubles:
    """Columns (N, C) of mean 0 and length 1; NaN for one that is constant or not finite."""
    values = image_mean.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        centered = values - values.mean(0) if len(values) else values
        sizes = np.sqrt((centered**2).sum(0))
        rounding = 1e-6 * np.sqrt(len(values)) * np.abs(values).max(0, initial=0.0)
        return np.asarray(centered / np.where(sizes > rounding, sizes, np.nan))


def partners(image_mean: Floats, seed: int = 0) -> Partners:
    """The Partners of the channels of a layer, by their means (N, C) over the positions of each image."""
    best = _others(correlations(image_mean))
    shuffled = np.random.default_rng(seed).permuted(image_mean, axis=0)
    chance = _others(correlations(shuffled)).max(initial=-np.inf)
    correlation = best.max(1, initial=-np.inf)
    there = np.isfinite(correlation)
    channel = np.where(there, best.argmax(1) if len(best) else 0, NONE).astype(np.int64)
    return Partners(
        channel, np.where(there, correlation, np.nan), float(chance) if np.isfinite(chance) else np.nan
    )


def _others(matrix: Doubles) -> Doubles:
    """The correlations with other channels; −∞ on the diagonal and where there is none."""
    return np.where(np.isnan(matrix) | np.eye(len(matrix), dtype=bool), -np.inf, matrix)


def removal_order(image_mean: Floats) -> tuple[tuple[int, float], ...]:
    """Channels, each with its correlation with one that is still there: the most alike first.

    Of two alike the one that varies less over the images goes; where both vary the same, the later one. The
    last of those that vary is not in it, nor one that is the same for every image.
    """
    matrix = correlations(image_mean)
    if np.isnan(matrix).all():
        return ()
    spread = image_mean.astype(np.float64).std(0)
    first, second = np.triu_indices(len(matrix), 1)
    values = matrix[first, second]
    known = np.flatnonzero(~np.isnan(values))
    removed: dict[int, float] = {}
    for pair in known[np.argsort(-values[known], kind="stable")].tolist():
        one, other = int(first[pair]), int(second[pair])
        if one not in removed and other not in removed:
            removed[one if spread[one] < spread[other] else other] = float(values[pair])
    return tuple(removed.items())


def redundant(image_mean: Floats, least: float = NEAR) -> tuple[int, ...]:
    """The channels, ascending, that can go so that no two are left with a correlation of `least` or more."""
    return tuple(sorted(channel for channel, value in removal_order(image_mean) if value >= least))
