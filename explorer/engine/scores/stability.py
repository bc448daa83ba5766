"""Stability: how much a map changes when the image changes too little for the prediction to change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from explorer.engine.scores.forward import logits
from explorer.engine.scores.ranks import moved
from explorer.engine.scores.score import Score, Scored, Subject
from explorer.engine.values import Doubles, Integers, one_or_many
from model.words import N_

COPIES = 10
NOISES = (0.05, 0.02, 0.01, 0.005)


@dataclass(frozen=True, eq=False)
class Stability(Scored):
    """The mean over noisy copies of ‖map of the copy − map‖ / ‖map‖, and the largest as `worst`.

    `noise` is the standard deviation of the noise over the range of the image's values, the largest of NOISES
    that leaves the prediction of all `copies` as it is; where none does, the smallest.
    """

    worst: float | Doubles
    noise: float | Doubles
    copies: int | Integers

    ROW: ClassVar[Mapping[str, int]] = {"chance": 1, "value": 0, "worst": 0, "noise": 0, "copies": 0}


def stability(subject: Subject) -> Stability:
    """The Stability of the map, over COPIES noisy images."""
    images = [_stability(subject, index) for index in range(len(subject.x))]
    chance, value, worst, noise, copies = (np.array(each) for each in zip(*images, strict=True))
    return one_or_many(Stability(chance, value, worst, noise, copies))


def _stability(subject: Subject, index: int) -> tuple[Doubles, float, float, float, int]:
    heat = subject.values[index]
    noise, copies = subject.once(("unnoticed", index), lambda: _unnoticed(subject, index))
    changes = np.array([np.nan])
    if len(copies):
        of = np.full(len(copies), index)
        maps = subject.explained(subject.net, copies, subject.target[of], of)
        changes = _changes(maps, heat)
    return _changes(moved(heat, subject.seed), heat), changes.mean(), changes.max(), noise, len(copies)


def _changes(maps: Doubles, heat: Doubles) -> Doubles:
    """‖one − heat‖ / ‖heat‖ of maps (n, h, w), (n,); NaN where heat is all zero."""
    length = np.linalg.norm(heat)
    return np.asarray(np.linalg.norm(maps - heat, axis=(1, 2)) / (length if length else np.nan))


def _unnoticed(subject: Subject, index: int) -> tuple[float, Tensor]:
    """The strength of the noise, and the noisy copies (n, 3, h, w) whose prediction is that of the image."""
    x = subject.x[index]
    generator = torch.Generator().manual_seed(subject.seed)
    noise = torch.randn((COPIES, *x.shape), generator=generator, dtype=x.dtype).to(x.device)
    for strength in NOISES:
        copies = x + strength * (x.max() - x.min()) * noise
        predicted = logits(subject.net, torch.cat([x[None], copies])).argmax(1)
        same = predicted[1:] == predicted[0]
        if bool(same.all()):
            break
    return strength, copies[same]


STABILITY = Score(
    title=N_("Stability"),
    summary=N_(
        "Stability is the relative change of the map under small noise that leaves the prediction as it is, "
        "the mean over 10 noisy copies."
    ),
    direction="lower",
    chance=N_("Chance is the relative change to the same map, mirrored and shifted at random."),
    pitfall=N_(
        "A map that ignores the image is perfectly stable, and where the network itself is unstable a true "
        "map must change."
    ),
    paper="arXiv:2203.06877",
    measure=stability,
    below=N_("Noise that does not change the prediction changes the map less than moving the map would."),
    within=N_("Noise that does not change the prediction changes the map as much as moving the map would."),
    above=N_("Noise that does not change the prediction changes the map more than moving the map would."),
    remakes=True,
    in_strip=False,
)
