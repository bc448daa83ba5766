"""Known truth: how much of a map lies inside the object, where a mask says where the object is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from explorer.engine.scores.ranks import moved
from explorer.engine.scores.regions import means
from explorer.engine.scores.score import Score, Scored, Subject
from explorer.engine.values import Doubles, Integers, one_or_many
from model.words import N_


@dataclass(frozen=True, eq=False)
class InsideObject(Scored):
    """The fraction of the positive heat inside the object over the object's fraction of the image, `area`.

    1 is an even map, 1 / `area` the most there can be. `pointing` is 1 where the position of the highest
    value has its center inside the object, 0 where not, the mean where several share it; `pointing_chance`
    is the fraction of all positions whose center is inside.
    """

    area: float | Doubles
    pointing: float | Doubles
    pointing_chance: float | Doubles

    ROW: ClassVar[Mapping[str, int]] = {
        "chance": 1, "value": 0, "area": 0, "pointing": 0, "pointing_chance": 0
    }  # fmt: skip


def inside_object(subject: Subject) -> InsideObject:
    """The InsideObject of the map; ValueError without a mask."""
    pairs = zip(subject.values, subject.masks, strict=True)
    images = [_inside(heat, mask.astype(np.float64), subject.seed) for heat, mask in pairs]
    return one_or_many(InsideObject(*(np.array(each) for each in zip(*images, strict=True))))


def _inside(heat: Doubles, mask: Doubles, seed: int) -> tuple[Doubles, float, float, float, float]:
    shape = (heat.shape[0], heat.shape[1])
    area, fractions = float(mask.mean()), means(mask, shape)
    centers = mask[_centers(mask.shape[0], shape[0])[:, None], _centers(mask.shape[1], shape[1])]
    hits = centers[heat == heat.max()]
    chance = _energy(moved(heat, seed), fractions, area)
    return chance, float(_energy(heat, fractions, area)), area, hits.mean(), centers.mean()


def _centers(pixels: int, count: int) -> Integers:
    """The pixel at the center of each of `count` equal parts of a row."""
    return np.asarray(((np.arange(count) + 0.5) * pixels / count).astype(np.int64))


def _energy(heat: Doubles, fractions: Doubles, area: float) -> Doubles:
    """Positive heat (…, h, w) inside over all of it, over the area; NaN where one of them is 0."""
    positive = np.maximum(heat, 0)
    total = positive.sum((-2, -1)) * area
    return np.asarray((positive * fractions).sum((-2, -1)) / np.where(total > 0, total, np.nan))


def needs_a_mask(subject: Subject) -> str | None:
    """It must be known where the object is."""
    return None if subject.mask is not None and subject.masks.any((1, 2)).all() else NEEDS_A_MASK


NEEDS_A_MASK = N_("Heat inside the object needs a mask of the object: choose a drawn scene.")

INSIDE_OBJECT = Score(
    title=N_("Heat inside the object"),
    summary=N_(
        "Heat inside the object is the fraction of the positive heat that lies on the object, divided by the "
        "object’s fraction of the image, so that an even map has 1."
    ),
    direction="higher",
    chance=N_("Chance is the same map, mirrored and shifted at random."),
    pitfall=N_(
        "Objects are mostly in the middle, so a spot in the middle beats chance, and a network that uses the "
        "background has a true map with a low score."
    ),
    paper="arXiv:1608.00507",
    measure=inside_object,
    below=N_("Less heat is on the object than by chance."),
    within=N_("The map in the wrong place has as much heat on the object."),
    above=N_("More heat is on the object than by chance."),
    unmet=needs_a_mask,
    in_strip=False,
)
