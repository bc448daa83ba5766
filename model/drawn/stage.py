"""A scene up to where its object is painted, so that it can be painted again, all of it or some parts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.drawn.bodies import DrawnObject
from model.drawn.brushes import Array, blob, grid, noise, out_of_focus
from model.drawn.landscape import Place
from model.drawn.naming import marked, part_names, without_parts
from model.drawn.painting import paint
from model.drawn.places import PLACES
from model.drawn.solids import Layer, Light, Part, Viewpoint, extent, fitted

LEAST_FRACTION = 0.1  # of a part in a pixel where soft bodies melt together: from here on it is the part's
LEAST_COVER = 0.02  # by which leaving out a part uncovers a pixel
GRAY = np.float32(128 / 255)


@dataclass(frozen=True, eq=False)
class StagedScene:
    """A scene whose place is drawn, `size` pixels wide: `behind` float32 (wide,wide,3), `grade` its factors.

    `rng` stands where the object is painted from, and is copied for each time that it is.
    """

    size: int
    subject: DrawnObject
    view: Viewpoint
    place: Place
    behind: Array
    grade: Array
    rng: np.random.Generator

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the object's parts."""
        return part_names(self.subject.parts)

    @cached_property
    def whole(self) -> Layer:
        """The whole object, as far as nothing stands before it."""
        return self._painted(self.subject.parts, self.place.light)

    def layer(self, without: Collection[str]) -> Layer:
        """The object without some of its parts, painted anew only where those show; none without “object”."""
        if "object" in without:
            return Layer.empty(len(self.behind))
        names = [name for name in self.parts if name in without]
        if not names:
            return self.whole
        rest = self._rest(names)
        region = np.any([self._region(name, self._rest([name]) if names[1:] else rest) for name in names], 0)
        return Layer(
            np.where(region[..., None], rest.pixels, self.whole.pixels),
            np.where(region, rest.cover, self.whole.cover),
            self.whole.depth,
        )

    def picture(self, layer: Layer, background: bool = True) -> NDArray[np.uint8]:
        """The finished picture, uint8 (size,size,3), before flat gray where the background is left out."""
        bare = 1 - layer.cover[..., None]
        if background:
            return _finished((layer.pixels + self.behind * bare) * self.grade, self.size)
        return _finished(layer.pixels * self.grade + GRAY * bare, self.size)

    def mask(self, layer: Layer) -> NDArray[np.bool_]:
        """True (size,size) wherever the layer shows, be it on part of a pixel."""
        return _reduced(layer.cover, self.size) > 0

    def changed(self, layer: Layer) -> NDArray[np.bool_]:
        """True (size,size) wherever the layer differs from the whole object's, be it on part of a pixel."""
        differs = (layer.pixels != self.whole.pixels).any(-1) | (layer.cover != self.whole.cover)
        return _reduced(differs.astype(np.float32), self.size) > 0

    def bare(self) -> NDArray[np.bool_]:
        """True (size,size) wherever the background shows, be it on part of a pixel."""
        return _reduced((self.whole.cover < 1).astype(np.float32), self.size) > 0

    def _region(self, name: str, rest: Layer) -> NDArray[np.bool_]:
        """Where a part shows (wide,wide): its own color, or, without it in `rest`, what is behind it."""
        colors = self._painted(marked(self.subject.parts, name), Light()).pixels
        own = colors[..., 0] > LEAST_FRACTION * (colors[..., 0] + colors[..., 1])
        return np.asarray(own | (self.whole.cover - rest.cover > LEAST_COVER))

    def _rest(self, names: Collection[str]) -> Layer:
        return self._painted(without_parts(self.subject.parts, names), self.place.light)

    def _painted(self, solids: Sequence[Part], light: Light) -> Layer:
        painted = paint(solids, self.view, light, len(self.behind), deepcopy(self.rng))
        return _clipped(painted, self.place)


def staged(
    make: Callable[[np.random.Generator], DrawnObject], rng: np.random.Generator, size: int
) -> StagedScene:
    """The scene of the subject that `make` makes of `rng`."""
    wide = size * 2 if size > 48 else size * 3 // 2
    subject = make(rng)
    view = fitted(subject.parts, subject.turn, subject.width, subject.height, subject.center, subject.near)
    bounds = extent(subject.parts, view)
    place = PLACES[subject.places[rng.integers(len(subject.places))]](
        rng, wide, _foot(subject, view, bounds[3])
    )
    behind = out_of_focus(_shadowed(place, subject.ground, bounds), place.blur)
    grade = _grading(rng, wide)
    return StagedScene(size, subject, view, place, behind, grade, rng)


def _foot(subject: DrawnObject, view: Viewpoint, bottom: float) -> float:
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
