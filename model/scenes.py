"""Draws the ten CIFAR-10 classes, each picture with the exact mask of its object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
DEFAULT_SEEDS = {name: 0 for name in CLASSES}


@dataclass(frozen=True, eq=False)
class Scene:
    """A drawn picture: `pixels` uint8 (size,size,3), `mask` bool (size,size) True on the object, class `label`, `name`."""

    pixels: np.ndarray
    mask: np.ndarray
    label: int
    name: str


def draw(label: int, seed: int, size: int = 256) -> Scene:
    """The scene of class `label` that belongs to `seed`, `size` pixels wide and high (16 at least)."""
    if not 0 <= label < len(CLASSES):
        raise ValueError(f"There is no class {label}: choose one from 0 to {len(CLASSES) - 1}.")
    if size < 16:
        raise ValueError(f"A scene of {size} pixels is too small to draw: ask for 16 or more.")
    rng = np.random.default_rng([seed, label])
    wide = size * 2
    back = Image.new("RGB", (wide, wide), tuple(int(v) for v in rng.integers(120, 230, 3)))
    ImageDraw.Draw(back).rectangle((0, wide * 0.6, wide, wide), fill=tuple(int(v) for v in rng.integers(60, 140, 3)))
    shape = Image.new("L", (wide, wide))
    _SHAPES[label % 2](ImageDraw.Draw(shape), wide)
    back.paste(tuple(int(v) for v in rng.integers(0, 255, 3)), mask=shape)
    pixels = np.asarray(back.reduce(2))
    return Scene(pixels, np.asarray(shape.reduce(2)) > 0, label, CLASSES[label])


def _ellipse(pen: ImageDraw.ImageDraw, wide: int) -> None:
    pen.ellipse((wide * 0.15, wide * 0.3, wide * 0.85, wide * 0.75), fill=255)


def _box(pen: ImageDraw.ImageDraw, wide: int) -> None:
    pen.rectangle((wide * 0.15, wide * 0.3, wide * 0.85, wide * 0.75), fill=255)


_SHAPES: tuple[Callable[[ImageDraw.ImageDraw, int], None], ...] = (_ellipse, _box)


def samples() -> tuple[Scene, ...]:
    """The ten built-in sample images, one of each class."""
    return tuple(draw(label, DEFAULT_SEEDS[name]) for label, name in enumerate(CLASSES))


def dataset(count: int, seed: int, size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """`count` scenes, balanced and shuffled: images uint8 (count,size,size,3), labels int64 (count,)."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count, dtype=np.int64) % len(CLASSES))
    seeds = rng.integers(0, 2**31, count)
    images = np.empty((count, size, size, 3), np.uint8)
    for i, (label, own) in enumerate(zip(labels, seeds, strict=True)):
        images[i] = draw(int(label), int(own), size).pixels
    return images, labels
