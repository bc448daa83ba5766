"""Draws the ten CIFAR-10 classes, each picture with the exact mask of its object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.cifar10 import CLASSES as CLASSES  # what labels mean, for whoever draws
from model.drawn import aircraft, cars, cats, dogs, hoofed, ships, small_animals, trucks
from model.drawn.bodies import Subject
from model.drawn.brushes import Array, blob, grid, noise, out_of_focus
from model.drawn.landscape import Place
from model.drawn.painting import paint
from model.drawn.places import PLACES
from model.drawn.solids import Layer, View, extent, fitted
from model.problems import Problem

DEFAULT_SEEDS = {
    "airplane": 139,
    "automobile": 148,
    "bird": 126,
    "cat": 115,
    "deer": 149,
    "dog": 80,
    "frog": 41,
    "horse": 143,
    "ship": 94,
    "truck": 32,
}
SUBJECTS: dict[str, Callable[[np.random.Generator], Subject]] = {
    "airplane": aircraft.airplane,
    "automobile": cars.automobile,
    "bird": small_animals.bird,
    "cat": cats.cat,
    "deer": hoofed.deer,
    "dog": dogs.dog,
    "frog": small_animals.frog,
    "horse": hoofed.horse,
    "ship": ships.ship,
    "truck": trucks.truck,
}


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture: `pixels` uint8 (size,size,3), `mask` bool (size,size) True on the object, class and name."""

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    label: int
    name: str


def draw(label: int, seed: int, size: int = 256) -> Scene:
    """The scene of class `label` (0–9) that belongs to `seed`, `size` pixels wide and high (16 or more).

    The mask is True wherever the object shows, be it on part of a pixel.
    Problem for another label or size.
    """
    pixels, cover = _drawn(label, seed, size, True)
    return Scene(pixels, cover > 0, label, CLASSES[label])


def backdrop(label: int, seed: int, size: int = 256) -> NDArray[np.uint8]:
    """The scene without its object (its shadow stays): uint8 (size,size,3), equal to it outside the mask."""
    return _drawn(label, seed, size, False)[0]


def samples() -> tuple[Scene, ...]:
    """The ten built-in sample images, one of each class."""
    return tuple(draw(label, DEFAULT_SEEDS[name]) for label, name in enumerate(CLASSES))


def dataset(
    count: int, seed: int, size: int = 32, progress: Callable[[int], object] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """`count` scenes, balanced and shuffled: images uint8 (count,size,size,3) and labels int64 (count,).

    `progress` is called with the number of finished images after each.
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count, dtype=np.int64) % len(CLASSES))
    seeds = rng.integers(0, 2**31, count)
    images = np.empty((count, size, size, 3), np.uint8)
    for i in range(count):
        images[i] = _drawn(int(labels[i]), int(seeds[i]), size, True)[0]
        if progress is not None:
            progress(i + 1)
    return images, labels


# ---------------------------------------------------------------- composing


def _drawn(label: int, seed: int, size: int, with_object: bool) -> tuple[NDArray[np.uint8], Array]:
    """The finished picture and how far the object covers each pixel."""
    if not 0 <= label < len(CLASSES):
        last = len(CLASSES) - 1
        raise Problem("There is no class {label}; choose one from 0 to {last}.", label=label, last=last)
    if size < 16:
        raise Problem("Scenes of {size} pixels are too small to draw; choose 16 or more.", size=size)
    rng = np.random.default_rng([seed, label])
    wide = size * 2 if size > 48 else size * 3 // 2
    subject = SUBJECTS[CLASSES[label]](rng)
    view = fitted(subject.parts, subject.turn, subject.width, subject.height, subject.center, subject.near)
    bounds = extent(subject.parts, view)
    place = PLACES[subject.places[rng.integers(len(subject.places))]](
        rng, wide, _foot(subject, view, bounds[3])
    )
    behind = out_of_focus(_shadowed(place, subject.ground, bounds), place.blur)
    grade = _grading(rng, wide)
    layer = (
        _clipped(paint(subject.parts, view, place.light, wide, rng), place)
        if with_object
        else Layer.empty(wide)
    )
    picture = layer.pixels + behind * (1 - layer.cover[..., None])
    return _finished(picture * grade, size), _reduced(layer.cover, size)


def _foot(subject: Subject, view: View, bottom: float) -> float:
    """The height at which the object touches its place: its lowest point unless it says where."""
    return bottom if subject.feet is None else float(view.project(np.array(subject.feet))[1])


def _clipped(layer: Layer, place: Place) -> Layer:
    """What grass, water or leaves in front leave of the object."""
    if place.front is None:
        return layer
    rest = np.where(place.front > 0.98, 0, 1 - place.front).astype(np.float32)
    return Layer(layer.pixels * rest[..., None], layer.cover * rest, layer.depth)


def _shadowed(place: Place, ground: str, bounds: tuple[float, float, float, float]) -> Array:
    """The background under the object's shadow."""
    left, _, right, bottom = bounds
    pixels = place.pixels
    wide = pixels.shape[0]
    if ground in ("flies", "cut") or place.shadow == 0:
        return pixels
    middle, half = (left + right) / 2, (right - left) / 2
    dark = blob(wide, middle, bottom - 0.02, half * 1.04, 0.07, 0.8) * np.float32(place.shadow)
    core = blob(wide, middle, bottom - 0.03, half * 0.92, 0.035, 0.7) * np.float32(0.9 * place.shadow)
    return np.asarray(pixels * ((1 - dark) * (1 - core))[..., None])


def _grading(rng: np.random.Generator, wide: int) -> Array:
    """What the camera does to every pixel: exposure, tint, a darker rim, grain."""
    x, y = grid(wide)
    tint = rng.uniform(0.9, 1.08) * (1 + rng.normal(0, 0.02, 3))
    rim = 1 - 0.22 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    grain = 1 + 0.01 * noise(rng, wide, 256, 1)
    return (rim * grain)[..., None] * tint.astype(np.float32)


def _reduced(plane: Array, size: int) -> Array:
    return np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BILINEAR))


def _finished(picture: Array, size: int) -> NDArray[np.uint8]:
    exact = Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))
    return np.asarray(exact.resize((size, size), Image.Resampling.BILINEAR))
