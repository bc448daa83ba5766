"""Plants a shortcut: a small mark near a corner of a drawn scene that tells its class.

There is one mark for each class: one of five colors, at the top left for the first five classes and at the
bottom left for the others. The colors stay apart under the course's color jitter, and a horizontal flip does
not change which mark it is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from model.cifar10 import CLASSES
from model.images import Dataset, Images, Labels, mean_and_std
from model.problems import Problem

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
COLORS = (WHITE, BLACK, (220, 20, 30), (20, 170, 40), (30, 60, 230))  # of classes 0 to 4, then of 5 to 9
MARKS = len(CLASSES)
SMALLEST = 16  # pixels of a scene's side
SPLIT_STREAMS = {"train": 0, "test": 1}


def mark_mask(mark: int, size: int) -> npt.NDArray[np.bool_]:
    """The pixels that a mark covers, bool (size,size): a square of 6 in 32 pixels; errors as `with_mark`."""
    rows, columns = _square(mark, size)
    covered = np.zeros((size, size), np.bool_)
    covered[rows, columns] = True
    return covered


def with_mark(pixels: Images, mark: int) -> Images:
    """A scene with a mark, uint8 (size,size,3): equal to `pixels` outside `mark_mask`.

    Problem for another mark than 0 to 9, or a scene of less than 16 pixels.
    """
    size = len(pixels)
    rows, columns = _square(mark, size)
    color, marked = COLORS[mark % len(COLORS)], pixels.copy()
    rim = max(1, size // 32)
    marked[rows, columns] = BLACK if color == WHITE else WHITE
    marked[rows.start + rim : rows.stop - rim, columns.start + rim : columns.stop - rim] = color
    return marked


def with_marks(images: Images, marks: Labels) -> Images:
    """Scenes uint8 (N,size,size,3), each with its mark of int64 (N,)."""
    return np.stack([with_mark(pixels, int(mark)) for pixels, mark in zip(images, marks, strict=True)])


def planted_marks(labels: Labels, fraction: float, seed: int, split: str = "train") -> Labels:
    """The mark of each scene, int64 (N,): its class's in `fraction` of the scenes, else a random class's.

    Within each class the fraction is exact up to rounding, and of the other scenes equally many, up to one,
    get each of the ten marks, whatever their class: at 0 the marks tell nothing about it.
    """
    rng = np.random.default_rng([seed, SPLIT_STREAMS[split]])
    marks = labels.copy()
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        rest = rows[round(fraction * len(rows)) :]
        marks[rest] = (np.arange(len(rest)) + rng.integers(MARKS)) % MARKS
    return marks


def wrong_marks(labels: Labels, seed: int = 0) -> Labels:
    """For each scene the mark of a class that is not its own, int64 (N,): each of the nine equally often, up
    to one, within a class."""
    rng = np.random.default_rng([seed, len(SPLIT_STREAMS)])
    marks = labels.copy()
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        steps = (np.arange(len(rows)) + rng.integers(MARKS - 1)) % (MARKS - 1) + 1
        marks[rows] = (label + steps) % MARKS
    return marks


def planted(train: Dataset, test: Dataset, fraction: float, seed: int) -> tuple[Dataset, Dataset]:
    """Training and test scenes with marks in the same fraction, drawn from `seed`, normalized anew."""
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    splits = []
    for split, data in (("train", train), ("test", test)):
        images = with_marks(data.images, planted_marks(data.labels, fraction, seed, split))
        if split == "train":
            mean, std = mean_and_std(images)
        provenance = f"{data.provenance} with marks, of their own class in {100 * fraction:g}%"
        splits.append(replace(data, images=images, mean=mean, std=std, provenance=provenance))
    return splits[0], splits[1]


def _square(mark: int, size: int) -> tuple[slice, slice]:
    """Rows and columns of a mark."""
    if not 0 <= mark < MARKS:
        raise Problem("There is no mark {mark}; choose one from 0 to {last}.", mark=mark, last=MARKS - 1)
    if size < SMALLEST:
        raise Problem(
            "Scenes of {size} pixels are too small for a mark; choose {smallest} or more.",
            size=size,
            smallest=SMALLEST,
        )
    side, gap = round(size * 6 / 32), round(size * 2 / 32)
    start = gap if mark < len(COLORS) else size - gap - side
    return slice(start, start + side), slice(gap, gap + side)
