"""What the Augmentation page shows: draws of one transform, a training batch, and their labels in words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from explorer.drawing.ranges import percent
from explorer.engine.augmented import Draws, TrainingBatch, TrainingImages
from model.recipes import Config


@dataclass(frozen=True, eq=False)
class Row:
    """One transform at a strength: its draws, and the names of the image and of what it is mixed with."""

    name: str
    strength: float
    drawn: Draws
    whose: tuple[str, ...]

    @property
    def mixes(self) -> bool:
        """Whether labels are mixed."""
        return bool(self.drawn.shares.shape[1] > 1)

    @property
    def words(self) -> list[list[str]]:
        """What stands under each draw: what was drawn, or whose label it has where labels mix."""
        if self.mixes:
            return [in_words(shares, self.whose) for shares in self.drawn.shares]
        return [[said] for said in self.drawn.said]


@dataclass(frozen=True, eq=False)
class Batch:
    """A training batch, the images it is drawn from, and the recipe's name with all its settings."""

    recipe: str
    config: Config
    images: TrainingImages
    made: TrainingBatch

    @property
    def classes(self) -> tuple[str, ...]:
        return self.images.data.classes

    @property
    def words(self) -> list[list[str]]:
        """The label under each picture."""
        return [in_words(label, self.classes) for label in self.made.labels]


def in_words(shares: npt.NDArray[np.float32], names: Sequence[str]) -> list[str]:
    """A label in words, the largest part first: one name, or shares; what rounds to 0 % is left out.

    >>> in_words(np.array([0.25, 0.75, 0.0], np.float32), ("cat", "dog", "frog"))
    ['75% dog', '25% cat']
    """
    total: dict[str, float] = {}
    for name, share in zip(names, shares.tolist(), strict=True):
        total[name] = total.get(name, 0.0) + share
    there = sorted((name for name in total if total[name] >= 0.005), key=lambda name: -total[name])
    return there if len(there) == 1 else [f"{percent(total[name], 0)} {name}" for name in there]
