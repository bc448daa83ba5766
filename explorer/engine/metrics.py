"""How well predictions fit the labels: accuracy, confusion, scores of each class, calibration; NumPy only."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from explorer.engine.intervals import interval
from explorer.engine.values import Doubles, Floats, Integers, Value

Booleans = npt.NDArray[np.bool_]
BINS = 15
DRAWS = 200
"""How often outcomes are drawn to see the ECE of a network that is perfectly calibrated."""


@dataclass(frozen=True, eq=False)
class Predictions(Value):
    """What a network predicts for N images: `labels` and `predicted` int64 (N,), −1 for none.

    Float64 (N,): `confidence` is the probability of the predicted class, `entropy` that of the probabilities
    in nats, `loss` is −log of the probability of the label, NaN without one. An image whose logits are not
    all finite has no prediction: −1, and NaN for all three.
    """

    labels: Integers
    predicted: Integers
    confidence: Doubles
    entropy: Doubles
    loss: Doubles

    @cached_property
    def labeled(self) -> Booleans:
        """Images (N,) whose label is one of the network's classes."""
        return np.asarray(self.labels >= 0)

    @cached_property
    def correct(self) -> Booleans:
        """Images (N,) whose prediction is their label."""
        return np.asarray(self.labeled & (self.predicted == self.labels))

    @cached_property
    def wrong(self) -> Booleans:
        """Images (N,) with a label that is not the prediction, or without a prediction."""
        return self.labeled & ~self.correct

    @cached_property
    def decided(self) -> Booleans:
        """Images (N,) that have a prediction."""
        return np.asarray(self.predicted >= 0)


def predictions(logits: Floats, labels: Integers, independent: bool = False) -> Predictions:
    """The Predictions of logits (N, K) for labels (N,).

    With `independent` labels the probability of each is a sigmoid, and the entropy the sum of theirs.
    ValueError for other shapes, and for a label that is no class.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(f"Logits must be (N, K) and labels (N,), not {logits.shape} and {labels.shape}.")
    if len(labels) and not -1 <= labels.min() <= labels.max() < logits.shape[1]:
        raise ValueError(f"Labels must be −1 or a class from 0 to {logits.shape[1] - 1}.")
    decided = np.asarray(np.isfinite(logits).all(1))
    logits = np.where(decided[:, None], logits, np.zeros_like(logits))
    logs = _log_sigmoid(logits) if independent else _log_softmax(logits)
    chances, predicted = np.exp(logs), logits.argmax(1)
    rows = np.arange(len(labels))
    entropy = -_plogp(chances, logs).sum(1)
    if independent:
        others = _log_sigmoid(-np.asarray(logits, np.float64))
        entropy -= _plogp(np.exp(others), others).sum(1)
    loss = np.maximum(-logs[rows, labels], 0.0)
    return Predictions(
        np.asarray(labels, np.int64),
        np.where(decided, predicted, -1).astype(np.int64),
        np.where(decided, chances[rows, predicted], np.nan),
        np.where(decided, np.maximum(entropy, 0.0), np.nan),
        np.where(decided & (labels >= 0), loss, np.nan),
    )


def _log_softmax(logits: Floats) -> Doubles:
    shifted = np.asarray(logits, np.float64) - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)), np.float64)


def _log_sigmoid(logits: Floats | Doubles) -> Doubles:
    return np.asarray(-np.logaddexp(0.0, -np.asarray(logits, np.float64)), np.float64)


def _plogp(chances: Doubles, logs: Doubles) -> Doubles:
    """p·log p, zero where p is."""
    return np.where(chances > 0, chances * np.where(chances > 0, logs, 0.0), 0.0)


# Confusion


def confusion(labels: Integers, predicted: Integers, classes: int) -> Integers:
    """How many images of each class (row) are predicted as each class (column), int64 (K, K).

    Images without a label or a prediction are left out.
    """
    both = (labels >= 0) & (predicted >= 0)
    cells = labels[both] * classes + predicted[both]
    return np.asarray(np.bincount(cells, minlength=classes * classes).reshape(classes, classes), np.int64)


def undecided(labels: Integers, predicted: Integers, classes: int) -> Integers:
    """How many images of each class have no prediction, int64 (K,)."""
    rows = (labels >= 0) & (predicted < 0)
    return np.asarray(np.bincount(labels[rows], minlength=classes), np.int64)


@dataclass(frozen=True)
class Accuracy:
    """The fraction of `n` labeled images that is predicted correctly, with Wilson's 95% interval.

    `shuffled` is what the same predictions give on average when assigned to the images at random, and
    `largest` what naming always the most frequent class gives. NaN without a labeled image.
    """

    n: int
    correct: int
    value: float
    low: float
    high: float
    shuffled: float
    largest: float


def accuracy(table: Integers, undecided: Integers | int = 0) -> Accuracy:
    """The Accuracy in a confusion table (K, K), and of (K,) images without a prediction, which are wrong."""
    images = table.sum(1) + undecided
    n, correct = int(images.sum()), int(np.trace(table))
    if n == 0:
        return Accuracy(0, 0, *[np.nan] * 5)
    actual, named = images / n, table.sum(0) / n
    low, high = interval(correct / n, n)
    return Accuracy(n, correct, correct / n, low, high, float(actual @ named), float(actual.max()))


@dataclass(frozen=True, eq=False)
class ClassScores(Value):
    """Of each class, (K,): `images` that have it, how many are `predicted` as it, how many `correct`, int64.

    `recall` is the fraction of its images that is predicted as it, `precision` the fraction of what is
    predicted as it that has it, `f1` their harmonic mean, 2·correct / (images + predicted); float64. The
    intervals (K, 2) are Wilson's for 95%. By chance, the same predictions assigned to images at random, the
    recall is on average `chance_recall`, the precision `chance_precision`. NaN where there is nothing to
    divide by.
    """

    images: Integers
    predicted: Integers
    correct: Integers
    recall: Doubles
    recall_interval: Doubles
    precision: Doubles
    precision_interval: Doubles
    f1: Doubles
    chance_recall: Doubles
    chance_precision: Doubles

    @property
    def chance_f1(self) -> Doubles:
        """The F1 of `chance_recall` and `chance_precision`, (K,)."""
        return _divided(
            2 * self.chance_recall * self.chance_precision, self.chance_recall + self.chance_precision
        )


def class_scores(table: Integers, undecided: Integers | int = 0) -> ClassScores:
    """The ClassScores in a confusion table (K, K), and of (K,) images without a prediction."""
    images, named, correct = table.sum(1) + undecided, table.sum(0), np.diag(table).copy()
    recall, precision = _divided(correct, images), _divided(correct, named)
    n = np.full(len(table), images.sum())
    return ClassScores(
        images,
        named,
        correct,
        recall,
        _intervals(recall, images),
        precision,
        _intervals(precision, named),
        _divided(2 * correct, images + named),
        np.where(images > 0, _divided(named, n), np.nan),
        np.where(named > 0, _divided(images, n), np.nan),
    )


def _divided(above: npt.NDArray[np.generic], below: npt.NDArray[np.generic]) -> Doubles:
    """NaN where there is nothing to divide by."""
    parts, wholes = np.asarray(above, np.float64), np.asarray(below, np.float64)
    fractions: Doubles = np.divide(parts, wholes, out=np.full(parts.shape, np.nan), where=wholes > 0)
    return fractions


def _intervals(fractions: Doubles, counts: Integers) -> Doubles:
    """Wilson's interval of each, (n, 2); NaN of none."""
    pairs = zip(fractions.tolist(), counts.tolist(), strict=True)
    each = [interval(fraction, count) if count else (np.nan, np.nan) for fraction, count in pairs]
    return np.array(each, np.float64).reshape(len(each), 2)


