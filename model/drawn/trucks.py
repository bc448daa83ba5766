"""The truck: vans, semis, pickups, tippers and fire engines, about two units long."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.drawn.bodies import DrawnObject
from model.drawn.brushes import Color, Rng, mix, pick, rgb
from model.drawn.cars import PAINTS, cabin_shell, face_of_car, lamps_of_car, narrowed, sides_of_car
from model.drawn.meshes import (
    CHROME,
    DARK,
    GLASS,
    Face,
    box,
    extruded,
    face,
    front,
    lofted,
    mirrored,
    panel,
    rect,
)
from model.drawn.naming import Groups, parted
from model.drawn.solids import Faces, Part, turned
from model.drawn.wheels import LAMP, TAIL, arches, wheels


def truck(rng: Rng) -> DrawnObject:
    kind = str(rng.choice(["box", "semi", "pickup", "dump", "fire"], p=[0.3, 0.28, 0.1, 0.17, 0.15]))
    parts = {"box": _box_truck, "semi": _semi, "pickup": _pickup, "dump": _dump_truck, "fire": _fire_engine}[
        kind
    ](rng)
    yaw = float(
        rng.choice([rng.uniform(18, 58), rng.uniform(-45, -15), rng.uniform(-8, 10)], p=[0.66, 0.14, 0.2])
    )
    return DrawnObject(
        parts,
        turned(yaw, rng.uniform(3, 12), 0, bool(rng.integers(2))),
        ("road", "parking", "street", "road", "studio"),
        rng.uniform(0.82, 0.95),
        0.84,
        (0.5, rng.uniform(0.48, 0.54)),
        "stands",
        0.14,
    )


def _cab(
    x: tuple[float, float], y: tuple[float, float], z: float, paint: Color, bonnet: float = 0.0
) -> list[Face]:
    """A lorry's cab between two x; with a bonnet it reaches further ahead."""
    (back, nose), (low, high) = x, y
    waist = low + (high - low) * 0.5
    profile = [
        (back, low),
        (back, high),
        (nose - 0.1, high),
        (nose - 0.015, waist),
        (nose, low + 0.05),
        (nose, low),
    ]
    faces = extruded(
        profile,
        [(-z, 0.98, 0.99), (-z * 0.9, 1, 1), (z * 0.9, 1, 1), (z, 0.98, 0.99)],
        paint,
        ((back + nose) / 2, (low + high) / 2),
    )
    if bonnet > 0:
        faces += extruded(
            [
                (nose - 0.02, low),
                (nose - 0.02, waist),
                (nose + bonnet * 0.85, waist - 0.05),
                (nose + bonnet, low + 0.08),
                (nose + bonnet, low),
            ],
            narrowed(z * 0.86),
            paint,
            (nose + bonnet / 2, (low + waist) / 2),
        )
    return faces


def _cab_details(
    x: tuple[float, float], y: tuple[float, float], z: float, paint: Color, bonnet: float = 0.0
) -> dict[str, list[Face]]:
    (back, nose), (low, high) = x, y
    waist, tip = low + (high - low) * 0.5, nose + bonnet + 0.004
    screen = face(
        [
            (nose - 0.012, waist + 0.03, -z * 0.86),
            (nose - 0.012, waist + 0.03, z * 0.86),
            (nose - 0.088, high - 0.05, z * 0.84),
            (nose - 0.088, high - 0.05, -z * 0.84),
        ],
        GLASS,
        (1, 0, 0.0),
    )
    pane = panel(
        [
            (back + 0.1, waist + 0.02),
            (nose - 0.05, waist + 0.02),
            (nose - 0.11, high - 0.06),
            (back + 0.1, high - 0.06),
        ],
        z + 0.003,
        GLASS,
    )
    side = [
        panel(rect((back + 0.06, back + 0.072), (low + 0.08, high - 0.05)), z + 0.003, mix(paint, DARK, 0.5)),
        panel(rect((back + 0.1, back + 0.17), (waist - 0.08, waist - 0.05)), z + 0.003, DARK),
    ]
    grille_low, grille_high = low + 0.1, waist - 0.05
    face_parts = [
        front(tip, (grille_low, grille_high), (-z * 0.5, z * 0.5), rgb("2b2d30")),
        front(tip + 0.002, (low, low + 0.07), (-z * 0.95, z * 0.95), CHROME),
    ]
    face_parts += [
        front(
            tip + 0.003, (grille_low + i * 0.05, grille_low + i * 0.05 + 0.016), (-z * 0.48, z * 0.48), CHROME
        )
        for i in range(max(1, int((grille_high - grille_low) / 0.05)))
    ]
    lamps = [front(tip, (low + 0.09, low + 0.18), (s * z * 0.58, s * z * 0.86), LAMP) for s in (1, -1)]
    return {
        "cab/windows": [screen, *mirrored([pane])],
        "cab": [*face_parts, *mirrored(side)],
        "cab/lights": lamps,
    }


