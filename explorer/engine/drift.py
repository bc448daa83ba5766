"""How the statistics of what a layer receives and gives move from snapshot to snapshot of a run."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from explorer.engine.passes import check_images, recorded, to_numpy
from explorer.engine.values import Doubles, Floats, Value

TINY = 1e-12  # a standard deviation of 0 counts as this


@dataclass(frozen=True, eq=False)
class Moments(Value):
    """Mean and standard deviation (biased, over N, h and w) of each channel at each epoch, (epochs, C)."""

    mean: Floats
    std: Floats

    @property
    def moved(self) -> Doubles:
        """|mean − last mean| in last standard deviations, (epochs, C): 0 at the last epoch."""
        return np.asarray(np.abs(self.mean - self.mean[-1]) / np.maximum(self.std[-1], TINY), np.float64)

    @property
    def stretched(self) -> Doubles:
        """|log₂ of the standard deviation over the last one|, (epochs, C): 0 at the last epoch."""
        least = np.maximum(self.std, TINY)
        return np.asarray(np.abs(np.log2(least / least[-1])), np.float64)


@dataclass(frozen=True, eq=False)
class Drift(Value):
    """What a layer receives and what it gives at each of these epochs."""

    epochs: tuple[int, ...]
    received: Moments
    given: Moments


def drift(nets: Sequence[nn.Module], epochs: Sequence[int], x: Tensor, layer: str) -> Drift:
    """The Drift of a layer over the networks of a run's snapshots, for the same images x, float (N, C, h, w).

    Raises Problem for a layer that does not run in one of them.
    """
    check_images(x)
    rows: list[tuple[Tensor, ...]] = []

    def keep(_: str, before: Tensor, after: Tensor) -> None:
        rows.append((*_moments(before), *_moments(after)))

    for net in nets:
        recorded(net, x, [layer], keep)
    stacked = [to_numpy(torch.stack(column)) for column in zip(*rows, strict=True)]
    return Drift(tuple(epochs), Moments(*stacked[:2]), Moments(*stacked[2:]))


def _moments(maps: Tensor) -> tuple[Tensor, Tensor]:
    flat = maps.float().transpose(0, 1).flatten(1)
    return flat.mean(1), flat.var(1, correction=0).sqrt()
