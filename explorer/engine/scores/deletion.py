"""Single deletion: what taking out one patch of the image really changes, beside what the map says of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from explorer.engine.scores.forward import logits
from explorer.engine.scores.ranks import moved, spearman
from explorer.engine.scores.regions import patch_sums, positions
from explorer.engine.scores.removal import REMOVALS
from explorer.engine.scores.score import Score, Scored, Subject
from explorer.engine.values import Doubles, one_or_many
from model.words import N_

PATCHES = 4


@dataclass(frozen=True, eq=False)
class Deletions(Scored):
    """The rank correlation of `sums`, the map's sum over each patch, with `drops`, both float64 (g, g).

    A drop is how much the explained logit (or the difference of two) falls when that patch is removed; a
    negative one is a rise. A map that is the same everywhere ranks nothing: its score is 0.
    """

    sums: Doubles
    drops: Doubles

    ROW: ClassVar[Mapping[str, int]] = {"chance": 1, "value": 0, "sums": 2, "drops": 2}


def deletions(subject: Subject, patches: int = PATCHES, removal: str = "infilled") -> Deletions:
    """The Deletions of a grid of `patches` by `patches`, removed as an entry of REMOVALS says."""
    size = (patches, patches)
    sums = patch_sums(subject.values, size)
    drops = np.stack([_drops_once(subject, index, patches, removal) for index in range(len(sums))])
    value = np.array([_agreement(one, other) for one, other in zip(sums, drops, strict=True)])
    elsewhere = [patch_sums(moved(heat, subject.seed), size) for heat in subject.values]
    chance = [[_agreement(one, of) for one in draws] for draws, of in zip(elsewhere, drops, strict=True)]
    return one_or_many(Deletions(np.array(chance), value, sums, drops))


def _agreement(sums: Doubles, drops: Doubles) -> float:
    return 0.0 if np.ptp(sums) == 0 < np.ptp(drops) else spearman(sums, drops)


def _drops_once(subject: Subject, index: int, patches: int, removal: str) -> Doubles:
    against = None if subject.against is None else int(subject.against[index])
    key = ("drops", index, int(subject.target[index]), against, patches, removal)
    return subject.once(key, lambda: _drops(subject, index, patches, removal))


def _drops(subject: Subject, index: int, patches: int, removal: str) -> Doubles:
    """How much the score of one image falls with each patch removed, (g, g), from one pass."""
    x = subject.x[index]
    patch = torch.from_numpy(positions((x.shape[1], x.shape[2]), (patches, patches)))
    removed = patch == torch.arange(patches**2)[:, None, None]
    images = torch.cat([x[None], REMOVALS[removal].fill(x, removed.to(x.device), subject.seed)])
    score = explained_score(subject, index, logits(subject.net, images))
    return np.asarray((score[0] - score[1:]).reshape(patches, patches).cpu().numpy(), np.float64)


def explained_score(subject: Subject, index: int, outputs: Tensor) -> Tensor:
    """What the map of one image explains, (n,): a logit, less that of another class if there is one."""
    score = outputs[:, subject.target[index]]
    return score if subject.against is None else score - outputs[:, subject.against[index]]


DELETION = Score(
    title=N_("Single deletion"),
    summary=N_(
        "Single deletion removes each of 16 patches in turn and compares the measured drop of the logit with "
        "the map’s sum over that patch, as a rank correlation."
    ),
    direction="higher",
    chance=N_("Chance is the correlation for the same map, mirrored and shifted at random."),
    pitfall=N_(
        "With 16 patches even a map in the wrong place reaches correlations of about ±0.5, and where two "
        "patches show the same evidence, neither is missed when it is removed alone."
    ),
    paper="arXiv:2308.06248",
    measure=deletions,
    below=N_("Patches with more heat matter less to the logit than by chance."),
    within=N_(
        "The map in the wrong place does as well, so this does not show that patches with more heat matter "
        "more."
    ),
    above=N_("Patches with more heat matter more to the logit than by chance."),
)
