"""Grad-CAM's channel evidence over many images: what supports a class on average, and what two differ in."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from explorer.engine.attribution import channel_evidence
from explorer.engine.attribution.gradients import Target
from explorer.engine.values import Doubles, Floats, Integers, Value

PERMUTATIONS = 1000
LEVEL = 0.05  # of all channels together


@dataclass(frozen=True, eq=False)
class Evidence(Value):
    """Of n images at one layer, float32: what each channel contributes to Grad-CAM, `contributions` (n, C) in
    units of the logit, signed, and the heat maps, `heats` (n, h, w). `labels` int64 (n,).
    """

    labels: Integers
    contributions: Floats
    heats: Floats

    def of(self, label: int) -> "Evidence":
        """That of the images with a label."""
        return self.rows(self.labels == label)

    def rows(self, wanted: np.ndarray) -> "Evidence":
        """That of some images, by bool (n,) or their places."""
        return Evidence(self.labels[wanted], self.contributions[wanted], self.heats[wanted])


def evidence(
    net: nn.Module, x: Tensor, labels: Integers, layer: str, target: Target, against: Target | None = None
) -> Evidence:
    """The Evidence of images x, float (N, C, h, w), with labels (N,), for the score of a class, minus that of
    another if there is one; classes are one int or (N,). Errors as `channel_evidence`.
    """
    one = channel_evidence(net, x, layer, target, against)
    contributions, heats = one.contributions, one.values
    if one.images is None:
        contributions, heats = contributions[None], heats[None]
    return Evidence(labels, contributions, heats)


def evidence_of_batches(
    net: nn.Module,
    batches: Iterable[tuple[Callable[[], Tensor], Integers, Integers]],
    layer: str,
    against: int | None = None,
) -> Iterator[Evidence]:
    """`evidence` for one batch after another, each given as what makes x, its labels and its classes."""
    for make, labels, classes in batches:
        yield evidence(net, make(), labels, layer, classes, against)


def joined(parts: Sequence[Evidence]) -> Evidence:
    """The evidence of several batches as that of one; at least one batch."""
    return Evidence(
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.contributions for part in parts]),
        np.concatenate([part.heats for part in parts]),
    )


@dataclass(frozen=True, eq=False)
class Differences(Value):
    """Of each of C channels the mean contribution in one group of images, `first`, minus that in another,
    `second`, float64 (C,), with its 95% interval from `low` to `high`.

    `chance` (C,) is how large a difference must be: so many standard errors of its own as no channel reaches
    in 95% of the draws that put the images into two groups at random. `p` (C,) is the part of the draws in
    which some channel differs by as many standard errors as this one.
    """

    first: Doubles
    second: Doubles
    difference: Doubles
    low: Doubles
    high: Doubles
    chance: Doubles
    p: Doubles
    counts: tuple[int, int]

    @property
    def beyond(self) -> Integers:
        """The channels beyond chance, the surest first."""
        order = self.order
        return order[self.p[order] <= LEVEL]

    @property
    def order(self) -> Integers:
        """All channels, the largest difference in units of its chance first."""
        with np.errstate(invalid="ignore", divide="ignore"):
            size = np.nan_to_num(np.abs(self.difference) / self.chance, nan=0.0)
        return np.argsort(-size, kind="stable")


def differences(
    first: Floats, second: Floats, permutations: int = PERMUTATIONS, seed: int = 0
) -> Differences:
    """The Differences of contributions (n, C) and (m, C), n and m at least 2.

    Largest Welch's t over the channels in random groups of the same sizes, which keeps the chance that any
    channel is beyond it at LEVEL.
    """
    n, values = len(first), np.concatenate([first, second]).astype(np.float64)
    means = values[:n].mean(0), values[n:].mean(0)
    values = values - values.mean(0)  # differences stay, rounding is less
    own = np.zeros((1, len(values)))
    own[0, :n] = 1.0
    generator = np.random.default_rng(seed)
    drawn = generator.permuted(np.repeat(own, permutations, axis=0), axis=1)
    (difference,), (error,) = _difference(values, own)
    ratios = _ratios(*_difference(values, drawn)).max(1, initial=0.0)
    ratio = _ratios(difference, error)
    limit = float(np.quantile(ratios, 1 - LEVEL, method="higher"))
    above = (ratios[:, None] >= ratio * (1 - 1e-9)).sum(0)
    return Differences(
        *means,
        difference,
        difference - 1.96 * error,
        difference + 1.96 * error,
        limit * error,
        (1 + above) / (1 + permutations),
        (n, len(second)),
    )


def _difference(values: Doubles, groups: Doubles) -> tuple[Doubles, Doubles]:
    """Of values (N, C), per row of groups (P, N) of ones and zeros: the difference of means, and its standard
    error, both (P, C).
    """
    n = groups.sum(1, keepdims=True)
    m = len(values) - n
    sums, squares = groups @ values, groups @ values**2
    one, other = sums / n, (values.sum(0) - sums) / m
    within = (squares / n - one**2) / (n - 1)
    without = ((values**2).sum(0) - squares) / m - other**2
    return one - other, np.sqrt(np.maximum(within, 0) + np.maximum(without / (m - 1), 0))


def _ratios(difference: Doubles, error: Doubles) -> Doubles:
    """|t|; 0 where nothing differs."""
    tiny = 1e-12 * np.abs(difference).max(initial=0.0)
    return np.where(np.abs(difference) > tiny, np.abs(difference) / np.maximum(error, 1e-300), 0.0)


def most_confused(labels: Integers, predicted: Integers) -> tuple[int, int] | None:
    """The two classes, true and predicted, that most images are mistaken in; None without a mistake."""
    wrong = (labels >= 0) & (labels != predicted)
    if not wrong.any():
        return None
    pairs, sizes = np.unique(np.stack([labels[wrong], predicted[wrong]], 1), axis=0, return_counts=True)
    true, other = pairs[int(sizes.argmax())].tolist()
    return true, other
