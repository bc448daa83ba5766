"""The airplane: airliners, light planes and fighters, about two units long."""

from __future__ import annotations

import numpy as np

from model.drawn.bodies import DrawnObject
from model.drawn.brushes import (
    Color,
    Rng,
    mix,
    pick,
    rgb,
    spline,
)
from model.drawn.meshes import (
    DARK,
    GLASS,
    TYRE,
    Face,
    box,
    disc,
    extruded,
    face,
    lofted,
    mirrored,
    panel,
    rect,
)
from model.drawn.naming import parted
from model.drawn.solids import (
    Faces,
    Part,
    turned,
)


def _fuselage(long: float, r: float, upper: Color, lower: Color, split: float = -0.3) -> list[Face]:
    line = [
        (-long, 0.07, 0.012),
        (-long * 0.8, 0.05, 0.4 * r),
        (-long * 0.5, 0.015, 0.86 * r),
        (-long * 0.3, 0, r),
        (long * 0.6, 0, r),
        (long * 0.8, -0.005, 0.86 * r),
        (long * 0.92, -0.015, 0.58 * r),
        (long, -0.025, 0.14 * r),
    ]
    smooth = spline(line, 2)
    return lofted([(x, y, h, h) for x, y, h in smooth], 16, upper, lower, split)


def _wing(
    root: tuple[float, float],
    tip: tuple[float, float],
    span: float,
    y: float,
    rise: float,
    z: float,
    color: Color,
) -> list[Face]:
    """A pair of wings: root and tip are (leading, trailing) x."""
    top = np.array([(root[0], y, z), (root[1], y, z), (tip[1], y + rise, span), (tip[0], y + rise, span)])
    under = top - (0, 0.022, 0)
    edge = np.array([top[0], top[3], under[3], under[0]])
    return mirrored(
        [
            face(top, color, (0, 1, 0)),
            face(under, mix(color, DARK, 0.25), (0, -1, 0)),
            face(edge, mix(color, (1, 1, 1), 0.3), (1, 0, 0)),
        ]
    )


def _fin(x: tuple[float, float, float, float], y: tuple[float, float], color: Color) -> list[Face]:
    outline = [(x[0], y[0]), (x[1], y[1]), (x[2], y[1]), (x[3], y[0])]
    return mirrored([face([(a, b, 0.012) for a, b in outline], color, (0, 0, 1))])


def airplane(rng: Rng) -> DrawnObject:
    kind = str(rng.choice(["liner", "prop", "fighter", "jumbo"], p=[0.42, 0.2, 0.22, 0.16]))
    parts = {"liner": _airliner, "jumbo": _airliner, "prop": _light_plane, "fighter": _fighter}[kind](rng)
    grounded = rng.random() < (0.3 if kind in ("liner", "jumbo") else 0.1)
    if grounded:
        turn = turned(
            float(rng.choice([rng.uniform(-20, 25), rng.uniform(25, 50)])),
            rng.uniform(3, 10),
            0,
            bool(rng.integers(2)),
        )
        if kind != "prop":
            parts = (Faces(*parted({"wheels": _gear()})), *parts)
        return DrawnObject(parts, turn, ("runway",), rng.uniform(0.88, 1.0), 0.7, (0.5, 0.5), "stands", 0.1)
    turn = turned(
        float(rng.choice([rng.uniform(-25, 25), rng.uniform(20, 55), rng.uniform(-55, -20)])),
        rng.uniform(-32, 22),
        rng.uniform(-6, 22),
        bool(rng.integers(2)),
    )
    return DrawnObject(
        parts, turn, ("sky", "sky", "overcast"), rng.uniform(0.82, 0.98), 0.76, (0.5, 0.5), "flies", 0.12
    )


def _gear() -> list[Face]:
    """Wheels down: a nose leg and two main legs."""
    legs = [
        f
        for x, z in ((0.68, 0.0), (-0.1, 0.13), (-0.1, -0.13))
        for f in box((x - 0.012, x + 0.012), (-0.2, -0.05), (z - 0.012, z + 0.012), rgb("8a8f94"))
    ]
    return legs + [
        f
        for x in (0.66, 0.7, -0.13, -0.07)
        for z in (0.03, 0.15)
        for f in mirrored([disc(x, -0.2, z, 0.034, TYRE, 10)])
    ]


