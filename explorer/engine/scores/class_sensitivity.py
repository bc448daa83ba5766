"""Class sensitivity: whether the map of another class is another map."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from explorer.engine.scores.forward import logits
from explorer.engine.scores.ranks import correlations_by_chance, spearman
from explorer.engine.scores.score import Score, Scored, Subject
from explorer.engine.values import Doubles, Integers, one_or_many
from model.words import N_


@dataclass(frozen=True, eq=False)
class OtherClass(Scored):
    """The rank correlation of the map with `map`, float64 (h, w), the one for the class `other`, (N,).

    `other` has the highest logit of all classes except the explained one.
    """

    map: Doubles
    other: int | Integers

    ROW: ClassVar[Mapping[str, int]] = {"chance": 1, "value": 0, "map": 2, "other": 0}


def class_sensitivity(subject: Subject) -> OtherClass:
    """The OtherClass of the map."""
    outputs = _logits(subject).copy()
    outputs[np.arange(len(outputs)), subject.target] = -np.inf
    other = outputs.argmax(1)
    maps = subject.explained(subject.net, subject.x, other, np.arange(len(other)))
    pairs = list(zip(subject.values, maps, strict=True))
    value = np.array([spearman(one, another) for one, another in pairs])
    chance = np.stack([correlations_by_chance(one, another, subject.seed) for one, another in pairs])
    return one_or_many(OtherClass(chance, value, maps, other))


def needs_two_classes(subject: Subject) -> str | None:
    """There must be another class."""
    return None if _logits(subject).shape[1] > 1 else NEEDS_TWO_CLASSES


def _logits(subject: Subject) -> Doubles:
    """The logits of the images, (N, K)."""
    return subject.once(("logits",), lambda: np.asarray(logits(subject.net, subject.x).cpu().numpy()))


NEEDS_TWO_CLASSES = N_("Class sensitivity needs another class: choose a network with at least two classes.")

CLASS_SENSITIVITY = Score(
    title=N_("Class sensitivity"),
    summary=N_(
        "Class sensitivity is the rank correlation of the map with the map of the most probable other class."
    ),
    direction="lower",
    chance=N_("Chance is the correlation of that map with this one, mirrored and shifted at random."),
    pitfall=N_(
        "Two classes can depend on the same part of an image, so a high correlation proves nothing wrong; a "
        "method that does not look at the class always has 1."
    ),
    paper="arXiv:1912.09818",
    measure=class_sensitivity,
    below=N_("The map of the other class is less like this one than by chance."),
    within=N_("No similarity of the maps of the two classes can be measured."),
    above=N_("The map of the other class is more like this one than by chance."),
    unmet=needs_two_classes,
    remakes=True,
    in_strip=False,
)
