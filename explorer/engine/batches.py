"""A batch of images, always the same ones: from a test set or drawn scenes."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from explorer.engine.network import Input
from explorer.engine.samples import Sample, TestSet, in_classes
from explorer.engine.values import Value
from model import scenes
from model.card import Card, Pixels
from model.problems import Problem

COUNTS = (2, 4, 8, 16, 32, 64, 128, 256)
OFFERED = 5
MOST_PIXELS = 16 * 224 * 224  # of all images of a batch together, so that memory stays bounded
SCENES_SEED = 20_000_001  # of scenes that no training has drawn


@dataclass(frozen=True, eq=False)
class Batch(Value):
    """N images as the network gets them: `pixels` uint8 (N, s, s, 3), `labels` int64 (N,), -1 for none.

    `names` say which image each is. `inputs` float32 (N, 3, s, s) are the same, normalized by the card.
    """

    pixels: Pixels
    labels: npt.NDArray[np.int64]
    inputs: npt.NDArray[np.float32]
    names: tuple[str, ...]

    @property
    def x(self) -> Tensor:
        """The inputs as a tensor over the same memory; not to be written to."""
        return torch.from_numpy(self.inputs)

    @cached_property
    def input(self) -> Input:
        """The inputs as a value that names itself."""
        return Input(self.x)


def counts(card: Card) -> tuple[int, ...]:
    """How many images a batch may have for a network, ascending: fewer where each is large, two at least."""
    fitting = [count for count in COUNTS if count * card.input_size**2 <= MOST_PIXELS]
    return tuple(fitting[-OFFERED:]) or COUNTS[:1]


def spread(available: int, wanted: int) -> list[int]:
    """At most `wanted` different indices below `available`, evenly spread, ascending.

    >>> spread(10, 4), spread(3, 4)
    ([0, 2, 5, 7], [0, 1, 2])
    """
    count = min(available, wanted)
    return [step * available // count for step in range(count)]


def from_test_set(images: TestSet, wanted: int, card: Card, fit: str = "crop") -> Batch:
    """At most `wanted` test images, evenly spread, fitted as by `card.framed`; unreadable ones are left out.

    Raises Problem when none can be read.
    """
    samples = list(_readable(images, spread(len(images), wanted)))
    if not samples:
        raise Problem("None of the test images can be read: choose drawn scenes, or another folder.")
    return _batch([in_classes(sample, images.classes, card.classes) for sample in samples], card, fit)


def _readable(images: TestSet, indices: list[int]) -> Iterator[Sample]:
    for index in indices:
        try:
            yield images.sample(index)
        except Problem:
            continue


def from_scenes(wanted: int, card: Card) -> Batch:
    """`wanted` drawn scenes of the ten classes, balanced, at the network's size (16 pixels at least)."""
    images, labels = scenes.dataset(wanted, SCENES_SEED, max(card.input_size, 16))
    samples = [
        Sample(f"scene {index} of seed {SCENES_SEED}", pixels, int(label))
        for index, (pixels, label) in enumerate(zip(images, labels, strict=True))
    ]
    return _batch([in_classes(sample, scenes.CLASSES, card.classes) for sample in samples], card)


def _batch(samples: list[Sample], card: Card, fit: str = "crop") -> Batch:
    pixels = np.stack([card.framed(sample.pixels, fit) for sample in samples])
    labels = np.array([-1 if sample.label is None else sample.label for sample in samples], np.int64)
    inputs = card.to_inputs(pixels).numpy()
    return Batch(pixels, labels, inputs, tuple(sample.name for sample in samples))
