"""What all drawn animals are built of; about one unit long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.drawn.brushes import (
    Color,
    Point,
    rgb,
)
from model.drawn.naming import all_named, named
from model.drawn.solids import (
    Coat,
    Cone,
    Flesh,
    Part,
    turned,
)

Head = tuple[list[Cone], list[Flesh]]
BLACK, WHITE = rgb("14110f"), rgb("f4f0e8")


@dataclass(frozen=True)
class DrawnObject:
    """An object ready to be placed: its parts, how it is turned, the box it fills, where it is seen."""

    parts: tuple[Part, ...]
    turn: NDArray[np.float64]
    places: tuple[str, ...]
    width: float = 0.8
    height: float = 0.8
    center: tuple[float, float] = (0.5, 0.52)
    ground: str = "stands"
    near: float = 0.0
    feet: Point | None = None


# ---------------------------------------------------------------- building


def chain(points: Sequence[Sequence[float]], radii: Sequence[float], *colors: Color) -> list[Cone]:
    """Cones from point to point; the last color goes on to the end."""
    ends = [(float(x), float(y), float(z)) for x, y, z in points]
    hues = [colors[min(i, len(colors) - 1)] for i in range(len(ends) - 1)]
    return [
        Cone(a, b, ra, rb, c) for a, b, ra, rb, c in zip(ends, ends[1:], radii, radii[1:], hues, strict=False)
    ]


def ball(at: Point, radius: float, color: Color) -> Cone:
    return Cone(at, at, radius, radius, color)


def both(make: Callable[[float], list[Cone]]) -> list[Cone]:
    """What `make` builds for the near side (1) and for the far side (-1)."""
    return make(1.0) + make(-1.0)


def moved(
    cones: Sequence[Cone], by: Point, turn: NDArray[np.float64] | None = None, grow: float = 1.0
) -> list[Cone]:
    """The cones turned about the origin, enlarged and then moved."""
    spin = np.eye(3) if turn is None else turn

    def move(p: Point) -> Point:
        x, y, z = grow * (spin @ np.asarray(p)) + by
        return float(x), float(y), float(z)

    return [Cone(move(c.a), move(c.b), c.ra * grow, c.rb * grow, c.color, c.part) for c in cones]


def eye(
    at: Point, radius: float, iris: Color, pupil: float = 0.7, out: Point = (1, 0, 0), rim: Color = BLACK
) -> Flesh:
    """An eye that looks along `out`: rim, iris, pupil and a spark of light."""
    ahead = np.asarray(out, float) / np.linalg.norm(out)

    def forward(fraction: float) -> Point:
        x, y, z = np.asarray(at) + ahead * radius * fraction
        return float(x), float(y), float(z)

    x, y, z = forward(1.24)
    spark = (x, y + radius * 0.32, z)
    cones = (
        ball(at, radius * 1.15, rim),
        ball(forward(0.35), radius * 0.95, iris),
        ball(forward(0.35 + 0.95 - 0.9 * pupil), radius * pupil, rgb("080706")),
        ball(spark, radius * 0.19, (1, 1, 1)),
    )
    return Flesh(cones, Coat(hair=0, gloss=0.5), melt=0.002)


def placed(head: Head, at: Point, pitch: float, look: float, grow: float = 1.0) -> Head:
    """The head nodded by `pitch` and looking `look` degrees to the near side, as the part “head”."""
    spin = turned(look) @ turned(0, 0, pitch)
    marks = [Flesh(tuple(moved(m.cones, at, spin, grow)), m.coat, m.melt) for m in head[1]]
    return named("head", moved(head[0], at, spin, grow)), all_named("head", marks)
