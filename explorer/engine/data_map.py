"""The data map of a run: how each training image was learned, from its probabilities at every epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from explorer.engine.values import Floats, Integers, Value
from model.example_log import ExampleLog
from model.words import N_

EASY, AMBIGUOUS, HARD, SUSPECT = range(4)
UNSEEN = -1
REGIONS = {
    EASY: N_("easy"),
    AMBIGUOUS: N_("ambiguous"),
    HARD: N_("hard to learn"),
    SUSPECT: N_("likely mislabeled"),
}
TOO_LITTLE = 0.2
LEAST = 2.0**-24  # the smallest float16 above 0: a probability below it counts as this in a loss


@dataclass(frozen=True, eq=False)
class DataMap(Value):
    """What E epochs say of N training images; NaN, or 0 for a count, of an image that was never seen.

    `confidence`, `variability` float32 (N,): mean and population standard deviation of the probability of the
    image's class over the epochs in which it was seen (arXiv:2009.10795). `correctness` float32 (N,): the
    fraction of these in which that class was predicted. `forgetting` int64 (N,): how often it was predicted
    in one epoch and not in the next in which the image was seen (arXiv:1812.05159). `learned` int64 (N,): the
    first epoch, from 1, in which it was predicted, 0 if there was none. `last_loss` float32 (N,): −log of
    the probability in the last epoch, in nats. `epoch_counts` int64 (N,): in how many epochs the image was.

    `region` int64 (N,): SUSPECT, likely mislabeled, where the confidence is below chance, 1 / classes; of the
    others AMBIGUOUS where the variability is in the highest third of all images that were seen, the rest EASY
    from a confidence of 0.5 on, and HARD below; UNSEEN for an image that was never seen.
    """

    confidence: Floats
    variability: Floats
    correctness: Floats
    forgetting: Integers
    learned: Integers
    last_loss: Floats
    epoch_counts: Integers
    region: Integers
    classes: int

    @property
    def chance(self) -> float:
        return 1 / max(self.classes, 1)

    @property
    def mean_confidence(self) -> float:
        """Over the images that were seen."""
        return float(np.mean(self.confidence[self.epoch_counts > 0]))

    @property
    def is_near_chance(self) -> bool:
        """Whether the network has learned so little that to be below chance says nothing of a label.

        That is where the mean confidence is less than TOO_LITTLE of the way from chance to 1.
        """
        return self.mean_confidence < self.chance + TOO_LITTLE * (1 - self.chance)


def data_map(log: ExampleLog) -> DataMap:
    """The map of a log; see DataMap for what each number is."""
    values = log.confidence.astype(np.float64)
    present = ~np.isnan(values)
    epoch_counts = present.sum(0)
    correct = log.correct & present
    confidence, variability = _moments(values, present, epoch_counts)
    never = epoch_counts == 0
    correctness = np.where(never, np.nan, correct.sum(0) / np.maximum(epoch_counts, 1))
    return DataMap(
        confidence.astype(np.float32),
        variability.astype(np.float32),
        correctness.astype(np.float32),
        forgetting_events(correct, present),
        np.where(correct.any(0), correct.argmax(0) + 1 if len(correct) else 0, 0).astype(np.int64),
        _last_loss(values),
        epoch_counts.astype(np.int64),
        regions(confidence, variability, len(log.card.classes)),
        len(log.card.classes),
    )


def _moments(
    values: npt.NDArray[np.float64], present: npt.NDArray[np.bool_], epoch_counts: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    count = np.where(epoch_counts == 0, np.nan, epoch_counts)
    mean = np.where(present, values, 0).sum(0) / count
    variance = (np.where(present, values - mean, 0) ** 2).sum(0) / count
    return mean, np.sqrt(variance)


def forgetting_events(correct: npt.NDArray[np.bool_], present: npt.NDArray[np.bool_]) -> Integers:
    """How often each image was predicted as its class and not the next time it was seen: (E, N) → int64 (N,).

    Epochs in which an image was not present do not count, neither as a prediction nor as a gap.

    >>> forgetting_events(np.array([[1], [0], [1], [1], [0]], bool), np.ones((5, 1), bool))
    array([2])
    """
    events = np.zeros(correct.shape[1], np.int64)
    before = np.zeros(correct.shape[1], np.bool_)
    for now, here in zip(correct, present, strict=True):
        events += before & here & ~now
        before = np.where(here, now, before)
    return events


def _last_loss(values: npt.NDArray[np.float64]) -> Floats:
    if not len(values):
        return np.full(values.shape[1], np.nan, np.float32)
    return np.asarray(-np.log(np.maximum(values[-1], LEAST)), np.float32)


def regions(confidence: npt.ArrayLike, variability: npt.ArrayLike, classes: int) -> Integers:
    """Each image's region, int64 (N,), by the rule of DataMap."""
    confidence, variability = np.asarray(confidence), np.asarray(variability)
    has_values = ~np.isnan(confidence)
    region = np.where(confidence >= 0.5, EASY, HARD).astype(np.int64)
    if has_values.any():
        region[variability > np.quantile(variability[has_values], 2 / 3)] = AMBIGUOUS
    region[confidence < 1 / max(classes, 1)] = SUSPECT
    region[~has_values] = UNSEEN
    return region


def region_counts(one: DataMap) -> dict[int, int]:
    """Region → how many images are in it, in the order of REGIONS."""
    return {region: int((one.region == region).sum()) for region in REGIONS}


# Rankings: indices of images, the foremost first; equal ones by index


def by_suspicion(one: DataMap) -> Integers:
    """All images that were seen, int64, the lowest mean confidence first: the map's order of likely wrong
    labels."""
    order = np.argsort(one.confidence, kind="stable")
    return order[~np.isnan(one.confidence[order])]


def by_last_loss(one: DataMap) -> Integers:
    """All images of the last epoch, int64, the largest loss in it first: what a single epoch knows."""
    order = np.argsort(-one.last_loss, kind="stable")
    return order[~np.isnan(one.last_loss[order])]


def suspects(one: DataMap) -> Integers:
    """The images that are likely mislabeled, the lowest confidence first."""
    order = by_suspicion(one)
    return np.asarray(order[one.region[order] == SUSPECT])


def hardest(one: DataMap) -> Integers:
    """The images that are hard to learn but not likely mislabeled, the lowest confidence first."""
    order = by_suspicion(one)
    return np.asarray(order[one.region[order] == HARD])


def most_forgotten(one: DataMap) -> Integers:
    """The images that were forgotten at least once, most often first; equal ones by lower confidence."""
    order = np.lexsort((one.confidence, -one.forgetting))
    return order[one.forgetting[order] > 0].astype(np.int64)


RANKINGS = {"suspects": suspects, "hardest": hardest, "forgotten": most_forgotten}


@dataclass(frozen=True)
class Retrieval:
    """How many of `wrong` images are among the `count` first of a ranking: `hits` of them."""

    hits: int
    count: int
    wrong: int

    @property
    def precision(self) -> float:
        return self.hits / self.count if self.count else float("nan")

    @property
    def recall(self) -> float:
        return self.hits / self.wrong if self.wrong else float("nan")


def retrieval_among_first(order: Integers, wrong: Integers, count: int) -> Retrieval:
    """How many of the images `wrong` are among the `count` first of `order`."""
    first = order[:count]
    return Retrieval(int(np.isin(first, wrong).sum()), len(first), len(wrong))