def _airliner(rng: Rng) -> tuple[Part, ...]:
    white, belly = (
        pick(rng, "f0f1f2", "e6e9ec", "f4f2ec", "c9ced3"),
        pick(rng, "c3c9cf", "dfe3e6", "8f9aa6", "2f4f8a"),
    )
    tail = pick(rng, "1f3f8a", "b3261e", "2f6f5a", "e07b1f", "26456e", "d9b02f", "c9ced3")
    r = rng.uniform(0.095, 0.12)
    metal = rgb("b5bcc4")
    shell = _fuselage(1.0, r, white, belly)
    wings = _wing((0.22, -0.12), (-0.28, -0.38), 0.95, -0.05, 0.1, r * 0.6, metal)
    stabiliser = _wing((-0.76, -0.94), (-0.98, -1.06), 0.36, 0.07, 0.04, 0.02, metal)
    fin = _fin((-0.66, -0.93, -1.06, -0.96), (0.07, 0.42), tail)
    engines = [
        f
        for z in (0.34,)
        for s in (1.0, -1.0)
        for f in _engine(0.14, -0.095, s * z, r * 0.46, mix(tail, white, 0.6))
    ]
    windows = mirrored(
        [
            panel(rect((x, x + 0.02), (0.018, 0.045)), r + 0.002, rgb("36424f"))
            for x in np.arange(-0.55, 0.7, 0.05)
        ]
    )
    cockpit = mirrored(
        [
            face(
                [
                    (0.86, 0.03, r * 0.62),
                    (0.93, 0.022, r * 0.42),
                    (0.92, 0.05, r * 0.3),
                    (0.86, 0.062, r * 0.5),
                ],
                DARK,
                (0.4, 0.4, 1),
            )
        ]
    )
    stripe = mirrored([panel(rect((-0.6, 0.72), (-0.02, -0.002)), r + 0.001, tail)])
    groups = {"fuselage": shell, "wings": wings, "tail": stabiliser + fin, "engines": engines}
    return (
        Faces(*parted(groups), gloss=0.15, smooth=0.003),
        Faces(*parted({"fuselage": stripe, "fuselage/windows": windows + cockpit}), sort=False),
    )


def _engine(x: float, y: float, z: float, r: float, color: Color) -> list[Face]:
    tube = lofted(
        [
            (x - 0.2, y, r * 0.55, r * 0.55),
            (x - 0.1, y, r * 0.95, r * 0.95),
            (x, y, r, r),
            (x + 0.03, y, r * 0.9, r * 0.9),
        ],
        10,
        color,
        color,
    )
    t = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    mouth = np.column_stack([np.full(12, x + 0.032), y + r * 0.75 * np.sin(t), r * 0.75 * np.cos(t)])
    return [(p + np.array([0, 0, z]), c) for p, c in [*tube, face(mouth, DARK, (1, 0, 0))]]


