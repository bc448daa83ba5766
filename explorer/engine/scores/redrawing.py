"""Truth by redrawing: what a map says of each part of a drawn object, beside what that part really does.

The protocol is FunnyBirds' (arXiv:2308.06248), as far as scenes allow it: their classes are not made of a
fixed set of parts.

- Single deletion: `redrawing`. As there, Spearman's rank correlation of the map's sum over each part with the
  fall of the logit without it. It is not moved from −1 … 1 to 0 … 1, and parts may contain others, as a head
  its ears.
- Distractibility: `distractibility`. There a threshold for each method says which parts its map calls
  important; here all pairs of what matters and what does not are compared, without a threshold. What matters
  is measured by the largest change, not by the logit, whose zero means nothing in front of a softmax.
- Target sensitivity: `target_sensitivity`. There each of two classes shares known parts with the image; here
  the measured effects say to which of two classes a part matters more.
- Background independence is a property of the network, not of a map: `Redrawing.depends_on_background`. There
  single things of the background are taken out, here all of it becomes gray.
- The controlled synthetic data check needs classes of which it is known which parts suffice; scenes have none
  such. `PartTruth.strongest` stands in: whether the part with the largest effect also has the highest sum.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from explorer.engine.redrawing import MATTERS, OBJECT, Redrawing
from explorer.engine.scores.ranks import moved, spearman
from explorer.engine.scores.regions import means
from explorer.engine.scores.score import Masks, Score, Scored, Subject
from explorer.engine.values import Doubles, one_or_many
from model.words import N_

Regions = npt.NDArray[np.bool_]
PartTruthFields = tuple[Doubles, float, float, float, float]

SAME_MAPS = N_("The maps of the two classes are the same.")
ROUNDING = 1e-6  # of the largest value of float32 maps: less is no difference
LEAST_PARTS = 3  # of an object, below which every order is likely by chance


@dataclass(frozen=True, eq=False)
class PartTruth(Scored):
    """The rank correlation of the map's sums over the object's parts with their effects.

    `strongest` is 1 where the part with the largest effect has the highest sum, 0 where not, a fraction where
    several share it; `strongest_chance` is 1 / the number of parts, what a part chosen at random gives, and
    `strongest_moved` what the map in the wrong place gives: a large part has the highest sum of many maps.
    """

    strongest: float | Doubles
    strongest_chance: float | Doubles
    strongest_moved: float | Doubles

    ROW: ClassVar[Mapping[str, int]] = {
        "chance": 1, "value": 0, "strongest": 0, "strongest_chance": 0, "strongest_moved": 0
    }  # fmt: skip


@dataclass(frozen=True, eq=False)
class TwoMaps(Scored):
    """A score of how the maps of two classes differ; `same` where they do not."""

    same: bool | Masks

    ROW: ClassVar[Mapping[str, int]] = {"chance": 1, "value": 0, "same": 0}

    @property
    def no_verdict(self) -> str | None:
        return SAME_MAPS if self.same else super().no_verdict


def part_sums(heat: Doubles, masks: Regions) -> Doubles:
    """Maps (…, h, w) summed over masks (P, H, W) of the whole image, (…, P).

    Of a position on the edge of a mask the covered fraction counts. Rounded to nine digits of the largest, so
    that equal sums are equal whatever order they were added in.
    """
    covered = means(masks.astype(np.float64), (heat.shape[-2], heat.shape[-1]))
    summed = np.tensordot(heat, covered, ([-2, -1], [1, 2]))
    unit = np.abs(summed).max(initial=0) * 1e-9 or 1.0
    return np.asarray(np.round(summed / unit) * unit)


def redrawing(subject: Subject) -> PartTruth:
    """The PartTruth of the map; ValueError without redrawings."""
    images = [_part_truth(*each, subject.seed) for each in _images(subject)]
    return one_or_many(PartTruth(*(np.array(each) for each in zip(*images, strict=True))))


def _part_truth(heat: Doubles, drawn: Redrawing, effects: Doubles, seed: int) -> PartTruthFields:
    own = drawn.own_parts
    effects, masks = effects[own], drawn.masks[own]
    sums = part_sums(heat, masks)
    elsewhere = part_sums(moved(heat, seed), masks)
    chance = np.array([agreement(each, effects) for each in elsewhere])
    if not len(own):
        return chance, agreement(sums, effects), np.nan, np.nan, np.nan
    found = float(np.mean([_finds_strongest(each, effects) for each in elsewhere]))
    return chance, agreement(sums, effects), _finds_strongest(sums, effects), 1 / len(own), found


def _finds_strongest(sums: Doubles, effects: Doubles) -> float:
    """1 where the part with the largest effect has the highest sum, a fraction where several share it."""
    return float((effects == effects.max())[sums == sums.max()].mean())


def agreement(sums: Doubles, effects: Doubles) -> float:
    """The rank correlation over parts; 0 for equal sums, NaN for equal effects or too few parts."""
    if len(effects) < LEAST_PARTS:
        return np.nan
    return 0.0 if np.ptp(sums) == 0 < np.ptp(effects) else spearman(sums, effects)


def distractibility(subject: Subject) -> Scored:
    """The fraction of pairs of what matters and what does not, where the former has the higher sum.

    What matters lowers the explained logit by at least 5% of the largest change. The object's parts and the
    background are compared. NaN where all of them matter, or none.
    """
    rows = np.stack([_ordered_pairs(*each, subject.seed) for each in _images(subject)])
    return one_or_many(Scored(rows[:, 1:], rows[:, 0]))


def _ordered_pairs(heat: Doubles, drawn: Redrawing, effects: Doubles, seed: int) -> Doubles:
    """The fraction for the map, and for each of its moved copies."""
    chosen = np.flatnonzero([name != OBJECT for name in drawn.parts])
    effects, masks = effects[chosen], drawn.masks[chosen]
    matters = effects >= MATTERS * np.abs(effects).max()
    sums = _with_chance(heat, masks, seed)
    above = sums[:, matters, None] - sums[:, None, ~matters]
    count = above[0].size or np.nan
    return np.asarray(((above > 0) + (above == 0) / 2).sum((1, 2)) / count)


def target_sensitivity(subject: Subject) -> TwoMaps:
    """The fraction of parts whose sums in this map and in the runner-up's differ as their effects do.

    The runner-up has the highest logit of all classes except the explained one. A part should have the
    higher sum in the map of the class whose logit falls more without it; parts for which the two falls differ
    by less than 5% of the largest difference do not count.
    """
    drawings = _drawings(subject)
    others = np.array([_runner_up(*each) for each in zip(drawings, subject.target, strict=True)], np.int64)
    maps = subject.explained(subject.net, subject.x, others, np.arange(len(others)))
    differences = subject.values - maps
    same = np.abs(differences).max((1, 2)) <= ROUNDING * np.abs(subject.values).max((1, 2))
    differences[same] = 0
    images = [
        _equal_signs(heat, drawn, drawn.effects(int(target), int(other)), subject.seed)
        for heat, drawn, target, other in zip(differences, drawings, subject.target, others, strict=True)
    ]
    rows = np.stack(images)
    return one_or_many(TwoMaps(rows[:, 1:], rows[:, 0], same))


def _runner_up(drawn: Redrawing, target: int) -> int:
    return next(int(label) for label in np.argsort(-drawn.logits, kind="stable") if label != target)


def _equal_signs(heat: Doubles, drawn: Redrawing, effects: Doubles, seed: int) -> Doubles:
    """The fraction for the map, and for each of its moved copies."""
    own = drawn.own_parts
    counted = own[np.abs(effects[own]) >= MATTERS * np.abs(effects[own]).max(initial=1e-12)]
    signs = np.sign(_with_chance(heat, drawn.masks[counted], seed))
    equal = (signs == np.sign(effects[counted])) + (signs == 0) / 2
    return np.asarray(equal.sum(1) / (len(counted) or np.nan))


def _with_chance(heat: Doubles, masks: Regions, seed: int) -> Doubles:
    """The sums of the map, and those of its moved copies, (1 + draws, P)."""
    return part_sums(np.concatenate([heat[None], moved(heat, seed)]), masks)


def _images(subject: Subject) -> Iterator[tuple[Doubles, Redrawing, Doubles]]:
    """Each map with its redrawing and the effects of everything that is left out there."""
    against = [None] * len(subject.x) if subject.against is None else subject.against.tolist()
    classes = zip(subject.target.tolist(), against, strict=True)
    for heat, drawn, each in zip(subject.values, _drawings(subject), classes, strict=True):
        yield heat, drawn, drawn.effects(*each)


def _drawings(subject: Subject) -> tuple[Redrawing, ...]:
    if len(subject.redrawings) != len(subject.x):
        raise ValueError("This score needs one redrawing per image.")
    return subject.redrawings


def needs_redrawings(subject: Subject) -> str | None:
    """Every image must be a drawn scene."""
    return None if len(subject.redrawings) == len(subject.x) else NEEDS_REDRAWINGS


def needs_redrawings_of_two_classes(subject: Subject) -> str | None:
    """Every image must be a drawn scene, and there must be another class."""
    reason = needs_redrawings(subject)
    if reason is None and any(len(drawn.logits) < 2 for drawn in subject.redrawings):
        return NEEDS_TWO_CLASSES
    return reason


NEEDS_REDRAWINGS = N_(
    "Only a drawn scene can be drawn again without a part: choose a built-in scene, or one by its seed."
)
NEEDS_TWO_CLASSES = N_("Target sensitivity needs another class: choose a network with at least two classes.")

REDRAWING = Score(
    title=N_("Redrawing"),
    summary=N_(
        "Redrawing draws the scene again without each part of the object and compares the measured drop of "
        "the logit with the map’s sum over that part, as a rank correlation."
    ),
    direction="higher",
    chance=N_("Chance is the correlation for the same map, mirrored and shifted at random."),
    pitfall=N_(
        "An object has only three to seven parts, so one scene says little: large parts matter more, and the "
        "plain area of each part does better than many maps."
    ),
    paper="arXiv:2308.06248",
    measure=redrawing,
    below=N_("Parts with more heat matter less to the logit than by chance."),
    within=N_(
        "The map in the wrong place does as well: this scene does not show that its order of parts is true."
    ),
    above=N_("Parts with more heat matter more to the logit than by chance."),
    unmet=needs_redrawings,
)

DISTRACTIBILITY = Score(
    title=N_("Distractibility"),
    summary=N_(
        "Distractibility compares each part, or the background, that matters to the logit with each that "
        "does not, and counts how often the map has more on the one that matters."
    ),
    direction="higher",
    chance=N_("Chance is the fraction for the same map, mirrored and shifted at random."),
    pitfall=N_(
        "What matters is what lowers the logit by at least 5% of the largest change, and the background, "
        "which is large, has a high sum in every map that is nowhere negative."
    ),
    paper="arXiv:2308.06248",
    measure=distractibility,
    below=N_("What does not matter has more heat than by chance."),
    within=N_("The map in the wrong place separates what matters from what does not equally well."),
    above=N_("The map separates what matters from what does not better than by chance."),
    unmet=needs_redrawings,
)

TARGET_SENSITIVITY = Score(
    title=N_("Target sensitivity"),
    summary=N_(
        "Target sensitivity is the fraction of parts that have more in the map of that one of two classes, "
        "this one and the most probable other, to which they matter more."
    ),
    direction="higher",
    chance=N_("Chance is the fraction for the difference of the two maps, mirrored and shifted at random."),
    pitfall=N_(
        "The two maps are compared as they are: a method whose maps have another scale for each class fails "
        "although it may point at the right parts."
    ),
    paper="arXiv:2308.06248",
    measure=target_sensitivity,
    below=N_("Which of two classes a part belongs to is shown less well than by chance."),
    within=N_("Nothing is shown: maps of two classes in the wrong place reach such a value too."),
    above=N_("The maps of two classes show to which of them a part matters more, better than by chance."),
    unmet=needs_redrawings_of_two_classes,
    remakes=True,
)
