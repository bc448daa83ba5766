"""What normalization makes of pictures: mean and standard deviation by channel, and the network's answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from explorer.engine.passes import to_numpy
from explorer.engine.tracing import trace
from explorer.engine.values import Doubles, Floats, Value
from model.card import Card, Pixels, in_channels

DRAWS = 1000  # of the images, for an interval


@dataclass(frozen=True, eq=False)
class ChannelStatistics(Value):
    """By channel: mean, standard deviation, least and largest value, float64 (C,) each."""

    mean: Doubles
    std: Doubles
    low: Doubles
    high: Doubles


@dataclass(frozen=True, eq=False)
class DataStatistics(Value):
    """Mean and standard deviation of all pixels of `n` images, float64 (C,), as fractions of 255.

    `mean_ends` and `std_ends`, (2, C), are 95% intervals for images like these, by drawing them again.
    """

    n: int
    mean: Doubles
    std: Doubles
    mean_ends: Doubles
    std_ends: Doubles


def statistics(x: Tensor) -> ChannelStatistics:
    """The statistics of inputs x, float (N, C, h, w), over all images and positions."""
    values = to_numpy(x).astype(np.float64).swapaxes(0, 1).reshape(x.shape[1], -1)
    return ChannelStatistics(values.mean(1), values.std(1), values.min(1), values.max(1))


def before_normalization(card: Card, pictures: Sequence[Pixels]) -> Floats:
    """Framed pictures uint8 (s, s, 3) as fractions of 255 in the network's channels, float32 (N, C, s, s)."""
    stacked = np.stack([in_channels(each, card.channels) for each in pictures])
    return np.ascontiguousarray(stacked.transpose(0, 3, 1, 2).astype(np.float32) / 255)


def probabilities_of(net: nn.Module, card: Card, pictures: Sequence[Pixels]) -> Floats:
    """The probabilities (N, K), float32, of framed pictures, uint8 (s, s, 3), from one pass."""
    seen = trace(net, card.normalized(pictures), layers=())
    return seen.probabilities.reshape(len(pictures), -1)


def unchanged(pictures: Pixels, originals: Pixels) -> int:
    """How many of `pictures`, uint8 (N, h, w, 3), equal their original, (N, h, w, 3) or one (h, w, 3)."""
    return int((pictures == originals).all((1, 2, 3)).sum())


def estimate(card: Card, images: Sequence[Pixels]) -> DataStatistics:
    """Mean and standard deviation over a sample of a data set, each with what other samples would give."""
    values = before_normalization(card, images).astype(np.float64)
    sums = np.stack([values.mean((2, 3)), (values**2).mean((2, 3))])  # (2, N, C)
    rows = np.random.default_rng(0).integers(0, len(images), (DRAWS, len(images)))
    mean, std = _moments(sums.mean(1))
    means, stds = _moments(sums[:, rows].mean(2))
    ends = [np.quantile(drawn, (0.025, 0.975), axis=0) for drawn in (means, stds)]
    return DataStatistics(len(images), mean, std, ends[0], ends[1])


def _moments(sums: Doubles) -> tuple[Doubles, Doubles]:
    """Mean and standard deviation of the means of values and of their squares, (2, …)."""
    return sums[0], np.sqrt(np.maximum(sums[1] - sums[0] ** 2, 0))