def _chassis(tail: float, nose: float, z: float) -> list[Face]:
    return box((tail, nose), (0.14, 0.24), (-z * 0.8, z * 0.8), rgb("1d1e20"))


def _assembled(
    solid: Groups,
    details: Groups,
    at: Sequence[float],
    radius: float,
    z: float,
    tail: float,
    nose: float,
    rim: Color,
) -> tuple[Part, ...]:
    tyres, hubs = wheels(at, radius, z, rim, 0.16)
    return (
        Faces(*parted({"chassis": _chassis(tail, nose, z)})),
        Faces(*parted({"wheels": tyres})),
        Faces(*parted(solid), gloss=0.15, smooth=0.003),
        Faces(*parted({"chassis": arches(at, radius * 1.1, z - 0.004)})),
        Faces(*parted(details), sort=False),
        Faces(*parted({"wheels": hubs}), sort=False),
    )


def _box_truck(rng: Rng) -> tuple[Part, ...]:
    paint, cargo = (
        pick(rng, "e9e9e6", "b3261e", "2f5fa8", "e0b02f", "3f7a4f"),
        pick(rng, "f0efe9", "e3e3df", "c9ccd0", "d9c35a", "b3c4d3"),
    )
    z, top = 0.36, rng.uniform(0.88, 1.02)
    body = {
        "rear body": box((-1.0, 0.42), (0.26, top), (-z, z), cargo),
        "cab": _cab((0.46, 0.98), (0.2, 0.74), z * 0.93, paint),
    }
    stripe = pick(rng, "b3261e", "1f3f7a", "e07b1f", "3f7a4f")
    trim = mirrored(
        [
            panel(rect((-1.0, 0.42), (0.26, 0.3)), z + 0.002, mix(cargo, DARK, 0.45)),
            panel(rect((-1.0, 0.42), (top - 0.03, top)), z + 0.002, mix(cargo, DARK, 0.25)),
            panel(rect((-0.8, 0.22), (0.5, 0.66)), z + 0.002, stripe),
        ]
    )
    trim += [
        front(-1.003, (0.3, top - 0.04), (-z * 0.9, z * 0.9), mix(cargo, DARK, 0.15), -1.0),
        front(-1.005, (0.3, top - 0.04), (-0.008, 0.008), DARK, -1.0),
    ]
    trim += [front(-1.004, (0.2, 0.26), (s * z * 0.7, s * z * 0.95), TAIL, -1.0) for s in (1, -1)]
    return _assembled(
        body,
        {"rear body": trim} | _cab_details((0.46, 0.98), (0.2, 0.74), z * 0.93, paint),
        (0.68, -0.58),
        0.165,
        z * 0.97,
        -0.98,
        0.94,
        rgb("b0b4b8"),
    )


def _semi(rng: Rng) -> tuple[Part, ...]:
    paint, cargo = (
        pick(rng, "b3261e", "1f3f7a", "e9e9e6", "2f5f45", "e07b1f", "5a2f6a", "26272a"),
        pick(rng, "e9e9e6", "c9ccd0", "d3d6d9"),
    )
    z = 0.28
    bonnet = float(rng.choice([0, 0.3]))
    nose = 0.98 - bonnet
    tank = rng.random() < 0.25
    trailer = (
        lofted(
            [
                (-1.15, 0.56, 0.16, 0.16),
                (-1.12, 0.56, 0.24, 0.24),
                (0.38, 0.56, 0.24, 0.24),
                (0.42, 0.56, 0.16, 0.16),
            ],
            14,
            cargo,
            mix(cargo, DARK, 0.15),
        )
        if tank
        else box((-1.15, 0.42), (0.28, 0.86), (-z, z), cargo)
    )
    body = {
        "rear body": trailer,
        "cab": _cab((0.5, nose), (0.18, 0.78), z * 0.96, paint, bonnet),
        "chassis": box((0.36, 0.52), (0.16, 0.3), (-z * 0.7, z * 0.7), DARK),
    }
    details = _cab_details((0.5, nose), (0.18, 0.78), z * 0.96, paint, bonnet)
    trim: list[Face] = []
    if not tank:
        trim += mirrored(
            [
                panel(rect((-1.15, 0.42), (0.28, 0.31)), z + 0.002, mix(cargo, DARK, 0.4)),
                *[
                    panel(rect((x, x + 0.022), (0.31, 0.86)), z + 0.002, mix(cargo, DARK, 0.12))
                    for x in np.arange(-1.0, 0.4, 0.17)
                ],
            ]
        )
        trim.append(front(-1.153, (0.3, 0.84), (-z * 0.92, z * 0.92), mix(cargo, DARK, 0.12), -1.0))
    pipes = mirrored([panel(rect((0.47, 0.5), (0.3, 0.92)), z * 0.9, CHROME)])
    return _assembled(
        body,
        details | {"rear body": trim, "chassis": pipes},
        (0.78 if bonnet == 0 else 0.9, 0.46, 0.24, -0.78, -1.0),
        0.125,
        z * 0.97,
        -1.1,
        0.9,
        rgb("b8bcc0"),
    )


