"""Draws the ten CIFAR-10 classes, each picture with the exact mask of its object."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.cifar10 import CLASSES as CLASSES  # what labels mean, for whoever draws
from model.drawn import aircraft, cars, cats, dogs, hoofed, ships, small_animals, trucks
from model.drawn.bodies import DrawnObject
from model.drawn.naming import part_names
from model.drawn.stage import StagedScene, staged
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
SUBJECTS: dict[str, Callable[[np.random.Generator], DrawnObject]] = {
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


def draw(label: int, seed: int, size: int = 256, without: Collection[str] = ()) -> Scene:
    """The scene of class `label` (0–9) that belongs to `seed`, `size` pixels wide and high (16 or more).

    The mask is True wherever the object shows, be it on part of a pixel. `without` leaves out some of
    `parts`, the “object” or the “background”. Outside of what is left out every byte stays as it is, also in
    the object's shadow on its place and the shading of one part by another. Where a part or the object was,
    there is what it hid. The background becomes flat gray (128), without the shadow: another place would
    bring evidence of its own. Problem for another label, size or part.
    """
    stage = _stage(label, seed, size)
    _check_parts(stage, without)
    layer = stage.layer(without)
    return Scene(stage.picture(layer, "background" not in without), stage.mask(layer), label, CLASSES[label])


def parts(label: int, seed: int) -> tuple[str, ...]:
    """The names of the parts that the object of this scene has, such as “wings” (marked for `tr`).

    One may be hidden by others. Some contain others, as a head its ears.
    """
    rng = _random(label, seed)
    return part_names(SUBJECTS[CLASSES[label]](rng).parts)


def part_masks(label: int, seed: int, size: int = 256) -> dict[str, NDArray[np.bool_]]:
    """Each of `parts` with its mask, bool (size,size): True wherever leaving it out changes the picture.

    A part that nothing shows of has an empty mask.
    """
    stage = _stage(label, seed, size)
    return {name: stage.changed(stage.layer((name,))) for name in stage.parts}


@dataclass(frozen=True, eq=False)
class Redrawn:
    """A scene and what it is without each of its parts that show, its object and its background (P).

    `without` uint8 (P,size,size,3); `masks` bool (P,size,size) True wherever those differ from the scene.
    """

    scene: Scene
    parts: tuple[str, ...]
    without: NDArray[np.uint8]
    masks: NDArray[np.bool_]


def redrawn(label: int, seed: int, size: int = 256) -> Redrawn:
    """The scene with all that can be left out, each drawn as `draw` does without it."""
    stage = _stage(label, seed, size)
    scene = Scene(stage.picture(stage.whole), stage.mask(stage.whole), label, CLASSES[label])
    layers = {name: stage.layer((name,)) for name in (*stage.parts, "object")}
    visible = {name: layer for name, layer in layers.items() if stage.changed(layer).any()}
    pictures = [*(stage.picture(layer) for layer in visible.values()), stage.picture(stage.whole, False)]
    masks = [*(stage.changed(layer) for layer in visible.values()), stage.bare()]
    return Redrawn(scene, (*visible, "background"), np.stack(pictures), np.stack(masks))


def backdrop(label: int, seed: int, size: int = 256) -> NDArray[np.uint8]:
    """The scene without its object (its shadow stays): uint8 (size,size,3), equal to it outside the mask."""
    return draw(label, seed, size, ("object",)).pixels


def samples() -> tuple[Scene, ...]:
    """The ten built-in sample images, one of each class."""
    return tuple(draw(label, DEFAULT_SEEDS[name]) for label, name in enumerate(CLASSES))


def dataset(
    count: int, seed: int, size: int = 32, progress: Callable[[int], object] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """`count` scenes, balanced and shuffled: images uint8 (count,size,size,3) and labels int64 (count,).

    `progress` is called with the number of finished images after each.
    """
    labels, seeds = planned(count, seed)
    images = np.empty((count, size, size, 3), np.uint8)
    for i in range(count):
        images[i] = draw(int(labels[i]), int(seeds[i]), size).pixels
        if progress is not None:
            progress(i + 1)
    return images, labels


def planned(count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The labels and the seeds of the scenes of `dataset`, int64 (count,) both."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count, dtype=np.int64) % len(CLASSES))
    return labels, rng.integers(0, 2**31, count)


# ---------------------------------------------------------------- composing


def _random(label: int, seed: int) -> np.random.Generator:
    if not 0 <= label < len(CLASSES):
        last = len(CLASSES) - 1
        raise Problem("There is no class {label}; choose one from 0 to {last}.", label=label, last=last)
    return np.random.default_rng([seed, label])


def _stage(label: int, seed: int, size: int) -> StagedScene:
    rng = _random(label, seed)
    if size < 16:
        raise Problem("Scenes of {size} pixels are too small to draw; choose 16 or more.", size=size)
    return staged(SUBJECTS[CLASSES[label]], rng, size)


def _check_parts(stage: StagedScene, without: Collection[str]) -> None:
    known = (*stage.parts, "object", "background")
    for name in without:
        if name not in known:
            raise Problem(
                "This scene has no part “{name}”; choose from {parts}.", name=name, parts=", ".join(known)
            )
