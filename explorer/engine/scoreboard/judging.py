"""The scores judged: how often each prefers that map of two which is better by the known truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from explorer.engine.scoreboard.estimates import Estimate, ratio_of
from explorer.engine.scores import SCORES
from explorer.engine.values import Doubles

TRUTH = "redrawing"
DRAWN_TRUTH = (TRUTH, "distractibility", "target_sensitivity")
"""Scores that come from the redrawing themselves, so that it cannot judge them."""
SIGN = {"higher": 1.0, "lower": -1.0}


@dataclass(frozen=True)
class Judgement:
    """The fraction of `pairs` of maps of one image in which a score prefers the better one; 0.5 is a coin."""

    preferred: Estimate
    pairs: int

    @property
    def better_than_coin(self) -> bool:
        """Whether the whole interval is above one half."""
        return self.preferred.low > 0.5


@dataclass(frozen=True)
class Judged:
    """A score's Judgement over the pairs of all methods, and of those that are better than a random map.

    A few methods that are plainly worse are told from the others easily, and are in many of the pairs.
    """

    all: Judgement
    sound: Judgement


def judged(values: Doubles, truth: Doubles, direction: str) -> Judgement:
    """The Judgement of a score by its values, beside the truth, both (methods, images).

    The higher truth is the better one. A pair that the truth does not order, or that lacks a number, does not
    count; one that the score does not order counts half. The interval draws images as a whole.
    """
    images = values.shape[1] if values.ndim == 2 else 0
    right, count = np.zeros(images), np.zeros(images)
    for one, other in combinations(range(len(values)), 2):
        better = truth[one] - truth[other]
        preferred = SIGN[direction] * (values[one] - values[other])
        known = np.isfinite(better) & np.isfinite(preferred) & (better != 0)
        agrees = np.where(preferred == 0, 0.5, np.sign(preferred) == np.sign(better))
        right[known] += agrees[known]
        count[known] += 1
    return Judgement(ratio_of(right, count), int(count.sum()))


def judgeable(scores: Sequence[str]) -> list[str]:
    """The scores of which one direction is better, without the truth itself."""
    return [name for name in scores if name not in DRAWN_TRUTH and SCORES[name].direction in SIGN]
