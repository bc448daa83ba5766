"""How far apart two distributions of a channel's values lie, from histograms in units of its own spread."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from explorer.engine.passes import to_numpy
from explorer.engine.values import Doubles, Floats

STEP, REACH = (
    0.2,
    10.0,
)  # width of a bin, and how far bins go to both sides; what is beyond counts in the last
BINS = round(2 * REACH / STEP)
POSITIONS = 64  # of each map, evenly spread; all of a smaller map
HALVES = 20  # how often images are put into two halves at random
SEED = 4


def counts(maps: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """How many values of each image's channels are in each bin, float32 (n, C, BINS).

    Maps are float (n, C, …). Bins are in standard deviations from the mean, (C,) each.
    """
    images, channels = maps.shape[:2]
    values = maps.reshape(images, channels, -1)
    positions = values.shape[2]
    if positions > POSITIONS:
        values = values[:, :, torch.arange(POSITIONS, device=maps.device) * positions // POSITIONS]
    bin_positions = ((values - mean[:, None]) / std[:, None] / STEP + BINS / 2).nan_to_num()
    rows = torch.arange(images * channels, device=maps.device).reshape(images, channels, 1) * BINS
    bins = bin_positions.floor().clamp(0, BINS - 1).long() + rows
    counted = torch.bincount(bins.flatten(), minlength=images * channels * BINS)
    return counted.reshape(images, channels, BINS).float()


def wasserstein(first: Floats | Doubles, second: Floats | Doubles) -> Doubles:
    """The Wasserstein-1 distance of distributions by their counts (…, BINS), in standard deviations, (…).

    It is the mean distance that values must move to make the one the other, at least that of the means.
    """
    cumulated = (np.cumsum(each, -1) / each.sum(-1, keepdims=True) for each in (first, second))
    one, other = cumulated
    return np.asarray(np.abs(one - other).sum(-1) * STEP, np.float64)


def halves(count: int) -> Floats:
    """HALVES times which of `count` images are in the first half, ones and zeros, float32 (HALVES, count)."""
    first = np.repeat([[1.0] * (count // 2) + [0.0] * (count - count // 2)], HALVES, axis=0)
    return np.random.default_rng(SEED).permuted(first, axis=1).astype(np.float32)


@dataclass(eq=False)
class Histograms:
    """Adds up the counts of all images, `total` float32 (C, BINS), and of first halves, (HALVES, C, BINS)."""

    total: Floats = field(default_factory=lambda: np.zeros((), np.float32))
    first: Floats = field(default_factory=lambda: np.zeros((), np.float32))

    def add(self, counted: Tensor, in_first: Floats) -> None:
        """The counts (n, C, BINS) of some images, and in which first halves, (HALVES, n), they are."""
        self.total = self.total + to_numpy(counted.sum(0))
        of_halves = torch.from_numpy(in_first).to(counted) @ counted.flatten(1)
        self.first = self.first + to_numpy(of_halves.reshape(-1, *counted.shape[1:]))

    @property
    def between_halves(self) -> Doubles:
        """The largest distance between two halves of each channel, (C,); NaN for a single image."""
        with np.errstate(invalid="ignore"):
            return np.asarray(wasserstein(self.first, self.total - self.first).max(0))
