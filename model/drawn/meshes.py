"""Faces put together: boxes, tubes, outlines carried across; x ahead, y up, z to the near side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from model.drawn.brushes import (
    Color,
    rgb,
)
from model.drawn.solids import (
    Points,
    cross,
)

Face = tuple[Points, Color]
TYRE, GLASS, CHROME, DARK = rgb("1b1b1d"), rgb("2c3944"), rgb("c9ced3"), rgb("26272a")


def face(points: Sequence[Sequence[float]] | Points, color: Color, out: Sequence[float]) -> Face:
    """A polygon, wound so that it is seen from the side `out` points to."""
    p = np.asarray(points, float)
    normal = cross(p, np.concatenate([p[1:], p[:1]])).sum(0)
    return (p if normal @ np.asarray(out, float) >= 0 else p[::-1]), color


def strips(far: Points, near: Points, middle: Points, colors: Sequence[Color]) -> list[Face]:
    """The band of quads between two rings (n,3), seen from outside of `middle`."""
    quads = np.stack([far, np.roll(far, -1, 0), np.roll(near, -1, 0), near], axis=1)
    normals = cross(quads[:, 2] - quads[:, 0], quads[:, 3] - quads[:, 1])
    outward = (normals * (quads.mean(1) - middle)).sum(1) >= 0
    return [(q if out else q[::-1], c) for q, out, c in zip(quads, outward, colors, strict=True)]


def box(x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], color: Color) -> list[Face]:
    corners = np.array([(a, b, c) for a in x for b in y for c in z])
    sides = {
        (-1, 0, 0): (0, 1, 3, 2),
        (1, 0, 0): (4, 5, 7, 6),
        (0, -1, 0): (0, 1, 5, 4),
        (0, 1, 0): (2, 3, 7, 6),
        (0, 0, -1): (0, 2, 6, 4),
        (0, 0, 1): (1, 3, 7, 5),
    }
    return [face(corners[list(i)], color, out) for out, i in sides.items()]


def extruded(
    profile: Sequence[Sequence[float]] | Points,
    rims: Sequence[tuple[float, float, float]],
    color: Color,
    center: tuple[float, float],
) -> list[Face]:
    """A side view carried across z; rims are (z, shrink in x, shrink in y) about the center, far to near."""
    p, c = np.asarray(profile, float), np.asarray(center, float)
    rings = [np.column_stack([c + (p - c) * (sx, sy), np.full(len(p), z)]) for z, sx, sy in rims]
    middle = np.array([c[0], c[1], 0.0])
    faces = [face(rings[0], color, (0, 0, -1)), face(rings[-1], color, (0, 0, 1))]
    for far, near in pairwise(rings):
        faces += strips(far, near, middle, [color] * len(p))
    return faces


def lofted(
    sections: Sequence[tuple[float, float, float, float]],
    around: int,
    upper: Color,
    lower: Color,
    split: float = 0.0,
    power: float = 1.0,
) -> list[Face]:
    """A tube along x: sections are (x, height of the axis, half height, half width)."""
    angles = np.linspace(0, 2 * np.pi, around, endpoint=False) + np.pi / around
    up, side = np.sin(angles), np.cos(angles)
    up, side = np.sign(up) * np.abs(up) ** power, np.sign(side) * np.abs(side) ** power
    rings = [np.column_stack([np.full(around, x), y + h * up, w * side]) for x, y, h, w in sections]
    colors = [upper if high else lower for high in (up + np.roll(up, -1)) / 2 > split]
    faces: list[Face] = []
    for back, front in pairwise(rings):
        middle = (back.mean(0) + front.mean(0)) / 2
        faces += strips(back, front, middle, colors)
    faces.append(face(rings[0], lower, (-1, 0, 0)))
    faces.append(face(rings[-1], lower, (1, 0, 0)))
    return faces


def disc(x: float, y: float, z: float, radius: float, color: Color, steps: int = 18) -> Face:
    t = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    return face(
        np.column_stack([x + radius * np.cos(t), y + radius * np.sin(t), np.full(steps, z)]),
        color,
        (0, 0, np.sign(z)),
    )


def mirrored(faces: Sequence[Face]) -> list[Face]:
    """The faces and their reflections on the far side."""
    return [*faces, *[((p * (1, 1, -1))[::-1], c) for p, c in faces]]


def panel(xy: Sequence[tuple[float, float]], z: float, color: Color) -> Face:
    """A flat thing on the near side."""
    return face([(x, y, z) for x, y in xy], color, (0, 0, 1))


def rect(x: tuple[float, float], y: tuple[float, float]) -> list[tuple[float, float]]:
    return [(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])]


def front(x: float, y: tuple[float, float], z: tuple[float, float], color: Color, out: float = 1.0) -> Face:
    """A flat thing on the front (or, with out -1, on the back)."""
    return face([(x, y[0], z[0]), (x, y[1], z[0]), (x, y[1], z[1]), (x, y[0], z[1])], color, (out, 0, 0))


def inset(points: Points, fraction: float) -> Points:
    middle = points.mean(0)
    return np.asarray(middle + (points - middle) * fraction)
