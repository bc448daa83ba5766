"""What is kept of a layer's feature maps, batch by batch, while the maps themselves are thrown away."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from explorer.engine.passes import to_numpy
from explorer.engine.scan.parts import LayerPart
from explorer.engine.scan.result import BINS, SAMPLED, TOP
from explorer.engine.values import Doubles, Floats, Integers

STRIDE = 7919  # a prime: the positions that a histogram counts differ from image to image


def edges_of(low: Floats, high: Floats) -> Floats:
    """The borders of BINS equal bins for values from `low` to `high`, (C,), and a bit beyond: (C, BINS + 1).

    Rounded, so that computers whose last digits differ come to the same; zero stays where it begins or ends.
    """
    low, high = np.nan_to_num(low), np.nan_to_num(high)
    margin = np.where(high > low, 0.1 * (high - low), np.maximum(np.abs(high), 1) * 1e-3)
    starts, ends = np.where(low == 0, 0, low - margin), np.where(high == 0, 0, high + margin)
    starts, ends = (np.array([float(f"{value:.4g}") for value in each]) for each in (starts, ends))
    ends = np.where(ends > starts, ends, starts + 1e-3)
    return np.linspace(starts, ends, BINS + 1, axis=1).astype(np.float32)


def sampled_positions(numbers: Tensor, positions: int) -> Tensor:
    """Which positions of each image a histogram counts, int64 (n, s): all, or SAMPLED of them, evenly spread.

    They depend on nothing but the image's number.
    """
    if positions <= SAMPLED:
        return torch.arange(positions).expand(len(numbers), -1)
    steps = torch.arange(SAMPLED) * positions // SAMPLED
    return (numbers[:, None] * STRIDE + steps) % positions


@dataclass(eq=False)
class Running:
    """The reductions of one layer so far; `add` takes its maps of further images, with higher numbers."""

    edges: Floats
    positions: int = 0
    count: int = 0
    mean: Doubles = field(default_factory=lambda: np.zeros(0))
    squares: Doubles = field(default_factory=lambda: np.zeros(0))
    zeros: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    histogram: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    image_means: list[Floats] = field(default_factory=list)
    top: "Extremes | None" = None
    bottom: "Extremes | None" = None

    def add(self, maps: Tensor, numbers: Integers) -> None:
        """Maps float (n, C, h, w) of images with these numbers, int64 (n,)."""
        maps = maps.detach().float()
        flat = maps.flatten(2)
        self.positions = flat.shape[2]
        self.image_means.append(to_numpy(flat.mean(2)))
        variance, mean = torch.var_mean(maps, (0, 2, 3), correction=0)
        self._add_moments(mean.double().cpu().numpy(), variance.double().cpu().numpy(), flat)
        self.zeros = _plus(self.zeros, (flat == 0).sum((0, 2)).cpu().numpy())
        self.histogram = _plus(self.histogram, self._histogram(flat, torch.from_numpy(numbers)))
        maxima = flat.amax(2).nan_to_num(nan=-torch.inf)
        channels = maps.shape[1]
        self.top = (self.top or Extremes.none(channels, True)).with_batch(maxima, maps, numbers)
        self.bottom = (self.bottom or Extremes.none(channels, False)).with_batch(maxima, maps, numbers)

    def _add_moments(self, mean: Doubles, variance: Doubles, flat: Tensor) -> None:
        added = flat.shape[0] * flat.shape[2]
        before, self.count = self.count, self.count + added
        difference = mean - (self.mean if before else 0)
        self.mean = self.mean + difference * added / self.count if before else mean
        between = difference**2 * before * added / self.count
        self.squares = _plus(self.squares, variance * added + between)

    def _histogram(self, flat: Tensor, numbers: Tensor) -> Integers:
        positions = sampled_positions(numbers, flat.shape[2]).to(flat.device)
        values = flat.gather(2, positions[:, None].expand(-1, flat.shape[1], -1))
        edges = torch.from_numpy(self.edges).to(flat.device)
        scale = BINS / (edges[:, -1:] - edges[:, :1])
        bins = ((values - edges[:, :1]) * scale).nan_to_num(0).clamp(0, BINS - 1).long()
        bins += torch.arange(flat.shape[1], device=flat.device)[:, None] * BINS
        counts = torch.bincount(bins.flatten(), minlength=BINS * flat.shape[1])
        return np.asarray(counts.reshape(-1, BINS).cpu().numpy(), np.int64)

    def part(self) -> LayerPart:
        """What is known of all batches; at least one."""
        assert self.top is not None
        assert self.bottom is not None
        return LayerPart(
            self.positions,
            self.mean,
            self.squares,
            self.zeros,
            np.concatenate(self.image_means),
            self.histogram,
            self.edges,
            self.top.numbers,
            self.top.values,
            self.top.positions,
            self.bottom.numbers,
            self.bottom.values,
        )


def _plus(before: npt.NDArray[Any], added: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return before + added if before.size else added


@dataclass(frozen=True, eq=False)
class Extremes:
    """The TOP images of each channel by the maximum of the map; of equal ones those with the lower number.

    `numbers` int64 and `values` float32 are (C, k), `positions` int64 (C, k, 2).
    """

    largest: bool
    numbers: Integers
    values: Floats
    positions: Integers

    @classmethod
    def none(cls, channels: int, largest: bool) -> "Extremes":
        shape = (channels, 0)
        return cls(
            largest, np.zeros(shape, np.int64), np.zeros(shape, np.float32), np.zeros((*shape, 2), np.int64)
        )

    def with_batch(self, maxima: Tensor, maps: Tensor, numbers: Integers) -> "Extremes":
        """With further images, whose numbers (n,) are larger: maxima float (n, C) of maps (n, C, h, w)."""
        new = maxima.T.cpu().numpy()
        values = np.concatenate([self.values, new], 1)
        all_numbers = np.concatenate([self.numbers, np.broadcast_to(numbers, new.shape)], 1)
        known = self.values.shape[1]
        padding = np.zeros((*new.shape, 2), np.int64)
        positions = np.concatenate([self.positions, padding], 1)
        order = np.argsort(-values if self.largest else values, axis=1, kind="stable")[:, :TOP]
        channels, places = np.nonzero(order >= known)
        if self.largest and len(channels):
            columns = order[channels, places]
            positions[channels, columns] = _where(maps, columns - known, channels)
        rows = np.arange(len(order))[:, None]
        return Extremes(self.largest, all_numbers[rows, order], values[rows, order], positions[rows, order])


def _where(maps: Tensor, images: Integers, channels: Integers) -> Integers:
    """The first (y, x) of the maximum of some maps, int64 (m, 2)."""
    chosen = maps[torch.from_numpy(images).to(maps.device), torch.from_numpy(channels).to(maps.device)]
    places = chosen.flatten(1).argmax(1).cpu().numpy()
    return np.stack(np.divmod(places, maps.shape[3]), 1).astype(np.int64)
