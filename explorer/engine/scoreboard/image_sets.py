"""The images that a scoreboard is measured on: scenes drawn for it, or a test set in random order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from explorer.engine.samples import FromScene, Sample, TestSet, cifar10_test_set, folder_test_set, in_classes
from model import scenes as drawn
from model.card import Card
from model.datasets import cifar10_present
from model.names import short_path
from model.problems import Problem

FRESH = 2**31
"""The first seed of the scenes: those of training and test are below."""
SEEDS = 2**24
"""How many scenes there are for each seed of a scoreboard."""


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images in a fixed order: `take(n)` gives the nth, with the label among the card's classes.

    It raises Problem for an image that cannot be read. `count` is how many there are, `digest` tells these
    images in this order from others, and `notes` is what a person should know of how they were found.
    """

    name: str
    provenance: str
    count: int
    digest: str
    take: Callable[[int], Sample]
    notes: str = ""


def scenes(card: Card, seed: int) -> ImageSet:
    """Scenes at the network's input size that are in no training or test set, the classes in turn."""
    size, first = max(card.input_size, 16), FRESH + seed * SEEDS

    def take(number: int) -> Sample:
        label = number % len(drawn.CLASSES)
        scene = drawn.draw(label, first + number, size)
        origin = FromScene(label, first + number)
        sample = Sample(f"{scene.name} {first + number}", scene.pixels, label, scene.mask, origin)
        return in_classes(sample, drawn.CLASSES, card.classes)

    provenance = f"drawn scenes that are in no training or test set, seeds from {first:,} on"
    return ImageSet("scenes", provenance, SEEDS, _digest("scenes", size, seed, _probe(first)), take)


@cache
def _probe(seed: int) -> str:
    """What a scene looks like as it is drawn now; it is drawn once."""
    return hashlib.sha256(drawn.draw(0, seed, 16).pixels.tobytes()).hexdigest()


def cifar10(card: Card, data_dir: Path, seed: int) -> ImageSet:
    """CIFAR-10's test images from torchvision's files in random order; Problem where they are missing."""
    if not cifar10_present(data_dir):
        raise Problem(
            "CIFAR-10 is not in {folder}: give its folder with --data-dir, or take other images with "
            "--dataset folder or --dataset scenes.",
            folder=short_path(data_dir),
        )
    return _of_test_set(cifar10_test_set(data_dir), card, seed)


def folder(card: Card, data_dir: Path, seed: int) -> ImageSet:
    """The images of data_dir/test/CLASS/ in random order; Problem where there are none."""
    return _of_test_set(folder_test_set(data_dir), card, seed)


def _of_test_set(test_set: TestSet, card: Card, seed: int) -> ImageSet:
    order = np.random.default_rng(seed).permutation(len(test_set))

    def take(number: int) -> Sample:
        return in_classes(test_set.sample(int(order[number])), test_set.classes, card.classes)

    provenance = f"test images of {test_set.name}, in random order"
    digest = _digest(test_set.digest, seed)
    return ImageSet(test_set.name, provenance, len(test_set), digest, take, test_set.notes())


DATASETS = ("scenes", "folder", "cifar10")


def image_set(dataset: str, card: Card, data_dir: Path, seed: int, note: str = "") -> ImageSet:
    """The ImageSet of one of DATASETS; a note is added to its provenance. Raises Problem."""
    if dataset == "scenes":
        images = scenes(card, seed)
    else:
        images = {"folder": folder, "cifar10": cifar10}[dataset](card, data_dir, seed)
    return replace(images, provenance=f"{images.provenance}; {note}") if note else images


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
