"""What a shift of the data does to a network with BatchNorm, step by step, from mild to strong.

The images are divided at random, always in the same way: one half recalibrates, the other half measures.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from explorer.engine.corruptions import Corruption
from explorer.engine.intervals import interval, paired_interval
from explorer.engine.network import Network
from explorer.engine.norm_inputs import Observed, logits_of, observe
from explorer.engine.recalibration import recalibrated
from explorer.engine.shift import NormDrift, drift
from explorer.engine.values import Integers, Value
from model.images import Images, Labels

SPLIT_SEED = 0
LEAST = 8  # images, so that each half has a few


@dataclass(frozen=True, eq=False)
class Pictures(Value):
    """N images as a network gets them: `pixels` uint8 (N, s, s, 3), `labels` int64 (N,), -1 for none."""

    pixels: Images
    labels: Labels

    def halves(self) -> tuple["Pictures", "Pictures"]:
        """Those that measure, the larger half, and the others, which recalibrate."""
        order = np.random.default_rng(SPLIT_SEED).permutation(len(self.labels))
        middle = (len(order) + 1) // 2
        return self._rows(np.sort(order[:middle])), self._rows(np.sort(order[middle:]))

    def shifted(self, corruption: Corruption, severity: float) -> "Pictures":
        return Pictures(corruption.shift(self.pixels, severity), self.labels)

    def _rows(self, rows: Integers) -> "Pictures":
        return Pictures(self.pixels[rows], self.labels[rows])


@dataclass(frozen=True)
class CorrectCount:
    """How many of n images are predicted correctly, with Wilson's 95% interval; NaN without images."""

    correct: int
    n: int

    @property
    def value(self) -> float:
        return self.correct / self.n if self.n else float("nan")

    @property
    def ends(self) -> tuple[float, float]:
        return interval(self.value, self.n) if self.n else (float("nan"), float("nan"))


@dataclass(frozen=True)
class CorrectnessChange:
    """How many of n images are predicted correctly only afterwards (gained), or only before (lost)."""

    gained: int
    lost: int
    n: int

    @property
    def value(self) -> float:
        return (self.gained - self.lost) / self.n if self.n else float("nan")

    @property
    def ends(self) -> tuple[float, float]:
        """A 95% interval of `value`, for the same images before and after."""
        return paired_interval(self.gained, self.lost, self.n)


@dataclass(frozen=True, eq=False)
class SeverityResult(Value):
    """What one severity does to the n images that measure; None is unshifted.

    `predicted` and `recalibrated`, int64 (n,), are the classes predicted with the learned running statistics
    and with those of `calibrated_on` other images of the same severity; `labels` are -1 for none. `paired` is
    False for images that are not the unshifted ones.
    """

    severity: float | None
    labels: Labels
    predicted: Integers
    recalibrated: Integers
    calibrated_on: int
    layers: Mapping[str, NormDrift]
    paired: bool = True

    @property
    def running(self) -> CorrectCount:
        """With the running statistics of training."""
        return _accuracy(self.predicted, self.labels)

    @property
    def recovered(self) -> CorrectCount:
        """With recalibrated running statistics."""
        return _accuracy(self.recalibrated, self.labels)

    @property
    def gain(self) -> CorrectnessChange:
        """What recalibrating changes, over the same images."""
        return change(self.labels, self.predicted, self.recalibrated)

    def since(self, unshifted: "SeverityResult") -> CorrectnessChange | None:
        """What the shift changes, over the same images; None where they are not the same."""
        return change(self.labels, unshifted.predicted, self.predicted) if self.paired else None


def change(labels: Labels, before: Integers, after: Integers) -> CorrectnessChange:
    """The Change between two predictions (n,) of the same images; images without label are left out."""
    known = labels >= 0
    first, second = (before == labels)[known], (after == labels)[known]
    return CorrectnessChange(int((second & ~first).sum()), int((first & ~second).sum()), int(known.sum()))


def measure_shift(network: Network, pictures: Pictures, corruption: Corruption) -> Iterator[SeverityResult]:
    """The unshifted step, and one for each severity. Raises Problem without running statistics."""
    measuring, calibrating = pictures.halves()
    plain = _observed(network, measuring.pixels)
    yield _step(network, None, measuring, calibrating, plain, plain)
    for severity in corruption.severities:
        shifted, others = (
            Pictures(corruption.shift(each.pixels, severity), each.labels)
            for each in (measuring, calibrating)
        )
        yield _step(network, severity, shifted, others, plain, _observed(network, shifted.pixels))


def measure_own(network: Network, pictures: Pictures, own: Pictures) -> Iterator[SeverityResult]:
    """The unshifted step, and one of pictures of one's own, which are other images."""
    measuring, calibrating = pictures.halves()
    plain = _observed(network, measuring.pixels)
    yield _step(network, None, measuring, calibrating, plain, plain)
    measured, others = own.halves()
    yield _step(network, 1.0, measured, others, plain, _observed(network, measured.pixels), paired=False)


def _step(
    network: Network,
    severity: float | None,
    measuring: Pictures,
    calibrating: Pictures,
    plain: Observed,
    shifted: Observed,
    paired: bool = True,
) -> SeverityResult:
    to_inputs = network.card.to_inputs
    other = recalibrated(network.net, to_inputs(calibrating.pixels))
    return SeverityResult(
        severity=severity,
        labels=measuring.labels,
        predicted=_classes(shifted.logits),
        recalibrated=_classes(logits_of(other, to_inputs(measuring.pixels))),
        calibrated_on=len(calibrating.labels),
        layers=drift(network.net, plain, shifted, paired),
        paired=paired,
    )


def first_beyond(steps: tuple[SeverityResult, ...], layer: str) -> Integers:
    """For each channel the index of the first step after which it stays beyond chance; -1 for none, (C,)."""
    beyond = np.stack([step.layers[layer].beyond for step in steps])
    stays = np.logical_and.accumulate(beyond[::-1])[::-1]
    return np.where(stays.any(0), stays.argmax(0), -1)


def _observed(network: Network, pixels: Images) -> Observed:
    return observe(network.net, network.card.to_inputs(pixels))


def _classes(logits: npt.NDArray[np.float32]) -> Integers:
    return np.asarray(logits.argmax(1), np.int64)


def _accuracy(predicted: Integers, labels: Labels) -> CorrectCount:
    known = labels >= 0
    return CorrectCount(int((predicted == labels)[known].sum()), int(known.sum()))