# Calibration


@dataclass(frozen=True, eq=False)
class Reliability(Value):
    """Accuracy beside confidence in B bins with `edges` float64 (B + 1,).

    A bin holds what is above its lower edge and at most its upper one; the first also zero.

    Of each bin, (B,): `counts` int64 of images; their mean `confidence` and their `accuracy`, float64, NaN in
    an empty one; `intervals` (B, 2) are Wilson's for 95%.
    """

    edges: Doubles
    counts: Integers
    confidence: Doubles
    accuracy: Doubles
    intervals: Doubles

    @property
    def ece(self) -> float:
        """The expected calibration error: the mean over all images of the distance of accuracy and confidence
        in their bin (arXiv:1706.04599); NaN without images.
        """
        if not self.counts.sum():
            return float("nan")
        gaps = np.abs(self.accuracy - self.confidence)
        return float(np.nansum(gaps * self.counts) / self.counts.sum())


def reliability(
    confidence: Doubles, correct: Booleans, bins: int = BINS, equal_counts: bool = False
) -> Reliability:
    """The Reliability of confidences (n,) of which some are `correct`, bool (n,).

    The bins are equally wide, or hold equally many images as far as equal confidences allow.
    """
    edges = _edges(confidence, bins, equal_counts)
    index = _bins_of(confidence, edges)
    counts = np.bincount(index, minlength=bins)
    right = _divided(np.bincount(index, correct, bins), counts)
    mean = _divided(np.bincount(index, confidence, bins), counts)
    return Reliability(edges, np.asarray(counts, np.int64), mean, right, _intervals(right, counts))


def _edges(confidence: Doubles, bins: int, equal_counts: bool) -> Doubles:
    edges = np.linspace(0.0, 1.0, bins + 1)
    if equal_counts and len(confidence):
        edges[1:-1] = np.quantile(confidence, edges[1:-1])
    return edges


def _bins_of(confidence: Doubles, edges: Doubles) -> Integers:
    return np.asarray(np.searchsorted(edges[1:-1], confidence, side="left"), np.int64)


@dataclass(frozen=True)
class CalibratedError:
    """The ECE that a perfectly calibrated network with the same confidences and as many images has by chance.

    `mean` over DRAWS draws of the outcomes, and `high`, which 95% of the draws do not exceed.
    """

    mean: float
    high: float


def calibrated_error(
    confidence: Doubles, bins: int = BINS, equal_counts: bool = False, seed: int = 0
) -> CalibratedError:
    """The CalibratedError of confidences (n,): each image is correct with its confidence as probability."""
    if not len(confidence):
        return CalibratedError(float("nan"), float("nan"))
    index = _bins_of(confidence, _edges(confidence, bins, equal_counts))
    random = np.random.default_rng(seed)
    sums = np.bincount(index, confidence, bins)
    errors = [
        np.abs(np.bincount(index, random.random(len(confidence)) < confidence, bins) - sums).sum()
        for _ in range(DRAWS)
    ]
    errors_per_image = np.array(errors) / len(confidence)
    return CalibratedError(float(errors_per_image.mean()), float(np.quantile(errors_per_image, 0.95)))
