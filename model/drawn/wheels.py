"""Wheels, their arches, and the lamps' colors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.drawn.brushes import Color, mix, rgb
from model.drawn.meshes import (
    DARK,
    TYRE,
    Face,
    disc,
    mirrored,
    panel,
)

LAMP, TAIL = rgb("f6f1da"), rgb("b3201f")


def wheels(
    at: Sequence[float], radius: float, z: float, rim: Color, wide: float = 0.12
) -> tuple[list[Face], list[Face]]:
    """Tyres behind the body's side (drawn before it) and hubs upon them (drawn after)."""
    behind, before = [], []
    for x in at:
        behind += [
            disc(x, radius, s * (z - d), radius, TYRE) for s in (1.0, -1.0) for d in (wide, wide * 0.5)
        ]
        behind += [(p[::-1], c) for p, c in behind[-4:]]
        hub = [
            disc(x, radius, z, radius, TYRE),
            disc(x, radius, z + 0.002, radius * 0.66, rim),
            disc(x, radius, z + 0.003, radius * 0.55, mix(rim, DARK, 0.45)),
        ]
        hub += [
            panel(_spoke(x, radius, a), z + 0.004, rim) for a in np.linspace(0, 2 * np.pi, 5, endpoint=False)
        ]
        before += [*hub, disc(x, radius, z + 0.005, radius * 0.16, rim)]
    return behind, mirrored(before)


def _spoke(x: float, radius: float, angle: float) -> list[tuple[float, float]]:
    turn = [(angle - 0.18, 0.58), (angle + 0.18, 0.58), (angle + 0.5, 0.12), (angle - 0.5, 0.12)]
    return [(x + radius * r * float(np.cos(a)), radius + radius * r * float(np.sin(a))) for a, r in turn]


def arches(at: Sequence[float], radius: float, z: float) -> list[Face]:
    t = np.linspace(-0.35, np.pi + 0.35, 14)
    outline = [
        [(x + radius * float(np.cos(a)), radius * 0.85 + radius * float(np.sin(a))) for a in t] for x in at
    ]
    return mirrored([panel(o, z, rgb("0f0f11")) for o in outline])
