"""Findings: what the values of a map give away by themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from explorer.engine.scores.ranks import moved
from explorer.engine.scores.score import Masks, Score, Scored, Subject
from explorer.engine.values import Doubles, one_or_many
from model.words import N_


@dataclass(frozen=True, eq=False)
class Findings(Scored):
    """The fraction of the absolute heat in the outermost positions over their fraction of the map; 1 is even.

    `negative` is the fraction of the absolute heat below zero, which a ReLU cuts off; `tied`, the fraction of
    positions that share their value with another; `all_zero`, whether nothing but zero is in the map.
    """

    negative: float | Doubles
    tied: float | Doubles
    all_zero: bool | Masks

    ROW: ClassVar[Mapping[str, int]] = {"chance": 1, "value": 0, "negative": 0, "tied": 0, "all_zero": 0}


def findings(subject: Subject) -> Findings:
    """The Findings of the map."""
    images = [_findings(heat, subject.seed) for heat in subject.values]
    return one_or_many(Findings(*(np.array(each) for each in zip(*images, strict=True))))


def _findings(heat: Doubles, seed: int) -> tuple[Doubles, float, float, float, bool]:
    size = np.abs(heat)
    negative = size[heat < 0].sum() / size.sum() if size.any() else 0.0
    _, inverse, counts = np.unique(heat, return_inverse=True, return_counts=True)
    tied = float((counts[inverse] > 1).mean())
    return _at_border(moved(size, seed)), float(_at_border(size)), negative, tied, not size.any()


def _at_border(size: Doubles) -> Doubles:
    """Heat (…, h, w) in the outermost positions over all of it, over their fraction of the map."""
    border = np.ones(size.shape[-2:], bool)
    border[1:-1, 1:-1] = False
    total = size.sum((-2, -1)) * border.mean()
    return np.asarray((size * border).sum((-2, -1)) / np.where(total > 0, total, np.nan))


FINDINGS = Score(
    title=N_("Heat at the border"),
    summary=N_(
        "Heat at the border is the fraction of the heat in the outermost positions, where the padding is, "
        "divided by their fraction of the map, so that an even map has 1; it is also said how much of the "
        "map is negative, tied or zero."
    ),
    direction="none",
    chance=N_("Chance is the heat at the border of the same map, mirrored and shifted at random."),
    pitfall=N_(
        "An object that reaches the border puts heat there too, and a small map is mostly border: look at "
        "the image before blaming the padding."
    ),
    paper="arXiv:2010.02178",
    measure=findings,
    below=N_("Less heat is at the border than by chance."),
    within=N_("The heat at the border is no more than by chance."),
    above=N_("More heat is at the border than by chance: check whether the padding is the reason."),
)
