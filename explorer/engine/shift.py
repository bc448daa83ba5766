"""How far a shift of the data moves what BatchNorm receives, beside what resampling alone gives."""

from dataclasses import dataclass

import numpy as np
from torch import nn

from explorer.engine.distribution import wasserstein
from explorer.engine.norm_inputs import Observed, norm_of, running_statistics
from explorer.engine.passes import to_numpy
from explorer.engine.values import Doubles, Floats, Value

DRAWS = 400  # of images, with replacement, for what resampling alone gives
SEED = 0


@dataclass(frozen=True, eq=False)
class NormDrift(Value):
    """One BatchNorm layer: its running statistics, those of plain images and of shifted ones, (C,) each.

    `running_std` is √(running variance + ε). `low` and `high` are a 95% interval of `shift` over images;
    `chance` is what 95% of differences stay below, in size, between two draws of as many plain images.
    `moved` is how far the distribution moves, by Wasserstein-1 in running standard deviations, and
    `between_halves` the largest such distance between random halves of the plain images.
    """

    running_mean: Doubles
    running_std: Doubles
    plain_mean: Doubles
    plain_std: Doubles
    mean: Doubles
    std: Doubles
    low: Doubles
    high: Doubles
    chance: Doubles
    moved: Doubles
    between_halves: Doubles

    @property
    def distance(self) -> Doubles:
        """The plain images' mean less the running one, in running standard deviations, (C,), signed."""
        return (self.plain_mean - self.running_mean) / self.running_std

    @property
    def spread(self) -> Doubles:
        """The plain images' standard deviation over the running one, (C,)."""
        return self.plain_std / self.running_std

    @property
    def shift(self) -> Doubles:
        """How far the shift of the data moves the mean, in running standard deviations, (C,), signed."""
        return (self.mean - self.plain_mean) / self.running_std

    @property
    def widening(self) -> Doubles:
        """The standard deviation on shifted images over that on plain ones, (C,)."""
        return self.std / np.maximum(self.plain_std, 1e-12)

    @property
    def beyond(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Channels (C,) that move further than 95% of what resampling alone gives."""
        return np.asarray(np.abs(self.shift) > self.chance)

    @property
    def moved_beyond(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Channels (C,) whose distribution moves further than random halves of the plain images differ."""
        return np.asarray(self.moved > self.between_halves)


def drift(net: nn.Module, plain: Observed, shifted: Observed, paired: bool) -> dict[str, NormDrift]:
    """Layer → its NormDrift. `paired`: the shifted images are the plain ones, in the same order."""
    drifts = {}
    for layer in plain.norms:
        mean, var = (to_numpy(each).astype(np.float64) for each in running_statistics(norm_of(net, layer)))
        std = np.sqrt(var + norm_of(net, layer).eps)
        one, other = plain.norms[layer], shifted.norms[layer]
        low, high = _interval(one.means, other.means, paired)
        drifts[layer] = NormDrift(
            running_mean=mean,
            running_std=std,
            plain_mean=one.mean,
            plain_std=np.sqrt(one.var),
            mean=other.mean,
            std=np.sqrt(other.var),
            low=low / std,
            high=high / std,
            chance=_chance(one.means, len(other.means)) / std,
            moved=wasserstein(one.counts, other.counts),
            between_halves=one.between_halves,
        )
    return drifts


def _interval(plain: Floats, shifted: Floats, paired: bool) -> tuple[Doubles, Doubles]:
    """A 95% interval of the difference of means (C,), from images drawn again with replacement."""
    if paired:
        draws = _drawn_means((shifted - plain).astype(np.float64), len(plain), SEED)
    else:
        draws = _drawn_means(shifted, len(shifted), SEED) - _drawn_means(plain, len(plain), SEED + 1)
    low, high = np.quantile(draws, (0.025, 0.975), axis=0)
    return low, high


def _chance(plain: Floats, count: int) -> Doubles:
    """What 95% of the differences between two draws of images stay below, in size, (C,).

    One draw is of as many images as there are plain ones, the other of `count`.
    """
    one, other = _drawn_means(plain, len(plain), SEED + 2), _drawn_means(plain, count, SEED + 3)
    return np.asarray(np.quantile(np.abs(one - other), 0.95, axis=0))


def _drawn_means(values: Floats | Doubles, count: int, seed: int) -> Doubles:
    """The means (DRAWS, C) of `count` rows of values (N, C), drawn with replacement."""
    total = len(values)
    weights = np.random.default_rng(seed).multinomial(count, np.full(total, 1 / total), DRAWS) / count
    return np.asarray(weights @ values.astype(np.float64))