def _pickup(rng: Rng) -> tuple[Part, ...]:
    paint = pick(rng, *PAINTS)
    z = 0.4
    lower = extruded(
        [
            (-0.98, 0.2),
            (-1.0, 0.26),
            (-1.0, 0.48),
            (-0.97, 0.5),
            (-0.3, 0.5),
            (0.4, 0.51),
            (0.8, 0.485),
            (0.94, 0.46),
            (0.98, 0.41),
            (0.98, 0.26),
            (0.95, 0.2),
        ],
        narrowed(z),
        paint,
        (0, 0.36),
    )
    cabin = cabin_shell([(-0.32, 0.5), (-0.24, 0.8), (0.0, 0.83), (0.12, 0.81), (0.4, 0.5)], z, paint, GLASS)
    bed = [
        face(
            [
                (-0.96, 0.502, -z * 0.82),
                (-0.96, 0.502, z * 0.82),
                (-0.36, 0.502, z * 0.82),
                (-0.36, 0.502, -z * 0.82),
            ],
            rgb("2a2b2d"),
            (0, 1, 0),
        )
    ]
    trim = {
        "rear body": bed,
        "body": [*sides_of_car(0.5, z, paint), *face_of_car(0.98, -1.0, 0.54, z, paint)],
        "body/lights": lamps_of_car(0.98, -1.0, 0.54, z),
    }
    tyres, hubs = wheels((0.62, -0.62), 0.18, z * 0.99, rgb("b8bcc0"))
    return (
        Faces(*parted({"chassis": _chassis(-0.95, 0.9, z)})),
        Faces(*parted({"wheels": tyres})),
        Faces(*parted({"body": lower}), gloss=0.35, smooth=0.006),
        Faces(*parted({"cabin": cabin}), gloss=0.3, smooth=0.002, sort=False),
        Faces(*parted({"body": arches((0.62, -0.62), 0.215, z + 0.001)})),
        Faces(*parted(trim), sort=False),
        Faces(*parted({"wheels": hubs}), sort=False),
    )


def _dump_truck(rng: Rng) -> tuple[Part, ...]:
    paint = pick(rng, "e0a51f", "d98a1f", "b3261e", "3f6fa8", "e9e9e6")
    z = 0.36
    tub = extruded(
        [
            (-1.0, 0.5),
            (-1.06, 0.88),
            (0.36, 0.9),
            (0.62, 0.95),
            (0.62, 0.9),
            (0.34, 0.84),
            (0.24, 0.34),
            (-0.86, 0.34),
        ],
        [(-z, 1, 1), (z, 1, 1)],
        mix(paint, rgb("8a8f94"), float(rng.choice([0, 0.8]))),
        (-0.35, 0.6),
    )
    body = {"rear body": tub, "cab": _cab((0.4, 0.96), (0.2, 0.82), z * 0.9, paint)}
    ribs = mirrored(
        [
            panel(
                [(x, 0.36), (x + 0.045, 0.36), (x + 0.045, 0.86), (x, 0.86)], z + 0.003, mix(paint, DARK, 0.3)
            )
            for x in np.arange(-0.85, 0.3, 0.25)
        ]
    )
    return _assembled(
        body,
        {"rear body": ribs} | _cab_details((0.4, 0.96), (0.2, 0.82), z * 0.9, paint),
        (0.68, -0.4, -0.76),
        0.18,
        z * 0.96,
        -0.95,
        0.92,
        paint,
    )


def _fire_engine(rng: Rng) -> tuple[Part, ...]:
    paint = pick(rng, "b8211c", "c42f22", "a81f1f")
    z = 0.34
    lights = box((0.62, 0.8), (0.8, 0.86), (-z * 0.7, z * 0.7), rgb("3f7fd3"))
    body = {
        "rear body": box((-1.0, 0.5), (0.22, 0.78), (-z, z), paint),
        "cab": _cab((0.5, 1.0), (0.2, 0.8), z, paint),
        "rear body/ladder": box((-0.9, 0.3), (0.8, 0.85), (-0.18, 0.18), CHROME),
        "cab/lights": lights,
    }
    shutters = [
        panel(rect((x, x + 0.3), (0.34, 0.68)), z + 0.003, rgb("b9bec3")) for x in (-0.94, -0.58, 0.02)
    ]
    band = [panel(rect((-1.0, 1.0), (0.29, 0.33)), z + 0.004, rgb("f0eee6"))]
    return _assembled(
        body,
        {"rear body": mirrored(shutters + band)} | _cab_details((0.5, 1.0), (0.2, 0.8), z, paint),
        (0.72, -0.5),
        0.165,
        z * 0.98,
        -0.96,
        0.94,
        CHROME,
    )
