"""The scores that most papers report, with a baseline in the place of what is removed: which one decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from explorer.engine.scores.deletion import explained_score
from explorer.engine.scores.forward import logits
from explorer.engine.scores.ordering import STEPS, curves_of, orders_of, steps_of
from explorer.engine.scores.ranks import moved
from explorer.engine.scores.regions import means
from explorer.engine.scores.score import Scored, Subject
from explorer.engine.values import Doubles, one_or_many
from model.words import N_

SQUARES = 32
SIDES = (0.125, 0.5)  # of the image's, the least and the largest side of a square

DELETION, INSERTION, INFIDELITY = "deletion", "insertion", "infidelity"
TITLES = {DELETION: N_("Deletion"), INSERTION: N_("Insertion"), INFIDELITY: N_("Infidelity")}
LOWER_IS_BETTER = {DELETION: True, INSERTION: False, INFIDELITY: True}
SUMMARIES = {
    DELETION: N_(
        "Deletion replaces the image by the baseline, most heat first, and takes the area under the "
        "probability."
    ),
    INSERTION: N_(
        "Insertion begins with the baseline and puts the image back, most heat first, and takes the area "
        "under the probability."
    ),
    INFIDELITY: N_(
        "Infidelity replaces random squares by the baseline and compares the drops of the logit with the "
        "map’s sums, scaled to fit best: the fraction of the squared drops that is left."
    ),
}


@dataclass(frozen=True, eq=False)
class RemovalCurve(Scored):
    """The area under `curve`, the probability over `fractions` of the image, float64 (S + 1,) both."""

    fractions: Doubles
    curve: Doubles

    ROW: ClassVar[Mapping[str, int]] = {"chance": 1, "value": 0, "fractions": 1, "curve": 1}


def classic(subject: Subject, baseline: Tensor, steps: int = STEPS) -> dict[str, Scored]:
    """DELETION, INSERTION (arXiv:1806.07421) and INFIDELITY (arXiv:1901.09392) of the maps.

    The baseline is one image for each, float (N, 3, h, w). The chance of each is that of the map in the wrong
    place.
    """
    images = [_curves(subject, index, baseline[index], steps) for index in range(len(subject.x))]
    deletion, insertion, fractions = (np.stack(each) for each in zip(*images, strict=True))
    rest = np.stack([_infidelity(subject, index, baseline[index]) for index in range(len(subject.x))])
    return {
        DELETION: _curve(fractions, deletion),
        INSERTION: _curve(1 - fractions[:, ::-1], insertion),
        INFIDELITY: one_or_many(Scored(rest[:, 1:], rest[:, 0])),
    }


def _curve(fractions: Doubles, curves: Doubles) -> RemovalCurve:
    """Of curves (N, 1 + draws, S + 1) the first, beside the areas of the others."""
    areas = np.asarray(np.trapezoid(curves, fractions[:, None], axis=2))
    return one_or_many(RemovalCurve(areas[:, 1:], areas[:, 0], fractions, curves[:, 0]))


def _curves(subject: Subject, index: int, baseline: Tensor, steps: int) -> tuple[Doubles, Doubles, Doubles]:
    """Deletion and insertion of one map and of its moved copies, (1 + draws, S + 1), over the fractions.

    What is inserted most first is what is left when the least is deleted first.
    """

    def fill(x: Tensor, removed: Tensor, seed: int) -> Tensor:
        return torch.where(removed[:, None], baseline, x)

    heat = subject.values[index]
    counts = steps_of(heat.size, steps)
    curves = curves_of(subject, index, orders_of(heat, subject.seed), counts, fill)
    return curves[::2], curves[1::2, ::-1], counts / heat.size


def squares(size: tuple[int, int], seed: int, count: int = SQUARES) -> npt.NDArray[np.bool_]:
    """Random squares, bool (count, h, w), True inside."""
    random = np.random.default_rng(seed)
    side = np.round(random.uniform(*SIDES, count) * min(size)).astype(int).clip(1)
    inside = np.ones((count, *size), bool)
    for axis, length in enumerate(size, start=1):
        start = (random.random(count) * (length - side + 1)).astype(int)
        at = np.arange(length).reshape((1, -1, 1) if axis == 1 else (1, 1, -1))
        inside &= (at >= start[:, None, None]) & (at < (start + side)[:, None, None])
    return inside


def _infidelity(subject: Subject, index: int, baseline: Tensor) -> Doubles:
    """That of one map, and of its moved copies, (1 + draws,)."""
    x, heat = subject.x[index], subject.values[index]
    removed = squares((x.shape[1], x.shape[2]), subject.seed)
    images = torch.where(torch.from_numpy(removed)[:, None].to(x.device), baseline, x)
    scores = explained_score(subject, index, logits(subject.net, torch.cat([x[None], images])))
    drops = (scores[0] - scores[1:]).cpu().numpy()
    covered = means(removed.astype(np.float64), (heat.shape[0], heat.shape[1]))
    maps = np.concatenate([heat[None], moved(heat, subject.seed)])
    return infidelity(np.tensordot(maps, covered, ([1, 2], [1, 2])), drops)


def infidelity(sums: Doubles, drops: Doubles) -> Doubles:
    """The fraction of the squared drops (n,) that sums (…, n), each scaled to fit best, leave unexplained."""
    total, size = np.square(drops).sum(), np.square(sums).sum(-1)
    scale = (sums * drops).sum(-1) / np.where(size > 0, size, 1)
    left = np.square(scale[..., None] * sums - drops).sum(-1)
    return np.asarray(left / (total if total > 0 else np.nan))
