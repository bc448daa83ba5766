"""The training images of a logged run, one by one: only where they are on hand and are those that it saw."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from explorer.engine.samples import MAX_SIDE, Sample
from explorer.engine.values import Integers
from model import scenes
from model.batches import limited_rows
from model.card import Pixels
from model.datasets import cifar10_present, list_images, read_cifar10
from model.example_log import ExampleLog, checksum
from model.image_folder import read_image
from model.names import readable, short_path
from model.problems import Problem
from model.recipes import Config, config_from
from model.scene_set import planned
from model.shortcut import planted_marks, with_mark
from model.words import N_, tr
from model.wrong_labels import change_labels, wrong_rows

OTHERS = N_(
    "The training images in {folder} are not those of this run, so its log is shown as indices and numbers; "
    "start the explorer with --data-dir and the folder that it was trained on."
)


@dataclass(frozen=True, eq=False)
class LoggedImages(ABC):
    """The images of a log by their index in it."""

    log: ExampleLog

    def sample(self, index: int) -> Sample:
        """Image `index`, as the run got it before augmentation, with the label that it was trained as.

        Problem where it cannot be read, or has other pixels than in the run.
        """
        pixels, label = self.pixels(index), int(self.log.labels[index])
        if checksum(pixels) != self.log.checksums[index]:
            raise Problem(
                "Training image {index} is not the one of this run: it has other pixels now.", index=index
            )
        return Sample(self.name(index), pixels, label)

    def name(self, index: int) -> str:
        """What an image is called."""
        name = self.log.card.classes[int(self.log.labels[index])]
        return tr("training image {index} ({name})", index=index, name=name)

    @abstractmethod
    def pixels(self, index: int) -> Pixels:
        """The image at `index`, uint8 (s, s, 3). Problem where it cannot be read."""


@dataclass(frozen=True, eq=False)
class LoggedScenes(LoggedImages):
    """Drawn scenes, drawn when asked for; `labels` (before any was changed) and `seeds` are int64 (N,)."""

    labels: Integers
    seeds: Integers
    marks: Integers | None
    size: int

    def pixels(self, index: int) -> Pixels:
        pixels = _drawn(int(self.labels[index]), int(self.seeds[index]), self.size)
        return pixels if self.marks is None else with_mark(pixels, int(self.marks[index]))


@lru_cache(maxsize=64)
def _drawn(label: int, seed: int, size: int) -> Pixels:
    """A scene, which a page asks for again and again; read-only."""
    pixels = scenes.draw(label, seed, size).pixels
    pixels.flags.writeable = False
    return pixels


@dataclass(frozen=True, eq=False)
class LoggedFiles(LoggedImages):
    """A folder of images: `files` are paths below `root`, each decoded when asked for."""

    root: Path
    files: tuple[str, ...]
    size: int

    def name(self, index: int) -> str:
        return readable(self.files[index])

    def pixels(self, index: int) -> Pixels:
        pixels = read_image(str(self.root / self.files[index]), self.size)
        if pixels is None:
            raise Problem("{file} cannot be read as an image.", file=self.name(index))
        return pixels


@dataclass(frozen=True, eq=False)
class LoggedArray(LoggedImages):
    """CIFAR-10's images in memory: `images` uint8 (N, s, s, 3)."""

    images: Pixels

    def pixels(self, index: int) -> Pixels:
        return np.asarray(self.images[index])


def logged_images(log: ExampleLog, data_dir: Path) -> LoggedImages:
    """The images of a log: scenes are drawn again, others come from `data_dir`.

    Problem says in one sentence what is missing.
    """
    try:
        config = config_from(log.card.config)
    except ValueError as error:
        raise Problem("The log does not say which images the run was trained on.") from error
    if config.dataset == "scenes":
        return _scenes(log, config)
    return _cifar10(log, config, data_dir) if config.dataset == "cifar10" else _files(log, config, data_dir)


def wrong_of(log: ExampleLog) -> Integers | None:
    """The images whose labels the run changed on purpose, int64 ascending; None where it changed none."""
    try:
        config = config_from(log.card.config)
    except ValueError:
        return None
    if not config.wrong_labels or config.wrong_labels > 1:
        return None
    return wrong_rows(len(log.labels), config.wrong_labels, config.seed)


def _scenes(log: ExampleLog, config: Config) -> LoggedImages:
    labels, seeds = planned("train")
    rows = limited_rows(len(labels), config.limit, config.seed)
    labels, seeds = labels[rows], seeds[rows]
    marks = None
    if config.shortcut is not None:
        marks = planted_marks(labels, config.shortcut, config.seed)
    if not 16 <= config.size <= MAX_SIDE or not _labels_fit(log, config, labels):
        raise Problem("The scenes that are drawn now are not those of this run, so they cannot be shown.")
    return LoggedScenes(log, labels, seeds, marks, config.size)


def _files(log: ExampleLog, config: Config, data_dir: Path) -> LoggedImages:
    try:
        listing = list_images(data_dir, "train")
    except Problem as problem:
        raise Problem(
            "The training images of this run are not available, so it is shown as indices and numbers; start "
            "the explorer with --data-dir and the folder that it was trained on."
        ) from problem
    rows = limited_rows(len(listing.files), config.limit, config.seed)
    files, labels = zip(*(listing.files[row][:2] for row in rows.tolist()), strict=True)
    same_classes = tuple(map(readable, listing.classes)) == log.card.classes
    if not same_classes or not _labels_fit(log, config, np.array(labels, np.int64)):
        raise Problem(OTHERS, folder=short_path(data_dir))
    return LoggedFiles(log, listing.root, files, config.size)


def _cifar10(log: ExampleLog, config: Config, data_dir: Path) -> LoggedImages:
    if not cifar10_present(data_dir):
        raise Problem(
            "CIFAR-10 is not in {folder}, so this run is shown as indices and numbers; start the explorer "
            "with --data-dir and the folder that has it.",
            folder=short_path(data_dir),
        )
    data = read_cifar10(data_dir, "train", config.size)
    rows = limited_rows(len(data), config.limit, config.seed)
    if not _labels_fit(log, config, data.labels[rows]):
        raise Problem(OTHERS, folder=short_path(data_dir))
    return LoggedArray(log, data.images[rows])


def _labels_fit(log: ExampleLog, config: Config, labels: Integers) -> bool:
    """Whether these labels, with those changed that the run changed, are the log's."""
    if len(labels) != len(log.labels):
        return False
    if config.wrong_labels is not None:
        if len(log.card.classes) < 2 or config.wrong_labels > 1:
            return False
        labels = change_labels(labels, len(log.card.classes), config.wrong_labels, config.seed)
    return np.array_equal(labels, log.labels)
