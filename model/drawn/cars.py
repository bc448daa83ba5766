"""The automobile, about two units long."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from model.drawn.bodies import DrawnObject
from model.drawn.brushes import Color, Rng, mix, pick, rgb, spline
from model.drawn.meshes import (
    CHROME,
    DARK,
    GLASS,
    Face,
    box,
    extruded,
    face,
    front,
    inset,
    mirrored,
    panel,
    rect,
)
from model.drawn.naming import parted
from model.drawn.solids import Faces, Points, turned
from model.drawn.wheels import LAMP, TAIL, arches, wheels

PAINTS = (
    "b3261e",
    "c43a2a",
    "1f3f7a",
    "c9ccd0",
    "e9e9e6",
    "2a2c30",
    "7d8288",
    "d9a51f",
    "2f5f45",
    "8a1f28",
    "3f6fa8",
    "e07b1f",
    "5a1f24",
    "a8b0b5",
)
Outline = list[tuple[float, float]]


def _body(
    tail: float, nose: float, belt: float, boot: float, hood: float, tip: float, low: float = 0.12
) -> Outline:
    """A car's side below the windows: heights at the boot, the belt, the end of the bonnet and its tip."""
    return [
        (tail + 0.06, low),
        (tail + 0.012, low + 0.045),
        (tail, low + 0.13),
        (tail + 0.008, boot - 0.09),
        (tail + 0.04, boot - 0.02),
        (tail + 0.16, boot),
        (-0.5, belt),
        (0.4, belt - 0.015),
        (nose - 0.3, hood),
        (nose - 0.1, tip),
        (nose - 0.025, tip - 0.055),
        (nose, tip - 0.13),
        (nose - 0.008, low + 0.05),
        (nose - 0.05, low),
    ]


CARS: dict[str, tuple[Outline, Outline, float]] = {
    "sedan": (
        _body(-1.0, 1.0, 0.475, 0.46, 0.43, 0.385),
        [(-0.72, 0.465), (-0.44, 0.68), (-0.2, 0.725), (0.06, 0.71), (0.43, 0.455)],
        0.42,
    ),
    "hatch": (
        _body(-0.9, 0.94, 0.5, 0.5, 0.46, 0.41),
        [(-0.86, 0.49), (-0.74, 0.74), (-0.45, 0.79), (0.06, 0.77), (0.47, 0.48)],
        0.43,
    ),
    "coupe": (
        _body(-0.98, 1.0, 0.43, 0.44, 0.39, 0.345, 0.1),
        [(-0.82, 0.43), (-0.4, 0.6), (-0.14, 0.635), (0.05, 0.615), (0.46, 0.41)],
        0.45,
    ),
    "suv": (
        _body(-0.94, 0.96, 0.56, 0.56, 0.53, 0.49, 0.18),
        [(-0.91, 0.55), (-0.84, 0.82), (-0.6, 0.87), (0.1, 0.855), (0.45, 0.545)],
        0.45,
    ),
    "classic": (
        _body(-1.0, 0.94, 0.53, 0.46, 0.5, 0.47, 0.14),
        [(-0.66, 0.515), (-0.5, 0.74), (-0.2, 0.79), (0.06, 0.76), (0.3, 0.515)],
        0.41,
    ),
}


def narrowed(z: float) -> list[tuple[float, float, float]]:
    half = [(1.0, 0.945, 0.92), (0.94, 0.975, 0.975), (0.8, 0.995, 1.0), (0.4, 1.005, 1.01)]
    return [(-z * d, sx, sy) for d, sx, sy in half] + [(z * d, sx, sy) for d, sx, sy in half[::-1]]


def cabin_shell(profile: Sequence[tuple[float, float]], z: float, paint: Color, glass: Color) -> list[Face]:
    """The roof on its pillars, with windows all round; narrower at the top."""
    low, high = min(y for _, y in profile), max(y for _, y in profile)
    width = [z * (0.93 - 0.2 * (y - low) / (high - low)) for _, y in profile]
    near = np.array([(x, y, w) for (x, y), w in zip(profile, width, strict=True)])
    far = near * (1, 1, -1)
    middle = near.mean(0) * (1, 1, 0)
    faces = mirrored(
        [
            face(near, paint, (0, 0, 1)),
            face(inset(near, 0.86), glass, (0, 0, 1)),
            face(_gleam(near), mix(glass, (1, 1, 1), 0.22), (0, 0, 1)),
            *_pillars(near, paint),
        ]
    )
    for i in range(len(profile) - 1):
        strip = np.array([near[i], near[i + 1], far[i + 1], far[i]])
        out = strip.mean(0) - middle
        faces.append(face(strip, paint, out))
        if abs(strip[0, 1] - strip[1, 1]) > 0.1:
            faces.append(face(inset(strip, 0.88), glass, out))
    return faces


def _gleam(near: Points) -> Points:
    """A slanting patch of sky in the side windows."""
    low, high = near[:, 1].min(), near[:, 1].max()
    bottom, top = near[near[:, 1].argmin(), 2] + 0.003, near[near[:, 1].argmax(), 2] + 0.003
    a, b = low + 0.12 * (high - low), low + 0.84 * (high - low)
    za, zb = bottom + (top - bottom) * 0.12, bottom + (top - bottom) * 0.84
    return np.array([(0.0, a, za), (0.12, a, za), (0.02, b, zb), (-0.07, b, zb)])


