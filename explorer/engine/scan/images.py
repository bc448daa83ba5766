"""The images of a scan: one split of a data set in its own order, or drawn scenes by their seeds."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from explorer.engine.batches import spread
from explorer.engine.samples import (
    ArrayTestSet,
    FolderTestSet,
    FromScene,
    FromTestSet,
    Sample,
    TestSet,
    cifar10_test_set,
    folder_test_set,
    in_classes,
)
from explorer.engine.scoreboard import image_sets
from explorer.engine.scoreboard.image_sets import ImageSet
from model.card import Card
from model.datasets import cifar10_present, list_images, read_cifar10
from model.names import readable, short_path
from model.problems import Problem

DATASETS = ("cifar10", "folder", "scenes")
SPLITS = ("test", "train")
SCENES = 1000
"""How many scenes are drawn, unless another number is asked for."""
SCENES_SEED = 0


@dataclass(frozen=True, eq=False)
class ScanImages:
    """`count` images of a set to scan, with `dataset` one of DATASETS and `split` one of SPLITS."""

    dataset: str
    split: str
    images: ImageSet
    count: int

    @property
    def digest(self) -> str:
        """Tells the whole set from others: the test set's own digest, or that of the scenes."""
        return self.images.digest

    def take(self, number: int) -> Sample:
        """The image with its label among the network's classes. Raises Problem where it cannot be read."""
        return self.images.take(number)


def scan_images(
    dataset: str, card: Card, data_dir: Path, split: str = "test", limit: int | None = None
) -> ScanImages:
    """The images of one of DATASETS for a network; Problem where there are none."""
    if dataset == "scenes" and split == "train":
        raise Problem("Scenes have no training split here: each is drawn anew; leave out --split.")
    if dataset == "scenes":
        return drawn_scenes(card, limit or SCENES)
    return of_test_set({"cifar10": _cifar10, "folder": _folder}[dataset](data_dir, split), card, split, limit)


def drawn_scenes(card: Card, count: int = SCENES) -> ScanImages:
    """Scenes at the network's input size that are in no training or test set, the classes in turn."""
    return ScanImages("scenes", "test", image_sets.scenes(card, SCENES_SEED), count)


def of_test_set(images: TestSet, card: Card, split: str = "test", limit: int | None = None) -> ScanImages:
    """The images of a test set in its order, or `limit` of them, evenly spread."""

    def take(number: int) -> Sample:
        return in_classes(images.sample(number), images.classes, card.classes)

    dataset = "folder" if isinstance(images, FolderTestSet) else "cifar10"
    provenance = f"{split} images of {images.name}"
    in_order = ImageSet(images.name, provenance, len(images), images.digest, take, images.notes())
    whole = ScanImages(dataset, split, in_order, len(images))
    return fewer(whole, limit) if limit else whole


def fewer(images: ScanImages, limit: int) -> ScanImages:
    """At most `limit` of some images, evenly spread: a folder has them sorted by class."""
    numbers = spread(images.count, limit)

    def take(number: int) -> Sample:
        return images.take(numbers[number])

    return replace(images, images=replace(images.images, take=take), count=len(numbers))


def id_of(sample: Sample) -> int:
    """An image's index in its test set, or the seed of a scene."""
    assert isinstance(sample.origin, FromScene | FromTestSet)
    return sample.origin.seed if isinstance(sample.origin, FromScene) else sample.origin.index


def scene_number(seed: int) -> int:
    """The number of a scan's scene among the drawn ones, by its seed."""
    return (seed - image_sets.FRESH) % image_sets.SEEDS


def _cifar10(data_dir: Path, split: str) -> TestSet:
    if not cifar10_present(data_dir):
        raise Problem(
            "CIFAR-10 is not in {folder}: give its folder with --data-dir, or take other images with "
            "--dataset folder or --dataset scenes.",
            folder=short_path(data_dir),
        )
    if split == "test":
        return cifar10_test_set(data_dir)
    data = read_cifar10(data_dir, "train")
    return ArrayTestSet(data.name, data.classes, data.labels, data.images)


def _folder(data_dir: Path, split: str) -> TestSet:
    if split == "test":
        return folder_test_set(data_dir)
    listing = list_images(data_dir, "train")
    labels = np.array([label for _, label, *_ in listing.files], np.int64)
    name, classes = readable(data_dir.resolve().name), tuple(map(readable, listing.classes))
    return FolderTestSet(name, classes, labels, listing.root, tuple(path for path, *_ in listing.files))