def _light_plane(rng: Rng) -> tuple[Part, ...]:
    paint, trim = (
        pick(rng, "f0f1f2", "e9d9a5", "d9b02f", "b3261e", "c9ced3"),
        pick(rng, "b3261e", "1f3f8a", "2f5f45", "26272a"),
    )
    line = spline(
        [
            (-0.95, 0.06, 0.02),
            (-0.5, 0.03, 0.08),
            (0.0, 0, 0.15),
            (0.45, 0, 0.15),
            (0.75, -0.02, 0.12),
            (0.85, -0.03, 0.05),
        ],
        2,
    )
    shell = lofted([(x, y, h, h * 0.8) for x, y, h in line], 14, paint, mix(paint, trim, 0.2), -0.5, 0.8)
    high = rng.random() < 0.6
    wings = _wing((0.42, 0.08), (0.38, 0.1), 1.05, 0.2 if high else -0.08, 0.04, 0.04, paint)
    stabiliser = _wing((-0.74, -0.94), (-0.78, -0.92), 0.36, 0.08, 0.0, 0.01, paint)
    fin = _fin((-0.66, -0.84, -0.98, -0.95), (0.06, 0.36), trim)
    cabin = extruded(
        [(-0.05, 0.1), (0.08, 0.2), (0.4, 0.2), (0.52, 0.08)], [(-0.1, 1, 1), (0.1, 1, 1)], GLASS, (0.2, 0.12)
    )
    legs = [
        f
        for s in (1.0, -1.0)
        for f in box((0.2, 0.24), (-0.3, -0.1), (s * 0.17 - 0.012, s * 0.17 + 0.012), trim)
    ]
    tyres = [f for s in (1.0, -1.0) for x in (0.22,) for f in mirrored([disc(x, -0.3, 0.19, 0.06, TYRE)])] + [
        disc(0.7, -0.28, 0.02, 0.05, TYRE)
    ]
    stripe = mirrored([panel([(-0.9, 0.05), (0.7, -0.02), (0.7, 0.02), (-0.9, 0.07)], 0.125, trim)])
    blades = [
        face(
            [(0.88, -0.28, -0.015), (0.88, -0.28, 0.015), (0.88, 0.22, 0.02), (0.88, 0.22, -0.02)],
            rgb("3a3b3d"),
            (1, 0, 0),
        )
    ]
    groups = {"fuselage": shell, "wings": wings, "tail": stabiliser + fin, "cockpit": cabin}
    return (
        Faces(*parted({"wheels": legs + tyres})),
        Faces(*parted(groups), gloss=0.2),
        Faces(*parted({"fuselage": stripe})),
        Faces(*parted({"propeller": blades}), one_sided=False),
    )


def _fighter(rng: Rng) -> tuple[Part, ...]:
    gray = pick(rng, "8a9199", "6f7780", "a5abb0", "7d8474", "5a6068")
    line = spline(
        [
            (-0.9, 0, 0.085),
            (-0.4, 0.0, 0.115),
            (0.1, 0.0, 0.12),
            (0.5, 0.01, 0.09),
            (0.8, 0, 0.05),
            (1.1, -0.02, 0.006),
        ],
        2,
    )
    shell = lofted([(x, y, h, h * 1.15) for x, y, h in line], 14, gray, mix(gray, (1, 1, 1), 0.2), -0.2)
    wings = _wing((0.25, -0.62), (-0.38, -0.6), 0.66, 0.0, -0.01, 0.06, gray)
    stabiliser = _wing((-0.62, -0.95), (-0.9, -1.08), 0.4, 0.0, 0.0, 0.05, gray)
    fins = [
        (p + np.array([0, 0, s]), c)
        for s in ((0.09, -0.09) if rng.random() < 0.5 else (0.0,))
        for p, c in _fin((-0.45, -0.78, -1.0, -0.88), (0.06, 0.42), mix(gray, DARK, 0.15))
    ]
    canopy = lofted(
        [
            (0.2, 0.1, 0.01, 0.01),
            (0.34, 0.1, 0.075, 0.06),
            (0.5, 0.085, 0.07, 0.055),
            (0.68, 0.05, 0.01, 0.01),
        ],
        10,
        rgb("33414f"),
        rgb("33414f"),
    )
    nozzle = lofted([(-0.98, 0, 0.06, 0.07), (-0.88, 0, 0.085, 0.098)], 12, DARK, DARK)
    missiles = [
        f
        for s in (1.0, -1.0)
        for f in [
            (p + np.array([0, -0.05, s * 0.45]), c)
            for p, c in lofted(
                [(-0.55, 0, 0.02, 0.02), (-0.1, 0, 0.02, 0.02), (-0.04, 0, 0.002, 0.002)],
                6,
                rgb("d9d9d6"),
                rgb("d9d9d6"),
            )
        ]
    ]
    groups = {
        "fuselage": shell,
        "wings": wings,
        "tail": stabiliser + fins,
        "fuselage/engines": nozzle,
        "missiles": missiles,
    }
    return (
        Faces(*parted(groups), gloss=0.15),
        Faces(*parted({"cockpit": canopy}), gloss=0.6),
    )
