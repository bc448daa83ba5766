"""What the Augmentation page shows: draws of one transform, a training batch, and their labels in words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from explorer.drawing.ranges import percent, probability
from explorer.engine.augmented import Draws, TrainingBatch, TrainingImages
from explorer.engine.normalization import ChannelStatistics, DataStatistics, unchanged
from explorer.engine.values import Floats
from explorer.ui.class_names import glossed
from model.card import Pixels
from model.recipes import Config
from model.words import ngettext, tr


@dataclass(frozen=True, eq=False)
class DrawPredictions:
    """The probabilities of the `original` (s, s, 3), `before` (K,), and of its draws, `after` (n, K)."""

    classes: tuple[str, ...]
    original: Pixels
    before: Floats
    after: Floats

    @property
    def changed(self) -> int:
        """How many draws have another prediction than the original."""
        return int((self.after.argmax(1) != self.before.argmax()).sum())

    @property
    def texts(self) -> list[str]:
        """The prediction for each draw, with its probability."""
        return [prediction_text(each, self.classes) for each in self.after]


@dataclass(frozen=True, eq=False)
class TransformRow:
    """One transform at a strength: its draws, the names of the image and of its mixing partners, and what the
    network predicts.
    """

    name: str
    strength: float
    draws: Draws
    names: tuple[str, ...]
    predictions: DrawPredictions

    @property
    def unchanged(self) -> int:
        """How many draws are the image as it was."""
        return unchanged(self.draws.pixels, self.predictions.original)

    @property
    def mixes(self) -> bool:
        """Whether labels are mixed."""
        return bool(self.draws.fractions.shape[1] > 1)

    @property
    def captions(self) -> list[list[str]]:
        """The lines under each draw: its parameters, or its label where labels are mixed."""
        if self.mixes:
            return [label_lines(fractions, self.names) for fractions in self.draws.fractions]
        return [[self.draws.text(index)] for index in range(len(self.draws.pixels))]


@dataclass(frozen=True, eq=False)
class BatchDraw:
    """A training batch, the images it was drawn from, and the recipe's name with all its settings."""

    recipe: str
    config: Config
    images: TrainingImages
    batch: TrainingBatch
    originals: Pixels

    @property
    def classes(self) -> tuple[str, ...]:
        return self.images.data.classes

    @property
    def captions(self) -> list[list[str]]:
        """The label under each image."""
        return [label_lines(label, self.classes) for label in self.batch.labels]


@dataclass(frozen=True, eq=False)
class Received:
    """By channel, the image before and after normalization, and the batch after it; the data's statistics
    from a sample of the training images.
    """

    before: ChannelStatistics
    after: ChannelStatistics
    batch: ChannelStatistics | None
    data: DataStatistics | None


@dataclass(frozen=True, eq=False)
class AugmentationView:
    """All that the page shows: a group of transforms, the seed, a row for each, a batch if it has one, and
    what normalization makes of the pictures.
    """

    group: str
    seed: int
    rows: Sequence[TransformRow]
    batch: BatchDraw | None
    received: Received


def prediction_text(probabilities: Floats, classes: Sequence[str]) -> str:
    """The most probable class, with its probability; a dash where the network gives no number.

    >>> prediction_text(np.array([0.25, 0.75], np.float32), ("cat", "dog"))
    'dog 75%'
    """
    if not np.isfinite(probabilities).all():
        return "–"
    best = int(probabilities.argmax())
    return tr("{name} {percent}", name=glossed(classes[best]), percent=probability(probabilities[best], 0))


def label_lines(fractions: npt.NDArray[np.float32], names: Sequence[str]) -> list[str]:
    """A label in words, the largest part first: one name, or fractions; what rounds to 0% is left out.

    >>> label_lines(np.array([0.25, 0.75, 0.0], np.float32), ("cat", "dog", "frog"))
    ['75% dog', '25% cat']
    """
    total: dict[str, float] = {}
    for name, fraction in zip(names, fractions.tolist(), strict=True):
        total[name] = total.get(name, 0.0) + fraction
    parts = sorted((name for name in total if total[name] >= 0.005), key=lambda name: -total[name])
    if len(parts) == 1:
        return [glossed(parts[0])]
    return [tr("{percent} {name}", percent=percent(total[name], 0), name=glossed(name)) for name in parts]


def source_text(images: TrainingImages) -> str:
    """Which training images these are, in one sentence."""
    count = len(images.data)
    if images.source == "cifar10":
        return ngettext("{n} training image of CIFAR-10.", "{n} training images of CIFAR-10.", count)
    if images.source == "folder":
        folder = images.data.name
        return ngettext(
            "{n} image from {folder}/train.", "{n} images from {folder}/train.", count, folder=folder
        )
    return ngettext(
        "{n} drawn scene, since the data folder has no training images.",
        "{n} drawn scenes, since the data folder has no training images.",
        count,
    )


def augmentation_text(config: Config) -> str:
    """The augmentations of a config as it names them; in words where there are none."""
    return tr("none") if config.augment in ("", "none") else config.augment