def _pillars(near: Points, paint: Color) -> list[Face]:
    low, high = near[:, 1].min(), near[:, 1].max()
    w0, w1 = near[:, 2].max() + 0.004, near[:, 2].min() + 0.004
    return [
        face(
            [(x, low, w0), (x + 0.045, low, w0), (x + 0.035, high - 0.03, w1), (x, high - 0.03, w1)],
            paint,
            (0, 0, 1),
        )
        for x in (-0.12,)
    ]


def face_of_car(nose: float, tail: float, belt: float, z: float, paint: Color) -> list[Face]:
    """Grille, bumpers and number plates, front and back."""
    n, t, low = nose + 0.008, tail - 0.008, belt * 0.45
    dark = mix(paint, DARK, 0.75)
    parts = [
        front(n, (low + 0.05, low + 0.115), (-z * 0.42, z * 0.42), rgb("1d1e20")),
        front(n, (low - 0.09, low - 0.035), (-z * 0.6, z * 0.6), dark),
        front(n + 0.002, (low - 0.02, low + 0.03), (-0.09, 0.09), rgb("e6e3d2")),
    ]
    parts += [
        front(t, (low - 0.09, low - 0.03), (-z * 0.6, z * 0.6), dark, -1),
        front(t, (low + 0.03, low + 0.1), (-0.1, 0.1), rgb("e6e3d2"), -1),
    ]
    return parts


def lamps_of_car(nose: float, tail: float, belt: float, z: float) -> list[Face]:
    """The lamps at the four corners."""
    low = belt * 0.45
    return mirrored(
        [
            *_corner(nose, z, (low + 0.045, low + 0.135), LAMP, 1),
            *_corner(tail, z, (low + 0.05, low + 0.16), TAIL, -1),
        ]
    )


def _corner(end: float, z: float, y: tuple[float, float], color: Color, out: float) -> list[Face]:
    """A lamp round the near corner of the front (out 1) or back (-1)."""
    line = [
        (end + out * 0.01, z * 0.5),
        (end * 0.995 + out * 0.008, z * 0.8),
        (end * 0.975 + out * 0.006, z * 0.945),
        (end * 0.9, z * 1.002),
    ]
    return [
        face(
            [(a, y[0], b), (c, y[0], d), (c, y[1], d), (a, y[1], b)],
            mix(color, (1, 1, 1), 0.12 * i),
            (out, 0, 0.6),
        )
        for i, ((a, b), (c, d)) in enumerate(pairwise(line))
    ]


def sides_of_car(belt: float, z: float, paint: Color) -> list[Face]:
    dark, low = mix(paint, DARK, 0.55), 0.16
    side = [
        panel(
            [(-0.42, low), (0.42, low), (0.4, belt * 0.5), (-0.42, belt * 0.53)],
            z + 0.001,
            mix(paint, DARK, 0.16),
        )
    ]
    side += [panel(rect((x, x + 0.014), (low, belt - 0.04)), z + 0.002, dark) for x in (0.36, -0.1)]
    side += [
        panel(rect((x, x + 0.085), (belt - 0.11, belt - 0.08)), z + 0.003, mix(dark, CHROME, 0.35))
        for x in (-0.06, -0.4)
    ]
    side.append(panel(rect((-0.42, 0.42), (0.1, low)), z + 0.002, mix(paint, DARK, 0.75)))
    return mirrored(side)


def automobile(rng: Rng) -> DrawnObject:
    body, cabin, z = CARS[str(rng.choice(list(CARS)))]
    paint = pick(rng, *PAINTS)
    nose, tail, belt = max(x for x, _ in body), min(x for x, _ in body), max(y for _, y in body)
    glass = mix(GLASS, rgb("8fa9bd"), rng.uniform(0, 0.5))
    radius, at = rng.uniform(0.145, 0.17), (0.6, -0.6)
    rim = pick(rng, "c9ced3", "a8adb3", "8f949a")
    tyres, hubs = wheels(at, radius, z * 0.99, rim)
    outline = spline(body, 2)
    shell = extruded(outline, narrowed(z), paint, (0, 0.3))
    floor = box((tail + 0.15, nose - 0.15), (0.06, 0.2), (-z * 0.9, z * 0.9), rgb("101012"))
    lamps = lamps_of_car(nose, tail, belt, z)
    parts = (
        Faces(*parted({"body": floor})),
        Faces(*parted({"wheels": tyres})),
        Faces(*parted({"body": shell}), gloss=0.4, smooth=0.007),
        Faces(*parted({"cabin": cabin_shell(cabin, z, paint, glass)}), gloss=0.3, smooth=0.002, sort=False),
        Faces(*parted({"body": arches(at, radius * 1.22, z + 0.001)})),
        Faces(*parted({"body": sides_of_car(belt, z, paint)}), sort=False),
        Faces(*parted({"body": face_of_car(nose, tail, belt, z, paint), "body/lights": lamps}), sort=False),
        Faces(*parted({"wheels": hubs}), sort=False),
    )
    yaw = float(
        rng.choice(
            [rng.uniform(15, 55), rng.uniform(-50, -15), rng.uniform(-10, 10), rng.uniform(55, 80)],
            p=[0.5, 0.22, 0.16, 0.12],
        )
    )
    return DrawnObject(
        parts,
        turned(yaw, rng.uniform(6, 18), 0, bool(rng.integers(2))),
        ("avenue", "avenue", "street", "parking", "studio", "road"),
        rng.uniform(0.9, 1.04),
        0.84,
        (0.5, rng.uniform(0.5, 0.58)),
        "stands",
        0.12,
    )
