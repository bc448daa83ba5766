"""Solids and how they stand in a picture.

A solid lives in its own space: x ahead, y up, z towards the viewer at yaw 0. `Flesh` melts rounded cones
into one soft body; `Faces` are flat polygons. A `Layer` is what has been painted, premultiplied by its
coverage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.drawn.brushes import (
    Array,
    Color,
    Point,
    blend,
)

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Cone:
    """A rounded cone from a to b with the radii there; `part` as `model.drawn.naming` says."""

    a: Point
    b: Point
    ra: float
    rb: float
    color: Color
    part: str = ""


@dataclass(frozen=True)
class Coat:
    """What covers a soft body: hair or wrinkles, a paler belly, blotches, stripes, gloss."""

    hair: float = 0.5
    cells: float = 40
    belly: Color | None = None
    patch: Color | None = None
    patch_fraction: float = 0.35
    patch_cells: float = 4
    stripe: Color | None = None
    stripes: float = 9
    slant: float = 0.0
    gloss: float = 0.0
    mottle: float = 0.0


@dataclass(frozen=True)
class Flesh:
    """Rounded cones melted together over a distance of `melt`."""

    cones: tuple[Cone, ...]
    coat: Coat = Coat()
    melt: float = 0.03


@dataclass(frozen=True)
class Faces:
    """Flat polygons (n,3) with colors, seen from one side, painted back to front unless `sort` is off.

    `smooth` softens the edges between them by that much of the picture; `flat` leaves out the light.
    `names` has the part that each belongs to, as `model.drawn.naming` says.
    """

    shapes: tuple[tuple[NDArray[np.float64], Color], ...]
    names: tuple[str, ...] = ()
    gloss: float = 0.0
    one_sided: bool = True
    sort: bool = True
    flat: bool = False
    smooth: float = 0.0

    @cached_property
    def corners(self) -> Points:
        """All corners of all polygons (n,3), one after the other."""
        return np.concatenate([points for points, _ in self.shapes])


Part = Flesh | Faces


@dataclass(frozen=True)
class Viewpoint:
    """Where a solid stands in the picture: turned, scaled and moved into the unit square."""

    turn: NDArray[np.float64]
    scale: float
    x: float
    y: float
    near: float = 0.0

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (…,3) to picture x, y (downwards), depth towards the viewer and local scale: (…,4)."""
        turned = points @ self.turn.T
        size = self.scale / (1 - self.near * turned[..., 2])
        projected = np.empty((*turned.shape[:-1], 4))
        projected[..., 0] = self.x + turned[..., 0] * size
        projected[..., 1] = self.y - turned[..., 1] * size
        projected[..., 2] = turned[..., 2]
        projected[..., 3] = size
        return projected


@dataclass(frozen=True)
class Light:
    """Where the light comes from (view space) and how the scene colors it."""

    towards: tuple[float, float, float] = (-0.45, 0.75, 0.5)
    sun: Color = (1.0, 0.97, 0.9)
    sky: Color = (0.52, 0.57, 0.66)
    ground: Color = (0.26, 0.24, 0.2)
    strength: float = 0.95

    def on(self, normals: NDArray[np.float64] | Array) -> Array:
        """Light (…,3) that reaches surfaces with these unit normals (…,3)."""
        towards = np.asarray(self.towards, np.float32)
        direct = np.clip(normals @ (towards / np.linalg.norm(towards)) * 0.85 + 0.15, 0, 1)
        up = (normals[..., 1] * 0.5 + 0.5).astype(np.float32)
        around = blend(self.ground, self.sky, up)
        return np.asarray(around + direct[..., None] * np.asarray(self.sun) * self.strength, np.float32)

    def glint(self, normals: NDArray[np.float64] | Array, power: float = 24) -> Array:
        """Brightness (…) of the highlight on a glossy surface."""
        half = np.asarray(self.towards, np.float32) / np.linalg.norm(self.towards) + np.array(
            [0, 0, 1], np.float32
        )
        return np.asarray(np.clip(normals @ (half / np.linalg.norm(half)), 0, 1) ** power, np.float32)


@dataclass
class Layer:
    """What has been painted of the object: premultiplied color, coverage and depth."""

    pixels: Array
    cover: Array
    depth: Array = field(repr=False)

    @staticmethod
    def empty(wide: int) -> Layer:
        flat = np.zeros((wide, wide), np.float32)
        return Layer(np.zeros((wide, wide, 3), np.float32), flat, np.full_like(flat, -1e3))

    def over(self, pixels: Array, cover: Array, window: tuple[slice, slice]) -> None:
        """Lay premultiplied pixels over what is there."""
        self.pixels[window] = pixels + self.pixels[window] * (1 - cover[..., None])
        self.cover[window] = cover + self.cover[window] * (1 - cover)


def turned(yaw: float, pitch: float = 0.0, roll: float = 0.0, mirror: bool = False) -> NDArray[np.float64]:
    """The rotation (3,3) in degrees: about the upright, nodding towards the viewer, in the picture."""
    a, b, c = np.radians([yaw, pitch, roll])
    about = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    lean = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(np.diag([-1.0 if mirror else 1.0, 1, 1]) @ lean @ nod @ about)


def extent(parts: Sequence[Part], view: Viewpoint) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the parts in the picture."""
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for part in parts:
        if isinstance(part, Flesh):
            ends = view.project(np.array([end for c in part.cones for end in (c.a, c.b)]))
            reach = np.array([r for c in part.cones for r in (c.ra, c.rb)])[:, None] * ends[:, 3:]
        else:
            ends, reach = (
                view.project(part.corners),
                np.zeros((1, 1)),
            )
        low = np.minimum(low, (ends[:, :2] - reach).min(0))
        high = np.maximum(high, (ends[:, :2] + reach).max(0))
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def fitted(
    parts: Sequence[Part],
    turn: NDArray[np.float64],
    width: float,
    height: float,
    center: tuple[float, float],
    near: float = 0.0,
) -> Viewpoint:
    """The view that makes the parts as large as fits a box of that width and height about the center."""
    left, top, right, bottom = extent(parts, Viewpoint(turn, 1.0, 0.0, 0.0, near))
    scale = min(width / (right - left), height / (bottom - top))
    return Viewpoint(
        turn, scale, center[0] - scale * (left + right) / 2, center[1] - scale * (top + bottom) / 2, near
    )


def cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cross product of rows (n,3); several times faster than NumPy's on a few."""
    ax, ay, az, bx, by, bz = *a.T, *b.T
    product = np.empty_like(a)
    product[:, 0] = ay * bz - az * by
    product[:, 1] = az * bx - ax * bz
    product[:, 2] = ax * by - ay * bx
    return product
